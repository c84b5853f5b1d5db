"""A worker of dask.distributed: prepares the jobs of a command as the command itself does, and runs one at a time.

What arrives is plain: the words of the command and the folder of a job. What goes back is plain, too: how the job ended and,
where the worker cannot see the command's folder, the files of its record.
"""

import hashlib
import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dask.system import CPU_COUNT
from distributed import Reschedule, Status, Variable, get_worker
from threadpoolctl import threadpool_limits

import fooling
from fooling.commands import load_settings
from fooling.commands.jobs import GridEntry, read_result
from fooling.commands.launchers.parcel import CARRIED, is_same_folder, pack, unpack
from fooling.commands.table import COMMANDS
from fooling.errors import Interrupted, UserError, discard
from fooling.kernels.numba.compile import THREADS, cores
from fooling.records.files import LockedError
from fooling.records.lease import leased
from fooling.records.ownership import CHECKPOINT
from fooling.records.record import versions
from fooling.records.resume import identity
from fooling.run import record_job
from fooling.search.job import Job
from fooling.search.state import Metrics
from fooling.settings import dump

REPORT_SECONDS = 1.0  # between two reports on a job
SEND_SECONDS = 30.0  # between two checkpoints that are sent back, where the worker does not see the command's folder
LOCK_SECONDS = 1.0  # between two tries at a folder that another process is leaving
INTERRUPTED, CLOSING, FORGOTTEN = "interrupted", "closing", "forgotten"  # why a job stops early
Message = Mapping[str, Any]

stopped: set[str] = set()  # tokens of commands that are interrupted, as `interrupt` is called on each worker
given_threads = os.environ.get(THREADS)  # by whoever started the worker


def dask_setup(_worker: Any) -> None:
    """A worker that a command starts leaves its terminal to the command: the lines there, and Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    discard("stdout")


def interrupt(token: str) -> None:
    """Every job of a command stops after its generation and leaves a checkpoint; no other begins."""
    stopped.add(token)


@cache
def versions_here() -> dict[str, str]:
    """What the images of a job depend on besides its settings: versions, and fooling's own files."""
    total = hashlib.sha256()
    root = Path(fooling.__file__).parent
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return {**versions(), "the files of fooling": total.hexdigest()[:12]}


def refuse_other_versions(expected: Mapping[str, str], here: Mapping[str, str], where: str) -> None:
    """Raises UserError where a worker would compute with other versions than the command."""
    other = [f"{name} {here.get(name)} instead of {number}" for name, number in expected.items() if here.get(name) != number]
    if other:
        raise UserError(f"launcher: {where} has {', '.join(other)}; install the same there, or records would differ")


def facts(dask_worker: Any = None) -> dict[str, Any]:
    """What a command knows of a worker before it sends jobs."""
    known = hasattr(os, "sched_getaffinity")
    return {
        "host": socket.gethostname(),
        "slots": dask_worker.state.nthreads,
        "cores": sorted(os.sched_getaffinity(0)) if known else list(range(cores())),
        "count": CPU_COUNT,  # fewer where a container may use a part of them
        "given": given_threads,
        "versions": versions_here(),
    }


@lru_cache(maxsize=2)
def entries_of(command: str, words: Sequence[str], text: str | None) -> dict[str, GridEntry]:
    """The jobs of a command by their folders, prepared as it does. `text`: of the file that its first word names."""
    with TemporaryDirectory() as folder:
        if text is not None:
            file = Path(folder) / "settings.yaml"
            file.write_text(text, encoding="utf-8")
            words = [str(file), *words[1:]]
        row = COMMANDS[command]
        plan = import_module(row.module).COMMAND.plan_of_worker(load_settings(command, row, words), words)
    return {entry.folder: entry for entry in plan.entries}


def job_of(request: Message, task: Message) -> Job:
    """The job of a task. Raises UserError where it would not be the one that the command has prepared."""
    if Path(request["cwd"]).is_dir():
        os.chdir(request["cwd"])  # paths of settings are relative to it
    for _ in range(2):
        found = entries_of(request["command"], request["words"], request["text"]).get(task["folder"])
        job = None if found is None else resumed(found.job)
        if job is not None and identity(dump(job.settings), job.fingerprints, job.fixed_limits) == task["identity"]:
            return job
        entries_of.cache_clear()  # files may have changed since an earlier command of the same words
    what = "files of classifier, judges and data must be the same for every worker, at the same paths"
    raise UserError(f"{task['folder']}: the worker on {socket.gethostname()} would run another job; {what}")


def resumed(job: Job) -> Job:
    """The job, to go on from what lies in its folder."""
    return replace(job, settings=job.settings.model_copy(update={"resume": True, "overwrite": False}))


def whole(text: str | None) -> int:
    """A number of threads as it is given, 0 for what is none."""
    return int(text) if text and text.isdecimal() else 0


@contextmanager
def few_threads(number: int) -> Iterator[None]:
    """Jobs take so many threads, unless whoever started the worker has said how many."""
    number = whole(given_threads) or number
    os.environ[THREADS] = str(number)
    try:
        with threadpool_limits(number):
            yield
    finally:
        os.environ.pop(THREADS, None)
        os.environ |= {} if given_threads is None else {THREADS: given_threads}


class Reporter:
    """The `Progress` of a job on a worker: its reports go to the command, and what ends it early comes from there."""

    def __init__(self, request: Message, task: Message) -> None:
        self.worker = get_worker()
        self.key, self.token, self.folder = self.worker.get_current_task(), request["token"], task["folder"]
        self.reported, self.sent, self.reason = -REPORT_SECONDS, time.monotonic(), ""
        self.place: Path | None = None  # the record, where its checkpoints are sent back

    def report(self, **message: Any) -> None:
        """Sends a message to the command."""
        about = {"folder": self.folder, "host": socket.gethostname()}
        self.worker.log_event(self.token, {**about, **message})

    def observe(self, metrics: Metrics) -> None:
        """Reports a generation, now and then."""
        now = time.monotonic()
        if now - self.reported >= REPORT_SECONDS:
            self.reported = now
            self.report(generation=int(metrics["generation"]), confidence=float(metrics["confidence"]))
        if self.place and now - self.sent >= SEND_SECONDS and (self.place / CHECKPOINT).exists():
            Variable(variable(self.token, self.folder)).set(pack(self.place, CARRIED))
            self.sent = time.monotonic()

    def note(self, text: str) -> None:
        """Reports a note."""
        self.report(note=text)

    def stop_requested(self) -> bool:
        """Whether the command is interrupted, the worker is about to end, or the scheduler no longer knows the task."""
        state = self.worker.state.tasks.get(self.key)
        if self.token in stopped:
            self.reason = INTERRUPTED
        elif self.worker.status not in (Status.running, Status.paused):
            self.reason = CLOSING
        elif state is None or state.state == "cancelled":
            self.reason = FORGOTTEN
        return bool(self.reason)


def variable(token: str, folder: str) -> str:
    """What the last checkpoint of a job is called at the scheduler."""
    return f"fooling-{token}-{folder}"


def leave() -> None:
    """Ends a worker at once, whose record another one now writes."""
    os._exit(1)


def run_task(request: Message, task: Message) -> dict[str, Any]:
    """Runs a job → how it ended: done, interrupted or failed, with the files of its record where the command cannot see them.

    A worker that is about to end raises Reschedule: the job goes on elsewhere, from its checkpoint.
    """
    reporter = Reporter(request, task)
    try:
        if reporter.stop_requested():
            raise Interrupted
        refuse_other_versions(request["versions"], versions_here(), f"a worker on {socket.gethostname()}")
        reporter.report(generation=0)
        with few_threads(request["threads"].get(socket.gethostname(), request["least"])):
            return run_prepared(job_of(request, task), request, task, reporter)
    except Interrupted as error:
        if reporter.reason != INTERRUPTED:
            raise Reschedule from error
        return {"status": INTERRUPTED}
    except UserError as error:
        return {"status": "failed", "error": str(error)}


def run_prepared(job: Job, request: Message, task: Message, reporter: Reporter) -> dict[str, Any]:
    """Runs a job in the command's folder, or in one of the worker whose files go back."""
    out, name = Path(request["out"]), task["folder"]
    if is_same_folder(out, request["token"]):
        with leased(out / request["leases"], name, reporter.stop_requested, leave):
            record(job, out / name, reporter)
        return {"status": "done"}
    with TemporaryDirectory(prefix="fooling-") as temporary:
        place = Path(temporary) / name
        unpack(last_checkpoint(reporter) or task["files"], place)
        reporter.place = place
        answer: dict[str, Any] = {"status": "done"}
        try:
            record(job, place, reporter)
        except Interrupted:
            if reporter.reason != INTERRUPTED:
                Variable(variable(reporter.token, name)).set(pack(place, CARRIED))
                raise
            answer["status"] = INTERRUPTED
        except UserError as error:
            answer = {"status": "failed", "error": str(error)}
        return {**answer, "files": pack(place)}


def last_checkpoint(reporter: Reporter) -> dict[str, bytes]:
    """The files that a worker before has sent back of a job, {} if there are none."""
    try:
        found: dict[str, bytes] = Variable(variable(reporter.token, reporter.folder)).get(timeout="200 ms")
    except TimeoutError:
        return {}
    return found


def record(job: Job, place: Path, reporter: Reporter) -> None:
    """Runs a job in a folder, unless its record is finished; one whose process is just leaving is waited for."""
    while not reporter.stop_requested():
        try:
            if read_result(job, place) is None:
                record_job(job, place, reporter, success=False)
            return
        except LockedError:
            time.sleep(LOCK_SECONDS)
    raise Interrupted
