"""What an audit attacks, and how: classes, attacks on each, images of an attack; the same on every machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.classifiers.cnn import ConvolutionalNetwork
from fooling.classifiers.gradients import has_gradients
from fooling.classifiers.judges import load_judges
from fooling.classifiers.labels import refuse_two_meanings
from fooling.commands.jobs import GridEntry, classes_of
from fooling.commands.ladder import RUNGS
from fooling.commands.matrix import split_judges
from fooling.errors import UserError
from fooling.run import prepare
from fooling.search.genomes import MANY_CLASSES
from fooling.search.genomes import suited as suited_genome
from fooling.search.inputs import fits, is_large, with_objects
from fooling.search.job import Pair
from fooling.settings import load
from fooling.settings.audit import AuditSettings
from fooling.settings.harden import HardenSettings
from fooling.settings.schema import RunSettings
from fooling.statistics import BUNDLED, Statistics

SMALL, LARGE = (10, 40_200), (1, 2_500)  # attacks on each class, and images of each at most
MISMATCHED = ("preset=mismatched", "runs=1", "generations=100")  # as many pairs as with 400 generations, which the preset has
QUICK_RUNGS = ("variogram", "eigen")  # by default; the chains of the second show one image after the other
PRIOR_IMAGES, QUICK_COPIES = 20_000, 3  # of an attack with a prior, at most: with 10,000 fewer controls of eigen are read
PAIR_IMAGES, PAIR_SECONDS, MOST_PAIRS = 100_001, 15.0, 1_000_000  # of one pair; for all pairs of a slow classifier; of others
CONVOLUTIONAL_GAIN = 3.0  # images/s of a chain of a convolutional network ÷ with one image a call: 36,000 ÷ 12,000
SURE = 0.9999  # an attack ends at this confidence
# Values of the axis `part`: they begin the names of the jobs' folders.
Q, GRADIENTS, PRIORS, MISMATCH = "q", "gradients", "priors", "mismatch"
NONE_COVERED = "the data have no images of an attacked class; give data of several classes, or digit=…"
ARMS = {"with": False, "control": True}  # the conditions of a prior, and whether the classifier's weight is 0


@dataclass(frozen=True)
class Protocol:
    """What is attacked, and for how long."""

    classes: tuple[int, ...]  # in the order of the attacks, which is random: what the time allows is a random sample
    number: int  # K, all classes
    is_sample: bool  # whether the classes are some of those that were to be attacked
    runs: int  # attacks on each class
    budget: int  # images of each, at most
    is_large: bool  # above 64×64 or 20 classes
    search: str
    genome: str

    @property
    def most(self) -> int:
        """Images that the attacks without a prior take at most."""
        return len(self.classes) * self.runs * self.budget

    def about(self, settings: AuditSettings) -> dict[str, Any]:
        """The protocol in audit.json: Q is only comparable where it is the same."""
        return {
            "classes": sorted(self.classes),
            "of": self.number,
            "runs": self.runs,
            "budget": self.budget,
            "threshold": SURE,
            "search": self.search,
            "genome": self.genome,
            "seed": settings.seed,
            "minutes": settings.minutes,
        }


def protocol_of(settings: AuditSettings, classifier: Classifier) -> Protocol:
    """The protocol for a classifier, before search and genome are known. Raises UserError for classes that do not exist."""
    refuse_two_meanings(settings.digit, classifier.labels)
    known, large = classes_of(settings.digit, classifier.labels), is_large(classifier)
    runs, budget = LARGE if large else SMALL
    random = np.random.default_rng(settings.seed)
    drawn = random.permutation(known)[: settings.sample or (MANY_CLASSES if settings.digit == "all" else len(known))]
    return Protocol(
        classes=tuple(int(k) for k in drawn),
        number=classifier.num_classes,
        is_sample=len(drawn) < len(known),
        runs=settings.runs or runs,
        budget=settings.budget or budget,
        is_large=large,
        search="",
        genome="",
    )


@dataclass(frozen=True)
class Attacks:
    """The jobs of an audit in the order in which they run, and which parts are left out, each with the reason."""

    protocol: Protocol
    entries: tuple[GridEntry, ...]
    left_out: Mapping[str, str]  # by part

    def of_part(self, part: str) -> list[GridEntry]:
        """The jobs of a part."""
        return [entry for entry in self.entries if entry.axes["part"] == part]


def attacks(
    settings: AuditSettings,
    classifier: Classifier,
    statistics: Statistics | None,
    objects: Mapping[str, Any] | None = None,
    *,
    all_pairs: bool = False,
) -> Attacks:
    """Prepares every job. `statistics`: those of the data; None: the bundled ones, where they fit.

    `objects` are judges that are objects, by their titles. `all_pairs`: also those that there is no time for.
    """
    protocol, found = by_scores(settings, classifier, statistics)
    judges, left_out = load_judges(settings.judges, classifier, objects), dict[str, str]()
    classes = covered(protocol.classes, statistics)

    def entries(words: Sequence[str], axes: Mapping[str, str], pairs: Sequence[Pair] = ()) -> list[GridEntry]:
        chosen = pairs or [(None, k) for k in classes]
        return entries_of(settings, classifier, statistics, words, axes, chosen, judges)

    try:
        found += by_gradients(settings, classifier, statistics, protocol)
    except UserError as error:  # it has none, or they are zero
        left_out[GRADIENTS] = without_gradients(classifier, error)
    left_out |= dict.fromkeys((PRIORS, MISMATCH), unfitted(protocol, classifier, statistics))
    is_quick = hasattr(classifier, "linear_head")
    by_pixels = is_quick or isinstance(classifier, ConvolutionalNetwork)
    chosen = settings.rungs if settings.rungs is not None else QUICK_RUNGS if by_pixels else QUICK_RUNGS[:1]
    left_out[PRIORS] = left_out[PRIORS] or ("" if chosen else "rungs=[]") or ("" if classes else NONE_COVERED)
    left_out[MISMATCH] = left_out[MISMATCH] or unpaired(settings, classes, judges, classifier)
    if len(classes) < len(protocol.classes) and not left_out[PRIORS]:
        left_out[f"{PRIORS}: classes"] = f"the data have images of {len(classes)} of {len(protocol.classes)} attacked classes"
    for rung in () if left_out[PRIORS] else RUNGS:
        if rung in chosen or "all" in chosen:
            copies = settings.copies or (QUICK_COPIES if is_quick else 1)
            words = [f"prior={rung}", f"runs={copies}", f"budget={min(protocol.budget, PRIOR_IMAGES)}"]
            try:
                arms = {
                    arm: entries([*words, f"control={str(control).lower()}"], {"part": PRIORS, "rung": rung, "arm": arm})
                    for arm, control in ARMS.items()
                }
                found += [entry for of_class in zip(*arms.values(), strict=True) for entry in of_class]
            except UserError as error:  # too few images for it
                left_out[f"{PRIORS}: {rung}"] = str(error)
    if not left_out[MISMATCH]:
        pairs: list[Pair] = [(a, b) for a in classes for b in classes if a != b]
        rate = found[0].job.report.rate(1)
        number = min(settings.pairs, MOST_PAIRS if all_pairs else affordable(classifier, rate))
        drawn = np.random.default_rng(settings.seed).permutation(len(pairs))[: max(1, number)]
        try:
            made = entries(MISMATCHED, {"part": MISMATCH}, [pairs[i] for i in drawn])
            found += made if number else []
            slow = f"a pair takes {PAIR_IMAGES:,} images one by one, of which it classifies {rate or 0:,.0f} a second"
            left_out[MISMATCH] = "" if number else slow
        except UserError as error:  # the same
            left_out[MISMATCH] = str(error)
    return Attacks(protocol, tuple(found), {part: why for part, why in left_out.items() if why})


def without_gradients(classifier: Classifier, error: UserError) -> str:
    """Why no attack has gradients; what would help, where the classifier says so."""
    if has_gradients(classifier):
        return str(error)
    hint = getattr(classifier, "without_gradients", "")
    return f"the model offers no gradients; {hint}" if hint else "the model offers no gradients"


def covered(classes: tuple[int, ...], statistics: Statistics | None) -> tuple[int, ...]:
    """Those of the classes that the data have images of, where they have some of a classifier's classes."""
    return tuple(k for k in classes if k in statistics.classes) if statistics and statistics.numbers else classes


def of_all(classes: tuple[int, ...], statistics: Statistics | None) -> Statistics | None:
    """Statistics for the first images of attacks on these classes; None where the data lack one: they are alike for all."""
    return statistics if covered(classes, statistics) == classes else None


def by_gradients(
    settings: AuditSettings, classifier: Classifier, statistics: Statistics | None, protocol: Protocol
) -> list[GridEntry]:
    """The attacks by gradients, one for each class. Raises UserError where there are none."""
    pairs: list[Pair] = [(None, k) for k in protocol.classes]
    fitted = of_all(protocol.classes, statistics)
    return entries_of(
        settings,
        classifier,
        fitted,
        ["search=ascent", "runs=1", f"threshold={SURE}", "stop=threshold"],
        {"part": GRADIENTS},
        pairs,
    )


def by_scores(
    settings: AuditSettings, classifier: Classifier, statistics: Statistics | None
) -> tuple[Protocol, list[GridEntry]]:
    """The attacks without a prior, of the search that suits the classifier, and the whole protocol."""
    protocol = protocol_of(settings, classifier)
    words = [f"runs={protocol.runs}", f"budget={protocol.budget}", f"threshold={SURE}", "stop=threshold", "prior=none"]
    fitted = of_all(protocol.classes, statistics)
    found = entries_of(settings, classifier, fitted, words, {"part": Q}, [(None, k) for k in protocol.classes])
    search: Any = found[0].job.settings.search
    genome = "pixels"
    if hasattr(search, "genome"):
        genome, _ = suited_genome(search, "mixed", classifier.num_classes, classifier.input_shape)
    return replace(protocol, search=search.name, genome=genome), found


def affordable(classifier: Classifier, rate: float | None) -> int:
    """Pairs that there is time for, of a classifier of so many images/s with one image a call.

    A chain shows one image after the other; of fooling's networks only what a changed pixel changes is computed.
    """
    is_quick = rate is None or hasattr(classifier, "linear_head")
    gain = CONVOLUTIONAL_GAIN if isinstance(classifier, ConvolutionalNetwork) else 1.0
    return MOST_PAIRS if is_quick else int(PAIR_SECONDS * gain * (rate or 0) / PAIR_IMAGES)


def unfitted(protocol: Protocol, classifier: Classifier, statistics: Statistics | None) -> str:
    """Why there are no priors, '' if there are."""
    if protocol.is_large:
        return "large images or many classes, whose statistics take long; `fooling ladder` attacks chosen classes with priors"
    if statistics or fits(classifier, Statistics.load(BUNDLED)):
        return ""
    return "no statistics of the training images; give data.path=PATH, or data.kind=sklearn for its digits"


def unpaired(settings: AuditSettings, classes: Sequence[int], judges: Mapping[str, Classifier], classifier: Classifier) -> str:
    """Why pairs of classes are not attacked, '' if they are."""
    if not settings.pairs:
        return "pairs=0"
    if not judges:
        return "no held-out classifiers of these images; give judges=[…]"
    try:
        split_judges(judges, classifier)
    except UserError as error:  # all are of the classifier's kind
        return str(error)
    return "needs two attacked classes of which the data have images" if len(classes) < 2 else ""


def entries_of(
    settings: AuditSettings | HardenSettings,
    classifier: Classifier,
    statistics: Statistics | None,
    words: Sequence[str],
    axes: Mapping[str, str],
    pairs: Sequence[Pair],
    judges: Mapping[str, Classifier] | None = None,
) -> list[GridEntry]:
    """The jobs of `fooling run` with these words, one for each pair of prior and target class."""
    shared = {"classifier": settings.classifier, **{name: getattr(settings, name) for name in ("resume", "overwrite", "quiet")}}
    words = [*words, f"seed={settings.seed}"]
    run = load(words, RunSettings, "run").model_copy(update={**shared, "judges": ()})
    digits = tuple(dict.fromkeys(digit for _, digit in pairs))
    run = with_objects(run.model_copy(update={"digit": digits}), None, statistics)
    jobs = prepare(run, classifier, statistics, judges=judges or {}, pairs=pairs, words=words)
    return [GridEntry(job, axes) for job in jobs]
