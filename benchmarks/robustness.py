"""Kills at random moments, and damaged inputs: is every image still bit-identical, is every answer one line?

python benchmarks/robustness.py kills=200 inputs=10000 seed=0 json=false

A kill counts as survived if the same command then finishes with the images of a job that nothing disturbed. An input is a
command with random words, with one damaged file, or with a record of somebody whose settings name code. It fails by a
traceback, by taking longer than `LIMIT` seconds, by a false result (a record that claims to be done with other images than
those of the undamaged command), or because code ran that only the record names.
"""

import contextlib
import gzip
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import FrameType

import numpy as np
from measure import finish, table, words
from PIL import Image

from fooling.commands import dispatch
from fooling.errors import guarded

JOB = ["digit=2", "runs=2", "generations=60", "population=20", "quiet=true"]
SWEEP = ["digit=2,3", "runs=2", "generations=40", "population=20", "quiet=true"]
ARCHIVE = ["search=map_elites", "generations=60", "population=20", "first=40", "stop=end", "quiet=true"]
LIMIT = 30  # seconds for an input
RANDOM_WORDS = ("digit", "runs", "seed", "population", "prior", "search", "engine", "threshold", "budget", "classifier", "stop")
VALUES = (
    "",
    "0",
    "-1",
    "1e400",
    "nan",
    "1,2",
    "[",
    "{a: 1}",
    "null",
    "true",
    "ga",
    "any",
    "\x1b[2J",
    "9" * 400,
    "\u202e",
    "=",
    "*",
)


# --- kills --------------------------------------------------------------------------------------------------------------
def images(folder: Path) -> str:
    """A hash of all images of a record, or of the records in it."""
    total = sha256()
    for path in sorted(folder.rglob("images/*.png")):
        total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


def start(arguments: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    """The command in a process, in this folder."""
    command = [sys.executable, "-m", "fooling.run", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def survives(job: list[str], expected: str, seconds: float, randomness: random.Random, folder: Path) -> bool:
    """Whether a job that is killed up to three times ends with the expected images.

    Half of the jobs begin in a folder that holds another record, which they overwrite.
    """
    overwriting = randomness.random() < 0.5
    if overwriting:
        start([*job, "seed=1", "out=r"], folder).wait()
    again = [*job, "out=r", "overwrite=true" if overwriting else "resume=true"]
    for _ in range(randomness.randint(1, 3)):
        process = start(again, folder)
        time.sleep(randomness.uniform(0, seconds))
        process.kill()
        process.wait()
    return start(again, folder).wait() == 0 and images(folder / "r") == expected


def measure_kills(number: int, seed: int) -> dict[str, int]:
    """Kills tried and survived."""
    randomness, counts = random.Random(seed), Counter({"kills": 0, "identical": 0})
    with tempfile.TemporaryDirectory() as name:
        jobs = []
        for i, job in enumerate((JOB, SWEEP, ARCHIVE)):
            (whole := Path(name) / f"whole{i}").mkdir()
            start([*job, "out=r"], whole).wait()
            began = time.perf_counter()
            start([*job, "out=r", "overwrite=true"], whole).wait()
            jobs.append((job, images(whole / "r"), time.perf_counter() - began))
        for i in range(number):
            (folder := Path(name) / f"killed{i}").mkdir()
            counts["kills"] += 1
            counts["identical"] += survives(*jobs[i % 3], randomness, folder)
            shutil.rmtree(folder)
    return dict(counts)


# --- inputs -------------------------------------------------------------------------------------------------------------
def damaged(content: bytes, randomness: random.Random) -> bytes:
    """Content with bytes changed, cut off, repeated or put in."""
    kind, at = randomness.randrange(5), randomness.randrange(max(1, len(content)))
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + randomness.randbytes(randomness.choice((1, 8, 300))) + content[at:]
    if kind == 2:
        return content[:at] + content[at // 2 :]
    changed = bytearray(content)
    for _ in range(randomness.choice((1, 3, 30))):
        if changed:
            changed[randomness.randrange(len(changed))] = randomness.choice((0, 255, 10, 34, randomness.randrange(256)))
    return bytes(changed)


def prepare(folder: Path) -> dict[str, tuple[list[str], str]]:
    """Files to damage, each with the command that reads it and, for records, the hash of its images."""
    os.chdir(folder)
    generator = np.random.default_rng(0)
    for k in (0, 1):
        Path(f"set/{k}").mkdir(parents=True)
        for i in range(4):
            Image.fromarray(generator.integers(0, 256, (28, 28), dtype=np.uint8)).save(f"set/{k}/{i}.png")
    np.savez("set.npz", images=generator.integers(0, 256, (20, 8, 8), dtype=np.uint8), labels=np.arange(20) % 2)
    for ending in ("png", "jpg", "tif", "webp"):
        Image.fromarray(generator.integers(0, 256, (40, 30), dtype=np.uint8)).save(f"two.{ending}")
    Path("idx").mkdir()
    for kind, array in (
        ("images-idx3", generator.integers(0, 256, (20, 8, 8), dtype=np.uint8)),
        ("labels-idx1", np.arange(20) % 2),
    ):
        content = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
        Path(f"idx/train-{kind}-ubyte.gz").write_bytes(gzip.compress(content + array.astype(np.uint8).tobytes()))
    Path("labels.txt").write_text("\n".join(f"class {k}" for k in range(10)))
    write_model(Path("n.onnx"), generator)
    small = ["runs=2", "generations=3", "population=8", "quiet=true"]
    run(["stats", "data.kind=sklearn", "out=s.npz", "quiet=true"])
    run(["train", "classifier=softmax", "data.kind=sklearn", "epochs=1", "out=n.safetensors", "quiet=true"])
    run(["run", *small, "out=r"])
    run(["run", *small, "digit=2,3", "out=sweep"])
    Path("evil.py").write_text("from pathlib import Path\nPath('ran').touch()\n\n\ndef make():\n    return None\n")
    shutil.copytree("r", "theirs")
    theirs = Path("theirs/config.yaml")
    theirs.write_text(theirs.read_text().replace("name: mnist_mlp", "name: python").replace("path: null", "path: evil:make", 1))
    Path("settings.yaml").write_text("digit: 3\nsearch:\n  population: 8\n  generations: 3\nruns: 2\nquiet: true\n")
    return commands(small)


def commands(small: list[str]) -> dict[str, tuple[list[str], str]]:
    """Each file with its command, which does what it should while the file is whole."""
    expected = images(Path("r"))
    onnx = ["run", *small, "prior=none", "classifier=onnx", "classifier.path=n.onnx", "classifier.shape=[8,8,1]", "out=o"]
    named = ["run", *small, "prior=none", "classifier=softmax", "classifier.path=n.safetensors", "classifier.labels=labels.txt"]
    found = {
        "n.onnx": (onnx, ""),
        "labels.txt": ([*named, "out=o"], ""),
        "idx/train-images-idx3-ubyte.gz": (["stats", "data.path=idx", "out=o.npz", "quiet=true"], ""),
        "two.jpg": (["classify", "two.jpg", "out=o", "quiet=true"], ""),
        "two.tif": (["classify", "two.tif", "out=o", "quiet=true"], ""),
        "two.webp": (["classify", "two.webp", "out=o", "quiet=true"], ""),
        "sweep/sweep.json": (["run", *small, "digit=2,3", "out=sweep", "resume=true"], ""),
        "theirs/config.yaml": (["plausibility", "theirs", "data.kind=sklearn", "out=o.json", "quiet=true"], ""),
        "settings.yaml": (["run", "settings.yaml", "out=o"], ""),
        "set.npz": (["stats", "data.path=set.npz", "out=o.npz", "quiet=true"], ""),
        "set/0/1.png": (["stats", "data.path=set", "out=o.npz", "quiet=true"], ""),
        "two.png": (["classify", "two.png", "out=o", "quiet=true"], ""),
        "s.npz": (["run", *small, "classifier.path=n.safetensors", "prior.statistics=s.npz", "out=o"], ""),
        "n.safetensors": (["run", *small, "prior=none", "classifier=softmax", "classifier.path=n.safetensors", "out=o"], ""),
        "r/checkpoint.npz": (["run", *small, "out=r", "resume=true"], expected),
        "r/run.json": (["run", *small, "out=r", "resume=true"], expected),
        "r/config.yaml": (["run", *small, "out=r", "resume=true"], expected),
    }
    for name, (command, _) in found.items():
        if run(command) != (2 if name.startswith("theirs") else 0):
            raise RuntimeError(f"{command} does not work with the whole file")
        clear()
    return found


def clear() -> None:
    """Removes what commands leave."""
    sys.modules.pop("evil", None)
    for leftover in (Path("o"), Path("o.npz"), Path("o.json"), Path("ran")):
        shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)


def write_model(path: Path, generator: np.random.Generator) -> None:
    """A softmax regression of 8×8 pixels as ONNX."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = generator.normal(size=(64, 10)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["sums"]),
        helper.make_node("Softmax", ["sums"], ["scores"]),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 1, 8, 8])]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 10])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(weights, "weights")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def run(command: list[str]) -> int:
    """A command in this process, without its output → exit code."""
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        return guarded(dispatch, command)


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raises TimeoutError once so many seconds have passed."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(attempt: Callable[[], str]) -> str:
    """fine, traceback, hang, false or code."""
    try:
        with limited(LIMIT):
            return attempt()
    except TimeoutError:
        return "hang"
    except BaseException as error:
        print(f"{type(error).__name__}: {error}"[:200], file=sys.stderr)
        return "traceback"


def try_words(randomness: random.Random) -> str:
    """A command whose words are random; it is only read, so --help is the last word."""
    chosen = [f"{randomness.choice(RANDOM_WORDS)}={randomness.choice(VALUES)}" for _ in range(randomness.randint(1, 4))]
    code = run(["run", *chosen, "budget=0"])  # no budget is refused, so nothing runs
    return "fine" if code == 2 else "false"


def try_file(name: str, command: list[str], expected: str, randomness: random.Random) -> str:
    """A command on a damaged file, which is whole again afterwards."""
    path = Path(name)
    whole = path.read_bytes()
    kept = Path("kept")
    if expected:
        shutil.copytree("r", kept)
    try:
        path.write_bytes(damaged(whole, randomness))
        code = run(command)
        if Path("ran").exists():
            return "code"
        is_false = code not in (0, 2) or (code == 0 and expected and images(Path("r")) != expected)
        return "false" if is_false else "fine"
    finally:
        clear()
        if expected:
            shutil.rmtree("r")
            kept.rename("r")
        else:
            path.write_bytes(whole)


def measure_inputs(number: int, seed: int) -> dict[str, dict[str, int]]:
    """Outcomes by family."""
    counts: dict[str, Counter[str]] = {}
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        try:
            files = prepare(Path(name))
            families = ["words", *files]
            for i in range(number):
                randomness, family = random.Random(f"{seed}-{i}"), families[i % len(families)]
                command, expected = files.get(family, ([], ""))
                one = partial(try_file, family, command, expected) if family in files else try_words
                found = outcome(partial(one, randomness))
                counts.setdefault(family, Counter())[found] += 1
                if found != "fine":
                    print(f"input {i} of seed {seed} ({family}): {found}", file=sys.stderr)
        finally:
            os.chdir(here)
    return {family: dict(found) for family, found in counts.items()}


def main() -> None:
    """Both campaigns."""
    chosen = words(kills=200, inputs=10_000, seed=0, json=False)
    kills = measure_kills(chosen["kills"], chosen["seed"])
    print(f"kills: {kills['identical']} of {kills['kills']} with bit-identical images")
    inputs = measure_inputs(chosen["inputs"], chosen["seed"])
    outcomes = ("fine", "traceback", "hang", "false", "code")
    rows = [[family, sum(found.values()), *(found.get(name, 0) for name in outcomes)] for family, found in inputs.items()]
    print(table(["input", "tried", *outcomes], rows))
    finish("robustness", {"kills": kills, "inputs": inputs, "seed": chosen["seed"]}, chosen)


if __name__ == "__main__":
    main()
