import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fooling import __version__
from fooling.classifiers.adapters import ADAPTERS
from fooling.commands import dispatch, doctor
from fooling.errors import guarded

KINDS = [name for name, row in ADAPTERS.items() if row.package]


def report(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = guarded(dispatch, ["doctor", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_a_sound_installation_passes_with_its_self_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(doctor.SAMPLE, "generations", 4)
    code, out, err = report(capsys)
    assert (code, err) == (0, "")
    for name in ("fooling", "Python", "system", "packages", "extras", "JAX", "cores", "threads", "cache", "records", "disk"):
        assert re.search(rf"^{name} +\S", out, re.MULTILINE), name
    assert __version__ in out
    assert np.__version__ in out
    assert "the same images" in out
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_every_kind_of_model_is_named_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "version_of", lambda name: "")
    code, out, err = report(capsys, "test=false")
    for name in KINDS:
        assert f"classifier={name}: pip install '.[{name}]'" in out
    assert "launcher=dask: pip install '.[cluster]'" in out
    assert "layout=parquet: pip install '.[parquet]'" in out
    assert code == 1  # the packages themselves are missing, too; an extra is no defect
    assert "numpy" in err
    assert "extras" not in err


def test_what_is_pasted_names_no_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "amelie"
    (home / "place").mkdir(parents=True)
    monkeypatch.chdir(home / "place")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOGNAME", "amelie")
    monkeypatch.setattr(doctor, "cache_folder", lambda: "/scratch/amelie/cache")
    code, out, _ = report(capsys, "test=false")
    assert code == 0
    assert "amelie" not in out
    assert "~/place/runs" in out
    assert "/scratch/USER/cache" in out


def test_images_that_differ_between_the_engines_are_a_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Result:
        confidence = np.ones(2)

        def __init__(self, engine: str) -> None:
            self.images = np.full((2, 28, 28, 1), len(engine), np.uint8)

    monkeypatch.setattr(doctor, "evolve", lambda engine, **settings: Result(engine))
    code, _, err = report(capsys)
    assert code == 1
    assert "2 of 2 images differ" in err

    def fails(**settings: Any) -> None:
        raise ZeroDivisionError("of a kernel")

    monkeypatch.setattr(doctor, "evolve", fails)
    code, _, err = report(capsys, "quiet=true")
    assert code == 1
    assert "ZeroDivisionError: of a kernel" in err


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="rights bind everybody but root")
def test_a_folder_that_cannot_be_written_is_a_defect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    code, _, err = report(capsys, f"folder={tmp_path / 'closed'}", "test=false")
    assert code == 1
    assert "records" in err


def test_a_lost_cache_little_disk_and_a_broken_device_are_defects(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import jax

    def fails() -> None:
        raise RuntimeError("no driver")

    monkeypatch.setattr(doctor, "cache_folder", lambda: "")
    monkeypatch.setattr(doctor, "refusal", lambda folder: "Read-only file system")
    monkeypatch.setattr(doctor, "LEAST_DISK", 1 << 70)
    monkeypatch.setattr(doctor, "LEAST_MEMORY", 1 << 70)
    monkeypatch.setattr(jax, "devices", fails)
    code, _, err = report(capsys, "test=false")
    assert code == 1
    for name in ("cache", "records", "disk", "memory", "JAX: no driver"):
        assert name in err


@pytest.mark.parametrize(("free", "said"), [(100 << 20, "100 MiB free of "), (None, "")])
def test_memory_is_what_this_process_may_take(monkeypatch: pytest.MonkeyPatch, free: int | None, said: str) -> None:
    monkeypatch.setattr(doctor, "free_memory", lambda: free)
    found = [finding for finding in doctor.threads() if finding.name == "memory"]
    assert [finding.text.startswith(said) for finding in found] == [True] * bool(said)
    assert all("100 MiB free, 500 MiB are needed" in finding.broken for finding in found)


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1 << 30, "1 GiB"), (3.3 * (1 << 40), "3.3 TiB")])
def test_sizes_are_shown_in_a_unit_that_fits(count: float, text: str) -> None:
    assert doctor.size(count) == text
