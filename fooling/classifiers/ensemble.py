"""`classifier=ensemble`: several classifiers of the same images and classes as one, by mean or minimum of their scores.

The mean is the sum rule of Kittler et al. 1998 (IEEE Trans. PAMI 20, 226), the minimum their min rule, not normalised: a class
has a high score only if every member gives it one.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from pkgutil import resolve_name
from typing import Any, Literal

import numpy as np

from fooling.classifiers.accuracy import check_class_order
from fooling.classifiers.base import Classifier, ShapeHint, name_of, predict_batch
from fooling.classifiers.checks import check_interface
from fooling.classifiers.entries import entry_name, open_entry
from fooling.classifiers.gradients import has_gradients, scores_function
from fooling.classifiers.labels import rename
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats
from fooling.settings.classifiers import EnsembleSettings

SETTING = "classifier.members"
JAX_MINIMUM = "jax.numpy:minimum"  # loaded where a search differentiates


@dataclass(frozen=True)
class Ensemble:
    """A classifier of several. An evaluation is one image that every member scores."""

    members: dict[str, Any]  # classifiers by their names in tables and records, at least two
    combine: Literal["mean", "minimum"]
    labels: tuple[str, ...]  # of the K classes

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(H, W, C), of every member."""
        height, width, channels = next(iter(self.members.values())).input_shape
        return int(height), int(width), int(channels)

    @property
    def num_classes(self) -> int:
        """K, of every member."""
        return len(self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of how the scores are combined and of the members' fingerprints, in their order."""
        parts = ["fooling ensemble 1", self.combine, *(member.fingerprint for member in self.members.values())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def partial_fingerprint(self) -> bool:
        """Whether the fingerprint of a member covers only a part of it."""
        return any(getattr(member, "partial_fingerprint", False) for member in self.members.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """How the scores are combined, and what the members say of themselves."""
        number = len(self.members)
        mean = f"classifier: mean of the scores of {number} members; an evaluation is one image that all of them score"
        minimum = (
            f"classifier: the smallest score of {number} members for each class: scores do not sum to 1, and a confidence is "
            "what every member gives at least; an evaluation is one image that all of them score"
        )
        own = [f"{name}: {note}" for name, member in self.members.items() for note in getattr(member, "notes", ())]
        return (mean if self.combine == "mean" else minimum, *own)

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]: the mean sums to 1 if the members' do, the minimum does not."""
        scores = np.stack([scores_of(name, member, images) for name, member in self.members.items()])
        return np.asarray(scores.mean(axis=0) if self.combine == "mean" else scores.min(axis=0), dtype=np.float32)

    @property
    def jax_fn(self) -> Callable[[Any], Any]:
        """A pure function from images to scores, where every member has one; of the minimum the smallest has the gradient."""
        functions = [getattr(member, "jax_fn", None) for member in self.members.values()]
        if None in functions:
            raise AttributeError("jax_fn")
        return self.combined(functions)

    @property
    def callback_fn(self) -> Callable[[Any], Any]:
        """The same where every member has gradients of some kind."""
        if not all(map(has_gradients, self.members.values())):
            raise AttributeError("callback_fn")
        return self.combined([scores_function(member) for member in self.members.values()])

    def combined(self, functions: list[Any]) -> Callable[[Any], Any]:
        """The mean or the minimum of functions of JAX."""
        number, is_mean, minimum = len(functions), self.combine == "mean", resolve_name(JAX_MINIMUM)

        def scores(images: Any) -> Any:
            each = [function(images) for function in functions]
            return sum(each[1:], each[0]) / number if is_mean else reduce(minimum, each)

        return scores


def scores_of(name: str, member: Classifier, images: Bytes) -> Floats:
    """The scores [N, K] of a member. Raises UserError, with its name, where they are none."""
    try:
        return predict_batch(member, images)
    except UserError as error:
        raise UserError(f"{SETTING}: {name}: {str(error).removeprefix('classifier: ')}") from error


def open_ensemble(settings: EnsembleSettings, hint: ShapeHint = lambda: (None, ())) -> Ensemble:
    """The ensemble that the settings describe; `hint` is for members that do not declare their shape.

    Raises UserError for members that cannot be opened, that are the same, or that differ in images or classes.
    """
    members: dict[str, Classifier] = {}
    for entry in settings.members:
        name, member = entry_name(entry), open_entry(entry, hint, SETTING)
        check_member(name, member, members)
        members[name] = member
    first = next(iter(members.values()))
    ensemble: Ensemble = rename(Ensemble(members, settings.combine, tuple(first.labels)), settings.labels)
    return ensemble


def check_member(name: str, member: Any, others: Mapping[str, Classifier]) -> None:
    """Raises UserError for a member that does not fit those before it."""
    try:
        check_interface(member)
    except UserError as error:
        raise UserError(f"{SETTING}: {name}: {error}") from error
    if getattr(member, "gives_labels", False):
        raise UserError(f"{SETTING}: {name}: expected class scores, got labels only ({name_of(member)}); leave it out")
    if name in others:
        raise UserError(f"{SETTING}: two have the name {name}; give each its title, such as {{name: onnx, title: second}}")
    for other, known in others.items():
        if known.fingerprint == member.fingerprint:
            raise UserError(f"{SETTING}: {name} is the same network as {other}; name each once")
        takes = [f"images {tuple(map(int, one.input_shape))} of {one.num_classes} classes" for one in (member, known)]
        if takes[0] != takes[1]:
            raise UserError(
                f"{SETTING}: expected members of the same images and classes; {name} takes {takes[0]}, {other} {takes[1]}"
            )
        try:
            check_class_order(member.labels, known.labels, f"member {other}")
        except UserError as error:
            raise UserError(f"{SETTING}: {name}: {error}") from error
