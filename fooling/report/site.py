"""What a server of records answers: the list, the pages, pictures, files, and progress as server-sent events.

Nothing is written, and nothing outside the folder is read. Pages of records run in a sandbox: a record that somebody else
has made cannot read the others.
"""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from fooling.errors import UserError, first_line
from fooling.records.ownership import CHECKPOINT, COMMON, NAMED, is_image_name, read_status, strings
from fooling.report import HTML, REPORT_FILES, make_report
from fooling.report.listing import Listing, Row, changed_at, refuse_links
from fooling.report.live import has_own_page, live, live_picture, thumbnail
from fooling.report.page import environment

TYPES = {  # of the files of a record that are served
    ".html": "text/html; charset=utf-8",
    ".png": "image/png",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".jsonl": "text/plain; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".yaml": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}
LARGEST = 100_000_000  # bytes of a file that is served
NOTHING_ELSE = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
OF_RECORDS = f"{NOTHING_ELSE}; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts"
SECONDS, LIST_SECONDS, HEARTBEAT = 1.0, 3.0, 15.0  # between two looks at a record, at all of them; between signs of life
DRAWN = 8  # pages that are kept


class Answer(NamedTuple):
    """What a request gets."""

    body: bytes
    kind: str = TYPES[".html"]
    policy: str = NOTHING_ELSE
    status: int = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()


class Refusal(Exception):  # noqa: N818
    """A request that gets an error and a line."""

    def __init__(self, status: HTTPStatus, line: str) -> None:
        super().__init__(line)
        self.status, self.line = status, line


class Site:
    """The pages of a folder. `beside` a job that runs in the same process, no page is drawn: matplotlib is the job's."""

    def __init__(self, root: Path, *, beside: bool = False) -> None:
        self.listing, self.beside, self.fetched = Listing(root), beside, False
        self.reading, self.drawing = threading.Lock(), threading.Lock()  # matplotlib and Pillow have global state
        self.templates = environment()
        self.templates.filters["address"] = quote
        self.page = lru_cache(DRAWN)(self.draw_page)
        self.small = lru_cache(512)(self.draw_thumbnail)
        self.best = lru_cache(DRAWN)(self.draw_best)

    def record(self, path: str) -> Path:
        """The record of a path."""
        folder = self.listing.folder(path)
        if folder is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such record; go back to the list")
        return folder

    def rows(self) -> list[Row]:
        """All rows."""
        with self.reading:
            return self.listing.rows()

    def row(self, path: str) -> Row:
        """The row of a record."""
        folder = self.record(path)
        with self.reading:
            return self.listing.row(folder)

    def render(self, template: str, **about: Any) -> Answer:
        """A page of ours: its style and its script are named in its policy by their digests."""
        style, script = (self.templates.get_template(name).render() for name in ("view.css.j2", "view.js.j2"))
        body = self.templates.get_template(template).render(about | {"style": Markup(style), "script": Markup(script)})  # noqa: S704
        ours = f"style-src '{digest(style)}'; script-src '{digest(script)}'"
        return Answer(
            body.encode(), policy=f"{NOTHING_ELSE}; img-src 'self' data:; {ours}; connect-src 'self'; form-action 'self'"
        )

    # --- pages
    def index(self, query: str) -> Answer:
        """The list of the records that have the words of a query."""
        rows = self.rows()
        found = [row for row in rows if row.matches(query)]
        states = {row.path: live(self.listing.root / row.path) for row in found if row.status == "running"}
        about = {"rows": found, "total": len(rows), "query": query, "states": states, "is_cut": self.listing.is_cut}
        return self.render("index.html.j2", root=str(self.listing.root), **about)

    def live(self, path: str) -> Answer:
        """The page of a record that runs, with its jobs."""
        row, found = self.row(path), live(self.record(path))
        jobs = [self.row(job) for job in row.jobs if self.listing.folder(job)]
        return self.render("live.html.j2", row=row, found=found, jobs=jobs, beside=self.beside)

    def report(self, path: str) -> Answer:
        """The page of a record: report.html of a finished one, else drawn."""
        folder = self.record(path)
        try:
            refuse_links(folder, self.listing.root)
            if has_own_page(folder):
                self.fetched = True
                return Answer((folder / HTML).read_bytes(), policy=OF_RECORDS)
            if self.beside:
                raise Refusal(HTTPStatus.CONFLICT, "has no page yet; `fooling view` draws one, and a job does when it is done")
            return Answer(self.page(folder, changed_at(folder)), policy=OF_RECORDS)
        except (UserError, OSError) as error:
            raise Refusal(HTTPStatus.CONFLICT, first_line(error)) from error

    def draw_page(self, folder: Path, changed: float) -> bytes:
        """A page in memory; `changed`: when the record was."""
        del changed
        with self.drawing:
            return make_report(folder).html.encode()

    # --- pictures and files
    def thumbnail(self, path: str) -> Answer:
        """The small picture of a record."""
        row, folder = self.row(path), self.record(path)
        if not row.picture:
            raise Refusal(HTTPStatus.NOT_FOUND, "this record has no picture")
        return self.picture(lambda: self.small(self.own(folder / row.picture), (folder / row.picture).stat().st_mtime_ns))

    def best_images(self, path: str) -> Answer:
        """The best images of a running record so far."""
        found = live(self.record(path))
        return self.picture(lambda: self.best(self.own(found.folder), found.picture))

    def picture(self, draw: Callable[[], bytes]) -> Answer:
        """A picture that is drawn now, unless it is kept."""
        try:
            return Answer(draw(), TYPES[".png"])
        except (UserError, OSError) as error:
            raise Refusal(HTTPStatus.NOT_FOUND, first_line(error)) from error

    def draw_thumbnail(self, path: Path, changed: int) -> bytes:
        """A thumbnail; `changed`: when the picture was."""
        del changed
        with self.drawing:
            return thumbnail(path)

    def draw_best(self, folder: Path, changed: str) -> bytes:
        """A live picture; `changed`: its version."""
        del changed
        with self.drawing:
            return live_picture(folder)

    def file(self, path: str, name: str) -> Answer:
        """A file of a record: run.json, images/0000.png."""
        folder = self.record(path)
        if not is_known(folder, name) or not (folder / name).is_file():
            raise Refusal(HTTPStatus.NOT_FOUND, "the record has no such file, or one of a kind that is not served")
        place = self.own(folder / name)
        if place.stat().st_size > LARGEST:
            raise Refusal(HTTPStatus.CONFLICT, f"{name}: larger than {LARGEST:,} bytes; open it in the record")
        return Answer(place.read_bytes(), TYPES[place.suffix], OF_RECORDS)

    def own(self, path: Path) -> Path:
        """A path in the folder, whatever links are in it."""
        if not path.resolve().is_relative_to(self.listing.root.resolve()):
            raise Refusal(HTTPStatus.NOT_FOUND, "this is a link to what lies outside the folder")
        return path

    # --- events
    def events(self, path: str | None) -> Iterator[bytes]:
        """Server-sent events: the state of a record, or those of all that run and whether the list has changed."""
        before: dict[str, Any] = {}
        said = time.monotonic()
        first = [(row.path, row.status) for row in self.rows()] if path is None else []
        while True:
            now: dict[str, Any] = {}
            if path is None:
                rows = self.rows()
                now["list"] = [(row.path, row.status) for row in rows] != first
                now |= {f"/{row.path}": live(self.listing.root / row.path).state for row in rows if row.status == "running"}
            else:
                now[f"/{path}"] = live(self.record(path)).state
            news = {name: state for name, state in now.items() if before.get(name) != state}
            if news:
                yield f"data: {json.dumps(news)}\n\n".encode()
            elif time.monotonic() - said > HEARTBEAT:
                yield b": still here\n\n"
            said = time.monotonic() if news else said
            before = now
            time.sleep(SECONDS if path is not None else LIST_SECONDS)


def digest(text: str) -> str:
    """How a policy names a script or style between its tags."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def is_known(folder: Path, name: str) -> bool:
    """Whether a file is one that a record names, of a kind that is served."""
    if Path(name).suffix not in TYPES or name == CHECKPOINT:
        return False
    if name in COMMON or name in REPORT_FILES or is_image_name(name):
        return True
    try:
        patterns = strings(read_status(folder).get("files"))
    except UserError:
        return False
    return ".." not in name and any(NAMED.fullmatch(one) and fnmatch(name, one) for one in patterns)
