"""The PCA classifiers: against the obvious computation, in JAX, as files, fooled, and damaged files refused."""

import re
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from builders import DATA, needs_mnist, random_images
from builders import random_pca as make
from pairwise import rare

import fooling
from fooling.classifiers import load_network
from fooling.classifiers.checks import check_classifier
from fooling.classifiers.pca import GAP, METHODS, PcaClassifier, fit_pca, make_pca, make_unscaled
from fooling.commands import dispatch
from fooling.data import ImageSet, load_data
from fooling.errors import UserError, guarded
from fooling.records.record import read_run
from fooling.statistics.pca import fit_components


def obvious(classifier: PcaClassifier, images: np.ndarray) -> np.ndarray:
    """Distances, image by image and class by class, as the definition says."""
    flat = images.reshape(len(images), -1) / 255
    means, eigen = classifier.mean / 256 / 255, classifier.eigen / 4096
    if classifier.method == "means":
        return np.array([[((eigen[0] @ (x - means[0]) - centre) ** 2).sum() for centre in classifier.centres] for x in flat])
    return np.array(
        [[((x - m) ** 2).sum() - ((e @ (x - m)) ** 2).sum() for m, e in zip(means, eigen, strict=True)] for x in flat]
    )


@pytest.mark.parametrize("method", METHODS)
def test_distances_and_scores(shape: tuple[int, int, int], method: str) -> None:
    classifier, data = make(shape, method)
    images = np.concatenate([data.images[:7], random_images(shape, 5, seed=9)])
    expected = obvious(classifier, images)
    assert classifier.distances(images) == pytest.approx(expected, abs=1e-9)
    powers = np.exp(-(expected - expected.min(axis=1, keepdims=True)) / classifier.temperature)
    assert classifier(images) == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-6)
    assert classifier.logits(images) == pytest.approx(-expected / classifier.temperature, abs=1e-4)
    found = check_classifier(classifier)
    assert (found.exact, found.sums_to_one) == (True, True)
    assert classifier(images[:0]).shape == (0, 4)


@pytest.mark.exhaustive
@pytest.mark.parametrize("method", METHODS)
def test_in_jax_it_is_the_same_and_has_a_slope(shape: tuple[int, int, int], method: str) -> None:
    classifier, data = make(shape, method)
    images = data.images[:6]
    assert np.asarray(jax.jit(classifier.jax_fn)(images)) == pytest.approx(classifier(images), abs=2e-5)
    grey = images.astype(np.float32)
    assert np.asarray(classifier.jax_fn(grey)) == pytest.approx(classifier(images), abs=2e-5)
    slope = np.asarray(jax.grad(lambda x: classifier.jax_fn(x)[:, 1].sum())(grey))
    assert slope.shape == images.shape
    assert np.isfinite(slope).all()
    assert np.abs(slope).max() > 0


def test_means_are_those_of_the_projections() -> None:
    classifier, data = make((8, 8, 1), "means", 3)
    flat = data.images.reshape(len(data.images), -1) / 255
    projections = (flat - classifier.mean / 256 / 255) @ (classifier.eigen[0] / 4096).T
    for k in range(4):
        assert classifier.centres[k] == pytest.approx(projections[data.labels == k].mean(axis=0), abs=2e-3)
    whole = fit_components(data.images, 3)
    assert np.array_equal(whole.images, classifier.eigen[0])


@pytest.mark.parametrize("method", METHODS)
def test_the_temperature_makes_the_mean_gap_five(method: str) -> None:
    classifier, data = make((8, 8, 1), method)
    ordered = np.sort(classifier.logits(data.images), axis=1)
    assert (ordered[:, -1] - ordered[:, -2]).mean() == pytest.approx(GAP, rel=1e-4)
    bare = make_unscaled(fit_pca(data, 5), data, method, 5)
    assert np.array_equal(bare.distances(data.images), classifier.distances(data.images))


def test_more_components_than_there_are() -> None:
    classifier, _ = make((4, 4, 1), "residual", 500)
    assert classifier.components == 14  # a class of 15 images has so many


@pytest.mark.parametrize("method", METHODS)
def test_it_reads_digits(method: str) -> None:
    train, test = (load_data(None, "sklearn", split) for split in ("train", "test"))
    classifier = make_pca(fit_pca(train, 8), train, method, 8)
    assert (classifier(test.images).argmax(axis=1) == test.labels).mean() > 0.85


@pytest.mark.parametrize("method", METHODS)
def test_a_file_is_read_back(tmp_path: Path, method: str) -> None:
    classifier, data = make((9, 13, 1), method)
    replace(classifier, made="by hand").save(tmp_path / "p.safetensors")
    loaded = load_network(tmp_path / "p.safetensors")
    assert isinstance(loaded, PcaClassifier)
    assert (loaded.fingerprint, loaded.labels, loaded.made) == (classifier.fingerprint, classifier.labels, "by hand")
    assert np.array_equal(loaded(data.images), classifier(data.images))
    for name, tensor in classifier.tensors.items():
        if tensor.size:
            changed = tensor.copy()
            changed.reshape(-1)[0] += 1
            assert replace(classifier, **{name: changed}).fingerprint != classifier.fingerprint
    assert replace(classifier, temperature=2.5).fingerprint != classifier.fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "nearest"}, "its header is damaged (method); expected one written by `fooling eigen`"),
        ({"temperature": 0.0}, "its header is damaged (divisor)"),
        ({"temperature": float("nan")}, "its header is damaged (divisor)"),
        ({"centres": np.zeros((4, 3), np.float32)}, "tensor centres: expected float32 [4, 5], got float32 [4, 3]"),
        ({"centres": np.full((4, 5), np.nan, np.float32)}, "tensor centres holds numbers that are not finite"),
        ({"mean": np.full((1, 64), 70_000, np.int32)}, "tensor mean holds more than 255 grey levels"),
        ({"eigen": np.zeros((1, 5, 63), np.int16)}, "tensor eigen: expected int16 [1, 5, 64], got int16 [1, 5, 63]"),
        ({"eigen": np.zeros((64,), np.int16)}, "tensor eigen: expected int16 [1, 1, 64], got int16 [64]"),
    ],
    ids=str,
)
def test_damaged_files_are_refused(tmp_path: Path, change: dict, message: str) -> None:
    classifier, _ = make((8, 8, 1), "means")
    replace(classifier, **change).save(tmp_path / "p.safetensors")
    with pytest.raises(UserError, match=re.escape(message)):
        load_network(tmp_path / "p.safetensors")


def test_what_cannot_be_fitted_is_refused() -> None:
    images = random_images((8, 8, 1), 6)
    with pytest.raises(UserError, match="at least two images of each class, got one of class b"):
        fit_pca(ImageSet(images, np.array([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]), ("a", "b"), "made"), 3)
    same = ImageSet(np.repeat(images, 2, axis=0), np.tile([0, 1], len(images)), ("a", "b"), "made")
    with pytest.raises(UserError, match="expected classes that principal components separate"):
        make_pca(fit_pca(same, 3), same, "residual", 3)


def test_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["run", "classifier=pca"]) == 2
    assert "classifier=pca: expected classifier.path=FILE, as no weights are bundled; write one with `fooling eigen`" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("engine", ["numba", rare("jax"), "reference"])
def test_it_is_fooled_like_any_other(home: Path, pca_file: Path, engine: str) -> None:
    words = ["digit=3", "classifier=pca", f"classifier.path={pca_file}", "prior=none", f"engine={engine}", "runs=2"]
    more = ["data.kind=sklearn", "generations=25", "quiet=true", "stop=end", "out=r"]
    assert guarded(dispatch, ["run", *words, *more]) == 0
    run = read_run(home / "r")
    first, last = (float(line["confidence"]) for line in metrics(home / "r", (0, -1)))
    assert last > max(0.9, first)
    assert run["reproducible"] == ("approximate" if engine == "jax" else "exact")


def metrics(folder: Path, which: tuple[int, ...]) -> list[dict]:
    import json

    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(lines[i]) for i in which]


def test_it_is_a_judge(home: Path, pca_file: Path) -> None:
    network = fooling.load_classifier("pca", str(pca_file))
    found = fooling.evolve(
        f"judges=[{pca_file}]", "data.kind=sklearn", classifier=Other(network), digit=3, runs=2, generations=2, prior="none"
    )
    assert found.judges[str(pca_file)].shape == (2, 10)


class Other:
    """The same face, another fingerprint."""

    def __init__(self, of: fooling.Classifier) -> None:
        self.of, self.fingerprint = of, "other"

    def __getattr__(self, name: str) -> object:
        return getattr(self.of, name)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.of(images)


@pytest.mark.exhaustive
@needs_mnist
def test_on_mnist() -> None:
    train, test = (load_data(DATA, split=split) for split in ("train", "test"))
    fitted = fit_pca(train, 40)
    nearest = {m: make_unscaled(fitted, train, m, 40).distances(test.images).argmin(axis=1) for m in METHODS}
    right = {m: (classes == test.labels).mean() for m, classes in nearest.items()}
    assert right == pytest.approx({"means": 0.8148, "residual": 0.9562}, abs=0.003)
