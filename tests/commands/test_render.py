"""`fooling render`: images of a record at another size."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network

import fooling
from fooling.commands import dispatch
from fooling.data.npz import read_arrays
from fooling.errors import guarded
from fooling.records.ownership import GENOMES
from fooling.records.record import read_image, read_run


@pytest.fixture
def record(home: Path) -> Path:
    network = random_network((12, 16, 3), classes=5)
    fooling.evolve(digit=4, search="es", detail=4, classifier=network, runs=2, generations=3, stop="end", out="r")
    return Path("r")


def render(*words: str) -> int:
    return guarded(dispatch, ["render", "r", *words])


def test_images_are_drawn_at_the_size(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render("size=160") == 0
    said = capsys.readouterr().out
    assert "its own size, 12×16" in said
    assert "rendered: 2 images of 120×160 pixels" in said
    for number in range(2):
        large = read_image(record / f"rendered/{number:04d}.png").astype(float)
        assert large.shape == (120, 160, 3)
        means = large.reshape(12, 10, 16, 10, 3).mean(axis=(1, 3))
        assert np.abs(means - read_image(record / f"images/{number:04d}.png")).mean() < 3
    assert "rendered/0001.png" in read_run(record)["files"]


def test_at_its_own_size_it_is_the_image(record: Path) -> None:
    assert render("size=16", "out=o", "quiet=true") == 0
    assert np.array_equal(read_image(Path("o/rendered/0001.png")), read_image(record / "images/0001.png"))
    assert not (record / "rendered").exists()


def test_nothing_is_replaced_unasked(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render("size=40", "quiet=true") == 0
    assert render("size=80") == 2
    assert "overwrite=true" in capsys.readouterr().err
    assert render("size=80", "overwrite=true", "quiet=true") == 0
    assert read_image(record / "rendered/0000.png").shape == (60, 80, 3)


@pytest.mark.parametrize(
    "damage",
    [
        {"genome": np.array("cosines")},
        {"detail": np.array(0)},
        {"detail": np.array(2.5)},
        {"shape": np.array([12, 16, 2])},
        {"shape": np.array([12, 10**9, 3])},
        {"genomes": np.zeros((2, 7), np.float32)},
        {"genomes": np.full((2, 60), np.nan, np.float32)},
        {"genomes": np.zeros((2, 60))},
        {"genomes": np.zeros((3, 60), np.float32)},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_damaged_genomes_are_refused(record: Path, damage: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    arrays = read_arrays(record / GENOMES)
    assert arrays["genomes"].shape == (2, 60)
    np.savez(record / GENOMES, **{**arrays, **damage})  # type: ignore[arg-type]
    assert render() == 2
    assert "genomes.npz: " in capsys.readouterr().err
    assert not (record / "rendered").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "folder: expected a record folder, as in fooling render runs/NAME size=1024; got none"),
        (["nowhere"], "nowhere: no such folder"),
        (["ga"], "ga: has no genomes.npz; expected a record of search=es"),
        (["r", "size=0"], "size: expected"),
        (["r", "size=16384"], "expected at most 268,435,456 bytes (picture)"),
    ],
)
def test_refusals(record: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    fooling.evolve(digit=2, runs=1, generations=1, out="ga")
    assert guarded(dispatch, ["render", *words]) == 2
    assert message in capsys.readouterr().err
