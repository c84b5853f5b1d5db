"""Where compiled kernels are kept: under a hash of their sources, in the first folder that can be written."""

import shutil
import stat
import time
from pathlib import Path

import numba
import pytest
from builders import still_clock

from fooling.kernels.numba import compile as jit

folder = jit.cache_folder.__wrapped__  # type: ignore[attr-defined]


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(jit.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    return tmp_path


def test_the_users_cache_is_first_and_a_given_folder_wins(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Path(folder())
    assert first.parent == homes / "cache" / "fooling"
    assert first.is_dir()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(homes / "given"))
    assert Path(folder()) == homes / "given" / first.name


def test_where_the_cache_cannot_be_written_the_temporary_folder_serves(homes: Path) -> None:
    (homes / "cache").write_text("a file stands in the way")
    assert Path(folder()).is_relative_to(homes / "tmp")


def test_without_any_folder_kernels_are_compiled_anew(homes: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("cache", "tmp"):
        (homes / name).write_text("a file stands in the way")
    assert folder() == ""
    assert "cannot be written" in caplog.text


def test_other_sources_have_another_folder(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder()
    kernels = Path(jit.__file__).parent.parent
    shutil.copytree(kernels, homes / "kernels")
    monkeypatch.setattr(jit, "__file__", str(homes / "kernels" / "numba" / "compile.py"))
    assert folder() == before
    with (homes / "kernels" / "numba" / "philox.py").open("a") as file:
        file.write("# edited\n")
    assert folder() != before


# --- what is in the cache is run, so nobody else may write to it ------------------------------------------------------


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o755, 0o701])
def test_a_folder_that_others_may_enter_is_not_used(homes: Path, caplog: pytest.LogCaptureFixture, mode: int) -> None:
    there = Path(folder())
    assert stat.S_IMODE(there.stat().st_mode) == stat.S_IMODE(there.parent.stat().st_mode) == 0o700
    there.chmod(mode)
    assert folder() == ""
    assert f"{there} with mode {mode:04o}" in caplog.text
    there.chmod(0o700)
    assert folder() == str(there)


@pytest.mark.parametrize("above", [False, True])
def test_a_link_is_not_used(homes: Path, caplog: pytest.LogCaptureFixture, above: bool) -> None:
    there = Path(folder())
    link = there.parent if above else there
    link.rename(homes / "moved")
    link.symlink_to(homes / "moved")
    assert folder() == ""
    assert f"{link}" in caplog.text
    assert "link" in caplog.text


def test_a_folder_of_another_user_is_not_used(
    homes: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    there = Path(folder())
    owner = there.stat().st_uid
    monkeypatch.setattr(jit.os, "getuid", lambda: owner + 1)
    assert folder() == ""
    assert f"{there} of user {owner}" in caplog.text


def test_a_parent_that_others_can_write_to_is_not_used(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = homes / "given"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(given))
    there = folder()
    given.chmod(0o777)
    assert folder() == ""
    given.chmod(0o1777)  # as /tmp: others cannot rename what is not theirs
    assert folder() == there


def test_a_cache_that_is_not_used_is_said_once(homes: Path, caplog: pytest.LogCaptureFixture) -> None:
    Path(folder()).chmod(0o777)
    jit.cache_folder.cache_clear()
    try:
        assert (jit.cache_folder(), jit.cache_folder()) == ("", "")
    finally:
        jit.cache_folder.cache_clear()
    assert caplog.text.count("compiled kernels are not kept") == 1


def test_a_clock_stands_still_while_kernels_are_compiled() -> None:
    first, compiled = time.perf_counter(), jit.COMPILATION.seconds()
    begun, second = jit.working_time(), time.perf_counter()
    assert numba.njit(lambda x: x + 1)(1) == 2
    third, took = time.perf_counter(), jit.COMPILATION.seconds() - compiled
    worked, last = jit.working_time() - begun, time.perf_counter()
    assert took > 0.01
    assert third - second - took - 1e-6 <= worked <= last - first - took + 1e-6


def test_kernels_that_are_compiled_at_the_same_time_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 5.0, 6.0, 9.0])
    monkeypatch.setattr(jit.time, "perf_counter", lambda: next(now))
    compilation = jit.Compilation()
    compilation.on_start(None)  # at 0
    compilation.on_start(None)
    compilation.on_end(None)
    assert compilation.seconds() == 5
    compilation.on_end(None)  # at 6
    compilation.add(1.5)
    assert compilation.seconds() == 7.5


def test_seconds_of_a_job_leave_compilation_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import fooling
    from fooling.search.genetic.numba import NumbaEngine

    step = NumbaEngine.step

    def slow(engine: NumbaEngine, state: object) -> object:
        jit.COMPILATION.add(1000)  # as if all of the time were spent on a kernel
        wait(1000)
        return step(engine, state)  # type: ignore[arg-type]

    words = {"digit": 2, "runs": 2, "generations": 4, "population": 20, "prior": "none"}
    fooling.evolve(**words)  # compiles
    wait = still_clock(monkeypatch)
    monkeypatch.setattr(NumbaEngine, "step", slow)
    assert fooling.evolve(**words).seconds == pytest.approx(0)
