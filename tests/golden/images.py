"""Golden images: SHA-256 of what small jobs make, so that a change of the code that changes a pixel is seen.

    python tests/golden/images.py           compares with images.json, names what differs, exit code 1 if anything does
    python tests/golden/images.py anneal    the same of the lines that hold this word, and of what they need
    python tests/golden/images.py exact     the same of the lines whose images are the same on every machine
    python tests/golden/images.py write     writes images.json

With -v the seconds of each line are told. All lines take about 80 seconds on two cores; the first time compiles for minutes.
It takes the public interface alone: `fooling.evolve`, the `fooling` command, and the files that they leave.
"""

import contextlib
import hashlib
import importlib
import io
import json
import os
import platform
import shutil
import sys
import tempfile
import time
import tomllib
import traceback
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent.parent
STORED, GOLDEN = ROOT / "tests" / "stored", Path(__file__).with_suffix(".json")

# What each search has unless its line says otherwise.
USUAL = {
    "ga": "runs=2 seed=5 population=10 selected=4 generations=5",
    "anneal": "runs=2 seed=5 proposals=30 generations=5",
    "pareto": "runs=2 seed=5 population=12 generations=5",
    "ascent": "runs=2 seed=5 generations=6",
    "dream": "runs=1 seed=5 generations=4",
    "feedback": "runs=2 seed=5 generations=60",
}

LONGEST = ("search=anneal", "search=pareto")  # whose kernels compile longest, first: tests beside find them compiled

# Jobs whose images are the same on every machine and with all versions: of them whole numbers and a fixed order of
# additions and multiplications decide. A line is a call of `fooling.evolve`.
EXACT = """
search=ga
search=ga engine=reference
search=ga engine=deap
search=ga scoring=dense
search=ga threads=1
search=ga threads=3 runs=5
search=ga runs=30 population=100 generations=12

search=ga prior=none stop=end
search=ga prior=histogram
search=ga prior=exemplar
search=ga prior=regional
search=ga prior=eigen
search=ga prior=none stop=end scoring=dense
search=ga prior=exemplar scoring=dense
search=ga prior=regional scoring=dense
search=ga prior=eigen scoring=dense
search=ga prior=none stop=end engine=reference
search=ga prior=histogram engine=reference
search=ga prior=exemplar engine=reference
search=ga prior=regional engine=reference
search=ga prior=eigen engine=reference
search=ga prior=none stop=end engine=deap
search=ga prior=histogram engine=deap
search=ga prior=exemplar engine=deap
search=ga prior=regional engine=deap
search=ga prior=eigen engine=deap

search=ga prior=none generations=60
search=ga prior=none generations=60 scoring=dense
search=ga prior=none generations=60 threshold=0.99 budget=150
search=ga prior=none digit=any generations=30
search=ga prior=none digit=any engine=reference
search=ga digit=any prior.digit=3
search=ga digit=0,1,9 runs=1
search=ga digit=7 control=true
search=ga digit=7 control=true prior=eigen engine=reference
search=ga digit=4 prior.digit=3 prior=eigen
search=ga tol=1.0 stop=tol generations=40
search=ga prior.weights.variogram=3 prior.weights.target=0.5 prior.target_free=0.01
search=ga prior.weights.regional=1 prior.weights.eigen=0.1 prior.hinge=[regional,eigen]
search=ga prior.lags=5 prior.bins=32
search=ga prior.exemplar=true
search=ga prior.exemplar=true lag_weights=spread draw=bins
search=ga quirk_lag1=true
search=ga quirk_axes=true engine=reference
search=ga draw=bins
search=ga elitism=false
search=ga elitism=false returns=worst
search=ga selected=1
search=ga selected=10
search=ga judges=[mnist_mlp2]

search=ga crossover=none
search=ga crossover=rectangle
search=ga crossover=rectangle scoring=dense
search=ga crossover=rectangle engine=reference
search=ga rectangles=0.4
search=ga mutate_factor=10
search=ga mutate_factor=0
search=ga min_rate=0.05
search=ga gaussians=3
search=ga gaussians=3 gaussian_sd=60 scoring=dense
search=ga polynomials=3
search=ga polynomials=3 polynomial_eta=4 scoring=dense
search=ga blurs=2
search=ga blurs=2 scoring=dense
search=ga swaps=0
search=ga swaps=20
search=ga rectangles=0.3 min_rate=0.01 gaussians=2 polynomials=2 blurs=1 swaps=3
search=ga rectangles=0.3 min_rate=0.01 gaussians=2 polynomials=2 blurs=1 swaps=3 scoring=dense
search=ga rectangles=0.3 min_rate=0.01 gaussians=2 polynomials=2 blurs=1 swaps=3 engine=reference
search=ga rectangles=0.3 min_rate=0.01 gaussians=2 polynomials=2 blurs=1 swaps=3 engine=deap
search=ga rectangles=0.3 min_rate=0.01 gaussians=2 polynomials=2 blurs=1 swaps=3 prior=eigen

preset=blog2015
preset=blog2015 scoring=dense runs=4
preset=blog2015 engine=reference population=10 selected=4 generations=5
preset=mismatched digit=4 prior.digit=3 generations=5 proposals=30 judges=[mnist_mlp2]
preset=mismatched digit=4 prior.digit=3 search=ga population=10 selected=4 generations=5 judges=[]

search=anneal
search=anneal engine=reference
search=anneal scoring=dense
search=anneal prior=none stop=end
search=anneal prior=histogram
search=anneal prior=exemplar
search=anneal prior=regional
search=anneal prior=eigen
search=anneal prior=none stop=end engine=reference
search=anneal prior=exemplar engine=reference
search=anneal prior=regional engine=reference
search=anneal prior=eigen engine=reference
search=anneal prior=exemplar scoring=dense
search=anneal prior=regional scoring=dense
search=anneal prior=eigen scoring=dense
search=anneal swap_share=0.5
search=anneal swap_share=0.5 engine=reference
search=anneal temperature=0.05 cooling=0.5
search=anneal temperature=0
search=anneal control=true prior=eigen
search=anneal digit=any prior=none stop=end
search=anneal draw=bins prior.lags=4
search=anneal prior=eigen runs=12 proposals=400 generations=10
search=anneal prior=none budget=500 generations=100

search=pareto
search=pareto engine=reference
search=pareto prior=histogram
search=pareto prior=exemplar
search=pareto prior=regional
search=pareto prior=eigen
search=pareto prior=eigen engine=reference
search=pareto gaussians=2 polynomials=2 blurs=1 rectangles=0.3
search=pareto digit=any prior.digit=3
search=pareto runs=5 population=40 generations=15

search=ga classifier=mnist_mlp2
search=anneal classifier=mnist_mlp2 prior=eigen
search=pareto classifier=mnist_mlp2
search=ga classifier=digits_perceptron prior=none stop=end
search=ga classifier=digits_perceptron statistics=digits.npz
search=ga classifier=digits_perceptron statistics=digits.npz engine=reference
search=ga classifier=digits_perceptron statistics=digits.npz prior=eigen
search=anneal classifier=digits_perceptron statistics=digits.npz prior=eigen
search=pareto classifier=digits_perceptron statistics=digits.npz prior=regional
search=ga classifier=digits_perceptron data.kind=sklearn
search=ga classifier=softmax classifier.path=softmax.safetensors statistics=digits.npz
search=ga classifier=softmax classifier.path=softmax.safetensors statistics=digits.npz engine=reference
search=anneal classifier=softmax classifier.path=softmax.safetensors statistics=digits.npz prior=exemplar
search=ga classifier=perceptron classifier.path=perceptron.safetensors statistics=digits.npz
search=anneal classifier=perceptron classifier.path=perceptron.safetensors statistics=digits.npz prior=exemplar
search=ga classifier=mlp classifier.path=mlp.safetensors statistics=digits.npz
search=ga classifier=mlp classifier.path=mlp.safetensors statistics=digits.npz engine=reference
search=anneal classifier=mlp classifier.path=mlp.safetensors statistics=digits.npz prior=eigen
search=pareto classifier=mlp classifier.path=mlp.safetensors statistics=digits.npz
search=ga classifier=mlp classifier.path=relu.safetensors statistics=digits.npz
search=ga classifier=mlp classifier.path=relu.safetensors statistics=digits.npz engine=reference
search=anneal classifier=mlp classifier.path=relu.safetensors statistics=digits.npz
search=ga classifier=mnist_mlp classifier.path=sigmoid.safetensors statistics=digits.npz
search=anneal classifier=mnist_mlp classifier.path=sigmoid.safetensors statistics=digits.npz

search=ga classifier=python classifier.path=my_scores:make data.path=colours.npz digit=1
search=ga classifier=python classifier.path=my_scores:make statistics=colour.npz digit=1
search=ga classifier=python classifier.path=my_scores:make statistics=colour.npz digit=1 engine=reference
search=ga classifier=python classifier.path=my_scores:make statistics=colour.npz digit=1 engine=deap prior=regional
search=ga classifier=python classifier.path=my_scores:make statistics=colour.npz digit=1 blurs=2 gaussians=2 rectangles=0.3
search=ga classifier=python classifier.path=my_scores:make classifier.shape=[9,7,1] prior=none stop=end digit=2
search=anneal classifier=python classifier.path=my_scores:make statistics=colour.npz digit=1
search=anneal classifier=python classifier.path=my_scores:make statistics=colour.npz digit=1 engine=reference swap_share=0.5
search=pareto classifier=python classifier.path=my_scores:make statistics=colour.npz digit=1
search=ga classifier=python classifier.path=my_scores:make statistics=colour.npz digit=any prior=none layout=NCHW scale=1
"""

# Jobs through XLA's or BLAS' floats, or NumPy's normal numbers: their images may change with the machine and the versions.
FLOATS = """
search=ga engine=jax
search=ga engine=jax prior=histogram rectangles=0.3 min_rate=0.01 gaussians=2 polynomials=2 blurs=1 swaps=3
search=ga engine=jax prior=exemplar
search=ga engine=jax prior=regional
search=ga engine=jax prior=eigen
search=ga engine=jax prior=none digit=any generations=30
search=ga engine=jax control=true elitism=false returns=worst draw=bins
search=ga engine=jax classifier=mlp classifier.path=relu.safetensors statistics=digits.npz
search=ga engine=jax classifier=mnist_cnn2
preset=blog2015 engine=jax population=10 selected=4 generations=5

search=ga classifier=mnist_cnn
search=ga classifier=mnist_cnn engine=reference generations=3
search=ga classifier=mnist_cnn prior=none stop=end scoring=dense
search=ga classifier=mnist_cnn2 prior=eigen
search=anneal classifier=mnist_cnn prior=eigen
search=pareto classifier=mnist_cnn2
search=ga judges=[mnist_cnn,mnist_cnn2]
search=ga classifier=cnn classifier.path=cnn.safetensors statistics=digits.npz
search=anneal classifier=cnn classifier.path=cnn.safetensors statistics=digits.npz prior=eigen
search=ga classifier=pca classifier.path=pca_residual.safetensors statistics=digits.npz
search=ga classifier=pca classifier.path=pca_means.safetensors statistics=digits.npz engine=reference
search=anneal classifier=pca classifier.path=pca_residual.safetensors statistics=digits.npz
search=ga classifier=digits_perceptron data.kind=sklearn prior=eigen

search=ascent
search=ascent classifier=mnist_cnn
search=ascent blur_sd=0 climb=target
search=ascent blur_sd=2 blur_every=3 decay=0.05 ground=0 rate=9
search=ascent total_variation=0.5 jitter=2
search=ascent start=levels
search=ascent start=mean noise=5
search=ascent start=grey
search=ascent image=four.png digit=3
search=ascent prior=variogram
search=ascent prior=histogram
search=ascent prior=exemplar
search=ascent prior=regional
search=ascent prior=eigen blur_sd=0
search=ascent prior=eigen control=true
search=ascent digit=any
search=ascent stop=threshold generations=30
search=ascent classifier=digits_perceptron
search=ascent classifier=mlp classifier.path=relu.safetensors statistics=digits.npz prior=variogram
search=ascent classifier=pca classifier.path=pca_residual.safetensors

search=dream
search=dream digit=4 start=grey runs=2
search=dream layer=conv2 channel=3
search=dream layer=dense3 neuron=17
search=dream layer=conv1 neuron=3,4,5
search=dream layer=pool2 image=four.png size=40 octaves=2
search=dream image=four.png size=40 octaves=3 octave_scale=1.2 again=2 zoom=0.1 generations=3 layer=conv1 out=dream
search=dream size=36 layer=relu2 jitter=3 total_variation=0.1 decay=0.01
search=dream classifier=mnist_mlp layer=dense1
search=dream classifier=mnist_cnn2 digit=any
search=dream classifier=cnn classifier.path=cnn.safetensors layer=conv1 size=12

search=feedback digit=4
search=feedback digit=4 generations=15 out=feedback
search=feedback digit=any
search=feedback digit=4 decay=0 losers=0.2 rate=5
search=feedback digit=4 start=noise generations=400
search=feedback digit=3 classifier=perceptron classifier.path=perceptron.safetensors
search=feedback digit=3 classifier=softmax classifier.path=softmax.safetensors start=levels statistics=digits.npz

search=ga classifier=softmax classifier.path=trained_softmax.safetensors statistics=fitted.npz
search=ga classifier=perceptron classifier.path=trained_perceptron.safetensors statistics=fitted.npz
search=anneal classifier=mlp classifier.path=trained_mlp.safetensors statistics=fitted.npz prior=eigen
search=ga classifier=cnn classifier.path=trained_cnn.safetensors statistics=fitted.npz
search=anneal classifier=pca classifier.path=eigen/pca_residual.safetensors statistics=fitted.npz
"""

# Commands: the arrays of the files and the images of the folders that they leave, and the numbers of their JSON.
COMMANDS = """
stats data.kind=sklearn out=fitted.npz
stats data.path=colours.npz bins=7 components=2 grid=2 reach=2 exemplars=4 out=colour.npz
train classifier=softmax data.kind=sklearn epochs=2 out=trained_softmax.safetensors
train classifier=perceptron data.kind=sklearn epochs=2 out=trained_perceptron.safetensors
train classifier=perceptron data.kind=sklearn epochs=2 average=false seed=3 shift=1 out=trained_last.safetensors
train classifier=mlp data.kind=sklearn epochs=2 hidden=12 out=trained_mlp.safetensors
train classifier=mlp data.kind=sklearn epochs=2 hidden=12,9 activation=relu shift=1 out=trained_relu.safetensors
train classifier=cnn data.kind=sklearn epochs=1 hidden=8 channels=3,5 kernel=3 out=trained_cnn.safetensors
train classifier=mnist_mlp data.kind=sklearn epochs=2 hidden=9 seed=2 out=trained_sigmoid.safetensors
train classifier=mnist_cnn2 data.path=colours.npz epochs=1 hidden=4 channels=2,3 kernel=2 out=trained_colours.safetensors
eigen data.kind=sklearn classifier=digits_perceptron judges=[] components=5 steps=2,5 shown=2 out=eigen
matrix digit=3,4 runs=2 generations=3 judges=[mnist_cnn2,mnist_mlp2] out=matrix
gallery search=ascent digit=1,2 runs=1 generations=3 out=gallery
mean digit=1,2 priors=[none,eigen] runs=2 generations=3 out=mean
damage classifier=digits_perceptron data.kind=sklearn neurons=1,3 repeats=2 runs=2 generations=3 images=40 pictured=2 out=damage
border classifier=digits_perceptron data.kind=sklearn images=40 offsets=0,2 scales=0.7,1 threshold=0.5 out=border
scramble classifier=digits_perceptron data.kind=sklearn images=40 shares=0,50 out=scramble
ladder digit=2 rungs=[none,eigen] arms=all runs=2 generations=3 judges=[mnist_mlp2] out=ladder
classify four.png out=classify
"""


def lines(words: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """The lines that hold all words, each a command or a job, exact or not; first the commands whose files others need."""
    tables = (("command", False, COMMANDS), ("job", True, EXACT), ("job", False, FLOATS))
    every = {line: (kind, exact) for kind, exact, table in tables for line in table.splitlines() if line}
    only_exact, words = "exact" in words, [word for word in words if word != "exact"]
    chosen = [line for line, (_, exact) in every.items() if all(word in line for word in words) and (exact or not only_exact)]
    needed = [line for line in every if every[line][0] == "command" and any(named(line) in other for other in chosen)]
    order = sorted(every, key=lambda line: (every[line][0] != "command", not any(word in line for word in LONGEST)))
    return {line: every[line] for line in order if line in chosen or line in needed}


def named(line: str) -> str:
    """How other lines name what a command leaves."""
    return f"={line.rpartition('out=')[2]}"


# --- what is hashed -----------------------------------------------------------------------------------------------------


def digest(arrays: Iterable[Any]) -> str:
    """SHA-256 of arrays, one after the other: shape, type and bytes of each."""
    found = hashlib.sha256()
    for array in map(np.asarray, arrays):
        found.update(f"{array.shape} {array.dtype.newbyteorder('<').str}".encode())
        found.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()


def of_results(found: Any) -> dict[str, str]:
    """Hashes of a result, or of a list of them: its images; its numbers; the front of search=pareto."""
    results = found if isinstance(found, list) else [found]
    hashes = {
        "shape": " ".join("×".join(map(str, one.images.shape)) for one in results),
        "images": digest(one.images for one in results),
        "numbers": digest(array for one in results for array in numbers(one)),
    }
    if results[0].front is not None:
        front = results[0].front
        hashes["front"] = digest([front.images, front.runs, front.ranks])
    return hashes


def numbers(result: Any) -> list[Any]:
    """What a result says of its images, but for the seconds."""
    named = (result.terms, result.judges, result.own, {k: v for k, v in result.history.items() if "second" not in k})
    plain = ("scores", "cost", "converged", "evaluations", "changed", "evaluations_to", "generations", "passes", "classes")
    more = [np.zeros(0) if result.exemplars is None else result.exemplars]
    return [getattr(result, name) for name in plain] + more + [group[name] for group in named for name in sorted(group)]


def of_file(path: Path) -> dict[str, str]:
    """Hashes of what a file or a folder holds: arrays, images, numbers. Pictures with text in them are left out."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {name: digest([arrays[name]]) for name in sorted(arrays)}
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        tensors = load_file(path)
        return {name: digest([tensors[name]]) for name in sorted(tensors)}
    if path.suffix == ".json":
        return {"numbers": hashlib.sha256(json.dumps(timeless(json.loads(path.read_text()))).encode()).hexdigest()}
    found = {"images": digest(map(pixels, sorted(path.rglob("images/*.png"))))}
    results = [one for one in path.glob("*.json") if one.name != "report.json"]  # which has the same numbers
    for inner in sorted([*results, *path.rglob("*.safetensors"), *path.rglob("*.npz")]):
        name = inner.relative_to(path).as_posix()
        if inner.name == "checkpoint.npz":
            with np.load(inner) as arrays:
                found[f"{name} film"] = digest([arrays["track_frames"], arrays["track_frame_generations"]])
        elif inner.name not in ("sweep.json", "experiment.json", "run.json"):
            found |= {f"{name} {key}": value for key, value in of_file(inner).items()}
    return found


def pixels(path: Path) -> Any:
    """The pixels of a picture, [H, W, C]."""
    from PIL import Image

    with Image.open(path) as picture:
        found = np.asarray(picture)
    return found[:, :, None] if found.ndim == 2 else found


def timeless(value: Any) -> Any:
    """A JSON value without what the clock and the versions say."""
    if isinstance(value, dict):
        left_out = ("second", "versions", "speed", "begun")
        return {key: timeless(inner) for key, inner in value.items() if not any(word in key for word in left_out)}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


# --- running ------------------------------------------------------------------------------------------------------------


def run_line(kind: str, line: str) -> dict[str, str]:
    """What a line of the tables makes, hashed."""
    words = line.split()
    given = dict(word.partition("=")[::2] for word in words)
    out = Path(given.get("out", ""))
    if kind == "command":
        code = command(*words, "quiet=true")
        if code:
            raise RuntimeError(f"exit code {code}")
        return of_file(out) if out.name else {}
    import fooling

    search = given.get("search", "" if "preset" in given else "ga")
    usual = [word for word in USUAL.get(search, "runs=2 seed=5").split() if word.partition("=")[0] not in given]
    words = [word.replace("statistics=", "prior.statistics=") if word.startswith("statistics=") else word for word in words]
    hashes = of_results(fooling.evolve(*words, *usual))
    return {**hashes, **{f"{out}/{key}": value for key, value in of_file(out).items()}} if out.name else hashes


def command(*words: str) -> int:
    """`fooling COMMAND key=value …` in this process, by the entry that pyproject.toml names; → exit code."""
    entry = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]["fooling"]
    module, _, function = entry.partition(":")
    before, sys.argv = sys.argv, ["fooling", *words]
    try:
        return int(getattr(importlib.import_module(module), function)() or 0)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before


SCORES = '''
"""Scores by whole numbers: the same on every machine."""

import numpy as np


def make():
    """Three classes: how much light falls on every pixel of theirs."""

    def scores(images):
        largest = 255 if images.max() <= 1 else 1
        levels = np.rint(np.asarray(images, dtype=np.float64) * largest).astype(np.int64).reshape(len(images), -1)
        places = np.arange(levels.shape[1])
        sums = np.stack([levels[:, places * (k + 3) % 7 < 3].sum(axis=1) for k in range(3)], axis=1) + 1
        return (sums**4 / (sums**4).sum(axis=1, keepdims=True)).astype(np.float32)

    return scores
'''


def furnish(folder: Path) -> None:
    """Puts the files that the tables name into a folder: stored networks and statistics, a picture, data, a scorer."""
    for path in (
        *STORED.glob("*.safetensors"),
        *STORED.glob("eigen/*.safetensors"),
        STORED / "digits.npz",
        ROOT / "docs" / "images" / "four.png",
    ):
        shutil.copy(path, folder)
    (folder / "my_scores.py").write_text(SCORES, encoding="utf-8")
    places = np.arange(60 * 8 * 6 * 3).reshape(60, 8, 6, 3)
    images = (places * 7919 % 1009 + places // 3 % 360) % 256 * (places % 5 < 3)
    np.savez(folder / "colours.npz", images=images.astype(np.uint8), labels=np.arange(60) % 3)


def machine() -> dict[str, str | int]:
    """What floats may depend on."""
    names = ("numpy", "numba", "jax", "jaxlib", "scipy", "scikit-learn", "deap", "pillow")
    versions = {name: version(name) for name in names}
    return {"python": platform.python_version(), **versions, "cpu": cpu(), "cores": os.cpu_count() or 1}


def cpu() -> str:
    """The processor in words."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").split("\n\n")[0].splitlines() if path.exists() else []
    about = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if "model name" not in about:
        return f"{platform.processor()} {platform.machine()}"
    vectors = [flag for flag in about.get("flags", "").split() if flag in ("avx2", "avx512f", "amx_tile")]
    return " ".join([about["model name"], "model", about.get("model", "?"), *vectors])


def run_all(words: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The hashes of the lines that hold all words, made in a folder of their own."""
    found: dict[str, dict[str, Any]] = {}
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        furnish(Path(folder))
        os.chdir(folder)
        try:
            for line, (kind, exact) in lines(words).items():
                start, said = time.perf_counter(), io.StringIO()
                try:
                    with contextlib.redirect_stdout(said):
                        hashes = run_line(kind, line)
                except Exception as error:  # what fails is told, and the others are looked at
                    traceback.print_exc(limit=-2)
                    hashes = {"error": f"{type(error).__name__}: {error}"}
                found[line] = {"exact": exact, **hashes}
                if "-v" in sys.argv:
                    sys.stderr.write(f"{time.perf_counter() - start:6.2f} s  {line}\n")
        finally:
            os.chdir(before)
    return found


def differences(found: dict[str, dict[str, Any]], expected: dict[str, Any], same: bool) -> list[str]:
    """What differs, a line each; of what depends on the machine only where it is the same."""
    told = []
    for name, now in found.items():
        then = expected.get(name)
        if "error" in now or then is None:
            told.append(f"{name}: {now.get('error', 'is not in images.json')}")
        elif now["exact"] or same:
            other = [key for key in dict.fromkeys([*then, *now]) if now.get(key) != then.get(key)]
            told += [f"{name}: {', '.join(other)}"] if other else []
    return told


def main() -> int:
    """Compares or writes; → exit code."""
    sys.path.insert(0, str(ROOT))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fooling" / "jax"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))  # compiling takes minutes
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    write, words = "write" in sys.argv[1:], [word for word in sys.argv[1:] if word not in ("write", "-v")]
    start, here = time.perf_counter(), machine()
    found = run_all([] if write else words)
    seconds = f"{len(found)} lines, {time.perf_counter() - start:.0f} s"
    if write:
        told = [f"{name}: {hashes['error']}" for name, hashes in found.items() if "error" in hashes]
        if not told:
            GOLDEN.write_text(
                json.dumps({"machine": here, "jobs": found}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
        sys.stdout.write("\n".join([*told, f"{seconds}: images.json is {'not ' if told else ''}written"]) + "\n")
        return int(bool(told))
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    same, expected = golden["machine"] == here, golden["jobs"]
    told = differences(found, expected, same)
    told += [f"{name}: is no more in the tables" for name in expected if name not in found and not words]
    for line in told:
        sys.stdout.write(f"{line}\n")
    if not same:
        number = sum(not hashes["exact"] for hashes in found.values())
        sys.stdout.write(
            f"not compared, since they depend on the machine: {number} lines; images.json is of {golden['machine']}\n"
        )
    sys.stdout.write(f"{seconds}: {f'{len(told)} differ' if told else 'as before'}\n")
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
