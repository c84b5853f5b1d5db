"""Eigen-images and the term that is made of them."""

import numpy as np
import pytest
from builders import random_eigen, random_images

from fooling.kernels import numba, reference
from fooling.statistics.pca import EIGEN_ONE, MEAN_ONE, fit_components, kernel_arguments, max_components


def test_components_are_those_of_the_images() -> None:
    random = np.random.default_rng(0)
    base = random.integers(60, 190, (1, 6, 7, 1))
    sides = random.normal(size=(2, 6, 7, 1)) / 42**0.5
    amounts = random.normal(size=(400, 2, 1, 1, 1)) * np.array([200, 80])[:, None, None, None]
    images = np.clip(np.rint(base + (amounts * sides).sum(axis=1)), 0, 255).astype(np.uint8)
    found = fit_components(images, 2)
    flat = images.reshape(400, -1) / 255
    centred = flat - flat.mean(axis=0)
    assert found.mean / MEAN_ONE / 255 == pytest.approx(flat.mean(axis=0), abs=1e-5)
    eigen = found.images / EIGEN_ONE
    assert eigen @ eigen.T == pytest.approx(np.eye(2), abs=2e-3)
    assert found.variance == pytest.approx(((centred @ eigen.T) ** 2).mean(axis=0), rel=1e-2)
    outside = centred - centred @ eigen.T @ eigen
    assert found.residual == pytest.approx((outside**2).sum(axis=1).mean(), rel=2e-2)


def test_large_images_of_many_have_as_many_components_as_are_looked_at() -> None:
    assert max_components(2100, 64) == 64
    assert max_components(2100, 4096) == 1049  # every second image
    assert max_components(30, 4096) == 29


def test_many_pixels_give_the_same_components() -> None:
    wide = random_images((48, 48, 1), 30)
    found, shape = fit_components(wide, 3), (48 * 48,)
    flat = wide.reshape(len(wide), -1) / 255
    _, sizes, vectors = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)  # eigh of 2304² takes half a minute
    assert found.images.shape == (3, *shape)
    assert found.variance == pytest.approx(sizes[:3] ** 2 / len(flat), rel=1e-4)
    assert np.abs(found.images / EIGEN_ONE * vectors[:3]).sum(axis=1) == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize("free", [0.0, 1.0])
@pytest.mark.parametrize("components", [0, 1, 5, 17])
def test_term_by_hand_and_twin(shape: tuple[int, int, int], components: int, free: float) -> None:
    images = random_images(shape, 9, seed=3)
    of = fit_components(random_images(shape, components + 4), components)
    which = np.zeros(len(images), dtype=np.int64)
    term = reference.PENALTIES["eigen"](images, which, *kernel_arguments(of, free))
    assert np.array_equal(numba.PENALTIES["eigen"](images, which, *kernel_arguments(of, free)), term)
    centred = images.reshape(len(images), -1) / 255 - of.mean / MEAN_ONE / 255
    p = centred @ of.images.T / EIGEN_ONE
    near = (p**2 / of.variance).sum(axis=1) / max(1, components)
    outside = np.maximum((centred**2).sum(axis=1) - (p**2).sum(axis=1), 0) / of.residual
    expected = np.maximum(near - free, 0) + np.maximum(outside - free, 0)
    assert term == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_images_of_the_class_are_about_one_in_both_parts() -> None:
    shape = (8, 8, 1)
    images = random_images(shape, 300)[:300]
    of = fit_components(images, 10)
    assert reference.PENALTIES["eigen"](images, np.zeros(300, np.int64), *kernel_arguments(of, 0.0)).mean() == pytest.approx(
        2, abs=0.02
    )


def test_long_sums_do_not_overflow() -> None:
    white = np.full((1, 128, 128, 3), 255, dtype=np.uint8)
    weights, *others = random_eigen((128, 128, 3), 2, 0.0)
    edge, which = np.full_like(weights, int(EIGEN_ONE / weights.shape[0] ** 0.5) + 1), np.zeros(1, dtype=np.int64)
    term = reference.PENALTIES["eigen"](white, which, edge, *others)
    assert np.array_equal(numba.PENALTIES["eigen"](white, which, edge, *others), term)
