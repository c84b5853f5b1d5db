"""The ladder of priors: its jobs, what it says of them, its pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fooling.cli import dispatch
from fooling.commands.ladder import rung
from fooling.errors import guarded
from fooling.judges import spread
from fooling.ladder import ARMS, RUNGS, ladder_jobs
from fooling.overrides import choices
from fooling.record import read_image, read_run
from fooling.report_ladder import GAP, HEAD, LEFT, SIDE

SMALL = ("digit=3,4", "runs=3", "generations=2", "proposals=50", "quiet=true", "out=l")


def ladder(*words: str) -> dict:
    assert guarded(dispatch, ["ladder", *SMALL, *words]) == 0
    return json.loads(Path("l/ladder.json").read_text())


def test_every_prior_is_a_rung() -> None:
    assert sorted(RUNGS) == choices("prior")


def test_jobs_are_those_of_their_rung_and_arm() -> None:
    words = ["digit=3,4", "runs=2", "seed=7"]
    jobs = ladder_jobs({name: rung(words, name) for name in RUNGS}, list(ARMS))
    assert len(jobs) == len(RUNGS) * len(ARMS) * 2
    for job in jobs:
        settings, own = job.settings, rung(words, job.rung)
        assert (settings.seed, settings.runs, settings.search) == (7, 2, own.search)
        assert settings.prior.model_copy(update={"digit": None}) == own.prior
        assert (job.objective.weights["target"] == 0) == settings.control == (job.arm == "control")
        assert (settings.prior.digit is None) == (job.arm != "mismatched")
    pairs = [(job.settings.prior.digit, job.digit) for job in jobs if job.arm == "mismatched"]
    assert pairs == [(3, 4), (4, 3)] * len(RUNGS)
    (alone,) = ladder_jobs({"none": rung(["digit=9"], "none")}, ["mismatched"])
    assert (alone.settings.prior.digit, alone.digit) == (9, 0)


def test_it_says_what_the_records_say(home: Path) -> None:
    found = ladder("rungs=[variogram,eigen]", "judges=mnist_mlp2")
    assert [(row["rung"], row["arm"]) for row in found["rows"]] == [(a, b) for a in ("variogram", "eigen") for b in ARMS]
    assert len(found["cells"]) == 12
    for cell in found["cells"]:
        run = read_run(home / "l" / cell["folder"])
        images = run["images"]
        assert cell["confidence"] == pytest.approx(np.median([image["confidence"] for image in images]))
        assert cell["confidence"] == images[cell["shown"]]["confidence"]
        read = sum(image["judges"]["mnist_mlp2"]["predicted"] == cell["prior"] for image in images)
        assert (cell["read"]["part"], cell["read"]["of"]) == (read, 3)
        pixels = np.stack([read_image(home / "l" / cell["folder"] / image["file"]) for image in images])
        assert cell["distance"] == pytest.approx(spread(pixels))
        assert set(cell["percentiles"]) == {"histogram", "variogram", "regional", "eigen"}
        assert run["control"] == (cell["arm"] == "control")
    for number, row in enumerate(found["rows"]):
        two = found["cells"][2 * number : 2 * number + 2]
        assert row["read"]["part"] == sum(cell["read"]["part"] for cell in two)
        assert row["images"] == 6


def test_distance_of_two_images_by_hand() -> None:
    images = np.zeros((3, 2, 2, 1), np.uint8)
    images[1], images[2, 0, 0] = 255, 255
    assert spread(images) == pytest.approx((2 + 1 + 3**0.5) / 3)


@pytest.mark.parametrize("picture", ["ladder", "means"])
def test_pictures_hold_the_images(home: Path, picture: str) -> None:
    found = ladder("rungs=variogram", "arms=[with,control]", "judges=[]")
    sheet = np.asarray(Image.open(home / "l" / f"{picture}.png"))
    cell = found["cells"][1]  # the second column of the first row
    name = "mean.png" if picture == "means" else f"images/{cell['shown']:04d}.png"
    tile = np.kron(read_image(home / "l" / cell["folder"] / name)[:, :, 0], np.ones((2, 2), np.uint8))
    corners = [(y, LEFT + SIDE + GAP) for y in range(HEAD, HEAD + 60)]
    assert any(np.array_equal(sheet[y : y + 56, x : x + 56], tile) for y, x in corners)


def test_it_goes_on_where_it_was_interrupted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("fooling.report_ladder.draw_ladder", fail)
        assert guarded(dispatch, ["ladder", *SMALL, "rungs=variogram", "judges=[]"]) == 130
    first = read_run(home / "l" / "rung=variogram,arm=with,digit=3")["seconds"]
    found = ladder("rungs=variogram", "judges=[]", "resume=true")
    assert len(found["cells"]) == 6
    assert read_run(home / "l" / "rung=variogram,arm=with,digit=3")["seconds"] == first
    assert Path("l/ladder.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rungs=[eigne]"], "rungs: did you mean eigen? expected all, or of none, histogram"),
        (["arms=[]"], "arms=[]: expected at least one of with, control, mismatched"),
        (["arms=without"], "arms: did you mean with?"),
        (["prior=eigen"], "prior: the ladder climbs every prior itself"),
        (["control=true"], "control: the ladder runs every arm itself"),
        (["prior.digit=3"], "prior.digit: the ladder chooses the priors' classes itself"),
        (["digit=3,12"], "digit=12: expected a class from 0 to 9"),
    ],
    ids=str,
)
def test_refusals(home: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = {word.partition("=")[0] for word in words}
    small = [word for word in SMALL if word.partition("=")[0] not in given]
    assert guarded(dispatch, ["ladder", *small, *words]) == 2
    assert message in capsys.readouterr().err
    assert not Path("l").exists()
