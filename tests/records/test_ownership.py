"""Whose the files in a folder are: nothing that is not of a record is removed or written, also not through links."""

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from builders import random_network, random_statistics
from jobs import Stop

from fooling.commands import COMMANDS
from fooling.commands.experiment import Experiment
from fooling.errors import UserError
from fooling.plots import record_files
from fooling.records.files import new_file, read_json, write_atomically
from fooling.records.ownership import NAMED, clear, kind_of
from fooling.records.record import read_run
from fooling.run import evolve, prepare, record_job
from fooling.search import DEFAULTS, SEARCHES, load_search, part_of
from fooling.settings import MARK, load
from fooling.settings.schema import RunSettings

SHAPE = (9, 13, 1)
WORDS = ["digit=1", "runs=2", "population=12", "generations=5", "prior=none", "engine.threads=1"]


def start(folder: Path, *words: str) -> None:
    chosen = {word.partition("=")[0]: word for word in [*WORDS, *words]}
    settings = load([*chosen.values(), f"out={folder}"], RunSettings, "run")
    (job,) = prepare(settings, random_network(SHAPE), random_statistics(SHAPE))
    record_job(job, folder, Stop(lambda: False))


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A finished record."""
    start(tmp_path / "record")
    return tmp_path / "record"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Somebody's folder."""
    (tmp_path / "other").mkdir()
    for name in ("0000.png", "one.txt", "0000-001.png", "run.png"):
        (tmp_path / "other" / name).write_text("mine")
    return tmp_path / "other"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def change(folder: Path, **keys: Any) -> None:
    (folder / "run.json").write_text(json.dumps({**read_run(folder), **keys}))


# --- links --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["images", "front", "link"])
@pytest.mark.parametrize("words", [("overwrite=true",), ("resume=true", "generations=9")])
def test_nothing_behind_a_linked_folder_changes(record: Path, other: Path, name: str, words: tuple[str, ...]) -> None:
    if name == "images":
        (record / name).rename(record / "moved")
    (record / name).symlink_to(other, target_is_directory=True)
    files = {"images": [], "front": ["front/[0-9]*-[0-9]*.png"], "link": ["link/run.png"]}[name]
    change(record, files=files)
    before = content(other), content(record)
    with pytest.raises(UserError, match=f"{name}: is a link"):
        start(record, *words)
    assert (content(other), content(record)) == before


def test_a_link_in_place_of_a_sweeps_record_is_refused(tmp_path: Path, record: Path) -> None:
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "digit=1").symlink_to(record, target_is_directory=True)
    about = {"status": "done", "command": "fooling run", "jobs": [{"folder": "digit=1"}]}
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(about))
    before = content(record)
    with pytest.raises(UserError, match="digit=1: is a link"):
        evolve(*WORDS[1:], digit=[0, 1], out=tmp_path / "sweep", overwrite=True, classifier=random_network(SHAPE))
    clear(tmp_path / "sweep")
    assert content(record) == before


@pytest.mark.parametrize("dangling", [True, False])
def test_temporary_names_are_no_way_out(tmp_path: Path, dangling: bool) -> None:
    victim = tmp_path / "victim"
    if not dangling:
        victim.write_text("mine")
    (tmp_path / ".part-x.png").symlink_to(victim)
    (tmp_path / f".part-{os.getpid()}-y.npz").symlink_to(victim)
    write_atomically(tmp_path / "x.png", b"new")
    with new_file(tmp_path / "y.npz", overwrite=False) as part:
        part.write_bytes(b"new")
    assert victim.exists() != dangling
    assert dangling or victim.read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir() if not path.is_symlink() and path != victim} == {"x.png", "y.npz"}


# --- marks --------------------------------------------------------------------------------------------------------------


def test_a_copied_config_makes_no_record(tmp_path: Path, record: Path) -> None:
    folder = tmp_path / "thesis"
    (folder / "images").mkdir(parents=True)
    for name in ("checkpoint.npz", "thesis.tex", "images/0000.png"):
        (folder / name).write_text("mine")
    (folder / "config.yaml").write_bytes((record / "config.yaml").read_bytes())
    foreign = {"runs": 3, "status": "finished", "files": ["thesis.tex"]}
    for about in (None, foreign):
        if about:
            (folder / "run.json").write_text(json.dumps(about))
        before = content(folder)
        assert kind_of(folder) == "foreign"
        for words in ((), ("overwrite=true",), ("resume=true",)):
            with pytest.raises(UserError, match="no record of fooling; give an empty or a new folder"):
                start(folder, *words)
        assert content(folder) == before


@pytest.mark.parametrize("words", [("overwrite=true",), ("resume=true",)])
def test_a_record_that_was_killed_before_its_first_status_goes_on(tmp_path: Path, record: Path, words: tuple[str, ...]) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    (folder / "config.yaml").write_bytes((record / "config.yaml").read_bytes())
    for name in (".part-run.json", ".part-spare"):
        (folder / name).write_text("half")
    assert kind_of(folder) == "job"
    start(folder, *words)
    assert read_run(folder)["status"] == "done"
    assert content(folder / "images") == content(record / "images")


def test_a_pipe_in_place_of_a_config_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.yaml")
    assert kind_of(tmp_path) == "foreign"


# --- names --------------------------------------------------------------------------------------------------------------


def test_every_name_that_commands_write_is_one_of_a_record() -> None:
    names = {name for command in COMMANDS for name in files_of_command(command)} | set(record_files()) | set(DEFAULTS["files"])
    for search, engines in SEARCHES.items():
        for engine in engines:
            names |= set(part_of(load_search(search, engine), "files"))
    assert len(names) > 20
    assert [name for name in sorted(names) if not NAMED.fullmatch(name)] == []


def files_of_command(name: str) -> tuple[str, ...]:
    command = getattr(import_module(COMMANDS[name].module), "COMMAND", None)
    return command.files if isinstance(command, Experiment) else ()


# --- texts --------------------------------------------------------------------------------------------------------------


def test_texts_of_a_record_are_printable_where_they_are_read(tmp_path: Path) -> None:
    about = {"notes": ["a\x1b[2J"], "versions": {"n\x9b": "1\x07"}, "label": "\x9b31m", "plain": "ü → 99 %"}
    (tmp_path / "run.json").write_text(json.dumps(about))
    found = read_json(tmp_path / "run.json")
    texts = {"notes": [r"a\x1b[2J"], "versions": {r"n\x9b": r"1\x07"}, "label": r"\x9b31m", "plain": "ü → 99 %"}
    assert found == texts


@pytest.mark.parametrize("text", ["NaN", "Infinity", "[" * 990 + "]" * 990, "1e999"])
def test_what_is_no_json_is_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(f'{{"x": {text}}}')
    with pytest.raises(UserError, match="a damaged file"):
        read_json(tmp_path / "run.json")


def test_a_mark_alone_is_of_a_record(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(f"{MARK}python -m fooling.run config.yaml\n")
    assert kind_of(tmp_path) == "job"
    (tmp_path / "notes.txt").write_text("mine")
    assert kind_of(tmp_path) == "foreign"


# --- the working directory ----------------------------------------------------------------------------------------------


class Wanderer:
    """A classifier that changes the working directory whenever it is looked at."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.network = folder, random_network(SHAPE)

    @property
    def labels(self) -> tuple[str, ...]:
        os.chdir(self.folder)
        return self.network.labels

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["network"], name)

    def __call__(self, images: Any) -> Any:
        return self.network(images)


def test_a_classifier_that_changes_the_folder_moves_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    job = {"digit": 1, "runs": 2, "population": 12, "generations": 3, "prior": "none"}
    result = evolve(**job, out="r", classifier=Wanderer(tmp_path / "elsewhere"))
    assert result.folder == "r"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert read_run(tmp_path / "here" / "r")["status"] == "done"
    os.chdir(tmp_path / "here")
    with pytest.raises(UserError, match="out=r: holds a finished job"):
        evolve(**job, out="r", classifier=Wanderer(tmp_path / "elsewhere"))
