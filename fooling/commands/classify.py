"""`fooling classify FILES…`: one's own drawings and photos, as they are and fitted as MNIST was."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fooling.commands import experiment
from fooling.experiment_settings import ClassifySettings
from fooling.overrides import collect
from fooling.settings import validate

SUMMARY = "what a classifier reads in your own drawings and photos"
USAGE = "fooling classify FILES… key=value …   (pictures: PNG, JPEG, …; colour, alpha, 16 bits)"


def prepare(settings: Any) -> Any:
    """The work."""
    from fooling.experiments.classify import prepare

    return prepare(settings)


CLASSIFY = experiment.Experiment("classify", USAGE, ClassifySettings, prepare, ("shown",))


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    return experiment.main(CLASSIFY, arguments, read)


def read(arguments: Sequence[str]) -> Any:
    """Settings of words of which those without a =, and those that name a file, are pictures."""
    pictures = [word for word in arguments if is_picture(word)]
    tree = collect([word for word in arguments if not is_picture(word)], ClassifySettings, "classify")
    return validate({**tree, "files": pictures or tree["files"]}, ClassifySettings)


def is_picture(word: str) -> bool:
    """Whether a word is no setting: it has no =, or is the name of a file; .yaml is one of settings."""
    if word.startswith("-") or word.endswith((".yaml", ".yml")):
        return False
    return "=" not in word or Path(word).is_file()
