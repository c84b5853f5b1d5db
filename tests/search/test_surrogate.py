"""search=ascent with a surrogate's gradients, with a start by scores alone, and with Adam."""

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from builders import random_network, random_statistics

import fooling
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.records.record import read_run
from fooling.search.ascent_step import AscentObjective, IdentityKey, adam_step, take_step
from fooling.search.continuous import StepSize

SHAPE = (8, 8, 1)
NETWORK = random_network(SHAPE)
STATISTICS = random_statistics(SHAPE)
GIVEN: dict[str, Any] = {"search": "ascent", "digit": 2, "runs": 3, "quiet": True, "threshold": 0.9}


class BlackBox:
    """A network of which nobody knows the gradients."""

    def __init__(self, network: Any = NETWORK) -> None:
        self.network, self.shown = network, 0
        self.input_shape, self.num_classes, self.labels = network.input_shape, network.num_classes, network.labels
        self.fingerprint = "black box"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.shown += len(images)
        return np.asarray(self.network(images))


@pytest.fixture
def stand_in(home: Path) -> str:
    NETWORK.save(home / "stand_in.safetensors")
    return "stand_in.safetensors"


def test_gradients_of_a_surrogate_fool_a_black_box(stand_in: str) -> None:
    box = BlackBox()
    with pytest.raises(UserError, match="has no gradients"):
        fooling.evolve(box, **GIVEN)
    assert box.shown
    result = fooling.evolve(box, surrogate=stand_in, generations=20, stop="threshold", **GIVEN)
    known = fooling.evolve(NETWORK, generations=20, stop="threshold", **GIVEN)
    assert np.array_equal(result.images, known.images)  # the surrogate is the network itself here
    assert result.converged.all()
    assert result.own["gradients"].tolist() == (result.evaluations - 1).tolist()
    assert any("those of the surrogate" in note for note in result.notes)


def test_the_best_image_stays_where_the_surrogate_leads_astray(home: Path) -> None:
    random_network(SHAPE, seed=5).save(home / "other.safetensors")
    result = fooling.evolve(BlackBox(), surrogate="other.safetensors", generations=40, stop="end", **GIVEN)
    assert (np.diff(result.history["median_cost"]) <= 0).all()
    assert result.scores == pytest.approx(np.asarray(NETWORK(result.images)), abs=1e-6)


@pytest.mark.parametrize(("words", "images"), [({"black_box": 1}, 20), ({"black_box": 400}, 400), ({"black_box": 401}, 420)])
def test_images_by_scores_alone_count(stand_in: str, words: dict[str, Any], images: int) -> None:
    box = BlackBox()
    checked = fooling.evolve(box, surrogate=stand_in, generations=1, stop="end", **GIVEN)
    shown, box.shown = box.shown - int(checked.evaluations.sum()), 0
    result = fooling.evolve(box, surrogate=stand_in, generations=3, stop="end", **words, **GIVEN)
    assert box.shown - shown == result.total_evaluations  # besides the checks and the last scoring
    assert result.evaluations.tolist() == [images + 1 + 3] * 3
    assert result.own["gradients"].tolist() == [3] * 3


def test_the_start_is_that_of_the_strategy(home: Path) -> None:
    given = {**GIVEN, "budget": 200}
    strategy = fooling.evolve(NETWORK, prior="none", stop="end", **{**given, "search": "es"})
    hybrid = fooling.evolve(
        NETWORK, black_box=200, generations=1, rate=1e-6, blur_sd=0, stop="end", **{**given, "budget": None}
    )
    assert np.array_equal(hybrid.images, strategy.images)


def test_a_record_names_the_surrogate_and_goes_on_with_the_same_alone(home: Path, stand_in: str) -> None:
    settings = {**GIVEN, "surrogate": stand_in, "optimizer": "adam", "black_box": 40, "stop": "end", "generations": 6}
    whole = fooling.evolve("out=whole", classifier=NETWORK, **settings)
    run = read_run(home / "whole")
    assert run["surrogate_fingerprint"] == NETWORK.fingerprint
    assert json.loads((home / "whole/run.json").read_text())["images"][0]["gradients"] == 6

    def stop(metrics: Any) -> None:
        if metrics["generation"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fooling.evolve("out=part", classifier=NETWORK, watch=stop, **settings)
    resumed = fooling.evolve("out=part", "resume=true", classifier=NETWORK, **settings)
    assert np.array_equal(resumed.images, whole.images)
    random_network(SHAPE, seed=5).save(home / stand_in)
    with pytest.raises(UserError, match="surrogate"):
        fooling.evolve("out=part", "resume=true", classifier=NETWORK, **{**settings, "generations": 9})


def test_a_surrogate_that_is_trained_again_is_read_again(stand_in: str) -> None:
    first = fooling.evolve("out=a", classifier=BlackBox(), surrogate=stand_in, generations=5, stop="end", **GIVEN)
    other = random_network(SHAPE, seed=5)
    other.save(Path(stand_in))
    second = fooling.evolve("out=b", classifier=BlackBox(), surrogate=stand_in, generations=5, stop="end", **GIVEN)
    assert not np.array_equal(first.images, second.images)
    assert read_run(Path("b"))["surrogate_fingerprint"] == other.fingerprint


def test_what_changes_is_the_image_of_a_step_not_the_best(home: Path) -> None:
    other = random_network(SHAPE, seed=5)
    other.save(home / "o.safetensors")
    still = {"start": "grey", "noise": 0, "blur_sd": 0, "rate": 20, "decay": 0.5, "stop": "settled", "generations": 200}
    alone = fooling.evolve(other, **still, **GIVEN)
    led = fooling.evolve(NETWORK, surrogate="o.safetensors", **still, **GIVEN)
    assert alone.generations < 200
    assert (led.evaluations == alone.evaluations).all()
    assert (led.changed == alone.changed).all()


def test_a_judge_and_a_class_that_the_surrogate_lacks_are_refused(stand_in: str) -> None:
    with pytest.raises(UserError, match=r"judges: stand_in.safetensors is the surrogate, which takes part in the search"):
        fooling.evolve(BlackBox(random_network(SHAPE, seed=5)), surrogate=stand_in, judges=[stand_in], **GIVEN)
    with_none = BlackBox()
    with_none.num_classes, with_none.labels = NETWORK.num_classes + 1, (*NETWORK.labels, "none")
    with_none.network = lambda images: np.pad(np.asarray(NETWORK(images)), ((0, 0), (0, 1)))
    with pytest.raises(UserError, match=r"search.surrogate: it has 4 classes, not the target 4"):
        fooling.evolve(with_none, surrogate=stand_in, **{**GIVEN, "digit": 4})


@pytest.mark.parametrize(
    ("surrogate", "said"),
    [
        ("mnist_mlp", r"search.surrogate: mnist_mlp takes images \(28, 28, 1\) of 10 classes, the attacked classifier"),
        ("missing.safetensors", "search.surrogate: .*missing.safetensors"),
        ("nothing", "search.surrogate: expected one of mnist_mlp"),
        ([{"name": "python", "path": "models:make_scorer"}], "search.surrogate: models:make_scorer has no gradients"),
        (7, "search.surrogate"),
    ],
)
def test_surrogates_that_do_not_fit_are_one_line(home: Path, surrogate: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        fooling.evolve(BlackBox(), surrogate=surrogate, **GIVEN)


def test_only_ascent_has_a_surrogate(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["run", "search=ga", "surrogate=mnist_cnn", "quiet=true"]) == 2
    assert "surrogate" in capsys.readouterr().err


# --- Adam ---------------------------------------------------------------------------------------------------------------
def test_a_step_of_adam_by_hand() -> None:
    random = np.random.default_rng(0)
    first = second = np.zeros((2, *SHAPE))
    moments = jnp.zeros((2, 2, *SHAPE))
    for number in range(1, 5):
        uphill = random.normal(size=(2, *SHAPE))
        change, moments = adam_step(jnp.asarray(uphill, jnp.float32), moments, np.float32(number))
        first = 0.9 * first + 0.1 * uphill
        second = 0.999 * second + 0.001 * uphill**2
        wanted = first / (1 - 0.9**number) / (np.sqrt(second / (1 - 0.999**number)) + 1e-8)
        assert np.asarray(change) == pytest.approx(wanted, rel=2e-4)


def test_the_first_step_of_adam_moves_each_pixel_by_its_rate() -> None:
    slope = AscentObjective(IdentityKey(NETWORK), None, 1.0, 0.0, "log", adam=True)
    pixels = np.random.default_rng(0).uniform(60, 190, (20, *SHAPE)).astype(np.float32)
    which, shifts = np.zeros(20, np.int64), np.zeros((20, 2), np.int32)
    moments = np.zeros((20, 2, *SHAPE), np.float32)
    after, peaks, now = take_step(slope, StepSize(3.0, 0.0, 127.5), pixels, which, 1, shifts, False, moments, 1)
    assert np.abs(after - pixels) == pytest.approx(3.0, abs=1e-3)
    assert now.shape == moments.shape
    assert (peaks > 0).all()
    alone = [
        take_step(slope, StepSize(3.0, 0.0, 127.5), pixels[i : i + 1], which[:1], 1, shifts[:1], False, moments[:1], 1)[0]
        for i in range(20)
    ]
    assert np.array_equal(np.concatenate(alone), after)


def test_adam_reaches_the_class_as_steps_do() -> None:
    for optimizer in ("steps", "adam"):
        result = fooling.evolve(NETWORK, optimizer=optimizer, generations=60, stop="threshold", **GIVEN)
        assert result.converged.all()
    with pytest.raises(UserError, match="optimizer"):
        fooling.evolve(NETWORK, optimizer="sgd", **GIVEN)
