"""`fooling data get mnist`, against a server on loopback."""

import contextlib
import gzip
import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from builders import DATA, needs_mnist

from fooling.commands.data import main
from fooling.data import idx
from fooling.errors import UserError

CONTENT = {"train-images-idx3-ubyte.gz": b"images" * 99, "train-labels-idx1-ubyte.gz": b"labels" * 99}
RANDOM = np.random.default_rng(0).bytes(1 << 16)
sent: list[int] = []  # bytes of endless files


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serves /good/ (right), /wrong/ (other content), /large/ (much), /short/ (truncated), /endless/; → its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, place, name = self.path.split("/")
            if place == "endless":
                self.stream_on()
                return
            bodies = {
                "good": CONTENT.get(name, b""),
                "wrong": b"something else",
                "large": bytes(1 << 24),
                "short": CONTENT.get(name, b""),
            }
            body = gzip.compress(bodies.get(place, b""))
            self.send_response(200 if place in bodies else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:-20] if place == "short" else body)

        def stream_on(self) -> None:
            """Sends until nobody listens."""
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(4096):
                    self.wfile.write(RANDOM)
                    sent.append(len(RANDOM))

        def log_message(self, *words: object) -> None:
            pass

    known = {name: (hashlib.sha256(content).hexdigest(), len(content)) for name, content in CONTENT.items()}
    monkeypatch.setattr(idx, "MNIST_FILES", known)
    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    thread.join()
    served.server_close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_first_mirror_that_is_right_is_used(server: str, tmp_path: Path) -> None:
    said: list[str] = []
    mirrors = [f"{server}/{place}" for place in ("missing", "wrong", "large", "short", "good")]
    paths = idx.get_mnist(tmp_path, mirrors, said.append)
    assert [gzip.decompress(path.read_bytes()) for path in paths] == list(CONTENT.values())
    assert names(tmp_path) == sorted(CONTENT)
    assert all(line.endswith("/good") for line in said)


def test_files_that_are_right_are_kept_and_others_replaced(server: str, tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in CONTENT)
    first.write_bytes(gzip.compress(CONTENT[first.name]))
    second.write_bytes(b"truncated")
    said: list[str] = []
    idx.get_mnist(tmp_path, [f"{server}/good"], said.append)
    assert said[0].endswith("already there")
    assert gzip.decompress(second.read_bytes()) == CONTENT[second.name]


@pytest.mark.parametrize("number", [3, 5000])  # smaller and larger than the known file
@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_other_data_of_the_same_name_are_refused(
    server: str, tmp_path: Path, number: int, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / list(CONTENT)[1]
    path.write_bytes(pack(bytes([0, 0, 8, 1, *number.to_bytes(4, "big")]) + bytes(number)))
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"train-labels-idx1-ubyte.gz: holds other images or labels than MNIST's; give another"):
        idx.get_mnist(tmp_path, [f"{server}/good"])
    assert (names(tmp_path), path.read_bytes()) == ([path.name], before)


@pytest.mark.parametrize("place", ["missing", "wrong", "large", "short", "endless"])
def test_nothing_wrong_is_left(server: str, tmp_path: Path, place: str) -> None:
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte.gz: no mirror has it; http://127.0.0.1"):
        idx.get_mnist(tmp_path, [f"{server}/{place}"])
    assert names(tmp_path) == []


def test_every_mirror_and_its_reason_are_named(server: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        idx.get_mnist(tmp_path, [f"{server}/{place}" for place in ("missing", "wrong", "large")])
    said = str(caught.value)
    assert "\n" not in said
    for part in ("/missing/train-images-idx3-ubyte.gz: 404", "/wrong/", "got f41f3fa625ff…", "at most 4,690 bytes, got more"):
        assert part in said


def test_no_more_is_received_than_the_known_size_allows(server: str, tmp_path: Path) -> None:
    sent.clear()
    with pytest.raises(UserError, match="at most 4,690 bytes, got more"):
        idx.get_mnist(tmp_path, [f"{server}/endless"])
    assert sum(sent) < 1 << 24  # what fits into the buffers of the connection


def test_a_file_that_trickles_is_given_up(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "LONGEST", -1)
    with pytest.raises(UserError, match=r"expected the file within -1 s, got \d+ bytes of it"):
        idx.get_mnist(tmp_path, [f"{server}/good"])


def test_a_folder_that_cannot_be_written(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match=r"expected a folder to write to, got: .*; give another folder"):
            idx.get_mnist(folder, [f"{server}/good"])

    def forbidden(**place: object) -> None:
        raise PermissionError(13, "Permission denied", str(place["dir"]))

    monkeypatch.setattr(idx.tempfile, "TemporaryFile", forbidden)
    with pytest.raises(UserError, match="expected a folder to write to, got: Permission denied"):
        idx.get_mnist(tmp_path / "new", [f"{server}/good"])


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no mirror has it"):
        idx.get_mnist(tmp_path, ["http://127.0.0.1:9/"])


def test_command(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "mnist", str(tmp_path / "new" / "folder"), f"mirror={server}/good"]) == 0
    assert names(tmp_path / "new" / "folder") == sorted(CONTENT)
    assert "use it with data.path=" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["get"], "expected: fooling data get mnist DIR, got: fooling data get"),
        (["get", "cifar", "x"], "unknown data set 'cifar': expected one of mnist"),
        (["get", "mnist", ""], "DIR is empty"),
        (["put", "mnist", "x"], "expected: fooling data get mnist DIR"),
    ],
)
def test_refusals(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        main(words)


@needs_mnist
def test_mnist_itself_is_known_and_kept() -> None:
    said: list[str] = []
    paths = idx.get_mnist(Path(DATA or ""), [], said.append)
    assert [path.name for path in paths] == list(idx.MNIST_FILES)
    assert all(line.endswith("already there") for line in said)
