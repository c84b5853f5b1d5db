"""`fooling data get mnist DIR` downloads a data set; `fooling stats` fits its statistics, in one pass over its images."""

import sys

from rich.console import Console

from fooling.commands.console import print_table, progress
from fooling.commands.experiment import Tool
from fooling.data import stream_data
from fooling.data.idx import MNIST_MIRRORS, get_mnist
from fooling.errors import UserError
from fooling.records.files import new_file
from fooling.settings.commands import StatsSettings
from fooling.settings.fields import user_path
from fooling.statistics import Statistics
from fooling.statistics.pca import sample_size

USAGE = """usage: fooling data get mnist DIR [mirror=URL]

Downloads MNIST (11 MB) into DIR and checks the SHA-256 of its content. Files that are there already are kept.
  mirror=URL   take the files from URL/train-images-idx3-ubyte.gz, … instead of the public mirrors

Other sets are added only with a published digest; your own go to data.path as they are.
"""
SETS = ("mnist",)


# --- fooling data -------------------------------------------------------------------------------------------------------
def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    if {"--help", "-h", "help"} & set(arguments) or not arguments:
        sys.stdout.write(USAGE)
        return 0 if arguments else 2
    mirrors = [word.removeprefix("mirror=") for word in arguments if word.startswith("mirror=")]
    words = [word for word in arguments if not word.startswith("mirror=")]
    if words[0:1] != ["get"] or len(words) != 3:
        raise UserError(f"expected: fooling data get mnist DIR, got: fooling data {' '.join(arguments)}")
    if not words[2]:
        raise UserError("DIR is empty: expected the folder to write to, as in fooling data get mnist mnist")
    name, folder = words[1], user_path(words[2])
    if name not in SETS:
        raise UserError(f"unknown data set {name!r}: expected one of {', '.join(SETS)}; others have no published digest here")

    get_mnist(folder, mirrors or MNIST_MIRRORS, say=lambda line: print(line, flush=True))
    print(f"use it with data.path={folder}")
    return 0


# --- fooling stats ------------------------------------------------------------------------------------------------------
def fit(settings: StatsSettings) -> None:
    """Fits the statistics in one pass over the images."""
    with new_file(user_path(settings.out), settings.overwrite) as part:
        data = stream_data(settings.data.path, settings.data.kind)
        sizes = settings.model_dump(include={"bins", "lags", "components", "grid", "reach", "exemplars"})
        with progress(Console(), settings.quiet) as watch:
            statistics = Statistics.fit(data, **sizes, watch=watch)
        statistics.save(part)
    if not settings.quiet:
        show(statistics)
        for note in notes(statistics, settings):
            print(note)
        print(f"→ {settings.out}: use it with prior.statistics={settings.out}")


def show(statistics: Statistics) -> None:
    """A line a class: a few of its means."""
    lags = range(min(3, statistics.lags))
    names = [*(f"g_x({k + 1})" for k in lags), *(f"g_y({k + 1})" for k in lags)]
    shares = statistics.histogram.mean(axis=1)
    g_x, g_y = statistics.variogram_x.mean(axis=1), statistics.variogram_y.mean(axis=1)
    rows = [
        [label, f"{count:,}", *(f"{v:.3f}" for v in (shares[k, 0], shares[k, -1], *g_x[k, :3], *g_y[k, :3]))]
        for k, (label, count) in enumerate(zip(statistics.labels, statistics.count, strict=True))
    ]
    print_table(["class", "images", "first bin", "last bin", *names], rows)


def notes(statistics: Statistics, settings: StatsSettings) -> list[str]:
    """What is less than the settings say, and why."""
    pixels, classes, count = int(statistics.shape.prod()), len(statistics.count), statistics.count
    most, found = sample_size(pixels, classes), []
    size = f"{pixels:,} pixels an image, {classes} classes"
    if most and count.max() > most:
        found.append(f"principal components: of at most {most:,} images a class, evenly spaced ({size})")
    for name, kept in (("components", statistics.eigen.shape[1]), ("exemplars", statistics.exemplars)):
        if kept < getattr(settings, name):
            is_few = kept >= count.min() - 1
            reason = f"the smallest class has {count.min()} images" if is_few else size
            found.append(f"{name}={kept}, not {getattr(settings, name)}: {reason}")
    return found


COMMAND = Tool(fit)
