"""Jobs in records, as the commands run them, and their interruption at a chosen generation."""

from collections.abc import Callable
from pathlib import Path

from fooling.records.record import recording
from fooling.run import run_job
from fooling.search.job import Job
from fooling.search.loop import Silent
from fooling.search.result import Result
from fooling.settings import dump


class Stop(Silent):
    """Progress that stops a job once a function, called between generations, says so."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self.ask = ask

    def stop_requested(self) -> bool:
        return self.ask()


def run_recorded(job: Job, folder: Path, interrupted: Callable[[], bool] = lambda: False) -> Result:
    """The job in a record folder, from its checkpoint if there is one."""
    with recording(folder, dump(job.settings)) as record:
        return run_job(job, record, Stop(interrupted))
