"""What the classifier is shown: the search counts it all, within the budget; examination, valuation and judges are apart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_dense, random_network, random_statistics
from jobs import run_recorded
from pairwise import rare

from fooling.data.npz import read_arrays
from fooling.errors import Interrupted
from fooling.records.record import read_run
from fooling.run import prepare
from fooling.search import SEARCHES
from fooling.search.job import Job
from fooling.search.state import FEEDBACK
from fooling.settings import load
from fooling.settings.schema import RunSettings

SHAPE = (9, 13, 1)
FIRST_AND_MOST = {"anneal": (26, 101), "ascent": (1, 101), "dream": (1, 61), "feedback": (1, 107)}  # evaluations of a run
PAIRS = [(engine, search) for search, engines in SEARCHES.items() for engine in engines]
QUICK = ("population=12", "selected=4", "proposals=25", "budget=107", "prior.hinge=[]")


class Counting:
    """A classifier without a linear head that counts the images that it is shown."""

    def __init__(self, seed: int = 0) -> None:
        self.network, self.shown = random_network(SHAPE, seed=seed), 0
        self.input_shape, self.num_classes, self.labels = SHAPE, 4, self.network.labels
        self.fingerprint, self.jax_fn = f"{seed}", self.network.jax_fn

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.shown += len(images)
        return self.network(images)


class SingleLayer(Counting):
    """The same with a single layer, whose weights search=feedback feeds back."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.network = random_dense(SHAPE, ())
        self.weights1, self.later_layers = self.network.weights1, self.network.later_layers


def make(folder: Path, *words: str) -> tuple[Job, Counting, Counting]:
    """A job, its classifier and its judge."""
    classifier, judge = SingleLayer() if "search=feedback" in words else Counting(), Counting(1)
    classes = ("digit=0,1,2", "runs=1", "first=12") if "search=map_elites" in words else ("digit=1", "runs=3")
    settings = load([*QUICK, *classes, *words, f"out={folder}"], RunSettings, "run", partial=True)
    (job,) = prepare(settings, classifier, random_statistics(SHAPE), judges={"judge": judge})
    return job, classifier, judge


def run(job: Job, folder: Path, **given: Any) -> dict[str, Any]:
    run_recorded(job, folder, **given)
    return read_run(folder)


@pytest.mark.parametrize(
    ("engine", "search", "stop"),
    [rare(*pair, "end") if pair == ("jax", "ga") else (*pair, "end") for pair in PAIRS]
    + [rare(*pair, "threshold") for pair in PAIRS if pair != ("jax", "ga")],
)
def test_every_image_that_is_shown_is_counted(tmp_path: Path, engine: str, search: str, stop: str) -> None:
    words = (f"engine={engine}", f"search={search}", f"stop={stop}", "threshold=0.45")
    words += ("prior=none",) if (engine, search) == ("jax", "ga") else ()  # compiles in two thirds of the time
    job, classifier, judge = make(tmp_path / "r", *words)
    assert classifier.shown == job.report.evaluations == 80
    found = run(job, tmp_path / "r")
    asides = found["examination_evaluations"] + found["valuation_evaluations"]
    # a chain shows no proposal that changes nothing, though it counts it; engine=jax scores populations within itself
    within = (engine, search) == ("jax", "ga")
    searched = {"anneal": found["changed_evaluations"]}.get(search, found["evaluations"]) if not within else 0
    assert classifier.shown == searched + asides
    assert found["examination_evaluations"] == 80
    assert found["judge_evaluations"] == {"judge": judge.shown} == {"judge": 3}
    least, most = FIRST_AND_MOST.get(search, (12, 96))
    each = [entry["evaluations"] for entry in found["images"]]
    assert found["evaluations"] == (max(each) if search == "map_elites" else sum(each))
    assert max(each) == most if stop == "end" else least <= max(each) <= 107
    front = 3 * 12 + 2 * found["front_images"] + 1 if search == "pareto" else 0  # populations, front, its files, the corner
    frames = len(read_arrays(tmp_path / "r" / FEEDBACK)["frames"]) if search == "feedback" else 0
    assert found["valuation_evaluations"] == 3 + front + frames


@pytest.mark.parametrize(
    ("engine", "search"),
    [rare(*pair) if pair[0] == "jax" or pair[1] == "feedback" else pair for pair in PAIRS if pair != ("jax", "ga")],
)
def test_an_interruption_shows_no_image_twice(tmp_path: Path, engine: str, search: str) -> None:
    asked = iter([False, True] + [False] * 100)
    job, classifier, _ = make(tmp_path / "r", f"engine={engine}", f"search={search}")
    with pytest.raises(Interrupted):
        run(job, tmp_path / "r", interrupted=lambda: next(asked))
    before = classifier.shown
    assert before > 3
    found = run(job, tmp_path / "r")
    searched = found["changed_evaluations"] if search == "anneal" else found["evaluations"]
    assert classifier.shown == searched + found["examination_evaluations"] + found["valuation_evaluations"]
    assert classifier.shown > before


def test_what_plausibility_asks_is_valuation(tmp_path: Path) -> None:
    from fooling.classifiers.base import CountingClassifier

    class Logits(Counting):
        def logits(self, images: np.ndarray) -> np.ndarray:
            self.shown += len(images)
            return np.log(self.network(images))

    for network in (Counting(), Logits()):
        counted: Any = CountingClassifier(network)
        images = np.zeros((7, *SHAPE), np.uint8)
        assert np.array_equal(counted(images), network.network(images))
        assert hasattr(counted, "logits") == hasattr(network, "logits")
        if hasattr(network, "logits"):
            counted.logits(images)
        assert counted.evaluations == network.shown
        assert (counted.num_classes, counted.fingerprint) == (4, "0")
