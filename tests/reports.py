"""Records that reports are drawn from: an audit by its contract, and small experiments with results made by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from rounds import harden_json

from fooling.records.files import png
from fooling.settings import MARK
from fooling.statistics.intervals import proportion_with_ci

HOSTILE = "<img src=x onerror=alert(1)> & \"'</script><script>alert(2)</script> $x_1$"  # a class of this name must stay text
LABELS = ["0", "1", HOSTILE]
SHAPE = (9, 13, 1)
SURE = proportion_with_ci(18, 20)
SPREAD = {"mean": 0.9, "median": 0.9, "quartiles": [0.8, 0.95], "least": 0.7, "most": 1.0}
MODEL = {"name": "mnist_mlp", "path": None, "fingerprint": "ab" * 32, "input_shape": list(SHAPE)}
MEASURED = {"accuracy": SURE, "confidence": 0.9, "quartiles": [0.7, 0.9, 0.99]}


def picture(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> bytes:
    """The bytes of a PNG of noise."""
    return png(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def make_experiment(folder: Path, name: str, found: dict[str, Any], jobs: tuple[str, ...] = (), **about: Any) -> Path:
    """A finished record of `fooling NAME`, each job with one image."""
    folder.mkdir(parents=True, exist_ok=True)
    status = {"status": "done", "command": f"fooling {name}", "seed": 0, "versions": {"fooling": "0.1.0"}, "files": []}
    status |= {"jobs": [{"folder": job} for job in jobs], **about}
    (folder / "experiment.json").write_text(json.dumps(status), encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")
    (folder / f"{name}.png").write_bytes(picture())
    settings = yaml.safe_dump({"classifier": {"name": "mnist_mlp"}, "seed": 0})
    (folder / "config.yaml").write_text(f"{MARK}fooling {name} config.yaml\n{settings}", encoding="utf-8")
    for number, job in enumerate(jobs):
        (folder / job / "images").mkdir(parents=True, exist_ok=True)
        (folder / job / "images" / "0000.png").write_bytes(picture(number))
    return folder


def figure(value: float | None, unit: str = "share", better: str = "lower", **more: Any) -> dict[str, Any]:
    """A figure of audit.json."""
    return {"value": value, "low": None, "high": None, "better": better, "unit": unit, "text": "a figure", **more}


def audit_json() -> dict[str, Any]:
    """audit.json by its contract, with everything in it."""
    rows = [
        {
            "digit": k,
            "name": name,
            "median99": 300 * (k + 1),
            "median9999": None if k == 1 else 900 * (k + 1),
            "reached9999": SURE,
            "folder": f"part=q,digit={k}",
            "shown": 0,
            "confidence": 0.9999,
        }
        for k, name in enumerate(LABELS)
    ]
    kinds = ("blank", "even_noise", "shuffled", "phase_scrambled", "foreign")
    nothing = [
        {"kind": kind, "images": 20, "at_90": SURE, "at_99": SURE, "answers": [{"class": 2, "share": 0.7}], "note": ""}
        for kind in kinds
    ]
    figures = {
        "q99": figure(600, "evaluations", "higher"),
        "q9999": figure(None, "evaluations", "higher", low=300, above=5000),
    }
    figures |= {"accuracy": figure(0.978, better="higher", low=0.97, high=0.99), "noise99": figure(0.9), "ece": figure(0.04)}
    figures["auroc_largest_score"] = figure(0.62, "auroc", "higher", low=0.5, high=0.7)
    figures["auroc_entropy"] = figure(0.9996, "auroc", "higher")
    figures["auroc_simple_statistics"] = figure(1.0, "auroc", "higher")
    detector = {
        "name": "largest_score",
        "auroc": 0.62,
        "low": 0.5,
        "high": 0.7,
        "fpr95": 0.9,
        "fpr95_low": 0.8,
        "fpr95_high": 1.0,
    }
    return {
        "model": {**MODEL, "labels": LABELS},
        "protocol": {
            "search": "ga",
            "genome": None,
            "classes": [0, 1, 2],
            "attacked": [0, 1, 2],
            "of": 3,
            "runs": 5,
            "budget": 5000,
            "seed": 0,
            "minutes": 1,
        },
        "facts": {
            "images_per_second": 120000.0,
            "output": "sigmoid",
            "sums_to_one": False,
            "accuracy": SURE,
            "readings": [{"way": "shifted", "settings": "by 1 pixel", "share": 0.91}],
            "ece": {"value": 0.04},
            "bins": [{"low": 0.9, "high": 1.0, "confidence": 0.97, "accuracy": 0.95, "images": 900}],
            "temperature": 1.4,
            "ece_scaled": 0.01,
            "ece_unscaled": 0.05,
            "notes": ["a note"],
        },
        "nothing": {"rows": nothing},
        "q": {
            "q99": 600,
            "q9999": None,
            "reached99": SURE,
            "reached9999": SURE,
            "classes": rows,
            "survival": {"99": [[0, 1.0], [300, 0.5], [900, 0.0]], "9999": [[0, 1.0], [900, 0.6], [5000, 0.2]]},
            "first": 0,
            "last": 1,
        },
        "priors": {
            "rows": [
                {"rung": "eigen", "arm": arm, "images": 20, "confidence": 0.99, "read": SURE, "percentiles": {"eigen": 40.0}}
                for arm in ("with", "control")
            ]
        },
        "mismatch": {"pairs": SURE, "images": SURE, "judges": ["mnist_cnn"], "folders": []},
        "detectors": {"rows": [{**detector, "against": rung, "evolved": 50, "real": 100} for rung in ("none", "eigen")]},
        "checks": [
            {"name": "more_budget", "passed": True, "text": "20 of 20"},
            {"name": "gradients", "passed": None, "text": "no gradients"},
            {"name": "noise", "passed": False, "text": "noise got there"},
        ],
        "left_out": [{"part": "foreign images", "why": "no other data"}],
        "figures": figures,
        "verdict": f"Half of the classes are fooled within 600 evaluations; {HOSTILE} is first.",
    }


def make_audit(folder: Path) -> Path:
    """The record of an audit."""
    return make_experiment(folder, "audit", audit_json(), tuple(f"part=q,digit={k}" for k in range(3)))


def border_json() -> dict[str, Any]:
    rows = [{"distance": d, **MEASURED} for d in (0, 2)]
    places = [{"down": d, "right": d, **MEASURED} for d in (0, 2)]
    misread = {"by_distance": {"0": SURE, "2": SURE}, "quantiles": {"0.5": None}}
    shared = {"classifier": MODEL, "distances": [0, 2], "places": places, "first_misread": misread}
    return {**shared, "ways": dict.fromkeys(("left", "right", "up"), rows) | {"down": rows[:1]}}


def scramble_json() -> dict[str, Any]:
    more = {"largest_score": 0.9, "most_read": HOSTILE, "most_read_share": SURE}
    rows = [{"share": share, **MEASURED, **more} for share in (0.0, 100.0)]
    return {"classifier": MODEL, "noises": {"uniform": "any grey level"}, "curves": {"uniform": rows}}


def damage_json() -> dict[str, Any]:
    groups = {"evolved": {"accuracy": SPREAD, "confidence": SPREAD}}
    doses = [{"dosage": 10.0, "neurons": 3, **groups}]
    return {"classifier": MODEL, "substance": "random", "repeats": 2, "data": None, "whole": groups, "doses": doses}


def eigen_json() -> dict[str, Any]:
    one = {"accuracy": SURE, "fingerprint": "ab"}
    pca = [{**one, "name": "pca, least residual", "method": "residual", "components": 4}]
    found = {"data": HOSTILE, "train_images": 100, "test_images": 20, "explained": [0.3, 0.5], "left_out": []}
    return {**found, "explained_of_class": {HOSTILE: [0.4, 0.6]}, "pca": pca, "networks": [{**one, "name": "mnist_mlp"}]}


def mean_json() -> dict[str, Any]:
    classes = [{"digit": k, "confidence": 0.9, "converged": 3, "correlation": [0.2, 0.4]} for k in range(3)]
    priors = [{"prior": "none", "classes": classes}]
    return {"classifier": MODEL, "labels": LABELS, "numbers": [1, 5], "priors": priors, "real": []}


def compare_json() -> dict[str, Any]:
    """Two audits, of which the second is easier to fool."""
    names = ("runs/main <b>", "runs/new")
    records = [
        {
            "folder": name,
            "command": "audit",
            "classifier": "mlp",
            "fingerprint": "f" * 64,
            "figures": {"q9999": figure(q, "evaluations")},
        }
        for name, q in zip(names, (900, 300), strict=True)
    ]
    rows = [
        {"figure": "q9999", "outcome": "worse", "change": 0.33, "low": None, "high": None},
        {"figure": "ece", "outcome": "missing", "change": None, "low": None, "high": None},
    ]
    one = {
        "folder": names[1],
        "comparable": True,
        "same_classifier": True,
        "protocol": {},
        "settings": {"minutes": ["10", "5"]},
    }
    return {"reference": names[0], "records": records, "comparisons": [{**one, "differences": rows}]}


def detect_json() -> dict[str, Any]:
    """Two detectors against images of two attacks, of which one evades the first."""
    kinds = ("pixels, none", "pixels, none, evading energy")
    half = {"part": 10, "of": 20, "share": 0.5, "low": 0.3, "high": 0.7}
    rows = [
        {"name": name, "against": against, "auroc": area, "low": area - 0.1, "high": area + 0.05, "evolved": 20, "real": 50}
        | {"fpr95": 0.5, "fpr95_low": 0.3, "fpr95_high": 0.7, "limit": -3.0, "passes": half, "real_passes": half}
        for against, areas in zip(kinds, ((0.9, 0.7), (0.4, 0.7)), strict=True)
        for name, area in zip(("energy", "knn_pixels"), areas, strict=True)
    ]
    group = {"plain": kinds[0], "genome": "pixels", "prior": "none", "images": 20, "made": 20, "records": ["runs/<b>a</b>"]}
    best = {**rows[1], "rivals": [], "leads": True, "ranked": 2}
    return {
        "classifier": {"name": "mnist_mlp", "path": None, "fingerprint": "0" * 64, "input_shape": [9, 13, 1]},
        "data": "mnist",
        "layer": "sigmoid1",
        "features": 30,
        "training_images": 100,
        "limit_images": 20,
        "real_images": 50,
        "real_classes": ["3", "<b>4</b>"],
        "detectors": {
            "energy": {"title": "energy", "source": "Liu et al. 2020", "fitted": ""},
            "knn_pixels": {"title": "neighbours", "source": "Sun et al. 2022", "fitted": "training images"},
        },
        "groups": [
            {**group, "name": kinds[0], "evade": [], "evaluations": 200.0},
            {**group, "name": kinds[1], "evade": ["energy"], "evaluations": 500.0},
        ],
        "rows": rows,
        "curves": [],
        "winners": {kinds[0]: {**rows[0], "rivals": ["knn_pixels"], "leads": True, "ranked": 2}, kinds[1]: best},
        "winner": best,
        "left_out": [{"part": "detectors: vim", "against": kinds[0], "why": "the classifier has no logits"}],
        "notes": [],
    }


def classify_json() -> dict[str, Any]:
    read = {"done": [HOSTILE], "read": 2, "label": HOSTILE, "score": 0.8, "rejected": False, "scores": [0.1, 0.1, 0.8]}
    one = {"file": f"{HOSTILE}.png", "done": [], "plain": {**read, "image": "shown/0000-plain.png"}}
    one["fitted"] = {**read, "image": "../../etc/passwd.png", "rejected": True}
    return {"classifier": MODEL, "labels": LABELS, "threshold": 0.5, "pictures": [one]}


def transfer_json() -> dict[str, Any]:
    """Two classifiers and their ensemble, which was not attacked."""
    median = {"value": 300.0, "low": 200.0, "high": None, "reached": SURE}
    missed = {"value": None, "low": 5000.0, "high": None, "above": 5000.0, "reached": proportion_with_ci(0, 20)}
    names = ("a", HOSTILE, "both")
    seen = {"believed": SURE, "read": SURE}
    cells = [{"classifier": name, "itself": name == "a", "related": name != HOSTILE, **seen} for name in names]
    row = {"source": "a", "fingerprint": "ab", "kin": ["ab"], "prior": "none", "kind": "none", "folders": ["x"], "images": 20}
    rows = [{**row, "succeeded": SURE, "evaluations": {"99": median, "9999": missed}, "cells": cells}]
    unseen = [{**cell, "believed": None, "read": None} for cell in cells]
    rows.append({**rows[0], "succeeded": proportion_with_ci(0, 20), "cells": unseen})
    classifiers = [{"name": name, "path": None, "fingerprint": "ab" * 32, "members": {}, "combine": None} for name in names[:2]]
    classifiers.append({**classifiers[0], "name": "both", "members": {"a": "ab", HOSTILE: "cd"}, "combine": "minimum"})
    ensemble = {"name": "both", "combine": "minimum", "members": ["a", HOSTILE], "believed": dict.fromkeys(names, SURE)}
    ensemble |= {"believed_of_members": SURE, "evaluations": {"both": {"99": median, "9999": missed}}}
    shared = {"labels": LABELS, "threshold": 0.99, "transferred": SURE, "notes": ["left out: controls (1)"]}
    return {**shared, "classifiers": classifiers, "rows": rows, "ensembles": [ensemble]}


EXPERIMENTS = {
    "border": border_json,
    "scramble": scramble_json,
    "damage": damage_json,
    "eigen": eigen_json,
    "mean": mean_json,
    "classify": classify_json,
    "audit": audit_json,
    "compare": compare_json,
    "harden": harden_json,
    "transfer": transfer_json,
    "detect": detect_json,
}


def large_picture(path: Path, side: int) -> None:
    """A PNG of noise in colour, which no format makes small."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
