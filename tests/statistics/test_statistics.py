"""Statistics: by hand, on MNIST, saved and loaded, and every refusal."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import DATA, needs_mnist, random_images, random_statistics

from fooling.classifiers import load_classifier
from fooling.data import ImageSet, load_data
from fooling.errors import UserError
from fooling.kernels import tables
from fooling.kernels.reference import PENALTIES as REFERENCE_PENALTIES
from fooling.kernels.reference import penalties as reference
from fooling.kernels.reference.penalties import eigen_distances, eigen_parts, regional_counts, regional_parts, regional_target
from fooling.run import evolve
from fooling.statistics import BUNDLED, Statistics, pca
from fooling.statistics.intervals import difference_interval, wilson_interval
from fooling.statistics.pca import FLOOR, kernel_arguments

LATER = {"sample"}  # the bundled file is older
ROUNDED = {"eigen", "variance", "residual", "regional", "exemplar_regional", "exemplar_eigen"}


def image_set(images: np.ndarray, labels: list[int] | np.ndarray, classes: int = 2) -> ImageSet:
    return ImageSet(images, np.array(labels), tuple(map(str, range(classes))), "test")


def test_by_hand() -> None:
    board = np.indices((4, 4)).sum(axis=0)[None, :, :, None] % 2 * 255
    images = np.concatenate([np.full((1, 4, 4, 1), 128), np.zeros((1, 4, 4, 1)), board]).astype(np.uint8)
    statistics = Statistics.fit(image_set(images, [0, 1, 1]), bins=2, lags=3)
    assert statistics.count.tolist() == [1, 2]
    assert statistics.variogram_x[0, 0].tolist() == statistics.variogram_y[0, 0].tolist() == [0, 0, 0]
    assert statistics.variogram_x[1, 0].tolist() == statistics.variogram_y[1, 0].tolist() == [0.5, 0, 0.5]
    assert statistics.histogram[0, 0].tolist() == [0, 1]  # 128 lies above 127.5
    assert statistics.histogram[1, 0].tolist() == [0.75, 0.25]
    assert statistics.levels[1, 0, [0, 255]].tolist() == [0.75, 0.25]
    regional = statistics.regional[1, 0].reshape(4, 4, 9)  # each place is a region
    assert np.array_equal(regional[:, :, 0], board[0, :, :, 0] / 255 / 2)
    assert regional[:, :, 1].tolist() == [[0.5, 0.5, 0.5, 0]] * 4
    assert regional[:, :, 5].tolist() == [[0.5] * 4] * 3 + [[0] * 4]
    assert not regional[:, :, [2, 4, 6, 8]].any()


def test_x_runs_along_rows() -> None:
    stripes = np.zeros((2, 6, 9, 1), np.uint8)
    stripes[:, :, ::2] = 255  # vertical stripes: neighbours in a row differ
    statistics = Statistics.fit(image_set(stripes, [0, 1]), lags=2)
    assert statistics.variogram_x[0, 0].tolist() == [1, 0]
    assert statistics.variogram_y[0, 0].tolist() == [0, 0]


def test_equals_the_reference(shape: tuple[int, int, int]) -> None:
    images = random_images(shape, 8)
    labels = np.arange(len(images)) % 3
    statistics = Statistics.fit(ImageSet(images, labels, ("a", "b", "c"), "test"), bins=7, lags=5)
    for k in range(3):
        mine = images[labels == k]
        g = (reference.variogram_sums(mine, 5) / reference.pair_counts(shape, 5)).mean(axis=0)
        assert statistics.variogram(k, 5) == pytest.approx(g)
        counts = reference.histogram_counts(mine, tables.bin_of_level(7)).sum(axis=0)
        assert statistics.histogram[k] == pytest.approx(counts / counts.sum(axis=1, keepdims=True))
        assert statistics.bins(k, 7) == pytest.approx(statistics.histogram[k])
        assert statistics.regional[k] == pytest.approx(regional_means(mine, 4, 4))


def regional_means(images: np.ndarray, grid: int, reach: int) -> np.ndarray:
    """By the reference, [C, regions, 1 + 2·reach]."""
    means = regional_parts(images, grid, reach).mean(axis=0) / regional_counts(images.shape[1:], grid, reach)
    return means.reshape(images.shape[3], -1, 1 + 2 * reach)


def uneven() -> tuple[ImageSet, list[np.ndarray]]:
    """Classes of 11 and 8 images, mixed, and the images of each."""
    images, labels = random_images((8, 8, 1), 15), [0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0]
    return image_set(images, labels), [images[np.array(labels) == k] for k in range(2)]


@pytest.mark.parametrize(
    ("exemplars", "places"),
    [
        (1, [[0], [0]]),
        (2, [[0, 10], [0, 7]]),
        (5, [[0, 2, 5, 8, 10], [0, 2, 4, 5, 7]]),
        (300, [[0, 1, 3, 4, 6, 7, 9, 10], [0, 1, 2, 3, 4, 5, 6, 7]]),
    ],
)
def test_exemplars_are_evenly_spaced_among_a_class(exemplars: int, places: list[list[int]]) -> None:
    data, own = uneven()
    statistics = Statistics.fit(data, lags=3, grid=3, reach=2, components=4, exemplars=exemplars)
    assert statistics.exemplars == len(places[0])
    for k in range(2):
        chosen, which = own[k][places[k]], np.zeros(len(places[k]), dtype=np.int64)
        weights, centre, mean, variance, residual, _ = kernel_arguments(statistics.eigen_images(k), 0.0)
        counts = reference.histogram_counts(chosen, np.arange(256, dtype=np.uint8))
        regional = REFERENCE_PENALTIES["regional"](chosen, which, 3, regional_target(statistics.regional[k]))
        eigen = eigen_distances(eigen_parts(chosen, weights, centre, mean), variance, residual)
        assert np.array_equal(statistics.exemplar_levels[k], counts)
        assert np.array_equal(statistics.exemplar_sums[k], reference.variogram_sums(chosen, 3))
        assert statistics.exemplar_regional[k] == pytest.approx(regional, rel=1e-6)
        assert statistics.exemplar_eigen[k] == pytest.approx(np.stack(eigen, axis=1))


@pytest.mark.parametrize(("grid", "reach", "regions"), [(1, 1, 1), (2, 3, 4), (3, 12, 9), (20, 2, 64)])
def test_regions_are_those_asked_for(grid: int, reach: int, regions: int) -> None:
    data, own = uneven()
    statistics = Statistics.fit(data, grid=grid, reach=reach)
    assert statistics.grid == grid
    assert statistics.regional.shape == (2, 1, regions, 1 + 2 * reach)
    for k in range(2):
        assert statistics.regional[k] == pytest.approx(regional_means(own[k], grid, reach))


@pytest.mark.parametrize(("components", "kept"), [(0, 0), (3, 3), (7, 7), (40, 7)])  # 8 images have 7
def test_eigen_images_are_as_many_as_asked_for(components: int, kept: int) -> None:
    data, own = uneven()
    statistics = Statistics.fit(data, components=components)
    assert statistics.eigen.shape == (2, kept, 64)
    for k in range(2):
        images = own[k].reshape(len(own[k]), -1) / 255
        centred = images - images.mean(axis=0)
        variance = np.linalg.svd(centred, compute_uv=False) ** 2 / len(images)
        assert statistics.variance[k] == pytest.approx(variance[:kept], rel=1e-3)
        assert statistics.residual[k] == pytest.approx(max(variance[kept:].sum(), FLOOR), rel=1e-3, abs=1e-5)


def test_lags_stop_at_the_shorter_side() -> None:
    assert random_statistics((8, 8, 1)).lags == 7


def test_round_trip_is_byte_reproducible(tmp_path: Path) -> None:
    statistics = random_statistics((9, 13, 1))
    for name in ("a.npz", "b.npz"):
        statistics.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert Statistics.load(tmp_path / "a.npz").fingerprint == statistics.fingerprint


def test_bundled_statistics_are_those_of_mnist() -> None:
    statistics = Statistics.load(BUNDLED)
    assert statistics.count.sum() == 60_000
    assert statistics.histogram[2, 0, [0, -1]].round(3).tolist() == [0.803, 0.102]
    assert statistics.variogram_x[2, 0, :3].round(3).tolist() == [0.065, 0.127, 0.177]
    assert statistics.variogram_y[2, 0, :3].round(3).tolist() == [0.081, 0.155, 0.212]


@pytest.mark.exhaustive
@needs_mnist
def test_fitting_mnist_gives_the_bundled_statistics() -> None:
    mine, bundled = Statistics.fit(load_data(DATA)), Statistics.load(BUNDLED)
    for name in set(Statistics.__dataclass_fields__) - ROUNDED - LATER:
        assert np.array_equal(getattr(mine, name), getattr(bundled, name)), name
    assert np.abs(mine.eigen.astype(int) - bundled.eigen).max() <= 1  # another library of linear algebra rounds otherwise
    assert mine.variance == pytest.approx(bundled.variance, rel=1e-9)
    assert mine.residual == pytest.approx(bundled.residual, rel=1e-9)
    assert mine.regional == pytest.approx(bundled.regional, rel=1e-12)
    assert mine.exemplar_regional == pytest.approx(bundled.exemplar_regional, rel=1e-6)
    assert mine.exemplar_eigen == pytest.approx(bundled.exemplar_eigen, rel=1e-2)


def test_a_class_without_images_is_refused() -> None:
    with pytest.raises(UserError, match="class 1 has no images in test"):
        Statistics.fit(image_set(random_images((8, 8, 1), 0), [0, 0, 2, 2], 3))


def write(path: Path, **changed: Any) -> Path:
    statistics = random_statistics((8, 8, 1))
    arrays = {name: getattr(statistics, name) for name in statistics.__dataclass_fields__}
    arrays.update(changed)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"levels": None}, "lacks levels; expected a file of `fooling stats`"),
        ({"levels": np.zeros((4, 1, 255))}, r"levels: expected \[4, 1, 256\], got \[4, 1, 255\]"),
        ({"levels": np.zeros((4, 1, 256))}, "levels: shares do not add up to 1"),
        ({"histogram": np.full((4, 1, 10), np.nan)}, "histogram: expected numbers from 0 to 1"),
        ({"variogram_x": np.full((4, 1, 7), 2.0)}, "variogram_x: expected numbers from 0 to 1"),
        ({"variogram_y": np.zeros((4, 1, 3))}, r"variogram_y: expected \[4, 1, 7\], got \[4, 1, 3\]"),
        ({"shape": np.array([8, 8])}, r"shape: expected \(H, W, C\)"),
        ({"shape": np.array(["a"])}, r"shape: expected \(H, W, C\)"),
        ({"count": np.array([], dtype=int)}, r"count: expected \[4\]"),
        ({"count": np.array([9, 0, 9, 9])}, "count: expected integers from 1 on"),
        ({"histogram": np.full((4, 1, 10), 0.1)}, "histogram: does not agree with levels"),
        ({"histogram": np.zeros((4, 1, 0))}, "histogram: expected numbers from 0 to 1"),
        ({"variogram_x": np.zeros((4, 1, 0)), "variogram_y": np.zeros((4, 1, 0))}, "variogram_x: expected numbers"),
        ({"eigen": np.zeros((4, 3, 63), np.int16)}, r"eigen: expected \[4, 3, 64\]"),
        ({"eigen": np.full((4, 10, 64), 5000, np.int16)}, "eigen: expected integers from -4096 to 4096"),
        ({"eigen": np.full((4, 10, 64), 4000, np.int16)}, "eigen: expected .* of length 1"),
        ({"grid": np.array([4])}, r"grid: expected \[\], got \[1\]"),
        ({"grid": np.array(0)}, "grid: expected integers from 1 on"),
        ({"regional": np.zeros((4, 1, 9, 3))}, r"regional: expected \[4, 1, 16, 3\]"),
        ({"regional": np.zeros((4, 1, 16, 8))}, "regional: expected a mean and as many lags"),
        ({"exemplar_levels": np.zeros((4, 11, 1, 256), np.int32)}, "exemplar_levels: do not add up to the pixels"),
        ({"exemplar_sums": np.zeros((4, 11, 1, 2, 7))}, "exemplar_sums: expected integers from 0"),
        ({"exemplar_eigen": np.full((4, 11, 2), -1.0)}, "exemplar_eigen: expected numbers from 0"),
        ({"mean": np.full((4, 64), -1, np.int32)}, "mean: expected integers from 0 to 65280"),
        ({"variance": np.zeros((4, 10))}, "variance: expected numbers above 0"),
        ({"residual": np.full(4, np.inf)}, "residual: expected numbers above 0"),
        ({"labels": np.array([{}], dtype=object)}, "not an .npz file of plain arrays"),
    ],
    ids=lambda part: part if isinstance(part, str) else next(iter(part)),
)
def test_garbage_is_refused(tmp_path: Path, changed: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Statistics.load(write(tmp_path / "s.npz", **changed))


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04garbage", b"\x93NUMPY"])
def test_files_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"not an \.npz file of plain arrays"):
        Statistics.load(path)


def test_truncated_and_flipped_files_are_refused_or_whole(tmp_path: Path) -> None:
    whole = write(tmp_path / "s.npz").read_bytes()
    random = np.random.default_rng(0)
    messages: list[str] = []
    for trial in range(60):
        broken = bytearray(whole[: random.integers(len(whole))] if trial % 2 else whole)
        if not trial % 2:
            broken[random.integers(len(broken))] ^= 1 << int(random.integers(8))
        (tmp_path / "t.npz").write_bytes(broken)
        try:
            Statistics.load(tmp_path / "t.npz")
        except UserError as error:
            messages.append(str(error))
    assert len(messages) > 40
    assert not any("\n" in message for message in messages)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; expected one written by `fooling stats`"):
        Statistics.load(tmp_path / "none.npz")


def test_without_components_all_else_is_the_same() -> None:
    data = image_set(random_images((8, 8, 1), 40), np.arange(44) % 4, 4)
    whole, bare = Statistics.fit(data), Statistics.fit(data, components=0)
    assert bare.eigen.shape == (4, 0, 64)
    for name in ("levels", "histogram", "variogram_x", "variogram_y", "mean", "regional", "exemplar_levels", "exemplar_sums"):
        assert np.array_equal(getattr(whole, name), getattr(bare, name)), name


def test_names_of_files_are_text_or_paths(tmp_path: Path) -> None:
    statistics = random_statistics((8, 8, 1))
    statistics.save(str(tmp_path / "s.npz"))
    assert Statistics.load(str(tmp_path / "s.npz")).fingerprint == statistics.fingerprint
    with pytest.raises(UserError, match=r"cannot write .*give another name"):
        statistics.save(tmp_path / "missing" / "s.npz")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Statistics.load(3), "Statistics.load: expected the name of a file .* got int"),  # type: ignore[arg-type]
        (lambda: Statistics.fit("images.npz"), r"expected a fooling.ImageSet, got str; .*load_data"),  # type: ignore[arg-type]
        (lambda: load_data(3), "expected the name of a file or folder, as text, got 3"),  # type: ignore[arg-type]
        (lambda: load_data("x" * 300), "at most 255 bytes"),
        (lambda: load_data("a\0b"), "a.x00b: expected"),
        (lambda: load_data(None, "sklearn", scale="x"), "data.scale: expected a number above 0.*'x'"),
        (lambda: load_data(None, "sklearn", scale=-1), "data.scale: expected a number above 0.*-1"),
        (lambda: load_data(None, "sklearn", bogus=3), "expected options scale, size.*got bogus=3"),
        (lambda: load_data(None, "sklearn", first_label="1"), "data.first_label: expected a whole number.*'1'"),
        (lambda: evolve(digit=2, out="x" * 300), "at most 255 bytes"),
        (lambda: evolve(digit=2, statistics="x" * 300), "at most 255 bytes"),
    ],
)
def test_wrong_calls_are_one_line(call: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        call()


def test_what_python_prints_is_short() -> None:
    data, statistics = load_data(None, "sklearn"), random_statistics((8, 8, 1))
    result = evolve(digit=2, prior="none", runs=3, generations=2, population=10, selected=4)
    for thing in (data, statistics, result, load_classifier("mnist_mlp"), load_classifier("mnist_cnn")):
        assert len(repr(thing)) < 500
        assert "array" not in repr(thing)
    assert repr(result).startswith("Result(2: 3 images 28×28×1, ")
    assert "44 images" in repr(statistics)


# --- real size ----------------------------------------------------------------------------------------------------------


def test_each_channel_of_colour_images_has_the_statistics_of_a_grey_one() -> None:
    images, labels = random_images((12, 9, 3), 28), np.arange(32) % 4
    colour = Statistics.fit(image_set(images, labels, 4))
    for channel in range(3):
        grey = Statistics.fit(image_set(images[..., channel : channel + 1], labels, 4))
        for name in ("levels", "histogram", "variogram_x", "variogram_y", "regional"):
            assert np.array_equal(getattr(colour, name)[:, channel], getattr(grey, name)[:, 0]), name
        for name in ("exemplar_levels", "exemplar_sums"):
            assert np.array_equal(getattr(colour, name)[:, :, channel], getattr(grey, name)[:, :, 0]), name


def test_a_file_says_the_sample_of_the_components_and_how_pictures_were_resized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pca, "DIRECT", 10)
    monkeypatch.setattr(pca, "MAX_SAMPLE", 5)
    images, labels = random_images((8, 8, 3), 36), np.arange(40) % 4
    whole = Statistics.fit(image_set(images, labels, 4))
    assert whole.sample is not None
    assert whole.sample.tolist() == [5] * 4  # every second of ten
    fitted = replace(whole, resize="fit")
    assert fitted.fingerprint == whole.fingerprint == replace(whole, sample=None).fingerprint
    for statistics in (whole, fitted, replace(whole, sample=None)):
        statistics.save(tmp_path / "s.npz")
        read = Statistics.load(tmp_path / "s.npz")
        assert read.resize == statistics.resize
        assert (read.sample is None) == (statistics.sample is None)
        assert read.fingerprint == whole.fingerprint
    with np.load(tmp_path / "s.npz") as arrays:
        assert not {"sample", "resize", "numbers"} & set(arrays)  # as older files


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"resize": np.array("pad")}, "resize: expected crop, fit, stretch or ''"),
        ({"resize": np.array(["fit"])}, "resize: expected crop, fit, stretch or ''"),
        ({"sample": np.ones(3, np.int64)}, "sample: expected from 1 to all images of each class"),
        ({"sample": np.zeros(4, np.int64)}, "sample: expected from 1 to all images of each class"),
        ({"sample": np.full(4, 99)}, "sample: expected from 1 to all images of each class"),
        ({"sample": np.ones(4)}, "sample: expected from 1 to all images of each class"),
    ],
)
def test_what_is_said_of_the_images_is_checked(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Statistics.load(write(tmp_path / "s.npz", **changed))


# --- intervals ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(  # Newcombe 1998 (Statist. Med. 17, 873), table II, method 10
    ("one", "other", "low", "high"),
    [
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((0, 29), (5, 56), -0.0381, 0.1926),
        ((0, 20), (10, 10), 0.6791, 1.0),
    ],
)
def test_the_difference_of_proportions(one: tuple[int, int], other: tuple[int, int], low: float, high: float) -> None:
    sides = [(part / whole, *wilson_interval(part, whole)) for part, whole in (one, other)]
    assert difference_interval(*sides) == pytest.approx((low, high), abs=1e-4)
    assert difference_interval(*sides[::-1]) == pytest.approx((-high, -low), abs=1e-4)
