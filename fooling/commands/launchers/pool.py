"""The workers of a command: reached, compared with this program, and counted while jobs run; some may end and others join."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import dask
from distributed import Client, LocalCluster, Security

from fooling.commands.launchers.worker import facts, refuse_other_versions, versions_here
from fooling.errors import UserError, counted, first_line
from fooling.kernels.numba.compile import cores
from fooling.settings.launchers import DaskSettings

LOOK_SECONDS = 5.0  # between two looks at how many workers there are
WORKER = "fooling.commands.launchers.worker"
CONFIG = {
    "distributed.scheduler.http.routes": [],  # no pages on ports of this machine
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.admin.large-graph-warning-threshold": "1 GB",
}


@contextmanager
def reached(launcher: DaskSettings) -> Iterator["Workers"]:
    """As many workers as there must be, all of the versions of this program; those that it starts end with it."""
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(CONFIG))
        if launcher.address is None:
            number, security = launcher.workers or cores(), Security.temporary()  # no other user of the machine sends tasks
            cluster = stack.enter_context(started(number, security))
            address, renew = cluster.scheduler_address, lambda: cluster.scale(number)
        else:
            number, security, address, renew = launcher.workers or 1, None, launcher.address, lambda: None
        try:
            client = Client(address, timeout=launcher.wait, set_as_default=False, security=security)
        except (OSError, RuntimeError, ImportError) as error:
            advice = "start one with `dask scheduler`, or leave launcher.address out for workers on this machine"
            raise UserError(f"launcher.address={address}: no scheduler answers ({first_line(error)}); {advice}") from error
        stack.enter_context(client)
        try:
            client.wait_for_workers(number, timeout=launcher.wait)
        except TimeoutError as error:
            there = len(client.scheduler_info(n_workers=-1)["workers"])
            advice = "start more with `dask worker ADDRESS --nthreads 1`, or give a larger launcher.wait"
            expected = f"launcher: expected {counted(number, 'worker')} within {launcher.wait:g} s"
            raise UserError(f"{expected}, got {there}; {advice}") from error
        found = client.run(facts, on_error="return")
        for place, about in found.items():
            refuse(place, about)
        yield Workers(client, found, renew, launcher.wait)


def started(number: int, security: Security) -> LocalCluster:
    """Workers on this machine, each a process with one task at a time."""
    try:
        return LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            host="127.0.0.1",
            security=security,
            dashboard_address="127.0.0.1:0",  # which serves nothing, see CONFIG
            memory_limit=0,
            preload=[WORKER],
            silence_logs=logging.CRITICAL,
        )
    except (OSError, RuntimeError) as error:
        raise UserError(f"launcher: {counted(number, 'worker')} did not start ({first_line(error)}); try fewer") from error


def refuse(address: str, about: Any) -> None:
    """Raises UserError for a worker that would not compute what this program does, or several jobs at a time."""
    if isinstance(about, BaseException):
        raise UserError(f"launcher: the worker {address} cannot run fooling ({first_line(about)}); install it there")
    if about["slots"] != 1:
        raise UserError(f"launcher: the worker {address} runs {about['slots']} tasks at a time; start it with --nthreads 1")
    refuse_other_versions(versions_here(), about["versions"], f"the worker {address}")


def threads_by_host(found: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """How many threads a job takes on each host: its workers share the cores that they may use."""
    result: dict[str, int] = {}
    for about in found.values():
        host, own = about["host"], set(about["cores"])
        sharing = sum(other["host"] == host and bool(own & set(other["cores"])) for other in found.values())
        number = max(1, min(len(own), about["count"]) // sharing)
        result[host] = min(number, result.get(host, number))
    return result


class Workers:
    """The workers of a command, of which some may end and others join."""

    def __init__(self, client: Client, found: Mapping[str, Mapping[str, Any]], renew: Callable[[], None], wait: float) -> None:
        self.client, self.found, self.renew, self.wait = client, found, renew, wait
        self.looked = self.seen = time.monotonic()  # when it looked, and when there was one

    def look(self, stops: bool) -> str:
        """Now and then: starts ended workers anew → a line where there is none. Raises UserError after `wait` seconds without.

        `stops`: whether all jobs are to stop; no worker is started for that.
        """
        now = time.monotonic()
        if now - self.looked < LOOK_SECONDS:
            return ""
        self.looked = now
        if self.client.nthreads():
            self.seen = now
        if not stops:
            self.renew()
        if self.seen == now:
            return ""
        if now - self.seen >= self.wait and not stops:
            raise UserError(f"launcher: there has been no worker for {self.wait:g} s; start some, then resume=true continues")
        return "no worker is left: waiting for others"
