"""Typed settings: what a user can set, read from files and words; only pydantic and PyYAML are imported here."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from fooling.errors import UserError, masked_url
from fooling.settings.files import Dumper, flat, unflatten
from fooling.settings.help import sentences
from fooling.settings.overrides import collect, leaves_open
from fooling.settings.schema import RunSettings

M = TypeVar("M", bound=BaseModel)

LARGE = "es"  # the search for large images and many classes, unless another is chosen
MARK = "# Repeat this job: "  # how the config.yaml of a record begins
PLACES = {"out", "resume", "overwrite", "view", "launcher"}  # where a job runs, is written and shown: not what it is


def load(words: Sequence[str], model: type[M] = RunSettings, root: str = "run", *, partial: bool = False) -> M:  # type: ignore[assignment]
    """Settings from the words of a command: an optional YAML file, then key=value. Raises UserError with all problems.

    `root` names the file of defaults, configs/{root}.yaml; the layers are those of `overrides.collect`. `partial`: settings
    that the chosen search or classifier does not have are left out instead of refused.
    """
    return validate(collect(words, model, root, partial=partial), model)


def for_large(settings: RunSettings, words: Sequence[str]) -> RunSettings:
    """The settings with what suits large images and many classes, unless the words that they are from choose a search."""
    if not leaves_open("search", LARGE, words, RunSettings, "run"):
        return settings
    large = load([*words, f"search={LARGE}"], RunSettings)
    prior = large.prior.model_copy(update={"statistics": settings.prior.statistics, "digit": settings.prior.digit})
    own = {name: getattr(large, name) for name in ("search", "stop", "threshold")}
    return settings.model_copy(update={**own, "prior": prior})


def validate(tree: dict[str, Any], model: type[M]) -> M:
    """A tree as settings. Raises UserError with all problems."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise UserError("; ".join(sentences(error.errors(), model))) from None


def dump(settings: BaseModel, command: str = "python -m fooling.run", only: Mapping[str, Any] | None = None) -> str:
    """The settings as YAML without PLACES; `load` reads it back to the same job. Secrets of URLs are masked.

    `command` is the one whose settings these are; `only` maps the full names of those that are written to their
    values, which count where the settings lack the name (a field of another search); None: all.
    """
    # no warnings: `fooling.evolve` names an object's class instead of a known classifier
    tree = without_secrets(settings.model_dump(mode="json", exclude=PLACES, warnings=False))
    if only is not None:
        known = dict(flat(tree))
        tree = unflatten((name, known.get(name, without_secrets(value))) for name, value in only.items() if not is_place(name))
    text: str = yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True)
    return f"{MARK}{command} config.yaml\n{text}"


def is_place(name: str) -> bool:
    """Whether a setting, by its full name, is one of PLACES."""
    return name.partition(".")[0] in PLACES


def without_secrets(value: Any) -> Any:
    """Settings with the secrets of their URLs masked."""
    if isinstance(value, dict):
        return {key: without_secrets(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_secrets(inner) for inner in value]
    return masked_url(value) if isinstance(value, str) and "://" in value else value
