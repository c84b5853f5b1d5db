"""`fooling border`: how far off its centre before a clear digit is misread."""

from typing import Any

from fooling.commands import experiment
from fooling.experiment_settings import BorderSettings

SUMMARY = "how far off its centre, how large or small, before a clear digit is misread"
USAGE = "fooling border data.path=PATH key=value …"


def prepare(settings: Any) -> Any:
    """The work."""
    from fooling.experiments.border import prepare

    return prepare(settings)


BORDER = experiment.Experiment("border", USAGE, BorderSettings, prepare)


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    return experiment.main(BORDER, arguments)
