"""The README's commands and code run as they stand, made smaller."""

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import random_images
from foreign_models import write_onnx, write_sklearn, write_torch
from PIL import Image, ImageDraw
from sklearn.linear_model import LogisticRegression
from test_http import Server

from fooling.commands import dispatch, guarded
from fooling.data import download

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SMALL = {
    "runs": "2",
    "generations": "3",
    "population": "10",
    "proposals": "10",
    "digit": "3,4",
    "rungs": "[none,eigen]",
    "epochs": "2",
    "images": "200",
    "offsets": "0,3",
    "scales": "1",
    "threshold": "0.001",
    "repeats": "2",
    "pictured": "2",
    "steps": "2",
    "components": "2",
    "priors": "[none,variogram]",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line.partition("  #")[0] for block in blocks("bash") for line in block.splitlines()]
    calls = [part for line in lines for part in line.split(" && ") if part.startswith(("python -m fooling.run", "fooling "))]
    return [shlex.split(call.replace("python -m fooling.run", "fooling run"))[1:] for call in calls]


def smaller(words: list[str]) -> list[str]:
    allowed = {
        "run": ("runs", "generations", "population", "proposals"),
        "ladder": ("runs", "generations", "population", "proposals", "digit", "rungs"),
        "gallery": ("runs", "generations", "digit"),
        "matrix": ("runs", "generations", "proposals", "digit"),
        "train": ("epochs",),
        "border": ("images", "offsets", "scales", "threshold"),
        "scramble": ("images",),
        "damage": ("runs", "generations", "repeats", "pictured", "images", "digit"),
        "eigen": ("steps", "components"),
        "mean": ("runs", "generations", "priors", "digit"),
    }.get(words[0], ())
    words = [word.replace("data.path=mnist", "data.path=mnist.npz") for word in words]
    given = {word.partition("=")[0] for word in words}
    return [*words, *(f"{name}={SMALL[name]}" for name in allowed if name not in given)]


def draw_two(path: Path) -> None:
    picture = Image.new("L", (80, 100), 255)
    ImageDraw.Draw(picture).line([(20, 30), (40, 10), (60, 30), (20, 90), (60, 90)], fill=0, width=8)
    picture.save(path)


@pytest.fixture
def models(home: Path) -> Iterator[str]:
    """The models of the README's commands; the address of a server of one."""
    write_onnx(home / "model.onnx")
    write_sklearn(home / "model.skops", LogisticRegression(max_iter=200))
    (home / "my_scores.py").write_text("from foreign_models import make_scorer as make\n")
    (home / "my_net.py").write_text("from foreign_models import make_module as make\n")
    for name in ("two.png", "photo.jpg", "four.png"):
        draw_two(home / name)
    if find_spec("torch"):
        write_torch(home / "net.safetensors")
    server = Server()
    yield server.url
    server.stop()


def test_commands(home: Path, models: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(download, "MNIST_FILES", {})  # there is no network here; tests/test_download.py has a server
    images = random_images((28, 28, 1), 1200)
    np.savez(home / "mnist.npz", images=images, labels=np.arange(len(images)) % 10)
    called = [[word.replace("http://localhost:8000/predict", models) for word in words] for words in commands()]
    assert len(called) >= 12
    if not find_spec("torch"):
        called = [words for words in called if "classifier=torch" not in words]
    for words in called:
        assert guarded(dispatch, smaller(words)) == 0, f"{words}: {capsys.readouterr().err}"


def test_python(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("python")
    exec(compile(code.replace("generations=100", "generations=4"), "README.md", "exec"), {})  # noqa: S102
    assert "(5, 28, 28, 1)" in capsys.readouterr().out


def test_pictures_and_links_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).parent.parent / target).exists(), target
