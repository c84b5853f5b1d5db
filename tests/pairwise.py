"""Small sets of cases that cover a product of parameters; the full product is run under the marker `exhaustive`."""

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any

import pytest


def pairwise(*axes: Sequence[Any], name: Callable[[Any], str] = str) -> list[Any]:
    """All combinations of the axes' values as pytest parameters, of which those that cover all pairs run by default.

    Of two axes, whose pairs are the whole product, each value runs at least once. Greedy: in turn the combination that covers
    most of what is left, the first of equals, so that the choice is the same on every machine.
    """
    cases = list(product(*(range(len(axis)) for axis in axes)))
    together = min(2, len(axes) - 1)
    parts = {case: set(combinations(enumerate(case), together)) for case in cases}
    missing, chosen = set().union(*parts.values()), set()
    while missing:
        best = max(cases, key=lambda case: len(parts[case] & missing))
        chosen.add(best)
        missing -= parts[best]
    return [as_param([axis[at] for axis, at in zip(axes, case, strict=True)], case in chosen, name) for case in cases]


def as_param(values: list[Any], default: bool, name: Callable[[Any], str]) -> Any:
    """One case; those that do not run by default are marked."""
    marks = () if default else pytest.mark.exhaustive
    return pytest.param(*values, marks=marks, id="-".join(name(value) for value in values))


def rare(*values: Any, name: Callable[[Any], str] = str) -> Any:
    """One case that does not run by default."""
    return as_param(list(values), False, name)
