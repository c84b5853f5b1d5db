"""A set made to fit: one factor for its grey levels, one size of its images, its classes among those of a classifier."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.data.images import ImageFile, Shape, in_channels, place, resize, sides_within
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.settings.fields import labels_to_list, parse_size

Array = npt.NDArray[Any]
WHITE, DARK = 255, 16  # no set is as dark as this: its levels are 0 … 1 or 0 … 16, and not 0 … 255
USUAL_HIGHEST = (4095, 65535)  # levels of 12 and 16 bits, which a set may not reach
MAX_NAMED = 5  # classes in a message
NO_CLASS = "none"  # the label of a last class that stands for none of the others: no images have it, and no search aims at it


@dataclass(frozen=True)
class Options:
    """How a set is read; the first five are settings of the group `data`."""

    scale: float | None = None  # factor of the grey levels; None: by the levels of the whole set
    size: tuple[int, ...] | None = None  # height, width and perhaps channels of its images
    resize: str = "crop"  # how images of other sizes get it: a name in RESIZED
    classes: tuple[str, ...] = ()  # names or numbers of its classes
    first_label: int = 0  # the label of class 0
    shape: Shape | None = None  # (H, W, C) of the classifier's images
    labels: tuple[str, ...] = ()  # of the classifier

    @property
    def sides(self) -> tuple[int, int] | None:
        """The height and width that `size` gives."""
        return (self.size[0], self.size[1]) if self.size else None

    @property
    def channels(self) -> int | None:
        """The channels that `size` gives, or else the classifier has; None: those of the pictures."""
        return self.size[2] if self.size and len(self.size) == 3 else self.shape[2] if self.shape else None


def make_options(options: dict[str, Any]) -> Options:
    """Options, checked: a size may be one number, classes may be numbers. Raises UserError."""
    size, classes, scale = options.get("size"), options.get("classes", ()), options.get("scale")
    known = [field.name for field in fields(Options)]
    for name in options:
        if name not in known:
            raise UserError(f"load_data: expected options {', '.join(known)}, got {name}={options[name]!r}")
    if scale is not None and not (is_number(scale) and 0 < scale < np.inf):
        raise UserError(f"data.scale: expected a number above 0, such as 255 / 16, or None; got {scale!r}")
    rule = options.get("resize") or "crop"
    if not isinstance(rule, str) or rule not in RESIZED:
        raise UserError(f"data.resize: expected one of {', '.join(RESIZED)}, got {rule!r}")
    first = options.get("first_label", 0)
    if not (isinstance(first, int | np.integer) and first >= 0):
        raise UserError(f"data.first_label: expected a whole number from 0 on, got {first!r}")
    try:
        return Options(**{**options, "size": parse_size(size), "resize": rule, "classes": tuple(labels_to_list(classes))})
    except ValueError as error:
        raise UserError(f"data.size: expected {error}, got {size}") from error


def is_number(value: Any) -> bool:
    """Whether a value is a real number, and no boolean."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


# --- grey levels ------------------------------------------------------------------------------------------------------
class LevelScale:
    """The factor from the numbers of a set to grey levels 0 … 255, found in all its parts of one type, and only once."""

    def __init__(self, parts: Sequence[Callable[[], Iterator[Array]]], kind: str, scale: float | None, name: str) -> None:
        self.parts, self.kind, self.name = parts, kind, name
        self.is_given, self.highest = scale is not None, 0.0  # the highest level that was read
        self.factor = scale if scale is not None or kind != "b" else float(WHITE)

    def pieces(self, read: Callable[[], Iterator[Array]]) -> Iterator[Bytes]:
        """One of the parts as grey levels. Raises UserError where their scale is not clear, and for other numbers."""
        source = read()
        self.highest, first = 0.0, next(source, None)
        if first is None:
            return
        if self.factor is None and first.max() > DARK:
            self.factor = 1.0
        if self.factor is None:
            self.factor = self.find()
            yield from (self.levels(piece) for piece in read())
        else:
            yield from (self.levels(piece) for piece in chain([first], source))

    def noted(self, read: Callable[[], Iterator[Array]], conversions: Counter[str], number: int) -> Iterator[Bytes]:
        """The same, and in `conversions` a note on levels far from white, which may have another scale, for `number` images."""
        yield from self.pieces(read)
        if not self.is_given and self.factor == 1 and DARK < self.highest <= WHITE // 2:
            level = f"{self.highest:g}"
            conversions[f"the highest grey level is {level} of 255, which data.scale=255/{level} makes white"] = number

    def find(self) -> float:
        """The factor by the highest level of the whole set. Raises UserError for one that is too low to be white."""
        high = 0.0
        for piece in (piece for read in self.parts for piece in read()):
            high = max(high, float(piece.max()))
            if high > DARK or not np.isfinite(high):
                return 1.0
        if self.kind == "f" and high <= 1:
            return float(WHITE)
        if high == 0:
            return 1.0
        factor = "255" if high == 1 else f"255/{high:g}"
        advice = f"data.scale={factor} makes {high:g} white, data.scale=1 keeps the levels as they are"
        raise UserError(f"{self.name}: expected grey levels up to 255, got none above {high:g} in the whole set; {advice}")

    def missing(self) -> str:
        """How many numbers of the whole set are not finite."""
        found = [(piece.size, int(np.isfinite(piece).sum())) for read in self.parts for piece in read()]
        total, finite = (sum(counts) for counts in zip(*found, strict=True))
        return f"{total - finite:,} of {total:,} numbers are NaN or infinite"

    def levels(self, numbers: Array) -> Bytes:
        """Numbers as grey levels. Raises UserError for others than 0 … 255 after the factor."""
        factor = 1.0 if self.factor is None else self.factor
        self.highest = max(self.highest, float(numbers.max(initial=0)))
        if numbers.dtype == np.uint8 and factor == 1:
            return numbers
        levels = numbers if factor == 1 else numbers * factor
        rounded = np.rint(levels) if levels.dtype.kind == "f" else levels
        low, high = numbers.min(), numbers.max()
        is_whole = self.is_given or factor != 1 or bool((rounded == levels).all())
        if is_whole and np.isfinite([float(low), float(high)]).all() and rounded.min() >= 0 and rounded.max() <= WHITE:
            return np.asarray(rounded, dtype=np.uint8)
        if not np.isfinite([float(low), float(high)]).all():
            raise UserError(f"{self.name}: expected grey levels, {self.missing()}; replace these, or leave their images out")
        expected = f"levels 0…255 by data.scale={factor:g}" if self.is_given else "whole numbers 0…255 or fractions 0…1"
        raise UserError(f"{self.name}: expected {expected}, got {numbers.dtype} {low} … {high}; {scale_advice(low, high)}")


def scale_advice(low: Any, high: Any) -> str:
    """What to do with numbers that are no grey levels."""
    if low < 0:
        return "add what makes them 0 or more, and save them again"
    if high <= WHITE:
        return "data.scale=1 rounds to whole levels"
    white = next((usual for usual in USUAL_HIGHEST if usual / 4 < high <= usual), float(high))
    return f"data.scale=255/{white:g} makes {white:g} white and rounds to whole levels"


# --- size -------------------------------------------------------------------------------------------------------------
RESIZED = {  # each rule, and the beginning of its note
    "crop": "scaled and cropped in the centre to",
    "fit": "scaled to fit and padded with black to",
    "stretch": "stretched to",
}


def in_shape(image: ImageFile, shape: Shape, rule: str = "crop") -> tuple[Bytes, tuple[str, ...]]:
    """The pixels of an image in a shape (H, W, C), and the conversions. All scaling is with anti-aliasing.

    crop: scaled until it covers the shape, and what is beyond is cut off on both sides alike. fit: scaled until it fits into
    the shape, in the centre, with black around. stretch: height and width are scaled apart.
    """
    pixels, notes = in_channels(image, shape[2])
    if pixels.shape[:2] == shape[:2]:
        return pixels, notes
    height, width = pixels.shape[:2]
    sides = (shape[0], shape[1])
    if rule == "crop":
        factor = max(shape[0] / height, shape[1] / width)
        sides = max(shape[0], round(height * factor)), max(shape[1], round(width * factor))
    elif rule == "fit":
        sides = sides_within((height, width), sides)
    scaled = np.asarray(resize(pixels, sides), dtype=np.uint8)
    top, left = (abs(side - whole) // 2 for side, whole in zip(sides, shape[:2], strict=True))
    scaled = place(scaled, shape, (top, left)) if rule == "fit" else scaled[top : top + shape[0], left : left + shape[1]]
    return np.ascontiguousarray(scaled), (*notes, f"{RESIZED[rule]} {shape[0]}×{shape[1]}")


def all_in_shape(images: Bytes, shape: Shape, rule: str) -> tuple[Bytes, list[str]]:
    """The same for images [N, h, w, c] → [N, H, W, C]; a note for each conversion of each image."""
    found = [in_shape(ImageFile(image, "", ()), shape, rule) for image in images]
    return np.stack([pixels for pixels, _ in found]), [note for _, notes in found for note in notes]


def rule_in(notes: Iterable[str]) -> str:
    """The rule by which images were resized, by the notes on a set; '' where none was."""
    said = [note.removeprefix("data: ") for note in notes]
    return next((rule for rule, text in RESIZED.items() if any(note.startswith(text) for note in said)), "")


# --- classes ----------------------------------------------------------------------------------------------------------
def match_classes(
    names: Sequence[str], present: Sequence[int], options: Options, source: str
) -> tuple[dict[int, int], tuple[str, ...]]:
    """The new number of each class that is kept, and the names of all classes.

    `names` are those of the set, `present` the numbers of its classes that have images. Raises UserError where it is not clear
    which of the classifier's classes they are.
    """
    same = {k: k for k in present}
    if options.classes:
        return chosen_classes(names, present, options, source)
    labels, is_numbered = options.labels, has_numbers(names)
    if is_numbered and tuple(names) == without_none(labels):
        return same, labels
    has_gaps = list(present) != list(range(len(present)))
    if not labels or (is_numbered and len(names) == len(labels) and not has_gaps):
        return same, tuple(names)
    if is_numbered:
        if list(present) == list(range(1, len(labels) + 1)):
            asked = f"the labels are 1 … {present[-1]}, the classifier's classes 0 … {len(labels) - 1}"
            raise UserError(f"data: {source}: {asked}; data.first_label=1 makes label 1 class 0")
        return (same, labels) if has_gaps and len(names) <= len(labels) else (same, tuple(names))
    found = [class_number(name, labels, "data") for name in names]
    if None in found:
        agrees = all(number in (None, k) for k, number in enumerate(found))
        if any(number is not None for number in found) and not (agrees and len(names) == len(labels)):
            raise UserError(f"data: {source}: {unknown_class(names[found.index(None)], labels)}")
        return same, tuple(names)
    if len(set(found)) < len(found):
        raise UserError(f"data: {source}: two of its classes are the same class of the classifier; give data.classes=[…]")
    return {k: number for k in present if (number := found[k]) is not None}, labels


def chosen_classes(
    names: Sequence[str], present: Sequence[int], options: Options, source: str
) -> tuple[dict[int, int], tuple[str, ...]]:
    """The same for `data.classes`: what the set's classes are, in their order, or some of them by their names."""
    chosen, labels = options.classes, options.labels
    if len(set(chosen)) < len(chosen):
        raise UserError(f"data.classes=[{','.join(chosen)}]: expected each class once")
    if len(chosen) == len(present):
        places = list(present)
    elif set(chosen) <= {names[k] for k in present}:
        places = [names.index(name) for name in chosen]
    else:
        have = f"{len(present)} classes of {source} ({shortened([names[k] for k in present])})"
        expected = f"a name or number for each of the {have}, or the names of some of them"
        raise UserError(f"data.classes: expected {expected}, got [{shortened(chosen)}]")
    if not labels:
        return {place: k for k, place in enumerate(places)}, chosen
    numbers = [class_number(name, labels, "data.classes") for name in chosen]
    if None in numbers:
        raise UserError(f"data.classes: {unknown_class(chosen[numbers.index(None)], labels)}")
    return {place: number for place, number in zip(places, numbers, strict=True) if number is not None}, labels


def without_none(labels: Sequence[str]) -> tuple[str, ...]:
    """The classes that images can have: all but a last one with the label "none", where there are two others or more."""
    return tuple(labels[:-1] if len(labels) > 2 and labels[-1] == NO_CLASS else labels)


def has_numbers(names: Sequence[str]) -> bool:
    """Whether the names of classes are their numbers."""
    return all(name == str(k) for k, name in enumerate(names))


def class_number(name: str, labels: Sequence[str], source: str) -> int | None:
    """The number of a class by its label, as it is or without regard to case and word breaks, or by its number; else None.

    Raises UserError, which begins with `source`, for the label of several classes.
    """
    for form in (str, plain):
        alike = [k for k, label in enumerate(labels) if form(label) == form(name)]
        if len(alike) == 1:
            return alike[0]
        if alike:
            several = " and ".join(map(str, alike))
            raise UserError(f"{source}: {name} is the label of classes {several}; give their numbers by data.classes=[…]")
    return int(name) if name.isascii() and name.isdigit() and len(name) < 10 and int(name) < len(labels) else None


def plain(name: str) -> str:
    """A name in small letters, its words separated by single spaces."""
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def unknown_class(name: str, labels: Sequence[str]) -> str:
    """That a class is none of the classifier's, with the nearest."""
    forms = {plain(label): label for label in labels}
    near = get_close_matches(plain(name), forms, 1, 0.7)
    hint = f"did you mean {forms[near[0]]}? " if near else ""
    expected = f"expected a label or a number 0 … {len(labels) - 1} of the classifier"
    return f"class {name}: {hint}{expected}; data.classes=[…] names the classes in the order of the set"


def shortened(names: Sequence[str]) -> str:
    """The first names of a list."""
    return ", ".join(names[:MAX_NAMED]) + (", …" if len(names) > MAX_NAMED else "")
