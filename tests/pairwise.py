"""Small sets of cases that cover a product of parameters; more of the product is run under the marker `exhaustive`."""

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any

import pytest

LARGE = 150  # combinations; of a larger product not all are run, but all triples of values


def pairwise(*axes: Sequence[Any], name: Callable[[Any], str] = str) -> list[Any]:
    """Combinations of the axes' values as pytest parameters, of which those that cover all pairs run by default.

    Of two axes, whose pairs are the whole product, each value runs at least once. The others are the rest of the product, of a
    large one those that cover all triples.
    """
    cases = list(product(*(range(len(axis)) for axis in axes)))
    chosen = covering(cases, min(2, len(axes) - 1))
    others = covering(cases, 3) if len(cases) > LARGE and len(axes) > 3 else set(cases)
    found = [case for case in cases if case in chosen | others]
    return [as_param([axis[at] for axis, at in zip(axes, case, strict=True)], case in chosen, name) for case in found]


def covering(cases: list[tuple[int, ...]], together: int) -> set[tuple[int, ...]]:
    """Cases that cover every combination of so many values.

    Greedy: in turn the case that covers most of what is left, the first of equals, so that the choice is the same on every
    machine.
    """
    parts = {case: set(combinations(enumerate(case), together)) for case in cases}
    missing, chosen = set().union(*parts.values()), set()
    while missing:
        best = max(cases, key=lambda case: len(parts[case] & missing))
        chosen.add(best)
        missing -= parts[best]
    return chosen


def as_param(values: list[Any], default: bool, name: Callable[[Any], str]) -> Any:
    """One case; those that do not run by default are marked."""
    marks = () if default else pytest.mark.exhaustive
    return pytest.param(*values, marks=marks, id="-".join(name(value) for value in values))


def rare(*values: Any, name: Callable[[Any], str] = str) -> Any:
    """One case that does not run by default."""
    return as_param(list(values), False, name)
