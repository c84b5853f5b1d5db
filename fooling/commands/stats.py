"""`fooling stats`: fits a data set's statistics, in one pass over its images."""

from math import prod
from pathlib import Path

from rich.console import Console

from fooling.commands.console import print_table
from fooling.commands.experiment import Tool
from fooling.commands.jobs import say_notes
from fooling.commands.progress import progress
from fooling.data import ImageStream, class_counts, stream_data, with_images
from fooling.data.npz import array_names
from fooling.errors import UserError
from fooling.records.files import new_file
from fooling.settings.commands import StatsSettings
from fooling.settings.fields import user_path
from fooling.settings.files import RAISE, ceiling
from fooling.statistics import Statistics
from fooling.statistics.pca import max_components

MEAN_BYTES, COMPONENT_BYTES = 4, 2  # a pixel in the file: nearly all of it for large images


def fit(settings: StatsSettings) -> None:
    """Fits the statistics in one pass over the images."""
    with new_file(user_path(settings.out), settings.overwrite, is_statistics) as part:
        stream = stream_data(settings.data.path, settings.data.kind, **settings.data.options)
        data = with_images(stream)
        check_room(data, settings)
        sizes = settings.model_dump(include={"bins", "lags", "components", "grid", "reach", "exemplars"})
        with progress(Console(), settings.quiet) as watch:
            statistics = Statistics.fit(data, **sizes, watch=watch)
        statistics.save(part)
    if not settings.quiet:
        show(statistics)
        say_notes(settings.quiet, data)
        if data.held_out:
            print(f"{data.held_out:,} of {len(data.labels) + data.held_out:,} images held out as the test set")
        if len(data.classes) < len(stream.classes):
            print(f"{len(stream.classes) - len(data.classes)} classes without images are left out")
        for note in notes(statistics, settings):
            print(note)
        print(f"→ {settings.out}: use it with prior.statistics={settings.out}")


def check_room(data: ImageStream, settings: StatsSettings) -> None:
    """Raises UserError where the file would be larger than what is read, before it is fitted."""
    count, limit = class_counts(data), ceiling("arrays")
    classes, pixels = len(count), prod(data.shape)
    components = min(settings.components, *(max_components(int(number), pixels, classes) for number in count))
    size = classes * pixels * (MEAN_BYTES + COMPONENT_BYTES * components)
    if size <= limit:
        return
    most = (limit // (classes * pixels) - MEAN_BYTES) // COMPONENT_BYTES
    what = f"{classes:,} classes of {pixels:,} pixels take {size:,} bytes, at most {limit:,} are read"
    advice = f"give components={most}" if most >= 0 else "give smaller images, as data.size=64"
    raise UserError(f"components={components}: {what}; {advice}, or raise {RAISE}")


def is_statistics(path: Path) -> bool:
    """Whether a file holds the arrays of statistics."""
    try:
        return {"count", "mean", "histogram"} <= set(array_names(path))
    except UserError:
        return False


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
    if statistics.shape[2] > 1:
        print("means over the channels red, green and blue, each of which has its own histogram and variograms")


def notes(statistics: Statistics, settings: StatsSettings) -> list[str]:
    """What is less than the settings say, and why."""
    pixels, classes, count = int(statistics.shape.prod()), len(statistics.count), statistics.count
    sample, found = statistics.sample, []
    size = f"{pixels:,} pixels an image, {classes} classes"
    if sample is not None and (sample < count).any():
        found.append(f"principal components: of at most {sample.max():,} images a class, evenly spaced ({size})")
    few = [k for k in range(classes) if statistics.leaves_no_residual(k)]
    if few:
        names = ", ".join(str(statistics.labels[k]) for k in few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
        advice = f"give more images or components={max(1, int(count[few].min()) // 2)}"
        found.append(f"components: they explain all images of {names}; prior=eigen is refused for them; {advice}")
    for name, kept in (("components", statistics.eigen.shape[1]), ("exemplars", statistics.exemplars)):
        if kept < getattr(settings, name):
            is_few = kept >= count.min() - 1
            reason = f"the smallest class has {count.min()} images" if is_few else size
            found.append(f"{name}={kept}, not {getattr(settings, name)}: {reason}")
    return found


COMMAND = Tool(fit)
