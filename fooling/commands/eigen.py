"""`fooling eigen`: principal components of a data set, the variance they explain, and PCA classifiers beside networks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fooling.classifiers.accuracy import check_data
from fooling.classifiers.base import Classifier, predict
from fooling.classifiers.judges import load_judge
from fooling.classifiers.pca import METHODS, ComponentSets, PcaClassifier, fit_pca, make_pca, make_unscaled
from fooling.commands.console import ProgressCallback
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.inputs import classes_of, open_checked, real_images, subsample, to_bytes
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.plots.eigen import FILES, FigureData, chart
from fooling.records.files import write_atomically
from fooling.search.result import Result
from fooling.settings.experiments import EigenSettings
from fooling.statistics.intervals import proportion_with_ci
from fooling.statistics.pca import EIGEN_ONE, MEAN_ONE, PrincipalComponents

RECONSTRUCTED = 4  # images
NAMES = {"means": "nearest class mean", "residual": "least residual"}


def plan(settings: EigenSettings, _words: Sequence[str]) -> Plan:
    """Reads the data and opens the networks."""
    train, test = (real_images(settings.data, split, "fooling eigen") for split in ("train", "test"))
    classes_of(settings.digit, len(train.classes))
    return Plan(inputs=(train, test, *open_networks(settings, test)))


def open_networks(settings: EigenSettings, test: ImageSet) -> tuple[dict[str, Classifier], list[str]]:
    """The classifier and the judges, by name; and why some of them cannot be compared on such images."""
    found: dict[str, Classifier] = {}
    left_out = []
    for name in dict.fromkeys([settings.classifier.name, *settings.judges]):
        network = open_checked(settings.classifier, None) if name == settings.classifier.name else load_judge(name)
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
    own = {train.classes[k]: fitted.classes[k] for k in classes_of(settings.digit, len(train.classes))}
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
        ["classifier", f"right of {len(test.images):,} test images", "95 %"],
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
    return proportion_with_ci(int((predict(classifier, test.images).argmax(axis=1) == test.labels).sum()), len(test.labels))


def step_of(fitted: ComponentSets, train: ImageSet, test: ImageSet, k: int) -> dict[str, Any]:
    """What k eigen-images explain, and how right the PCA classifiers are with them; None where a class has fewer."""
    found: dict[str, Any] = {"k": k, "explained": explained(fitted.whole)[k - 1]}
    enough = min(len(part.images) for part in fitted.classes) >= k
    for method in METHODS:
        is_there = enough or method == "means"
        classifier = make_unscaled(fitted, train, method, k) if is_there else None
        found[method] = None if classifier is None else nearest(classifier, test)
    return found


def nearest(classifier: PcaClassifier, test: ImageSet) -> dict[str, Any]:
    """How often the smallest distance is the right class's."""
    return proportion_with_ci(int((classifier.distances(test.images).argmin(axis=1) == test.labels).sum()), len(test.labels))


def explained(of: PrincipalComponents) -> list[float]:
    """The share of the variance that the first k eigen-images hold, for every k."""
    whole = float(of.variance.sum()) + of.residual
    return [float(part) for part in np.cumsum(of.variance) / whole]


def rebuild(images: Bytes, of: PrincipalComponents, k: int) -> Bytes:
    """Images [N, H, W, C] as mean plus k eigen-images, rounded and cut to 0 … 255."""
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


def draw(folder: Path, summary: Summary) -> None:
    """eigen.png."""
    write_atomically(folder / "eigen.png", chart(summary.content, *summary.figure))


COMMAND = Experiment("eigen", plan, compute, draw, ("eigen.json", "pca_*.safetensors", *FILES))
