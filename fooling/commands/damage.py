"""`fooling damage`: networks with damaged neurons."""

from typing import Any

from fooling.commands import experiment
from fooling.experiment_settings import DamageSettings

SUMMARY = "networks with damaged neurons: what they still read, and what they evolve"
USAGE = "fooling damage [data.path=PATH] dosage=0.01,0.1,1,10 key=value …"


def prepare(settings: Any) -> Any:
    """The work."""
    from fooling.experiments.damage import prepare

    return prepare(settings)


DAMAGE = experiment.Experiment("damage", USAGE, DamageSettings, prepare, ("damaged-*.safetensors",))


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    return experiment.main(DAMAGE, arguments)
