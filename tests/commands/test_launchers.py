"""Jobs on workers: the same records as without them, in order after a signal or an error, and refusals of one line."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import random_images

import fooling
from fooling.commands import dispatch, launchers
from fooling.commands.console import InterruptHandler
from fooling.commands.jobs import GridEntry
from fooling.commands.launchers import parcel
from fooling.commands.run import plan
from fooling.errors import UserError, guarded
from fooling.records.files import LockedError
from fooling.records.record import status_of
from fooling.run import prepare, record_job
from fooling.settings import load

pytest.importorskip("distributed", reason="dask.distributed is not installed; it comes with the extra [cluster]")

from clusters import content, workers
from rich.console import Console

from fooling.commands.launchers import dask, pool, worker
from fooling.commands.launchers.table import JobTable

QUICK = ("runs=2", "generations=8", "population=10")
SWEEP = ("run", "digit=0,1,2", *QUICK)
FEW = ("runs=2", "digit=3,4", "quiet=true")
COMMANDS = {
    "ladder": ("ladder", *QUICK[:2], *FEW[1:], "rungs=[none,eigen]", "proposals=50", "stop=end"),
    "matrix": ("matrix", *QUICK[:2], *FEW[1:]),
    "gallery": ("gallery", *QUICK[:2], *FEW[1:]),
    "mean": ("mean", *FEW, "priors=none", "generations=5", "data.kind=sklearn", "classifier=digits_perceptron"),
    "damage": ("damage", *FEW, "data.kind=sklearn", "classifier=digits_perceptron", "repeats=2", "pictured=2", "dosage=5"),
    "audit": (
        *("audit", "digit=3,4", "quiet=true", "runs=1", "budget=600", "data.kind=sklearn", "classifier=digits_perceptron"),
        *("judges=[]", "rungs=[variogram]", "copies=1", "images=50"),
    ),
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with workers(1) as found:  # of one process: two jobs in it at a time would count each other's compilation
        yield found


@pytest.fixture
def on_workers(address: str) -> tuple[str, ...]:
    return ("launcher=dask", f"launcher.address={address}", "launcher.workers=1", "launcher.wait=10")


def call(*words: str) -> int:
    return guarded(dispatch, list(words))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The sweep without workers."""
    place = tmp_path_factory.mktemp("local") / "a"
    assert call(*SWEEP, f"out={place}", "quiet=true") == 0
    return content(place)


# --- the same records ---------------------------------------------------------------------------------------------------
def test_a_sweep_leaves_the_records_of_one_without_workers(
    home: Path, on_workers: tuple[str, ...], local: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("few.yaml").write_text("digit: [0, 1, 2]\nruns: 2\nquiet: false\n")  # its name is relative, and it is sent by content
    assert call("run", "few.yaml", *QUICK[1:], "out=a", *on_workers) == 0
    assert "3 jobs on 1 worker of 1 host" in capsys.readouterr().out
    found = content(home / "a")
    for name in [name for name in local if name.endswith("config.yaml")]:
        assert found.pop(name) == local[name].replace(b"quiet: true", b"quiet: false")
    assert found == {name: value for name, value in local.items() if not name.endswith("config.yaml")}
    assert call("run", "few.yaml", *QUICK[1:], "out=a", "resume=true", *on_workers) == 0
    assert "finished: nothing to resume" in capsys.readouterr().out
    before = (home / "a/digit=1/run.json").stat().st_mtime_ns
    assert call("run", "few.yaml", *QUICK[1:], "out=a", *on_workers) == 2  # as without workers: not without overwrite
    assert call("run", "few.yaml", *QUICK[1:], "out=a", "overwrite=true", *on_workers) == 0
    assert (home / "a/digit=1/run.json").stat().st_mtime_ns > before
    assert not (home / "a" / parcel.LEASES).exists()


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.exhaustive]) for name in COMMANDS])
def test_every_command_with_several_jobs_leaves_the_same(home: Path, on_workers: tuple[str, ...], name: str) -> None:
    codes = [call(*COMMANDS[name], f"out={out}", *words) for out, words in (("a", ()), ("b", on_workers))]
    assert codes == [0, 0]
    one, other = content(home / "a"), content(home / "b")
    assert one.keys() == other.keys()
    varying = {"audit.json", "facts.json", "ladder.png", "card.md"}  # which hold speeds
    kept = [key for key in one if key not in varying and not key.endswith(".safetensors")]  # headers have no fixed order
    assert [key for key in kept if one[key] != other[key]] == []


def test_records_come_back_whole_where_the_folder_is_not_shared(
    home: Path, on_workers: tuple[str, ...], local: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (worker, dask):
        monkeypatch.setattr(module, "is_same_folder", lambda out, token: False)
    assert call(*SWEEP, "quiet=true", "out=a", *on_workers) == 0
    assert content(home / "a") == local


# --- what ends early ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shared", [True, pytest.param(False, marks=pytest.mark.exhaustive)], ids=["shared", "sent back"])
def test_a_signal_ends_the_jobs_in_order_and_they_go_on(
    home: Path, on_workers: tuple[str, ...], local: dict[str, Any], monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    if not shared:
        for module in (worker, dask):
            monkeypatch.setattr(module, "is_same_folder", lambda out, token: False)
    observe, stop, held = worker.Reporter.observe, threading.Event(), threading.Event()

    def observe_and_wait(reporter: Any, metrics: Any) -> None:
        observe(reporter, metrics)
        if not held.is_set() and metrics["generation"] == 3:  # the first jobs are at work: Ctrl-C, and no generation until then
            stop.set()
            while not reporter.stop_requested():
                time.sleep(0.01)

    def interrupt() -> None:
        if stop.wait(30):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(worker.Reporter, "observe", observe_and_wait)
    sender = threading.Thread(target=interrupt)
    sender.start()
    assert call(*SWEEP, "quiet=true", "out=a", *on_workers) == 130
    sender.join()
    held.set()
    assert [status_of(home / "a"), status_of(home / "a/digit=0")] == ["interrupted"] * 2
    assert not (home / "a/digit=1").exists()
    assert (home / "a/digit=0/checkpoint.npz").exists()
    assert not (home / "a" / parcel.LEASES).exists()
    assert call(*SWEEP, "quiet=true", "out=a", "resume=true", *on_workers) == 0
    found = content(home / "a")
    for key in found.keys() & local.keys():
        if key.endswith((".png", ".jsonl")):
            assert found[key] == local[key], key


def test_an_error_of_a_job_ends_the_others_in_one_line(
    home: Path, on_workers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(job: Any, place: Path, progress: Any, **options: Any) -> Any:
        if job.digit == 1:
            raise UserError("the model is gone")
        return record_job(job, place, progress, **options)

    monkeypatch.setattr(worker, "record_job", fail)
    assert call(*SWEEP, "quiet=true", "out=a", *on_workers) == 2
    assert capsys.readouterr().err == "fooling: the model is gone\n"
    assert status_of(home / "a") == "failed"


def test_jobs_that_the_time_does_not_allow_are_left_out(home: Path, on_workers: tuple[str, ...]) -> None:
    words = ("digit=0,1,2", "runs=2", "generations=100000", "population=10", *on_workers)
    settings, signals = load(words), InterruptHandler()
    entries = [*plan(load(SWEEP[1:]), ()).entries[:1], *plan(settings, words).entries[1:]]
    Path("a").mkdir()
    with launchers.launching("run", settings, words, alone=False) as run_jobs:
        record_job(entries[0].job, Path("a/digit=0"), success=False)
        done = replace(entries[0], job=worker.resumed(entries[0].job))
        found = run_jobs([done, *entries[1:]], Path("a"), Console(quiet=True), signals, 1.0)
    assert [result.digit for result in found] == [0]
    assert (signals.code, status_of(Path("a/digit=1")), (home / "a/digit=1/checkpoint.npz").exists()) == (
        0,
        "interrupted",
        True,
    )


def fake_reporter(monkeypatch: pytest.MonkeyPatch, status: Any, state: str) -> worker.Reporter:
    tasks = {"key": SimpleNamespace(state=state)} if state else {}
    fake = SimpleNamespace(get_current_task=lambda: "key", status=status, state=SimpleNamespace(tasks=tasks))
    monkeypatch.setattr(worker, "get_worker", lambda: fake)
    return worker.Reporter({"token": "t"}, {"folder": "digit=1"})


def test_a_job_stops_where_its_worker_ends_or_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    running, closing = worker.Status.running, worker.Status.closing
    found = []
    for status, state in ((running, "executing"), (closing, "executing"), (running, "cancelled"), (running, "")):
        reporter = fake_reporter(monkeypatch, status, state)
        found.append(reporter.reason if reporter.stop_requested() else "")
    assert found == ["", worker.CLOSING, worker.FORGOTTEN, worker.FORGOTTEN]
    with pytest.raises(worker.Reschedule):  # it goes on elsewhere
        worker.run_task({"token": "t"}, {"folder": "digit=1"})
    monkeypatch.setattr(worker, "stopped", {"t"})
    assert worker.run_task({"token": "t"}, {"folder": "digit=1"}) == {"status": "interrupted"}


def test_a_folder_that_another_process_is_leaving_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = prepare(load(["digit=1", *QUICK]))
    tries = []

    def locked_once(job: Any, place: Path, progress: Any, **options: Any) -> Any:
        tries.append(place)
        if len(tries) == 1:
            raise LockedError("another process is writing to it")
        return record_job(job, place, **options)

    monkeypatch.setattr(worker, "record_job", locked_once)
    monkeypatch.setattr(worker, "LOCK_SECONDS", 0.01)
    reporter = fake_reporter(monkeypatch, worker.Status.running, "executing")
    worker.record(worker.resumed(job), tmp_path / "a", reporter)
    assert (len(tries), status_of(tmp_path / "a")) == (2, "done")
    worker.record(worker.resumed(job), tmp_path / "a", reporter)  # a finished one is left as it is
    assert len(tries) == 2


# --- refusals -----------------------------------------------------------------------------------------------------------
def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert call(*words) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert not Path("a").exists()
    assert not Path("runs").exists()
    return text


def test_what_cannot_be_launched_is_refused_before_anything_is_written(
    home: Path, on_workers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "digit=0,1,2" in refusal(capsys, "run", "digit=3", "launcher=dask")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"launcher.address=tcp://127.0.0.1:{free.getsockname()[1]}"
    assert "dask scheduler" in refusal(capsys, *SWEEP, "launcher=dask", nobody, "launcher.wait=0.2")
    assert "tcp://HOST:8786" in refusal(capsys, *SWEEP, "launcher=dask", "launcher.address=127.0.0.1")
    assert "launcher=dask" in refusal(capsys, *SWEEP, "launcher.workers=2")
    more = (*on_workers[:2], "launcher.workers=2", "launcher.wait=0.2")
    assert "expected 2 workers within 0.2 s, got 1" in refusal(capsys, *SWEEP, *more)
    monkeypatch.setattr(pool, "versions_here", lambda: {**worker.versions_here(), "numpy": "1.0"})
    assert "instead of 1.0" in refusal(capsys, *SWEEP, *on_workers)
    monkeypatch.setattr(launchers, "find_spec", lambda name: None)
    assert "pip install '.[cluster]'" in refusal(capsys, *SWEEP, *on_workers)


def test_objects_of_a_program_are_not_sent(home: Path) -> None:
    with pytest.raises(UserError, match="launcher=dask: evolve"):
        fooling.evolve(digit=[0, 1], launcher="dask")
    images = random_images((8, 8, 1), 40)
    with pytest.raises(UserError, match="launcher=dask: objects"):
        fooling.audit("digits_perceptron", (images, [0] * len(images)), launcher="dask")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("about", "word"), [(ModuleNotFoundError("No module named 'fooling'"), "install"), ({"slots": 4}, "--nthreads 1")]
)
def test_workers_that_cannot_run_jobs_are_refused(about: Any, word: str) -> None:
    with pytest.raises(UserError, match=word) as error:
        pool.refuse("tcp://h:1", about)
    assert "tcp://h:1" in str(error.value)


def test_a_worker_does_not_run_another_job(home: Path) -> None:
    (job, _) = prepare(load(["digit=1,2", *QUICK]))
    words = ("digit=1,2", *QUICK)
    request = {"command": "run", "words": words, "text": None, "cwd": str(home)}
    identity = dask.identity(dask.dump(job.settings), job.fingerprints, job.fixed_limits)
    assert worker.job_of(request, {"folder": "digit=1", "identity": identity}).digit == 1
    for task in ({"folder": "digit=2", "identity": identity}, {"folder": "digit=7", "identity": identity}):
        with pytest.raises(UserError, match="would run another job"):
            worker.job_of(request, task)


def test_a_worker_prepares_the_jobs_anew_where_files_have_changed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = {"command": "run", "words": ("digit=1,2", *QUICK), "text": None, "cwd": str(home)}
    prepared = worker.entries_of(request["command"], request["words"], None)
    jobs = [entry.job for entry in prepared.values()]

    def of(config: str, *parts: Any) -> str:
        fresh = worker.entries_of(request["command"], request["words"], None) is not prepared
        return "retrained" if fresh else "old"

    monkeypatch.setattr(worker, "identity", of)
    assert worker.job_of(request, {"folder": "digit=1", "identity": "retrained"}).digit == jobs[0].digit


def test_a_lost_scheduler_is_an_error_of_one_line(tmp_path: Path) -> None:
    class Lost:
        def result(self) -> Any:
            raise CancelledError("lost connection")

    launch: Any = object.__new__(dask.Launch)
    launch.futures, launch.request, launch.error = {"a": Lost()}, {"out": str(tmp_path)}, ""
    assert launch.answer("a")["status"] == "failed"
    assert "scheduler was lost" in launch.error


@pytest.mark.parametrize("name", ["../a", "/a", "a/b/c", "a/../../b"])
def test_files_outside_of_a_record_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="not of a record"):
        parcel.unpack({name: b""}, tmp_path / "r")
    assert list(tmp_path.rglob("*")) == [tmp_path / "r"]


# --- cores and progress -------------------------------------------------------------------------------------------------
def test_workers_share_the_cores_that_they_may_use() -> None:
    def about(host: str, *cores: int, count: int = 64) -> dict[str, Any]:
        return {"host": host, "cores": list(cores), "count": count}

    found = [about("a", *range(8)), about("a", *range(8)), about("b", 0, 1), about("b", 2, 3), about("c", *range(8), count=2)]
    assert pool.threads_by_host(dict(enumerate(found))) == {"a": 4, "b": 2, "c": 2}
    assert pool.threads_by_host({i: about("a", 0, 1) for i in range(5)}) == {"a": 1}


def test_a_job_takes_the_threads_of_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(worker.THREADS, raising=False)
    with worker.few_threads(3):
        assert worker.cores() == 3
    assert worker.THREADS not in os.environ
    monkeypatch.setattr(worker, "given_threads", "5")
    with worker.few_threads(3):
        assert worker.cores() == 5
    for wrong in ("abc", "0", ""):
        monkeypatch.setattr(worker, "given_threads", wrong)
        with worker.few_threads(3):
            assert worker.cores() == 3


def test_one_table_shows_all_jobs() -> None:
    jobs = prepare(load(["digit=0,1,2,3,4,5", *QUICK]))
    entries = [GridEntry(job) for job in jobs]
    console = Console(force_terminal=True, width=100, height=10, record=True)
    table = JobTable(console, entries, 2, quiet=False)
    for entry in entries[1:]:
        table.observe({"folder": entry.folder, "host": f"node{entry.job.digit}", "generation": 4, "confidence": 0.5})
    table.observe({"folder": "digit=9", "host": "node", "generation": 1})  # of nobody
    table.finish("digit=0")
    console.print(table.table())
    text = console.export_text()
    assert "3 of 8 jobs done, 5 running" in text
    assert [name in text for name in ("node1", "4/8", "50.00 %", "node4", "node5", "and 1 more")] == [True] * 4 + [False, True]


def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [GridEntry(job) for job in prepare(load(["digit=0,1", *QUICK]))]
    console = Console(width=100, record=True, force_terminal=False)
    with JobTable(console, entries, 0, quiet=False) as table:
        table.refresh()
        table.observe({"folder": "digit=0", "host": "h", "note": "a note"})
        table.observe({"folder": "digit=1", "host": "h", "note": "a note"})
        table.shown -= 60
        table.refresh()
        table.refresh()
    assert console.export_text() == "a note\n0 of 2 jobs done, 0 running\n"
