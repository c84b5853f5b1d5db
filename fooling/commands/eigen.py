"""`fooling eigen`: principal components of a data set, the variance they explain, and PCA classifiers beside networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from fooling.classifiers.accuracy import check_data
from fooling.classifiers.base import Classifier, predict
from fooling.classifiers.entries import entry_name, open_entry
from fooling.classifiers.pca import METHODS, ComponentSets, PcaClassifier, fit_pca, make_pca, make_unscaled
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import classes_of, open_checked, real_images, subsample, to_bytes
from fooling.commands.progress import ProgressCallback
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles
from fooling.plots import shorten
from fooling.plots.style import (
    BLUE,
    COLOURS,
    INK,
    LABEL,
    ORANGE,
    PINK,
    RED,
    SKY,
    TITLE,
    band,
    centred,
    curve,
    headline,
    label_axes,
    legend,
    log_axis,
    new_figure,
    percent_axis,
    tile,
    to_png,
)
from fooling.records.files import write_atomically
from fooling.search.result import Result
from fooling.settings.experiments import EigenSettings
from fooling.statistics.intervals import accuracy
from fooling.statistics.pca import EIGEN_ONE, MEAN_ONE, PrincipalComponents

LETTERS = 18  # of a class name, at most
COLUMNS = 8  # of reconstructions, up to which they keep their size
NETWORK_COLOURS = (INK, PINK, ORANGE, SKY)
CURVES = {"means": ("PCA: nearest class mean", BLUE), "residual": ("PCA: least residual of a class", RED)}
RECONSTRUCTED = 4  # images
NAMES = {"means": "nearest class mean", "residual": "least residual"}


@dataclass(frozen=True)
class FigureData:
    """What the picture shows besides the summary."""

    whole: PrincipalComponents
    classes: Mapping[str, PrincipalComponents]  # of the chosen classes, by name
    originals: Bytes  # [N, H, W, C]
    reconstructions: Bytes  # [steps, N, H, W, C]


def plan(settings: EigenSettings, _words: Sequence[str]) -> Plan:
    """Reads the data and opens the networks."""
    train, test = real_images(settings, "fooling eigen", "train", "test")
    classes_of(settings.digit, train.classes)
    return Plan(inputs=(train, test, *open_networks(settings, test)))


def open_networks(settings: EigenSettings, test: ImageSet) -> tuple[dict[str, Classifier], list[str]]:
    """The classifier and the judges, by name; and why some of them cannot be compared on such images."""
    found: dict[str, Classifier] = {}
    left_out = []
    attacked = open_checked(settings.classifier, None)

    def hint() -> Any:
        return test.images.shape[1:], test.classes

    others = {entry_name(entry): entry for entry in settings.judges if entry_name(entry) != settings.classifier.name}
    for name in (settings.classifier.name, *others):
        network = attacked if name == settings.classifier.name else open_entry(others[name], hint, "judges")
        try:
            check_data(network, test)
        except UserError as error:
            left_out.append(f"{name} is left out: {str(error).removeprefix('data: ')}")
        else:
            found[name] = network
    return found, left_out


def compute(settings: EigenSettings, plan: Plan, _results: list[Result], watch: ProgressCallback) -> Summary:
    """Fits the principal components and measures what k of them explain, and how they classify."""
    train, test, networks, left_out = plan.inputs
    fitted = fit_pca(train, max(settings.components, *settings.steps), watch)
    classifiers = {method: made(make_pca(fitted, train, method, settings.components), train, test) for method in METHODS}
    total = len(networks) + len(settings.steps)
    found = []
    for number, name in enumerate(networks):
        watch("accuracies", number, total)
        found.append({"name": name, "fingerprint": networks[name].fingerprint, "accuracy": right(networks[name], test)})
    originals = subsample(test, range(len(test.classes)), RECONSTRUCTED, settings.seed).images
    own = {train.classes[k]: fitted.classes[k] for k in classes_of(settings.digit, train.classes)}
    steps, rebuilt = [], []
    for number, k in enumerate(step for step in settings.steps if step <= len(fitted.whole.images)):
        watch("accuracies", len(networks) + number, total)
        rebuilt.append(rebuild(originals, fitted.whole, k))
        steps.append({**step_of(fitted, train, test, k), "error": root_mean_square(originals, rebuilt[-1])})
    result: dict[str, Any] = {
        "data": train.source,
        "train_images": len(train.images),
        "test_images": len(test.images),
        "components": settings.components,
        "explained": explained(fitted.whole),
        "explained_of_class": {name: explained(of) for name, of in own.items()},
        "steps": steps,
        "pca": [
            {
                "name": f"pca, {NAMES[name]}",
                "method": name,
                "components": one.components,
                "fingerprint": one.fingerprint,
                "accuracy": right(one, test),
            }
            for name, one in classifiers.items()
        ],
        "networks": found,
        "left_out": list(left_out),
    }
    rows = [row(entry["name"] + components(entry), entry["accuracy"]) for entry in [*result["pca"], *found]]
    note = "PCA classifiers: use them with classifier=pca classifier.path=FOLDER/pca_means.safetensors, pca_residual"
    return Summary(
        result,
        ["classifier", f"accuracy on {len(test.images):,} test images", "95 %"],
        rows,
        [*left_out, note],
        figure=(FigureData(fitted.whole, own, originals, np.stack(rebuilt)), settings.shown),
        files={f"pca_{name}.safetensors": to_bytes(one) for name, one in classifiers.items()},
    )


def made(classifier: PcaClassifier, train: ImageSet, test: ImageSet) -> PcaClassifier:
    """With a line on how it was made."""
    accuracy = right(classifier, test)["share"]
    how = f"fooling eigen, method {classifier.method}, {classifier.components} components, on {train.source}"
    return replace(
        classifier, made=f"{how} ({len(train.images)} images); {accuracy:.4f} right of {len(test.images)} test images"
    )


def right(classifier: Classifier, test: ImageSet) -> dict[str, Any]:
    """Its accuracy, with the 95 % interval."""
    return accuracy(predict(classifier, test.images), test.labels)


def step_of(fitted: ComponentSets, train: ImageSet, test: ImageSet, k: int) -> dict[str, Any]:
    """What k principal components explain, and the accuracy of the PCA classifiers with them; None where a class has fewer."""
    found: dict[str, Any] = {"k": k, "explained": explained(fitted.whole)[k - 1]}
    enough = min(len(part.images) for part in fitted.classes) >= k
    for method in METHODS:
        is_there = enough or method == "means"
        classifier = make_unscaled(fitted, train, method, k) if is_there else None
        found[method] = None if classifier is None else nearest(classifier, test)
    return found


def nearest(classifier: PcaClassifier, test: ImageSet) -> dict[str, Any]:
    """How often the smallest distance is the right class's."""
    return accuracy(-classifier.distances(test.images), test.labels)


def explained(of: PrincipalComponents) -> list[float]:
    """The share of the variance that the first k principal components explain, for every k."""
    whole = float(of.variance.sum()) + of.residual
    return [float(part) for part in np.cumsum(of.variance) / whole]


def rebuild(images: Bytes, of: PrincipalComponents, k: int) -> Bytes:
    """Images [N, H, W, C] as mean plus k principal components, rounded and cut to 0 … 255."""
    mean, eigen = of.mean / MEAN_ONE, of.images[:k] / EIGEN_ONE
    apart = images.reshape(len(images), -1) - mean
    return np.rint(np.clip(mean + apart @ eigen.T @ eigen, 0, 255)).astype(np.uint8).reshape(images.shape)


def root_mean_square(images: Bytes, others: Bytes) -> float:
    """Of the difference of two batches, grey levels."""
    return float(((images.astype(np.float64) - others) ** 2).mean() ** 0.5)


def components(entry: dict[str, Any]) -> str:
    """How many, where a classifier has some."""
    return f", k = {entry['components']}" if "components" in entry else ""


def row(name: str, accuracy: dict[str, Any]) -> list[str]:
    """A line of the table."""
    return [name, f"{accuracy['share']:.2%}", f"{accuracy['low']:.1%}–{accuracy['high']:.1%}"]


# --- the picture --------------------------------------------------------------------------------------------------------
def draw(folder: Path, summary: Summary) -> None:
    """eigen.png."""
    write_atomically(folder / "eigen.png", chart(summary.content, *summary.figure))


def chart(summary: Mapping[str, Any], data: FigureData, number: int) -> bytes:
    """A PNG of eigen.json: `number` components in each row, reconstructions, and two charts over k."""
    heights = (0.3 + 1.15 * (1 + len(data.classes)), 4.6, 3.5)
    figure = new_figure(10, sum(heights))
    parts: Any = figure.subfigures(3, 1, height_ratios=heights)
    above, middle, below = parts
    draw_components(above, data, number)
    draw_reconstructions(middle, summary, data)
    charts: Any = below.subplots(1, 2)
    draw_explained(charts[0], summary)
    draw_accuracies(charts[1], summary)
    return to_png(figure)


def draw_components(figure: SubFigure, data: FigureData, number: int) -> None:
    """The mean and the first components of the whole set and of the classes, the share of the variance below each."""
    shape = data.originals.shape[1:]
    rows = {"whole set": data.whole, **{f"class {name}": components for name, components in data.classes.items()}}
    grid: Any = figure.subplots(len(rows), number + 1, squeeze=False)
    for i, (name, components) in enumerate(rows.items()):
        tile(grid[i, 0], (components.mean / MEAN_ONE).reshape(shape), "mean" if i == 0 else "")
        grid[i, 0].set_ylabel(shorten(name, LETTERS), fontsize=LABEL, color=INK, parse_math=False)
        total = float(components.variance.sum()) + components.residual
        for m, axes in enumerate(grid[i, 1:]):
            if m < len(components.images):
                share = f"{100 * components.variance[m] / total:.1f} %"
                tile(axes, stretched(components, m).reshape(shape), f"{m + 1}" if i == 0 else "", share)
            else:
                axes.set_axis_off()
    headline(figure, "principal components, each stretched from black to white; below: share of the variance", TITLE)


def stretched(components: PrincipalComponents, m: int) -> Doubles:
    """Component m [P], whose sign is arbitrary, rescaled to the range 0 … 255."""
    image = components.images[m].astype(np.float64)
    return np.asarray(255 * (image - image.min()) / max(1.0, float(np.ptp(image))))


def draw_reconstructions(figure: SubFigure, summary: Mapping[str, Any], data: FigureData) -> None:
    """Images beside their reconstructions by k components of the whole set."""
    steps, number = summary["steps"], len(data.originals)
    grid: Any = centred(figure, (len(steps) + 1) / COLUMNS).subplots(number, len(steps) + 1, squeeze=False)
    for i, axes in enumerate(grid):
        for j, step in enumerate(steps):
            below = f"±{step['error']:.0f}" if i == number - 1 else ""
            tile(axes[j], data.reconstructions[j, i], f"k = {step['k']}" if i == 0 else "", below)
        tile(axes[-1], data.originals[i], "test image" if i == 0 else "")
    headline(figure, "mean plus k components of the whole set; below: root mean square error, grey levels (0 … 255)", TITLE)


def draw_explained(axes: Axes, summary: Mapping[str, Any]) -> None:
    """The share of the variance that k components explain."""
    curves = {
        f"class {shorten(name, LETTERS)} (components of the class)": shares
        for name, shares in summary["explained_of_class"].items()
    }
    for (name, shares), colour in zip(curves.items(), cycle(COLOURS[:-1]), strict=False):
        axes.plot(range(1, len(shares) + 1), shares, color=colour, linewidth=1.4, label=name)
    whole = summary["explained"]
    axes.plot(range(1, len(whole) + 1), whole, color=INK, linewidth=1.6, label="whole set")
    log_axis(axes)
    label_axes(axes, "explained variance", "k, number of components", "share of the variance")
    percent_axis(axes)
    legend(axes, "lower right")


def draw_accuracies(axes: Axes, summary: Mapping[str, Any]) -> None:
    """Accuracy of the PCA classifiers with k components, beside that of the networks."""
    least = 1.0
    for method, (name, colour) in CURVES.items():
        steps = [step for step in summary["steps"] if step[method]]
        k, accuracies = [step["k"] for step in steps], [step[method] for step in steps]
        band(axes, k, [accuracy["low"] for accuracy in accuracies], [accuracy["high"] for accuracy in accuracies], colour)
        curve(axes, k, [accuracy["share"] for accuracy in accuracies], colour, name)
        least = min([least, *(accuracy["low"] for accuracy in accuracies)])
    for network, colour in zip(summary["networks"], cycle(NETWORK_COLOURS), strict=False):
        accuracy = network["accuracy"]["share"]
        axes.axhline(accuracy, color=colour, linewidth=1, linestyle="--", label=f"{network['name']}: {100 * accuracy:.2f} %")
        least = min(least, accuracy)
    log_axis(axes)
    label_axes(axes, f"accuracy on {summary['test_images']:,} test images (bands: 95 %)", "k, number of components", "accuracy")
    percent_axis(axes, least)
    legend(axes, "lower right")


COMMAND = Experiment("eigen", plan, compute, draw, ("eigen.json", "pca_*.safetensors", "eigen.png"))
