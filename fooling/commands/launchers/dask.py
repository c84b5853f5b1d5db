"""`launcher=dask`: the jobs of a command as tasks of dask.distributed, on workers of this machine or of a cluster."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from distributed import Future, KilledWorker, Variable
from rich.console import Console

from fooling.commands.console import InterruptHandler, print_line
from fooling.commands.jobs import GridEntry, read_result
from fooling.commands.launchers import RunJobs
from fooling.commands.launchers.parcel import CARRIED, LEASES, is_same_folder, pack, put_token, remove_token, unpack
from fooling.commands.launchers.pool import Workers, reached, threads_by_host
from fooling.commands.launchers.table import JobTable
from fooling.commands.launchers.worker import (
    interrupt,
    resumed,
    run_task,
    variable,
    versions_here,
)
from fooling.commands.progress import REFRESH_SECONDS
from fooling.errors import Interrupted, UserError, counted, first_line
from fooling.kernels.numba.compile import working_time
from fooling.records.files import locked
from fooling.records.lease import leased
from fooling.records.ownership import clear, kind_of
from fooling.records.resume import identity
from fooling.search.job import Job
from fooling.search.result import Result
from fooling.settings import dump
from fooling.settings.fields import user_path
from fooling.settings.overrides import is_file

TRIES = 5  # how often a job is sent; each time a scheduler lets so many workers end under it as it is set to, usually 4
REPEAT_SECONDS = 1.0  # between two requests that all jobs stop
VISIBLE_SECONDS = 90.0  # until a record that a worker has written must be seen here; NFS may show an old folder so long


@contextmanager
def connected(command: str, settings: Any, words: Sequence[str]) -> Iterator[RunJobs]:
    """What runs jobs on the workers of a cluster. Raises UserError where it cannot be reached or has other versions."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters of a worker's end is a line of ours
    with reached(settings.launcher) as workers:
        yield Launch(workers, command, words, settings.quiet).run_jobs


class Launch:
    """The jobs of one command on the workers of a cluster."""

    def __init__(self, workers: Workers, command: str, words: Sequence[str], quiet: bool) -> None:
        self.workers, self.client, self.found, self.quiet = workers, workers.client, workers.found, quiet
        text = user_path(words[0]).read_text(encoding="utf-8") if words and is_file(words[0]) else None
        threads = threads_by_host(self.found)
        self.request: dict[str, Any] = {
            "command": command,
            "words": tuple(words),
            "text": text,
            "cwd": str(Path.cwd()),
            "leases": LEASES,
            "versions": versions_here(),
            "threads": threads,
            "least": min(threads.values()),  # on hosts that join later
        }
        self.events: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.tasks: dict[str, dict[str, Any]] = {}
        self.futures: dict[str, Future] = {}
        self.sent: Counter[str] = Counter()  # how often, by job
        self.error = ""

    def run_jobs(
        self,
        entries: Sequence[GridEntry],
        folder: Path,
        console: Console,
        signals: InterruptHandler,
        seconds: float | None = None,
    ) -> list[Result]:
        """As `commands.jobs.run_grid`: the results of all jobs, or of those up to the first that the time did not allow."""
        signals.deadline = None if seconds is None else working_time() + seconds
        results = {entry.folder: read_result(entry.job, folder / entry.folder) for entry in entries}
        left = [entry for entry in entries if results[entry.folder] is None]
        for entry in left:
            prepare_folder(entry.job, folder / entry.folder)
        token = put_token(folder)
        self.request |= {"out": str(folder.absolute()), "token": token}
        self.client.subscribe_topic(token, lambda event: self.events.put(("report", event[1])))
        try:
            shared = self.client.run(is_same_folder, folder.absolute(), token)
            if not self.quiet and left:
                print_line(console, self.describe(len(left), shared))
            with JobTable(console, left, len(entries) - len(left), self.quiet) as table:
                self.submit(left, folder, all(shared.values()))
                self.follow({entry.folder: entry for entry in left}, folder, table, signals, results)
        finally:
            self.client.unsubscribe_topic(token)
            remove_token(folder)
        if self.error:
            raise UserError(self.error)
        if signals.code:
            raise Interrupted
        reached = [results[entry.folder] for entry in entries]
        end = reached.index(None) if None in reached else len(reached)
        return [result for result in reached[:end] if result is not None]

    def describe(self, jobs: int, shared: Mapping[str, bool]) -> str:
        """Where the jobs run, and where the records are written."""
        hosts = Counter(about["host"] for about in self.found.values())
        where = f"{counted(jobs, 'job')} on {counted(len(self.found), 'worker')} of {counted(len(hosts), 'host')}"
        threads = "/".join(map(str, sorted(set(self.request["threads"].values()))))
        blind = sum(not sees for sees in shared.values())
        how = "they write the records into the folder" if not blind else f"{blind} send their records back"
        return f"{where}, threads of each: {threads}; {how}"

    def submit(self, entries: Sequence[GridEntry], folder: Path, shared: bool) -> None:
        """Sends the jobs; those come first that would come first without workers."""
        for number, entry in enumerate(entries):
            job, place = resumed(entry.job), folder / entry.folder
            self.tasks[entry.folder] = {
                "folder": entry.folder,
                "identity": identity(dump(job.settings), job.fingerprints, job.fixed_limits),
                "files": {} if shared else pack(place, CARRIED),
                "number": number,
            }
            self.send(entry.folder)

    def send(self, name: str) -> None:
        """Sends a job, or sends it again."""
        self.sent[name] += 1
        key, task = f"{name}-{self.request['token']}-{self.sent[name]}", self.tasks[name]
        future = self.client.submit(run_task, self.request, task, key=key, pure=False, priority=-task["number"])
        self.futures[name] = future
        future.add_done_callback(lambda _: self.events.put(("done", name)))

    def follow(
        self,
        entries: Mapping[str, GridEntry],
        folder: Path,
        table: JobTable,
        signals: InterruptHandler,
        results: dict[str, Result | None],
    ) -> None:
        """Shows reports and reads results until all jobs have ended; after a signal, an error or the deadline they stop."""
        asked, request = -REPEAT_SECONDS, Thread()
        while self.futures:
            stops, is_due = signals.stop_requested() or self.error, time.monotonic() - asked >= REPEAT_SECONDS
            if line := self.workers.look(bool(stops)):
                if stops:
                    return  # nobody is left whose job could stop
                table.say(line)
            if stops and is_due and not request.is_alive():
                asked = time.monotonic()
                request = Thread(target=self.interrupt, daemon=True)  # a worker that stands still holds up nothing else
                request.start()
            with suppress(Empty):
                kind, content = self.events.get(timeout=REFRESH_SECONDS)
                if kind == "report":
                    table.observe(content)
                else:
                    answer = self.answer(content)
                    if answer["status"] == "done":
                        results[content] = self.read_back(entries[content].job, folder / content)
                        table.finish(content)
            table.refresh()

    def interrupt(self) -> None:
        """Stops the jobs of this command on all workers; on those that join later the next time."""
        with suppress(OSError):
            self.client.run(interrupt, self.request["token"], on_error="ignore")

    def answer(self, name: str) -> Mapping[str, Any]:
        """How a job ended; the files that came with it are written. The first error is kept."""
        future, place = self.futures.pop(name), Path(self.request["out"]) / name
        try:
            answer: dict[str, Any] = future.result()
        except KilledWorker:  # several have ended under it, such as those of a night on machines that others may take back
            if self.sent[name] < TRIES and not self.error:
                self.send(name)
                return {"status": "sent again"}
            why = "one worker after the other ended while it ran the job, such as for want of memory"
            answer = {"status": "failed", "error": f"{name}: {why}; fewer runs or smaller images may help"}
        except (OSError, CancelledError) as error:  # of dask: the connection to the scheduler
            answer = {"status": "failed", "error": f"launcher: the connection to the scheduler was lost ({first_line(error)})"}
        if "files" in answer:
            with leased(place.parent / LEASES, name):  # no worker that was taken for dead writes meanwhile
                unpack(answer["files"], place)
            Variable(variable(self.request["token"], name), client=self.client).delete()
        if "error" in answer:
            self.error = self.error or answer["error"]
        return answer

    def read_back(self, job: Job, place: Path) -> Result:
        """The result of a job that a worker has finished, from its record."""
        until = time.monotonic() + VISIBLE_SECONDS
        while (result := read_result(resumed(job), place)) is None:
            if time.monotonic() > until:
                raise UserError(f"{place}: a worker has finished this record, but it is not seen here; is the folder shared?")
            time.sleep(REFRESH_SECONDS)
        return result


def prepare_folder(job: Job, place: Path) -> None:
    """Removes a record that the job replaces: its worker, and any other after it, goes on from what lies there."""
    if job.settings.overwrite and kind_of(place) == "job":
        with locked(place):
            clear(place)
