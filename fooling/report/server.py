"""An HTTP server of the records below a folder, for a browser on this machine, or with a token for others.

Only GET and HEAD. The header Host must be one that is expected, so that no page of another site reads along (DNS
rebinding). Where a token is required, it is accepted once in the address and then as a cookie.
"""

import hmac
import ipaddress
import secrets
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from fooling.report.site import NOTHING_ELSE, Answer, Refusal, Site

LOCAL = ("localhost", "127.0.0.1", "[::1]")
ANY = ("0.0.0.0", "::")  # noqa: S104 (names them)
STREAMS, SECONDS = 32, 30.0  # streams of events at once; that a client may keep the server waiting
HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
PLAIN = "text/plain; charset=utf-8"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def same(one: str, other: str) -> bool:
    """Whether two texts are equal; the time does not say how much of them is."""
    return hmac.compare_digest(one.encode(), other.encode())


class Server(ThreadingHTTPServer):
    """Serves a folder; `beside` a job in the same process. Raises OSError for a port that is taken and a host of elsewhere."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, root: Path, host: str = "127.0.0.1", port: int = 0, token: str | None = None, *, beside: bool = False
    ) -> None:
        self.site, self.host = Site(root, beside=beside), host.strip("[]")
        self.token = token or (None if is_loopback(host) else secrets.token_urlsafe(24))
        self.session = secrets.token_urlsafe(24)  # what the cookie holds
        self.streams = threading.BoundedSemaphore(STREAMS)
        self.watched: set[object] = set()  # connections with a stream of events
        self.address_family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        super().__init__((self.host, port), Handler)

    def server_bind(self) -> None:
        """Binds to the host and the port, without looking up a name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.host, self.server_address[1]

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        host = socket.gethostname() if self.host in ANY else self.host
        base = f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}/"
        return f"{base}?token={quote(self.token)}" if self.token else base

    @property
    def cookie(self) -> str:
        """The name of its cookie: browsers share cookies among the ports of a host."""
        return f"fooling_{self.server_port}"

    def expects(self, header: str) -> bool:
        """Whether the header Host names this server; where it listens everywhere, also by any address in numbers."""
        name = header.strip().lower()
        host = name[: name.find("]") + 1] if name.startswith("[") else name.partition(":")[0]
        if host in LOCAL or (host and host.strip("[]") == self.host.lower()):
            return True
        if self.host not in ANY:
            return False
        with suppress(ValueError):
            return bool(ipaddress.ip_address(host.strip("[]")))
        return host == socket.gethostname().lower()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is no error."""


class Handler(BaseHTTPRequestHandler):
    """A connection."""

    server: Server
    server_version, sys_version, timeout = "fooling", "", SECONDS

    def do_GET(self) -> None:
        """Answers a request."""
        try:
            self.answer()
        except Refusal as refusal:
            self.send_line(refusal.status, refusal.line)

    do_HEAD = do_GET  # noqa: N815

    def refuse(self) -> None:
        """Any other method."""
        self.send_line(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET or HEAD: records are only read", (("Allow", "GET, HEAD"),))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = refuse  # noqa: N815

    def answer(self) -> None:
        """Checks who asks, then sends a page, a picture, a file or events. Raises Refusal."""
        names = self.headers.get_all("Host") or []
        if len(names) != 1 or not self.server.expects(names[0]):
            raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, "the header Host is not of this server; use its printed address")
        address = urlsplit(self.path)
        try:
            query = parse_qs(address.query, max_num_fields=10, errors="strict")
            where = unquote(address.path, errors="strict").removeprefix("/")
        except ValueError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, "the address is not text in UTF-8") from error
        if self.server.token and self.admit(address.path, query):
            return
        room, _, path = where.partition("/")
        site = self.server.site
        pages = {"live": site.live, "report": site.report, "thumbnail": site.thumbnail, "best": site.best_images}
        if where == "":
            self.send(site.index(first(query, "q")))
        elif where == "events":
            self.stream(first(query, "record") if "record" in query else None)
        elif room == "file":
            self.send(site.file(path, first(query, "name")))
        elif room in pages:
            self.send(pages[room](path))
        else:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such page; go back to the list")

    def admit(self, path: str, query: dict[str, list[str]]) -> bool:
        """Lets in who has the cookie; who has the token gets it, and True is returned. Raises Refusal for others."""
        token, cookie = self.server.token or "", f"{self.server.cookie}={self.server.session}"
        if "token" in query and same(first(query, "token"), token):
            rest = urlencode({name: values[0] for name, values in query.items() if name != "token"})
            place = "/" + path.lstrip("/") + (f"?{rest}" if rest else "")  # never //host
            self.send(
                Answer(
                    b"",
                    PLAIN,
                    status=HTTPStatus.SEE_OTHER,
                    headers=(("Location", place), ("Set-Cookie", f"{cookie}; Path=/; HttpOnly; SameSite=Strict")),
                )
            )
            return True
        found: SimpleCookie = SimpleCookie()
        with suppress(CookieError):
            found.load(self.headers.get("Cookie", ""))
        given = found.get(self.server.cookie)
        if given is None or not same(given.value, self.server.session):
            raise Refusal(HTTPStatus.FORBIDDEN, "expected a token: open the printed address, with ?token=…")
        return False

    def send(self, answer: Answer) -> None:
        """Sends an answer."""
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Content-Security-Policy", answer.policy)
        for name, value in (*HEADERS, *answer.headers):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def send_line(self, status: int, line: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Sends a line of text."""
        self.send(Answer(f"{line}\n".encode(errors="replace"), PLAIN, NOTHING_ELSE, status, headers))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server refuses by itself."""
        del explain
        self.send_line(code, message or HTTPStatus(code).phrase)

    def stream(self, path: str | None) -> None:
        """Sends events until the client goes away."""
        if path is not None:
            self.server.site.record(path)
        if not self.server.streams.acquire(blocking=False):
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"there are {STREAMS} streams of events already; close some pages")
        try:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            for name, value in (*HEADERS, ("Content-Security-Policy", NOTHING_ELSE)):
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            self.server.watched.add(self)
            with suppress(Refusal, OSError):  # the record has been removed; the client has gone away
                for event in self.server.site.events(path):
                    self.wfile.write(event)
        finally:
            self.server.watched.discard(self)
            self.server.streams.release()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name in http.server)
        """Prints nothing: addresses may hold the token."""


def first(query: dict[str, list[str]], name: str) -> str:
    """A parameter of an address; '' if there is none."""
    return query.get(name, [""])[0]
