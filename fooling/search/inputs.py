"""What a job is made from: its classifier and its statistics, and whether they fit together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from fooling.classifiers import open_classifier, open_given
from fooling.classifiers.accuracy import check_class_order
from fooling.classifiers.adapters import object_name
from fooling.classifiers.base import Classifier, images_a_score
from fooling.classifiers.layers import MAX_TILES, TiledClassifier, tile_count
from fooling.data import seen_by, stream_data
from fooling.data.matching import RESIZED
from fooling.data.readers import Reader
from fooling.errors import Doubt, UserError
from fooling.kernels.numba.compile import cores
from fooling.search import StartImage, load_search, part_of
from fooling.search.genomes import MANY_CLASSES
from fooling.settings import for_large
from fooling.settings.classifiers import IN_RECORD
from fooling.settings.fields import user_path
from fooling.settings.schema import RunSettings, data_options
from fooling.statistics import BUNDLED, Statistics, fit_present

LARGE_SIDE = 64  # above this, or MANY_CLASSES, search=es is the default: see benchmarks/large.py


def get_statistics(settings: RunSettings, classifier: Classifier | None) -> Statistics:
    """Fitted to data where data are given, else read from a file, by default the bundled one of MNIST.

    Pictures are scaled to the classifier's size. Statistics of some of its classes have their numbers.
    """
    data, path = settings.data, settings.prior.statistics
    if not data.given:
        found = Statistics.load(user_path(path) if path else BUNDLED)
        return found.of_classes(classifier.labels) if classifier else found
    stream = stream_data(data.path, data.kind, **data_options(settings), **(seen_by(classifier) if classifier else {}))
    return fit_present(stream, bins=settings.prior.bins, lags=settings.prior.lags)


def get_classifier(settings: RunSettings, statistics: Statistics | None = None, given: Any = None) -> Classifier:
    """The classifier of the settings, or a given object. Where it declares no shape, the data do, or else statistics."""

    def hint() -> tuple[tuple[int, int, int], tuple[str, ...]]:
        data, path = settings.data, settings.prior.statistics
        if data.given and statistics is None:
            stream = stream_data(data.path, data.kind, **data.options)
            return stream.shape, stream.classes
        return shape_and_labels(statistics or Statistics.load(user_path(path) if path else BUNDLED))

    threads = settings.engine.threads or cores()
    chosen: Any = settings.classifier
    if settings.resume and settings.out and getattr(chosen, "cache", None) == IN_RECORD:
        chosen = chosen.model_copy(update={"cache": f"{IN_RECORD}:{user_path(settings.out)}"})
    if given is not None:
        return open_given(given, chosen, hint, threads)
    return open_classifier(chosen, hint, threads)


def shape_and_labels(statistics: Statistics) -> tuple[tuple[int, int, int], tuple[str, ...]]:
    """(H, W, C) and class names of the images that statistics are of."""
    height, width, channels = (int(side) for side in statistics.shape)
    return (height, width, channels), tuple(str(label) for label in statistics.labels)


def is_large(classifier: Classifier) -> bool:
    """Whether a classifier takes large images or has many classes."""
    return max(classifier.input_shape[:2]) > LARGE_SIDE or classifier.num_classes > MANY_CLASSES


def suited(settings: RunSettings, classifier: Classifier, words: Sequence[str]) -> tuple[RunSettings, str]:
    """The settings with the search that suits a classifier, unless the words that they are from choose one; and a note."""
    labels = images_a_score(classifier) > 1
    if not (labels or is_large(classifier)):
        return settings, ""
    height, width, _ = classifier.input_shape
    found, many_pixels = for_large(settings, words), max(height, width) > LARGE_SIDE
    why = f"images of {height}×{width} pixels" if many_pixels else f"{classifier.num_classes} classes"
    why = f"scores that take {images_a_score(classifier)} images each" if labels else why
    usual, chosen = settings.search.name, found.search.name
    return found, "" if chosen == usual else f"search={chosen} for {why}; search={usual} varies single pixels"


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
    drawn = getattr(search, "draw", None) == "bins" or statistics_use(settings) == "mean"
    return bool(named or has_terms(settings) or prior.exemplar or prior.digit is not None or drawn)


def has_terms(settings: RunSettings) -> bool:
    """Whether the cost has terms besides the target's, which are measured against statistics."""
    return any(weight for name, weight in settings.prior.weights.model_dump().items() if name != "target")


def draws(settings: RunSettings) -> bool:
    """Whether the first images are drawn from a class's grey levels, where there are statistics of it."""
    return statistics_use(settings) == "levels"


def fits(classifier: Classifier, statistics: Statistics) -> bool:
    """Whether statistics are of images of the classifier's size, and of as many classes."""
    same = tuple(classifier.input_shape) == tuple(int(side) for side in statistics.shape)
    return same and (bool(statistics.numbers) or classifier.num_classes == len(statistics.count))


def statistics_for(settings: RunSettings, statistics: Statistics | None, digit: int | str | None) -> Statistics | None:
    """The statistics of a job; None where they lack its class, such as "none", and nothing needs them."""
    is_known = statistics is None or not isinstance(digit, int) or digit in statistics.classes
    return statistics if is_known or needs_statistics(settings) else None


def statistics_notes(
    settings: RunSettings, statistics: Statistics, classifier: Any = None, *, given: bool = False
) -> list[str]:
    """Notes on what statistics are of; those that are fitted to data have the notes of the data."""
    found = []
    if statistics.resize and not settings.data.given:
        height, width, _ = (int(side) for side in statistics.shape)
        found.append(f"statistics: their pictures were {RESIZED[statistics.resize]} {height}×{width}")
    known, named = tuple(map(str, statistics.labels)), tuple(map(str, getattr(classifier, "labels", ())))
    bundled = not (settings.data.given or settings.prior.statistics or given)
    if bundled and has_terms(settings) and settings.prior.digit is None and named != known:
        few = ", ".join(named[:3])
        said = f"statistics: the bundled ones of MNIST, whose classes have other names than the classifier's ({few}, …)"
        found.append(Doubt(f"{said}: class k takes those of the digit k; give data.path of its data, or prior=none"))
    if settings.digit == "all" and statistics.numbers:
        found.append(f"digit=all: the {len(statistics.numbers)} classes that have statistics")
    return found


def refuse_other_classes(settings: RunSettings, classifier: Classifier, statistics: Statistics) -> None:
    """Refuses a prior of other classes than the classifier's: class 2 of 26 letters is not the digit 2."""
    if statistics.numbers:
        return
    if has_terms(settings) and settings.prior.digit is None and classifier.num_classes != len(statistics.count):
        have = f"the classifier has {classifier.num_classes} classes, the statistics have {len(statistics.count)}"
        advice = "give data.path or prior.statistics of its data, prior.digit=… of the statistics, or prior=none"
        raise UserError(f"prior={settings.prior.name}: {have}; {advice}")
    if settings.prior.digit is None:
        check_class_order([str(name) for name in classifier.labels], [str(name) for name in statistics.labels], "statistics")


def separate(given: Sequence[Any], classifier: Any, data: Any) -> tuple[list[str], Any, Any]:
    """The words of the command among what is given by its place, and the classifier and the data, which may come first.

    Raises UserError for a classifier or data that are given twice, and for what is none of these.
    """
    if len(given) > 1 and not isinstance(given[0], str) and is_path(given[1]) and data is None:
        return separate((given[0], *given[2:]), classifier, given[1])
    words, others = [one for one in given if isinstance(one, str)], [one for one in given if not isinstance(one, str)]
    if others and isinstance(others[0], int | float):
        example = f"digit={others[0]}" if isinstance(others[0], int) else "digit=2"
        raise UserError(f"evolve({others[0]!r}): expected settings by name, such as evolve({example}), or words, '{example}'")
    if len(others) > 1 + (data is None) or (others and classifier is not None):
        raise UserError(f"evolve: expected a classifier and data at most once each, got {len(others)} objects too")
    if others and others[0] is not given[0]:
        raise UserError("evolve: expected the classifier first, then the data, then words of the command")
    return words, others[0] if others else classifier, others[1] if len(others) > 1 else data


def is_path(word: Any) -> bool:
    """Whether a word is the path of data rather than a setting or a file of settings."""
    return isinstance(word, str) and "=" not in word and not word.endswith((".yaml", ".yml"))


def check_given(statistics: Any, watch: Any) -> None:
    """Raises UserError for arguments of `evolve` of another type."""
    if not isinstance(statistics, Statistics | str | Path | None):
        raise UserError(f"statistics: expected fooling.Statistics or a file's name, got {type(statistics).__name__}")
    if watch is not None and not callable(watch):
        raise UserError(f"watch: expected a function of the metrics of a generation, or None; got {watch!r}")


def refuse_for_python(settings: RunSettings) -> None:
    """Refuses settings of the command that `evolve` cannot follow."""
    if settings.view:
        raise UserError("view: expected false in Python, got true; `fooling view FOLDER` shows records while they grow")
    if settings.launcher.name != "local":
        raise UserError(f"launcher={settings.launcher.name}: evolve runs its jobs in this process; see `fooling run`")
    if settings.out is None and (settings.resume or settings.overwrite):
        raise UserError("resume and overwrite need out=FOLDER")


def with_objects(
    settings: RunSettings, classifier: Any, statistics: Statistics | None, reader: Reader | None = None
) -> RunSettings:
    """Settings that name objects as such, so that no record claims that they are the bundled ones.

    The data are read by `reader`, where they are in memory.
    """
    changed: dict[str, Any] = {}
    if classifier is not None:
        name = object_name(classifier)
        changed["classifier"] = settings.classifier.model_copy(update={"name": name, "path": None})
    if statistics is not None:
        changed["prior"] = settings.prior.model_copy(update={"statistics": "object Statistics"})
    if reader is not None:
        changed["data"] = settings.data.model_copy(update={"path": None, "kind": reader})
    return settings.model_copy(update=changed)
