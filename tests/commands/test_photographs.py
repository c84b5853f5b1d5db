"""Folders of photographs of unequal sizes, of some of a classifier's classes: every command that reads data takes them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import random_images, random_network
from pairwise import rare
from PIL import Image

from fooling.commands import dispatch
from fooling.errors import guarded
from fooling.statistics import Statistics

SHAPE, KNOWN = (16, 16, 3), ["classifier=mlp", "classifier.path=n.safetensors"]
SIZED = "data: scaled and cropped in the centre to 16×16, 60 images"
QUICK = ["prior=histogram", "generations=2", "population=6", "selected=2", "runs=2"]
COMMANDS = {
    "examine": KNOWN,
    "run": [*KNOWN, *QUICK, "digit=3", "out=r"],
    "stats": ["data.size=16", "out=s.npz"],
    "train": ["classifier=softmax", "epochs=1", "data.size=16", "data.classes=[a,b]", "out=t.safetensors"],
    "eigen": [*KNOWN, "data.size=16", "data.classes=[a,b]", "components=4", "steps=4", "judges=[]", "digit=0,1", "out=e"],
    "border": [*KNOWN, "threshold=0.01", "offsets=0", "scales=1", "digit=1,3", "out=b"],
    "scramble": [*KNOWN, "shares=50", "digit=1,3", "background=254", "out=c"],
    "damage": [*KNOWN, *QUICK[1:2], "runs=2", "neurons=1", "repeats=1", "pictured=0", "digit=1,3", "prior=histogram", "out=d"],
    "mean": [*KNOWN, *QUICK[1:2], "runs=2", "priors=none", "digit=1,3", "out=m"],
}


@pytest.fixture
def photos(home: Path) -> Path:
    """Coloured pictures of classes 1 and 3, of unequal sizes, and the classifier of four classes."""
    random_network(SHAPE, seed=2).save(Path("n.safetensors"))
    for name in ("class 1", "class 3"):
        (home / "photos" / name).mkdir(parents=True)
        for i, image in enumerate(random_images((40, 30, 3), 26, seed=int(name[-1]))):
            Image.fromarray(image[: 20 + i]).save(home / "photos" / name / f"{i:02}.png")
    return home / "photos"


def str_of(value: object) -> str:
    """A value in the name of a test; the address of a function is another in each process."""
    return "" if callable(value) else str(value)


def done(*words: str) -> int:
    return guarded(dispatch, list(words))


@pytest.mark.parametrize("command", [rare(name) if place % 3 else name for place, name in enumerate(COMMANDS)])
def test_every_command_takes_them_and_says_what_was_done(
    photos: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert done(command, *COMMANDS[command], f"data.path={photos}") == 0
    said = capsys.readouterr().out
    assert said.count(SIZED) == 1


def test_every_command_that_reads_data_is_tried() -> None:
    from fooling.commands import COMMANDS as EVERY

    others = {"ladder", "matrix", "gallery", "plausibility", "classify", "render", "compare", "report", "view", "audit", "data"}
    others |= {"detect", "harden", "transfer", "export", "doctor"}
    assert set(COMMANDS) | others == set(EVERY)


def test_a_ladder_is_of_the_classes_that_have_pictures(photos: Path) -> None:
    words = [*KNOWN, *QUICK[1:], f"data.path={photos}", "rungs=histogram", "judges=[]", "out=l", "quiet=true"]
    assert done("ladder", *words) == 0
    cells = json.loads(Path("l/ladder.json").read_text())["cells"]
    assert {(cell["arm"], cell["prior"], cell["digit"]) for cell in cells} == {
        *((arm, k, k) for arm in ("with", "control") for k in (1, 3)),
        ("mismatched", 1, 3),
        ("mismatched", 3, 1),
    }


def test_plausibility_compares_with_the_pictures_of_the_class(photos: Path) -> None:
    words = [*KNOWN, *QUICK[:-1], "runs=10", "digit=3", f"data.path={photos}", "out=r", "quiet=true"]
    assert done("run", *words) == 0
    assert done("plausibility", "r", "split=all", "quiet=true") == 0
    found = json.loads(Path("r/plausibility.json").read_text())
    assert (found["real_class"], found["real_images"]) == (3, 30)


def test_statistics_of_some_classes_are_known_by_their_labels(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert done("stats", f"data.path={photos}", "data.size=16", "out=s.npz", "quiet=true") == 0
    words = [*KNOWN, *QUICK, "prior.statistics=s.npz", "quiet=true"]
    assert done("run", *words, "digit=3", "out=a") == 0
    assert done("run", *words, "digit=3", "out=b", f"data.path={photos}") == 2  # statistics or data
    assert done("run", *words[:-2], "digit=3", "out=b", "quiet=true", f"data.path={photos}", "data.kind=folder") == 0
    capsys.readouterr()
    assert done("run", *words, "digit=2", "out=c") == 2
    assert "digit=2: expected a class of the statistics, which are 1 (class 1), 3 (class 3), got 2" in capsys.readouterr().err


@pytest.mark.parametrize(("rule", "note"), [("crop", "scaled and cropped in the centre to"), rare("fit", "scaled to fit and")])
def test_statistics_keep_the_rule_by_which_pictures_were_resized(
    photos: Path, rule: str, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert done("stats", f"data.path={photos}", "size=16", f"resize={rule}", "out=s.npz") == 0
    said = capsys.readouterr().out
    assert "means over the channels red, green and blue" in said
    assert f"data: {note}" in said
    statistics = Statistics.load("s.npz")
    assert statistics.resize == rule
    assert statistics.sample is not None
    assert statistics.sample.tolist() == statistics.count.tolist()
    assert done("run", *KNOWN, *QUICK, "prior.statistics=s.npz", "digit=3", "out=a") == 0
    assert f"statistics: their pictures were {note}" in capsys.readouterr().out
    assert any(line.startswith("statistics: their pictures") for line in json.loads(Path("a/run.json").read_text())["notes"])


def test_folders_named_by_numbers_are_these_classes(photos: Path) -> None:
    for k in (1, 3):
        (photos / f"class {k}").rename(photos / str(k))
    words = [*KNOWN, f"data.path={photos}", "quiet=true"]
    assert done("examine", *words, "out=x.json") == 0
    assert json.loads(Path("x.json").read_text())["accuracy_of"] == 10
    assert done("run", *words, *QUICK, "digit=all", "out=r") == 0
    assert sorted(path.name for path in Path("r").glob("digit=*")) == ["digit=1", "digit=3"]


@pytest.mark.parametrize(
    ("rename", "words", "message"),
    [
        rare(str.upper, [], None, name=str_of),
        (lambda name: f"kind {name[-1]}", ["data.classes=[3,class 1]"], None),
        rare(lambda name: f"kind {name[-1]}", ["data.classes=[3,9]"], "data.classes: class 9: ", name=str_of),
        (lambda name: f"kind {name[-1]}", [], "the classifier has 4 classes, the data have 2; data.classes=[…]"),
        rare(lambda name: name[-1] * 2, [], "the classifier has 4 classes, the data have 34; data.classes=[…]", name=str_of),
    ],
    ids=["other letters", "named", "wrong", "unnamed", "too large"],
)
def test_classes_are_matched_or_asked_about(
    photos: Path, rename: Callable[[str], str], words: list[str], message: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("class 1", "class 3"):
        (photos / name).rename(photos / rename(name))
    code = done("examine", *KNOWN, f"data.path={photos}", *words)
    said = capsys.readouterr().err
    assert (code, len(said.splitlines())) == ((2, 1) if message else (0, 0))
    assert (message or "") in said


def test_few_pictures_are_said_to_be_cropped_too(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in photos.rglob("*.png"):
        if int(path.stem) > 3:
            path.unlink()
    assert done("run", *KNOWN, *QUICK, "digit=3", f"data.path={photos}", "out=r") == 0
    assert "data: scaled and cropped in the centre to 16×16, 8 images" in capsys.readouterr().out
    assert "data: scaled and cropped in the centre to 16×16, 8 images" in json.loads(Path("r/run.json").read_text())["notes"]


def test_settings_of_data_need_data(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("data.size=16", "data.scale=255/16", "data.classes=[1,2]", "data.first_label=1"):
        assert done("examine", word) == 2
        assert f"{word.partition('=')[0]}: expected data.path=FOLDER" in capsys.readouterr().err


def test_short_names_of_older_settings_stay_theirs(home: Path) -> None:
    from fooling.settings import load
    from fooling.settings.schema import RunSettings

    assert load(["search=dream", "size=40"], RunSettings, "run").search.size == 40  # type: ignore[union-attr]
    chosen = load(["classifier=python", "classifier.path=a:b", "scale=1/16"], RunSettings, "run").classifier
    assert chosen.scale == 1 / 16  # type: ignore[union-attr]
    assert np.isclose(load(["data.kind=sklearn", "data.scale=255/16"], RunSettings, "run").data.scale or 0, 255 / 16)
