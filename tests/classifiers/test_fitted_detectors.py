"""Detectors that are fitted to training images: each beside a slow twin, what each flags, and what is left out."""

from functools import cache

import numpy as np
import pytest
from builders import random_dense, random_images
from scipy.special import logsumexp, softmax

from fooling.classifiers.detectors import DETECTORS, EVOLVED, TRAINING, Training, fit_all, training_of, values
from fooling.classifiers.features import Evidence, evidence, find_features
from fooling.classifiers.fitted_detectors import NEIGHBOURS, Score, flat_pixels, simple_table
from fooling.data import ImageSet
from fooling.settings.detectors import DETECTORS as NAMES

SHAPE = (8, 8, 1)
CENTRES = np.random.default_rng(5).normal(size=(3, 6)) * 2
WEIGHTS, BIAS = np.random.default_rng(6).normal(size=(6, 3)) * 2, np.array([0.5, -1, 2])


def seen(number: int, seed: int, far: float = 0.0) -> tuple[Evidence, np.ndarray]:
    """Smooth images of three classes with features around their class's, moved by `far`; logits are linear in them."""
    random = np.random.default_rng(seed)
    labels = np.arange(number) % 3
    features = CENTRES[labels] + random.normal(size=(number, 6)) + far
    levels = np.sort(random.integers(0, 120, (number, *SHAPE)), axis=1) + 40 * labels[:, None, None, None]
    images = np.where(random.random((number, *SHAPE)) < far / 8, random.integers(0, 256, (number, *SHAPE)), levels)
    logits = features @ WEIGHTS + BIAS
    return Evidence(images.astype(np.uint8), softmax(logits, axis=1).astype(np.float32), logits, features), labels


@cache
def training() -> Training:
    return Training(*seen(400, 0))


@cache
def fitted(name: str) -> Score:
    score = fit_all([name], training())[name]
    assert isinstance(score, Score), score
    return score


FITTED = [name for name, detector in DETECTORS.items() if detector.fitted == TRAINING]


def test_settings_name_every_detector_once() -> None:
    assert list(DETECTORS) == list(NAMES)
    assert len(NAMES) >= 12
    assert [name for name, one in DETECTORS.items() if one.fitted == EVOLVED] == ["simple_statistics"]
    assert all(detector.source for detector in DETECTORS.values())


# --- twins ----------------------------------------------------------------------------------------------------------------
def test_mahalanobis_is_the_least_distance_by_the_shared_covariance() -> None:
    known, labels, (new, _) = training().seen.features, training().labels, seen(7, 1)
    means = np.stack([known[labels == k].mean(axis=0) for k in range(3)])
    inverse = np.linalg.inv(np.cov((known - means[labels]).T, bias=True))
    expected = [min((x - m) @ inverse @ (x - m) for m in means) for x in new.features]
    assert fitted("mahalanobis").value(new) == pytest.approx(expected)
    middle, whole = known.mean(axis=0), np.linalg.inv(np.cov(known.T, bias=True))
    less = [(x - middle) @ whole @ (x - middle) for x in new.features]
    assert fitted("relative_mahalanobis").value(new) == pytest.approx(np.array(expected) - less)


def test_a_feature_that_never_varies_changes_no_distance() -> None:
    def with_dead(one: Evidence) -> Evidence:
        return one._replace(features=np.concatenate([one.features, np.zeros((len(one.features), 2))], axis=1))

    new, _ = seen(5, 1)
    score = fit_all(["mahalanobis"], Training(with_dead(training().seen), training().labels))["mahalanobis"]
    assert score.value(with_dead(new)) == pytest.approx(fitted("mahalanobis").value(new))


def test_neighbours_are_the_tenth() -> None:
    new, _ = seen(4, 2)
    known = training().seen.features
    known, vectors = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (known, new.features))
    expected = [sorted(np.linalg.norm(known - x, axis=1))[NEIGHBOURS - 1] for x in vectors]
    assert fitted("knn_features").value(new) == pytest.approx(expected, rel=1e-3)
    pixels = flat_pixels(training().seen.images)
    expected = [sorted(np.linalg.norm(pixels - x, axis=1))[NEIGHBOURS - 1] for x in flat_pixels(new.images)]
    assert fitted("knn_pixels").value(new) == pytest.approx(expected, rel=1e-3)


def test_vim_finds_the_weights_of_the_last_layer() -> None:
    new, _ = seen(6, 3)
    known = training().seen
    origin = -np.linalg.pinv(WEIGHTS.T) @ BIAS
    moved = known.features - origin
    _, vectors = np.linalg.eigh(moved.T @ moved)
    rest = vectors[:, :3]  # of six features all but half
    scale = known.logits.max(axis=1).mean() / np.linalg.norm(moved @ rest, axis=1).mean()
    expected = scale * np.linalg.norm((new.features - origin) @ rest, axis=1) - logsumexp(new.logits, axis=1)
    assert fitted("vim").value(new) == pytest.approx(expected)


def test_kl_matching_by_hand() -> None:
    new, _ = seen(5, 4)
    scores, read = training().seen.scores.astype(float), training().seen.scores.argmax(axis=1)
    means = [scores[read == k].mean(axis=0) for k in range(3)]
    expected = [min(sum(p * np.log(p / q) for p, q in zip(x, m, strict=True)) for m in means) for x in new.scores.astype(float)]
    assert fitted("kl_matching").value(new) == pytest.approx(expected, abs=1e-6)


def test_the_temperature_is_that_of_the_likelihood() -> None:
    new, _ = seen(5, 4)
    logits, labels = training().seen.logits, training().labels
    losses = {t: -np.log(softmax(logits / t, axis=1)[np.arange(400), labels]).mean() for t in np.geomspace(0.2, 20, 400)}
    best = min(losses, key=losses.get)
    assert fitted("temperature").value(new) == pytest.approx(-softmax(new.logits / best, axis=1).max(axis=1), rel=5e-3)


def test_the_density_of_pixels_is_that_of_scikit_learn_but_for_a_constant() -> None:
    from sklearn.decomposition import PCA

    new, _ = seen(6, 5, far=2)
    model = PCA(50, random_state=0).fit(flat_pixels(training().seen.images))
    expected = -model.score_samples(flat_pixels(new.images))
    found = fitted("pixel_density").value(new)
    assert found - found[0] == pytest.approx(expected - expected[0], rel=1e-3)


def test_the_distance_of_simple_statistics_is_scale_free() -> None:
    new, _ = seen(6, 5)
    table, x = simple_table(training().seen.images), simple_table(new.images)
    varied = table.std(axis=0) > 1e-6
    inverse = np.linalg.pinv(np.cov(table[:, varied].T, bias=True), rcond=1e-9)
    gaps = (x - table.mean(axis=0))[:, varied]
    expected = np.einsum("nf,fg,ng->n", gaps, inverse, gaps)
    found = fitted("statistics_distance").value(new)
    assert np.corrcoef(found, expected)[0, 1] > 0.95


# --- what they do ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name", [name for name in FITTED if "logits" not in DETECTORS[name].needs and "shares" not in DETECTORS[name].needs]
)
def test_what_lies_far_from_the_training_images_is_flagged(name: str) -> None:
    near, _ = seen(60, 8)
    far, _ = seen(60, 9, far=6)
    assert np.median(fitted(name).value(far)) > np.quantile(fitted(name).value(near), 0.95)


@pytest.mark.parametrize("name", FITTED)
def test_a_value_depends_on_the_image_alone(name: str) -> None:
    new, _ = seen(4, 10)
    alone = [fitted(name).value(Evidence(*(None if part is None else part[i : i + 1] for part in new)))[0] for i in range(4)]
    assert fitted(name).value(new) == pytest.approx(alone, rel=1e-4, abs=1e-6)


def why(name: str, training_set: Training | None, new: Evidence) -> str:
    found, reason = values(name, new, new, fit_all([name], training_set)[name])
    assert found is None
    return reason


def test_what_cannot_be_fitted_is_left_out_with_the_reason() -> None:
    known, labels = training()
    new, _ = seen(20, 11)
    assert "training images" in why("mahalanobis", None, new)
    assert "features" in why("knn_features", Training(known._replace(features=None), labels), new)
    assert "logits" in why("vim", Training(known._replace(logits=None), labels), new)
    assert "sum to 1" in why("kl_matching", Training(known._replace(scores=known.scores / 2), labels), new)
    curved = known._replace(logits=np.abs(known.logits) ** 1.5)
    assert "linear" in why("vim", Training(curved, labels), new)
    flat = known._replace(features=np.zeros((400, 2)), logits=np.ones((400, 1)) * [1, 2, 3])
    assert "no residual outside" in why("vim", Training(flat, labels), new)
    wrong = Training(known._replace(logits=-known.logits, scores=softmax(-known.logits, axis=1).astype(np.float32)), labels)
    assert "temperature" in why("temperature", wrong, new)


def test_every_detector_takes_a_real_network() -> None:
    network = random_dense(SHAPE, (12, 9))
    images = random_images(SHAPE, 60)
    features, _ = find_features(network)
    data = ImageSet(images, np.arange(64) % 4, tuple("abcd"), "made")
    found = fit_all(DETECTORS, training_of(network, data, features, most=50))
    new = evidence(network, random_images(SHAPE, 20, seed=3), features)
    for name, score in found.items():
        if isinstance(score, Score):
            assert np.isfinite(score.value(new)).all(), name
    assert {name for name, score in found.items() if isinstance(score, str)} <= {"simple_statistics", "temperature"}
