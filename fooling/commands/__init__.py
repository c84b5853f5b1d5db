"""Commands of the console script `fooling COMMAND key=value …`: one file and one row each."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

from pydantic import BaseModel

from fooling import __version__
from fooling.errors import ClosedFileError, UserError, folded, guarded
from fooling.settings import validate
from fooling.settings.files import flat, merge, nearest
from fooling.settings.help import help_text, help_width
from fooling.settings.overrides import collect, read_words

HELP = {"--help", "-h", "help"}
SETTINGS, EXPERIMENTS = "fooling.settings.commands", "fooling.settings.experiments"
COMPARED = "the command compares {}; choose with {}"


class Command(NamedTuple):
    """A row of the table of commands."""

    group: str  # of the overview
    summary: str
    settings: str  # module:class
    module: str  # has COMMAND, an object with run(settings, words) -> exit code
    usage: str = "key=value …"  # what follows `fooling NAME`
    made: Mapping[str, str] = {}  # full names of settings that the command makes itself, each with what to do instead
    positional: str = ""  # the setting that words without a = are of


COMMANDS = {
    "run": Command(
        "Attack",
        "evolve images that a classifier is confident about",
        "fooling.settings.schema:RunSettings",
        "fooling.commands.run",
        "[SETTINGS.yaml] key=value …   (or: python -m fooling.run …)",
    ),
    "audit": Command(
        "Audit",
        "one number, one page, an exit code: what a classifier is sure of, and how soon it is fooled",
        "fooling.settings.audit:AuditSettings",
        "fooling.commands.audit",
        "classifier=onnx classifier.path=model.onnx [data.path=PATH] [fail_under=…] key=value …",
    ),
    "compare": Command(
        "Audit",
        "finished records side by side: which figures differ beyond chance, the worst first",
        f"{SETTINGS}:CompareSettings",
        "fooling.commands.compare",
        "FOLDERS… [baseline=runs/main fail_if=worse] key=value …   (audits, ladders, matrices, runs, sweeps)",
        positional="folders",
    ),
    "report": Command(
        "Audit",
        "draw the page of a record: report.html, with report.json and report.csv",
        f"{SETTINGS}:ReportSettings",
        "fooling.commands.report",
        "FOLDER key=value …   (FOLDER: what any command has left)",
        positional="folder",
    ),
    "view": Command(
        "Audit",
        "records in a browser: a list, their pages, and the best images of those that run",
        f"{SETTINGS}:ViewSettings",
        "fooling.commands.view",
        "[FOLDER] key=value …   (FOLDER: what holds records, runs unless given; Ctrl-C ends it)",
        positional="folder",
    ),
    "ladder": Command(
        "Compare",
        "priors under three conditions: attack, control, prior of another class",
        f"{SETTINGS}:LadderSettings",
        "fooling.commands.ladder",
        "[digit=0,1,2] [rungs=…] [arms=…] key=value …   (settings hold for every prior)",
        {
            "control": COMPARED.format("the attack with its control", "arms=[with,control,mismatched]"),
            "prior.name": COMPARED.format("all priors", "rungs=[…]"),
            "preset": "a preset chooses a prior, and the command compares all; give its other settings one by one",
            "prior.digit": COMPARED.format("the target's prior with that of another class", "digit=0,1,2 and arms=[…]"),
        },
    ),
    "matrix": Command(
        "Compare",
        "images that held-out classifiers assign to one class and the classifier to another, for every pair",
        f"{SETTINGS}:MatrixSettings",
        "fooling.commands.matrix",
        "[digit=0,1,2] key=value …   (preset=mismatched unless another is given)",
        {"prior.digit": COMPARED.format("the priors of all classes", "digit=0,1,2")},
    ),
    "gallery": Command(
        "Compare",
        "all classes side by side, with and without blur: where evidence for each class lies",
        f"{SETTINGS}:GallerySettings",
        "fooling.commands.gallery",
        "search=ascent [digit=0,1,2] key=value …",
    ),
    "transfer": Command(
        "Compare",
        "who else is fooled: images made against each of several classifiers, shown to all of them",
        "fooling.settings.transfer:TransferSettings",
        "fooling.commands.transfer",
        "[RECORDS…] classifiers=[a,b] key=value …   (RECORDS: runs, sweeps, audits, ladders; none = it attacks each)",
        positional="records",
    ),
    "examine": Command(
        "Inspect",
        "check a classifier: outputs, batches, speed, accuracy",
        f"{SETTINGS}:ExamineSettings",
        "fooling.commands.examine",
        "classifier=onnx classifier.path=model.onnx data.path=PATH key=value …",
    ),
    "classify": Command(
        "Inspect",
        "classify your own drawings and photos",
        f"{EXPERIMENTS}:ClassifySettings",
        "fooling.commands.classify",
        "FILES… key=value …   (images: PNG, JPEG, …; colour, alpha, 16 bits)",
        positional="files",
    ),
    "plausibility": Command(
        "Inspect",
        "how well simple detectors separate the images of a record from real ones",
        f"{SETTINGS}:PlausibilitySettings",
        "fooling.commands.plausibility",
        "FOLDER data.path=PATH [classifier.path=CODE or URL, again] key=value …   (FOLDER: a record, or a sweep)",
        positional="folder",
    ),
    "render": Command(
        "Inspect",
        "draw the images of a record at any size (search=es)",
        f"{SETTINGS}:RenderSettings",
        "fooling.commands.render",
        "FOLDER size=1024 key=value …",
        positional="folder",
    ),
    "border": Command(
        "Experiments",
        "translation and scale robustness: accuracy of shifted and resized digits",
        f"{EXPERIMENTS}:BorderSettings",
        "fooling.commands.border",
        "data.path=PATH key=value …",
    ),
    "scramble": Command(
        "Experiments",
        "background noise: accuracy and confidence as the background is replaced",
        f"{EXPERIMENTS}:ScrambleSettings",
        "fooling.commands.scramble",
        "data.path=PATH key=value …",
    ),
    "damage": Command(
        "Experiments",
        "neuron ablation: what damaged networks still classify, and what evolves against them",
        f"{EXPERIMENTS}:DamageSettings",
        "fooling.commands.damage",
        "[data.path=PATH] dosage=0.01,0.1,1,10 key=value …",
    ),
    "eigen": Command(
        "Experiments",
        "principal components of a data set, and PCA classifiers beside the networks",
        f"{EXPERIMENTS}:EigenSettings",
        "fooling.commands.eigen",
        "data.path=PATH key=value …",
    ),
    "mean": Command(
        "Experiments",
        "mean of N evolved images of each class (classification-image analysis) beside that of N real ones",
        f"{EXPERIMENTS}:MeanSettings",
        "fooling.commands.mean",
        "[data.path=PATH] [digit=0,1,2] [priors=[none,eigen]] key=value …",
    ),
    "export": Command(
        "Tools",
        "the images of records as a data set for other programs: OpenOOD, pytorch-ood, NumPy, Parquet",
        "fooling.settings.export:ExportSettings",
        "fooling.commands.export",
        "RECORDS… out=DIR layout=openood key=value …   (RECORDS: runs, sweeps, audits, ladders, transfers)",
        positional="records",
    ),
    "train": Command(
        "Tools",
        "train a built-in network on a data set",
        f"{SETTINGS}:TrainSettings",
        "fooling.commands.train",
        "classifier=mlp data.path=PATH key=value …   (a classifier may have other defaults, such as hidden)",
    ),
    "stats": Command(
        "Tools",
        "fit the statistics of a data set's classes",
        f"{SETTINGS}:StatsSettings",
        "fooling.commands.stats",
        "data.path=PATH key=value …",
    ),
    "data": Command("Tools", "download a data set from a public mirror", "", "fooling.commands.data"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script's entry."""
    return guarded(dispatch, sys.argv[1:] if arguments is None else arguments)


def dispatch(arguments: list[str]) -> int:
    """Runs the command that the first word names; its module is imported once help and settings are done with."""
    if not arguments or arguments[0] in HELP:
        print(overview())
        return 0
    if arguments[0] == "--version":
        print(__version__)
        return 0
    name, *words = arguments
    if name not in COMMANDS:
        near = nearest(name, COMMANDS)
        hint = f"did you mean {near[0]!r}? " if near else "fooling run digit=2 evolves images; " if "=" in name else ""
        raise UserError(f"unknown command {name!r}: {hint}expected one of {', '.join(COMMANDS)}")
    command = COMMANDS[name]
    if not command.settings:  # it reads its words itself
        return int(import_module(command.module).main(words))
    if HELP & set(words):
        sys.stdout.write(help_of(name, command, words))
        return 0
    try:
        settings = load_settings(name, command, words)
    except ClosedFileError as error:
        lines = resolve_name("fooling.classifiers.serialization:conversion")(Path(error.path))
        raise UserError(f"{error}{lines}") from error
    return int(import_module(command.module).COMMAND.run(settings, words))


def overview() -> str:
    """The commands, a line each."""
    lines = ["usage: fooling COMMAND key=value …"]
    for group, rows in groupby(COMMANDS.items(), lambda row: row[1].group):
        lines += ["", f"{group}:", *(f"  {name:<14}{command.summary}" for name, command in rows)]
    lines += ["", "fooling COMMAND --help shows every setting of a command."]
    return "\n".join(folded(line, help_width(), " " * 16) for line in lines)


# --- words ----------------------------------------------------------------------------------------------------
def usage(name: str, command: Command) -> str:
    """The first line of the help."""
    return f"fooling {name} {command.usage}"


def help_of(name: str, command: Command, words: Sequence[str]) -> str:
    """The help of a command: every setting that it has under these words."""
    model = resolve_name(command.settings)
    _, others = split_words(command, words)
    return help_text(model, name, usage(name, command), [word for word in others if word not in HELP], command.made)


def load_settings(name: str, command: Command, words: Sequence[str]) -> Any:
    """The settings of a command. Raises UserError with all problems."""
    model: type[BaseModel] = resolve_name(command.settings)
    values, others = split_words(command, words)
    for setting, value in flat(merge(*read_words(others, model))):
        if setting in command.made and value is not None:
            raise UserError(f"{setting.removesuffix('.name')}: {command.made[setting]}")
    # a prior of one job may choose a search that has a setting which that of another lacks
    tree = collect(others, model, name, partial="prior.name" in command.made)
    if command.positional:
        tree[command.positional] = with_positional(name, command, tree[command.positional], values)
    return validate(tree, model)


def split_words(command: Command, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that are values of the positional setting, and the others."""
    values = [word for word in words if command.positional and is_value(word)]
    return values, [word for word in words if word not in values]


def is_value(word: str) -> bool:
    """Whether a word is no setting: it has no = in its name, or is a path; .yaml is a file of settings."""
    if word.startswith("-") or word.endswith((".yaml", ".yml")) or word == "help":
        return False
    name, equals, _ = word.partition("=")
    return not equals or "/" in name or Path(word).exists()


def with_positional(name: str, command: Command, present: Any, values: Sequence[str]) -> Any:
    """The value of the positional setting: a list, or a single word."""
    if isinstance(present, list):
        return list(values) or present
    if len(values) > 1:
        raise UserError(f"{command.positional}: expected one, got {', '.join(values)}; usage: {usage(name, command)}")
    return values[0] if values else present
