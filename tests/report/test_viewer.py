"""`view=true`: the page of a record while its job runs, on this machine alone; what fails there never stops the job."""

import http.client
import json
import shutil
import socket
import threading
import webbrowser
from pathlib import Path

import pytest
from golden.images import STORED

from fooling.commands import dispatch
from fooling.report import HTML, viewer, write_report
from fooling.report.viewer import viewing
from fooling.settings import load
from fooling.settings.audit import AuditSettings

RUN = ["run", "digit=2", "runs=2", "generations=3", "prior=none", "engine=reference", "population=10", "view=true"]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was to open, on a machine with a display."""
    found: list[str] = []
    monkeypatch.setattr(webbrowser, "open", found.append)
    monkeypatch.setattr(viewer, "PORTS", (0,))
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    return found


def fetch(address: str) -> tuple[int, str]:
    _, _, host, path = address.split("/", 3)
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def wait_for(found: list[str]) -> str:
    for _ in range(200):
        if found:
            return found[0]
        threading.Event().wait(0.02)
    raise AssertionError("no browser was opened")


def running(folder: Path) -> Path:
    shutil.copytree(STORED / "finished", folder)
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**run, "status": "running"}))
    return folder


def test_the_page_of_a_running_job_is_served_until_the_job_ends(tmp_path: Path, opened: list[str]) -> None:
    said: list[str] = []
    folder = tmp_path / "runs" / "two words"
    with viewing(folder, said.append):
        assert not opened  # there is no record yet
        running(folder)
        address = wait_for(opened)
        assert address.endswith("/live/two%20words")
        assert address in said[0]
        status, page = fetch(address)
        assert status == 200
        assert 'data-page="/report/two%20words"' in page
        assert fetch(address.replace("/live/", "/report/"))[0] == 409  # matplotlib is the job's
        run = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**run, "status": "done"}))
        write_report(folder)
        assert fetch(address.replace("/live/", "/report/")) == (200, (folder / HTML).read_text())
    assert str(folder / HTML) in said[-1]
    with pytest.raises(OSError, match="refused"):
        fetch(address)


def test_a_hidden_folder_is_served_by_its_relative_name(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with viewing(running(Path(".hidden")), lambda line: None):
        address = wait_for(opened)
        assert address.endswith("/live/")
        assert fetch(address)[0] == 200


def test_an_open_page_gets_the_report_before_the_server_ends(tmp_path: Path, opened: list[str]) -> None:
    folder, events = running(tmp_path / "now"), list[str]()

    def read(address: str) -> None:
        _, _, host, _ = address.split("/", 3)
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("GET", "/events?record=now")
        answer = connection.getresponse()
        while '"page": true' not in (line := answer.readline().decode()):
            assert line
            events.append(line)
        events.append(fetch(address.replace("/live/", "/report/"))[1])

    with viewing(folder, lambda line: None):
        reader = threading.Thread(target=read, args=(wait_for(opened),))
        reader.start()
        while not events:
            threading.Event().wait(0.02)
        run = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**run, "status": "done"}))
        write_report(folder)
    reader.join()
    assert events[-1] == (folder / HTML).read_text()


def test_a_busy_port_stops_nothing(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, said, done = running(tmp_path / "now"), list[str](), []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(viewer, "PORTS", (port, 0))
        with viewing(folder, said.append):
            assert fetch(wait_for(opened))[0] == 200
        assert f":{port}/" not in said[0]
        monkeypatch.setattr(viewer, "PORTS", (port,))
        with viewing(folder, said.append):
            done.append(True)
    assert done
    assert len(said) == 1
    assert "the job goes on" in capsys.readouterr().err


@pytest.mark.parametrize("environment", [{}, {"DISPLAY": "", "SSH_CONNECTION": "there"}])
def test_no_browser_is_opened_without_a_display(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, opened: list[str], tmp_path: Path
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", "linux")
    with viewing(running(tmp_path / "now"), lambda line: None):
        threading.Event().wait(0.2)
    assert not opened


def test_a_job_is_shown_and_its_settings_do_not_say_so(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dispatch([*RUN, f"out={tmp_path / 'twos'}"]) == 0
    said = capsys.readouterr().out
    assert opened[0].endswith("/live/twos")
    assert opened[0] in said
    assert str(tmp_path / "twos" / HTML) in said.splitlines()[-1]
    assert "view" not in (tmp_path / "twos" / "config.yaml").read_text()


def test_without_it_nothing_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fooling.commands.experiment.VIEWER", "nowhere:viewing")
    assert dispatch([*RUN[:-1], "quiet=true", f"out={tmp_path / 'twos'}"]) == 0
    assert load([], AuditSettings, "audit").view is False
