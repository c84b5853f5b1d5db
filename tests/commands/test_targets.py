"""Targets by name in whole commands, what a job that failed says, and dreams that have no target."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import random_dense

from fooling.commands import dispatch
from fooling.commands.run import change, on_log_scale
from fooling.errors import guarded
from fooling.plots.record import caption_of, title_of
from fooling.records.record import read_run
from fooling.run import evolve, prepare, run_job
from fooling.settings import dump, load
from fooling.settings.names import as_words
from fooling.settings.schema import RunSettings

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
QUICK = ("prior=none", "runs=2", "generations=3", "population=10")


@pytest.fixture
def names(home: Path) -> str:
    (home / "n.txt").write_text("\n".join(WORDS))
    return "classifier.labels=n.txt"


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert guarded(dispatch, ["run", *words]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_a_target_by_name_is_a_job_of_its_index(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "target=seven", names, *QUICK, "out=r")
    assert out.startswith("target seven (digit=7): 2 runs, prior none, classifier mnist_mlp → r\n")
    assert re.search(r"^digit +target .*\n +7 +seven ", out, re.MULTILINE)
    run = read_run(Path("r"))
    assert (run["digit"], run["label"]) == (7, "seven")
    for image in run["images"]:
        for key, label in (("digit", "label"), ("predicted", "predicted_label"), ("runner_up", "runner_up_label")):
            assert image[label] == WORDS[image[key]]
    assert "\ndigit: 7\n" in Path("r/config.yaml").read_text()
    assert title_of(run) == "mnist_mlp, target seven, prior none, search=ga"
    assert caption_of(run, {**run["images"][0], "confidence": 0.5}) == ["seven: 50.00 %"]
    for word in ("target=seven", "digit=7"):
        assert "nothing to resume" in said(capsys, word, names, *QUICK, "out=r", "resume=true")


def test_a_sweep_by_names(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "target=two,seven", names, *QUICK, "out=s")
    assert [line.split()[:2] for line in out.splitlines() if re.match(r" +[27] ", line)] == [["2", "two"], ["7", "seven"]]
    assert sorted(path.name for path in Path("s").glob("digit=*")) == ["digit=2", "digit=7"]
    assert "nothing to resume" in said(capsys, "target=two,seven", names, *QUICK, "out=s", "resume=true")


def test_a_name_that_no_class_has_writes_nothing(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    err = said(capsys, "target=sevne", names, *QUICK, "out=r", code=2)
    assert "digit=sevne: no class has this name; did you mean seven (digit=7)?" in err
    assert not Path("r").exists()


NUMBERED = [f"{k:04d}" for k in range(1, 11)]  # 0002 is class 1


@pytest.mark.parametrize("word", ["digit=0002", 'digit="0002"', "digit=0002,0009"])
def test_labels_with_zeros_are_names(home: Path, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    labels = f"classifier.labels=[{','.join(NUMBERED)}]"
    assert "0002 (class 1)" in said(capsys, word, labels, *QUICK, "out=r")
    assert "0002 (class 1)" in said(capsys, "r/config.yaml", "out=s")
    image = Path("digit=1/images/0000.png") if "," in word else Path("images/0000.png")
    assert ("r" / image).read_bytes() == ("s" / image).read_bytes()
    digit = ["0002", "0009"] if "," in word else "0002"
    found = evolve(*QUICK, digit=digit, classifier={"name": "mnist_mlp", "labels": NUMBERED})
    result = found[0] if isinstance(found, list) else found
    assert (result.digit, result.label(1), result.label(0)) == (1, "0002", "0001")


@pytest.mark.parametrize("label", ["0009", "0001", "1e3", "yes", "null", "~", "1_0", " x", "a: b", "", "-7", "0x10", "12:30"])
def test_texts_are_texts_in_yaml(home: Path, label: str) -> None:
    settings = load(as_words("classifier.labels", [label, "b"]))
    assert settings.classifier.labels == (label, "b")
    Path("c.yaml").write_text(dump(settings))
    assert load(["c.yaml"]) == settings


def test_an_index_may_begin_with_a_zero(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "digit 2:" in said(capsys, "digit=02", *QUICK, "out=r")


def test_a_small_budget_is_refused_once_the_search_is_known(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "budget: expected at least 100, got 50" in said(capsys, "budget=50", "out=r", code=2)
    assert not Path("r").exists()


def test_python_takes_names() -> None:
    labels = ["a, b", *WORDS[1:]]
    result = evolve(*QUICK, target="a, b", classifier={"name": "mnist_mlp", "labels": labels})
    assert (result.digit, result.target, result.label(3)) == (0, "a, b", "three")
    assert (result.runner_up != result.predicted).all()


def test_a_job_that_failed_says_how_far_it_came(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    last = said(capsys, "digit=2", *QUICK).splitlines()[-1]
    assert last.startswith("failed: none of 2 images reached threshold=0.9999 with the target as the class of the largest")
    assert re.search(r"; best confidence \S+( %)? = (1 − )?10\^-\d+\.\d, (still rising|falling|unchanged)", last)
    assert re.search(r"; try .*gradients \(search=ascent\) or whichever class is easiest \(digit=any\)$", last)
    last = said(capsys, "digit=2", "runs=1", "generations=3", "population=10", "tol=1e-9").splitlines()[-1]
    assert re.search(r"failed: the image did not reach a cost below tol=1e-09; best cost 0\.\d+, .*\(prior=none\)$", last)


@pytest.mark.parametrize("words", [("control=true",), ("digit=3", "threshold=1e-9", "stop=threshold", "generations=400")])
def test_controls_and_jobs_that_succeed_do_not(home: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    changed = {word.partition("=")[0] for word in words}
    out = said(capsys, *(word for word in QUICK if word.partition("=")[0] not in changed), *words)
    assert "failed" not in out
    assert ("threshold=0.9999" in out) == ("control=true" in words)  # which threshold the count is of
    assert out.splitlines()[-1].startswith("→ ")


def test_some_images_that_missed_are_counted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("digit=2", "prior=none", "runs=6", "generations=12", "population=10")
    confidences = np.sort(evolve(*words).confidences)
    threshold = f"threshold={confidences[2] + (confidences[3] - confidences[2]) / 2:.9f}"
    out = said(capsys, *words, threshold)
    missed = 6 - int(re.findall(r"(\d)/6", out)[-1])
    assert out.splitlines()[-1].startswith(f"{missed} of 6 images did not reach threshold=") == (missed < 6)


@pytest.mark.parametrize(
    ("confidence", "text"),
    [
        (1.26e-3, "1.3e-3 = 10^-2.9"),
        (4e-12, "4.0e-12 = 10^-11.4"),
        (0.25, "25.00 % = 10^-0.6"),
        (0.9985, "99.85 % = 1 − 10^-2.8"),
        (0.0, "0"),
        (1.0, "> 99.99 %"),
    ],
)
def test_confidences_on_a_log_scale(confidence: float, text: str) -> None:
    assert on_log_scale(confidence) == text


def test_a_search_that_rises_says_so() -> None:
    (job,) = prepare(load(["digit=2", *QUICK], RunSettings))
    result = run_job(job)
    generations = np.arange(101.0)
    for end, sign in ((1e-2, 1), (1e-3, 0), (1e-4, -1)):
        confidence = np.where(generations > 95, end, 1e-3)
        result.history.update(generation=generations, confidence=confidence)
        assert np.sign(round(change(job, result), 6)) == sign


@pytest.mark.exhaustive
def test_a_dream_of_a_layer_has_no_target(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "search=dream", "layer=conv2", "channel=3", "runs=2", "generations=4", "classifier=mnist_cnn", "out=r")
    assert "\nlayer conv2, channel 3: 2 runs" in f"\n{out}"  # where kernels are compiled first, another line says so
    assert not re.search(r"confidence|converged|%|digit|failed", out)
    run = read_run(Path("r"))
    assert (run["unit"], run["label"]) == ("layer conv2, channel 3", None)
    assert title_of(run) == "mnist_cnn, layer conv2, channel 3, prior none, search=dream"
    assert caption_of(run, run["images"][0]) == []
    assert not {"success.png", "mean_converged.png"} & {path.name for path in Path("r").iterdir()}


@pytest.mark.parametrize(("digit", "classes"), [("all", [0, 1]), ("none", [2])])
def test_a_class_none_is_left_out_of_all_and_attacked_by_its_name(digit: str, classes: list[int]) -> None:
    network = replace(random_dense((8, 8, 1), classes=3), labels=("cat", "dog", "none"))
    jobs = prepare(load(["classifier=mlp", f"digit={digit}", "prior=none"], RunSettings, "run"), network)
    assert [job.objective.digit for job in jobs] == classes
    assert any("digit=2" in note for note in jobs[0].report.notes) == (digit == "all")
