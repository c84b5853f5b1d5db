"""Judges: who may judge, and what they are said to have seen."""

import json
from pathlib import Path

import numpy as np
import pytest
from builders import random_images, random_network

import fooling
from fooling.classifiers import load_classifier
from fooling.classifiers.judges import load_judges, predict_all
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.records.record import read_images, read_run

SHAPE = (8, 8, 1)


def test_verdicts_are_the_judges_scores_in_any_batch() -> None:
    judge, images = random_network(SHAPE, seed=5), random_images(SHAPE, 1500)
    found = predict_all({"one": judge}, images)["one"]
    assert np.array_equal(found, judge(images))


def test_judges_by_name_and_file(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    random_network((28, 28, 1), classes=10, seed=5).save(path)
    judges = load_judges(["mnist_cnn", str(path)], load_classifier())
    assert list(judges) == ["mnist_cnn", str(path)]
    assert judges["mnist_cnn"].fingerprint == load_classifier("mnist_cnn").fingerprint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist_mlp", "got mnist_mlp, which is the same"),
        ("vgg", "expected one of mnist_mlp, mnist_mlp2, mnist_cnn, mnist_cnn2, digits_perceptron or a .safetensors file"),
        ("small.safetensors", r"takes images \(8, 8, 1\) of 4 classes, .* images \(28, 28, 1\) of 10 classes"),
        ("none.safetensors", r"judges: .*none\.safetensors: no such file"),
    ],
)
def test_who_cannot_judge_is_refused(home: Path, name: str, message: str) -> None:
    random_network(SHAPE).save(home / "small.safetensors")
    with pytest.raises(UserError, match=message):
        load_judges([name], load_classifier())


def test_a_network_judges_once(home: Path) -> None:
    random_network((28, 28, 1), classes=10, seed=5).save(home / "a.safetensors")
    random_network((28, 28, 1), classes=10, seed=5).save(home / "b.safetensors")
    for names in (["a.safetensors", "b.safetensors"], ["mnist_cnn", "mnist_cnn"]):
        with pytest.raises(UserError, match=f"judges: {names[1]} is the same network as {names[0]}; name each once"):
            load_judges(names, load_classifier())


def test_another_judge_of_the_same_name_is_refused_on_resuming(home: Path) -> None:
    random_network((28, 28, 1), classes=10, seed=5).save(home / "a.safetensors")
    words = {"runs": 2, "generations": 2, "population": 10, "judges": ["a.safetensors"], "out": "r"}
    fooling.evolve(**words)
    random_network((28, 28, 1), classes=10, seed=6).save(home / "a.safetensors")
    with pytest.raises(UserError, match="was begun with another judge under the same name"):
        fooling.evolve(**words, resume=True)


def test_the_record_says_what_judges_see(home: Path) -> None:
    result = fooling.evolve(runs=3, generations=2, population=10, judges=["mnist_cnn2", "mnist_mlp2"], out="r")
    run = json.loads((home / "r" / "run.json").read_text())
    images = read_images(home / "r", [entry["file"] for entry in run["images"]])
    for name in ("mnist_cnn2", "mnist_mlp2"):
        scores = load_classifier(name)(images)
        assert np.array_equal(result.judges[name], scores)
        for entry, row in zip(run["images"], scores, strict=True):
            expected = {"predicted": int(row.argmax()), "score": float(row.max()), "confidence": float(row[2])}
            assert entry["judges"][name] == expected
        assert run["judges"][name] == (scores.argmax(axis=1) == 2).mean()


def test_judges_change_nothing_of_the_search(home: Path) -> None:
    alone = fooling.evolve(runs=3, generations=3, population=10)
    judged = fooling.evolve(runs=3, generations=3, population=10, judges=["mnist_mlp2"])
    assert np.array_equal(alone.images, judged.images)
    assert alone.judges == {}


@pytest.mark.exhaustive
def test_the_eigen_prior_makes_what_others_read() -> None:
    result = fooling.evolve(digit=3, prior="eigen", runs=4, generations=300, judges=["mnist_cnn", "mnist_cnn2"])
    assert (result.confidence > 0.99).all()
    for scores in result.judges.values():
        assert (scores.argmax(axis=1) == 3).all()


def test_of_a_mismatched_job_judges_also_say_the_priors_class(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["digit=4", "prior.digit=3", "prior=eigen", "runs=4", "generations=100", "judges=mnist_cnn", "out=r"]
    assert guarded(dispatch, ["run", *words]) == 0
    run = read_run(home / "r")
    threes = sum(image["judges"]["mnist_cnn"]["predicted"] == 3 for image in run["images"])
    assert run["judges_prior"] == {"mnist_cnn": threes / 4}
    assert f"{run['judges']['mnist_cnn']:.0%}, {threes / 4:.0%} a 3" in capsys.readouterr().out
