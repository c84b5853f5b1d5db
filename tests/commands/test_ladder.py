"""The ladder of priors: its jobs, what it says of them, its pictures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fooling.commands import dispatch
from fooling.commands.ladder import ARMS, RUNGS, ladder_entries, rung
from fooling.commands.ladder import cell as cell_of
from fooling.commands.ladder import row as row_of
from fooling.errors import guarded
from fooling.plots.ladder import GAP, HEAD, LEFT, SIDE
from fooling.records.record import read_image, read_run
from fooling.run import run_job
from fooling.search.prior import percentiles
from fooling.settings.choices import choices
from fooling.statistics import BUNDLED, Statistics
from fooling.statistics.intervals import mean_pairwise_distance

SMALL = ("digit=3,4", "runs=3", "generations=2", "proposals=50", "quiet=true", "out=l")


def ladder(*words: str) -> dict:
    assert guarded(dispatch, ["ladder", *SMALL, *words]) == 0
    return json.loads(Path("l/ladder.json").read_text())


def test_every_prior_is_a_rung() -> None:
    assert sorted(RUNGS) == choices("prior")


def test_jobs_are_those_of_their_rung_and_arm() -> None:
    words = ["digit=3,4", "runs=2", "seed=7"]
    entries = ladder_entries({name: rung(words, name) for name in RUNGS}, list(ARMS))
    assert len(entries) == len(RUNGS) * len(ARMS) * 2
    for entry in entries:
        job, arm = entry.job, entry.axes["arm"]
        settings, own = job.settings, rung(words, entry.axes["rung"])
        assert (settings.seed, settings.runs, settings.search) == (7, 2, own.search)
        assert settings.prior.model_copy(update={"digit": None}) == own.prior
        assert (job.objective.weights["target"] == 0) == settings.control == (arm == "control")
        assert (settings.prior.digit is None) == (arm != "mismatched")
    pairs = [(one.job.settings.prior.digit, one.job.digit) for one in entries if one.axes["arm"] == "mismatched"]
    assert pairs == [(3, 4), (4, 3)] * len(RUNGS)
    (alone,) = ladder_entries({"none": rung(["digit=9"], "none")}, ["mismatched"])
    assert (alone.job.settings.prior.digit, alone.job.digit) == (9, 0)


def numbers(images: list[dict], name: str) -> list:
    return [image[name] for image in images]


def read_as_prior(images: list[dict], prior: int) -> list[bool]:
    return [all(judge["predicted"] == prior for judge in image["judges"].values()) for image in images]


def test_it_says_what_the_records_say(home: Path) -> None:
    words = ("judges=[mnist_mlp2,mnist_cnn]", "stop=threshold", "threshold=0.1", "lags=6", "bins=5")
    found, statistics = ladder("rungs=[variogram,eigen]", *words), Statistics.load(BUNDLED)
    assert [(row["rung"], row["arm"]) for row in found["rows"]] == [(a, b) for a in ("variogram", "eigen") for b in ARMS]
    assert len(found["cells"]) == 12
    for cell in found["cells"]:
        run = read_run(home / "l" / cell["folder"])
        images = run["images"]
        assert cell["confidence"] == pytest.approx(np.median(numbers(images, "confidence")))
        assert cell["confidence"] == images[cell["shown"]]["confidence"]
        assert (cell["converged"]["part"], cell["converged"]["of"]) == (sum(numbers(images, "converged")), 3)
        assert cell["evaluations"] == np.median(numbers(images, "evaluations"))
        assert (cell["read"]["part"], cell["read"]["of"]) == (sum(read_as_prior(images, cell["prior"])), 3)
        for name, judge in cell["judges"].items():
            seen = [image["judges"][name]["predicted"] for image in images]
            assert (judge["prior"]["part"], judge["digit"]["part"]) == (seen.count(cell["prior"]), seen.count(cell["digit"]))
        terms = numbers(images, "terms")
        assert cell["terms"] == pytest.approx({name: np.median(numbers(terms, name)) for name in terms[0]})
        pixels = np.stack([read_image(home / "l" / cell["folder"] / image["file"]) for image in images])
        assert cell["distance"] == pytest.approx(mean_pairwise_distance(pixels))
        shares = percentiles(statistics, cell["prior"], pixels, lags=6, bins=5)
        assert cell["percentiles"] == pytest.approx({name: 100 * np.median(share) for name, share in shares.items()})
        assert run["control"] == (cell["arm"] == "control")
    for number, row in enumerate(found["rows"]):
        two = found["cells"][2 * number : 2 * number + 2]
        images = [image for cell in two for image in read_run(home / "l" / cell["folder"])["images"]]
        for name in ("read", "converged"):
            assert (row[name]["part"], row[name]["of"]) == (sum(cell[name]["part"] for cell in two), 6)
        for name in ("confidence", "evaluations"):
            assert row[name] == pytest.approx(np.median(numbers(images, name)))
        assert row["distance"] == pytest.approx(np.mean(numbers(two, "distance")))
        for name, rank in row["percentiles"].items():
            assert rank == pytest.approx(np.median(numbers(numbers(two, "percentiles"), name)))
        assert row["images"] == 6
    for name in ("read", "converged"):
        assert {0, 6} & {row[name]["part"] for row in found["rows"]} < {row[name]["part"] for row in found["rows"]}
    assert len({row["evaluations"] for row in found["rows"]}) > 2


def test_seconds_are_those_of_an_image() -> None:
    entries = ladder_entries({"variogram": rung(["digit=3,4", "runs=2", "generations=1"], "variogram")}, ["with"])
    results = [replace(run_job(entry.job), seconds=seconds) for entry, seconds in zip(entries, (6.0, 2.5), strict=True)]
    assert [cell_of(*one)["seconds_per_image"] for one in zip(entries, results, strict=True)] == [3.0, 1.25]
    assert row_of(list(zip(entries, results, strict=True)))["seconds_per_image"] == 2.125


def test_distance_of_two_images_by_hand() -> None:
    images = np.zeros((3, 2, 2, 1), np.uint8)
    images[1], images[2, 0, 0] = 255, 255
    assert mean_pairwise_distance(images) == pytest.approx((2 + 1 + 3**0.5) / 3)


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
        broken.setattr("fooling.commands.ladder.draw_ladder", fail)
        assert guarded(dispatch, ["ladder", *SMALL, "rungs=variogram", "judges=[]"]) == 130
    first = read_run(home / "l" / "rung=variogram,arm=with,digit=3")["seconds"]
    found = ladder("rungs=variogram", "judges=[]", "resume=true")
    assert len(found["cells"]) == 6
    assert read_run(home / "l" / "rung=variogram,arm=with,digit=3")["seconds"] == first
    assert Path("l/ladder.png").exists()


def test_it_is_repeated_from_its_own_settings(home: Path) -> None:
    found = ladder("rungs=[none,variogram,exemplar]", "arms=with", "judges=[]")
    assert Path("l/config.yaml").read_text().startswith("# Repeat this job: fooling ladder config.yaml")
    assert guarded(dispatch, ["ladder", "l/config.yaml", "out=again", "quiet=true"]) == 0
    again = json.loads(Path("again/ladder.json").read_text())
    assert [{**cell, "seconds_per_image": 0} for cell in again["cells"]] == [
        {**cell, "seconds_per_image": 0} for cell in found["cells"]
    ]
    assert read_run(home / "again" / "rung=exemplar,arm=with,digit=3")["search"] == "anneal"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rungs=[eigne]"], "rungs: did you mean eigen? expected all, or of none, histogram"),
        (["arms=[]"], "arms=[]: expected at least one of with, control, mismatched"),
        (["arms=without"], "arms: expected all, or of with, control, mismatched; got without"),
        (["prior=eigen"], "prior: the command compares all priors; choose with rungs="),
        (["control=true"], "control: the command compares the attack with its control; choose with arms="),
        (["prior.digit=3"], "prior.digit: the command compares"),
        (["preset=mismatched"], "preset: a preset chooses a prior"),
        (["rungs=[all,none]"], "rungs: all already includes every value; give all alone, got all, none"),
        (["search=pareto", "rungs=eigen", "population=4", "selected=2"], "got control=true, which disables it"),
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
