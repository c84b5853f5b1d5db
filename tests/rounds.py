"""A round of `fooling harden` made by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.statistics.intervals import proportion_with_ci


def round_json(
    number: int, believed: Mapping[str, tuple[int, bool]], medians: Sequence[float | None] = (None,), of: int = 100
) -> dict[str, Any]:
    """round-N.json. `believed`: of so many images of each attack, and whether it was trained on; medians of the classes."""
    reached = [value for value in medians if value is not None]
    classes = [{"digit": k, "name": str(k), "median9999": value, "median99": value} for k, value in enumerate(medians)]
    share = proportion_with_ci(97, 100)
    rows = []
    for name, (part, trained) in believed.items():
        levels = {level: proportion_with_ci(part, of) for level in ("believed", "sure", "accepted")}
        rows.append({"name": name, "trained": trained, **levels, "confidence": 0.5, "evaluations": 9.0, "seconds": 1.0})
    area = {"auroc": 0.9, "low": 0.8, "high": 0.95, "evolved": 9, "real": 9}
    return {
        "round": number,
        "fingerprint": "ab" * 32,
        "labels": ["a", "b", "none"],
        "accuracy": share,
        "accepted_at": 0.9,
        "q": {"q9999": min(reached, default=None), "q99": min(reached, default=None), "budget": 40200, "classes": classes}
        | {"interval9999": [None, None]},
        "attacks": rows,
        "noise": [{"name": "blank", "trained": False, **dict.fromkeys(("believed", "sure", "accepted"), share)}],
        "detectors": {"rows": [{"name": "energy", "against": "held_out", **area}], "left_out": []},
        "left_out": [{"part": "attack gradient", "why": "none"}],
        "outliers": {"noise": 10} if number else {},
        "samples": {},
    }


def harden_json() -> dict[str, Any]:
    """harden.json with two rounds."""
    return {
        "settings": {"outliers": "both", "evolve": ["none"]},
        "method": {"name": "none_class", "source": "Nguyen et al. 2015"},
        "data": "digits",
        "classes": ["a", "b"],
        "model": {"name": "mlp", "path": None, "fingerprint": "ab" * 32},
        "seeds": {"training": [0, 1], "measured": 1_000_000},
        "believed_at": 0.9,
        "rounds": [
            round_json(0, {"none": (100, True), "dct": (90, False)}, [100.0]),
            round_json(1, {"none": (0, True), "dct": (80, False)}),
        ],
        "stalls": 1,
        "wins": ["dct"],
        "verdict": "Still wins: dct.",
    }
