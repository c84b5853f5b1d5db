"""Makes the stored examples anew: `python tests/stored/make.py`. It belongs to the commit that README.md names.

Do not run it with later code: these files show that later code reads what that commit wrote.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(HERE.parent)]

from golden.images import command, digest, machine, pixels  # noqa: E402

import fooling  # noqa: E402

DIGITS, SOFTMAX = "prior.statistics=digits.npz", "classifier=softmax classifier.path=softmax.safetensors"

# Networks and statistics of scikit-learn's 8×8 digits, a file of each format.
FITTED = """
stats data.kind=sklearn components=8 exemplars=15 out=digits.npz
train classifier=softmax data.kind=sklearn epochs=10 out=softmax.safetensors
train classifier=perceptron data.kind=sklearn epochs=5 out=perceptron.safetensors
train classifier=mlp data.kind=sklearn epochs=10 hidden=16 out=mlp.safetensors
train classifier=mlp data.kind=sklearn epochs=20 hidden=16,12 activation=relu out=relu.safetensors
train classifier=mnist_mlp data.kind=sklearn epochs=20 hidden=16 out=sigmoid.safetensors
train classifier=cnn data.kind=sklearn epochs=10 hidden=24 channels=6,12 kernel=3 out=cnn.safetensors
eigen data.kind=sklearn classifier=digits_perceptron judges=[softmax.safetensors] components=8 steps=2,8 shown=3 out=eigen
"""
NETWORKS = {  # how `fooling.load_classifier` opens each file
    "softmax.safetensors": "softmax",
    "perceptron.safetensors": "perceptron",
    "mlp.safetensors": "mlp",
    "relu.safetensors": "mlp",
    "sigmoid.safetensors": "mnist_mlp",
    "cnn.safetensors": "cnn",
    "eigen/pca_means.safetensors": "pca",
    "eigen/pca_residual.safetensors": "pca",
}

# Finished records.
FINISHED = f"""
run digit=2 runs=2 population=20 generations=10 out=finished
run digit=3 runs=12 classifier=digits_perceptron {DIGITS} prior=exemplar proposals=40 generations=10 judges=[mlp.safetensors] \
out=small
run digit=4 search=feedback runs=2 generations=10 out=feedback
matrix digit=3,4 classifier=mlp classifier.path=mlp.safetensors {DIGITS} judges=[cnn.safetensors] runs=2 generations=10 \
proposals=40 out=matrix
ladder digit=3 classifier=digits_perceptron {DIGITS} rungs=[none,eigen] arms=[with,control] judges=[mlp.safetensors] runs=2 \
population=10 generations=5 proposals=40 out=ladder
"""

# Records that are interrupted once they have so many lines of metrics, of so many in all.
INTERRUPTED = {
    "ga": (46, "digit=2 runs=2 population=40 generations=2000 tol=0.024 stop=tol"),
    "anneal": (75, f"digit=3 runs=2 classifier.path=sigmoid.safetensors {DIGITS} prior=eigen proposals=40 generations=2000"),
    "pareto": (
        75,
        f"digit=5 runs=2 search=pareto classifier=mlp classifier.path=mlp.safetensors {DIGITS} population=16 generations=1000",
    ),
    "ascent": (40, "digit=3 runs=2 search=ascent classifier=cnn classifier.path=cnn.safetensors generations=60"),
    "dream": (40, "search=dream image=four.png size=32 octaves=2 octave_scale=1.1 layer=conv1 generations=30 again=1"),
    "feeding": (60, f"digit=4 runs=2 search=feedback {SOFTMAX} {DIGITS} stop=end generations=1000"),
}
SWEEP = (20, f"digit=0,1 runs=2 classifier=digits_perceptron {DIGITS} population=20 generations=40 engine=reference")


def main() -> None:
    """Makes all of it."""
    os.chdir(HERE)
    shutil.copy(ROOT / "docs" / "images" / "four.png", HERE)
    for path in HERE.iterdir():
        if path.name not in ("make.py", "README.md", "four.png", "__pycache__"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for line in [*FITTED.split("\n"), *FINISHED.split("\n")]:
        if line and command(*line.split(), "quiet=true"):
            raise SystemExit(line)
    for name, (lines, words) in INTERRUPTED.items():
        interrupt(words.split(), Path(name), Path(name), lines)
    interrupt(SWEEP[1].split(), Path("sweep"), Path("sweep/digit=1"), SWEEP[0])
    expected = {"machine": machine(), "images": whole(), "networks": networks(), "aurocs": aurocs()}
    Path("expected.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")
    tidy()


def interrupt(words: list[str], out: Path, job: Path, lines: int) -> None:
    """Runs the main job in a process of its own and sends it SIGINT once the record of `job` has so many lines of metrics."""
    call = [sys.executable, "-m", "fooling.run", *words, f"out={out}", "quiet=true"]
    process = subprocess.Popen(call, env={**os.environ, "PYTHONPATH": str(ROOT)})
    metrics = job / "metrics.jsonl"
    while process.poll() is None and (not metrics.exists() or metrics.read_bytes().count(b"\n") < lines):
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    code, status = process.wait(), json.loads((job / "run.json").read_text(encoding="utf-8"))["status"]
    if (code, status) != (130, "interrupted"):
        raise SystemExit(f"{out}: exit code {code}, {status}")


def networks() -> dict[str, dict[str, Any]]:
    """How each file of weights is opened, and what that network says of the first test images."""
    images = fooling.load_data(None, "sklearn", "test").images[:2]
    return {
        path: {"name": name, "scores": fooling.load_classifier(name, path)(images).tolist()} for path, name in NETWORKS.items()
    }


def whole() -> dict[str, str]:
    """SHA-256 of the images of each record; of interrupted ones, of the same job undisturbed."""
    jobs = {name: words for name, (_, words) in INTERRUPTED.items()}
    found = {name: digest(fooling.evolve(*words.split()).images) for name, words in jobs.items()}
    found |= {f"sweep/digit={one.digit}": digest(one.images) for one in fooling.evolve(*SWEEP[1].split())}
    records = [path.parent for path in Path().rglob("run.json") if path.parent.as_posix() not in found]
    return found | {record.as_posix(): digest(map(pixels, sorted(record.glob("images/*.png")))) for record in sorted(records)}


def aurocs() -> dict[str, float]:
    """How well simple statistics tell the images of `small` from real ones."""
    command("plausibility", "small", "data.kind=sklearn", "out=found", "quiet=true")
    found = json.loads(Path("found/plausibility.json").read_text(encoding="utf-8"))["statistics"]
    shutil.rmtree("found")
    return {name: values["auroc"] for name, values in found.items()}


def tidy() -> None:
    """Removes pictures that nothing reads again."""
    for path in (*HERE.rglob("*.png"), *HERE.rglob("*.webp")):
        if path.parent.name not in ("images", "front") and path.name not in ("four.png", "mean.png", "mean_converged.png"):
            path.unlink()
    for path in HERE.glob("*.json"):
        if path.name != "expected.json":
            path.unlink()


if __name__ == "__main__":
    main()
