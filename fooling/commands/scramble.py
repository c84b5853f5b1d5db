"""`fooling scramble`: the digit kept, its background replaced by noise."""

from typing import Any

from fooling.commands import experiment
from fooling.experiment_settings import ScrambleSettings

SUMMARY = "the digit kept, its background replaced by noise: accuracy and confidence"
USAGE = "fooling scramble data.path=PATH key=value …"


def prepare(settings: Any) -> Any:
    """The work."""
    from fooling.experiments.scramble import prepare

    return prepare(settings)


SCRAMBLE = experiment.Experiment("scramble", USAGE, ScrambleSettings, prepare)


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    return experiment.main(SCRAMBLE, arguments)
