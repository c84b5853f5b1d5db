"""Classifier objects of Python that raise, or name their classes oddly: one line says so."""

from typing import Any

import numpy as np
import pytest

import fooling
from fooling.errors import UserError

WORDS = {"digit": 1, "prior": "none", "runs": 2, "generations": 3, "population": 20}


class MuteError(Exception):
    """An exception without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class StrangeError(BaseException):
    """No Exception."""


class Unreadable:
    """A name of a class that cannot be shown."""

    def __str__(self) -> str:
        raise MuteError


class Toy:
    """Dark and light images; raises in the call of this number."""

    input_shape, num_classes, fingerprint = (8, 8, 1), 2, "toy"

    def __init__(self, error: BaseException | None = None, call: int = 0, labels: Any = ("dark", "light")) -> None:
        self.error, self.left, self.labels = error, call, labels

    def __call__(self, images: Any) -> Any:
        self.left -= 1
        if self.error and self.left < 0:
            raise self.error
        light = images.mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - light, light], axis=1).astype(np.float32)


@pytest.mark.parametrize("call", [0, 12])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (KeyError("w"), "KeyError: 'w'"),
        (MuteError(), "MuteError, whose message cannot be read"),
        (StrangeError("x\x1b[2J" + "y" * 5000 + "the end"), "StrangeError: x\\x1b[2J"),
        (SystemExit(3), "SystemExit: 3"),
        (GeneratorExit(), "GeneratorExit"),
        (MemoryError(), "MemoryError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_an_object_raises_is_one_line(error: BaseException, words: str, call: int) -> None:
    with pytest.raises(UserError) as told:
        fooling.evolve(classifier=Toy(error, call), **WORDS)
    message = str(told.value)
    assert message.startswith("classifier: raised on images uint8 [")
    assert words in message
    assert len(message) < 600
    assert message.isprintable()


def test_signals_still_end_the_program() -> None:
    for error in (KeyboardInterrupt(), SystemExit(143)):
        with pytest.raises(type(error)):
            fooling.evolve(classifier=Toy(error), **WORDS)


@pytest.mark.parametrize("part", ["input_shape", "num_classes", "labels", "fingerprint"])
def test_parts_that_cannot_be_read(part: str) -> None:
    def fail(_self: Any) -> Any:
        raise OSError(5, "Input/output error")

    broken = type("Broken", (Toy,), {part: property(fail, lambda self, value: None)})()
    with pytest.raises(UserError, match=r"cannot be read: OSError: .*Input/output error"):
        fooling.evolve(classifier=broken, **WORDS)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(ValueError("odd"), "parts cannot be read: ValueError: odd"), (5, "its __getattr__ must raise AttributeError")],
    ids=["raises", "answers"],
)
def test_a_getattr_that_answers_for_every_name(answer: Any, said: str) -> None:
    class Odd(Toy):
        def __getattr__(self, name: str) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

    with pytest.raises(UserError, match=said):
        fooling.evolve(classifier=Odd(), **WORDS)


@pytest.mark.parametrize(
    ("name", "value"), [("logits", 5), ("jax_fn", np.eye(2)), ("jax_layers", "x"), ("notes", "text"), ("notes", 5)]
)
def test_optional_parts_of_another_type(name: str, value: Any) -> None:
    toy = Toy()
    setattr(toy, name, value)
    with pytest.raises(UserError, match=f"expected {name}"):
        fooling.evolve(classifier=toy, **WORDS)


def test_labels_of_objects_are_printable() -> None:
    from fooling.classifiers.base import with_printable_labels

    toy = Toy(labels=("a\x1b[2Jb", 7))
    named = with_printable_labels(toy)
    assert named.labels == ("a\\x1b[2Jb", "7")
    assert named.fingerprint == "toy"
    assert not hasattr(named, "logits")
    assert with_printable_labels(plain := Toy()) is plain
    assert len(fooling.evolve(classifier=toy, **WORDS).images) == 2
    with pytest.raises(UserError, match="expected labels of text, got others"):
        fooling.evolve(classifier=Toy(labels=(Unreadable(), "b")), **WORDS)
