"""Finished records as commands leave them, written by hand: no search runs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fooling.settings import MARK
from fooling.settings.gate import known_figures
from fooling.statistics.intervals import proportion_with_ci


def figure(name: str, value: float | None, low: float | None = None, high: float | None = None, **more: Any) -> dict[str, Any]:
    """A figure of an audit."""
    known = known_figures()[name]
    found = {"value": value, "low": low, "high": high, "better": known.better, "unit": known.unit, "text": known.text}
    return {**found, **more}


def proportion(name: str, part: int, whole: int) -> dict[str, Any]:
    """A figure that is a share, with its Wilson interval."""
    found = proportion_with_ci(part, whole)
    return figure(name, found["share"], found["low"], found["high"])


def above(name: str, budget: float) -> dict[str, Any]:
    """A median that was not reached within the budget."""
    return figure(name, None, budget, None, above=budget)


def write_audit(
    folder: Path,
    figures: Mapping[str, Any],
    *,
    status: str = "done",
    config: str = "budget: 5000\nseed: 0\nclassifier:\n  name: mnist_mlp\n",
    fingerprint: str = "a1" * 32,
    version: str = "0.1.0",
    left_out: tuple[Mapping[str, str], ...] = (),
    **protocol: Any,
) -> Path:
    """The record of an audit."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"{MARK}fooling audit config.yaml\n{config}")
    about = {"status": status, "command": "fooling audit", "versions": {"fooling": version}, "jobs": []}
    (folder / "sweep.json").write_text(json.dumps(about))
    content = {
        "model": {"name": "mnist_mlp", "fingerprint": fingerprint},
        "protocol": {
            "search": "es",
            "genome": "dct",
            "budget": 5000,
            "seed": 0,
            "minutes": 10,
            "attacked": [0, 1, 2],
            **protocol,
        },
        "left_out": list(left_out),
        "figures": dict(figures),
    }
    (folder / "audit.json").write_text(json.dumps(content))
    return folder
