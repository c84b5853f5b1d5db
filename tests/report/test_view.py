"""`fooling view`: what is listed and served, what never is, who gets in, and the progress of jobs as they run."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import reports
from golden.images import STORED

from fooling.commands import dispatch
from fooling.errors import guarded
from fooling.report import HTML, write_report
from fooling.report.listing import Listing
from fooling.report.live import last_metrics, live
from fooling.report.server import HEADERS, Server, is_loopback

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
HOSTILE = "<script>alert(1)</script>"


class Reply:
    """What a server has answered."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.body = answer.status, answer.read()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(server: Server, address: str, method: str = "GET", **headers: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        connection.request(method, address, headers=headers)
        return Reply(connection.getresponse())
    finally:
        connection.close()


@contextmanager
def serving(root: Path, **options: Any) -> Iterator[Server]:
    with Server(root, **options) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def running(folder: Path) -> Path:
    """A job that runs: metrics and a checkpoint, no images yet."""
    shutil.copytree(STORED / "ga", folder)
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**run, "status": "running"}))
    (folder / "metrics.jsonl").touch()
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of several kinds, and what is not to be seen."""
    outside = tmp_path_factory.mktemp("outside")
    root = outside / "runs"
    root.mkdir()
    reports.make_audit(root / "audit")
    write_report(root / "audit")
    shutil.copytree(STORED / "finished", root / "group" / "plain")
    shutil.copytree(STORED / "finished", root / HOSTILE.replace("/", ""))
    shutil.copytree(STORED / "ladder", root / "ladder")
    shutil.copytree(STORED / "finished", root / "damaged")
    (root / "damaged" / "run.json").write_text("{")
    shutil.copytree(STORED / "finished", root / "linked")
    (outside / "secret.png").write_bytes(reports.picture())
    (root / "linked" / "contact_sheet.png").symlink_to(outside / "secret.png")
    shutil.copytree(STORED / "finished", outside / "elsewhere")
    (root / "alias").symlink_to(outside / "elsewhere")
    (root / "notes").mkdir()
    (root / "notes" / "mine.txt").write_text("mine")
    running(root / "now")
    return root


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    with serving(root) as server:
        yield server


def files_of(root: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in root.rglob("*")}


def test_the_list_has_every_record_and_nothing_is_written(server: Server, root: Path) -> None:
    before = files_of(root)
    page = ask(server, "/").text
    listed = re.findall(r'data-path="([^"]*)"', page)
    assert sorted(listed) == sorted(
        ["audit", "group/plain", "&lt;script&gt;alert(1)&lt;script&gt;", "ladder", "damaged", "linked", "now"]
    )
    assert HOSTILE not in page.replace("</script>\n</body>", "")
    assert "more than 5,000" in page  # the headline figure of the audit
    assert "2 of 2" in page
    assert page.count("status damaged") == 2
    assert "median confidence" in page
    for row in Listing(root).rows():
        assert ask(server, f"/report/{quote(row.path)}").status == (
            409 if row.status == "damaged" or row.name == "now" else 200
        )
        assert ask(server, f"/live/{quote(row.path)}").status == 200
        assert ask(server, f"/thumbnail/{quote(row.path)}").status == (200 if row.picture else 404)
    assert files_of(root) == before


def test_a_search_needs_no_script(server: Server) -> None:
    found = ask(server, "/?q=fooling+AUDIT").text
    assert re.findall(r'data-path="([^"]*)"', found) == ["audit"]
    assert "No record" in ask(server, "/?q=nonsense").text
    assert 'value="&#34;&gt;&lt;b&gt;"' in ask(server, "/?q=%22%3E%3Cb%3E").text


def test_the_stored_page_of_a_finished_record_is_served(server: Server, root: Path) -> None:
    answer = ask(server, "/report/audit")
    assert answer.body == (root / "audit" / HTML).read_bytes()
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "fooling report" in ask(server, "/report/group/plain").text  # drawn
    assert not (root / "group" / "plain" / HTML).exists()


@pytest.mark.parametrize("address", ["/", "/report/audit", "/live/now", "/best/now", "/file/audit?name=audit.png", "/nothing"])
def test_every_answer_has_its_headers(server: Server, address: str) -> None:
    answer, head = ask(server, address), ask(server, address, "HEAD")
    for name, value in HEADERS:
        assert answer.headers[name.lower()] == value
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert (head.status, head.body) == (answer.status, b"")
    assert head.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("run.json", "application/json"),
        ("metrics.jsonl", "text/plain"),
        ("config.yaml", "text/plain"),
        ("images/0000.png", "image/png"),
        ("checkpoint.npz", ""),
        ("mine.txt", ""),
        ("../ladder/ladder.json", ""),
        ("images/../run.json", ""),
        ("/etc/passwd", ""),
        ("", ""),
    ],
)
def test_files_of_known_kinds_are_served(server: Server, name: str, kind: str) -> None:
    answer = ask(server, f"/file/group/plain?name={quote(name)}")
    assert answer.status == (200 if kind else 404)
    assert not kind or answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../elsewhere",
        "%2e%2e/elsewhere",
        "group%2f..%2f..%2felsewhere",
        "group/../../elsewhere",
        "alias",
        "notes",
        "group",
        "/etc",
        "%00",
        "audit%00",
        "a" * 5000,
        "audit//",
        ".",
        "..%5celsewhere",
    ],
)
@pytest.mark.parametrize("room", ["report", "file", "thumbnail", "events"])
def test_no_path_leaves_the_folder(server: Server, room: str, path: str) -> None:
    address = f"/events?record={path}" if room == "events" else f"/{room}/{path}?name=run.json"
    assert ask(server, address).status == 404


def test_links_to_elsewhere_are_refused(server: Server) -> None:
    assert "is a link" in ask(server, "/report/linked").text
    assert ask(server, "/file/linked?name=contact_sheet.png").status == 404


@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl", "checkpoint.npz"])
def test_a_record_whose_state_lies_elsewhere_is_not_shown(tmp_path: Path, name: str) -> None:
    folder = running(tmp_path / "runs" / "job")
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with serving(tmp_path / "runs") as server:
        assert [ask(server, f"/{room}/job").status for room in ("live", "report", "best")] == [404] * 3
        assert "is a link" in ask(server, "/").text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_records_are_only_read(server: Server, method: str) -> None:
    answer = ask(server, "/", method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("localhost.evil.example:8000", 421),
        ("192.168.0.1", 421),
        ("", 421),
    ],
)
def test_the_header_host_must_be_of_the_server(server: Server, host: str, status: int) -> None:
    assert ask(server, "/", Host=host).status == status


def test_a_token_is_exchanged_for_a_cookie(root: Path) -> None:
    token = "a-token-of-the-test"  # noqa: S105
    with serving(root, token=token) as server:
        assert server.address.endswith(f"?token={token}")
        for address in ("/", "/events", "/report/audit", "/?token=a-token-of-the-tesT", "/?token=%C3%A9"):
            assert ask(server, address).status == 403
        answer = ask(server, f"/?q=a&token={token}")
        assert (answer.status, answer.headers["location"]) == (303, "/?q=a")
        cookie, *attributes = answer.headers["set-cookie"].split("; ")
        assert {"HttpOnly", "SameSite=Strict"} <= set(attributes)
        assert token not in cookie
        assert ask(server, "/", Cookie=cookie).status == 200
        assert ask(server, "/", Cookie=cookie + "x").status == 403
        assert ask(server, f"//evil.example?token={token}").headers["location"].startswith("/evil")


def test_other_hosts_need_a_token(root: Path) -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example")] == [True] * 3 + [False] * 2  # noqa: S104
    with serving(root, host="0.0.0.0") as server:  # noqa: S104
        assert server.token
        assert len(server.token) > 20
        assert ask(server, "/").status == 403
        assert server.expects("192.168.0.1:80")
        assert not server.expects("evil.example")


# --- progress -----------------------------------------------------------------------------------------------------------


def next_event(answer: http.client.HTTPResponse) -> dict[str, Any]:
    while not (line := answer.readline()).startswith(b"data: "):
        assert line
    found: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return found


def test_events_follow_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fooling.report.site.SECONDS", 0.02)
    folder = running(tmp_path / "job")
    with serving(tmp_path) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.request("GET", "/events?record=job")
        answer = connection.getresponse()
        assert answer.headers["content-type"].startswith("text/event-stream")
        first = next_event(answer)["/job"]
        assert "generation 700" in first["line"]
        row = {"generation": 720, "evaluations": 1234567, "confidence": 0.5, "converged": 1, "seconds": 1.2}
        with (folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(row) + '\n{"generation": 74')  # the last line is half written
        second = next_event(answer)["/job"]
        assert "generation 720, 1,234,567 evaluations, median confidence 50.00 %, 1 of 2 converged" in second["line"]
        os.utime(folder / "checkpoint.npz", (time.time() + 5, time.time() + 5))
        assert next_event(answer)["/job"]["picture"] != first["picture"]
        assert ask(server, "/best/job").body.startswith(b"\x89PNG")
        run = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**run, "status": "done"}))
        assert next_event(answer)["/job"]["status"] == "done"
        connection.close()


def test_events_of_the_list_say_that_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fooling.report.site.LIST_SECONDS", 0.02)
    running(tmp_path / "job")
    with serving(tmp_path) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.request("GET", "/events")
        answer = connection.getresponse()
        found = next_event(answer)
        assert found["list"] is False
        assert found["/job"]["status"] == "running"
        shutil.copytree(STORED / "finished", tmp_path / "other")
        assert next_event(answer)["list"] is True
        connection.close()


def test_too_many_streams_are_refused(tmp_path: Path) -> None:
    running(tmp_path / "job")
    with serving(tmp_path) as server:
        while server.streams.acquire(blocking=False):
            pass
        assert ask(server, "/events").status == 503
        assert ask(server, "/").status == 200


def test_the_end_is_estimated_by_the_limits(tmp_path: Path) -> None:
    folder = running(tmp_path / "job")
    (folder / "config.yaml").write_text("# Repeat this job: x\nsearch:\n  generations: 7000\nseconds: null\n")
    assert last_metrics(folder)["generation"] == 700
    assert "at most 11 s left" in live(folder).line
    old = time.time() - 3600
    for path in folder.iterdir():
        os.utime(path, (old, old))
    assert "nothing written for 60 min" in live(folder).line


def test_a_sweep_that_runs_shows_its_job(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    reports.make_experiment(folder, "audit", reports.audit_json(), ("a", "b"), status="running")
    shutil.rmtree(folder / "b")
    running(folder / "b")
    found = live(folder)
    assert found.line.startswith("0 of 2 jobs are done; b: generation 700")
    assert found.folder == folder / "b"
    (folder / "experiment.json").write_text("{")
    assert live(folder).status == "damaged"


# --- the command --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing"], "missing"),
        ([".", "port=70000"], "port"),
        ([".", "token=short"], "token"),
        ([".", "host=192.0.2.1"], "host=192.0.2.1"),
        ([".", "host=no.such.host.invalid"], "no.such.host.invalid"),
    ],
)
def test_what_cannot_be_served_is_one_line(home: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["view", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_port_in_use_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert guarded(dispatch, ["view", ".", f"port={port}"]) == 2
    error = capsys.readouterr().err
    assert f"port={port}" in error
    assert "port=0" in error


def test_an_interruption_ends_it_with_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fooling", "view", str(tmp_path), "port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert re.search(r"http://127\.0\.0\.1:[1-9]\d+/ ", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (130, "fooling: interrupted\n")


@pytest.mark.skipif(BROWSER is None, reason="no chromium is installed: pages are not opened in a browser")
@pytest.mark.parametrize(
    ("address", "there"),
    [("/", 'class="records"'), ("/live/now", "/best/now?v="), ("/report/audit", "sort by this column")],
)
def test_pages_in_a_browser(root: Path, tmp_path: Path, address: str, there: str) -> None:
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--disable-background-networking"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--timeout=1500", "--dump-dom"]
    with serving(root) as server:
        words = [str(BROWSER), *options, f"http://127.0.0.1:{server.server_port}{address}"]
        found = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert "CONSOLE" not in found.stderr
    assert there in found.stdout
