"""A model whose scores take several images or calls: votes over noisy copies, averages, a cache of answers, and a bill.

`queried` puts these around an external model where its settings or its output need them; other models stay as they are.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fooling.classifiers.adapters.conversion import as_table
from fooling.classifiers.answers import FILE, Answers
from fooling.classifiers.base import predict_batch
from fooling.classifiers.gradients import has_gradients
from fooling.classifiers.votes import COPIES, NoisyCopies
from fooling.errors import Doubt, UserError
from fooling.kernels.tables import Bytes, Floats, Ints
from fooling.settings.classifiers import IN_RECORD, ExternalSettings
from fooling.settings.fields import user_path

BLOCK = 4096  # images, their copies included, that are made and shown together
# parts of a model that are not counted
BYPASSES = ("logits", "jax_fn", "callback_fn", "jax_layers", "gradient", "linear_head", "features")
AGAIN = 2  # images whose answers the checks compare with those of the cache
VOTED = ("label", "top")  # outputs that leave a search no slope


@dataclass
class Bill:
    """What was shown to a model by this process, and how much of it is in records."""

    price: float | None = None  # of an image
    answers: Answers | None = None
    images: int = 0  # that were answered, each time
    entered: tuple[int, int] = (0, 0)  # images and answers from the cache
    past_cache: bool = False  # whether the model is called where its answers are known, too

    @property
    def cost(self) -> float | None:
        """The price of all images of this process; None without a price."""
        return None if self.price is None else self.images * self.price

    def counted(self, predict: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
        """A function of inputs [N, …] that counts those which the model sees; the others' answers are known."""

        def ask(inputs: Any) -> Any:
            answer = predict(inputs)
            self.images += len(inputs)
            return answer

        def remember(inputs: Any) -> Any:
            if self.past_cache:
                return ask(inputs)
            return answers.remembered(inputs, lambda some: as_table(ask(some), len(some), name))

        answers: Any = self.answers
        return ask if answers is None else remember

    def enter(self, before: Any) -> dict[str, Any]:
        """The key `queries` of a record, given what it was; what this process has shown since the last entry is added."""
        known = before if isinstance(before, dict) else {}
        now = self.images, self.answers.found if self.answers else 0
        images, kept = (number - old for number, old in zip(now, self.entered, strict=True))
        self.entered = now
        cost = {} if self.price is None else {"price": self.price, "cost": known.get("cost", 0.0) + images * self.price}
        return {"images": known.get("images", 0) + images, "from_cache": known.get("from_cache", 0) + kept, **cost}


class QueriedClassifier:
    """A classifier whose scores take several images or calls. All other attributes are those of the wrapped classifier."""

    gives_labels = False  # its scores can be climbed

    def __init__(self, classifier: Any, copies: NoisyCopies, samples: int, bill: Bill, output: str) -> None:
        self.classifier, self.copies, self.samples, self.bill, self.output = classifier, copies, samples, bill, output

    def __getattr__(self, name: str) -> Any:
        if name == "classifier" or name in BYPASSES:
            raise AttributeError(name)
        return getattr(self.classifier, name)

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]: means over copies and calls of each image."""
        each, parts = max(1, BLOCK // self.votes), []
        for first in range(0, len(images), each):
            block = images[first : first + each]
            copies = np.ascontiguousarray(self.copies(block))
            calls = [self.classifier(copies) for _ in range(self.samples)]
            parts.append(means(np.stack(calls, axis=1).reshape(len(block), self.images_a_score, -1)))
        return np.concatenate(parts) if parts else np.empty((0, self.num_classes), dtype=np.float32)

    @property
    def without_gradients(self) -> str:
        """Why there are no gradients; '' where the model itself has none."""
        if not has_gradients(self.classifier):
            return str(getattr(self.classifier, "without_gradients", ""))
        return "they would pass classifier.price, cache, samples and votes by; leave these out"

    @property
    def votes(self) -> int:
        """Noisy copies that vote; 1: the image itself."""
        return self.copies.number

    @property
    def images_a_score(self) -> int:
        """How many images the model sees for the scores of one."""
        return self.votes * self.samples

    @property
    def plain(self) -> "QueriedClassifier":
        """The same without noisy copies: its largest score is the model's answer for the image itself."""
        return QueriedClassifier(self.classifier, NoisyCopies(1, 1.0), self.samples, self.bill, self.output)

    def with_preprocessing(self, inputs: Any) -> "QueriedClassifier":
        """The same model with another preprocessing, without noisy copies."""
        other = self.plain
        other.classifier = self.classifier.with_preprocessing(inputs)
        return other

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user."""
        said = f"classifier: {self.meaning}; the figures called confidence are such shares, no confidences of the model"
        return (*self.classifier.notes, *([Doubt(said)] if self.votes > 1 else []))

    @property
    def meaning(self) -> str:
        """What a score is, '' for the model's own."""
        if self.votes == 1:
            return f"a score is the mean of {self.samples} calls" if self.samples > 1 else ""
        kinds = {"label": "share of votes", "top": "mean score, 0 where the class is not among the best,"}
        noise = f"in which up to {self.copies.noise:.0%} of the pixels are replaced"
        return f"a score is the {kinds[self.output]} over {self.votes} noisy copies of the image, {noise}"

    def deviations(self, images: Bytes) -> Floats:
        """How much the scores of each image differ between calls: standard deviations float32 [N, K] over `samples` calls."""
        calls = np.stack([self.classifier(images) for _ in range(self.samples)])
        return np.asarray(calls.std(axis=0, ddof=1), dtype=np.float32)


def means(scores: Floats) -> Floats:
    """The means over the second axis, scores float32 [N, n, K] → [N, K]."""
    if scores.shape[1] == 1:
        return scores[:, 0]
    return np.asarray(scores.mean(axis=1, dtype=np.float64), dtype=np.float32)


def billed(model: Any, settings: ExternalSettings) -> tuple[Any, Bill]:
    """A model that counts what it sees, and keeps its answers where the settings say so; and its bill. Raises UserError."""
    answers = None
    if settings.cache:
        if settings.samples > 1:
            raise UserError("classifier.cache: expected classifier.samples=1, as calls are to differ; leave one of them out")
        word, _, folder = settings.cache.partition(":")  # true:FOLDER: that of a record that is resumed
        fixed = bool(model.batch) or settings.batch_size.startswith("fixed")
        answers = Answers(owner_of(model, settings), word == IN_RECORD, fixed)
        if not answers.in_record:
            answers.keep_in(user_path(settings.cache))
        for file in files_in(Path(folder)) if answers.in_record and folder else ():
            answers.recall(file)
    bill = Bill(settings.price, answers)
    return replace(model, predict=bill.counted(model.predict, model.name)), bill


def owner_of(model: Any, settings: ExternalSettings) -> str:
    """What answers depend on besides the inputs. Hashed, as a path may hold a secret; class names decide columns of `top`."""
    labels = list(model.labels or ()) if settings.output == "top" else []
    chosen = [settings.path, settings.output, getattr(settings, "output_name", None), labels]
    return f"{model.fingerprint} of {settings.name} {hashlib.sha256(json.dumps(chosen).encode()).hexdigest()}"


def queried(classifier: Any, settings: ExternalSettings, bill: Bill) -> Any:
    """A classifier with what its settings or its output need; the same one where that is nothing. Raises UserError."""
    output = "top" if settings.output == "top" else classifier.output
    votes = settings.votes if settings.votes is not None else COPIES if output in VOTED else 1
    if votes > 1 and output not in VOTED:
        got = f"a model that gives scores ({output})"
        raise UserError(f"classifier.votes={votes}: expected a model that gives labels, got {got}; leave it out")
    if (votes, settings.samples, settings.price, settings.cache) == (1, 1, None, None):
        return classifier
    return QueriedClassifier(classifier, NoisyCopies(votes, settings.vote_noise), settings.samples, bill, output)


def files_in(folder: Path) -> list[Path]:
    """The files of answers in the record of a job, or in those of the jobs of a sweep."""
    return [folder / FILE, *sorted(folder.glob(f"*/{FILE}"))]


def change_past_cache(classifier: Any, images: Bytes, scores: Floats) -> float:
    """The largest change of scores [N, K] of the last two images in a call past the cache; 0 of a model without one."""
    bill = getattr(classifier, "bill", None)
    if not isinstance(bill, Bill) or bill.answers is None:
        return 0.0
    bill.past_cache = True
    try:
        return float(np.abs(predict_batch(classifier, images[-AGAIN:]) - scores[-AGAIN:]).max())
    finally:
        bill.past_cache = False


# --- for records ------------------------------------------------------------------------------------------------------
def answers_of(classifier: Any) -> Answers | None:
    """The answers that are kept in records, if there are any."""
    answers: Answers | None = getattr(getattr(classifier, "bill", None), "answers", None)
    return answers if answers is not None and answers.in_record else None


def keep_answers(classifier: Any, folder: Path) -> tuple[str, ...]:
    """Keeps answers in the record of a job, where classifier.cache=true → the names of the files."""
    answers = answers_of(classifier)
    if answers is None:
        return ()
    answers.keep_in(folder / FILE)
    return (FILE,)


def accounted(classifier: Any, before: Mapping[str, Any]) -> dict[str, Any]:
    """The key `queries` of run.json, given what the record said before; none of a classifier that keeps no bill."""
    bill = getattr(classifier, "bill", None)
    return {} if bill is None else {"queries": bill.enter(before.get("queries"))}


def meaning_of_scores(classifier: Any) -> dict[str, Any]:
    """The key `score` of run.json where scores are not the model's own: what they are, and how they came about."""
    what = getattr(classifier, "meaning", "")
    if not what:
        return {}
    copies = classifier.copies
    noise = {"votes": copies.number, "vote_noise": copies.noise} if copies.number > 1 else {}
    return {"score": {"what": what, "output": classifier.output, **noise, "samples": classifier.samples}}


def spread(classifier: Any, images: Bytes, classes: Ints) -> dict[str, Any]:
    """The key `spread` of run.json, of averaged scores without votes: how much those of the target [N] differ between calls."""
    if getattr(classifier, "samples", 1) == 1 or getattr(classifier, "votes", 1) > 1:  # shares of votes differ otherwise
        return {}
    deviations = classifier.deviations(images)[np.arange(len(images)), classes]
    each = [round(float(deviation), 6) for deviation in deviations]
    return {"spread": {"samples": classifier.samples, "target_sd": each, "median_target_sd": float(np.median(deviations))}}
