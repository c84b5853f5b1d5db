"""`fooling run`, the main job: evolve images that a classifier is sure about."""

import sys

from fooling.commands.grid import run_all
from fooling.run import prepare, run_job
from fooling.settings import load
from fooling.settings.help import help_text
from fooling.settings.schema import RunSettings

SUMMARY = "evolve images that a classifier is sure about"
USAGE = "python -m fooling.run [SETTINGS.yaml] key=value …   (or: fooling run …)"


def main(arguments: list[str]) -> int:
    """The command: → exit code 0; 130 or 143 when interrupted."""
    if {"--help", "-h", "help"} & set(arguments):
        sys.stdout.write(help_text(RunSettings, "run", USAGE, arguments))
        return 0
    settings = load(arguments, RunSettings, "run")
    return run_all(settings, prepare(settings), run_job, arguments)
