"""classifier=http against a server on loopback that misbehaves on purpose."""

import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pairwise import rare
from servers import Answer, RawServer, Server, scores, well

from fooling.classifiers import load_classifier
from fooling.classifiers.adapters import deadline
from fooling.classifiers.adapters import http as http_
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.settings.files import CEILINGS


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setattr(http_, "FIRST_WAIT", 0.001)
    monkeypatch.chdir(tmp_path)
    server = Server()
    yield server
    server.stop()


def load(server: Server, **settings: Any) -> Any:
    return load_classifier("http", server.url, shape=(28, 28, 1), **settings)


IMAGES = np.random.default_rng(1).integers(0, 256, (7, 28, 28, 1), dtype=np.uint8)


@pytest.mark.parametrize("key", [*http_.ANSWERS, ""])
def test_scores_are_those_of_the_server(server: Server, key: str) -> None:
    if key:
        server.answer = lambda number, images: well(images, key)
    else:
        server.answer = lambda number, images: (200, "application/json", json.dumps(scores(images).tolist()).encode())
    found = load(server)
    assert found(IMAGES) == pytest.approx(scores((IMAGES / 255).tolist()), abs=1e-6)
    wanted, few = found(IMAGES), load(server, batch_size=3)
    server.sizes.clear()
    assert few(IMAGES) == pytest.approx(wanted)
    assert server.sizes == [3, 3, 1]


def test_a_server_is_fooled_with_one_command_though_it_stumbles(server: Server) -> None:
    def stumble(number: int, images: list[Any]) -> tuple[int, str, bytes]:
        return (503, "text/plain", b"too busy") if number % 3 == 0 else well(images)

    server.answer = stumble
    words = ["run", "digit=4", "prior=none", "runs=2", "population=20", "generations=60", "out=r", "classifier=http"]
    assert guarded(dispatch, [*words, f"classifier.path={server.url}"]) == 0
    found = json.loads(Path("r/run.json").read_text())
    assert found["converged"] == 2
    assert found["reproducible"] in ("exact", "approximate")


def test_a_server_that_dies_leaves_a_record_that_is_resumed(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answer = lambda number, images: well(images) if number < 20 else (500, "text/html", b"<html>\n<h1>Oops</h1></html>")
    words = ["run", "digit=4", "prior=none", "runs=2", "population=20", "generations=8", "stop=end", "out=r"]
    words += ["classifier=http", f"classifier.path={server.url}", "classifier.retries=1"]
    assert guarded(dispatch, words) == 2
    said = capsys.readouterr().err
    assert "expected scores, got status 500: <html> <h1>Oops</h1></html> (2 calls)" in said
    assert "resume=true" in said
    assert json.loads(Path("r/run.json").read_text())["status"] == "failed"
    server.answer = lambda number, images: well(images)
    assert guarded(dispatch, [*words[:-1], "classifier.retries=5", "classifier.timeout=20", "resume=true"]) == 0
    assert json.loads(Path("r/run.json").read_text())["evaluations"] == 2 * 20 * 9


@pytest.mark.exhaustive
def test_a_server_that_dies_at_the_end_leaves_a_record_that_is_resumed(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "digit=4", "prior=none", "runs=2", "population=20", "generations=5", "stop=end", "out=r"]
    words += ["classifier=http", f"classifier.path={server.url}", "classifier.retries=0"]
    assert guarded(dispatch, words) == 0
    last = len(server.sizes)
    server.sizes.clear()
    server.answer = lambda number, images: well(images) if number < last else (500, "text/plain", b"no")
    assert guarded(dispatch, [*words, "overwrite=true"]) == 2
    assert re.search(r"\(1 call\);.*resume=true", capsys.readouterr().err)
    server.answer = lambda number, images: well(images)
    assert guarded(dispatch, [*words, "resume=true"]) == 0


@pytest.mark.parametrize(
    ("answer", "said", "calls"),
    [
        (lambda n, images: (500, "text/plain", b"no"), r"got status 500: no \(3 calls\)", 3),
        (lambda n, images: (404, "text/html", b"<html>where?</html>"), r"got status 404: <html>where\?</html> \(1 call\)", 1),
        (
            lambda n, images: (200, "text/html", b"<html>hello</html>"),
            "expected JSON: .*; got text/html: <html>hello</html>",
            1,
        ),
        (lambda n, images: (200, "application/json", b'{"error": "x"}'), "got an object with error", 1),
        (lambda n, images: (200, "application/json", b"7"), "expected JSON: .*; got 7", 1),
        (lambda n, images: (200, "application/json", b"[[1, 2], [3]]"), "rows of different lengths, or not of numbers", 1),
        (lambda n, images: (200, "application/json", b'[["a", "b"]]'), "not of numbers", 1),
        (lambda n, images: well(images[1:]), r"expected a row of scores for each of 35 images, got float64 \[34, 10\]", 1),
        (
            lambda n, images: (200, "application/json", b"[" + b"[NaN, 1]," * (len(images) - 1) + b"[0, 1]]"),
            "NaN or infinity",
            2,
        ),
        (
            lambda n, images: (200, "application/json", b"[" + b"[null, 1]," * (len(images) - 1) + b"[0, 1]]"),
            "NaN or infinity",
            2,
        ),
    ],
)
def test_what_is_no_answer_is_told_in_a_line(server: Server, answer: Answer, said: str, calls: int) -> None:
    from fooling.classifiers.checks import check_classifier

    server.answer = answer
    with pytest.raises(UserError, match=said) as told:
        check_classifier(load(server, retries=2))
    assert "\n" not in str(told.value)
    assert len(server.sizes) == calls


def test_a_slow_server_is_not_waited_for(server: Server) -> None:
    def slow(number: int, images: list[Any]) -> tuple[int, str, bytes]:
        time.sleep(0.3)
        return well(images)

    server.answer = slow
    with pytest.raises(UserError, match=r"got no answer within 0.05 s; a longer classifier.timeout .* \(1 call\)"):
        load(server, retries=0, timeout=0.05)


def test_an_answer_that_trickles_is_not_waited_for(server: Server) -> None:
    server.pause = 0.1  # the answer has some 1,100 bytes, and spaces before them
    server.answer = lambda number, images: (200, "application/json", b" " * 100_000 + well(images)[2])
    start = time.monotonic()
    with pytest.raises(UserError, match=r"no answer within 0\.2 s"):
        load(server, retries=0, timeout=0.2)
    assert time.monotonic() - start < 5  # all of it would take ten seconds


@pytest.mark.exhaustive
def test_a_batch_that_is_too_large_is_halved(server: Server) -> None:
    server.answer = lambda number, images: well(images) if len(images) <= 60 else (413, "text/plain", b"too large")
    images = np.random.default_rng(2).integers(0, 256, (300, 28, 28, 1), dtype=np.uint8)
    found = load(server)
    server.sizes.clear()
    assert found(images) == pytest.approx(scores((images / 255).tolist()), abs=1e-6)
    assert server.sizes == [256, 128, 64, 32, *[32] * 8, 12]
    server.answer = lambda number, images: (413, "text/plain", b"too large")
    with pytest.raises(UserError, match="expected scores of 1 images, got status 413: too large"):
        found(images[:1])


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"[" * 100_000, "expected JSON"), (b"[[1" + b"0" * 400 + b", 1]]", "not of numbers"), (b"[]", "row of scores")],
)
def test_hostile_answers(server: Server, body: bytes, said: str) -> None:
    server.answer = lambda number, images: (200, "application/json", body)
    with pytest.raises(UserError, match=said):
        load(server)


@pytest.mark.parametrize("url", ["http://..", "http://xn--/", "http://a b/"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UserError, match="no connection"):
        load_classifier("http", url, shape=(28, 28, 1), retries=0)


def test_a_server_that_is_down_is_told(server: Server) -> None:
    url = server.url.replace(str(server.server.server_port), "9")
    with pytest.raises(UserError, match=r"no connection \(.*\); does the server run\? \(2 calls\)"):
        load_classifier("http", url, shape=(28, 28, 1), retries=1)
    with pytest.raises(UserError, match="expected the URL of a server, http://… or https://…"):
        load_classifier("http", "localhost:80", shape=(28, 28, 1))


def test_waits_grow_and_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(http_, "FIRST_WAIT", 0.2)
    monkeypatch.setattr(http_.time, "sleep", waits.append)
    server.answer = lambda number, images: (503, "text/plain", b"busy")
    with pytest.raises(UserError, match="9 calls"):
        load(server, retries=8)
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


# --- one time limit for all of a call ---------------------------------------------------------------------------------


def repeat(head: bytes, drop: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Sends the head at once, then a drop every 20 ms for ever."""

    def treat(connection: socket.socket, ends: threading.Event) -> None:
        connection.recv(1 << 16)
        connection.sendall(head)
        while not ends.wait(0.02):
            connection.sendall(drop)

    return treat


SLOW = {
    "silent": repeat(b"", b""),
    "interim answers": repeat(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "early hints": repeat(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "status line": repeat(b"HTTP/1.1 200 ", b"O"),
    "headers": repeat(b"HTTP/1.1 200 OK\r\nX: ", b"a"),
    "many headers": repeat(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n"),
    "body": repeat(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b" "),
    "chunks": repeat(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "length of a chunk": repeat(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"0"),
    "gzip": repeat(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(b"x")[:10], b"\0\0\0\xff\xff"),
    "deaf": lambda connection, ends: bool(ends.wait(20)) and None,
}
OFTEN = ("silent", "interim answers", "headers", "body", "chunks")  # the others run rarely


def too_slow(url: str, timeout: float = 0.3) -> str:
    """The error of a call, which must come in time."""
    start = time.monotonic()
    with pytest.raises(UserError) as told:
        load_classifier("http", url, shape=(28, 28, 1), retries=0, timeout=timeout)
    assert time.monotonic() - start < timeout + 10  # a call without a limit takes 20, a busy machine seconds
    return str(told.value)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [(name, "http") if name in OFTEN else rare(name, "http") for name in SLOW] + [("silent", "https"), ("deaf", "https")],
)
def test_the_time_limit_is_for_the_whole_call(name: str, scheme: str) -> None:
    server = RawServer(SLOW[name])
    try:
        assert "no answer within 0.3 s" in too_slow(server.url.replace("http:", f"{scheme}:"))
    finally:
        server.stop()


def test_the_time_limit_includes_sending() -> None:
    server = RawServer(SLOW["deaf"])
    start = time.monotonic()
    try:
        with http_.bounded_client(0.3) as client, pytest.raises(http_.httpx.TimeoutException):
            http_.post(client, server.url, {"instances": "x" * (1 << 25)})
    finally:
        server.stop()
    assert time.monotonic() - start < 5


def test_the_time_limit_includes_the_search_for_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = threading.Event()

    def search(*words: Any, **more: Any) -> list[Any]:
        ends.wait(20)
        raise socket.gaierror(-3, "no such host")

    monkeypatch.setattr(socket, "getaddrinfo", search)
    assert "no answer within 0.3 s" in too_slow("http://somewhere.invalid/")
    ends.set()


def test_proxies_have_the_time_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    server = RawServer(SLOW["headers"])
    monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/predict"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    try:
        assert "no answer within 0.3 s" in too_slow("http://somewhere.invalid/")
    finally:
        server.stop()


def test_a_connection_is_kept_between_calls(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[Any] = []
    connect = deadline.BoundedBackend.connect_tcp
    monkeypatch.setattr(
        deadline.BoundedBackend, "connect_tcp", lambda *words, **more: connected.append(words) or connect(*words, **more)
    )
    for name, value in (("protocol_version", "HTTP/1.1"), ("timeout", 0.5)):  # it is kept for half a second
        monkeypatch.setattr(server.server.RequestHandlerClass, name, value, raising=False)
    with http_.bounded_client(5) as client:
        for _ in range(3):
            assert http_.post(client, server.url, {"instances": IMAGES.tolist()}).status == 200
    assert (len(connected), server.sizes) == (1, [7, 7, 7])


# --- answers without end, and foreign text ----------------------------------------------------------------------------


def reply(content: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Sends an answer and ends the connection."""

    def treat(connection: socket.socket, ends: threading.Event) -> None:
        connection.recv(1 << 16)
        connection.sendall(content)

    return treat


def answer_of(content: bytes) -> str:
    """The error after an answer of these bytes."""
    server = RawServer(reply(content))
    try:
        with pytest.raises(UserError) as told:
            load_classifier("http", server.url, shape=(28, 28, 1), retries=0)
    finally:
        server.stop()
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 600
    return str(told.value)


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "gzip,gzip,gzip", "x\x1b"])
def test_answers_whose_coding_could_grow_without_bound(coding: str) -> None:
    content = gzip.compress(gzip.compress(bytes(1 << 20)))
    answer_of(b"HTTP/1.1 200 OK\r\ncontent-encoding: " + coding.encode() + b"\r\n\r\n" + content)


def test_an_answer_above_the_ceiling(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CEILINGS, "JSON", 100_000)
    found = load(server)
    server.answer = lambda number, images: (200, "application/json", well(images)[2] + b" " * 100_000)
    with pytest.raises(UserError, match="more than 100,000 bytes"):
        found(IMAGES)
    monkeypatch.setenv("FOOLING_MAX_BYTES", "300000")
    assert found(IMAGES).shape == (7, 10)


def test_text_of_a_server_is_printable_and_short() -> None:
    hostile = b"\x1b]0;x\x07\x1b[2J" + b"A" * 100_000
    assert r"got status 404: \x1b]0;x\x07\x1b[2JAAA" in answer_of(b"HTTP/1.1 404 No\r\n\r\n" + hostile)
    assert r"got text/html" in answer_of(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n" + hostile)
    assert r"got text/\x9b2J" in answer_of(b"HTTP/1.1 200 OK\r\ncontent-type: text/\x9b2J\r\n\r\n" + hostile)
    keys = json.dumps({"\x1b[31m" + "k" * 9000: 1}).encode()
    assert r"got an object with \x1b[31mkkk" in answer_of(b"HTTP/1.1 200 OK\r\n\r\n" + keys)
    answer_of(b"\x1b[2J nonsense \r\n" + hostile)


def test_labels_of_a_server_are_printable_and_short(server: Server) -> None:
    labels = ["\x1b[31mred", "blue" * 1000]
    server.answer = lambda number, images: (200, "application/json", json.dumps([labels[0]] * len(images)).encode())
    with pytest.raises(UserError, match=r"got '\\\\x1b\[31mred'"):
        load(server, output="label", labels=["red", "blue"])(IMAGES)


# --- secrets ------------------------------------------------------------------------------------------------------------
QUICK = ["run", "digit=4", "prior=none", "runs=2", "population=20", "generations=8", "stop=end", "out=r", "classifier=http"]
RETURNED = "pa55-w0rd"


def written(folder: Path) -> str:
    return "".join(path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("place", [rare("login"), "parameter"])
def test_a_password_in_the_url_is_never_written(
    server: Server, place: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    url = server.url.replace("//", f"//me:{RETURNED}@") if place == "login" else f"{server.url}?token={RETURNED}"
    told = f"no {RETURNED} here: {url}{' Basic bWU6cGE1NS13MHJk' if place == 'login' else ''}".encode()
    server.answer = lambda number, images: well(images) if number < 20 else (500, "text/plain", told)
    words = [*QUICK, f"classifier.path={url}", "classifier.retries=0"]
    assert guarded(dispatch, words) == 2
    assert "contacts http://" in caplog.text
    server.answer = lambda number, images: well(images)
    words[-2] = f"classifier.path={url.replace(RETURNED, 'pa66')}"
    assert guarded(dispatch, [*words, "resume=true"]) == 0
    said = capsys.readouterr()
    for text in (said.out, said.err, caplog.text, written(Path("r"))):
        assert RETURNED not in text
        assert "pa66" not in text
        assert "bWU6cGE1NS13MHJk" not in text
    assert json.loads(Path("r/run.json").read_text())["classifier_path"] == url.replace(f"me:{RETURNED}", "***").replace(
        RETURNED, "***"
    )


TOLD = {  # where an answer repeats what was sent
    "text": lambda text: (500, "text/plain", text),
    "kind": lambda text: (200, text.decode(), b"no JSON"),
    "keys": lambda text: (200, "application/json", json.dumps({text.decode(): 1}).encode()),
}


@pytest.mark.parametrize("before", [0, 70, 140, 990], ids=str)
@pytest.mark.parametrize("answer", TOLD.values(), ids=TOLD)
def test_no_part_of_a_secret_is_shown(
    server: Server, answer: Callable[[bytes], Any], before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "".join(chr(ord("A") + 7 * i % 26) + chr(ord("0") + i % 10) for i in range(30))
    monkeypatch.setenv("API_TOKEN", token)
    server.answer = lambda number, images: answer(b"x" * before + server.headers["authorization"].encode())
    with pytest.raises(UserError) as told:
        load(server, auth_env="API_TOKEN", retries=0)
    assert not [part for part in (token[i : i + 4] for i in range(len(token) - 3)) if part in str(told.value)]


@pytest.mark.parametrize("form", ["header", "decoded", "encoded"])
def test_a_password_with_signs_is_masked_in_every_form(server: Server, form: str) -> None:
    def answer(number: int, images: list[Any]) -> tuple[int, str, bytes]:
        forms = {"header": server.headers["authorization"], "decoded": "p@sswordlong", "encoded": "p%40sswordlong"}
        return 500, "text/plain", f"got {forms[form]} here".encode()

    server.answer = answer
    with pytest.raises(UserError) as told:
        load_classifier("http", server.url.replace("//", "//u:p%40sswordlong@"), shape=(28, 28, 1), retries=0)
    assert re.search(r"got (Basic )?\*\*\* here", str(told.value))


@pytest.mark.exhaustive
def test_a_record_without_its_password_says_so(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    url = server.url.replace("//", f"//me:{RETURNED}@")
    assert guarded(dispatch, [*QUICK, f"classifier.path={url}"]) == 0
    calls = len(server.sizes)
    assert guarded(dispatch, ["run", "r/config.yaml", "out=again"]) == 2
    assert "***@127.0.0.1" in (said := capsys.readouterr().err)
    assert "classifier.auth_env=" in said
    assert len(server.sizes) == calls
    assert guarded(dispatch, ["run", "r/config.yaml", "out=again", f"classifier.path={url}"]) == 0


@pytest.mark.parametrize(
    ("secret", "sent"),
    [("abc", "Bearer abc"), ("me:abc", "Basic bWU6YWJj"), ("Api-Key abc:d", "Api-Key abc:d"), (" abc\n", "Bearer abc")],
)
def test_credentials_come_from_the_environment(
    server: Server, secret: str, sent: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("API_TOKEN", secret)
    load(server, auth_env="API_TOKEN")
    assert server.headers["authorization"] == sent
    assert caplog.messages[-1].endswith("with the credentials in $API_TOKEN")
    assert "abc" not in caplog.text


@pytest.mark.parametrize(("name", "secret"), [("MISSING", None), ("EMPTY", ""), ("ODD", "a\x1bb"), ("s3cret!", "x")])
def test_credentials_that_are_none(server: Server, name: str, secret: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if secret is not None:
        monkeypatch.setenv(name, secret)
    with pytest.raises(UserError, match=r"classifier\.auth_env") as told:
        load(server, auth_env=name)
    assert "s3cret" not in str(told.value)
    assert not server.sizes
