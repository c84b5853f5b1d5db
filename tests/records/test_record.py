"""The record folder: its contents, resuming after an interruption or a crash at any write, and what is refused."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network, random_statistics
from jobs import Stop
from pairwise import rare
from PIL import Image

from fooling.errors import UserError
from fooling.records import files
from fooling.records.files import write_atomically
from fooling.records.ownership import SPARE, clear, kind_of
from fooling.records.record import SPARE_BYTES, Record, load_checkpoint, read_image, read_run, recording, sign, status_of
from fooling.records.resume import check_same
from fooling.run import prepare, record_job
from fooling.search import loop
from fooling.search.result import Result
from fooling.settings import dump, load
from fooling.settings.schema import RunSettings

SHAPE = (9, 13, 1)
WORDS = ["digit=1", "runs=3", "population=12", "generations=25", "tol=0.4", "stop=tol", "engine.threads=1"]


def start(folder: Path, *words: str, shape: tuple[int, int, int] = SHAPE, interrupted: Any = lambda: False) -> Result:
    chosen = {word.partition("=")[0]: word for word in [*WORDS, *words]}
    settings = load([*chosen.values(), f"out={folder}"], RunSettings, "run")
    (job,) = prepare(settings, random_network(shape), random_statistics(shape))
    return record_job(job, folder, Stop(interrupted))


def images(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "images").iterdir())]


def untimed(run: dict) -> dict:
    return {key: value for key, value in run.items() if key not in ("seconds", "evaluations_per_second")}


def lines(folder: Path) -> list[dict]:
    return [untimed(json.loads(line)) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A record of a job that nothing disturbed."""
    start(tmp_path / "whole")
    return tmp_path / "whole"


def test_what_the_folder_holds(whole: Path) -> None:
    expected = "checkpoint.npz config.yaml contact_sheet.png evolution.webp images mean.png metrics.jsonl run.json success.png"
    names = {path.name for path in whole.iterdir()} - {"mean_converged.png"}
    assert names == set(expected.split())
    run = read_run(whole)
    assert (run["status"], run["digit"], run["seed"], run["reproducible"]) == ("done", 1, 0, "exact")
    assert run["evaluations"] == sum(entry["evaluations"] for entry in run["images"])
    assert run["converged"] == sum(entry["converged"] for entry in run["images"])
    assert [entry["file"] for entry in run["images"]] == [f"images/{i:04d}.png" for i in range(3)]
    assert set(run["images"][0]["evaluations_to"]) == {"0.9", "0.99", "0.999", "0.9999"}
    plan = (run["runs"], run["budget"], run["evaluations_a_generation"], run["stop"], run["threshold"], run["tol"])
    assert plan == (3, None, 12, "tol", 0.999, 0.4)


def test_what_it_says_is_true_of_the_files(whole: Path) -> None:
    network, run = random_network(SHAPE), read_run(whole)
    settings = load([*WORDS], RunSettings, "run")
    (job,) = prepare(settings, network, random_statistics(SHAPE))
    for entry in run["images"]:
        with Image.open(whole / entry["file"]) as picture:
            assert (picture.mode, picture.format) == ("L", "PNG")
            pixels = np.asarray(picture)[None, :, :, None]
        scores = network(pixels)[0]
        cost, terms, _ = job.objective.value(pixels)
        assert entry["confidence"] == float(scores[1])
        assert entry["predicted"] == int(scores.argmax())
        assert entry["runner_up"] == int(np.argsort(-scores, kind="stable")[1]) != entry["predicted"]
        named = [entry[name] for name in ("label", "predicted_label", "runner_up_label")]
        assert named == [f"class {k}" for k in (1, entry["predicted"], entry["runner_up"])]
        assert entry["cost"] == float(cost[0])
        assert entry["terms"] == {name: float(value[0]) for name, value in terms.items()}
        assert entry["converged"] == (entry["cost"] < 0.4)


def test_pictures(whole: Path) -> None:
    all_images = np.stack([read_image(whole / entry["file"]) for entry in read_run(whole)["images"]])
    assert np.array_equal(read_image(whole / "mean.png"), np.rint(all_images.mean(axis=0)).astype(np.uint8))
    with Image.open(whole / "evolution.webp") as film:
        frames = len((load_checkpoint(whole) or {})["track_frames"])
        assert film.format == "WEBP"
        assert 1 < film.n_frames <= frames  # equal neighbours may be one
    with Image.open(whole / "contact_sheet.png") as sheet:
        assert sheet.width > 3 * 84


@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3)])
def test_other_shapes(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    result = start(tmp_path / "r", shape=shape)
    assert np.array_equal(read_image(tmp_path / "r" / "images" / "0000.png"), result.images[0])
    assert result.images.shape == (3, *shape)


def test_the_same_settings_give_the_same_files(whole: Path, tmp_path: Path) -> None:
    start(tmp_path / "again")
    assert images(whole) == images(tmp_path / "again")
    assert lines(whole) == lines(tmp_path / "again")
    start(tmp_path / "other", "seed=1")
    assert images(whole) != images(tmp_path / "other")


# --- resuming ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "stop_at"), [("numba", 1), ("numba", 2), ("numba", 9), ("numba", 24), rare("jax", 7), rare("deap", 7)]
)
def test_resumed_equals_uninterrupted(tmp_path: Path, engine: str, stop_at: int) -> None:
    words = ["stop=end", f"engine={engine}", "prior=none", "selected=4"] if engine != "numba" else ["stop=end"]
    folder, asked = tmp_path / "r", iter(range(1, 1000))
    with pytest.raises(loop.Interrupted):
        start(folder, *words, interrupted=lambda: next(asked) >= stop_at)
    assert status_of(folder) == "interrupted"
    assert len(images(folder)) == 3
    start(folder, *words, "resume=true")
    start(tmp_path / "through", *words)
    assert images(folder) == images(tmp_path / "through")
    assert lines(folder) == lines(tmp_path / "through")
    assert untimed(read_run(folder)) == untimed(read_run(tmp_path / "through"))


class Crash(BaseException):
    """As if the process had been killed."""


def crash_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Lets the write of this number, and all after it, fail as a kill would: before or after the rename."""
    count = [0]
    replace = Path.replace

    def dying(self: Path, target: Any) -> Path:
        count[0] += 1
        if count[0] > number:
            raise Crash
        if count[0] == number and number % 2:
            replace(self, target)
            raise Crash
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dying)


@pytest.mark.parametrize("number", [number if number % 2 else rare(number) for number in range(1, 20)])
def test_a_crash_at_any_write_can_be_resumed(whole: Path, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "PICTURE_SHARE", 1e9)
    folder = tmp_path / "r"
    for again in (number, 8):
        with monkeypatch.context() as patch:
            crash_at(patch, again)
            with pytest.raises(Crash):
                start(folder, "resume=true")
        assert not kind_of(folder) or status_of(folder) != "done"
    (folder / ".part-run.json").write_text("half")
    start(folder, "resume=true")
    assert images(folder) == images(whole)
    assert lines(folder) == lines(whole)
    assert untimed(read_run(folder)) == untimed(read_run(whole))
    assert not list(folder.rglob(".part-*"))


def test_half_a_line_of_metrics_is_mended(whole: Path, tmp_path: Path) -> None:
    folder, asked = tmp_path / "r", iter(range(1, 1000))
    with pytest.raises(loop.Interrupted):
        start(folder, interrupted=lambda: next(asked) >= 5)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"generation": 5, "eval')
    start(folder, "resume=true")
    assert lines(folder) == lines(whole)


def test_a_failure_is_recorded(tmp_path: Path) -> None:
    def fail() -> bool:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        start(tmp_path / "r", interrupted=fail)
    assert read_run(tmp_path / "r")["status"] == "failed"
    assert "No space left" in read_run(tmp_path / "r")["error"]


@pytest.mark.parametrize("spoilt", ["other", "fewer", "ended"])
def test_a_checkpoint_of_another_job_is_told(whole: Path, spoilt: str) -> None:
    arrays = dict(load_checkpoint(whole) or {})
    if spoilt == "other":
        arrays = {"x": np.zeros(3)}
    if spoilt == "fewer":
        arrays = {name: array[:1] if name.startswith("track_") else array for name, array in arrays.items()}
    if spoilt == "ended":
        arrays["track_ended"] = ~arrays["track_ended"]
    write_signed(whole, arrays)
    with pytest.raises(UserError, match=r"the checkpoint is not one of this .*overwrite=true starts the job anew"):
        start(whole, "resume=true")


@pytest.mark.parametrize("name", ["state_images", "state_costs", "state_scores", "track_scores", "state_generation"])
def test_values_of_a_checkpoint_are_checked(tmp_path: Path, name: str) -> None:
    whole, asked = tmp_path / "r", iter(range(99))
    with pytest.raises(loop.Interrupted):
        start(whole, interrupted=lambda: next(asked) >= 5)
    arrays = dict(load_checkpoint(whole) or {})
    arrays[name] = np.full_like(arrays[name].astype(np.float32), np.nan)
    write_signed(whole, arrays)
    with pytest.raises(
        UserError, match=rf"checkpoint is (damaged: {name}|not one of this).*overwrite=true starts the job anew"
    ):
        start(whole, "resume=true")


def write_signed(folder: Path, arrays: dict[str, Any]) -> None:
    """A checkpoint with a right digest, of the job in the folder."""
    owner = str(np.load(folder / "checkpoint.npz")["proof_job"])
    np.savez(folder / "checkpoint.npz", **sign(arrays, owner))


def test_a_changed_checkpoint_is_refused(whole: Path) -> None:
    arrays = dict(np.load(whole / "checkpoint.npz"))
    arrays["track_evaluations"] = arrays["track_evaluations"] + 1
    np.savez(whole / "checkpoint.npz", **arrays)
    for folder_of in (load_checkpoint, lambda folder: start(folder, "resume=true")):
        with pytest.raises(UserError, match=r"do not match their digest; overwrite=true starts the job anew"):
            folder_of(whole)


def test_the_checkpoint_of_another_job_of_the_same_size_is_refused(whole: Path, tmp_path: Path) -> None:
    start(tmp_path / "other", "seed=1")
    (tmp_path / "other" / "checkpoint.npz").replace(whole / "checkpoint.npz")
    with pytest.raises(UserError, match=r"is the checkpoint of another job, .*; overwrite=true starts the job anew"):
        start(whole, "resume=true")


@pytest.mark.parametrize(("word", "message"), [("", ""), ("search.blurs=0.1", "search.blurs is 0")])
def test_a_record_of_before_a_setting_has_its_default(tmp_path: Path, word: str, message: str) -> None:
    asked = iter(range(99))
    with pytest.raises(loop.Interrupted):
        start(tmp_path / "r", interrupted=lambda: next(asked) >= 5)
    config = tmp_path / "r" / "config.yaml"
    config.write_text("".join(line for line in config.read_text().splitlines(keepends=True) if "blurs" not in line))
    with pytest.raises(UserError, match=message) if message else contextlib.nullcontext():
        start(tmp_path / "r", "resume=true", *filter(None, [word]))


def test_other_versions_are_reported_on_resuming(tmp_path: Path) -> None:
    asked = iter(range(99))
    with pytest.raises(loop.Interrupted):
        start(tmp_path / "r", interrupted=lambda: next(asked) >= 5)
    run = read_run(tmp_path / "r")
    run["versions"]["numpy"] = "1.0"
    (tmp_path / "r" / "run.json").write_text(json.dumps(run))
    asked = iter(range(99))
    with pytest.raises(loop.Interrupted):
        start(tmp_path / "r", "resume=true", interrupted=lambda: next(asked) >= 5)
    start(tmp_path / "r", "resume=true")  # with the same versions again: what came before is not forgotten
    found = read_run(tmp_path / "r")
    assert sum("numpy 1.0 → " in note for note in found["notes"]) == 1
    assert (found["status"], found["reproducible"]) == ("done", "approximate")


def test_a_folder_that_a_record_of_before_names_loses_its_images_alone(whole: Path) -> None:
    (whole / "front").mkdir()
    for name in ("0000-001.png", "holiday.jpg"):
        (whole / "front" / name).write_text("")
    (whole / "run.json").write_text(json.dumps({**read_run(whole), "files": ["front"]}))
    start(whole, "seed=1", "overwrite=true")
    assert [path.name for path in (whole / "front").iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("about", [{"files": 5, "images": 7, "runs": 10**15}, {"files": ["", 3], "images": ["x", {"file": 1}]}])
def test_a_status_file_of_other_types_removes_nothing_else(whole: Path, about: dict[str, Any]) -> None:
    (whole / "mine.txt").write_text("mine")
    (whole / "run.json").write_text(json.dumps({**read_run(whole), "versions": {"fooling": []}, "notes": 1, **about}))
    start(whole, "seed=1", "overwrite=true")
    assert read_run(whole)["status"] == "done"
    assert (whole / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "pattern", ["**/*", "*", "images/*", "../x", "/x/y.png", "?*", "*.png", ".", "x/y/z.png", "thesis.tex", "means/*"]
)
def test_a_status_file_that_names_everything_is_refused(whole: Path, pattern: str) -> None:
    (whole / "images" / "mine.png").write_text("mine")
    (whole / "run.json").write_text(json.dumps({**read_run(whole), "files": [pattern]}))
    with pytest.raises(UserError, match="is not of a record; give another folder"):
        start(whole, "seed=1", "overwrite=true")
    assert (whole / "images" / "mine.png").read_text() == "mine"


def test_a_checkpoint_of_another_format_is_refused(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fooling.records.record.FORMAT", 3)
    with pytest.raises(UserError, match="is of format 2, this version reads format 3; overwrite=true starts the job anew"):
        start(whole, "resume=true")


def test_a_record_without_its_settings_is_not_resumed(whole: Path) -> None:
    (whole / "config.yaml").unlink()
    settings = load([*WORDS, "seed=9", f"out={whole}", "resume=true"], RunSettings, "run")
    with pytest.raises(UserError, match=r"config\.yaml is missing, so which job was begun is unknown"):
        check_same(whole, dump(settings), {})


def test_old_metrics_go_when_there_is_no_checkpoint(whole: Path) -> None:
    before = lines(whole)
    (whole / "checkpoint.npz").unlink()
    start(whole, "resume=true")
    assert lines(whole) == before


def test_a_damaged_checkpoint_is_told(whole: Path) -> None:
    (whole / "checkpoint.npz").write_bytes(b"garbage")
    with pytest.raises(UserError, match=r"not an .npz file of plain arrays.*overwrite=true starts the job anew"):
        start(whole, "resume=true")


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_finished_folder_is_not_overwritten(whole: Path) -> None:
    before = images(whole)
    with pytest.raises(UserError, match="holds a finished job; overwrite=true replaces it, or give another folder"):
        start(whole, "seed=1")
    assert images(whole) == before
    (whole / "notes.txt").write_text("mine")
    start(whole, "seed=1", "runs=2", "overwrite=true")
    assert len(images(whole)) == 2
    assert (whole / "notes.txt").read_text() == "mine"


STRANGERS = ("images/holiday.jpg", "images/0100.png", ".part-notes.txt", "images/.part-mine.png", "front.png.bak")


def test_overwriting_removes_only_files_of_the_record(whole: Path) -> None:
    for name in STRANGERS:
        (whole / name).write_text("mine")
    (whole / ".part-run.json").write_text("half")  # of a process that was killed
    (whole / "images" / ".part-0002.png").write_text("half")
    start(whole, "seed=1", "runs=2", "overwrite=true")
    assert {name for name in STRANGERS if (whole / name).read_text() == "mine"} == set(STRANGERS)
    assert sorted(path.name for path in whole.rglob("*part-*")) == [".part-mine.png", ".part-notes.txt"]
    assert sorted(path.name for path in (whole / "images").glob("000*.png")) == ["0000.png", "0001.png"]


@pytest.mark.parametrize("content", ["name: my app\n", "", "# Repeat this\n"])
def test_a_folder_with_somebodys_config_is_no_record(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.yaml").write_text(content)
    (tmp_path / "run.json").write_text('{"status": "done", "command": "make", "name": "a run of another program"}')
    assert kind_of(tmp_path) == "foreign"
    for word in ("overwrite=true", "resume=true"):
        with pytest.raises(UserError, match="no record of fooling; give an empty or a new folder"):
            start(tmp_path, word)
    assert (tmp_path / "config.yaml").read_text() == content


def test_a_kill_while_a_record_is_cleared_leaves_a_record_that_can_be_overwritten(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tmp_path / "expected", "seed=1")
    (whole / "mine.txt").write_text("mine")
    unlink, left = Path.unlink, [0]

    def killed(path: Path, missing_ok: bool = False) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    for number in range(1, 12):  # each time from where the last one stopped
        left[0] = number
        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(Path, "unlink", killed)
            start(whole, "seed=1", "overwrite=true")
        assert kind_of(whole) == "job"
    start(whole, "seed=1", "overwrite=true")
    assert images(whole) == images(tmp_path / "expected")
    assert (whole / "mine.txt").read_text() == "mine"


def test_on_a_full_disk_the_status_is_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk has room for a status only when the spare room is given back."""
    write, folder = files.write_atomically, tmp_path / "r"

    def full(path: Path, content: bytes, sync: bool = True) -> None:
        if path.name == "run.json" and (folder / SPARE).exists() and b'"failed"' in content:
            raise UserError("no space")
        write(path, content, sync)

    def fail() -> bool:
        assert (folder / SPARE).stat().st_size == SPARE_BYTES
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_atomically", full)
    with pytest.raises(OSError, match="No space left"):
        start(folder, interrupted=fail)
    assert read_run(folder)["status"] == "failed"
    assert not (folder / SPARE).exists()


def test_what_a_dead_process_had_written_of_a_file_goes(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f".part-{dead.pid}-s.npz").write_text("half")
    (tmp_path / f".part-{dead.pid}-other.npz").write_text("half")
    (tmp_path / f".part-{os.getpid()}0-notes").write_text("mine")
    with files.new_file(tmp_path / "s.npz", overwrite=False) as part:
        part.write_bytes(b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"s.npz", f".part-{dead.pid}-other.npz", f".part-{os.getpid()}0-notes"}


def test_a_file_system_without_locks_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def none(*_: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", none)
    with files.locked(tmp_path):
        pass
    assert "cannot be locked (Operation not supported)" in caplog.text


def test_an_unfinished_folder_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(loop.Interrupted):
        start(tmp_path / "r", interrupted=lambda: True)
    with pytest.raises(UserError, match=r"holds an unfinished job \(interrupted\); resume=true continues it, overwrite=true"):
        start(tmp_path / "r")


def test_other_peoples_folders_and_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    for word in ("overwrite=true", "resume=true", "overwrite=false"):
        with pytest.raises(UserError, match="holds files that are no record of fooling"):
            start(tmp_path, word)
    with pytest.raises(UserError, match="expected a folder, got a file"):
        start(tmp_path / "thesis.tex")
    with pytest.raises(UserError, match=r"cannot write .*thesis.tex is a file"):
        start(tmp_path / "thesis.tex" / "below")


def test_two_jobs_cannot_share_a_folder(tmp_path: Path) -> None:
    with recording(tmp_path / "r", "") as record:
        with pytest.raises(UserError, match="another process is writing to it"), recording(tmp_path / "r", ""):
            pass
        record.update(status="running")
    assert status_of(tmp_path / "r") == "done"
    with recording(tmp_path / "r", ""):
        pass


def test_a_full_disk_is_one_line_and_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*run.json: No space left on device; make room"):
        Record(tmp_path).update(a=1)
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_no_json_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Record(tmp_path).update(a=float("nan"))
    write_atomically(tmp_path / "x", b"1")
    assert (tmp_path / "x").read_bytes() == b"1"


# --- status and overwriting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("out of luck"), "failed"), (loop.Interrupted(), "interrupted"), (KeyboardInterrupt(), "interrupted")],
    ids=["failed", "stopped", "ctrl-c"],
)
@pytest.mark.parametrize("status_file", ["run.json", "sweep.json", "experiment.json"])
def test_every_status_file_says_how_it_ended(tmp_path: Path, status_file: str, error: BaseException, status: str) -> None:
    about = {"command": "fooling toy"}
    with pytest.raises(type(error)), recording(tmp_path / "r", "seed: 0\n", status_file, about=about) as record:  # noqa: PT012
        assert json.loads((tmp_path / "r" / status_file).read_text()) == {"status": "running", **about}
        (tmp_path / "r" / ".part-run.json").write_text("half")
        raise error
    assert json.loads((tmp_path / "r" / status_file).read_text())["status"] == record.about["status"] == status
    with recording(tmp_path / "r", "seed: 0\n", status_file, about=about):
        assert not (tmp_path / "r" / ".part-run.json").exists()
    assert status_of(tmp_path / "r") == "done"


def test_overwriting_removes_what_the_record_says_is_its_own(tmp_path: Path) -> None:
    for name in ("one.png", "two.png", "three.npz", "letter.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "digit=1").mkdir()
    (tmp_path / "digit=2").mkdir()
    for name in ("digit=1/run.json", "digit=2/run.json"):
        (tmp_path / name).write_text('{"status": "done", "versions": {"fooling": "0.1.0"}, "files": ["mean.png"]}')
    for name in ("digit=1/mean.png", "digit=2/mean.png", "digit=2/letter.txt"):
        (tmp_path / name).write_text("")
    about = {
        "files": ["one.png", "two.png", "missing.png"],
        "jobs": [{"folder": "digit=1"}, {"folder": "digit=2"}, {"folder": "../x"}],
    }
    (tmp_path / "sweep.json").write_text(json.dumps(about))
    clear(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"three.npz", "letter.txt", "digit=2/letter.txt"}
    assert not (tmp_path / "digit=1").exists()
    (tmp_path / "sweep.json").write_text('{"files": ["../letter.txt"]}')
    with pytest.raises(UserError, match=r"\.\./letter\.txt"):
        clear(tmp_path)
