"""Leases: one owner at a time, on whatever machine; those of dead owners are taken over."""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fooling.errors import Interrupted
from fooling.records import lease
from fooling.records.lease import leased

OTHER = "0f0f someone-else 1 5\n"  # the lease of a process on another machine, of which nobody knows whether it runs


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("BEAT_SECONDS", 0.02), ("PATIENCE_SECONDS", 0.3), ("POLL_SECONDS", 0.01)):
        monkeypatch.setattr(lease, name, seconds)


def test_only_one_at_a_time_has_it(tmp_path: Path) -> None:
    inside, most = [0], [0]

    def work() -> None:
        with leased(tmp_path, "digit=2"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.05)
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert list(tmp_path.iterdir()) == []


def test_another_record_has_its_own(tmp_path: Path) -> None:
    with leased(tmp_path, "a=1"), leased(tmp_path, "a=1,b=[2]"), leased(tmp_path, "a=1,b=*"):
        assert len(list(tmp_path.iterdir())) == 3


def test_a_living_owner_is_waited_for_and_a_silent_one_is_not(tmp_path: Path) -> None:
    with leased(tmp_path, "a"):  # beats go on, longer than patience lasts
        until = time.monotonic() + 0.6
        with pytest.raises(Interrupted), leased(tmp_path, "a", lambda: time.monotonic() > until):
            pass
    (tmp_path / "a.7").write_text(OTHER)
    begun = time.monotonic()
    with leased(tmp_path, "a"):
        assert time.monotonic() - begun >= 0.3
        assert [path.name for path in tmp_path.iterdir()] == ["a.8"]


def test_of_this_machine_a_dead_owner_is_known_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "PATIENCE_SECONDS", 60)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "a.1").write_text(f"0f0f {socket.gethostname()} {dead.pid} 3\n")
    begun = time.monotonic()
    with leased(tmp_path, "a"):
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize("taken", [True, False], ids=["by another", "removed"])
def test_an_owner_finds_out_that_it_has_lost_it(tmp_path: Path, taken: bool) -> None:
    lost = threading.Event()
    with leased(tmp_path, "a", lost=lost.set):
        assert not lost.wait(0.1)
        (tmp_path / "a.1").write_text(OTHER) if taken else (tmp_path / "a.1").unlink()
        assert lost.wait(5)
    assert (tmp_path / "a.1").exists() == taken  # what is another's stays
