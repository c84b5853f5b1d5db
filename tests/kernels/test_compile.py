"""Where compiled kernels are kept: under a hash of their sources, in the first folder that can be written."""

import shutil
from pathlib import Path

import pytest

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


def test_without_any_folder_kernels_are_compiled_anew(homes: Path) -> None:
    for name in ("cache", "tmp"):
        (homes / name).write_text("a file stands in the way")
    assert folder() == ""


def test_other_sources_have_another_folder(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder()
    kernels = Path(jit.__file__).parent.parent
    shutil.copytree(kernels, homes / "kernels")
    monkeypatch.setattr(jit, "__file__", str(homes / "kernels" / "numba" / "compile.py"))
    assert folder() == before
    with (homes / "kernels" / "numba" / "philox.py").open("a") as file:
        file.write("# edited\n")
    assert folder() != before
