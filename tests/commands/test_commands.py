"""What every command shares: one row in the table, one way to run, to be interrupted and to go on."""

import io
import json
import logging
import re
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from pkgutil import resolve_name
from types import SimpleNamespace
from typing import Any

import pytest
from pairwise import pairwise, rare
from rich.console import Console

from fooling.commands import COMMANDS, Command, compilation, dispatch, load_settings
from fooling.commands.compilation import compilation_note
from fooling.commands.console import InterruptHandler, show_table
from fooling.errors import UserError, guarded
from fooling.records.record import read_run, status_of
from fooling.settings import load
from fooling.settings.names import leaves

TOY = """
from pathlib import Path

from toy_settings import ToySettings
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import GridEntry
from fooling.commands.jobs import make_jobs, open_checked


def plan(settings, _words):
    words = ["prior=none", "digit=0,1", "runs=2", "generations=3", f"seed={settings.seed}"]
    classifier = open_checked(settings.classifier, None)
    return Plan([GridEntry(job, {"side": side}) for side in "ab" for job in make_jobs(settings, classifier, None, words)])


def compute(settings, plan, results, watch):
    content = {"times": settings.times, "evaluations": [int(result.evaluations.sum()) for result in results]}
    return Summary(content, ["jobs"], [[str(len(results))]], ["a toy"])


def draw(folder, summary):
    (folder / "toy.png").write_text("a picture")


COMMAND = Experiment("toy", plan, compute, draw, ("toy.json", "toy.png"))
"""
TOY_SETTINGS = '''
from pydantic import Field
from fooling.settings.classifiers import AnyClassifierSettings
from fooling.settings.experiments import ExperimentSettings
from fooling.settings.fields import Int


class ToySettings(ExperimentSettings):
    """A toy."""

    seed: Int = Field(description="random seed")
    times: Int = Field(ge=1, description="how often")
    classifier: AnyClassifierSettings
'''
DEFAULTS = "extends: run\nonly: [classifier, seed, out, resume, overwrite, quiet]\ntimes: 1\n"


@pytest.fixture
def toy(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command that is nothing but its file, its settings with their defaults, and one row."""
    from fooling.settings import choices

    (home / "toy_command.py").write_text(TOY)
    (home / "toy_settings.py").write_text(TOY_SETTINGS)
    folder = choices.configs_folder()
    (home / "configs").mkdir()
    for path in folder.iterdir():
        (home / "configs" / path.name).symlink_to(path)
    (home / "configs" / "toy.yaml").write_text(DEFAULTS)
    monkeypatch.setattr(choices, "configs_folder", lambda: home / "configs")
    monkeypatch.syspath_prepend(home)
    for name in ("toy_command", "toy_settings"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(COMMANDS, "toy", Command("Toys", "play", "toy_settings:ToySettings", "toy_command"))
    return home


def test_a_command_is_its_file_its_settings_and_one_row(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch([]) == 0
    assert "Toys:\n  toy           play\n" in capsys.readouterr().out
    assert dispatch(["toy", "--help"]) == 0
    assert "times=" in capsys.readouterr().out
    assert "toy_command" not in sys.modules
    assert guarded(dispatch, ["toy", "times=0", "out=t"]) == 2
    assert "times" in capsys.readouterr().err
    assert "toy_command" not in sys.modules
    assert dispatch(["toy", "times=3", "out=t"]) == 0
    assert capsys.readouterr().out.endswith("jobs\n4   \na toy\n→ t: toy.png, toy.json\n")
    about = json.loads(Path("t/experiment.json").read_text())
    assert (about["status"], about["command"], about["seed"]) == ("done", "fooling toy", 0)
    folders = [f"side={side},digit={digit}" for side in "ab" for digit in (0, 1)]
    assert [job["folder"] for job in about["jobs"]] == folders
    assert {read_run(Path("t") / name)["status"] for name in folders} == {"done"}
    assert json.loads(Path("t/toy.json").read_text())["times"] == 3
    assert dispatch(["toy", "times=3", "out=t", "resume=true"]) == 0
    assert capsys.readouterr().out == "t is finished: nothing to resume\n"
    assert guarded(dispatch, ["toy", "times=2", "out=t", "resume=true"]) == 2
    assert "times is 3 there, 2 here" in capsys.readouterr().err
    assert dispatch(["toy", "t/config.yaml", "out=t", "overwrite=true", "seed=4", "quiet=true"]) == 0
    assert json.loads(Path("t/experiment.json").read_text())["seed"] == 4


def images_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*=*/images/*.png")}


def without_times(name: str, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return found


@pytest.mark.parametrize(
    "words",
    [
        rare(["mean", "runs=3", "digit=3,4", "priors=[none,variogram]", "generations=6"]),
        ["damage", "runs=2", "repeats=2", "pictured=2", "digit=3,4", "neurons=1,20", "generations=6"],
    ],
    ids=["mean", "damage"],
)
def test_an_interrupted_experiment_goes_on(
    home: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *_ = words
    assert dispatch([*words, "out=whole", "quiet=true"]) == 0

    def stop(self: InterruptHandler, count: list[int] = [0]) -> bool:  # noqa: B006
        count[0] += 1
        self.code = 130 if count[0] == 9 else 0  # in the second job
        return self.code != 0

    with monkeypatch.context() as patch:
        patch.setattr(InterruptHandler, "stop_requested", stop)
        assert dispatch([*words, "out=parts", "quiet=true"]) == 130
    again = shlex.join([*words, "out=parts", "quiet=true", "resume=true"])
    assert f"Continue: fooling {again}\n" in capsys.readouterr().err
    about = json.loads(Path("parts/experiment.json").read_text())
    assert about["status"] == "interrupted"
    assert [job.get("status") for job in about["jobs"]][:3] == ["done", "interrupted", None]
    first = read_run(Path("parts") / about["jobs"][0]["folder"])
    assert not Path(f"parts/{name}.json").exists()
    assert dispatch([*words, "out=parts", "resume=true", "quiet=true"]) == 0
    assert status_of(Path("parts")) == "done"
    assert read_run(Path("parts") / about["jobs"][0]["folder"]) == first  # not run again
    assert without_times(name, Path("parts")) == without_times(name, Path("whole"))
    assert images_of(Path("parts")) == images_of(Path("whole")) != {}


def test_overwriting_an_experiment_removes_its_jobs(home: Path) -> None:
    words = ["mean", "runs=2", "priors=none", "generations=1", "out=m", "quiet=true"]
    assert dispatch([*words, "digit=3"]) == 0
    assert dispatch([*words, "digit=4", "overwrite=true"]) == 0
    assert [path.name for path in Path("m").glob("*=*")] == ["prior=none,digit=4"]
    assert [path.name for path in Path("m/means").iterdir()] == ["none-digit=4.png"]


def test_words_that_are_no_settings() -> None:
    command = COMMANDS["plausibility"]
    assert load_settings("plausibility", command, ["runs/a=b", "split=all"]).folder == "runs/a=b"
    assert load_settings("plausibility", command, ["folder=r"]).folder == "r"
    with pytest.raises(UserError, match=r"folder: expected one, got a, b"):
        load_settings("plausibility", command, ["a", "b"])
    pictures = load_settings("classify", COMMANDS["classify"], ["two.png", "centre=false", "a/b=c.jpg"])
    assert (list(pictures.files), pictures.centre) == (["two.png", "a/b=c.jpg"], False)


SETTINGS = {name: leaves(resolve_name(row.settings)) for name, row in COMMANDS.items() if row.settings}


@pytest.mark.parametrize("name", [name for name, known in SETTINGS.items() if "classifier.path" in known])
def test_a_model_alone_is_answered_by_the_words_that_name_it(name: str, home: Path) -> None:
    Path("net 1.onnx").touch()
    Path("net.bin").write_bytes(b"\xff\x00")
    Path("folder.onnx").mkdir()
    for word, words in {
        "net 1.onnx": "classifier=onnx classifier.path='net 1.onnx'",
        "absent.skops": "classifier=sklearn classifier.path=absent.skops",
        "net.safetensors": "classifier=mlp classifier.path=net.safetensors",
        "http://host/a?b=c": "classifier=http",
        "net.py:make": "classifier=python classifier.path=net.py:make",
        "net.pt": "runs no code (.onnx, .skops, .keras, .h5, ",
        **({} if COMMANDS[name].positional else {"net.bin": "classifier=KIND classifier.path=net.bin"}),
    }.items():
        for others in ([], ["quiet=true"]):
            with pytest.raises(UserError, match=re.escape(words)):
                load_settings(name, COMMANDS[name], [word, *others])


def test_other_words_are_no_models(home: Path) -> None:
    Path("folder.onnx").mkdir()
    assert load_settings("report", COMMANDS["report"], ["a.onnx"]).folder == "a.onnx"
    assert load_settings("plausibility", COMMANDS["plausibility"], ["folder.onnx"]).folder == "folder.onnx"
    assert load_settings("audit", COMMANDS["audit"], ["classifier=onnx", "classifier.path=a.onnx"]).classifier.path == "a.onnx"


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["run", "digti=2"], ["train", "--help"], ["classify", "-h"]], ids=str
)
def test_help_and_bad_settings_import_nothing_heavy(home: Path, words: list[str]) -> None:
    code = (
        f"import sys; from fooling.commands import main; main({words!r})\n"
        "heavy = {'numpy', 'jax', 'numba', 'matplotlib', 'rich', 'PIL', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_row_names_a_module_and_settings() -> None:
    for name, command in COMMANDS.items():
        assert isinstance(command.made, dict), name
        assert Path(command.module.replace(".", "/") + ".py").name == f"{name}.py"
    assert list(dict.fromkeys(command.group for command in COMMANDS.values())) == [
        "Attack",
        "Audit",
        "Compare",
        "Inspect",
        "Experiments",
        "Tools",
    ]


# --- signals ----------------------------------------------------------------------------------------------------------

SIGNALLED = """
import os, signal, sys

class Sender:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {number})

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
sys.meta_path.insert(0, Sender())
sys.argv = ["fooling", "run", "digit=2", "runs=2", "generations=3", "out=r", "quiet=true"]
from fooling.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("module", "signalled"),
    pairwise(
        ["fooling.commands", "pydantic", "numpy", "numba", "fooling.search.loop"],
        [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)],
    ),
)
def test_a_signal_while_modules_are_imported_ends_with_one_line(home: Path, module: str, signalled: tuple[int, int]) -> None:
    number, code = signalled
    text = SIGNALLED.format(module=module, number=int(number))
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (code, "fooling: interrupted\n", "")


@pytest.mark.exhaustive
def test_nohup_is_respected(home: Path) -> None:
    text = SIGNALLED.format(module="numpy", number=int(signal.SIGHUP)).replace("SIG_DFL", "SIG_IGN")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_commands_run_in_threads(home: Path) -> None:
    codes: list[int] = []
    words = ["run", "runs=2", "generations=2", "out=r", "quiet=true"]
    thread = threading.Thread(target=lambda: codes.append(guarded(dispatch, words)))
    thread.start()
    thread.join()
    assert codes == [0]
    assert status_of(home / "r") == "done"


def test_a_classifier_that_changes_the_working_directory_moves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "elsewhere").mkdir()
    (home / "wanders.py").write_text(
        "import os\nimport numpy as np\n"
        "def make():\n    os.chdir('elsewhere')\n    return score\n"
        "def score(images):\n"
        "    os.chdir('elsewhere')\n"
        "    x = images.reshape(len(images), -1)[:, :3].astype(float) / 255 + 0.1\n"
        "    return (x / x.sum(axis=1, keepdims=True)).astype(np.float32)\n"
    )
    monkeypatch.syspath_prepend(home)
    words = [
        "classifier=python",
        "classifier.path=wanders:make",
        "classifier.shape=28,28,1",
        "classifier.output=probability",
        "prior=none",
    ]
    assert guarded(dispatch, ["run", *words, "runs=2", "generations=3", "out=r", "quiet=true"]) == 0
    assert status_of(home / "r") == "done"
    assert not list((home / "elsewhere").iterdir())


# --- the terminal -------------------------------------------------------------------------------------------------------
def printed(console: Console) -> str:
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return str(text)


@pytest.mark.parametrize(
    ("words", "cached", "seconds"),
    [
        ([], False, 17),
        ([], True, 1),
        (["search=anneal"], False, 19),
        (["search=pareto"], False, 14),
        (["quiet=true"], False, None),
    ],
)
def test_compiling_is_said_once_also_in_a_pipe(
    words: list[str], cached: bool, seconds: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilation, "is_compiled", lambda kernel: cached)
    console = Console(file=io.StringIO(), force_terminal=False)
    log = logging.getLogger(compilation.COMPILATION_LOG)
    with compilation_note(console, load(words)):
        assert printed(console) == ""
        for _ in range(3):
            log.info("")
    assert not log.handlers
    said = [] if seconds is None else [f"compiling, about {seconds} s; each new search compiles once"]
    assert printed(console).splitlines() == said


def test_kernels_of_another_copy_are_not_those_of_this(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = home / "numba_a", home / "numba_b"
    mine.mkdir()
    other.mkdir()
    monkeypatch.setattr(compilation, "histogram_counts", SimpleNamespace(stats=SimpleNamespace(cache_path=str(mine))))
    (other / "operators.breed-92.py311.1.nbc").touch()
    assert not compilation.is_compiled("breed")
    (mine / "operators.breed-92.py311.1.nbc").touch()
    assert compilation.is_compiled("breed")
    monkeypatch.setattr(compilation, "histogram_counts", print)  # NUMBA_DISABLE_JIT=1
    assert not compilation.is_compiled("breed")


def test_a_table_that_is_wider_than_the_terminal_becomes_lists() -> None:
    rows = [["variogram", "0.25", "0.20–0.30", "word " * 12], ["eigen", "1", "", "x"]]
    columns = ["prior", "AUROC", "", "remark"]
    for width in (40, 200):
        console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, highlight=False)
        show_table(console, columns, rows, 1)
        lines = printed(console).splitlines()
        assert all(len(line) <= width for line in lines)
        assert ("AUROC   0.25 0.20–0.30" in lines) == (width == 40)
        assert " ".join(" ".join(lines).split()).count("word") == 12


@pytest.mark.parametrize("words", [[], *([name, "--help"] for name in COMMANDS if COMMANDS[name].settings)], ids=str)
def test_help_fits_a_narrow_terminal(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(words) == 0
    wide = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "40")
    assert dispatch(words) == 0
    narrow = capsys.readouterr().out
    assert narrow.replace(" ", "").replace("\n", "") == wide.replace(" ", "").replace("\n", "")
    whole = set(wide.replace("|", " ").replace(",", " ").replace("=", " ").replace("/", " ").split())
    assert not set(narrow.replace("|", " ").replace(",", " ").replace("=", " ").replace("/", " ").split()) - whole
    assert max(map(len, narrow.splitlines())) <= 46
