"""`fooling.Search`: a search whose images the caller scores, by whatever means: `ask()` → images, `tell(scores)`."""

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import SLACK, advice_on, as_array
from fooling.classifiers.checks import CheckResult, ClassifierReport
from fooling.errors import Doubt, UserError
from fooling.kernels.tables import Bytes, Floats
from fooling.run import prepare
from fooling.search.inputs import check_given
from fooling.search.job import Job, make_search
from fooling.search.loop import Silent, Stage, Watcher, stages
from fooling.search.result import Result, unfinished_result
from fooling.search.state import Metrics
from fooling.settings import load
from fooling.settings.names import as_words
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

BLACK_BOX = ("ga", "anneal", "pareto", "es", "map_elites")
SEVERAL = ("search=pareto", "search=map_elites")
ONE_SCORE = ("target", "other")  # class names where the caller tells one number per image
# What needs a classifier that can be called at any time, or a record.
WITHOUT = {
    "out": "`search.result` holds the images",
    "resume": "there is no record",
    "overwrite": "there is no record",
    "view": "there is no record",
    "judges": "score `search.result.images` by them",
    "classifier": "you are the classifier",
    "launcher": "the search runs in this process",
    "data": "give statistics=fooling.Statistics.fit(…) for a prior",
    "evade": "detectors need the classifier itself; subtract what they say from your scores",
}


class Closed(KeyboardInterrupt):
    """Ends the thread of a search that nobody asks any more. A KeyboardInterrupt, as no other passes foreign code."""


class Exchange:
    """Hands images from the thread of a search to the caller, and the scores back. Only one of both works at a time."""

    def __init__(self) -> None:
        self.turn = threading.Condition()
        self.images: Bytes | None = None  # whose scores are awaited
        self.scores: Floats | None = None  # that the thread has not taken yet
        self.ended = self.closed = False
        self.stage: Stage | None = None  # after the last complete generation
        self.error: BaseException | None = None

    def score(self, images: Bytes) -> Floats:
        """The thread: the scores of images, once the caller has given them."""
        with self.turn:
            self.images = images
            self.turn.notify_all()
            self.turn.wait_for(lambda: self.closed or self.scores is not None)
            if self.scores is None:
                raise Closed
            scores, self.scores = self.scores, None
        return scores

    def evolve(self, job: Job, progress: Silent) -> None:
        """The thread: the loop of every job, whose classifier asks the caller."""
        try:
            for self.stage in stages(make_search(job), job.criteria, progress=progress, each=True):
                pass
        except Closed:
            pass
        except BaseException as error:
            self.error = error
        finally:
            with self.turn:
                self.ended = True
                self.turn.notify_all()

    def awaited(self) -> Bytes | None:
        """The caller: the images to be scored, once there are some; None after the end. Raises what ended the search early."""
        with self.turn:
            self.turn.wait_for(lambda: self.ended or self.closed or self.images is not None)
            if self.error is not None:
                raise self.error
            return None if self.ended or self.closed else self.images

    def answer(self, scores: Floats) -> None:
        """The caller: the scores of these images."""
        with self.turn:
            self.images, self.scores = None, scores
            self.turn.notify_all()

    def close(self) -> None:
        """Ends the thread."""
        with self.turn:
            self.closed = True
            self.turn.notify_all()


class AskedClassifier:
    """The classifier of such a search: its scores are the caller's."""

    fingerprint = "of the caller"

    def __init__(self, shape: tuple[int, int, int], labels: tuple[str, ...]) -> None:
        self.input_shape, self.labels, self.num_classes = shape, labels, len(labels)
        self.exchange = Exchange()

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of images uint8 [N, H, W, C], as the caller gives them."""
        return self.exchange.score(images.copy())


class Search:
    """A black-box search whose images you score: any model, program, person or device can stand behind the scores.

        search = fooling.Search(digit=3, shape=(28, 28, 1), classes=10, prior="none", runs=4, population=50)
        while not search.done:
            search.tell(score(search.ask()))
        search.result.images  # uint8 [4, 28, 28, 1]

    `shape` is (H, W) or (H, W, C) of the images, C = 1 or 3. `classes` is the number of classes or their names: then scores are
    float [N, K], as of a classifier. Without it scores are one number for each image, [N], how well it does. All scores lie in
    [0, 1], 1 is best. Other settings are those of `fooling.evolve`, such as `search`, `budget`, `threshold` and `seed`; the
    same settings and scores give the same images. There is no prior unless one is given; `statistics` are those of the prior,
    as in `fooling.evolve`. `watch` receives the metrics of each generation. Nothing but `ask` shows images, so that every image
    counts as an evaluation, and nothing is known of the scores before: what `evolve` checks of a classifier is not checked.
    Raises UserError, a ValueError, for bad input.
    """

    def __init__(
        self,
        *overrides: str,
        shape: Sequence[int],
        classes: int | Sequence[str] | None = None,
        statistics: Statistics | str | Path | None = None,
        watch: Callable[[Metrics], None] | None = None,
        **settings: Any,
    ) -> None:
        labels = labels_of(classes)
        check_given(statistics, watch)
        named = {"prior.statistics": str(statistics)} if isinstance(statistics, str | Path) else {}
        words = words_of(overrides, settings | named, single=classes is None)
        loaded = load(words, RunSettings, "run")
        refuse_unsuitable(loaded)
        self.classifier = AskedClassifier(image_shape(shape), labels)
        fitted = statistics if isinstance(statistics, Statistics) else None
        self.job = prepare(loaded, self.classifier, fitted, {}, words=words, report=unchecked(len(labels)))[0]
        self.notes = tuple(self.job.report.notes)  # what the command would print
        self.lowest, self.highest = np.full(len(labels), np.inf), np.full(len(labels), -np.inf)  # scores of each class
        self.asked = False  # whether the caller has seen the images whose scores are awaited
        progress = Watcher(watch) if watch else Silent()
        exchange = self.classifier.exchange
        threading.Thread(target=exchange.evolve, args=(self.job, progress), daemon=True, name="fooling.Search").start()
        weakref.finalize(self, exchange.close)
        exchange.awaited()

    @property
    def done(self) -> bool:
        """Whether the search has ended: its runs succeeded, or the budget or the generations are used up."""
        return self.classifier.exchange.awaited() is None

    @property
    def result(self) -> Result:
        """The best images so far, up to the last complete generation, with the scores that the caller gave.

        `terms`, `judges` and `history` are empty. Raises UserError before the first generation is complete.
        """
        stage = self.classifier.exchange.stage
        if stage is None:
            raise UserError("result: expected a complete generation; tell() the scores of the images that ask() returned first")
        found = unfinished_result(stage, self.job.criteria, self.job.labels)
        target = self.job.digit
        flat = isinstance(target, int) and bool(self.lowest[target] == self.highest[target])
        return replace(found, notes=(*self.notes, *([Doubt("the target's score was the same for all images")] if flat else [])))

    def ask(self) -> Bytes:
        """The images to be scored, uint8 [N, H, W, C]: those of one call of the search, mostly a generation of all runs.

        They are the same until `tell`. Raises UserError once the search is done.
        """
        images = self.classifier.exchange.awaited()
        if images is None:
            raise UserError("ask: the search is done; its images are search.result.images")
        self.asked = True
        return images.copy()

    def tell(self, scores: Any) -> Self:
        """Takes the scores of the images of `ask`, float [N, K] or [N], and evolves the next images.

        Raises UserError for scores of another shape or range, for which the search waits on, and without `ask` before.
        """
        exchange = self.classifier.exchange
        images = exchange.awaited()
        if images is None or not self.asked:
            why = "the search is done" if images is None else "expected ask() first: other images are awaited now"
            raise UserError(f"tell: {why}")
        found = checked(scores, len(images), len(self.classifier.labels), single=self.classifier.labels == ONE_SCORE)
        self.asked = False
        self.lowest, self.highest = np.minimum(self.lowest, found.min(axis=0)), np.maximum(self.highest, found.max(axis=0))
        exchange.answer(found)
        exchange.awaited()
        return self

    def close(self) -> None:
        """Ends the search; its result stays."""
        self.classifier.exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def labels_of(classes: Any) -> tuple[str, ...]:
    """The class names: numbers where only their number is given. Raises UserError for fewer than two."""
    if classes is None:
        return ONE_SCORE
    names = range(int(classes)) if isinstance(classes, int | np.integer) else classes
    labels = tuple(map(str, names)) if isinstance(names, Sequence) and not isinstance(names, str) else ()
    if len(labels) < 2:
        raise UserError(f"classes: expected a number of at least 2 or the names of the classes, got {classes!r}")
    return labels


def image_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """(H, W, C) of (H, W) or (H, W, C)."""
    sides = tuple(shape) if isinstance(shape, Sequence) else ()
    is_shape = len(sides) in (2, 3) and all(isinstance(side, int | np.integer) and side > 0 for side in sides)
    if not is_shape or (*sides, 1)[2] not in (1, 3):
        raise UserError(f"shape: expected (height, width) or (height, width, channels) with 1 or 3 channels, got {shape!r}")
    height, width, channels = (int(side) for side in (*sides, 1)[:3])
    return height, width, channels


def words_of(overrides: Sequence[str], settings: dict[str, Any], *, single: bool) -> list[str]:
    """The words of the command for the settings; with one score per image the target is class 0."""
    words = [*overrides, *(word for name, value in settings.items() for word in as_words(name, value))]
    for word in words:
        name = str(word).partition("=")[0]
        short = name.rpartition(".")[2] if name.startswith("search.") else name.partition(".")[0]
        if short in WITHOUT:
            raise UserError(f"{name}: fooling.Search takes none, as {WITHOUT[short]}")
        if single and word in SEVERAL:
            raise UserError(f"{word}: expected classes=… too, as it needs the scores of several classes")
        if single and name in ("digit", "target"):
            raise UserError(f"{name}: expected none, as there is one score per image; with classes=… scores are [N, K]")
    if not any(str(word).startswith(("prior", "preset")) for word in words):
        words.insert(0, "prior=none")
    return [*words, "digit=0"] if single else words


def refuse_unsuitable(settings: RunSettings) -> None:
    """Refuses searches that need more than scores, and several jobs."""
    if settings.search.name not in BLACK_BOX:
        need = f"expected one that needs scores alone: {', '.join(BLACK_BOX)}"
        raise UserError(f"search={settings.search.name}: {need}; for others see fooling.evolve")
    if settings.engine.name == "jax":
        raise UserError("engine=jax: expected numba, reference or deap, as JAX scores images inside its compiled program")
    if settings.sweeps:
        raise UserError(f"digit={settings.digit}: expected one class, as each is a search; search=map_elites takes several")


def unchecked(classes: int) -> ClassifierReport:
    """The report of a classifier that nobody has called."""
    result = CheckResult(False, 0.0, classes, sums_to_one=False, output="probability", shown="", constant={}, notes=())
    return ClassifierReport(result, {}, (), 0)


def checked(scores: Any, number: int, classes: int, *, single: bool) -> Floats:
    """Scores of the caller as float32 [N, K]. Raises UserError for others than float [N, K], or [N], in [0, 1]."""
    expected = [number] if single else [number, classes]
    array: npt.NDArray[Any] = as_array(scores, f"tell: expected float scores {expected}, got no array")
    if list(array.shape) != expected or array.dtype.kind not in "fiub":
        raise UserError(f"tell: expected float scores {expected}, got {array.dtype} {list(array.shape)}")
    found = array.astype(np.float32)
    if not np.isfinite(found).all():
        bad = int((~np.isfinite(found)).reshape(number, -1).any(axis=1).sum())
        raise UserError(f"tell: expected finite scores, got NaN or infinity for {bad} of {number} images; 0 is the worst")
    if found.size and (found.min() < 0 or found.max() > 1 + SLACK):
        advice = "map them to it, for example by 1 / (1 + exp(-value))" if single else advice_on(found)
        raise UserError(f"tell: expected scores in [0, 1], got {found.min():.6g} … {found.max():.6g}; {advice}")
    return np.stack([found, np.zeros_like(found)], axis=1) if single else found
