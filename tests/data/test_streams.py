"""Sets read piece by piece: the same images and statistics as in memory, and no more memory for more images."""

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_images
from datasets import WRITERS, mixed, write_fortran, write_fractions, write_gz, write_npz, write_pictures
from pairwise import pairwise
from PIL import Image

from fooling.data import ImageSet, load_data, npz, readers, stream_data
from fooling.errors import UserError
from fooling.kernels import tables
from fooling.kernels.reference import PENALTIES as REFERENCE_PENALTIES
from fooling.kernels.reference import penalties as reference
from fooling.kernels.reference.penalties import eigen_distances, eigen_parts, regional_counts, regional_parts, regional_target
from fooling.statistics import Statistics
from fooling.statistics import pca as eigen
from fooling.statistics.pca import EIGEN_ONE, FLOOR, MEAN_ONE

SIZES = [(8, 8, 1), (9, 13, 1), (32, 32, 3)]
EIGEN = {"eigen", "variance", "residual", "exemplar_eigen"}


# --- sets of every kind -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "write"), pairwise(SIZES, WRITERS, name=lambda value: getattr(value, "__name__", str(value))))
def test_statistics_of_a_stream_are_those_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int, int], write: Callable[..., Path]
) -> None:
    images, labels = mixed(size)
    path = write(tmp_path / "set", images, labels)
    monkeypatch.setattr(readers, "PIECE", 7)
    order = np.argsort(labels, kind="stable") if write is write_pictures else np.arange(len(labels))
    every = stream_data(str(path), split="all")
    pieces = list(every)
    assert [len(piece) for piece, _ in pieces] == [7] * (len(images) // 7) + [len(images) % 7]
    assert np.array_equal(np.concatenate([piece for piece, _ in pieces]), images[order])
    assert np.array_equal(np.concatenate([piece for _, piece in pieces]), labels[order])
    train = load_data(str(path))
    held = [np.flatnonzero(labels == k)[5::6] for k in range(4)]
    kept = np.setdiff1d(order, np.concatenate(held), assume_unique=True)
    assert np.array_equal(train.images, images[kept])
    statistics = Statistics.fit(stream_data(str(path)), lags=5, components=5, exemplars=4)
    assert_equal(statistics, naive(train.images, train.labels, 4, lags=5, components=5, exemplars=4))
    whole = ImageSet(images[kept], labels[kept], train.classes, "in memory")
    assert Statistics.fit(whole, lags=5, components=5, exemplars=4).fingerprint == statistics.fingerprint  # whatever the pieces


def test_statistics_of_digits_are_those_in_memory() -> None:
    data, grid = load_data(None, "sklearn"), 4
    statistics = Statistics.fit(stream_data(None, "sklearn"), components=9, exemplars=20, grid=grid)
    assert_equal(statistics, naive(data.images, data.labels, 10, lags=7, components=9, exemplars=20))


@pytest.mark.parametrize(
    ("direct", "most", "room", "wanted"),
    [
        (64, 5, 1 << 30, None),  # small images, room for the covariances: all images
        (63, 5, 1 << 30, 5),
        (64, 5, 8 * 4 * 64**2, None),
        (64, 5, 8 * 4 * 64**2 - 1, 5),
        (63, 2048, 4 * 64 * 6, 6),
        (64, 2048, 4 * 64 * 6 - 1, 5),
    ],
)
def test_a_sample_stands_for_many_images(
    monkeypatch: pytest.MonkeyPatch, direct: int, most: int, room: int, wanted: int | None
) -> None:
    images, labels = mixed((8, 8, 1))
    for name, value in (("DIRECT", direct), ("MAX_SAMPLE", most), ("ROOM", room)):
        monkeypatch.setattr(eigen, name, value)
    assert eigen.sample_size(64, 4) == wanted
    statistics = Statistics.fit(ImageSet(images, labels, tuple("abcd"), "test"), lags=5, components=3, exemplars=4)
    assert_equal(statistics, naive(images, labels, 4, lags=5, components=3, exemplars=4, most=wanted))


def naive(
    images: np.ndarray, labels: np.ndarray, classes: int, lags: int, components: int, exemplars: int, most: int | None = None
) -> dict[str, Any]:
    """The definition, a class at a time, all of it in memory."""
    found: dict[str, list[Any]] = {}
    for k in range(classes):
        own = images[labels == k]
        flat, shape = own.reshape(len(own), -1), images.shape[1:]
        every = np.arange(256, dtype=np.uint8)
        g = (reference.variogram_sums(own, lags).sum(axis=0) / len(own)) / reference.pair_counts(shape, lags)
        levels = reference.histogram_counts(own, every).sum(axis=0) / (len(own) * shape[0] * shape[1])
        mean = np.rint(flat.mean(axis=0) * MEAN_ONE)
        centred = (flat[:: -(-len(flat) // (most or len(flat)))] - mean / MEAN_ONE) / 255
        _, sizes, vectors = np.linalg.svd(centred, full_matrices=False)
        variance, vectors = sizes[:components] ** 2 / len(centred), vectors[:components]
        vectors = vectors * np.sign(vectors[np.arange(components), np.abs(vectors).argmax(axis=1)])[:, None]
        residual = max((centred**2).sum() / len(centred) - variance.sum(), FLOOR)
        regional = (regional_parts(own, 4, 4).sum(axis=0) / len(own) / regional_counts(shape, 4, 4)).reshape(shape[2], -1, 9)
        chosen = own[np.linspace(0, len(own) - 1, exemplars).round().astype(int)]
        which, rounded = np.zeros(exemplars, dtype=np.int64), np.rint(vectors * EIGEN_ONE).astype(np.int64)
        weights = np.pad(rounded.T, ((0, 0), (0, -components % tables.EIGEN_LANES))).astype(np.int32)
        parts = eigen_parts(chosen, weights, rounded @ mean.astype(np.int64), mean.astype(np.int32))
        row = {
            "count": len(own),
            "levels": levels,
            "variogram_x": g[:, 0],
            "variogram_y": g[:, 1],
            "mean": mean,
            "eigen": rounded,
            "variance": np.maximum(variance, FLOOR),
            "residual": residual,
            "regional": regional,
            "exemplar_levels": reference.histogram_counts(chosen, every),
            "exemplar_sums": reference.variogram_sums(chosen, lags),
            "exemplar_regional": REFERENCE_PENALTIES["regional"](chosen, which, 4, regional_target(regional)),
            "exemplar_eigen": np.stack(eigen_distances(parts, np.maximum(variance, FLOOR), residual), axis=1),
        }
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    return {name: np.stack(values) for name, values in found.items()}


def assert_equal(statistics: Statistics, wanted: dict[str, Any]) -> None:
    """Integers and their shares exactly; what linear algebra gives, as far as the lattice allows."""
    for name, value in wanted.items():
        mine = getattr(statistics, name)
        assert mine.shape == value.shape, name
        if name == "eigen":
            assert np.abs(mine.astype(int) - value).max() <= 1
        elif name in EIGEN:
            assert mine == pytest.approx(value, rel=1e-3 if name == "exemplar_eigen" else 1e-9), name
        elif name == "exemplar_regional":
            assert mine == pytest.approx(value, rel=1e-6), name
        else:
            assert np.array_equal(mine, value), name


@pytest.mark.parametrize("grey", [0, 4, 5])
def test_grey_pictures_among_coloured_ones_get_three_channels(tmp_path: Path, grey: int) -> None:
    images, labels = mixed((8, 8, 3), 20)
    path = write_pictures(tmp_path / "set", images, labels)
    first = sorted(path.rglob("*.png"))[grey]
    Image.open(first).convert("L").save(first)
    found = load_data(str(path), split="all").images
    assert found.shape == (24, 8, 8, 3)
    assert (found[grey] == found[grey][:, :, :1]).all()
    assert [i for i in range(24) if (found[i] == found[i][:, :, :1]).all() and found[i].any()].count(grey) <= 1


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("size", "write"),
    [((16, 16, 3), write_gz), ((16, 16, 3), write_npz), ((16, 16, 1), write_fractions), ((16, 16, 1), write_pictures)],
    ids=lambda part: getattr(part, "__name__", str(part)),
)
def test_memory_grows_by_labels_and_names_not_by_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int, int], write: Callable[..., Path]
) -> None:
    monkeypatch.setattr(readers, "PIECE", 32)
    monkeypatch.setattr(eigen, "MAX_SAMPLE", 20)
    peaks, few = [], 480
    for number in (few, few, 4 * few):  # the first also compiles; of each class 20 images are the sample
        images, labels = random_images(size, number - 4), np.arange(number) % 3
        path = write(tmp_path / f"set{len(peaks)}", images, labels)
        gc.collect()
        tracemalloc.start()
        Statistics.fit(stream_data(str(path)), components=4, exemplars=8, lags=6)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[2] - peaks[1]) / (3 * few) < (120 if write is write_pictures else 40)  # bytes an image


def test_fortran_order_that_does_not_fit_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = mixed((8, 8, 1))
    path = write_fortran(tmp_path / "set", images, labels)
    monkeypatch.setattr(npz, "MAX_FORTRAN", images.size * 2 - 1)
    with pytest.raises(UserError, match=r"Fortran order.*save it in C order"):
        load_data(str(path))
    monkeypatch.setattr(npz, "MAX_FORTRAN", images.size * 2)
    assert len(load_data(str(path), split="all").images) == len(images)
