"""Where a job's classifier and statistics come from, and whether they fit each other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fooling.clashes import GRADIENT
from fooling.errors import UserError
from fooling.paths import user_path
from fooling.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fooling.classifiers.base import Classifier
    from fooling.statistics import Statistics


def get_classifier(settings: RunSettings, at_hand: "Callable[[], Statistics]") -> "Classifier":
    """The classifier that the settings choose; statistics tell the size of its images where it does not say itself."""
    from fooling.classifiers import open_classifier
    from fooling.engines.numba_ import cores

    def like() -> tuple[tuple[int, int, int], tuple[str, ...]]:
        height, width, channels = (int(side) for side in at_hand().shape)
        return (height, width, channels), tuple(str(label) for label in at_hand().labels)

    return open_classifier(settings.classifier, like, settings.engine.threads or cores())


def needs_statistics(settings: RunSettings) -> bool:
    """Whether statistics were given, or are asked for: by a term, an exemplar or a class of their own."""
    prior, data = settings.prior, settings.data
    given = prior.statistics or data.path or data.kind != "auto"
    weights = prior.weights.model_dump()
    terms = any(weight for name, weight in weights.items() if name != "target")
    mean = settings.search.name in GRADIENT and settings.search.start == "mean" and settings.search.image is None
    return bool(given or terms or prior.exemplar or prior.digit is not None or settings.search.draw == "bins" or mean)


def draws(settings: RunSettings) -> bool:
    """Whether pixels are drawn from a class's grey levels, where there are statistics of it."""
    search = settings.search
    return search.name not in GRADIENT or (search.image is None and search.start == "levels")


def fits(classifier: "Classifier", statistics: "Statistics") -> bool:
    """Whether statistics are of such images, and of as many classes."""
    same = tuple(classifier.input_shape) == tuple(int(side) for side in statistics.shape)
    return same and classifier.num_classes == len(statistics.count)


def refuse_other_classes(settings: RunSettings, classifier: "Classifier", statistics: "Statistics") -> None:
    """Refuses a prior whose classes cannot be the classifier's: class 2 of 26 is no 2."""
    weights = settings.prior.weights.model_dump()
    needed = any(weight for name, weight in weights.items() if name != "target")
    if needed and settings.prior.digit is None and classifier.num_classes != len(statistics.count):
        have = f"the classifier has {classifier.num_classes} classes, the statistics have {len(statistics.count)}"
        advice = "give data.path or prior.statistics of its data, prior.digit=… of the statistics, or prior=none"
        raise UserError(f"prior={settings.prior.name}: {have}; {advice}")
    if settings.prior.digit is None:
        from fooling.classifiers.examination import refuse_another_order

        refuse_another_order([str(one) for one in classifier.labels], [str(one) for one in statistics.labels], "statistics")


def get_statistics(settings: RunSettings) -> "Statistics":
    """Fitted to data where data are given, else read from a file, by default the bundled one of MNIST."""
    from fooling.statistics import BUNDLED, Statistics

    data, path = settings.data, settings.prior.statistics
    if data.path or data.kind != "auto":
        from fooling.data import stream_data
        from fooling.fit import fit

        return fit(stream_data(data.path, data.kind), settings.prior.bins, settings.prior.lags)
    return Statistics.load(user_path(path) if path else BUNDLED)


@dataclass(frozen=True)
class Picture:
    """What a gradient search starts from."""

    pixels: Any  # uint8 [H, W, C]
    note: str  # what was done to it


def before_picture(
    settings: RunSettings, classifier: "Classifier", judges: "Mapping[str, Classifier]"
) -> "tuple[Classifier, Mapping[str, Classifier], Picture | None]":
    """Classifier and judges as they see the pictures of a search, and the picture that it starts from, if it is given one.

    A dream may be larger than what they take: then they look at it through windows.
    """
    from fooling.classifiers.windows import MOST, Windows, window_count
    from fooling.pictures import fitted_inside, scaled_around

    search = settings.search
    height, width, channels = (int(side) for side in classifier.input_shape)
    image = search.image if search.name in GRADIENT else None
    picture, shape = None, (height, width, channels)
    if search.name == "dream" and image:
        pixels, note = scaled_around(user_path(image), shape, search.size)
        picture, shape = Picture(pixels, note), pixels.shape
    elif search.name == "dream" and search.size:
        factor = max(1.0, search.size / max(height, width))
        shape = round(height * factor), round(width * factor), channels
    elif image:
        picture = Picture(*fitted_inside(user_path(image), shape))
    if shape == (height, width, channels):
        return classifier, judges, picture
    number = window_count(shape, (height, width, channels))
    if number > MOST:
        size = f"{shape[0]}×{shape[1]} pixels take {number:,} windows of {height}×{width}, at most {MOST:,} are looked through"
        raise UserError(f"search=dream: {size}; search.size=400 scales the longer side to 400")
    return Windows(classifier, shape), {name: Windows(judge, shape) for name, judge in judges.items()}, picture
