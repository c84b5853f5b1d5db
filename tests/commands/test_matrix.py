"""The matrix of mismatched pairs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network
from PIL import Image

from fooling.classifiers import load_classifier
from fooling.classifiers.judges import load_judges, predict_all
from fooling.commands import dispatch
from fooling.commands.jobs import GridEntry
from fooling.commands.matrix import content, lines, pair, split_judges
from fooling.errors import UserError, guarded
from fooling.records.record import read_image, read_images, read_run
from fooling.run import prepare
from fooling.search.result import Result
from fooling.settings import load
from fooling.settings.schema import RunSettings
from fooling.statistics.intervals import wilson_interval

SMALL = ("digit=3,4,5", "runs=3", "generations=4", "proposals=500", "quiet=true", "out=m")


def matrix(*words: str) -> dict:
    assert guarded(dispatch, ["matrix", *SMALL, *words]) == 0
    return json.loads(Path("m/matrix.json").read_text())


def test_pairs_are_counted_from_what_the_records_say(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fooling.commands.matrix.SURE", 0.2)  # else so few proposals would fool nobody
    found = matrix("weights.target=3", "threshold=0.2")
    judges = load_judges(["mnist_cnn", "mnist_cnn2"], load_classifier("mnist_mlp"))
    assert [(entry["prior"], entry["digit"]) for entry in found["pairs"]] == [(3, 4), (3, 5), (4, 3), (4, 5), (5, 3), (5, 4)]
    assert (found["judges"], found["transfer"], found["threshold"]) == (["mnist_cnn", "mnist_cnn2"], ["mnist_mlp2"], 0.2)
    for entry in found["pairs"]:
        run = read_run(home / "m" / entry["folder"])
        images = run["images"]
        assert {image["digit"] for image in images} == {entry["digit"]}
        asked = predict_all(judges, read_images(home / "m" / entry["folder"], [image["file"] for image in images]))
        seen = np.min([scores[:, entry["prior"]] for scores in asked.values()], axis=0)
        fools = [
            image["confidence"] >= 0.2 and image["predicted"] == entry["digit"] and sure >= 0.2
            for image, sure in zip(images, seen, strict=True)
        ]
        also = [image["judges"]["mnist_mlp2"]["predicted"] == entry["digit"] for image in images]
        assert entry["fooled"] == sum(fools)
        assert entry["transferred"] == sum(a and b for a, b in zip(fools, also, strict=True))
        assert not any(fools) or fools[entry["shown"]]
    fooled = sum(entry["fooled"] for entry in found["pairs"])
    assert 0 < fooled < 18
    assert (found["images_fooled"]["part"], found["images_fooled"]["of"]) == (fooled, 18)
    assert found["pairs_fooled"]["part"] == sum(entry["fooled"] > 0 for entry in found["pairs"])
    low, high = wilson_interval(fooled, 18)
    assert (found["images_fooled"]["low"], found["images_fooled"]["high"]) == (low, high)


def test_picture_has_a_cell_a_pair(home: Path) -> None:
    found = matrix()
    sheet = np.asarray(Image.open(home / "m" / "matrix.png"))
    entry = found["pairs"][0]  # prior of 3, sure of 4: first row, second column
    image = read_image(home / "m" / entry["folder"] / "images" / f"{entry['shown']:04d}.png")
    tile = np.kron(image[:, :, 0], np.ones((3, 3), np.uint8))
    top, left = 22, 102  # below the names of the columns, to the right of those of the rows
    assert np.array_equal(sheet[top : top + 84, left + 90 : left + 90 + 84], tile)
    assert (sheet[top : top + 84, left : left + 84] == 40).all()
    assert (sheet[:top, left:] > 40).any()
    assert (sheet[top : top + 84, :left] > 40).any()


def test_a_finished_matrix_is_not_run_again(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix()
    written = Path("m/matrix.json").stat().st_mtime_ns
    assert guarded(dispatch, ["matrix", *SMALL, "resume=true"]) == 0
    assert "nothing to resume" in capsys.readouterr().out
    assert Path("m/matrix.json").stat().st_mtime_ns == written


def test_a_matrix_interrupted_at_its_end_is_finished_on_resuming(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("fooling.commands.matrix.contact_sheet", fail)
        assert guarded(dispatch, ["matrix", *SMALL]) == 130
    assert not Path("m/matrix.png").exists()
    first = read_run(home / "m" / "prior=3,digit=4")["seconds"]
    found = matrix("resume=true")
    assert read_run(home / "m" / "prior=3,digit=4")["seconds"] == first
    assert len(found["pairs"]) == 6
    assert Path("m/matrix.png").exists()


def test_a_matrix_is_repeated_from_its_own_settings_and_not_taken_for_a_sweep(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = matrix()
    assert Path("m/config.yaml").read_text().startswith("# Repeat this job: fooling matrix config.yaml")
    assert guarded(dispatch, ["matrix", "m/config.yaml", "out=again", "quiet=true"]) == 0
    again = json.loads(Path("again/matrix.json").read_text())
    assert again["pairs"] == found["pairs"]
    assert guarded(dispatch, ["run", "m/config.yaml", "out=m", "resume=true"]) == 2
    assert "was created by `fooling matrix`" in capsys.readouterr().err
    assert guarded(dispatch, ["run", "digit=3,4", "runs=2", "generations=2", "out=m", "overwrite=true", "quiet=true"]) == 0
    assert not Path("m/matrix.json").exists()


def result_of(confidence: list[float], read: list[float], other: list[float]) -> Result:
    """Three images of target 1 and prior 0: the network's confidence, what a judge gives 0, what a perceptron gives 1."""
    scores = np.array([[1 - c, c] for c in confidence], dtype=np.float32)
    judges = {
        "cnn": np.array([[r, 1 - r] for r in read], dtype=np.float32),
        "mlp": np.array([[1 - o, o] for o in other], dtype=np.float32),
    }
    fields = dict.fromkeys(Result.__dataclass_fields__)
    return Result(
        **{**fields, "digit": 1, "images": np.zeros((3, 2, 2, 1)), "scores": scores, "judges": judges, "seconds": 6.0}
    )


TWO = result_of([0.995, 0.999, 0.98], [0.95, 0.99, 0.99], [0.9, 0.2, 0.9])
RIVALLED = replace(TWO, scores=np.array([[0.996, 0.995], [0, 0.999], [0, 0.98]], dtype=np.float32))  # outputs are sigmoids
NONE = result_of([0.9, 0.2, 0.98], [0.5, 0.99, 0.85], [0.9, 0.9, 0.9])


@pytest.mark.parametrize(
    ("result", "fooled", "transferred", "shown"),
    [
        (TWO, 2, 1, 1),
        (NONE, 0, 0, 2),
        (RIVALLED, 1, 0, 1),
        (result_of([0.991, 0.991, 0.999], [0.91, 0.91, 0.899], [0.9, 0.9, 0.9]), 2, 2, 0),
    ],
    ids=["two fool", "none fools", "another class is larger", "a judge is not sure"],
)
def test_a_pair_by_hand(result: Result, fooled: int, transferred: int, shown: int) -> None:
    (job,) = prepare(load(["digit=1", "prior.digit=0", "threshold=0.99"], RunSettings, "run"))
    found = pair(GridEntry(job), result, ["cnn"], ["mlp"])
    assert (found["fooled"], found["transferred"], found["shown"]) == (fooled, transferred, shown)
    assert (found["prior"], found["digit"], found["images"]) == (0, 1, 3)


def job_with(judges: dict[str, str], *words: str) -> GridEntry:
    (job,) = prepare(load(["digit=1", "prior.digit=0", "threshold=0.99", *words], RunSettings, "run"))
    return GridEntry(replace(job, judges={name: load_classifier(network) for name, network in judges.items()}))


def of(share: dict) -> tuple[int, int]:
    assert (share["low"], share["high"]) == wilson_interval(share["part"], share["of"])
    assert share["share"] == share["part"] / share["of"]
    return share["part"], share["of"]


def test_summary_of_pairs_that_fool() -> None:
    job = job_with({"cnn": "mnist_cnn", "mlp": "mnist_mlp2"})
    found = content([job] * 4, [TWO, NONE, TWO, replace(TWO, seconds=12.0)])
    assert (found["judges"], found["transfer"], found["threshold"], found["sure"]) == (["cnn"], ["mlp"], 0.99, 0.9)
    assert [entry["fooled"] for entry in found["pairs"]] == [2, 0, 2, 2]
    assert of(found["pairs_fooled"]) == (3, 4)
    assert of(found["images_fooled"]) == (6, 12)
    assert of(found["images_transferred"]) == (3, 6)
    assert found["seconds_per_image"] == 2.5
    assert lines(found) == [
        "3 of 4 pairs with at least one image that fools (75%, 95 %: 30%–95%)",
        "6 of 12 images fool (50%, 95 %: 25%–75%)",
        "3 of 6 of these also fool mlp (50%, 95 %: 19%–81%)",
    ]


def test_summary_of_pairs_that_do_not_fool_or_cannot_transfer() -> None:
    none = content([job_with({"cnn": "mnist_cnn", "mlp": "mnist_mlp2"}, "control=true")], [NONE])
    assert (of(none["pairs_fooled"]), of(none["images_fooled"]), none["images_transferred"]) == ((0, 1), (0, 3), None)
    assert lines(none)[0] == "control: the classifier had the weight 0"
    assert len(lines(none)) == 3
    alone = content([job_with({"cnn": "mnist_cnn"})], [TWO])
    assert (of(alone["images_fooled"]), alone["images_transferred"]) == ((2, 3), None)
    assert len(lines(alone)) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digit=3"], "expected two classes or more"),
        (["prior.digit=3"], "prior.digit: the command compares the priors of all classes"),
        (["judges=mnist_mlp2"], "needs one of another kind than the attacked network, for example judges=mnist_cnn"),
        (["classifier=mnist_cnn", "judges=mnist_cnn2"], "for example judges=mnist_mlp"),
        (["classifier=mnist_cnn", "judges=mnist_cnn,mnist_mlp2"], "leave mnist_cnn out of judges"),
        (["digit=3,12"], "digit=12: expected a class from 0 to 9"),
    ],
)
def test_refusals(home: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = {word.partition("=")[0] for word in words}
    small = [word for word in SMALL if word.partition("=")[0] not in given]
    assert guarded(dispatch, ["matrix", *small, *words]) == 2
    assert message in capsys.readouterr().err
    assert not Path("m").exists()


def test_networks_of_the_attacked_ones_kind_are_for_transfer() -> None:
    network, judges = random_network((8, 8, 1)), {name: load_classifier(name) for name in ("mnist_cnn", "mnist_mlp2")}
    assert split_judges(judges, network) == (["mnist_cnn"], ["mnist_mlp2"])
    assert split_judges(judges, load_classifier("mnist_cnn2")) == (["mnist_mlp2"], ["mnist_cnn"])
    with pytest.raises(UserError, match="needs one of another kind"):
        split_judges({"a": network}, network)


def test_wilson() -> None:
    assert wilson_interval(0, 10) == pytest.approx((0, 0.278), abs=1e-3)
    with pytest.raises(ValueError, match="got 0 of 0"):
        wilson_interval(0, 0)
    assert wilson_interval(45, 90) == pytest.approx((0.399, 0.601), abs=1e-3)
