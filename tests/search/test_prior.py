"""What terms are measured against: the class's means, one training image's statistics, weights of lags, what is free."""

from pathlib import Path

import numpy as np
import pytest
from builders import random_images, random_network, random_statistics
from objectives import objective_of

import fooling
from fooling.errors import UserError
from fooling.kernels.reference import PENALTIES as REFERENCE_PENALTIES
from fooling.kernels.reference import penalties as reference
from fooling.kernels.tables import TermTarget
from fooling.records.record import read_run
from fooling.search.prior import TermTargets, arguments, eigen_notes, percentiles, real_terms
from fooling.settings import load
from fooling.settings.schema import RunSettings
from fooling.statistics import BUNDLED, Statistics

SHAPE = (9, 13, 1)
RUNS = np.arange(400, dtype=np.uint32)


def chosen(digit: int = 1) -> np.ndarray:
    """The exemplars of `random_statistics`: all images of the class."""
    images = random_images(SHAPE, 40, seed=1)
    return images[np.arange(len(images)) % 4 == digit]


def test_exemplars_have_their_own_targets() -> None:
    statistics, images = random_statistics(SHAPE), chosen()
    found, which = arguments(statistics, TermTargets(1, lags=5, bins=7, exemplar=True)), np.arange(statistics.exemplars)
    assert statistics.exemplars == len(images) == 11
    for name in ("histogram", "variogram"):
        assert REFERENCE_PENALTIES[name](images, which, *found[name]) == pytest.approx(0, abs=1e-7)
        others = REFERENCE_PENALTIES[name](images, np.roll(which, 1), *found[name])
        assert (others > 1e-3).mean() > 0.7
    of_class = arguments(statistics, TermTargets(1, lags=8))
    assert found["regional"][1].targets.shape == of_class["regional"][1].targets.shape


def test_every_run_draws_an_exemplar_of_its_own() -> None:
    def draw(seed: int, exemplar: bool = True) -> np.ndarray:
        options = {"digit": 1, "weights": {"target": 1.0}, "exemplar": exemplar, "seed": seed}
        return objective_of(random_network(SHAPE), random_statistics(SHAPE), **options).which(RUNS)

    drawn = draw(5)
    assert np.array_equal(drawn, draw(5))
    assert not np.array_equal(drawn, draw(6))
    assert sorted(drawn[:11]) == list(range(11))
    assert np.array_equal(drawn, np.resize(drawn[:11], 400))
    assert not draw(5, exemplar=False).any()


def test_lags_weigh_inversely_to_their_spread() -> None:
    statistics, images = random_statistics(SHAPE), chosen()
    wanted = arguments(statistics, TermTargets(1, lags=4, lag_weights="spread"))["variogram"][0]
    spread = (reference.variogram_sums(images, 4) / reference.pair_counts(SHAPE, 4)).std(axis=0).reshape(1, 8)
    assert wanted.weights.mean() == pytest.approx(1)
    assert wanted.weights * spread == pytest.approx((wanted.weights * spread).mean())
    crossed = arguments(statistics, TermTargets(1, lags=4, lag_weights="spread", quirk_axes=True))["variogram"][0]
    assert np.array_equal(crossed.weights, np.roll(wanted.weights, 4, axis=1))
    assert np.array_equal(crossed.targets, np.roll(wanted.targets, 4, axis=2))
    assert (arguments(statistics, TermTargets(1, lags=8))["variogram"][0].weights == 1).all()


@pytest.mark.parametrize("name", REFERENCE_PENALTIES)
def test_a_hinge_is_the_mean_of_the_training_images(name: str) -> None:
    statistics, images = random_statistics(SHAPE), chosen()
    which = np.zeros(len(images), dtype=np.int64)
    plain, hinged = (arguments(statistics, TermTargets(1, lags=8, hinge=hinge)) for hinge in ((), (name,)))
    term, free = (REFERENCE_PENALTIES[name](images, which, *found[name]) for found in (plain, hinged))
    if name == "eigen":  # each of its two parts is about 1 in the mean
        assert hinged[name][-1] == 1
    else:
        assert free == pytest.approx(np.maximum(term - term.mean(), 0), abs=1e-6)
    assert (free < term).any()
    for other in set(REFERENCE_PENALTIES) - {name}:
        assert all(part.margin == 0 for part in hinged[other] if isinstance(part, TermTarget))


def test_terms_of_the_training_images() -> None:
    statistics, images = random_statistics(SHAPE), chosen()
    found, which = arguments(statistics, TermTargets(1, lags=6, bins=4)), np.zeros(len(images), dtype=np.int64)
    real = real_terms(statistics, 1, found)
    for name, penalty in REFERENCE_PENALTIES.items():
        assert real[name] == pytest.approx(penalty(images, which, *found[name]), rel=1e-5, abs=1e-6), name


def test_percentiles_are_shares_of_the_training_images_that_have_less() -> None:
    statistics, images = random_statistics(SHAPE), np.concatenate([chosen(), random_images(SHAPE, 30, seed=2)])
    found, which = arguments(statistics, TermTargets(1, lags=6, bins=4)), np.zeros(len(images), dtype=np.int64)
    real = real_terms(statistics, 1, found)
    shares = percentiles(statistics, 1, images, lags=6, bins=4)
    assert set(shares) == set(REFERENCE_PENALTIES)
    for name, penalty in REFERENCE_PENALTIES.items():
        terms = penalty(images, which, *found[name])
        assert shares[name].tolist() == [sum(np.float32(one) < term for one in real[name]) / 11 for term in terms], name
        assert {0, 10 / 11} < set(shares[name].tolist()), name
    noise = np.random.default_rng(0).integers(0, 256, (3, *SHAPE), dtype=np.uint8)  # nothing of it is black
    assert {name: share.tolist() for name, share in percentiles(statistics, 1, noise).items()}["histogram"] == [10 / 11] * 3


def test_a_hinge_on_the_quirks_variogram_is_refused() -> None:
    with pytest.raises(UserError, match=r"prior.hinge=\[variogram\] with prior.quirk_lag1=true"):
        arguments(random_statistics(SHAPE), TermTargets(1, lags=8, hinge=("variogram",), quirk_lag1=True))


@pytest.mark.parametrize("name", ["histogram", "variogram"])
def test_a_hinge_on_one_images_statistics_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"prior.hinge=\[{name}\] with prior.exemplar=true"):
        arguments(random_statistics(SHAPE), TermTargets(1, lags=8, hinge=(name,), exemplar=True))


def test_a_job_says_whose_statistics_each_image_has(home: Path) -> None:
    result = fooling.evolve(prior="exemplar", digit=3, runs=6, generations=2, proposals=50, out="r")
    entries = read_run(home / "r")["images"]
    assert [entry["exemplar"] for entry in entries] == result.exemplars.tolist()
    assert len(set(result.exemplars.tolist())) > 3
    counts = Statistics.load(BUNDLED).exemplar_levels[3, result.exemplars, 0]
    for image, levels in zip(result.images, counts, strict=True):  # swaps keep them exactly
        assert np.array_equal(np.bincount(image.reshape(-1), minlength=256), levels)
    assert fooling.evolve(runs=2, generations=2).exemplars is None


def test_too_few_images_for_the_components_are_refused_or_marked() -> None:
    few, enough = random_statistics((8, 8, 1)), Statistics.load(BUNDLED)
    variogram, eigen = (load([f"prior={name}"], RunSettings, "run") for name in ("variogram", "eigen"))
    assert [few.leaves_no_residual(0), enough.leaves_no_residual(0)] == [True, False]
    assert eigen_notes(eigen, enough, 0) == []
    (note,) = eigen_notes(variogram, few, 0)
    assert "11 images of class 0 have only 10 components" in note
    with pytest.raises(UserError, match=r"11 images of class 0 .*`fooling stats components=5 …`"):
        eigen_notes(eigen, few, 0)
