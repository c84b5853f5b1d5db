"""success.png: its curves by hand, what it says, and that it needs nothing but run.json."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pairwise import rare

from fooling.plots import evenly_spaced, percent
from fooling.plots.record import (
    Curve,
    draw_success,
    draw_sweep_success,
    footnote,
    make_curve,
    milestone_line,
    milestones,
    nearest_milestone,
)
from fooling.plots.sheets import contact_sheet
from fooling.records.record import read_image

LEVELS = ("0.9", "0.99", "0.999", "0.9999")


def write_record(folder: Path, reached: list[list[int | None]], **changed: Any) -> dict[str, Any]:
    """A folder with a run.json and nothing else: evaluations of each image to each milestone, of 900 or all it took."""
    images = [{"evaluations": 900, "evaluations_to": dict(zip(LEVELS, one, strict=True))} for one in reached]
    about = {"digit": 2, "prior": "none", "search": "ga", "control": False, "runs": len(images), "budget": None, "tol": None}
    run = {**about, "evaluations_a_generation": 100, "stop": "end", "threshold": 0.999, "images": images, **changed}
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(run))
    return run


SOME: list[list[int | None]] = [[100, 200, 300, None], [100, 300, 300, None], [200, 300, None, None], [None] * 4]


def test_runs_that_never_get_there_are_not_dropped(tmp_path: Path) -> None:
    run = write_record(tmp_path / "r", SOME)
    first, second, third, fourth = (make_curve(run, level, level, {}) for level in milestones(run))
    assert first.steps(100) == ([100, 200, 900], [0.5, 0.75, 0.75])
    assert second.steps(100) == ([100, 200, 300, 300, 900], [0, 0.25, 0.5, 0.75, 0.75])
    assert third.steps(100) == ([100, 300, 300, 900], [0, 0.25, 0.5, 0.5])
    assert fourth.steps(100) == ([100, 900], [0, 0])
    assert [line.label for line in (first, fourth)] == ["0.9: 3 of 4", "0.9999: 0 of 4"]
    assert Curve("a", [100, 100], 2, 100, {}).steps(100) == ([100, 100], [1, 1])


def test_it_says_when_runs_stop_and_who_never_got_there(tmp_path: Path) -> None:
    def words(run: dict[str, Any]) -> str:
        return footnote(run, [make_curve(run, level, level, milestone_line(run, level, i)) for i, level in enumerate(LEVELS)])

    run = write_record(tmp_path / "a", SOME)
    assert re.fullmatch(r"Each run continues .*\. ×: .*\.", words(run))
    every = write_record(tmp_path / "b", [[100] * 4], stop="tol", tol=0.05)
    assert re.fullmatch(r"A run stops .* below 0\.05\.", words(every))
    early = write_record(tmp_path / "c", SOME, stop="threshold", threshold=0.99)
    assert re.fullmatch(r"A run stops .* ≥ 0\.99\. Dotted: .*\. ×: .*\.", words(early))
    assert [milestone_line(early, level, 0)["linestyle"] for level in LEVELS] == ["-", "-", ":", ":"]


@pytest.mark.parametrize(
    ("threshold", "level"), [(0.5, "0.9"), (0.999, "0.999"), (0.9995, "0.9999"), (0.9999, "0.9999"), (1.0, "0.9999")]
)
def test_a_sweep_takes_the_nearest_milestone(tmp_path: Path, threshold: float, level: str) -> None:
    assert nearest_milestone(write_record(tmp_path / "r", SOME, threshold=threshold)) == level


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"budget": 40_000, "stop": "threshold", "threshold": 0.99},
        rare({"budget": 900, "evaluations_a_generation": 900, "digit": "any"}),
        rare({"evaluations_a_generation": 400, "control": True}),
    ],
    ids=str,
)
def test_it_is_drawn_from_run_json_alone(tmp_path: Path, changed: dict[str, Any]) -> None:
    write_record(tmp_path / "r", SOME, **changed)
    draw_success(tmp_path / "r")
    assert {path.name for path in (tmp_path / "r").iterdir()} == {"run.json", "success.png"}
    picture = read_image(tmp_path / "r" / "success.png")
    colours = {tuple(pixel) for pixel in picture[..., :3].reshape(-1, 3).tolist()}
    for i, level in enumerate(LEVELS[:3]):
        colour = milestone_line(
            {"stop": "end", "threshold": 1.0, "images": [{"evaluations_to": dict.fromkeys(LEVELS)}]}, level, i
        )["color"]
        assert tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5)) in colours, level


def test_a_sweep_has_a_curve_a_class(tmp_path: Path) -> None:
    names = [f"digit={k}" for k in range(12)]
    for k, name in enumerate(names):
        write_record(tmp_path / name, [[k * 10 + 100] * 4] * 3, digit=k)
    draw_sweep_success(tmp_path, names[:2])
    few = read_image(tmp_path / "success.png")
    draw_sweep_success(tmp_path, names)
    assert not np.array_equal(few, read_image(tmp_path / "success.png"))


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "> 99.99 %"),
        (0.99991, "> 99.99 %"),
        (0.9999, "99.99 %"),
        (0.99899, "99.89 %"),
        (1e-4, "0.01 %"),
        (9.6e-5, "< 0.01 %"),
        (0.0, "< 0.01 %"),
    ],
)
def test_no_confidence_is_rounded_up(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("number", "most", "places"),
    [(14, 7, [0, 2, 4, 6, 9, 11, 13]), (6, 3, [0, 2, 5]), (2, 7, [0, 1]), (1, 3, [0]), (61, 7, [0, 10, 20, 30, 40, 50, 60])],
)
def test_places_are_evenly_spaced(number: int, most: int, places: list[int]) -> None:
    assert evenly_spaced(number, most) == places


def test_pictures_are_drawn_without_jax() -> None:
    code = "import sys; import fooling.plots.record; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_confidence_of_four_decimals_is_written_exactly() -> None:
    # 0.57 · 10⁴ is 5699.999… in floating point
    written = [percent(k / 10**4) for k in range(1, 10**4)]
    assert written == [f"{k // 100}.{k % 100:02d} %" for k in range(1, 10**4)]
    float32 = [percent(float(np.float32(k / 100))) for k in (29, 57, 95)]
    assert float32 == ["29.00 %", "57.00 %", "95.00 %"]


@pytest.mark.parametrize(("shape", "mode"), [((28, 20, 1), "L"), ((28, 20, 3), "RGB")])
def test_a_sheet_holds_the_images_and_wraps_its_note(shape: tuple[int, int, int], mode: str) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, *shape), dtype=np.uint8)
    plain, noted = contact_sheet(images, ["a", "b"]), contact_sheet(images, ["a", "b"], "a long note " * 10)
    assert (plain.mode, plain.width) == (mode, noted.width)
    assert noted.height > plain.height + 2 * 16
    pixels = np.asarray(plain).reshape(plain.height, plain.width, -1)
    for image, x in zip(images, (18, 18 + 90), strict=True):  # in the middle of tiles of 84 pixels
        assert np.array_equal(pixels[6 : 6 + 84, x : x + 60], image.repeat(3, axis=0).repeat(3, axis=1))
