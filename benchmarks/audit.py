"""Ten models, one `fooling audit` each, and whether their order by Q repeats under another seed.

python benchmarks/audit.py data=MNIST models=FOLDER work=FOLDER seeds=0,1 only= minutes=10 json=false

`models` holds imagenet/efficientnet_lite0.onnx and textline/textline_direction.onnx; without it, eight models are audited.
Networks of every kind that `fooling train` knows, a LeNet as ONNX and a pipeline of scikit-learn are made in `work` first, and
audits that lie there are not repeated. With the first seed everything is measured, with the others the attacks without a prior
alone. A model whose median attack does not reach the confidence counts as harder than all others (by .9999, then by .99, then
by the share that reaches .99).
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import finish, table, words
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from models import write_onnx

import fooling

LENET = ("channels=6,16", "hidden=84", "seed=5")
TRAINED = {
    "softmax": ("classifier=softmax",),
    "perceptron": ("classifier=perceptron", "epochs=5"),
    "mlp": ("classifier=mlp", "hidden=100,50", "seed=4"),
    "cnn": ("classifier=cnn", "epochs=3", "seed=6"),
    "lenet": ("classifier=cnn", "epochs=3", *LENET),
}
COLUMNS = (
    "model",
    "Q to .99",
    "Q to .9999",
    "reached .9999",
    "accuracy",
    "ECE",
    "noise ≥ .99",
    "mismatch",
    "seconds",
    "Q, other seeds",
)
NONE = "–"


def run(*command: str) -> float:
    """Runs fooling; → seconds. Ends with what it said where it fails."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "fooling", *command], check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return time.perf_counter() - start


def make_models(data: str, work: Path) -> None:
    """Trains what is not there yet."""
    for name, given in TRAINED.items():
        path = work / f"{name}.safetensors"
        if not path.exists():
            run("train", *given, f"data.path={data}", f"out={path}", "quiet=true")
    if not (work / "lenet.onnx").exists():
        write_onnx(work / "lenet.onnx", network={"name": "cnn", "path": str(work / "lenet.safetensors")})
    if not (work / "pipeline.skops").exists():
        import skops.io
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        train = fooling.load_data(data)
        flat = train.images.reshape(len(train.images), -1) / 255
        pipeline = make_pipeline(PCA(60, random_state=0), LogisticRegression(max_iter=300)).fit(
            flat[:20000], train.labels[:20000]
        )
        skops.io.dump(pipeline, work / "pipeline.skops")


def audits(data: str, models: str, work: Path) -> dict[str, list[str]]:
    """The words of each audit, by model."""
    mnist = [f"data.path={data}"]
    found = {
        "mnist_mlp (bundled)": ["classifier=mnist_mlp", *mnist],
        "mnist_cnn (bundled)": ["classifier=mnist_cnn", *mnist],
        **{
            f"{name} (trained)": [f"classifier={name}", f"classifier.path={work / name}.safetensors", *mnist]
            for name in TRAINED
            if name != "lenet"
        },
        "LeNet (ONNX)": ["classifier=onnx", f"classifier.path={work / 'lenet.onnx'}", "classifier.scale=1/255", *mnist],
        "PCA and logistic regression (scikit-learn)": [
            "classifier=sklearn",
            f"classifier.path={work / 'pipeline.skops'}",
            *mnist,
        ],
    }
    if models:
        line = ["classifier.scale=1/255", "classifier.mean=0.5", "classifier.std=0.5", "classifier.shape=48,192,3"]
        found["text line (ONNX)"] = ["classifier=onnx", f"classifier.path={models}/textline/textline_direction.onnx", *line]
        scale = ["classifier.scale=1", "classifier.mean=127", "classifier.std=128"]
        found["EfficientNet-Lite0 (ONNX)"] = [
            "classifier=onnx",
            f"classifier.path={models}/imagenet/efficientnet_lite0.onnx",
            *scale,
        ]
    return found


def audit(given: list[str], folder: Path, seed: int, whole: bool, minutes: float) -> dict[str, Any]:
    """What an audit found, with its seconds."""
    if not (folder / "seconds.txt").exists():
        less = [] if whole else ["rungs=[]", "pairs=0"]
        seconds = run(
            "audit", *given, f"seed={seed}", f"out={folder}", f"minutes={minutes}", "quiet=true", "overwrite=true", *less
        )
        (folder / "seconds.txt").write_text(f"{seconds:.1f}")
    content = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    return {
        **{key: content[key] for key in ("figures", "protocol", "verdict", "checks")},
        "seconds": float((folder / "seconds.txt").read_text()),
    }


def hardness(found: dict[str, Any]) -> tuple[float, float, float]:
    """What models are ranked by: more is harder."""
    figures = found["figures"]
    q = [np.inf if figures[name]["value"] is None else figures[name]["value"] for name in ("q9999", "q99")]
    return (q[0], q[1], -figures["reached99"]["value"])


def ranks(found: list[dict[str, Any]]) -> list[int]:
    """The place of each model, the easiest first; equal ones share a place."""
    values = [hardness(one) for one in found]
    return [sorted(values).index(value) for value in values]


def shown(figures: dict[str, Any], name: str) -> str:
    """A figure in a cell."""
    figure = figures.get(name)
    if figure is None:
        return NONE
    if figure["value"] is None:
        return f"> {figure['above']:,.0f}"
    if name == "mismatch":  # of few pairs
        return f"{100 * figure['value']:.0f} % ({100 * figure['low']:.0f}–{100 * figure['high']:.0f})"
    return f"{100 * figure['value']:.1f} %" if figure["unit"] == "share" else f"{figure['value']:,.0f}"


def main() -> None:
    """Prints the table and the rank correlations, and writes audit.json."""
    chosen = words(data="", models="", work="audits", seeds="0,1", only="", minutes=10.0, json=False)
    if not chosen["data"]:
        raise SystemExit("data: expected MNIST's folder, data=PATH")
    work, seeds = Path(chosen["work"]), [int(seed) for seed in chosen["seeds"].split(",")]
    work.mkdir(parents=True, exist_ok=True)
    make_models(chosen["data"], work)
    found: dict[str, list[dict[str, Any]]] = {}
    for name, given in audits(chosen["data"], chosen["models"], work).items():
        if chosen["only"] in name:
            slug = "".join(letter if letter.isalnum() else "-" for letter in name)
            found[name] = [audit(given, work / f"{slug}-{seed}", seed, seed == seeds[0], chosen["minutes"]) for seed in seeds]
            print(name, *(f"{one['seconds']:.0f} s" for one in found[name]), flush=True)
    rows = []
    for name, several in found.items():
        first, names = several[0], ("q99", "q9999", "reached9999", "accuracy", "ece", "noise99", "mismatch")
        others = ", ".join(shown(one["figures"], "q9999") for one in several[1:])
        rows.append([name, *(shown(first["figures"], key) for key in names), f"{first['seconds']:.0f}", others])
    print(table(list(COLUMNS), rows))
    places = [ranks([several[i] for several in found.values()]) for i in range(len(seeds))]
    correlations = [float(spearmanr(places[0], other).statistic) for other in places[1:]]
    for seed, value in zip(seeds[1:], correlations, strict=True):
        print(f"Spearman's rank correlation of the {len(found)} models, seeds {seeds[0]} and {seed}: {value:.3f}")
    finish("audit", {"columns": list(COLUMNS), "rows": rows, "seeds": seeds, "spearman": correlations, "models": found}, chosen)


if __name__ == "__main__":
    main()
