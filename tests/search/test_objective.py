"""The objective: weights, targets, switches, and what does not fit together."""

import numpy as np
import pytest
from builders import random_images, random_network, random_statistics
from objectives import objective_of

from fooling.classifiers import load_classifier
from fooling.errors import UserError
from fooling.kernels import tables
from fooling.kernels.reference import PENALTIES as REFERENCE_PENALTIES
from fooling.kernels.reference import penalties as reference
from fooling.search import objective as module
from fooling.search.genetic.memory import check_host_memory, free_memory
from fooling.search.objective import TERMS
from fooling.settings import load
from fooling.statistics import BUNDLED, Statistics

SHAPE = (9, 13, 1)
WEIGHTS = {"target": 2.0, "histogram": 0.5, "variogram": 3.0, "eigen": 0.3}


def make(**changed):
    options = {"digit": 1, "weights": WEIGHTS, **changed}
    return objective_of(options.pop("classifier", random_network(SHAPE)), random_statistics(SHAPE), **options)


def test_cost_is_the_weighted_sum_of_the_terms() -> None:
    cost, terms, scores = make().value(random_images(SHAPE, 5))
    assert tuple(terms) == TERMS
    assert cost == pytest.approx(sum(WEIGHTS.get(name, 0) * terms[name] for name in TERMS), rel=1e-6)
    assert terms["target"] == pytest.approx(np.abs(scores - np.eye(4)[1]).sum(axis=1), abs=1e-6)
    assert all((values >= 0).all() for values in terms.values())


def test_any_class_has_the_least_target_term_and_the_priors_other_terms() -> None:
    images = random_images(SHAPE, 5)
    network = {"classifier": random_network(SHAPE, seed=3)}
    _, found, scores = make(**network, digit="any", prior_digit=2).value(images)
    each = np.stack([make(**network, digit=k).value(images)[1]["target"] for k in range(4)])
    assert found["target"] == pytest.approx(each.min(axis=0), abs=1e-6)
    assert len(set(scores.argmax(axis=1))) > 1
    _, of_two, _ = make(**network, digit=2).value(images)
    assert all(np.array_equal(found[name], of_two[name]) for name in REFERENCE_PENALTIES)
    _, alone, _ = make(**network, digit="any", weights={"target": 1.0}).value(images)
    assert list(alone) == ["target"]
    assert np.array_equal(alone["target"], found["target"])


def test_targets_are_the_wanted_classs() -> None:
    statistics, images = random_statistics(SHAPE), random_images(SHAPE, 3)
    _, terms, _ = make(prior_digit=3, lags=4, bins=5).value(images)
    g = reference.variogram_sums(images, 4) / reference.pair_counts(SHAPE, 4)
    assert terms["variogram"] == pytest.approx(np.abs(g - statistics.variogram(3, 4)).sum(axis=(1, 2, 3)) / 4, abs=1e-6)
    shares = reference.histogram_counts(images, tables.bin_of_level(5)) / (9 * 13)
    assert terms["histogram"] == pytest.approx(np.abs(shares - statistics.bins(3, 5)).sum(axis=(1, 2)) / 5, abs=1e-6)


def test_quirk_axes_exchanges_the_targets() -> None:
    right, exchanged = (make(quirk_axes=quirk).arguments["variogram"][0].targets.reshape(1, 2, -1) for quirk in (False, True))
    assert np.array_equal(right[:, ::-1], exchanged)
    assert not np.array_equal(right, exchanged)


def test_penalties_of_weight_0_are_left_out_of_the_search_but_told() -> None:
    objective = make(weights={"target": 1.0, "histogram": 0.0, "variogram": 1.0})
    assert objective.penalties == ("variogram",)
    assert "histogram" in objective.value(random_images(SHAPE, 1))[1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"digit": 4}, "digit=4: expected a class from 0 to 3 of the classifier, got 4"),
        ({"digit": -1}, "digit=-1: expected a class from 0 to 3"),
        ({"digit": "any"}, "digit=any: terms besides the target need the statistics of a class: prior.digit="),
        ({"digit": "any", "prior_digit": 9}, "prior.digit=9: expected a class from 0 to 3 of the statistics, got 9"),
        ({"prior_digit": 9}, "prior.digit=9: expected a class from 0 to 3 of the statistics, got 9"),
    ],
)
def test_refusals(changed: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(**changed)


def test_statistics_of_another_size_are_refused() -> None:
    with pytest.raises(UserError, match=r"the classifier takes images \(8, 8, 1\), the statistics are of images \(9, 13, 1\)"):
        objective_of(random_network((8, 8, 1)), random_statistics(SHAPE), digit=1, weights=WEIGHTS)


def test_more_lags_than_fitted_are_refused() -> None:
    from fooling.data import ImageSet
    from fooling.statistics import Statistics

    images = random_images(SHAPE, 8)
    few = Statistics.fit(ImageSet(images, np.arange(len(images)) % 4, tuple("abcd"), "test"), lags=3)
    with pytest.raises(UserError, match=r"prior.lags=8: the statistics hold lags 1…3; fit them with lags=8"):
        objective_of(random_network(SHAPE), few, digit=1, weights=WEIGHTS)


def test_values_of_many_images_come_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(["prior=eigen", "prior.exemplar=true"])
    statistics, classifier = Statistics.load(BUNDLED), load_classifier()
    made = module.objective_from_settings(settings, classifier, statistics)
    images = random_images((28, 28, 1), 7)
    whole = made.value(images)
    monkeypatch.setattr(module, "BATCH", 4)
    parts = made.value(images)
    assert np.array_equal(parts[0], whole[0])
    assert np.array_equal(parts[2], whole[2])
    assert {name: values.tolist() for name, values in parts[1].items()} == {n: v.tolist() for n, v in whole[1].items()}


def test_runs_that_do_not_fit_are_refused_with_the_number_that_does() -> None:
    check_host_memory(20, 5, 100, 784, 10)
    with pytest.raises(UserError, match=r"got 100000; about .* GiB are needed and 1\.0 are free; runs=(\d+) fit") as told:
        check_host_memory(100_000, 5, 100, 784, 10, limit=2**30)
    fits = int(str(told.value).rpartition("runs=")[2].split()[0])
    check_host_memory(fits, 5, 100, 784, 10, limit=2**30)
    with pytest.raises(UserError, match="not even one run fits"):
        check_host_memory(2, 5, 100, 784, 10, limit=1000)
    assert free_memory() is None or free_memory() > 2**20
