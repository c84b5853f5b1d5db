"""When a job will be over: said before a search that takes long, in the line of its progress, and as it goes on further."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from builders import random_network, random_statistics, still_clock
from pairwise import rare
from rich.console import Console

from fooling.classifiers.checks import ClassifierReport
from fooling.commands import dispatch, jobs, progress
from fooling.commands.console import InterruptHandler
from fooling.commands.jobs import rest
from fooling.commands.progress import ProgressDisplay, RemainingTime, plain
from fooling.errors import duration, guarded
from fooling.records.ownership import job_in_words, read_status
from fooling.records.record import read_run, status_of
from fooling.run import prepare
from fooling.search.job import make_search
from fooling.search.notes import duration_notes
from fooling.search.stopping import StoppingCriteria
from fooling.settings import load

SHAPE = (9, 13, 1)


def criteria(*words: str) -> StoppingCriteria:
    chosen = {word.partition("=")[0]: word for word in ["stop=end", "generations=1000", *words]}
    return StoppingCriteria.from_settings(load([*chosen.values()]), 2)


def metrics(generation: int, seconds: float, running: int = 3) -> dict[str, float]:
    names = ("evaluations", "converged", "best_cost", "median_cost", "confidence", "evaluations_per_second")
    return {**dict.fromkeys(names, 0), "generation": generation, "running": running, "seconds": seconds}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test sets."""
    at = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: at[0])
    return at


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.1, "1 s"), (41.6, "42 s"), (89, "89 s"), (90, "2 min"), (3000, "50 min"), (12_600, "3.5 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "  about 33 min left"),
        (("stop=threshold",), "  at most about 33 min left"),
        (("seconds=100",), "  about 70 s left"),
        (("seconds=9000",), "  about 33 min left"),
    ],
)
def test_the_time_that_remains(now: list[float], words: tuple[str, ...], text: str) -> None:
    remaining, found = RemainingTime(criteria(*words)), []
    for generation in range(11):
        now[0] += 12.0 if generation == 1 else 2.0  # the first is compiled
        remaining.observe(metrics(generation, now[0] - 102))
        found.append(remaining.text(metrics(generation, now[0] - 102)))
    assert found[:2] == ["", ""]
    assert found[-1] == text
    assert remaining.text(metrics(1000, 50.0, running=0)) == ""


def test_short_jobs_say_nothing(now: list[float]) -> None:
    remaining = RemainingTime(criteria("generations=20"))
    for generation in range(10):
        now[0] += 0.3
        remaining.observe(metrics(generation, 0.3 * generation))
    assert remaining.text(metrics(9, 3.0)) == ""


@pytest.mark.parametrize("place", ["", "2/10  rung=eigen, digit 4"])
def test_lines_where_there_is_no_terminal(now: list[float], place: str) -> None:
    out = io.StringIO()
    with ProgressDisplay(Console(file=out, width=300), "title", criteria(), InterruptHandler(), place=place) as display:
        for generation in range(90):
            display.observe(metrics(generation, 1.0 * generation))
            now[0] += 1
    lines = [line for line in out.getvalue().splitlines() if "left" in line]
    assert len(lines) == (3 if place else 17)
    assert all(line.startswith(place or "generation") and re.search(r"about \d+ min left$", line) for line in lines)


def test_other_work_shows_its_end_too(now: list[float]) -> None:
    out = io.StringIO()
    watch = plain(Console(file=out, width=300))
    for done in range(13):
        watch("images", done, 1000)
        now[0] += 1
    assert out.getvalue().splitlines() == ["images: 5 of 1,000, about 17 min left", "images: 10 of 1,000, about 16 min left"]


@pytest.mark.parametrize(("seconds", "computed", "left", "text"), [(60, 3, 9, "3 min"), (0, 0, 9, ""), (2, 10, 20, "")])
def test_the_jobs_that_are_left(seconds: float, computed: int, left: int, text: str) -> None:
    assert rest(seconds, computed, left) == (f"all jobs: about {text} left" if text else "")


def test_many_jobs_show_their_end(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LONG_SECONDS", 0.0)
    assert dispatch(["run", "digit=3,4", "prior=none", "runs=2", "population=10", "generations=2", "out=s"]) == 0
    first, second = [line for line in capsys.readouterr().out.splitlines() if re.match(r"digit \d: 2 runs", line)]
    assert "left" not in first
    assert re.search(r", all jobs: about \d+ s left$", second)


# --- before the start ---------------------------------------------------------------------------------------------------


class Slow:
    """A classifier without a linear head that takes 2 ms for each image."""

    def __init__(self, wait: Callable[[float], None]) -> None:
        self.wait = wait
        self.network = random_network(SHAPE)
        self.input_shape, self.num_classes, self.labels, self.fingerprint = SHAPE, 4, self.network.labels, "slow"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.wait(0.002 * len(images))
        return self.network(images)


def notes(classifier: Any, *words: str) -> list[str]:
    (job,) = prepare(load(["digit=1", "runs=5", *words], partial=True), classifier, random_statistics(SHAPE))
    return duration_notes(job, make_search(job))


@pytest.mark.parametrize(
    ("words", "images", "most"),
    [
        (("search=ga", "population=20", "generations=499", "prior.hinge=[]"), 10_000, ""),
        (("search=pareto", "population=20", "generations=499", "prior.hinge=[]"), 10_000, ""),
        (("search=anneal", "proposals=1000", "generations=10"), 10_001, ""),
        (("search=anneal", "proposals=1000", "generations=10", "stop=threshold"), 10_001, "at most "),
    ],
)
def test_a_search_of_whole_images_says_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], images: int, most: str
) -> None:
    (note,) = notes(Slow(still_clock(monkeypatch)), *words)
    found = re.fullmatch(
        rf"this takes {most}about (\d+) (s|min) at about (\d+) images/s, as in the checks, for 5 runs of {images:,} images",
        note,
    )
    assert found, note
    rate, time_, unit = int(found[3]), int(found[1]), found[2]
    assert rate == 500
    assert time_ * {"s": 1, "min": 60}[unit] == pytest.approx(5 * images / rate, rel=0.3)


@pytest.mark.parametrize("words", [("search=ga", "generations=100000"), ("search=ga", "generations=1")])
def test_a_fast_search_does_not(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = random_network(SHAPE) if "100000" in words[1] else Slow(still_clock(monkeypatch))
    assert notes(classifier, *words, "population=20") == []


def test_a_time_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    (note,) = notes(Slow(still_clock(monkeypatch)), "population=20", "generations=499", "seconds=9")
    assert note.endswith("images; seconds=9 ends it before")


def test_the_rate_of_a_batch() -> None:
    report = ClassifierReport(None, {}, (), 0, {1: 0.011, 5: 0.015, 60: 7.0})  # type: ignore[arg-type]
    assert report.rate(1) == pytest.approx(1 / 0.011)
    assert report.rate(3) == pytest.approx(3 / 0.013)
    assert report.rate(1000) == report.rate(60) == pytest.approx(60 / 0.18)  # its only call was compiled
    assert ClassifierReport(None, {}, (), 0).rate(3) is None  # type: ignore[arg-type]


# --- commands -----------------------------------------------------------------------------------------------------------

QUICK = ["prior=none", "runs=2", "population=10", "stop=end", "quiet=true"]


@pytest.mark.parametrize("digit", ["digit=3", "digit=3,4"])
def test_a_finished_command_goes_on_further(home: Path, digit: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*QUICK, digit]
    jobs = [""] if digit == "digit=3" else ["digit=3", "digit=4"]
    assert dispatch(["run", *words, "generations=4", "out=r"]) == 0
    assert dispatch(["run", *words, "generations=9", "out=r", "resume=true"]) == 0
    assert dispatch(["run", *words, "generations=9", "out=through"]) == 0
    assert status_of(Path("r")) == "done"
    assert [note for note in read_status(Path("r"))["notes"] if "extended" in note] == ["extended: search.generations 4 → 9"]
    for job in jobs:
        assert read_run(Path("r") / job)["generations"] == 9
        for image in (Path("through") / job / "images").iterdir():
            assert (Path("r") / job / "images" / image.name).read_bytes() == image.read_bytes()
    capsys.readouterr()
    assert dispatch(["run", *words, "generations=9", "out=r", "resume=true"]) == 0
    assert capsys.readouterr().out == "r is finished: nothing to resume\n"
    assert guarded(dispatch, ["run", *words, "generations=8", "out=r", "resume=true"]) == 2
    assert "search.generations is 9 there, 8 here); resume=true may raise it, not lower it" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "folder"), [rare("ladder", "rung=none,arm=with,digit=3"), ("run", "")])
def test_a_time_limit_of_a_command(home: Path, name: str, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["digit=3", "runs=2", "generations=100000", "stop=end", "seconds=1", "out=r"]
    more = ["rungs=none", "arms=with", "judges=[]"] if name == "ladder" else ["prior=none"]
    assert dispatch([name, *words, *more]) == 0
    run = read_run(Path("r") / folder)
    assert (run["status"], run["stopped_by"]) == ("done", "seconds")
    assert 1 <= run["seconds"] < 20
    assert name == "ladder" or "stopped by seconds=1 after generation" in capsys.readouterr().out
    assert "seconds: 1.0" in Path("r", folder, "config.yaml").read_text()
    assert json.loads((Path("r") / folder / "metrics.jsonl").read_text().splitlines()[-1])["running"] == 0


# --- before a job -------------------------------------------------------------------------------------------------------


class Timer:
    """A timer that a test lets expire."""

    made: ClassVar[list["Timer"]] = []

    def __init__(self, wait: float, function: Callable[..., None], args: list[str], kwargs: dict[str, Any]) -> None:
        self.wait, self.expire, self.state = wait, lambda: function(*args, **kwargs), "made"
        Timer.made.append(self)

    def start(self) -> None:
        self.state = "running"

    def cancel(self) -> None:
        self.state = "cancelled"


def test_a_line_comes_within_three_seconds_where_model_or_data_take_longer(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Timer, "made", [])
    monkeypatch.setattr(progress.threading, "Timer", Timer)
    slow = progress.working("reading", quiet=False, wait=1.5)
    with slow:
        (timer,) = Timer.made
        assert (timer.wait, timer.state) == (1.5, "running")
        timer.expire()
        assert capsys.readouterr().out == "reading …\n"
    assert timer.state == "cancelled"
    with progress.working("reading", quiet=True):
        assert len(Timer.made) == 1
    words = ["run", "digit=2", "prior=none", "runs=1", "population=6", "selected=2", "generations=1", "out=r"]
    assert guarded(dispatch, words) == 0
    assert [timer.wait for timer in Timer.made[1:]] == [progress.FIRST_SECONDS]
    assert Timer.made[1].wait < 2  # the imports take less than a second
    assert {timer.state for timer in Timer.made} == {"cancelled"}


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("part=q,digit=3", "attack, class 3"),
        ("part=priors,rung=variogram,arm=with,digit=3", "prior variogram, class 3"),
        ("part=priors,rung=eigen,arm=control,digit=0", "prior eigen, control without the classifier, class 0"),
        ("part=mismatch,prior=3,digit=5", "pair of classes, prior 3, class 5"),
        ("rung=none,arm=mismatched,digit=1", "prior none, prior of another class, class 1"),
        ("digit=2", "class 2"),
        ("somewhere", "somewhere"),
    ],
)
def test_jobs_are_in_words(folder: str, words: str) -> None:
    assert job_in_words(folder) == words
