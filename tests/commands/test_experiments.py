"""What all experiments share: folders, status, repetition, refusals, quick answers; each with classifiers of several kinds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pairwise import rare
from PIL import Image, ImageDraw

from fooling.commands import COMMANDS, dispatch
from fooling.errors import guarded
from fooling.settings import MARK
from fooling.settings.choices import defaults

EXPERIMENTS = [name for name, command in COMMANDS.items() if command.settings.startswith("fooling.settings.experiments:")]
QUICK = {
    "border": ["images=40", "offsets=0,2", "scales=0.5", "threshold=0.1"],
    "classify": ["four.png"],
    "damage": ["images=30", "runs=2", "repeats=2", "pictured=2", "digit=3,4", "dosage=10,50"],
    "eigen": ["components=4", "steps=1,4", "judges=[]", "shown=2"],
    "mean": ["runs=3", "digit=3,4", "priors=[none,variogram]", "generations=2"],
    "scramble": ["images=40", "shares=50,100"],
}
WITH_DATA = [name for name in QUICK if name != "classify"]


@pytest.fixture
def words(home: Path, pca_file: Path) -> Any:
    """What a quick run of an experiment needs, by its name."""
    picture = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(picture).line([(20, 10), (20, 35), (45, 35), (40, 15), (40, 50)], fill=0, width=6)
    picture.save(home / "four.png")

    def of(name: str, *more: str) -> list[str]:
        given = ["data.kind=sklearn"] if name in WITH_DATA else []
        return [name, *QUICK[name], *given, "classifier=pca", f"classifier.path={pca_file}", *more]

    return of


def test_the_table_is_complete() -> None:
    assert set(EXPERIMENTS) == set(QUICK)


@pytest.mark.parametrize("name", [name if name in ("border", "mean") else rare(name) for name in QUICK])
def test_each_leaves_a_record_that_can_be_repeated(name: str, words: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, words(name, "out=one")) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert said.splitlines()[-1].startswith(f"→ one: report.html, {name}.png, {name}.json")
    about, found = (json.loads(Path("one", f"{file}.json").read_text()) for file in ("experiment", name))
    assert (about["status"], about["command"]) == ("done", f"fooling {name}")
    assert about["versions"]["fooling"]
    assert about["seconds"] > 0
    with Image.open(f"one/{name}.png") as picture:
        assert min(picture.size) > 250
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    assert not [path.name for path in Path("one").rglob(".part-*")]
    assert guarded(dispatch, [name, "one/config.yaml", "out=two", "quiet=true"]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(Path(f"two/{name}.json").read_text()) == found
    assert "out" not in Path("two/config.yaml").read_text().split("classifier")[0].splitlines()[1]
    assert {path.name for path in Path("two").iterdir()} == {path.name for path in Path("one").iterdir()}


@pytest.mark.parametrize("name", QUICK)
def test_folders(name: str, words: Any, capsys: pytest.CaptureFixture[str]) -> None:
    Path("full").mkdir()
    Path("full/letter.txt").write_text("mine")
    assert guarded(dispatch, words(name, "out=full", "overwrite=true")) == 2
    assert "out=full: holds files that are no record of fooling" in capsys.readouterr().err
    other = next(one for one in QUICK if one != name)
    Path("other").mkdir()
    Path("other/experiment.json").write_text(json.dumps({"command": f"fooling {other}", "status": "done"}))
    assert guarded(dispatch, words(name, "out=other", "overwrite=true")) == 2
    assert f"out=other: was created by `fooling {other}`" in capsys.readouterr().err
    Path("ours").mkdir()
    Path("ours/experiment.json").write_text(json.dumps({"command": f"fooling {name}", "status": "running"}))
    Path("ours/letter.txt").write_text("mine")
    Path(f"ours/{name}.json").write_text("old")
    assert guarded(dispatch, words(name, "out=ours")) == 2
    assert (
        f"out=ours: holds an unfinished record of fooling {name} (running); resume=true continues it, overwrite=true"
        in capsys.readouterr().err
    )
    assert guarded(dispatch, words(name, "out=ours", "overwrite=true", "quiet=true")) == 0
    assert Path("ours/letter.txt").read_text() == "mine"
    assert json.loads(Path(f"ours/{name}.json").read_text())
    assert sorted(path.name for path in Path("full").iterdir()) == ["letter.txt"]


def test_a_job_and_an_experiment_leave_each_other_alone(words: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, words("scramble", "out=s", "quiet=true")) == 0
    for more in ([], ["overwrite=true"], ["digit=1,2"], ["digit=1,2", "overwrite=true"], ["resume=true"]):
        assert guarded(dispatch, ["run", "runs=2", "out=s", *more]) == 2
        told = capsys.readouterr().err
        assert "out=s: holds" in told or "other settings" in told
    Path("job").mkdir()
    Path("job/config.yaml").write_text(f"{MARK}python -m fooling.run config.yaml\ndigit: 2\n")
    assert guarded(dispatch, words("scramble", "out=job", "overwrite=true")) == 2
    assert "out=job: holds a single job" in capsys.readouterr().err
    assert guarded(dispatch, ["plausibility", "s"]) == 2
    assert "holds no record of fooling" in capsys.readouterr().err


def test_a_folder_of_its_own(words: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, words("classify", "quiet=true")) == 0
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("classify-")
    assert (folder / "classify.json").exists()


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("out of luck"), "failed"), (KeyboardInterrupt(), "interrupted")])
def test_what_breaks_off_never_looks_finished(
    words: Any, error: BaseException, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fooling.commands import scramble as work

    def broken(*_: Any) -> Any:
        raise error

    unbroken = work.most_read
    monkeypatch.setattr(work, "most_read", broken)
    if status == "failed":
        with pytest.raises(RuntimeError, match="out of luck"):
            dispatch(words("scramble", "out=s", "quiet=true"))
    else:
        assert guarded(dispatch, words("scramble", "out=s", "quiet=true")) == 130
    assert json.loads(Path("s/experiment.json").read_text())["status"] == status
    assert not Path("s/scramble.json").exists()
    monkeypatch.setattr(work, "most_read", unbroken)
    assert guarded(dispatch, words("scramble", "out=s", "quiet=true", "overwrite=true")) == 0


@pytest.mark.parametrize("name", WITH_DATA)
def test_bad_input_leaves_nothing(name: str, words: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for bad, message in (
        ("data.path=nowhere data.kind=auto", "nowhere"),
        ("digit=12", "digit=12: expected classes from 0 to 9"),
        (
            "digit=-1",
            "digit: expected a class index from 0 on or a class name, a list of different ones such as 0,1,2, or all, got -1",
        ),
        ("digit=any", "only `fooling run` takes any"),
        ("seed=-1", "seed: expected 0 or more, got -1"),
        ("classifier.scale=2", "classifier.scale: expected an external model"),
        ("imagse=3", "unknown setting 'imagse'"),
    ):
        given = {word.partition("=")[0] for word in bad.split(" ")}
        kept = [word for word in words(name) if word.partition("=")[0] not in given]
        assert guarded(dispatch, [*kept, *bad.split(" ")]) == 2
        told = capsys.readouterr().err
        assert message in told
        assert len(told.splitlines()) == 1
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", ["border", "eigen", "scramble"])
def test_real_images_are_needed(name: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, [name]) == 2
    assert f"fooling {name} needs real images: give data.path=FOLDER" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in QUICK if name != "damage"])
def test_foreign_classifiers(name: str, words: Any, capsys: pytest.CaptureFixture[str]) -> None:
    Path("experiment_scores.py").write_text(
        "import numpy as np\n\ndef make():\n    weights = np.random.default_rng(0).normal(size=(64, 10))\n"
        "    return lambda x: (lambda p: p / p.sum(axis=1, keepdims=True))(np.exp(x.reshape(len(x), -1) @ weights))\n"
    )
    kept = [word for word in words(name) if not word.startswith("classifier")]
    given = ["classifier=python", "classifier.path=experiment_scores:make", "classifier.shape=8,8,1", "out=f"]
    assert guarded(dispatch, [*kept, *given]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_help_answers_without_heavy_imports(name: str, home: Path) -> None:
    code = (
        f"import sys; from fooling.commands import dispatch; dispatch([{name!r}, '--help'])\n"
        "heavy = {'numpy', 'jax', 'numba', 'matplotlib', 'rich', 'PIL', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"usage: fooling {name}" in done.stdout


def test_defaults_are_what_the_documents_say() -> None:
    assert {0.01, 0.1, 1, 10} <= set(defaults("damage")["dosage"])
    assert (defaults("scramble")["shares"][0], defaults("scramble")["shares"][-1]) == (0, 100)
    assert defaults("mean")["digit"] == "all"
    assert defaults("mean")["priors"] == "all"
