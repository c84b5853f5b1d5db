"""What a job is made of: statistics, classifier, start image, and whether they fit together."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from fooling.classifiers import open_classifier
from fooling.classifiers.accuracy import check_class_order
from fooling.classifiers.base import Classifier
from fooling.classifiers.detection import MAX_IMAGES, of_class, plausibility, summary
from fooling.classifiers.tiling import MAX_TILES, TiledClassifier, tile_count
from fooling.data import load_data, stream_data
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.search import load_search
from fooling.search.job import Job
from fooling.search.parallel import cores
from fooling.search.protocol import StartImage, part_of
from fooling.settings.fields import user_path
from fooling.settings.schema import RunSettings
from fooling.statistics import BUNDLED, Statistics


def get_statistics(settings: RunSettings) -> Statistics:
    """Fitted to data where data are given, else read from a file, by default the bundled one of MNIST."""
    data, path = settings.data, settings.prior.statistics
    if data.given:
        return Statistics.fit(stream_data(data.path, data.kind), settings.prior.bins, settings.prior.lags)
    return Statistics.load(user_path(path) if path else BUNDLED)


def get_classifier(settings: RunSettings, statistics: Callable[[], Statistics]) -> Classifier:
    """The classifier of the settings; `statistics` give the size of its images where it does not declare it."""

    def shape_hint() -> tuple[tuple[int, int, int], tuple[str, ...]]:
        height, width, channels = (int(side) for side in statistics().shape)
        return (height, width, channels), tuple(str(label) for label in statistics().labels)

    return open_classifier(settings.classifier, shape_hint, settings.engine.threads or cores())


def fit_to_start_image(
    settings: RunSettings, classifier: Classifier, judges: Mapping[str, Classifier]
) -> tuple[Classifier, Mapping[str, Classifier], StartImage]:
    """Classifier and judges for the images of the search, and what it starts from.

    Images larger than the classifier's input are seen through windows.
    """
    search, (height, width, channels) = settings.search.name, (int(side) for side in classifier.input_shape)
    input_shape = (height, width, channels)
    start = part_of(load_search(search, settings.engine.name), "start_image")(settings, input_shape)
    if start.shape == input_shape:
        return classifier, judges, start
    number = tile_count(start.shape, input_shape)
    if number > MAX_TILES:
        size = f"{start.shape[0]}×{start.shape[1]} pixels take {number:,} windows of {height}×{width}"
        raise UserError(
            f"search={search}: {size}, at most {MAX_TILES:,} are allowed; search.size=400 scales the longer side to 400"
        )
    tiled = {name: TiledClassifier(judge, start.shape) for name, judge in judges.items()}
    return TiledClassifier(classifier, start.shape), tiled, start


def statistics_use(settings: RunSettings) -> Literal["levels", "mean", "none"]:
    """Which statistics the first images of the search are made of."""
    use: Literal["levels", "mean", "none"]
    use = part_of(load_search(settings.search.name, settings.engine.name), "statistics_use")(settings)
    return use


def needs_statistics(settings: RunSettings) -> bool:
    """Whether the settings name statistics or data, or need them for a term, an exemplar, a class or the first images."""
    prior, data, search = settings.prior, settings.data, settings.search
    named = prior.statistics or data.given
    terms = any(weight for name, weight in prior.weights.model_dump().items() if name != "target")
    drawn = search.draw == "bins" or statistics_use(settings) == "mean"
    return bool(named or terms or prior.exemplar or prior.digit is not None or drawn)


def draws(settings: RunSettings) -> bool:
    """Whether the first images are drawn from a class's grey levels, where there are statistics of it."""
    return statistics_use(settings) == "levels"


def fits(classifier: Classifier, statistics: Statistics) -> bool:
    """Whether statistics are of images of the classifier's size, and of as many classes."""
    same = tuple(classifier.input_shape) == tuple(int(side) for side in statistics.shape)
    return same and classifier.num_classes == len(statistics.count)


def refuse_other_classes(settings: RunSettings, classifier: Classifier, statistics: Statistics) -> None:
    """Refuses a prior of other classes than the classifier's: class 2 of 26 is no 2."""
    weights = settings.prior.weights.model_dump()
    needed = any(weight for name, weight in weights.items() if name != "target")
    if needed and settings.prior.digit is None and classifier.num_classes != len(statistics.count):
        have = f"the classifier has {classifier.num_classes} classes, the statistics have {len(statistics.count)}"
        advice = "give data.path or prior.statistics of its data, prior.digit=… of the statistics, or prior=none"
        raise UserError(f"prior={settings.prior.name}: {have}; {advice}")
    if settings.prior.digit is None:
        check_class_order([str(name) for name in classifier.labels], [str(name) for name in statistics.labels], "statistics")


def compare_with_real(job: Job, images: Bytes) -> tuple[dict[str, Any], str]:
    """The key `plausibility` of run.json where data are given, or a note why there is none.

    Against the test images of the class of the term targets; at most MAX_IMAGES on either side, which takes little time.
    """
    data = job.settings.data
    if not data.given:
        return {}, ""
    classifier = job.objective.classifier
    try:
        digit = job.prior_digit
        real = of_class(load_data(data.path, data.kind, "test"), digit)
        rows = plausibility(images[:MAX_IMAGES], real[:MAX_IMAGES], job.fitted, digit, classifier)
    except UserError as error:  # of the data: the job is done
        return {"plausibility": None}, f"no plausibility in run.json: {error}"
    return {"plausibility": summary(rows)}, ""
