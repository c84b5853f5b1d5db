"""`fooling eigen`: eigen-images of a data set, and what they are worth as classifiers beside the networks."""

from typing import Any

from fooling.commands import experiment
from fooling.experiment_settings import EigenSettings

SUMMARY = "eigen-images of a data set, and classifiers made of them beside the networks"
USAGE = "fooling eigen data.path=PATH key=value …"


def prepare(settings: Any) -> Any:
    """The work."""
    from fooling.experiments.eigen import prepare

    return prepare(settings)


EIGEN = experiment.Experiment("eigen", USAGE, EigenSettings, prepare, ("pca_*.safetensors",))


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    return experiment.main(EIGEN, arguments)
