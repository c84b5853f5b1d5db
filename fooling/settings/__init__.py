"""Typed settings: what a user can set, read from files and words; nothing heavy is imported here."""

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from fooling.errors import UserError
from fooling.settings.help import problem
from fooling.settings.overrides import collect, flat, leaves, put
from fooling.settings.schema import RunSettings

M = TypeVar("M", bound=BaseModel)


def load(arguments: Sequence[str], model: type[M] = RunSettings, root: str = "run") -> M:  # type: ignore[assignment]
    """Settings from the words of a command: an optional YAML file, then key=value. Raises UserError with all problems.

    Layers, later ones win: configs/{root}.yaml, the files of the chosen groups, preset, the YAML file, the words.
    """
    return validate(collect(arguments, model, root), model)


def validate(tree: dict[str, Any], model: type[M]) -> M:
    """A tree as settings. Raises UserError with all problems."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        whole = ("digit", "hidden")  # told as a whole, not each of a list
        entries = [entry for entry in error.errors() if len(entry["loc"]) < 3 or entry["loc"][0] not in whole]
        raise UserError("; ".join(dict.fromkeys(map(problem, entries)))) from None


def dump(settings: BaseModel, command: str = "python -m fooling.run", only: Collection[str] | None = None) -> str:
    """The settings as YAML, without those that say where and how to run; `load` reads it back to the same job.

    `command` is what they are the settings of; `only` are the full names of those that are written, None: all.
    """
    tree = settings.model_dump(mode="json", exclude={"out", "resume", "overwrite"})
    if only is not None:
        values, tree = dict(flat(tree)), {}
        for name in [name for name in values if name in only]:
            put(tree, name, values[name])
    text: str = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    return f"# Repeat this job: {command} config.yaml\n{text}"


def all_settings(model: type[BaseModel]) -> dict[str, Any]:
    """Every setting of a model by its full name, with pydantic's description of it."""
    return leaves(model)
