"""pydantic's errors as sentences: the setting, what was expected, what was got, what to do."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from fooling.settings.classifiers import ExternalSettings
from fooling.settings.files import format_value
from fooling.settings.names import models, owners, tags

# What pydantic expected, by its type of error; braces name entries of its context.
EXPECTED = {
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "literal_error": "one of {expected}",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "model_type": "a group of settings",
    "model_attributes_type": "a group of settings",
    "tuple_type": "a list, such as a,b",
    "too_short": "at least one entry",
    "missing": "a value",
}


def sentences(errors: Sequence[Any], model: type[BaseModel]) -> list[str]:
    """Each problem once, in the order of the fields."""
    return list(dict.fromkeys(sentence(error, model) for error in errors))


def sentence(error: Any, model: type[BaseModel]) -> str:
    """One of pydantic's errors as a sentence."""
    path = [str(part) for part in error["loc"] if not isinstance(part, int)]
    kinds = models(model.model_fields[path[0]].annotation) if path else [model]
    tag = path.pop(1) if len(kinds) > 1 else ""  # pydantic names the class of a union after the group: search, ga, population
    if tag and error["type"] == "extra_forbidden":
        return foreign(path[0], path[-1], tag, model)
    if error["type"] == "value_error" and len(path) < 2 and kinds:  # of a whole group: a rule, which is a sentence already
        return str(error["ctx"]["error"])
    got = "nothing" if error["type"] == "missing" else format_value(error["input"])
    expected = EXPECTED.get(error["type"], "something else").format(**error.get("ctx", {}))
    expected = str(error["ctx"]["error"]) if error["type"] == "value_error" else expected
    return f"{'.'.join(path)}: expected {expected}, got {got}"


def foreign(group: str, name: str, choice: str, model: type[BaseModel]) -> str:
    """A setting that the chosen search or classifier does not have."""
    having = owners(model, group, name)
    if not having:
        return f"unknown setting '{group}.{name}'"
    expected = f"{group}={' or '.join(having)}"
    kind = next(kind for kind in models(model.model_fields[group].annotation) if choice in tags(kind))
    if group == "classifier" and not issubclass(kind, ExternalSettings):
        expected = f"an external model ({', '.join(having)})"
        return f"classifier.{name}: expected {expected}, got classifier={choice}, which has built-in preprocessing"
    return f"{group}.{name}: expected {expected}, got {group}={choice}, which does not have it"
