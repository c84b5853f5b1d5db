"""Gradients of a model of torch: how many steps `search=ascent` takes to be certain of classes drawn at random.

python benchmarks/gradients.py model=net.py:make scale=1 mean=127 std=128 shape=224,224,3 classes=20 draw=0 runs=1 steps=100 \
    level=0.9999 name=gradients json=false

`model` is module:function, which returns a torch.nn.Module: `onnx2torch.convert(onnx.load("model.onnx"))` of an ONNX file, say.
All else are the defaults of the search for images of this size. A run that does not get there counts with its steps; the median
has a bootstrap interval (95 %).
"""

import time
from typing import Any

import numpy as np
from large import MODEL, censored_median, drawn
from measure import finish, table, words

import fooling
from fooling.search.state import MILESTONES

COLUMNS = ["classes", "reached", "steps", "confidence, lowest", "seconds a class"]


def main() -> None:
    """Prints the line of the table, and writes gradients.json."""
    chosen = words(**{**MODEL, "shape": "224,224,3"}, steps=100, level=0.9999, name="gradients", json=False)
    if ":" not in chosen["model"]:
        raise SystemExit("model: expected module:function, such as model=net.py:make")
    given: dict[str, Any] = {name: chosen[name] for name in ("scale", "mean", "std", "shape")}
    model = fooling.load_classifier({"name": "torch", "path": chosen["model"], **given})
    digits = drawn(model.num_classes, chosen)
    start, reached, confidence = time.perf_counter(), [], []
    place = MILESTONES.index(chosen["level"])
    for k in digits:
        how: dict[str, Any] = {"search": "ascent", "stop": "threshold", "threshold": chosen["level"], "runs": chosen["runs"]}
        result = fooling.evolve(classifier=model, digit=k, generations=chosen["steps"], **how)
        steps = result.evaluations_to[:, place]
        reached += np.where(steps < 0, -1, steps - 1).tolist()
        confidence += result.confidences.tolist()
        print(k, reached[-chosen["runs"] :], confidence[-chosen["runs"] :], flush=True)
    middle, low, high = censored_median(reached, chosen["steps"])
    there = f"{sum(step >= 0 for step in reached)} of {len(reached)}"
    seconds = f"{(time.perf_counter() - start) / len(digits):.0f}"
    rows = [[str(len(digits)), there, f"{middle:.0f} ({low:.0f}–{high:.0f})", f"{min(confidence):.5f}", seconds]]
    print(table(COLUMNS, rows))
    about = {name: chosen[name] for name in ("draw", "runs", "steps", "level")}
    finish(chosen["name"], {**about, "digits": digits, "reached": reached, "columns": COLUMNS, "rows": rows}, chosen)


if __name__ == "__main__":
    main()
