"""`fooling.Search`: the same images as `evolve`, whoever scores them; what is told wrong; ends and interruptions."""

import gc
import threading
from typing import Any

import numpy as np
import pytest

import fooling
from fooling.commands.ask_tell import BLACK_BOX, WITHOUT
from fooling.errors import UserError
from fooling.statistics import Statistics

SHAPE = (6, 5, 1)
WEIGHTS = np.random.default_rng(0).normal(size=(30, 3))
SMALL: dict[str, Any] = {"budget": 400, "seed": 3, "stop": "threshold", "threshold": 0.9}
OF_SEARCH: dict[str, dict[str, Any]] = {
    "ga": {"runs": 2, "digit": 1},
    "anneal": {"runs": 2, "digit": 1, "budget": 60, "proposals": 5},
    "pareto": {"runs": 2, "digit": 1, "population": 8, "prior.digit": 1, "prior": "variogram"},
    "es": {"runs": 2, "digit": 1},
    "map_elites": {"digit": "all"},
}


def probabilities(images: np.ndarray) -> np.ndarray:
    powers = np.exp(images.reshape(len(images), -1) / 255 @ WEIGHTS)
    return np.asarray((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32))


def statistics() -> Statistics:
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (30, *SHAPE), dtype=np.uint8)
    return Statistics.fit(fooling.ImageSet(images, np.arange(30) % 3, ("0", "1", "2"), "random"))


def answered(search: fooling.Search) -> int:
    shown = 0
    while not search.done:
        images = search.ask()
        assert images.dtype == np.uint8
        assert images.shape[1:] == SHAPE
        shown += len(images)
        search.tell(probabilities(images))
    return shown


@pytest.mark.parametrize("engine", ["numba", "reference"])
@pytest.mark.parametrize("name", BLACK_BOX)
def test_the_images_are_those_of_evolve(name: str, engine: str) -> None:
    given = {"prior": "none", **SMALL, **OF_SEARCH[name], "search": name, "engine": engine}
    fitted = statistics() if name == "pareto" else None
    search = fooling.Search(shape=SHAPE, classes=3, statistics=fitted, **given)
    shown = answered(search)
    settings = {"classifier.shape": SHAPE, "classifier.scale": 1.0, "classifier.output": "probability", **given}
    result = fooling.evolve(classifier=probabilities, statistics=fitted, quiet=True, **settings)
    assert np.array_equal(search.result.images, result.images)
    assert np.array_equal(search.result.evaluations, result.evaluations)
    assert search.result.scores == pytest.approx(result.scores, abs=1e-6)  # as many images a call
    assert shown == search.result.total_evaluations


def test_one_number_for_each_image_is_a_score_too() -> None:
    target = np.random.default_rng(2).random(SHAPE)
    search = fooling.Search(shape=(6, 5), runs=2, population=20, selected=4, generations=100, stop="end")
    first = None
    while not search.done:
        images = search.ask()
        scores = 1 - np.abs(images / 255 - target).mean(axis=(1, 2, 3))
        first = scores.max() if first is None else first
        search.tell(scores)
    assert first is not None
    assert search.result.confidence.min() > first + 0.1
    assert search.result.labels == ("target", "other")
    assert search.result.confidence == pytest.approx(1 - np.abs(search.result.images / 255 - target).mean(axis=(1, 2, 3)))


def test_images_stay_until_their_scores_are_told() -> None:
    search = fooling.Search(shape=SHAPE, classes=("a", "b", "c"), digit=1, runs=1, **SMALL)
    images = search.ask()
    assert np.array_equal(images, search.ask())
    images[:] = 0  # the caller's copy
    assert search.ask().any()
    with pytest.raises(UserError, match="expected a complete generation"):
        _ = search.result
    assert search.tell(probabilities(search.ask())) is search
    assert search.result.labels == ("a", "b", "c")
    search.close()
    assert search.done
    with pytest.raises(UserError, match="the search is done"):
        search.ask()


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (np.zeros((5, 3)), r"expected float scores \[100, 3\], got float64 \[5, 3\]"),
        (np.zeros(100), r"expected float scores \[100, 3\], got float64 \[100\]"),
        (None, "expected float scores"),
        ([["a"] * 3] * 100, "expected float scores"),
        (np.full((100, 3), np.nan), "got NaN or infinity for 100 of 100 images; 0 is the worst"),
        (np.full((100, 3), 7.0), r"expected scores in \[0, 1\], got 7 … 7"),
        (np.full((100, 3), -1.0), r"expected scores in \[0, 1\], got -1 … -1; .*softmax"),
    ],
)
def test_wrong_scores_are_one_line_and_can_be_told_again(scores: Any, said: str) -> None:
    search = fooling.Search(shape=SHAPE, classes=3, digit=1, runs=1, **SMALL)
    images = search.ask()
    with pytest.raises(UserError, match=said):
        search.tell(scores)
    search.tell(probabilities(images))
    with pytest.raises(UserError, match=r"tell: expected ask\(\) first: other images are awaited now"):
        search.tell(probabilities(images))  # as a cell that runs twice does


@pytest.mark.parametrize("name", WITHOUT)
def test_what_needs_more_than_scores_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"{name}: fooling.Search takes none, as "):
        fooling.Search(shape=SHAPE, classes=3, digit=1, **{"search.evade" if name == "evade" else name: "x"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shape": SHAPE, "classes": 3, "digit": 1, "search": "ascent"}, "search=ascent: expected one that needs scores alone"),
        ({"shape": SHAPE, "classes": 3, "digit": 1, "engine": "jax"}, "engine=jax: expected numba"),
        ({"shape": SHAPE, "classes": 3, "digit": [0, 1]}, "expected one class"),
        ({"shape": SHAPE, "classes": 3, "digit": 5}, "expected a class from 0 to 2"),
        ({"shape": SHAPE, "search": "pareto"}, "search=pareto: expected classes=… too"),
        ({"shape": SHAPE, "search": "map_elites"}, "search=map_elites: expected classes=… too"),
        ({"shape": SHAPE, "classes": 3.5}, "classes: expected a number of at least 2"),
        ({"shape": SHAPE, "watch": 5}, "watch: expected a function"),
        ({"shape": SHAPE, "statistics": 5}, "statistics: expected fooling.Statistics"),
        ({"shape": SHAPE, "classes": 1}, "classes: expected a number of at least 2"),
        ({"shape": SHAPE, "classes": "abc"}, "classes: expected a number of at least 2"),
        ({"shape": SHAPE, "digit": 1}, "digit: expected none, as there is one score per image"),
        ({"shape": 28}, "shape: expected"),
        ({"shape": (28, 28, 2)}, "shape: expected .* with 1 or 3 channels"),
        ({"shape": (28, 0)}, "shape: expected"),
        ({"shape": SHAPE, "populaton": 5}, "populaton"),
    ],
)
def test_bad_settings_are_one_line(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        fooling.Search(**given)


@pytest.mark.parametrize("place", ["answer", "awaited"])
def test_an_interruption_while_the_search_works_loses_nothing(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fooling.Search(shape=SHAPE, classes=3, digit=1, runs=1, **SMALL)
    answered(whole)
    search = fooling.Search(shape=SHAPE, classes=3, digit=1, runs=1, **SMALL)
    images, exchange = search.ask(), search.classifier.exchange

    def interrupted(*_given: Any) -> Any:
        monkeypatch.undo()
        raise KeyboardInterrupt

    original = getattr(exchange, place)
    if place == "awaited":  # the second time: after the answer
        calls = iter([original, interrupted])
        monkeypatch.setattr(exchange, place, lambda: next(calls)())
    else:
        monkeypatch.setattr(exchange, place, interrupted)
    with pytest.raises(KeyboardInterrupt):
        search.tell(probabilities(images))
    answered(search)
    assert np.array_equal(search.result.images, whole.result.images)


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_a_threshold_of_one_number_is_that_number(threshold: float) -> None:
    search = fooling.Search(shape=SHAPE, search="es", threshold=threshold, stop="threshold", budget=400)
    while not search.done:
        images = search.ask()
        search.tell(np.linspace(0.0, 0.4, len(images)))
    assert search.result.converged.all() == (threshold < 0.4)


def test_scores_that_never_change_are_a_note() -> None:
    search = fooling.Search(shape=SHAPE, runs=1, budget=300, population=20, selected=4)
    while not search.done:
        search.tell(np.full(len(search.ask()), 0.5))
    assert search.result.notes[-1] == "the target's score was the same for all images"


def test_searches_nobody_asks_leave_no_thread() -> None:
    def alive() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "fooling.Search"]

    with fooling.Search(shape=SHAPE, classes=3, digit=1, runs=1, **SMALL) as search:
        assert len(alive()) == 1
    del search
    dropped: Any = fooling.Search(shape=SHAPE, classes=3, digit=1, runs=1, **SMALL)
    del dropped
    gc.collect()
    for thread in alive():
        thread.join(10)
    assert alive() == []


def test_time_counts_and_can_be_limited() -> None:
    given: dict[str, Any] = {"shape": SHAPE, "classes": 3, "digit": 1, "runs": 1, "search": "anneal", "stop": "end"}
    search = fooling.Search(budget=2000, proposals=20, **given)
    answered(search)
    assert 0 < search.result.seconds < 60
    assert search.result.generations > 50
    limited = fooling.Search(budget=1_000_000, proposals=20, seconds=0.2, **given)
    answered(limited)
    assert limited.result.seconds >= 0.2
    assert limited.result.total_evaluations < 1_000_000


def test_the_caller_may_watch() -> None:
    seen: list[Any] = []
    search = fooling.Search(shape=SHAPE, classes=3, digit=1, runs=1, watch=seen.append, **SMALL)
    answered(search)
    assert [one["generation"] for one in seen] == list(range(len(seen)))
    assert len(seen) == search.result.generations + 1
