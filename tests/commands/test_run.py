"""The main job as a user meets it: command, sweep, signals, refusals, and the same as a function."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network, random_statistics
from pairwise import rare

import fooling
from fooling.commands import COMMANDS, dispatch
from fooling.commands.run import folder_name
from fooling.errors import UserError, guarded
from fooling.kernels.numba import DELTA_PENALTIES
from fooling.records.files import locked
from fooling.records.record import read_image, read_run, status_of
from fooling.report import REPORT_FILES
from fooling.search.objective import TERMS
from fooling.settings import load
from fooling.settings.schema import RunSettings

QUICK = ["runs=3", "generations=12", "population=20"]
LONG = ["runs=8", "generations=600", "digit=3"]  # seconds, so that signals arrive in its midst


def command(*words: str, code: int = 0, module: str = "fooling.run") -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", module, *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


def call(*words: str) -> int:
    """The command in this process."""
    return guarded(dispatch, words)


# --- the job ----------------------------------------------------------------------------------------------------------


def test_main_command(home: Path) -> None:
    done = command("digit=2", *QUICK)
    (folder,) = (home / "runs").iterdir()
    run = read_run(folder)
    assert (run["status"], run["evaluations"], len(run["images"])) == ("done", 3 * 20 * 13, 3)
    assert done.stderr == ""
    for word in ("generation", "evaluations/s", "cost best", "median", "confidence", "converged", "contact_sheet.png"):
        assert word in done.stdout
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["generation"] for line in lines] == list(range(13))


@pytest.mark.exhaustive
def test_console_script_is_the_same(home: Path) -> None:
    assert call("run", "digit=2", *QUICK, "out=a", "quiet=true") == 0
    done = command("digit=2", *QUICK, "out=b", "quiet=true", module="fooling.run")
    assert done.stdout == ""
    assert [path.read_bytes() for path in sorted(Path("a/images").iterdir())] == [
        path.read_bytes() for path in sorted(Path("b/images").iterdir())
    ]


def test_the_records_settings_repeat_the_job_in_a_new_folder(home: Path) -> None:
    assert call("run", "digit=4", "seed=5", *QUICK, "quiet=true") == 0
    (first,) = Path("runs").iterdir()
    assert call("run", f"{first}/config.yaml", "quiet=true", "threads=1") == 0
    (again,) = set(Path("runs").iterdir()) - {first}
    for path in (first / "images").iterdir():
        assert (again / "images" / path.name).read_bytes() == path.read_bytes()


def test_sweep(home: Path) -> None:
    assert call("run", "digit=0,1,7", *QUICK, "out=s") == 0
    sweep = json.loads(Path("s/sweep.json").read_text())
    assert sweep["status"] == "done"
    assert [(job["folder"], job["digit"], job["status"]) for job in sweep["jobs"]] == [
        (f"digit={k}", k, "done") for k in (0, 1, 7)
    ]
    assert read_image(Path("s/contact_sheet.png")).shape[0] > 3 * 84
    assert [path.parent.name for path in Path("s").rglob("success.png")] == ["s"]
    assert read_run(Path("s/digit=7"))["digit"] == 7
    single = fooling.evolve(digit=7, runs=3, generations=12, population=20)
    assert np.array_equal(read_image(Path("s/digit=7/images/0002.png")), single.images[2])


def test_all_is_every_class_and_a_finished_sweep_resumes_to_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "digit=all", "runs=1", "generations=2", "population=4", "selected=2", "out=s"]
    assert call(*words) == 0
    assert len(list(Path("s").glob("digit=*/run.json"))) == 10
    capsys.readouterr()
    assert call(*words, "resume=true") == 0
    assert capsys.readouterr().out == "s is finished: nothing to resume\n"


def test_an_interrupted_sweep_goes_on(home: Path) -> None:
    words = ["run", "digit=0,1", *QUICK, "quiet=true"]
    assert call(*words, "out=s") == 0
    assert call(*words, "out=t") == 0
    for path in (Path("t/sweep.json"), Path("t/digit=1/run.json")):
        path.write_text(json.dumps({**json.loads(path.read_text()), "status": "interrupted"}))
    assert call(*words, "out=t") == 2
    assert call(*words, "out=t", "resume=true") == 0
    for path in Path("s").glob("*/images/*.png"):
        assert (Path("t") / path.relative_to("s")).read_bytes() == path.read_bytes()


def test_a_running_sweep_is_left_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "digit=0,1", *QUICK, "out=s", "quiet=true"]
    assert call(*words) == 0
    before = Path("s/sweep.json").read_bytes()
    with locked(Path("s")):
        for word in ("overwrite=true", "resume=true"):
            Path("s/sweep.json").write_bytes(before.replace(b'"done"', b'"running"', 1))
            assert call(*words, word) == 2
            assert "another process is writing to it" in capsys.readouterr().err
            assert status_of(Path("s/digit=0")) == "done"
            assert status_of(Path("s")) == "running"
    assert call("run", "digit=1", *QUICK, "out=s", "quiet=true", "overwrite=true") == 2
    assert "holds a sweep" in capsys.readouterr().err
    assert call("run", "digit=1,2", *QUICK, "out=s", "quiet=true", "overwrite=true") == 0
    assert not Path("s/digit=0").exists()
    assert {path.name for path in Path("s").iterdir()} == {
        *("config.yaml", "contact_sheet.png", "success.png", "sweep.json"),
        *("digit=1", "digit=2"),
        *REPORT_FILES,
    }


def test_control_spends_all_its_evaluations_and_ignores_the_classifier(home: Path) -> None:
    common: dict[str, Any] = {"runs": 3, "generations": 12, "population": 20, "stop": "threshold", "threshold": 0.01}
    control, twin = fooling.evolve(control=True, **common), fooling.evolve(**common)
    assert control.evaluations.tolist() == [20 * 13] * 3
    assert twin.evaluations.max() < 20 * 13
    assert control.cost == pytest.approx(control.terms["histogram"] + control.terms["variogram"], abs=1e-6)


def test_budget_is_never_exceeded() -> None:
    result = fooling.evolve(runs=2, budget=105, population=20)
    assert result.evaluations.tolist() == [100, 100]


@pytest.mark.exhaustive
def test_statistics_are_fitted_to_data_where_data_are_given(home: Path) -> None:
    assert call("train", "data.kind=sklearn", "epochs=3", "hidden=10", "out=m.safetensors", "quiet=true") == 0
    assert call("stats", "data.kind=sklearn", "out=s.npz", "quiet=true") == 0
    words = ["run", "classifier.path=m.safetensors", *QUICK, "quiet=true"]
    assert call(*words, "prior.statistics=s.npz", "out=a") == 0
    assert call(*words, "data.kind=sklearn", "out=b") == 0
    assert read_run(Path("a"))["statistics_fingerprint"] == read_run(Path("b"))["statistics_fingerprint"]
    assert read_image(Path("a/images/0000.png")).shape == (8, 8, 1)


def test_a_term_that_is_scored_in_full_is_told_once(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("run", *QUICK, "out=fast") == 0
    assert "in full" not in capsys.readouterr().out
    monkeypatch.delitem(DELTA_PENALTIES, "histogram")
    assert call("run", *QUICK, "out=slow") == 0
    note = "the term histogram has no delta evaluation: it is scored in full"
    assert capsys.readouterr().out.count(note) == 1
    assert read_run(Path("slow"))["notes"] == [note]
    assert read_run(Path("fast"))["notes"] == []
    assert Path("slow/images/0000.png").read_bytes() == Path("fast/images/0000.png").read_bytes()


def test_scoring_changes_no_image(home: Path) -> None:
    for scoring in ("difference", "dense"):
        assert call("run", *QUICK, f"engine.scoring={scoring}", f"out={scoring}", "quiet=true") == 0
    one, other = (read_run(Path(scoring)) for scoring in ("difference", "dense"))
    assert one["images"] == other["images"]
    assert 0 < one["changed_evaluations"] == other["changed_evaluations"] <= one["evaluations"]


# --- as a function ----------------------------------------------------------------------------------------------------


def test_evolve_gives_arrays(home: Path) -> None:
    rows: list[Any] = []
    result = fooling.evolve(digit=2, runs=3, generations=12, population=20, watch=rows.append)
    assert result.images.shape == (3, 28, 28, 1)
    assert result.images.dtype == np.uint8
    assert result.confidences.shape == (3,)
    assert np.array_equal(result.scores, fooling.load_classifier()(result.images))
    assert set(result.terms) == set(TERMS)
    assert result.history["generation"].tolist() == list(range(13))
    assert len(rows) == 13
    assert list(home.iterdir()) == []  # nothing is written unless asked


def test_evolve_is_the_command(home: Path) -> None:
    assert call("run", "digit=6", *QUICK, "weights.variogram=0.5", "out=a", "quiet=true") == 0
    result = fooling.evolve("weights.variogram=0.5", digit=6, runs=3, generations=12, population=20, out="b")
    nested = fooling.evolve(
        digit=6, runs=3, search={"generations": 12, "population": 20}, prior={"weights": {"variogram": 0.5}}
    )
    assert np.array_equal(result.images, nested.images)
    grouped = fooling.evolve(classifier={"name": "mnist_mlp2"}, digit=1, runs=1, generations=1, out="c")
    assert read_run(Path("c"))["classifier"] == "mnist_mlp2"
    named = fooling.evolve(classifier="mnist_mlp2", digit=1, runs=1, generations=1)
    assert np.array_equal(grouped.scores, named.scores)
    for i, image in enumerate(result.images):
        assert np.array_equal(image, read_image(Path(f"a/images/{i:04d}.png")))
    assert result.folder == "b"


def test_a_record_of_an_object_does_not_say_that_it_was_the_bundled_one(home: Path) -> None:
    classifier = random_network((28, 28, 1), 10)
    fooling.evolve(classifier=classifier, runs=1, generations=1, out="r")
    assert read_run(Path("r"))["classifier"] == "object DenseNetwork"
    assert call("run", "r/config.yaml") == 2
    with pytest.raises(UserError, match=r"statistics: expected fooling\.Statistics or a file's name, got int"):
        fooling.evolve(statistics=5)  # type: ignore[arg-type]


def test_a_record_may_be_of_wide_images(home: Path) -> None:
    shape = (2, 4096, 1)
    words = {"runs": 20, "generations": 1, "population": 2, "selected": 1, "classifier": random_network(shape)}
    fooling.evolve(**words, digit=1, statistics=random_statistics(shape), out="r")
    assert status_of(Path("r")) == "done"


def test_status_of_a_recorded_function(home: Path) -> None:
    fooling.evolve(runs=1, generations=1, out="b")
    assert status_of(Path("b")) == "done"


def test_evolve_takes_any_classifier_and_sweeps() -> None:
    shape = (9, 13, 1)
    results = fooling.evolve(
        digit=[0, 3],
        runs=2,
        generations=3,
        population=8,
        classifier=random_network(shape),
        statistics=random_statistics(shape),
        seed=2,
    )
    assert [result.digit for result in results] == [0, 3]
    assert results[0].images.shape == (2, *shape)


def test_evolve_refuses_as_the_command_does() -> None:
    with pytest.raises(UserError, match=r"search\.population: expected 2 or more, got 1"):
        fooling.evolve(population=1)
    with pytest.raises(ValueError, match="digit=12: expected a class"):
        fooling.evolve(digit=12)
    with pytest.raises(UserError, match="resume and overwrite need out=FOLDER"):
        fooling.evolve(resume=True)


def test_public_names() -> None:
    for name in fooling.__all__:
        assert getattr(fooling, name) is not None
    assert set(fooling.__all__) == set(fooling.PUBLIC)
    with pytest.raises(AttributeError, match="no attribute 'evolv'"):
        fooling.evolv  # noqa: B018


# --- signals ----------------------------------------------------------------------------------------------------------


def begin(*words: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "fooling.run", *LONG, *words]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, lines: int = 1) -> None:
    for _ in range(600):
        if path.exists() and len(path.read_bytes().splitlines()) >= lines:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The long job, never interrupted."""
    folder = tmp_path_factory.mktemp("through") / "r"
    command(*LONG, f"out={folder}", "quiet=true")
    return folder


def same_images(one: Path, other: Path) -> bool:
    paths = sorted((one / "images").iterdir())
    return len(paths) == 8 and all(path.read_bytes() == (other / "images" / path.name).read_bytes() for path in paths)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), rare(signal.SIGTERM, 143)])
def test_a_signal_leaves_a_checkpoint_and_the_same_command_goes_on(
    home: Path, through: Path, number: signal.Signals, code: int
) -> None:
    process = begin()
    wait_for_any = time.monotonic() + 60
    while not list(home.glob("runs/*/metrics.jsonl")) and time.monotonic() < wait_for_any:
        time.sleep(0.05)
    (folder,) = (home / "runs").iterdir()
    wait_for(folder / "metrics.jsonl", 12)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert len(errors.splitlines()) == 1
    assert errors.endswith("Continue: python -m fooling.run runs=8 generations=600 digit=3 resume=true\n")
    assert status_of(folder) == "interrupted"
    done = command(*LONG, "resume=true", "quiet=true")
    assert done.stderr == ""
    assert [path.name for path in (home / "runs").iterdir()] == [folder.name]
    assert same_images(folder, through)


@pytest.mark.parametrize("moment", [rare("config.yaml"), rare("metrics.jsonl")])
def test_a_killed_job_goes_on(home: Path, through: Path, moment: str) -> None:
    process = begin("out=r")
    wait_for(Path("r") / moment)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert status_of(Path("r")) == "running"
    command(*LONG, "out=r", "resume=true", "quiet=true")
    assert same_images(Path("r"), through)
    assert len(Path("r/metrics.jsonl").read_text().splitlines()) == len((through / "metrics.jsonl").read_text().splitlines())


def test_resuming_says_what_it_does(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", *QUICK, "out=r", "quiet=true"]
    assert call(*words, "resume=true") == 0  # nothing there yet: it starts
    assert capsys.readouterr().out == "nothing to resume: starting in r\n"
    assert call(*words, "resume=true") == 0
    assert capsys.readouterr().out == "r is finished: nothing to resume\n"
    assert call(*words) == 2
    assert "holds a finished job" in capsys.readouterr().err
    assert call(*words, "seed=9", "resume=true") == 2
    assert "holds a job with other settings (seed is 0 there, 9 here)" in capsys.readouterr().err
    with pytest.raises(UserError, match="holds a job with other settings"):
        fooling.evolve(runs=4, out="r", resume=True)
    assert call(*words, "seed=9", "overwrite=true") == 0


def test_resuming_with_other_weights_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random_network((28, 28, 1), 10, seed=1).save(Path("n.safetensors"))
    words = ["run", *QUICK, "classifier.path=n.safetensors", "out=r", "quiet=true"]
    assert call(*words) == 0
    run = read_run(Path("r"))
    Path("r/run.json").write_text(json.dumps({**run, "status": "interrupted"}))
    random_network((28, 28, 1), 10, seed=2).save(Path("n.safetensors"))
    assert call(*words, "resume=true") == 2
    assert "out=r: was begun with another classifier under the same name" in capsys.readouterr().err


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digit=12"], "digit=12: expected a class from 0 to 9 of the classifier, got 12"),
        (["digit=1,12"], "digit=12: expected a class from 0 to 9"),
        (["prior.digit=10"], "prior.digit=10: expected a class from 0 to 9 of the statistics"),
        (["lags=20"], "prior.lags=20: the statistics hold lags 1…14"),
        (["statistics=none.npz"], "prior.statistics=none.npz: no such file"),
        (["statistics=junk"], "junk: not an .npz file of plain arrays"),
        (["classifier.path=junk"], "classifier.path=junk: cannot be read as safetensors"),
        (["classifier.path=none"], "classifier.path=none: no such file"),
        (["data.path=none"], "data.path=none: no such file or folder"),
        (["data.kind=npz"], "expected a path for data.kind=npz"),
        (["out=junk"], "out=junk: expected a folder, got a file"),
        (["out=junk/below"], "junk is a file; give another folder"),
        (["out=/proc/fooling"], "cannot write /proc/fooling"),
        (["digit=0,1", "out=junk"], "out=junk: expected a folder, got a file"),
        (["nonsense"], "'nonsense': expected key=value"),
        (["junk"], "junk"),
    ],
    ids=str,
)
def test_refusals_leave_nothing_behind(home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    Path("junk").write_bytes(b"\x00junk")
    assert call("run", *words, *QUICK) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) <= 2
    assert captured.err.startswith("fooling: ")
    assert "digit 2:" not in captured.out or "/proc" in message  # the job is not announced; of /proc the system says it late
    assert [path.name for path in home.iterdir()] == ["junk"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rum"], "unknown command 'rum': did you mean 'run'?"),
        (["digit=2"], "unknown command 'digit=2': fooling run digit=2 evolves images"),
        (["train"], "data.path: expected a folder of IDX files"),
        (["stats", "bins=0", "data.kind=sklearn"], "bins: expected 1 or more, got 0"),
        (["stats", "data.path=missing"], "data.path=missing: no such file or folder"),
        (["stats", "data.kind=sklearn", "out=no/where.npz"], "the folder no does not exist"),
        (["stats", "data.kind=sklearn", "out=."], "expected a file's name, got a folder"),
        (
            ["train", "data.kind=sklearn", "classifier=vgg"],
            "classifier: expected one of cnn, digits_perceptron, ensemble, http, huggingface, keras, mlp, mnist_cnn",
        ),
    ],
    ids=str,
)
def test_refusals_of_commands(home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert call(*words) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert list(home.iterdir()) == []


def test_existing_files_are_not_overwritten(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.npz").write_text("mine")
    assert call("stats", "data.kind=sklearn", "out=s.npz") == 2
    assert "s.npz: exists already, and is no file of this command; give another name" in capsys.readouterr().err
    assert Path("s.npz").read_text() == "mine"
    assert call("stats", "data.kind=sklearn", "out=s.npz", "overwrite=true") == 0
    assert "g_x(1)" in capsys.readouterr().out
    assert call("stats", "data.kind=sklearn", "out=s.npz") == 2
    assert "exists already; overwrite=true replaces it" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_a_terminal_without_arrows(home: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    arguments = [sys.executable, "-m", "fooling.run", *QUICK]
    done = subprocess.run(arguments, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert b"? runs/digit=2" in done.stdout


def test_a_refusal_from_the_command_line_itself(home: Path) -> None:
    done = command("--digit", "2", code=2)
    assert done.stderr.startswith("fooling: --digit: expected a setting without dashes, digit=2, got --digit ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_job_larger_than_the_memory(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*words: Any) -> None:
        raise MemoryError("Unable to allocate 73.0 GiB")

    monkeypatch.setattr("fooling.search.genetic.numba.NumbaEngine.init", full)
    assert call("run", "out=r") == 2
    assert re.fullmatch(r"fooling: .*memory.*73\.0 GiB.*fewer runs.*\n", capsys.readouterr().err)
    assert status_of(Path("r")) == "failed"


def test_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    overview = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in overview
        assert call(name, "--help") == 0
        assert capsys.readouterr().out.startswith("usage: ")
    assert call("--version") == 0
    assert capsys.readouterr().out.strip() == fooling.__version__


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "digit=2-variogram"),
        (["prior=eigen"], "digit=2-eigen-anneal"),
        (["digit=0,1", "prior=none", "classifier=mnist_cnn", "control=true"], "sweep-none-mnist_cnn-control"),
    ],
)
def test_folders_that_nobody_named_tell_jobs_apart(words: list[str], name: str) -> None:
    assert folder_name(load(words, RunSettings, "run")) == name
