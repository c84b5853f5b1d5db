"""A picture with each layer of a network raised: python benchmarks/dreams.py image=docs/images/four.png classifier=mnist_cnn"""

import numpy as np
from matplotlib.figure import Figure
from measure import words

import fooling
from fooling.classifiers.layers import layer_shapes
from fooling.data.images import read_image
from fooling.settings.fields import user_path

COLUMNS = 4
LEFT_OUT = ("relu1", "relu3", "scores")  # much the same as conv1, dense3 and logits


def main() -> None:
    """The picture, then what it becomes, a layer each."""
    chosen = words(image="docs/images/four.png", classifier="mnist_cnn", digit=4, picture="docs/images/dream.png")
    layers = [name for name in layer_shapes(fooling.load_classifier(chosen["classifier"])) if name not in LEFT_OUT]
    shown = {"the picture": read_image(user_path(chosen["image"]))}
    for layer in layers:
        settings = {name: chosen[name] for name in ("image", "classifier", "digit")}
        shown[layer] = fooling.evolve(search="dream", layer=layer, **settings).images[0]
    lines = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(2.0 * COLUMNS, 2.2 * lines), dpi=100, layout="constrained")
    for axes in figure.subplots(lines, COLUMNS).flat:
        axes.set_axis_off()
    for axes, (name, image) in zip(figure.axes, shown.items(), strict=False):
        axes.imshow(np.asarray(image)[:, :, 0], cmap="gray", vmin=0, vmax=255)
        axes.set_title(name, fontsize=9)
    figure.savefig(chosen["picture"])


if __name__ == "__main__":
    main()
