"""Checkpoints that are damaged or of another job are refused in one line, before anything in their record changes."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network, random_statistics
from jobs import Stop
from objectives import PLAN

from fooling.commands import dispatch
from fooling.errors import Interrupted, UserError, guarded
from fooling.records.record import digest, load_checkpoint, read_run, sign
from fooling.run import prepare, record_job
from fooling.search.checkpoint import ARRAYS, OPTIONAL, restore
from fooling.search.job import Job
from fooling.settings import load
from fooling.settings.schema import RunSettings

SHAPE, CLASSES = (9, 13, 1), 4
WORDS = ("digit=1", "runs=3", "population=12", "generations=12", "stop=end", "prior=none")


def make(folder: Path, *words: str) -> Job:
    chosen = {word.partition("=")[0]: word for word in [*WORDS, *words]}
    settings = load([*chosen.values(), f"out={folder}"], RunSettings, "run")
    (job,) = prepare(settings, random_network(SHAPE), random_statistics(SHAPE))
    return job


def start(folder: Path, *words: str, interrupted: Callable[[], bool] = lambda: False) -> None:
    record_job(make(folder, *words), folder, Stop(interrupted))


def stop(folder: Path, *words: str) -> None:
    calls = iter(range(99))
    with pytest.raises(Interrupted):
        start(folder, *words, interrupted=lambda: next(calls) >= 6)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished record, an interrupted one, and interrupted ones of other jobs."""
    folder = tmp_path_factory.mktemp("records")
    start(folder / "done")
    stop(folder / "stopped")
    stop(folder / "seed", "seed=1")
    stop(folder / "digit", "digit=2")
    stop(folder / "population", "population=14")
    return folder


@pytest.fixture
def copies(records: Path, tmp_path: Path) -> Path:
    shutil.copytree(records, tmp_path / "records")
    return tmp_path / "records"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def change(folder: Path, **keys: Any) -> None:
    """Changes keys of run.json; None removes them."""
    run = {**read_run(folder), **keys}
    (folder / "run.json").write_text(json.dumps({name: value for name, value in run.items() if value is not None}))


def without_proof(folder: Path, other: Path | None = None) -> None:
    """The record, with its own checkpoint or another one, as versions of before wrote it."""
    arrays = load_checkpoint(other or folder) or {}
    np.savez(folder / "checkpoint.npz", **arrays)
    change(folder, checkpoint_format=None)


# --- nothing is lost by a refusal ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["cut", "changed", "another job"])
@pytest.mark.parametrize("limit", ["generations=12", "generations=30"])
def test_a_refused_checkpoint_changes_nothing(copies: Path, damage: str, limit: str) -> None:
    folder, path = copies / "done", copies / "done" / "checkpoint.npz"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "changed":
        arrays = dict(np.load(path))
        np.savez(path, **{**arrays, "track_costs": arrays["track_costs"] + 1})
    else:
        shutil.copy(copies / "seed" / "checkpoint.npz", path)
    before = content(folder)
    with pytest.raises(UserError, match=r"checkpoint\.npz.*overwrite=true starts the job anew"):
        start(folder, limit, "resume=true")
    assert content(folder) == before


def test_a_checkpoint_that_is_refused_leaves_the_whole_sweep_as_it_is(tmp_path: Path) -> None:
    words = [f"out={tmp_path / 'sweep'}", "digit=1,2", "runs=2", "population=10", "prior=none", "stop=end", "quiet=true"]
    assert guarded(dispatch, ["run", *words, "generations=3"]) == 0
    path = tmp_path / "sweep" / "digit=2" / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-200])
    before = content(tmp_path / "sweep")
    assert guarded(dispatch, ["run", *words, "generations=6", "resume=true"]) == 2
    assert content(tmp_path / "sweep") == before


def test_a_finished_record_without_a_checkpoint_is_not_extended(copies: Path) -> None:
    (copies / "done" / "checkpoint.npz").unlink()
    before = content(copies / "done")
    with pytest.raises(UserError, match="without a checkpoint to go on from; overwrite=true starts anew"):
        start(copies / "done", "generations=30", "resume=true")
    assert content(copies / "done") == before


def test_an_interrupted_job_without_a_checkpoint_says_that_it_starts_anew(copies: Path) -> None:
    (copies / "stopped" / "checkpoint.npz").unlink()
    notes: list[str] = []
    display = Stop(lambda: False)
    display.note = notes.append  # type: ignore[method-assign]
    record_job(make(copies / "stopped", "generations=30", "resume=true"), copies / "stopped", display)
    assert "no checkpoint to resume: starting at generation 0" in notes
    assert not [note for note in read_run(copies / "stopped")["notes"] if note.startswith("extended")]


# --- checkpoints without proof ------------------------------------------------------------------------------------------


def test_a_record_of_before_is_finished_and_approximate(copies: Path) -> None:
    without_proof(copies / "stopped")
    start(copies / "stopped", "resume=true")
    run = read_run(copies / "stopped")
    assert (run["status"], run["reproducible"]) == ("done", "approximate")
    assert sum(note.startswith("resumed from a checkpoint without proof") for note in run["notes"]) == 1
    images = [(copies / name / "images" / "0000.png").read_bytes() for name in ("stopped", "done")]
    assert images[0] == images[1]


@pytest.mark.parametrize("other", ["seed", "digit", "population"])
def test_the_checkpoint_of_another_job_is_refused_without_proof_too(copies: Path, other: str) -> None:
    without_proof(copies / "stopped", copies / other)
    before = content(copies / "stopped")
    with pytest.raises(UserError, match=r"is the checkpoint of another job: .* differ from those of its record"):
        start(copies / "stopped", "resume=true")
    assert content(copies / "stopped") == before


# --- every array --------------------------------------------------------------------------------------------------------


def arrays_of(records: Path) -> dict[str, Any]:
    return dict(load_checkpoint(records / "stopped") or {})


def read(arrays: dict[str, Any]) -> None:
    restore({name: np.asarray(array) for name, array in arrays.items()}, replace(PLAN, runs=3, last=12), SHAPE, CLASSES)


def test_each_array_is_in_the_table(records: Path) -> None:
    arrays = arrays_of(records)
    assert set(arrays) == set(ARRAYS)
    read(arrays)
    read({name: array for name, array in arrays.items() if name not in OPTIONAL})


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("kind", ["missing", "text", "float", "nan", "more dimensions", "fewer", "low"])
def test_a_damaged_array_is_refused(records: Path, name: str, kind: str) -> None:
    arrays = arrays_of(records)
    array = arrays[name]
    with np.errstate(over="ignore"):  # a fast machine has more evaluations a second than half floats can hold
        half = array.astype(np.float16)
    changed = {
        "text": array.astype(str),
        "float": half,
        "nan": np.full(array.shape, np.nan),
        "more dimensions": array[None],
        "fewer": array[..., :-1] if array.ndim else array.reshape(1)[:0],
        "low": np.full(array.shape, -5).astype(array.dtype) if array.dtype.kind in "if" else array.astype(np.int8),
    }
    arrays = {**arrays, name: changed[kind]} if kind != "missing" else {k: v for k, v in arrays.items() if k != name}
    empty = {"track_passes": ("low", "nan"), "track_genomes": ("low", "fewer")}  # of this search, so no number is wrong
    is_empty = kind in empty.get(name, ())
    if is_empty or (kind == "missing" and name in OPTIONAL):
        read(arrays)
        return
    with pytest.raises(UserError, match=r"checkpoint is (damaged|not one of this).*overwrite=true starts the job anew"):
        read(arrays)


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("track_scores", lambda array: array[:, :3]),
        ("state_generation", lambda array: array + 100),
        ("state_generation", lambda array: array + 0.7),
        ("loop_seconds", lambda array: array * np.nan),
        ("loop_over", lambda array: np.array([True, False])),
        ("track_ended", lambda array: array.astype(np.int64) * 7),
        ("track_frame_generations", lambda array: array[:2]),
        ("track_history", lambda array: array[:0]),
        ("track_history", lambda array: array + 1000),
        ("track_reached", lambda array: array[:, :2]),
        ("track_changed", lambda array: array * np.nan),
        ("track_images", lambda array: array[:, :5]),
        ("carried_x", lambda array: np.zeros(1)),
        ("carried_x", lambda array: np.full(3, np.nan)),
        ("carried_x", lambda array: np.array(["text"] * 3)),
    ],
)
def test_more_damaged_arrays(records: Path, name: str, new: Callable[[Any], Any]) -> None:
    arrays = arrays_of(records)
    with pytest.raises(UserError, match=r"overwrite=true starts the job anew"):
        read({**arrays, name: new(arrays.get(name))})


@pytest.mark.parametrize("proof", [None, [2, 2], "x", np.nan, 2.0])
@pytest.mark.parametrize("name", ["proof_format", "proof_job"])
def test_a_proof_of_another_type_is_refused(copies: Path, name: str, proof: Any) -> None:
    arrays = sign(arrays_of(copies), "somebody")
    del arrays["proof_digest"]
    arrays = {**arrays, name: np.array(proof)} if proof is not None else {k: v for k, v in arrays.items() if k != name}
    np.savez(copies / "stopped" / "checkpoint.npz", **arrays, proof_digest=np.array(digest(arrays)))
    with pytest.raises(UserError, match=r"checkpoint\.npz: .*overwrite=true starts the job anew"):
        start(copies / "stopped", "resume=true")
