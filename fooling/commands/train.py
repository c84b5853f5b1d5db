"""`fooling train`: trains a built-in network."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fooling.classifiers.serialization import is_network
from fooling.classifiers.training import Training, confusion_matrix, train_cnn, train_dense, train_mlp, train_perceptron
from fooling.commands.console import print_table
from fooling.commands.experiment import Tool
from fooling.commands.jobs import say_notes
from fooling.data import ImageSet, Split, load_data, refuse_empty_classes
from fooling.errors import UserError
from fooling.plots.evaluation import confusion_chart
from fooling.records.files import has_keys, is_png, new_file, write_json
from fooling.records.record import versions
from fooling.settings.commands import TrainSettings
from fooling.settings.fields import user_path
from fooling.settings.files import format_value

Recognition = Callable[[Path], bool]
KINDS: tuple[Recognition, ...] = (is_network, partial(has_keys, keys=("confusion", "class_accuracy")), is_png)  # of the outputs
SPLITS: tuple[Split, Split] = ("train", "test")


def train(settings: TrainSettings) -> None:
    """Trains a network and writes its weights, what they are, and the confusion matrix of the test images."""
    check(settings)
    with ExitStack() as files:
        found = zip(outputs(settings), KINDS, strict=True)
        weights, about, picture = (files.enter_context(new_file(path, settings.overwrite, ours)) for path, ours in found)

        data = settings.data
        images, test = (load_data(data.path, data.kind, split, **data.options) for split in SPLITS)
        say_notes(settings.quiet, images, test)
        network, counts = train_and_test(settings, images, test)
        network.save(weights)
        write_json(about, summary(settings, network, counts, images))
        picture.write_bytes(confusion_chart(counts, network.labels, f"{settings.classifier.name} trained on {images.source}"))
    if not settings.quiet:
        correct, total = counts.diagonal(), counts.sum(axis=1)
        rows = [[label, f"{n:,}", share(k, n)] for label, k, n in zip(network.labels, correct, total, strict=True)]
        rows.append(["all", f"{total.sum():,}", share(correct.sum(), total.sum())])
        print_table(["class", "test images", "accuracy"], rows)
        print(f"→ {settings.out}: use it with classifier.path={settings.out}")
        print(f"→ {', '.join(path.name for path in outputs(settings)[1:])}: confusion of the classes")


def outputs(settings: TrainSettings) -> tuple[Path, Path, Path]:
    """The files that are written: weights, their summary, and the confusion matrix."""
    path = user_path(settings.out)
    name = path.name.removesuffix(".safetensors")
    return path, path.with_name(f"{name}.json"), path.with_name(f"{name}_confusion.png")


# --- kinds of networks --------------------------------------------------------------------------------------------------
def sigmoid_network(data: ImageSet, training: Training, settings: TrainSettings) -> Any:
    """One hidden layer of sigmoid units, sigmoid outputs."""
    return train_mlp(data, training, hidden=one_layer(settings))


def convolutions(data: ImageSet, training: Training, settings: TrainSettings) -> Any:
    """Two convolutions and a hidden layer."""
    if min(data.images.shape[1:3]) < 4:
        raise UserError(f"channels: convolutions need images of at least 4×4 pixels, got {data.images.shape[1:3]}")
    chosen: Any = settings  # `check` has seen to it that they are set
    return train_cnn(data, training, kernel=chosen.kernel, channels=chosen.channels, hidden=one_layer(settings))


def softmax(data: ImageSet, training: Training, settings: TrainSettings) -> Any:
    """Softmax regression."""
    del settings
    return train_dense(data, training)


def perceptron(data: ImageSet, training: Training, settings: TrainSettings) -> Any:
    """A single layer, by error correction."""
    return train_perceptron(data, training, average=bool(settings.average))


def layers(data: ImageSet, training: Training, settings: TrainSettings) -> Any:
    """Hidden layers of any width and depth."""
    return train_dense(data, training, hidden=widths(settings), activation=str(settings.activation))


class Trainer(NamedTuple):
    """A kind of network: how it is trained, and which of the settings that not every kind has."""

    train: Callable[[ImageSet, Training, TrainSettings], Any]
    own: tuple[str, ...]


DESCENT, CONVOLUTIONS = ("batch", "decay"), ("channels", "kernel")
TRAINERS = {
    "mnist_mlp": Trainer(sigmoid_network, ("hidden", *DESCENT)),
    "mnist_mlp2": Trainer(sigmoid_network, ("hidden", *DESCENT)),
    "mnist_cnn": Trainer(convolutions, ("hidden", *DESCENT, *CONVOLUTIONS)),
    "mnist_cnn2": Trainer(convolutions, ("hidden", *DESCENT, *CONVOLUTIONS)),
    "digits_perceptron": Trainer(perceptron, ("average",)),
    "softmax": Trainer(softmax, DESCENT),
    "perceptron": Trainer(perceptron, ("average",)),
    "mlp": Trainer(layers, ("hidden", *DESCENT, "activation")),
    "cnn": Trainer(convolutions, ("hidden", *DESCENT, *CONVOLUTIONS)),
}
SOME = ("hidden", *DESCENT, "activation", "average", *CONVOLUTIONS)  # settings that not every kind has


def check(settings: TrainSettings) -> None:
    """Refuses settings that the chosen kind of network does not have, or lacks."""
    name = settings.classifier.name
    if name not in TRAINERS:
        raise UserError(f"classifier={name}: is not trained here; expected one of {', '.join(TRAINERS)}")
    kind = TRAINERS[name]
    for setting in SOME:
        value = getattr(settings, setting)
        if setting in kind.own and value is None:
            raise UserError(f"classifier={name} needs {setting}, got null; leave it out for the default")
        if setting not in kind.own and value is not None:
            having = ", ".join(other for other in TRAINERS if setting in TRAINERS[other].own)
            raise UserError(
                f"{setting} is not a setting of classifier={name}, but of {having}; got {setting}={format_value(value)}"
            )
    if kind.train in (sigmoid_network, convolutions):
        one_layer(settings)


def widths(settings: TrainSettings) -> tuple[int, ...]:
    """The units of each hidden layer."""
    hidden = settings.hidden
    return hidden if isinstance(hidden, tuple) else () if hidden is None else (hidden,)


def one_layer(settings: TrainSettings) -> int:
    """The units of the only hidden layer."""
    if len(widths(settings)) != 1:
        name, got = settings.classifier.name, format_value(settings.hidden)
        raise UserError(f"hidden: classifier={name} has one hidden layer, expected one number, got {got}; mlp takes several")
    return widths(settings)[0]


# --- training and summary -----------------------------------------------------------------------------------------------
def train_and_test(settings: TrainSettings, train: ImageSet, test: ImageSet) -> Any:
    """The network, and its confusion counts [K, K] on the test images after its first layer was rounded."""
    refuse_empty_classes(train)
    kind = TRAINERS[settings.classifier.name]
    what = "loss" if "batch" in kind.own else "mistakes"
    on_epoch = (lambda epoch, value: None) if settings.quiet else progress(settings.epochs, what)
    batch, decay = settings.batch or 1, settings.decay or 0.0
    training = Training(
        settings.epochs, batch, settings.learning_rate, decay, settings.seed, shift=settings.shift, on_epoch=on_epoch
    )
    network = kind.train(train, training, settings)
    counts = confusion_matrix(network, test)
    result = f"{np.trace(counts) / counts.sum():.4f} right of {counts.sum()} test images"
    made = f"fooling train {words(settings)} on {train.source} ({len(train.images)} images); {result}"
    return replace(network, made=made), counts


def words(settings: TrainSettings) -> str:
    """The settings that the weights depend on, as they are written on the command line."""
    own = [name for name in SOME if name in TRAINERS[settings.classifier.name].own]
    names = ["epochs", "learning_rate", "seed", *own, *(["shift"] if settings.shift else [])]
    values = {"classifier": settings.classifier.name, **{name: getattr(settings, name) for name in names}}
    return " ".join(f"{key}={format_value(value).strip('[]').replace(', ', ',')}" for key, value in values.items())


def summary(settings: TrainSettings, network: Any, counts: Any, train: ImageSet) -> dict[str, Any]:
    """All of NAME.json. `confusion[i][j]`: test images of class i that were taken for class j."""
    correct, total = counts.diagonal(), counts.sum(axis=1)
    return {
        "settings": settings.model_dump(mode="json", exclude={"out", "overwrite", "quiet"}),
        "seed": settings.seed,
        "data": train.source,
        "train_images": len(train.images),
        "test_images": int(total.sum()),
        "accuracy": float(correct.sum() / total.sum()),
        "classes": list(network.labels),
        "class_accuracy": [float(k / n) if n else None for k, n in zip(correct, total, strict=True)],
        "confusion": counts.tolist(),
        "input_shape": list(network.input_shape),
        "fingerprint": network.fingerprint,
        "made": network.made,
        "versions": versions(),
    }


def progress(epochs: int, what: str) -> Any:
    """Says how training goes: on a terminal in place, elsewhere every tenth epoch."""

    def show(epoch: int, value: float) -> None:
        live = sys.stdout.isatty()
        if live or epoch % 10 == 0 or epoch == epochs:
            end = "\n" if not live or epoch == epochs else ""
            print(f"{chr(13) if live else ''}epoch {epoch}/{epochs}  {what} {value:.5f}", end=end, flush=True)

    return show


def share(part: int, whole: int) -> str:
    """A share in per cent."""
    return f"{100 * part / whole:.2f} %" if whole else "–"


COMMAND = Tool(train)
