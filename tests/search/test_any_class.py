"""digit=any: whichever class an image gets to, in whole jobs of every search."""

from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from builders import random_network, random_statistics
from objectives import objective_of

import fooling
from fooling.classifiers import load_classifier
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.kernels.tables import ANY, draw_table, levels_within_bins
from fooling.records.record import read_images, read_run
from fooling.run import prepare
from fooling.search.annealing import compile_objective
from fooling.search.job import digits, make_search
from fooling.search.objective import TERMS
from fooling.search.stopping import StoppingCriteria
from fooling.settings import load
from fooling.settings.schema import RunSettings
from fooling.statistics import BUNDLED, Statistics

NONE = ("digit=any", "prior=none", "runs=6", "population=20", "quiet=true")


def call(*words: str) -> int:
    return guarded(dispatch, words)


@pytest.mark.parametrize(
    "words",
    [
        ["prior=none", "population=20"],
        ["prior=none", "search=anneal", "proposals=400", "generations=2"],
        ["prior=variogram", "prior.digit=7", "search=pareto", "population=20", "generations=15", "threshold=0.9"],
    ],
    ids=["ga", "anneal", "pareto"],
)
def test_the_record_says_what_each_image_got_to(home: Path, words: list[str]) -> None:
    result = fooling.evolve("digit=any", *words, "runs=6", "judges=mnist_mlp2", out="r")
    run = read_run(Path("r"))
    scores = load_classifier()(read_images(Path("r"), [entry["file"] for entry in run["images"]]))
    assert (run["digit"], result.digit) == ("any", "any")
    assert [entry["digit"] for entry in run["images"]] == scores.argmax(axis=1).tolist() == result.classes.tolist()
    assert [entry["predicted"] for entry in run["images"]] == result.classes.tolist()
    assert [entry["confidence"] for entry in run["images"]] == scores.max(axis=1).tolist()
    assert [entry["runner_up"] for entry in run["images"]] == np.argsort(scores, axis=1)[:, -2].tolist()
    assert [entry["converged"] for entry in run["images"]] == (scores.max(axis=1) >= np.float32(run["threshold"])).tolist()
    assert len(set(result.classes.tolist())) > 1
    reads = [entry["judges"]["mnist_mlp2"]["predicted"] == entry["digit"] for entry in run["images"]]
    assert run["judges"]["mnist_mlp2"] == np.mean(reads)
    assert ("judges_prior" in run) == ("prior.digit=7" in words)
    assert result.history["confidence"][-1] == pytest.approx(np.median(scores.max(axis=1)))
    assert set(result.terms) == ({"target"} if "prior=none" in words else set(TERMS))


def test_each_run_stops_once_any_class_is_sure(home: Path) -> None:
    result = fooling.evolve(*NONE[:-1])
    assert (result.confidence >= np.float32(0.9999)).all()
    assert np.array_equal(result.evaluations, result.evaluations_to[:, 3])
    assert (np.diff(result.evaluations_to, axis=1) >= 0).all()
    assert result.evaluations.max() < 20 * 1001


def test_a_resumed_job_says_the_same(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "digit=any", "prior=none", "runs=4", "population=20"]
    assert call(*words, "out=r") == 0
    said = capsys.readouterr().out
    classes = [entry["digit"] for entry in read_run(Path("r"))["images"]]
    assert f"{max(classes, key=classes.count)} ({max(map(classes.count, classes))})" in said.partition("the images reached ")[2]
    assert call(*words, "out=r", "resume=true") == 0
    assert "is finished" in capsys.readouterr().out
    assert call("run", "digit=any", "prior=none", "runs=4", "population=20", "quiet=true") == 0
    assert next(Path("runs").iterdir()).name.startswith("digit=any-none-")


@pytest.mark.parametrize("draw", ["levels", "bins"])
def test_without_a_class_pixels_are_those_of_all_classes(draw: str) -> None:
    (job,) = prepare(load(["digit=any", "prior=none", f"draw={draw}", "bins=6"], RunSettings, "run"))
    statistics = Statistics.load(BUNDLED)
    histograms = np.mean([statistics.bins(k, 6) for k in range(10)], axis=0)
    levels = {"levels": statistics.levels.mean(axis=0), "bins": levels_within_bins(histograms)}[draw]
    found = make_search(job).params.tables
    assert found.shape == (1, 1, 256)
    assert np.abs(found.astype(np.int64) - draw_table(levels[None]).astype(np.int64)).max() <= 2
    (other,) = prepare(load(["digit=any", "prior=none", "prior.digit=1", f"draw={draw}", "bins=6"], RunSettings, "run"))
    assert np.abs(make_search(other).params.tables.astype(np.int64) - found.astype(np.int64)).max() > 2**20


def test_chains_without_a_class_are_those_that_are_compiled_already() -> None:
    shape = (8, 8, 1)
    options: dict[str, Any] = {"weights": {"target": 1.0}}
    one, other = (objective_of(random_network(shape), random_statistics(shape), digit=digit, **options) for digit in (1, "any"))
    assert numba.typeof(compile_objective(one, shape)) == numba.typeof(compile_objective(other, shape))


def test_any_is_one_job_and_no_list(home: Path) -> None:
    settings = load(["digit=any", "prior=none"], RunSettings, "run")
    assert not settings.sweeps
    assert StoppingCriteria.from_settings(settings, ANY).digit == ANY
    with pytest.raises(UserError, match="digit=any: expected named classes, for example digit=0,1,2 or digit=all"):
        digits(settings, tuple("0123456789"))


@pytest.mark.exhaustive
def test_plausibility_needs_a_class(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "data.kind=sklearn", "epochs=1", "hidden=5", "out=m.safetensors", "quiet=true") == 0
    words = ["run", *NONE, "classifier.path=m.safetensors", "data.kind=sklearn", "generations=2", "out=r"]
    assert call(*words) == 0
    said = "digit=any: expected one class whose statistics the prior takes, or prior.digit=…"
    assert read_run(Path("r"))["notes"][-1] == f"run.json has no plausibility: {said.removeprefix('plausibility: ')}"
    assert call("plausibility", "r") == 2
    assert said in capsys.readouterr().err
