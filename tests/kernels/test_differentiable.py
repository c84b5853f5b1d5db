"""Terms, filters, layers and windows as gradient searches see them: the reference's values, slopes by differences of it."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builders import convolutional, random_dense, random_images, random_network, random_statistics
from pairwise import pairwise, rare
from scipy.ndimage import gaussian_filter

from fooling.classifiers.layers import TiledClassifier, cut, layer_function, layer_shapes
from fooling.data import ImageSet
from fooling.kernels import reference
from fooling.kernels.jax import differentiable
from fooling.search.prior import TermTargets, arguments
from fooling.statistics import Statistics
from fooling.statistics.pca import EIGEN_ONE, MEAN_ONE

PRIORS = [
    TermTargets(1),
    TermTargets(1, lags=3, bins=7, hinge=("eigen", "regional")),
    TermTargets(2, lags=5, quirk_lag1=True),
    TermTargets(0, lags=4, exemplar=True, lag_weights="spread"),
    TermTargets(1, lags=2, hinge=("histogram", "variogram")),
]


def test_every_term_has_a_smooth_twin() -> None:
    assert list(differentiable.PENALTIES) == list(reference.PENALTIES)


UNIT = 2.0**-24  # relative rounding of float32


def well_conditioned(shape: tuple[int, int, int]) -> Statistics:
    """Statistics of more images than components: there is energy outside the components to divide by."""
    return Statistics.fit(ImageSet(random_images(shape, 200, 1), np.arange(204) % 4, tuple("abcd"), "random, for tests"))


def sum_rounding(value: np.ndarray, terms: int) -> np.ndarray:
    """Bound of the rounding of a term ≥ 0 that sums so many numbers ≥ 0 in any order (Higham 2002, 4.2).

    A term is the absolute difference of such sums and targets, each at most 1, so its error is relative to 1 + the value.
    """
    return (terms + 8) * UNIT * (1 + value)


def eigen_rounding(
    images: np.ndarray,
    weights: np.ndarray,
    centre: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    residual: float,
    margin: float,
) -> np.ndarray:
    """Bound of the rounding of the eigen term in float32, sums in any order, [N].

    Projections p = Σ a·w of a = image − mean are sums of P numbers of both signs, so their error is relative to Σ|a·w|; the
    energy outside is a difference of sums, so its error is relative to both.
    """
    del margin
    w, a = weights[:, : len(centre)] / EIGEN_ONE, (images.reshape(len(images), -1) - mean / MEAN_ONE) / 255
    p, pixels, components = a @ w, len(mean), len(centre)
    error_a = UNIT * (mean / MEAN_ONE / 255 + 3 * np.abs(a))  # the mean, the difference and the quotient are rounded
    error_p = (pixels + 2) * UNIT * (np.abs(a) @ np.abs(w)) + error_a @ np.abs(w)
    near, energy, inside = (p**2 / variance).sum(axis=1) / components, (a**2).sum(axis=1), (p**2).sum(axis=1)
    error_near = (2 * np.abs(p) * error_p / variance).sum(axis=1) / components + (components + 5) * UNIT * near
    error_energy = (pixels + 2) * UNIT * energy + 2 * (np.abs(a) * error_a).sum(axis=1)
    error_inside = (components + 2) * UNIT * inside + 2 * (np.abs(p) * error_p).sum(axis=1)
    outside = np.abs(energy - inside) / residual
    return error_near + (error_energy + error_inside) / residual + 4 * UNIT * (near + outside + 1)


@pytest.mark.parametrize(("shape", "name"), pairwise([(9, 13, 1), (8, 8, 3)], list(reference.PENALTIES)))
def test_terms_of_whole_levels_equal_the_reference(shape: tuple[int, int, int], name: str) -> None:
    images = random_images(shape, 6)
    statistics = well_conditioned(shape)
    for prior in PRIORS:
        found = arguments(statistics, replace(prior, lags=min(prior.lags, min(shape[:2]) - 1)))[name]
        which = np.arange(len(images)) % (statistics.exemplars if prior.exemplar else 1)
        smooth = jax.jit(lambda x, which, found=found: differentiable.PENALTIES[name](x, which, *found))
        wanted = reference.PENALTIES[name](images, which, *found)
        error = eigen_rounding(images, *found) if name == "eigen" else sum_rounding(wanted, images[0].size)
        assert np.all(np.abs(np.asarray(smooth(images.astype(np.float32), which)) - wanted) <= error)


@pytest.mark.parametrize("name", ["variogram", rare("regional"), "eigen"])
def test_slopes_are_differences_of_the_reference(name: str) -> None:
    image, which = random_images((8, 8, 1), 1)[:1] // 2 + 40, np.zeros(1, dtype=np.int64)
    for prior in PRIORS:
        found = arguments(well_conditioned((8, 8, 1)), replace(prior, lags=min(prior.lags, 7)))[name]
        uphill = jax.jit(jax.grad(lambda x, found=found: differentiable.PENALTIES[name](x, which, *found).sum()))
        slope = np.asarray(uphill(image.astype(np.float32)))
        for place in [(0, 0), (0, 5), (3, 3), (4, 7), (7, 7)]:  # on even ground too, where |difference| has a corner
            moved = np.repeat(image, 2, axis=0)
            moved[:, *place, 0] += np.array([1, -1]).astype(np.uint8)
            up, down = reference.PENALTIES[name](moved, np.zeros(2, dtype=np.int64), *found).astype(np.float64)
            # up and down are rounded to float32; so are the 64 summands of a slope, each at most 1/255 of a term's derivative
            assert slope[0, *place, 0] == pytest.approx((up - down) / 2, rel=2e-3, abs=UNIT * (up + down) + 64 * UNIT)


def test_the_histograms_slope_leads_to_the_wanted_shares() -> None:
    found = arguments(random_statistics((8, 8, 1)), TermTargets(1, lags=3))["histogram"]
    which, pixels = np.zeros(1, dtype=np.int64), np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 1)).astype(np.float32)
    uphill = jax.jit(jax.grad(lambda x: differentiable.histogram_term(x, which, *found).sum()))
    first = reference.histogram_term(np.rint(pixels).astype(np.uint8), which, *found)[0]
    for step in range(300):
        slope = np.asarray(uphill(pixels))
        pixels = np.clip(pixels - (3 - step / 100) * slope / np.sqrt((slope**2).mean()), 0, 255)
    assert reference.histogram_term(np.rint(pixels).astype(np.uint8), which, *found)[0] < 0.35 * first


def test_surprise_is_the_log_likelihood() -> None:
    scores = jnp.array([[0.2, 0.7, 0.1], [0.0, 1.0, 0.5]], dtype=jnp.float32)
    by_hand = [-np.log(0.8) - np.log(0.7) - np.log(0.9), -np.log(1e-30) - np.log(1e-7) - np.log(0.5)]
    assert np.asarray(differentiable.binary_cross_entropy(scores, jnp.array([1, 0]))) == pytest.approx(by_hand, rel=1e-5)


def test_total_variation_by_hand() -> None:
    image = np.array([[0, 255], [0, 0]], dtype=np.float32)[None, :, :, None]
    assert float(differentiable.total_variation(jnp.asarray(image))[0]) == pytest.approx(0.5 + 0.5)


@pytest.mark.parametrize("sd", [0.3, rare(0.5), 1.0, rare(2.5)])
def test_blur_is_gaussian(sd: float) -> None:
    images = random_images((9, 13, 3), 2)
    mine = np.asarray(differentiable.gaussian_blur(jnp.asarray(images, jnp.float32), differentiable.gaussian_kernel(sd)))
    theirs = gaussian_filter(images.astype(np.float64), (0, sd, sd, 0), mode="nearest", truncate=4.0)
    assert mine == pytest.approx(theirs, abs=1.0 if sd < 0.4 else 1e-2)  # of so small a one the cut-off differs


def test_shifts_roll_each_picture_by_its_own() -> None:
    images = random_images((5, 7, 1), 1)[:2]
    shifts = np.array([[1, -2], [0, 3]], dtype=np.int32)
    expected = np.stack([np.roll(image, shift, axis=(0, 1)) for image, shift in zip(images, shifts, strict=True)])
    assert np.array_equal(np.asarray(differentiable.roll(jnp.asarray(images), jnp.asarray(shifts))), expected)


def test_zoom_keeps_the_middle_and_cuts_the_edge_off() -> None:
    image = np.zeros((1, 20, 20, 1), dtype=np.float32)
    image[0, 9:11, 9:11], image[0, 0] = 200, 100
    zoomed = np.asarray(differentiable.zoom(image, 1.5))
    assert zoomed.shape == image.shape
    assert np.allclose(zoomed, zoomed[:, :, ::-1], atol=1e-3)  # about the middle
    assert zoomed[0, 8:12, 8:12].mean() > 100
    assert abs(zoomed[0, 0].mean()) < 1


# --- layers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "names"),
    [
        (random_network((8, 8, 1)), ["dense1", "sigmoid1", "logits", "scores"]),
        (random_dense((9, 13, 1), ()), ["logits", "scores"]),
        (random_dense((9, 13, 1), (5, 4), "relu"), ["dense1", "relu1", "dense2", "relu2", "logits", "scores"]),
        (random_dense((8, 8, 3), (5,), "sigmoid", temperature=2.5), ["dense1", "sigmoid1", "logits", "scores"]),
        (convolutional(), ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "dense3", "relu3", "logits", "scores"]),
    ],
)
def test_layers_end_in_the_scores(network: Any, names: list[str]) -> None:
    images = random_images(network.input_shape, 5)
    found = layer_function(network)(jnp.asarray(images, jnp.float32))
    assert list(found) == list(layer_shapes(network)) == names
    assert {name: array.shape[1:] for name, array in found.items()} == layer_shapes(network)
    assert np.asarray(found["scores"]) == pytest.approx(network(images), abs=1e-5)
    assert np.asarray(found["logits"]) == pytest.approx(network.logits(images), rel=1e-4, abs=1e-4)


def test_a_classifier_that_tells_no_layers_has_its_scores() -> None:
    class Bare:
        input_shape = (8, 8, 1)

        def jax_fn(self, images: Any) -> Any:
            return images.reshape(len(images), -1)[:, :4] / 255

    assert layer_shapes(Bare()) == {"scores": (4,)}
    assert layer_shapes(object()) == {}


# --- windows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("picture", [(8, 8), (9, 8), (12, 30), (17, 23)])
def test_windows_cover_the_picture_and_overlap_by_half(picture: tuple[int, int]) -> None:
    places = np.arange(picture[0] * picture[1]).reshape(1, *picture, 1)
    seen = cut(places, (8, 8, 1))
    assert set(np.unique(seen)) == set(range(picture[0] * picture[1]))
    corners = seen[0, :, 0, 0, 0]
    assert np.diff(np.unique(corners // picture[1])).max(initial=0) <= 4
    assert np.diff(np.unique(corners % picture[1])).max(initial=0) <= 4
    for window, corner in zip(seen[0, :, :, :, 0], corners, strict=True):
        row, column = divmod(int(corner), picture[1])
        assert np.array_equal(window, places[0, row : row + 8, column : column + 8, 0])


@pytest.mark.exhaustive
def test_the_score_of_a_class_is_that_of_its_best_window() -> None:
    network = random_network((8, 8, 1))
    pictures = random_images((12, 15, 1), 3)
    windows = TiledClassifier(network, (12, 15, 1))
    by_hand = np.stack([network(cut(picture[None], (8, 8, 1))[0]).max(axis=0) for picture in pictures])
    assert np.array_equal(windows(pictures), by_hand)
    assert np.asarray(windows.jax_fn(pictures)) == pytest.approx(by_hand, abs=1e-5)
    assert windows.jax_layers(jnp.asarray(pictures, jnp.float32))["dense1"].shape == (len(pictures), 2 * 3, 12)
    assert layer_shapes(windows) == layer_shapes(network)
    assert (windows.num_classes, windows.labels, windows.fingerprint) == (4, network.labels, network.fingerprint)
