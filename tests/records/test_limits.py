"""Limits of a job: a time limit, limits that are raised on resuming, and what an unfinished record shows."""

import contextlib
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network, random_statistics
from jobs import Stop
from pairwise import rare

from fooling.commands.jobs import read_result
from fooling.commands.plausibility import find_records
from fooling.errors import Interrupted, UserError
from fooling.records.files import write_json
from fooling.records.record import read_image, read_run, status_of
from fooling.records.resume import MISSING, check_same, choose_folder, is_raised
from fooling.run import prepare, record_job
from fooling.search import loop
from fooling.search.job import Job
from fooling.search.result import Result
from fooling.settings import dump, load
from fooling.settings.schema import RunSettings

SHAPE = (9, 13, 1)
QUICK = ("digit=1", "runs=3", "population=12", "selected=4", "proposals=30", "generations=12", "stop=end", "prior.hinge=[]")
NEVER: Callable[[], bool] = lambda: False  # noqa: E731


def make(folder: Path, *words: str) -> Job:
    chosen = {word.partition("=")[0]: word for word in [*QUICK, *words]}
    settings = load([*chosen.values(), f"out={folder}"], RunSettings, "run", partial=True)
    (job,) = prepare(settings, random_network(SHAPE), random_statistics(SHAPE))
    return job


def start(folder: Path, *words: str, interrupted: Callable[[], bool] = NEVER) -> Result:
    return record_job(make(folder, *words), folder, Stop(interrupted))


def stop(folder: Path, generation: int, *words: str) -> None:
    """Interrupts the job before this generation."""
    calls = iter(range(1, 10_000))
    with pytest.raises(Interrupted):
        start(folder, *words, interrupted=lambda: next(calls) >= generation)


def images(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "images").iterdir())]


def untimed(run: dict[str, Any]) -> dict[str, Any]:
    notes = [note for note in run["notes"] if not note.startswith(("extended: ", "stopped by seconds="))]
    return {key: value for key, value in run.items() if key not in ("seconds", "evaluations_per_second")} | {"notes": notes}


def lines(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in ("seconds", "evaluations_per_second")} for row in rows]


# --- limits that are raised ---------------------------------------------------------------------------------------------

RAISED, WORST = ("generations=30", "budget=null"), ("returns=worst", "elitism=false")
SEARCHES = [  # the search, and the limit that is raised
    (("search=ga", "engine=numba"), RAISED[1]),
    rare(("search=ga", "engine=numba"), RAISED[0]),
    (("search=ga", "engine=reference", *WORST), RAISED[0]),
    rare(("search=ga", "engine=numba", *WORST), RAISED[1]),
    (("search=ga", "engine=numba", "stop=threshold", "threshold=0.45", *WORST), RAISED[1]),
    rare(("search=ga", "engine=reference", "stop=threshold", "threshold=0.45"), RAISED[0]),
    (("search=anneal", "engine=numba", "temperature=0"), RAISED[0]),
    rare(("search=anneal", "engine=reference", "cooling=0"), RAISED[1]),
    (("search=pareto", "engine=numba"), RAISED[0]),
    rare(("search=ga", "engine=jax", "prior=none"), RAISED[0]),
    rare(("search=ga", "engine=deap", "prior=none"), RAISED[0]),
    (("search=es", "engine=numba", "detail=4"), RAISED[0]),
    rare(("search=es", "engine=reference", "genome=grid", "detail=4"), RAISED[1]),
    rare(("search=ascent", "engine=jax"), RAISED[1]),
]


@pytest.mark.parametrize(("words", "limit"), SEARCHES)
def test_a_job_whose_limit_is_raised_equals_the_longer_one(tmp_path: Path, words: tuple[str, ...], limit: str) -> None:
    last, budget = (3, 40) if "stop=threshold" in words else (12, 13 if "search=ascent" in words else 151)  # 3: some runs go on
    if limit == "budget=null":
        words = (*words, "generations=30")
    start(tmp_path / "r", *words, f"budget={budget}" if limit == "budget=null" else f"generations={last}")
    before = read_run(tmp_path / "r")
    start(tmp_path / "r", *words, limit, "resume=true")
    start(tmp_path / "through", *words, limit)
    found = read_run(tmp_path / "r")
    assert images(tmp_path / "r") == images(tmp_path / "through")
    assert lines(tmp_path / "r") == lines(tmp_path / "through")
    assert untimed(found) == untimed(read_run(tmp_path / "through"))
    assert found["evaluations"] > before["evaluations"]
    assert (before["stopped_by"], found["status"]) == (limit.partition("=")[0], "done")
    name = f"budget {budget} → null" if limit == "budget=null" else f"search.generations {last} → 30"
    assert [note for note in found["notes"] if note.startswith("extended")] == [f"extended: {name}"]
    assert load([str(tmp_path / "r" / "config.yaml")]).search.generations == 30
    files = {path.relative_to(tmp_path / "r") for path in (tmp_path / "r").rglob("*")}
    assert files == {path.relative_to(tmp_path / "through") for path in (tmp_path / "through").rglob("*")}


@pytest.mark.parametrize("number", [2, 7, 12])
def test_an_interrupted_job_is_extended_too(tmp_path: Path, number: int) -> None:
    stop(tmp_path / "r", number)
    start(tmp_path / "r", "generations=30", "resume=true")
    start(tmp_path / "through", "generations=30")
    assert images(tmp_path / "r") == images(tmp_path / "through")
    assert lines(tmp_path / "r") == lines(tmp_path / "through")


def test_a_job_is_extended_twice_and_interrupted_meanwhile(tmp_path: Path) -> None:
    start(tmp_path / "r")
    calls = iter(range(99))
    with pytest.raises(Interrupted):
        start(tmp_path / "r", "generations=20", "resume=true", interrupted=lambda: next(calls) >= 3)
    assert status_of(tmp_path / "r") == "interrupted"
    start(tmp_path / "r", "generations=30", "resume=true")
    start(tmp_path / "through", "generations=30")
    assert images(tmp_path / "r") == images(tmp_path / "through")
    notes = [note for note in read_run(tmp_path / "r")["notes"] if note.startswith("extended")]
    assert notes == ["extended: search.generations 12 → 20", "extended: search.generations 20 → 30"]


@contextlib.contextmanager
def dying_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within it, the program is interrupted at this write of a file and at all later ones."""
    replace, writes = Path.replace, count(1)

    def dying(self: Path, target: Any) -> Path:
        if next(writes) >= number:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            yield


def test_a_crash_at_any_write_of_an_extension_can_be_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(tmp_path / "through", "generations=20")
    for number in (1, 2, 3, 5):
        folder = tmp_path / f"{number}"
        start(folder)
        with dying_at(number, monkeypatch):
            start(folder, "generations=20", "resume=true")
        assert status_of(folder) != "done" or check_same(folder, dump(make(folder, "generations=20").settings), {})
        start(folder, "generations=20", "resume=true")
        assert images(folder) == images(tmp_path / "through")
        assert [note for note in read_run(folder)["notes"] if "12 → 20" in note]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("generations=11",), r"search.generations is 12 there, 11 here\); resume=true may raise it, not lower it"),
        (("budget=100",), r"budget is null there, 100 here\); resume=true may raise it, not lower it"),
        (("seconds=5",), r"seconds is null there, 5.0 here\); resume=true may raise it, not lower it"),
        (("generations=30", "population=13"), r"search.population is 12 there, 13 here\); resume=true needs the same command"),
    ],
)
def test_what_is_not_extended(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    start(tmp_path / "r")
    before = (tmp_path / "r" / "run.json").read_bytes()
    with pytest.raises(UserError, match=message):
        start(tmp_path / "r", *words, "resume=true")
    assert (tmp_path / "r" / "run.json").read_bytes() == before


@pytest.mark.parametrize("word", ["generations=30", "budget=1000"])
def test_temperatures_depend_on_the_last_generation(tmp_path: Path, word: str) -> None:
    start(tmp_path / "r", "search=anneal", "budget=400")
    name = "search.generations is 12 there, 30" if word.startswith("gen") else "budget is 400 there, 1000"
    with pytest.raises(UserError, match=rf"{name} here\); resume=true cannot raise it: the temperatures of search=anneal fall"):
        start(tmp_path / "r", "search=anneal", "budget=400", word, "resume=true")


def test_a_dream_shares_its_steps(tmp_path: Path) -> None:
    search = make(tmp_path, "search=dream", "engine=jax").fixed_limits
    assert list(search) == ["search.generations"]


def test_a_finished_record_of_before_has_no_population_to_go_on_from(tmp_path: Path) -> None:
    start(tmp_path / "r")
    run = read_run(tmp_path / "r")
    write_json(tmp_path / "r" / "run.json", {key: value for key, value in run.items() if key != "stopped_by"})
    with pytest.raises(UserError, match=r"a finished record of an earlier version, .*; overwrite=true starts anew"):
        start(tmp_path / "r", "generations=30", "resume=true")


def test_pictures_of_the_shorter_job_go(tmp_path: Path) -> None:
    start(tmp_path / "r")
    run, folder = read_run(tmp_path / "r"), tmp_path / "r"
    write_json(folder / "run.json", {**run, "files": [*run["files"], "plausibility.json"]})
    for name in ("plausibility.json", "mine.png"):
        (folder / name).write_text("{}")
    calls = iter(range(99))
    with pytest.raises(Interrupted):
        start(folder, "generations=30", "resume=true", interrupted=lambda: next(calls) >= 3)
    assert not [name for name in ("plausibility.json", "success.png", "evolution.webp") if (folder / name).exists()]
    assert (folder / "mine.png").exists()


def test_a_sweep_reads_no_job_that_goes_on(tmp_path: Path) -> None:
    start(tmp_path / "r")
    assert read_result(make(tmp_path / "r", "resume=true"), tmp_path / "r") is not None
    assert read_result(make(tmp_path / "r", "resume=true", "generations=30"), tmp_path / "r") is None


def test_the_newest_record_with_lower_limits_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    start(tmp_path / "runs" / "short")
    config = dump(make(tmp_path, "generations=30").settings)
    assert choose_folder(None, True, config, "x") == (Path("runs/short"), True)
    fixed = choose_folder(None, True, config, "x", {"search.generations": "a reason"})
    assert (fixed[0].name.startswith("x-"), fixed[1]) == (True, False)
    start(tmp_path / "runs" / "long", "generations=30")
    assert choose_folder(None, True, config, "x") == (Path("runs/long"), True)


# --- a time limit -------------------------------------------------------------------------------------------------------


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock on which each look takes a second."""
    now = [0.0]

    def tick() -> float:
        now[0] += 1
        return now[0]

    monkeypatch.setattr(loop.time, "perf_counter", tick)
    return now


@pytest.mark.parametrize(
    "words", [("search=ga", "returns=worst"), rare(("search=ga",)), ("search=anneal",), rare(("search=pareto",))]
)
def test_a_job_whose_time_is_up_is_done(tmp_path: Path, words: tuple[str, ...], ticking: list[float]) -> None:
    folder = tmp_path / "r"
    start(folder, *words, "seconds=20", "generations=99")
    run = read_run(folder)
    assert (run["status"], run["stopped_by"], run["reproducible"]) == ("done", "seconds", "approximate")
    assert [note for note in run["notes"] if note.startswith(f"stopped by seconds=20 after generation {run['generations']} of")]
    assert 1 <= run["generations"] < 20 <= run["seconds"] <= 30
    assert lines(folder)[-1]["running"] == 0
    again = start(folder, *words, "seconds=20", "generations=99", "resume=true")  # nothing is left to do
    assert again.generations == run["generations"]
    start(folder, *words, "seconds=1e6", "generations=99", "resume=true")
    start(tmp_path / "through", *words, "seconds=1e6", "generations=99")
    assert images(folder) == images(tmp_path / "through")
    assert lines(folder) == lines(tmp_path / "through")
    assert untimed(read_run(folder)) == untimed(read_run(tmp_path / "through"))


def test_seconds_count_over_interruptions(tmp_path: Path, ticking: list[float]) -> None:
    words = ("seconds=40", "generations=99")
    start(tmp_path / "through", *words)
    stop(tmp_path / "r", 4, *words)
    ticking[0] += 1000  # between the two, no time is counted
    start(tmp_path / "r", *words, "resume=true")
    done, through = read_run(tmp_path / "r"), read_run(tmp_path / "through")
    assert done["stopped_by"] == "seconds"
    assert abs(done["generations"] - through["generations"]) <= 2
    assert 40 <= done["seconds"] <= 50


# --- an unfinished record -----------------------------------------------------------------------------------------------


def test_an_interrupted_job_shows_its_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    stop(folder, 6)
    run, network = read_run(folder), random_network(SHAPE)
    assert (run["status"], run["after_generation"], run["generations"]) == ("interrupted", 5, 5)
    assert {entry["label"] for entry in run["images"]} == {f"class {run['digit']}"}
    assert (run["evaluations"], "stopped_by" in run) == (3 * 12 * 6, False)
    assert (folder / "contact_sheet.png").exists()
    for entry in run["images"]:
        scores = network(read_image(folder / entry["file"])[None])[0]
        assert (entry["confidence"], entry["predicted"]) == (float(scores[1]), int(scores.argmax()))
    with pytest.raises(UserError, match=r"holds no finished job \(interrupted\)"):
        find_records(folder)
    assert read_result(make(folder, "resume=true"), folder) is None
    stop(folder, 3, "resume=true")
    assert read_run(folder)["after_generation"] == 7
    start(folder, "resume=true")
    assert "after_generation" not in read_run(folder)
    start(folder, "overwrite=true", "runs=2")
    assert len(images(folder)) == 2


def test_a_running_job_shows_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "PICTURE_SECONDS", 0.0)
    monkeypatch.setattr(loop, "PICTURE_SHARE", 1e9)
    folder, seen = tmp_path / "r", []

    def look() -> bool:
        run = read_run(folder)
        if "images" in run:
            found = [random_network(SHAPE)(read_image(folder / entry["file"])[None])[0, 1] for entry in run["images"]]
            assert np.array_equal(np.float32([entry["confidence"] for entry in run["images"]]), found)
            seen.append((run["status"], run["after_generation"]))
        return False

    start(folder, interrupted=look)
    assert seen == [("running", generation) for generation in range(11)]
    assert read_run(folder)["status"] == "done"


def test_run_json_never_describes_other_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill at any write of the pictures leaves no confidence of another image."""
    monkeypatch.setattr(loop, "PICTURE_SECONDS", 0.0)
    monkeypatch.setattr(loop, "PICTURE_SHARE", 1e9)
    network = random_network(SHAPE)
    for number in range(8, 30, 3):
        folder = tmp_path / f"{number}"
        with dying_at(number, monkeypatch):
            start(folder)
        run = read_run(folder)
        assert run["status"] != "done"
        for entry in run.get("images", []):
            assert entry["confidence"] == float(network(read_image(folder / entry["file"])[None])[0, 1])


def test_the_pictures_take_a_fiftieth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(loop.time, "perf_counter", lambda: now[0])
    clock, shown = loop.Clock(), []
    for _ in range(1000):
        now[0] += 1
        if clock.shows():
            shown.append(now[0])
            now[0] += 3
            clock.shown()
    assert shown == [60, 210, 360, 510, 660, 810, 960]
    clock.observe()
    assert clock.observed == 1000


@pytest.mark.parametrize(
    ("name", "there", "here", "raised"),
    [
        ("budget", 1000, 2000, True),
        ("budget", 1000, None, True),
        ("seconds", 1.5, None, True),
        ("budget", None, 1000, False),
        ("budget", 2000, 1000, False),
        ("search.generations", 2000, MISSING, False),  # of a command without this setting
        ("search.generations", 2000, None, False),
        ("seed", 1, 2, False),
    ],
)
def test_only_limits_are_raised(name: str, there: Any, here: Any, raised: bool) -> None:
    assert is_raised(name, there, here) == raised
