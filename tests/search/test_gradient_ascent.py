"""search=ascent and what gradient searches share: steps by hand, starts, whole jobs, resuming, refusals."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from builders import convolutional, random_images, random_network, random_statistics
from jobs import run_recorded
from objectives import combined
from pairwise import pairwise
from PIL import Image

import fooling
from fooling.commands import dispatch
from fooling.data import ImageSet
from fooling.errors import Interrupted, UserError, guarded
from fooling.kernels.jax.differentiable import gaussian_blur, gaussian_kernel
from fooling.records.record import read_image, read_run
from fooling.run import prepare
from fooling.search.ascent_step import BATCH, AscentObjective, IdentityKey, take_step
from fooling.search.continuous import StepSize, first_passages
from fooling.search.job import Job, make_search
from fooling.search.state import PASSES
from fooling.settings import load
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

SHAPE = (8, 8, 1)
NETWORK = random_network(SHAPE)
NO_SHIFT = np.zeros((3, 2), dtype=np.int32)
WHICH = np.zeros(3, dtype=np.int64)
NOISY = ("rate=12", "jitter=1", "blur_every=3", "decay=0.01")
STEADY = StepSize(rate=3.0, decay=0.0, ground=127.5)


def slope_of(network: Any, **varied: Any) -> AscentObjective:
    return AscentObjective(IdentityKey(network), None, 1.0, 0.0, **{"climb": "log", **varied})


def make(*words: str, classifier: Any = NETWORK, statistics: Any = None) -> Job:
    usual = {"search": "ascent", "digit": "1", "runs": "3", "generations": "12"}
    settings = load(combined(usual, words), RunSettings, "run")
    (job,) = prepare(settings, classifier, statistics or random_statistics(SHAPE))
    return job


def grey(seed: int = 0, number: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(60, 190, (number, *SHAPE)).astype(np.float32)


# --- steps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("climb", "rate"), pairwise(["log", "target"], [0.5, 3.0]))
def test_a_step_goes_uphill_by_its_rate(climb: str, rate: float) -> None:
    pixels = grey()
    after, peaks = take_step(slope_of(NETWORK, climb=climb), replace(STEADY, rate=rate), pixels, WHICH, 1, NO_SHIFT, False)
    assert np.sqrt(((after - pixels) ** 2).mean(axis=(1, 2, 3))) == pytest.approx(rate, rel=1e-3)
    assert (peaks > 0).all()
    before, now = (np.asarray(NETWORK.jax_fn(array))[:, 1] for array in (pixels, after))
    assert (now > before).all()


def test_decay_pulls_to_the_ground_and_black_and_white_bound() -> None:
    flat = slope_of(NETWORK, climb="layer", layer="scores", index=(0,))
    nothing = replace(flat, weight=0.0)
    after, peaks = take_step(nothing, StepSize(5.0, 0.25, 100.0), grey(), WHICH, 1, NO_SHIFT, False)
    assert after == pytest.approx(grey() + 0.25 * (100 - grey()), abs=1e-3)
    assert not peaks.any()
    bounded, _ = take_step(flat, replace(STEADY, rate=255.0), grey(), WHICH, 1, NO_SHIFT, False)
    assert bounded.min() == 0
    assert bounded.max() == 255


@pytest.mark.exhaustive
def test_blur_comes_before_the_slope() -> None:
    slope = slope_of(NETWORK, blur_sd=0.8)
    softened = np.asarray(gaussian_blur(jnp.asarray(grey()), gaussian_kernel(0.8)))
    both, _ = take_step(slope, STEADY, grey(), WHICH, 1, NO_SHIFT, True)
    step, _ = take_step(slope, STEADY, softened, WHICH, 1, NO_SHIFT, False)
    assert both == pytest.approx(step, abs=1e-3)


def test_a_step_sees_the_picture_shifted_and_puts_it_back() -> None:
    shifts = np.array([[1, -2], [0, 3], [-4, 0]], dtype=np.int32)
    moved = np.stack([np.roll(image, shift, axis=(0, 1)) for image, shift in zip(grey(), shifts, strict=True)])
    expected, _ = take_step(slope_of(NETWORK), STEADY, moved, WHICH, 1, NO_SHIFT, False)
    back = np.stack([np.roll(image, -shift, axis=(0, 1)) for image, shift in zip(expected, shifts, strict=True)])
    after, _ = take_step(slope_of(NETWORK), STEADY, grey(), WHICH, 1, shifts, False)
    assert after == pytest.approx(back, abs=1e-3)


def test_total_variation_smooths() -> None:
    def roughness(pixels: np.ndarray) -> float:
        return float(np.abs(np.diff(pixels, axis=1)).mean() + np.abs(np.diff(pixels, axis=2)).mean())

    slope = replace(slope_of(NETWORK, total_variation=1.0), weight=0.0)
    after, _ = take_step(slope, STEADY, grey(), WHICH, 1, NO_SHIFT, False)
    assert roughness(after) < roughness(grey())


def test_what_is_free_is_not_climbed() -> None:
    pixels = grey()
    near = take_step(replace(slope_of(NETWORK), free=99.0), STEADY, pixels, WHICH, 1, NO_SHIFT, False)[0]
    assert np.array_equal(near, pixels)


@pytest.mark.parametrize("network", [NETWORK, convolutional()], ids=["dense", "convolutional"])
def test_no_image_depends_on_the_others(network: Any) -> None:
    number = BATCH + 3
    pixels, which, none = grey(1, number), np.zeros(number, np.int64), np.zeros((number, 2), np.int32)
    every, _ = take_step(slope_of(network), STEADY, pixels, which, 1, none, False)
    for some in (slice(0, 1), slice(5, 9), slice(number - 1, number)):
        alone, _ = take_step(slope_of(network), STEADY, pixels[some], which[some], 1, none[some], False)
        assert np.array_equal(alone, every[some])


@pytest.mark.exhaustive
def test_penalties_have_a_part_in_the_slope() -> None:
    images = random_images(SHAPE, 400)  # 100 of each class: the eigen term needs more images than components
    many = Statistics.fit(ImageSet(images, np.arange(len(images)) % 4, tuple(NETWORK.labels), "random, for tests"))
    job = make("prior=variogram", "weights.regional=1", "weights.eigen=0.1", "prior.lags=5", "control=true", statistics=many)
    engine: Any = make_search(job)
    state = engine.init(np.arange(3, dtype=np.uint32))
    costs = [state.costs]
    for _ in range(12):
        state = engine.step(state)
        costs.append(state.costs)
    assert (costs[-1] < 0.7 * costs[0]).all()


# --- starts -----------------------------------------------------------------------------------------------------------


def first(*words: str, **given: Any) -> np.ndarray:
    engine: Any = make_search(make(*words, **given))
    return engine.init(np.arange(3, dtype=np.uint32)).aux["pixels"]


def test_starts(tmp_path: Path) -> None:
    statistics = random_statistics(SHAPE)
    even = first("start=noise")
    assert even.min() < 20
    assert even.max() > 235
    assert abs(even.mean() - 127.5) < 15
    levels = first("start=levels", statistics=statistics)
    assert (levels == 0).mean() > 0.3  # as in the class's images, most of which is black
    mean = first("start=mean", "noise=0", statistics=statistics)
    assert mean[0].reshape(-1) == pytest.approx(statistics.mean.mean(axis=0) / 256, abs=1e-3)
    assert np.array_equal(mean[0], mean[2])
    middle = first("start=grey", "noise=2")
    assert middle.mean() == pytest.approx(128, abs=1)
    assert middle.std() == pytest.approx(2, rel=0.2)
    assert len({image.tobytes() for image in middle}) == 3
    Image.fromarray(random_images(SHAPE, 1)[0, :, :, 0]).save(tmp_path / "a.png")
    assert np.array_equal(first(f"image={tmp_path / 'a.png'}", "noise=0")[1], random_images(SHAPE, 1)[0])


def test_runs_start_alike_whatever_others_there_are() -> None:
    engine: Any = make_search(make("start=grey"))
    together, alone = (engine.init(np.array(runs, np.uint32)).aux["pixels"] for runs in ([0, 1, 2], [2]))
    assert np.array_equal(together[2], alone[0])


def test_a_picture_of_other_sides_is_fitted_inside(tmp_path: Path) -> None:
    colours = np.zeros((10, 40, 3), dtype=np.uint8)
    colours[:, :, 1] = 255
    Image.fromarray(colours).save(tmp_path / "wide.png")
    job = make(f"image={tmp_path / 'wide.png'}")
    assert job.start_image.shape == SHAPE
    assert (job.start_image[3:5, :, 0] == 150).all()  # the luminance of green
    assert not job.start_image[[0, 1, 2, 5, 6, 7]].any()
    assert "starts from wide.png, 10×40 pixels, as 8×8, colours as grey" in job.report.notes


# --- jobs -------------------------------------------------------------------------------------------------------------


def test_passes_by_hand() -> None:
    scores = np.array([[0.2, 0.6, 0.1], [0.7, 0.6, 0.1], [0.0, 0.9995, 0.0]], dtype=np.float32)
    pixels, start = np.full((3, 2, 2, 1), 51.0, np.float32), np.zeros((3, 2, 2, 1), np.float32)
    found = first_passages(np.full((3, 4, 4), -1.0), 7, pixels, start, scores, 1)
    noted = [7, 0.4, 0.4, 0.0]  # four pixels of 0.2
    assert found[0, 0] == pytest.approx(noted)
    assert (found[0, 1:] == -1).all()
    assert (found[1] == -1).all()  # another class is larger
    assert found[2, :3] == pytest.approx(np.array([noted] * 3))
    assert (found[2, 3] == -1).all()
    again = first_passages(found, 8, pixels + 51, start, scores, 1)
    assert np.array_equal(again[0], found[0])  # the first time is what counts


def test_a_job_and_its_record(home: Path) -> None:
    arguments = ["run", "search=ascent", "digit=2", "runs=4", "generations=30", "judges=mnist_cnn", "out=r"]
    assert dispatch([*arguments, "quiet=true"]) == 0
    run = read_run(Path("r"))
    assert (run["status"], run["search"], run["prior"], run["stop"], run["engine"]) == ("done", "ascent", "none", "end", "jax")
    assert run["gradients"] == 4 * 30 == run["evaluations"] - 4
    network = fooling.load_classifier()
    for entry in run["images"]:
        image = read_image(Path("r") / entry["file"])
        assert entry["confidence"] == float(network(image[None])[0, 2])
        assert entry["confidence"] > 0.999
        passes = entry["first_passes"]
        assert list(passes) == list(PASSES)
        steps = [passes[name]["iteration"] for name in ("majority", "0.99", "0.999")]
        assert 0 < steps[0] <= steps[1] <= steps[2] <= 30
        assert set(passes["0.99"]) == {"iteration", "norm", "distance", "spread"}
        assert entry["evaluations_to"]["0.99"] == steps[1] + 1
    assert dispatch(["run", "r/config.yaml", "out=again", "quiet=true"]) == 0
    for entry in run["images"]:
        assert (Path("again") / entry["file"]).read_bytes() == (Path("r") / entry["file"]).read_bytes()


def test_an_interrupted_job_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    job = make("digit=2", "runs=6", "generations=40", "stop=threshold", "threshold=0.6", *NOISY)
    whole = run_recorded(job, tmp_path / "whole")
    assert len(set(whole.evaluations)) > 1  # runs end at different generations
    asked = iter([False, False, True] + [False] * 100)
    with pytest.raises(Interrupted):
        run_recorded(job, tmp_path / "parts", interrupted=lambda: next(asked))
    parts = run_recorded(job, tmp_path / "parts")
    assert np.array_equal(parts.images, whole.images)
    assert np.array_equal(parts.passes, whole.passes)
    assert np.array_equal(parts.evaluations, whole.evaluations)


@pytest.mark.parametrize("digit", ["2", "any"])
@pytest.mark.parametrize("climb", ["log", "target"])
def test_every_way_of_climbing_gets_there(digit: str, climb: str) -> None:
    result = fooling.evolve(f"digit={digit}", f"climb={climb}", search="ascent", classifier=NETWORK, runs=3, generations=40)
    assert (result.confidences > 0.9).all()
    assert result.own["gradients"].tolist() == [40, 40, 40]


def test_a_budget_bounds_steps() -> None:
    result = fooling.evolve(search="ascent", digit=1, classifier=NETWORK, runs=2, generations=30, budget=8)
    assert result.evaluations.tolist() == [8, 8]


# --- refusals ---------------------------------------------------------------------------------------------------------


class Face:
    """A classifier with a function of JAX that is given."""

    input_shape, num_classes, labels, fingerprint = SHAPE, 4, ("a", "b", "c", "d"), "f"

    def __init__(self, jax_fn: Any = None) -> None:
        if jax_fn:
            self.jax_fn = jax_fn

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return NETWORK(images)


def lookup(images: Any) -> Any:
    return jnp.arange(256, dtype=jnp.float32)[images].reshape(len(images), -1)[:, :4] / 255


REFUSED = [
    (Face(), r"\(Face\) has no gradients: .*jax_fn.* search=ga, search=anneal and search=pareto need scores alone"),
    (Face(lookup), r"jax_fn cannot be differentiated \(TypeError: .* float32 images"),
    (
        Face(lambda images: NETWORK.jax_fn(images.astype(jnp.uint8))),
        "zero for noise, black and white images: does the classifier round",
    ),
    (Face(lambda images: NETWORK.jax_fn(images) * jnp.nan), "generation 1: the classifier's gradient is not finite"),
]


@pytest.mark.parametrize(("classifier", "message"), REFUSED)
def test_classifiers_that_cannot_be_climbed(classifier: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(classifier=classifier)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("search=ascent engine=numba", "engine=numba has no search=ascent: .* search=ascent needs one of engine=jax"),
        ("search=ascent image=none.png", "search.image=.*none.png: no such file"),
        ("search=ascent image=notes.txt", "notes.txt: is not a picture that can be read"),
        ("search=ascent layer=conv1", "search.layer: expected search=dream, got search=ascent"),
        ("rate=3", "search.rate: expected search=ascent, dream or feedback, got search=ga"),
        ("search=ascent rate=0", "search.rate: expected more than 0, got 0"),
        ("search=ascent decay=1", "search.decay: expected less than 1.0, got 1"),
        ("search=ascent start=black", "search.start: expected one of 'noise', 'levels', 'mean' or 'grey', got black"),
        ("search=ascent returns=worst", "search.returns: expected search=ga, got search=ascent"),
        ("search=ascent budget=1", "budget: expected 2 or more, got 1"),
        ("search=ga stop=settled", "stop: expected search=ascent, dream or feedback with stop=settled, got search=ga"),
        ("search=ascent start=mean classifier=digits_perceptron", "the classifier takes images .* fit them"),
    ],
)
def test_settings_that_are_refused(home: Path, capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    Path("notes.txt").write_text("no picture")
    assert guarded(dispatch, ["run", "out=r", *words.split()]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert error.count("\n") == 1
    assert not Path("r").exists()


def test_another_picture_is_not_resumed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "search=ascent", "runs=1", "generations=2", "image=a.png", "out=r", "quiet=true"]
    Image.new("L", (28, 28), 90).save("a.png")
    assert guarded(dispatch, words) == 0
    run = json.loads(Path("r/run.json").read_text())
    Path("r/run.json").write_text(json.dumps({**run, "status": "interrupted"}))
    Image.new("L", (28, 28), 91).save("a.png")
    assert guarded(dispatch, [*words, "resume=true"]) == 2
    assert "was begun with another picture" in capsys.readouterr().err
