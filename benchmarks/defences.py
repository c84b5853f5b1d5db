"""Do defences help? Detectors of evolved images on MNIST, against attacks that know them and attacks that do not.

python benchmarks/defences.py data=mnist classifiers=mnist_mlp,mnist_cnn runs=2 digits=0,1,2 adaptive=none json=false

`data` is a folder with MNIST's files. Each row is a detector, each pair of columns a kind of evolved image: of an attack that
knows no detector, and of one that evades the row's own. Both have the same budget and stop when they succeed. `adaptive`:
the detectors that are evaded, `all` or `none`. Seeds other than those by which `search.evade_weight` was chosen (100).
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import finish, table, words

from fooling.classifiers.detectors import DETECTORS
from fooling.commands import dispatch
from fooling.errors import guarded
from fooling.settings.detectors import EVADABLE

Row = dict[str, Any]
STOP = ("stop=threshold", "threshold=0.99")
GRADIENT = "gradient"  # the kind that no detector is evaded by: its search has no such term
KINDS = {  # a kind of evolved image → the words of its attack
    "noise": ("prior=none", "search=ga"),
    "histogram": ("prior=histogram", "search=ga"),
    "variogram": ("prior=variogram", "search=ga"),
    "exemplar": ("prior=exemplar", "search=ga"),
    "eigen": ("prior=eigen", "search=ga"),
    "dct": ("prior=none", "search=es", "search.genome=dct"),
    "cppn": ("prior=none", "search=es", "search.genome=cppn"),
    GRADIENT: ("prior=none", "search=ascent", "stop=end"),
}


def main() -> None:
    """Measures the table of each classifier and prints it."""
    chosen = words(
        data="mnist",
        classifiers="mnist_mlp,mnist_cnn",
        kinds=",".join(KINDS),
        digits="0,1,2",
        runs=10,
        budget=10_000,
        images=1000,
        seed=0,
        adaptive="all",
        json=False,
    )
    result = {}
    for name in chosen["classifiers"].split(","):
        with tempfile.TemporaryDirectory() as folder:
            rows = detector_rows(name, Path(folder), chosen)
        result[name] = rows
        print(f"{name}\n\n{in_markdown(rows, chosen['kinds'].split(','))}\n")
    settings = {key: value for key, value in chosen.items() if key not in ("out", "data", "json")}
    finish("defences", {"settings": dict.fromkeys(result, settings), "detectors": result}, chosen)


def detector_rows(classifier: str, folder: Path, chosen: Row) -> list[Row]:
    """A row for each classifier, kind, detector and attack: AUROC and rate with intervals, evaluations, and who passes."""
    rows: list[Row] = []
    for kind in chosen["kinds"].split(","):
        plain = attack(classifier, kind, (), folder, chosen)
        rows += compared(kind, "plain", list(DETECTORS), detect([plain], folder, chosen), succeeded(plain))
        for name in evaded(chosen["adaptive"]) if kind != GRADIENT else ():
            record = attack(classifier, kind, (name,), folder, chosen)
            found = detect([record], folder, chosen, name) if record else {}
            rows += compared(kind, "adaptive", [name], found, succeeded(record))
    return rows


def evaded(adaptive: str) -> list[str]:
    """The detectors that are evaded."""
    return [] if adaptive == "none" else list(EVADABLE) if adaptive == "all" else adaptive.split(",")


def attack(classifier: str, kind: str, evade: tuple[str, ...], folder: Path, chosen: Row) -> Path | None:
    """The record of a sweep; None where the detector does not apply to the classifier."""
    record = folder / "-".join((kind, *evade))
    given = [word for word in (*STOP, *KINDS[kind]) if word != STOP[0] or kind != GRADIENT]
    given += [f"classifier={classifier}", f"data.path={chosen['data']}", f"digit={chosen['digits']}", f"runs={chosen['runs']}"]
    given += [f"budget={chosen['budget']}"] if kind != GRADIENT else []
    given += [f"search.evade=[{','.join(evade)}]"] if evade else []
    code = guarded(dispatch, ["run", *given, f"seed={chosen['seed']}", f"out={record}", "quiet=true"])
    if code and not evade:
        sys.exit(code)
    return None if code else record


def detect(records: list[Path | None], folder: Path, chosen: Row, detectors: str = "all") -> Row:
    """detect.json of records; {} where too few images succeeded."""
    where = [str(record) for record in records if record]
    given = [f"data.path={chosen['data']}", f"images={chosen['images']}", f"detectors={detectors}", f"seed={chosen['seed']}"]
    if guarded(dispatch, ["detect", *where, *given, f"out={folder / 'detect'}", "overwrite=true", "quiet=true"]):
        return {}
    found: Row = json.loads((folder / "detect/detect.json").read_text())
    return found


def succeeded(record: Path | None) -> Row:
    """How many images of a sweep succeeded, and the median of their evaluations."""
    runs = [json.loads(path.read_text()) for path in sorted(record.glob("digit=*/run.json"))] if record else []
    images = [image for run in runs for image in run["images"]]
    taken = sorted(image["evaluations"] for image in images if image["converged"])
    return {"made": len(images), "succeeded": len(taken), "evaluations": taken[len(taken) // 2] if taken else None}


def compared(kind: str, attacked: str, names: list[str], found: Row, about: Row) -> list[Row]:
    """The rows of detectors against one attack; without figures where they do not apply or too few images succeeded."""
    of_name = {row["name"]: row for row in found.get("rows", ())}
    return [{**of_name.get(name, {}), "detector": name, "kind": kind, "attack": attacked, **about} for name in names]


def in_markdown(rows: list[Row], kinds: list[str]) -> str:
    """AUROC of the plain and the adaptive attack, a line a detector; of the adaptive also how many images succeeded."""
    of_cell = {(row["detector"], row["kind"], row["attack"]): row for row in rows}
    lines = []
    for name in DETECTORS:
        cells = [cell(of_cell.get((name, kind, attacked))) for kind in kinds for attacked in ("plain", "adaptive")]
        lines.append([name.replace("_", " "), *cells])
    return table(["detector", *(f"{kind}, {attacked}" for kind in kinds for attacked in ("plain", "adaptive"))], lines)


def cell(row: Row | None) -> str:
    """An AUROC with its interval, or how many of the images succeeded where these are too few."""
    if row is None:
        return "–"
    made = f"{row['succeeded']}/{row['made']}"
    return f"{row['auroc']:.3f} ({row['low']:.3f}–{row['high']:.3f}), {made}" if "auroc" in row else f"– ({made})"


if __name__ == "__main__":
    main()
