"""Models that take images of any size: classifier.shape says which they get, classifier.resize how pictures become so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_images
from models import write_means
from PIL import Image
from servers import Server

from fooling.classifiers import load_classifier
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.records.resume import identity
from fooling.search.inputs import get_classifier, get_statistics
from fooling.settings import dump, load
from fooling.settings.schema import RunSettings

SHAPE = (12, 20, 3)
SCORER = "def make():\n    return lambda images: images.mean(axis=(1, 2)) * [[4, 1, 1]]\n"
MODULE = """import torch
def make():
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
"""
WORDS = ["data.path=photos", "data.classes=[red,green]"]


@pytest.fixture
def photos(home: Path) -> Path:
    """Wide red and green pictures on white, so that what is cut off or padded shows in their mean colour."""
    for channel, name in enumerate(("red", "green")):
        (home / "photos" / name).mkdir(parents=True)
        for i in range(20):
            picture = np.full((20 + i, 90, 3), 255, np.uint8)
            picture[:, 30:60] = np.eye(3)[channel] * 200
            Image.fromarray(picture).save(home / "photos" / name / f"{i}.png")
    return home / "photos"


def onnx(_folder: Path) -> dict[str, Any]:
    return {"name": "onnx", "path": write_means(Path("means.onnx"))}


def function(folder: Path) -> dict[str, Any]:
    (folder / "scorer.py").write_text(SCORER)
    return {"name": "python", "path": "scorer.py:make"}


def module(folder: Path) -> dict[str, Any]:
    pytest.importorskip("torch")
    (folder / "module.py").write_text(MODULE)
    return {"name": "torch", "path": "module.py:make"}


@pytest.mark.parametrize("kind", [onnx, function, module])
def test_a_model_of_any_size_gets_the_shape_that_is_given(home: Path, kind: Callable[[Path], dict[str, Any]]) -> None:
    chosen = kind(home)
    for shape in (SHAPE, (31, 7, 3)):
        classifier = load_classifier(**chosen, shape=shape)
        assert classifier.input_shape == shape
        assert classifier(random_images(shape, 3)).shape == (7, 3)
    with pytest.raises(UserError, match=r"give classifier\.shape=H,W,C"):
        load_classifier(**chosen)
    with pytest.raises(UserError, match=r"classifier\.shape"):
        load_classifier(**chosen, shape=(12, 20, 2))


def test_a_server_gets_it_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    sizes = set()

    def answer(_number: int, images: list[Any]) -> tuple[int, str, bytes]:
        pixels = np.array(images)
        sizes.add(pixels.shape[1:])
        return 200, "application/json", json.dumps({"predictions": pixels.mean(axis=(1, 2)).tolist()}).encode()

    server.answer = answer
    try:
        assert load_classifier("http", server.url, shape=SHAPE)(random_images(SHAPE, 1)).shape == (5, 3)
    finally:
        server.stop()
    assert sizes == {SHAPE}


@pytest.mark.parametrize(
    ("rule", "note"),
    [
        ("crop", "scaled and cropped in the centre to"),
        ("fit", "scaled to fit and padded with black to"),
        ("stretch", "stretched to"),
    ],
)
def test_the_rule_is_said_and_kept_by_a_run(photos: Path, rule: str, note: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["classifier=onnx", f"classifier.path={write_means(Path('means.onnx'))}", "classifier.labels=[red,green,blue]"]
    words += ["classifier.shape=12,12,3", "search=ga", "prior=histogram", "generations=2", "population=6", "selected=2"]
    done = ["run", *words, *WORDS, f"resize={rule}", "runs=10", "digit=0", "out=r"]
    assert guarded(dispatch, done) == 0
    said = f"data: {note} 12×12, 40 images"
    assert said in capsys.readouterr().out
    run = json.loads(Path("r/run.json").read_text())
    assert said in run["notes"]
    assert f"resize: {rule}" in Path("r/config.yaml").read_text()
    assert guarded(dispatch, ["plausibility", "r", "split=all"]) == 0
    assert said in capsys.readouterr().out
    assert guarded(dispatch, ["plausibility", "r", "split=all", *WORDS, "data.resize=fit", "overwrite=true"]) == 0
    assert "data: scaled to fit and padded with black to 12×12, 40 images" in capsys.readouterr().out


def test_statistics_follow_the_rule_and_those_of_the_data_come_first(photos: Path) -> None:
    model = ["classifier=onnx", f"classifier.path={write_means(Path('means.onnx'))}", "classifier.shape=12,12,3"]
    levels = {}
    for words in (["crop"], ["fit"], ["stretch"], ["fit", "data.resize=crop"]):
        settings = load([*model, *WORDS, f"classifier.resize={words[0]}", "classifier.labels=[red,green,b]", *words[1:]])
        assert isinstance(settings, RunSettings)
        levels[" ".join(words)] = get_statistics(settings, get_classifier(settings)).levels
    assert levels["crop"][0, 0, 255] < levels["stretch"][0, 0, 255]  # the white margins are cut off
    assert levels["fit"][0, 1, 0] > levels["stretch"][0, 1, 0]  # black bars
    assert np.array_equal(levels["fit data.resize=crop"], levels["crop"])


def test_a_job_that_was_begun_before_there_were_rules_goes_on() -> None:
    config = dump(load(["data.kind=sklearn"]))
    older = "".join(line for line in config.splitlines(keepends=True) if "resize:" not in line)
    assert len(older.splitlines()) == len(config.splitlines()) - 2
    assert identity(older, {}) == identity(config, {})
    assert identity(older, {}) != identity(dump(load(["data.kind=sklearn", "classifier.resize=fit"])), {})


def test_classify_and_examine_follow_the_rule(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ["classifier=onnx", f"classifier.path={write_means(Path('means.onnx'))}", "classifier.shape=12,12,3"]
    model += ["classifier.labels=[red,green,blue]", "classifier.resize=fit"]
    assert guarded(dispatch, ["classify", "photos/red/0.png", *model, "ink=false", "out=c"]) == 0
    assert "scaled to fit and padded with black to 12×12" in capsys.readouterr().out
    assert guarded(dispatch, ["examine", *model, *WORDS]) == 0
    assert "data: scaled to fit and padded with black to 12×12, 40 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("classifier.resize=pad", "classifier.resize: expected one of 'crop', 'fit' or 'stretch', got pad"),
        ("data.resize=pad", "data.resize: expected one of 'crop', 'fit' or 'stretch', got pad"),
        ("resize=1", "classifier.resize: expected one of 'crop', 'fit' or 'stretch', got 1"),
        ("classifier.resize=null", "classifier.resize: expected one of 'crop', 'fit' or 'stretch', got null"),
    ],
)
def test_another_rule_is_refused_in_one_line(photos: Path, word: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["run", "digit=0", "data.path=photos", word, "out=r"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not Path("r").exists()
