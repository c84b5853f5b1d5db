"""What a command says of workers that end, do not start or do not show their records: with futures and clients made by hand."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fooling.errors import UserError

pytest.importorskip("distributed", reason="dask.distributed is not installed; it comes with the extra [cluster]")

from distributed import KilledWorker, Security

from fooling.commands.launchers import dask, pool


class Killed:
    """A future of a job under which several workers have ended."""

    def result(self) -> Any:
        raise KilledWorker("a", SimpleNamespace(address="tcp://h:1"), 4)

    def add_done_callback(self, call: Any) -> None:
        pass


class Client:
    """A scheduler without workers, or with some, which keeps what it is sent."""

    def __init__(self, workers: int = 0) -> None:
        self.workers, self.keys = workers, list[str]()

    def submit(self, *_: Any, key: str, **__: Any) -> Killed:
        self.keys.append(key)
        return Killed()

    def nthreads(self) -> dict[str, int]:
        return {str(number): 1 for number in range(self.workers)}


def launch_of_one_job(folder: Path) -> Any:
    """A command that has sent the job `a` to the workers."""
    launch: Any = object.__new__(dask.Launch)
    launch.client, launch.request, launch.tasks = Client(), {"out": str(folder), "token": "t"}, {"a": {"number": 0}}
    launch.futures, launch.sent, launch.error = {}, Counter(), ""
    launch.send("a")
    return launch


def test_a_job_under_which_workers_end_is_sent_again_a_few_times(tmp_path: Path) -> None:
    launch = launch_of_one_job(tmp_path)
    answers = [launch.answer("a")["status"] for _ in range(dask.TRIES)]
    assert answers == ["sent again"] * (dask.TRIES - 1) + ["failed"]
    assert len(set(launch.client.keys)) == dask.TRIES  # a key for each, as dask knows the lost ones
    assert launch.error.startswith("a: one worker after the other ended")
    assert launch.futures == {}


def test_a_job_is_not_sent_again_after_an_error(tmp_path: Path) -> None:
    launch = launch_of_one_job(tmp_path)
    launch.error = "b: the first error"
    assert launch.answer("a")["status"] == "failed"
    assert launch.error == "b: the first error"
    assert len(launch.client.keys) == 1


def test_a_finished_record_that_is_not_seen_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = [None, None, "result"]
    monkeypatch.setattr(dask, "resumed", lambda job: job)
    monkeypatch.setattr(dask, "read_result", lambda job, place: found.pop(0))
    monkeypatch.setattr(dask, "REFRESH_SECONDS", 0)
    launch: Any = object.__new__(dask.Launch)
    assert launch.read_back(None, tmp_path) == "result"  # an old view of a folder lasts for a moment
    monkeypatch.setattr(dask, "VISIBLE_SECONDS", -1)
    found.append(None)
    with pytest.raises(UserError, match="is not seen here") as error:
        launch.read_back(None, tmp_path)
    assert str(tmp_path) in str(error.value)


def test_workers_that_do_not_start_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: Any) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(pool, "LocalCluster", fails)
    with pytest.raises(UserError, match=r"3 workers did not start .*too many open files"):
        pool.started(3, Security())


def test_workers_are_started_anew_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, client, renewed = [100.0], Client(1), list[float]()
    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    workers = pool.Workers(client, {}, lambda: renewed.append(clock[0]), wait=30.0)  # type: ignore[arg-type]

    def look(seconds: float, stops: bool = False) -> str:
        clock[0] = 100 + seconds
        return workers.look(stops)

    assert look(1) == ""
    assert renewed == []  # it looks now and then
    assert look(6) == ""
    client.workers = 0
    assert look(12) == "no worker is left: waiting for others"
    assert renewed == [106, 112]
    assert look(40, stops=True) == "no worker is left: waiting for others"
    assert renewed == [106, 112]  # none is started for jobs that stop
    with pytest.raises(UserError, match=r"launcher: there has been no worker for 30 s"):
        look(50)
    client.workers = 1
    assert look(60) == ""
