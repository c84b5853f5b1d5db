"""Ensembles: their scores are mean or minimum of their members', and everything says so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_dense, random_images

import fooling
from fooling.classifiers import load_classifier, open_classifier
from fooling.classifiers.base import fingerprints
from fooling.classifiers.checks import check_classifier
from fooling.classifiers.judges import load_judges
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.settings import load
from fooling.settings.schema import RunSettings

SHAPE = (8, 8, 1)


@pytest.fixture
def files(home: Path) -> list[str]:
    """Three networks of four classes."""
    random_dense(SHAPE).save(home / "a.safetensors")
    random_dense(SHAPE, (10,)).save(home / "b.safetensors")
    random_dense(SHAPE, (9,)).save(home / "c.safetensors")
    return ["a.safetensors", "b.safetensors", "c.safetensors"]


def ensemble(members: list[Any], **settings: Any) -> Any:
    return load_classifier("ensemble", members=members, **settings)


@pytest.mark.parametrize(("combine", "expected"), [("mean", np.mean), ("minimum", np.min)])
def test_scores_are_those_of_the_members_combined(files: list[str], combine: str, expected: Any) -> None:
    images = random_images(SHAPE, 50)
    one = ensemble(files, combine=combine)
    each = [load_classifier("mlp", path)(images) for path in files]
    assert np.allclose(one(images), expected(each, axis=0), atol=1e-7)
    assert np.allclose(one.jax_fn(images), one(images), atol=1e-5)
    assert check_classifier(one).sums_to_one == (combine == "mean")
    assert ("do not sum to 1" in one.notes[0]) == (combine == "minimum")
    assert "one image that all of them score" in one.notes[0]


def test_every_part_of_it_changes_the_fingerprint(files: list[str]) -> None:
    a, b, c = files
    made = [ensemble([a, b]), ensemble([b, a]), ensemble([a, c]), ensemble([a, b, c]), ensemble([a, b], combine="minimum")]
    assert len({one.fingerprint for one in made}) == len(made)
    assert ensemble([{"name": "mlp", "path": a, "title": "first"}, b]).fingerprint == made[0].fingerprint
    assert fingerprints(made[0]) == {made[0].fingerprint, *(load_classifier("mlp", path).fingerprint for path in (a, b))}


def test_without_a_jax_function_of_every_member_it_has_none(files: list[str]) -> None:
    (Path("scores.py")).write_text(
        "import numpy as np\nmake = lambda: lambda inputs: np.exp(-inputs.reshape(len(inputs), 4, -1).sum(2)) / 4\n"
    )
    code = {"name": "python", "path": "scores.py:make", "shape": [8, 8, 1], "output": "sigmoid"}
    one = ensemble([files[0], code])
    assert not hasattr(one, "jax_fn")
    assert one.partial_fingerprint
    assert load(["classifier=ensemble", f"members=[a.onnx,{json.dumps(code)}]"], RunSettings, "run").classifier.effect
    assert not load(["classifier=ensemble", "members=[a.onnx,mnist_cnn]"], RunSettings, "run").classifier.effect


def test_an_ensemble_is_attacked_like_any_classifier(files: list[str]) -> None:
    words = [f"members=[{','.join(files[:2])}]", "combine=minimum", "prior=none", "population=10", "generations=3", "runs=2"]
    assert guarded(dispatch, ["run", "digit=1", "classifier=ensemble", *words, "out=r"]) == 0
    run = json.loads(Path("r/run.json").read_text())
    assert run["classifier_fingerprint"] == ensemble(files[:2], combine="minimum").fingerprint
    assert run["classifier_members"] == {path: load_classifier("mlp", path).fingerprint for path in files[:2]}
    assert run["examination"]["sums_to_one"] is False
    again = fooling.evolve("r/config.yaml", out="again")
    assert [entry["confidence"] for entry in run["images"]] == again.confidence.tolist()


def test_no_member_is_held_out(files: list[str]) -> None:
    a, b, c = files
    with pytest.raises(UserError, match=f"judges: .* got {a}, which has a member in common"):
        load_judges([a], ensemble([a, b]))
    with pytest.raises(UserError, match="got both, which has a member in common"):
        load_judges([{"name": "ensemble", "members": [a, b], "title": "both"}], load_classifier("mlp", a))
    judges = load_judges([{"name": "ensemble", "members": [a, b], "title": "both"}], load_classifier("mlp", c))
    assert list(judges) == ["both"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["a.safetensors"], "expected two classifiers or more, .* got a.safetensors"),
        (["a.safetensors", "a.safetensors"], "two have the name a.safetensors"),
        (["a.safetensors", {"name": "mlp", "path": "a.safetensors", "title": "x"}], "x is the same network as a.safetensors"),
        (
            ["a.safetensors", "mnist_mlp"],
            r"mnist_mlp takes images \(28, 28, 1\) of 10 classes, a.safetensors images \(8, 8, 1\)",
        ),
        (["a.safetensors", "vgg"], "classifier.members: expected one of mnist_mlp, .* got vgg"),
        (["a.safetensors", {"name": "onnx"}], "classifier.members: onnx: classifier.path: expected FILE.onnx"),
    ],
)
def test_what_is_no_ensemble_is_refused(files: list[str], members: list[Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ensemble(members)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classifier.path=x.onnx"], "classifier.path: expected null for classifier=ensemble"),
        (["classifier.scale=1/255"], "classifier.scale: .* got classifier=ensemble; give it to a member"),
    ],
)
def test_settings_of_models_belong_to_the_members(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_classifier(load(["classifier=ensemble", "members=[mnist_mlp,mnist_cnn]", *words], RunSettings, "run").classifier)
