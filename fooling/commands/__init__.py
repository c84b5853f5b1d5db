"""Commands of the console script `fooling COMMAND key=value …`: one file and one row each."""

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import groupby
from types import FrameType
from typing import NoReturn

from fooling import __version__
from fooling.commands.experiment import HELP, Command, help_of, load_settings
from fooling.errors import UserError

SETTINGS, EXPERIMENTS = "fooling.settings.commands", "fooling.settings.experiments"
COMPARED = "the command compares {}; choose with {}"

COMMANDS = {
    "run": Command(
        "Attack",
        "evolve images that a classifier is confident about",
        "fooling.settings.schema:RunSettings",
        "fooling.commands.run",
        "[SETTINGS.yaml] key=value …   (or: python -m fooling.run …)",
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
        "FOLDER data.path=PATH key=value …   (FOLDER: a record, or a sweep)",
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
        near = get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]!r}? " if near else "fooling run digit=2 evolves images; " if "=" in name else ""
        raise UserError(f"unknown command {name!r}: {hint}expected one of {', '.join(COMMANDS)}")
    command = COMMANDS[name]
    if not command.settings:  # it reads its words itself
        return int(import_module(command.module).main(words))
    if HELP & set(words):
        sys.stdout.write(help_of(name, command, words))
        return 0
    settings = load_settings(name, command, words)
    return int(import_module(command.module).COMMAND.run(settings, words))


def overview() -> str:
    """The commands, a line each."""
    lines = ["usage: fooling COMMAND key=value …"]
    for group, rows in groupby(COMMANDS.items(), lambda row: row[1].group):
        lines += ["", f"{group}:", *(f"  {name:<14}{command.summary}" for name, command in rows)]
    return "\n".join([*lines, "", "fooling COMMAND --help shows every setting of a command."])


def guarded(run: Callable[[list[str]], int], arguments: Sequence[str]) -> int:
    """Runs a command → exit code: 2 with a line on stderr for bad input, 130 after Ctrl-C, 1 for a closed pipe."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no → shows a ?
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        return run(list(arguments))
    except UserError as error:
        message = str(error)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 (nothing reads what is still to be flushed)
        return 1
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except MemoryError as error:
        message = f"not enough memory ({error or 'no details'}); use fewer runs, a smaller population or smaller images"
    except KeyboardInterrupt:
        sys.stderr.write("fooling: interrupted\n")
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    sys.stderr.write(f"fooling: {' '.join(message.splitlines())}\n")
    return 2


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Ends the process as SIGTERM asks, but tidily: what was half-written is removed."""
    del frame
    raise SystemExit(128 + number)
