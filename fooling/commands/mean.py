"""`fooling mean`: the mean of N evolved images beside that of N real ones."""

from typing import Any

from fooling.commands import experiment
from fooling.experiment_settings import MeanSettings

SUMMARY = "the mean of N evolved images of each class beside that of N real ones"
USAGE = "fooling mean [data.path=PATH] [digit=0,1,2] [priors=[none,eigen]] key=value …"


def prepare(settings: Any) -> Any:
    """The work."""
    from fooling.experiments.mean import prepare

    return prepare(settings)


MEAN = experiment.Experiment("mean", USAGE, MeanSettings, prepare, ("means",))


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    return experiment.main(MEAN, arguments)
