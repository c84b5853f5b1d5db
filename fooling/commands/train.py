"""`fooling train`: trains a built-in network."""

import sys
from typing import Any

from fooling.commands.output import print_table, written_whole
from fooling.errors import UserError
from fooling.paths import user_path
from fooling.settings import TrainSettings, load

SUMMARY = "train a built-in network on a data set"
USAGE = "fooling train classifier=mnist_mlp data.path=PATH key=value …"


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    if {"--help", "-h", "help"} & set(arguments):
        from fooling.settings_help import help_text

        sys.stdout.write(help_text(TrainSettings, "train", USAGE))
        return 0
    settings = load(arguments, TrainSettings, "train")
    from fooling.data import load_data

    with written_whole(user_path(settings.out), settings.overwrite) as part:
        path, kind = settings.data.path, settings.data.kind
        train, test = load_data(path, kind, "train"), load_data(path, kind, "test")
        network, counts = train_and_test(settings, train, test)
        network.save(part)
    if not settings.quiet:
        correct, total = counts.diagonal(), counts.sum(axis=1)
        rows = [[label, f"{n:,}", share(k, n)] for label, k, n in zip(network.labels, correct, total, strict=True)]
        print_table(["class", "test images", "right"], [*rows, ["all", f"{total.sum():,}", share(correct.sum(), total.sum())]])
        print(f"→ {settings.out}: use it with classifier.path={settings.out}")
    return 0


def train_and_test(settings: TrainSettings, train: Any, test: Any) -> Any:
    """The network, and its confusion counts [K, K] on the test images after its first layer was rounded."""
    from dataclasses import replace

    import numpy as np

    from fooling.classifiers.training import Training, confusion, train_cnn, train_mlp
    from fooling.data import refuse_empty_classes

    refuse_empty_classes(train)
    on_epoch = (lambda epoch, loss: None) if settings.quiet else progress(settings.epochs)
    training = Training(
        settings.epochs, settings.batch, settings.learning_rate, settings.decay, settings.seed, settings.shift, on_epoch
    )
    network: Any
    if settings.channels:
        if min(train.images.shape[1:3]) < 4:
            raise UserError(f"channels: convolutions need images of at least 4×4 pixels, got {train.images.shape[1:3]}")
        network = train_cnn(train, training, kernel=settings.kernel, channels=settings.channels, hidden=settings.hidden)
    else:
        network = train_mlp(train, training, hidden=settings.hidden)
    counts = confusion(network, test)
    result = f"{np.trace(counts) / counts.sum():.4f} right of {counts.sum()} test images"
    made = f"fooling train {words(settings)} on {train.source} ({len(train.images)} images); {result}"
    return replace(network, made=made), counts


def words(settings: TrainSettings) -> str:
    """The settings that the weights depend on, as they are written on the command line."""
    names = ["hidden", "epochs", "batch", "learning_rate", "decay", "seed"]
    if settings.channels:
        names += ["channels", "kernel"]
    if settings.shift:
        names.append("shift")
    values = {name: getattr(settings, name) for name in names}
    return " ".join(f"{k}={','.join(map(str, v)) if isinstance(v, tuple) else v}" for k, v in values.items())


def progress(epochs: int) -> Any:
    """Says how training goes: on a terminal in place, elsewhere every tenth epoch."""

    def show(epoch: int, loss: float) -> None:
        live = sys.stdout.isatty()
        if live or epoch % 10 == 0 or epoch == epochs:
            end = "\n" if not live or epoch == epochs else ""
            print(f"{chr(13) if live else ''}epoch {epoch}/{epochs}  loss {loss:.5f}", end=end, flush=True)

    return show


def share(part: int, whole: int) -> str:
    """A share in per cent."""
    return f"{100 * part / whole:.2f} %" if whole else "–"
