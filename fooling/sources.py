"""Where a job's classifier and statistics come from, and whether they fit each other."""

from typing import TYPE_CHECKING

from fooling.errors import UserError
from fooling.paths import user_path
from fooling.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Callable

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
    return bool(given or terms or prior.exemplar or prior.digit is not None or settings.search.draw == "bins")


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
