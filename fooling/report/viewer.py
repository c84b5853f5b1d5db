"""A view of a record while its job runs: the server of `fooling view` beside the job, which it never stops."""

import os
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from fooling.errors import say
from fooling.report import HTML
from fooling.report.listing import is_record
from fooling.report.live import live
from fooling.report.server import Server

PORTS = (8000, 0)  # the usual one of `fooling view`; any free one
PAUSE = 0.05  # seconds between two looks whether there is something to do
BEGUN = 600.0  # seconds that a job may take until its record is there
LAST_LOOK = 3.0  # seconds after a job in which open pages may fetch the report


@contextmanager
def viewing(folder: Path, show: Callable[[str], None]) -> Iterator[None]:
    """Serves a record, and its neighbours, on this machine while the context lasts; where it cannot, it says so, no more.

    `show` prints the address. The browser opens when the record is there; at the end an open page turns into report.html.
    """
    server = open_server(folder)
    if server is None:
        yield
        return
    with server:
        ended = threading.Event()
        where = folder.name if server.site.listing.root != folder.absolute() else ""
        address = f"{server.address}live/{quote(where)}"
        show(f"view: {address} (ends with the job)")
        for target, given in ((server.serve_forever, (PAUSE,)), (open_browser, (folder, address, ended))):
            threading.Thread(target=target, args=given, daemon=True).start()
        try:
            yield
            wait_for_pages(server, folder)
        finally:
            ended.set()
            server.shutdown()
    if live(folder).page:
        show(f"view: ended; the page is {folder / HTML}")


def open_server(folder: Path) -> Server | None:
    """A server of the folder around a record on the first port that is free; None, and a line, where there is none."""
    place = folder.absolute()
    root = place if place.name.startswith(".") else place.parent  # hidden folders are not listed
    why = ""
    for port in PORTS:
        try:
            return Server(root, port=port, beside=True)
        except (OSError, OverflowError) as error:
            why = str(error)
    say(f"fooling: view=true: no port of this machine is free ({why}); the job goes on without it")
    return None


def open_browser(folder: Path, address: str, ended: threading.Event) -> None:
    """Opens the page once the record is there."""
    until = time.monotonic() + BEGUN
    while not is_record(folder):
        if ended.wait(PAUSE) or time.monotonic() > until:
            return
    if has_display():
        with suppress(OSError, webbrowser.Error):
            webbrowser.open(address)


def has_display() -> bool:
    """Whether a browser can open a window here; without one, webbrowser may start a browser inside the terminal."""
    if os.environ.get("SSH_CONNECTION") and not os.environ.get("DISPLAY"):
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def wait_for_pages(server: Server, folder: Path) -> None:
    """Lets the pages that follow the job fetch its report, for a moment."""
    until = time.monotonic() + LAST_LOOK
    while live(folder).page and server.watched and not server.site.fetched and time.monotonic() < until:
        time.sleep(PAUSE)
