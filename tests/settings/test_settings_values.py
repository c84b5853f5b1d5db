"""Settings: short names, values of every type, the edges of every range."""

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from settings_models import MODELS, UNIONS, choose, run

from fooling.errors import UserError
from fooling.settings import load
from fooling.settings.choices import PRESET, choices
from fooling.settings.commands import ByClassSettings
from fooling.settings.files import flat
from fooling.settings.names import leaves, members, models, owners
from fooling.settings.searches import EsSettings, MapElitesSettings


@pytest.mark.parametrize(
    ("word", "path", "value"),
    [
        ("population=200", "search.population", 200),
        ("search.population=1e3", "search.population", 1000),
        ("population=010", "search.population", 10),
        ("weights.variogram=1e-3", "prior.weights.variogram", 0.001),
        ("threads=4", "engine.threads", 4),
        ("digit=0,1,2", "digit", (0, 1, 2)),
        ("digit=[0,1]", "digit", (0, 1)),
        ("digit=all", "digit", "all"),
        ("digit=1e0", "digit", 1),
        ("target=3", "digit", 3),
        ("target=0,3", "digit", (0, 3)),
        ("target=all", "digit", "all"),
        ("digit=any prior=none", "digit", "any"),
        ("digit=any prior.digit=3", "digit", "any"),
        ("seed=18446744073709551615", "seed", 2**64 - 1),
        ("tol=null", "tol", None),
        ("out=2", "out", "2"),
        ("out=a,b", "out", "a,b"),
        ("out=a=b", "out", "a=b"),
        ("out=null", "out", None),
        ("control=true", "control", True),
        ("statistics=x.npz", "prior.statistics", "x.npz"),
        ("prior.digit=3", "prior.digit", 3),
        ("kind=sklearn", "data.kind", "sklearn"),
        ("preset=null", "preset", None),
        ("preset=none", "preset", None),
        ("tol=none", "tol", None),
        ("statistics=none", "prior.statistics", "none"),
        ("crossover=none", "search.crossover", "none"),
        ("search={name: ga, generations: 5}", "search.generations", 5),
        ("judges=[https://h/x?v=1]", "judges", ("https://h/x?v=1",)),
        ("judges=[https://h/x?v=1, mnist_cnn]", "judges", ("https://h/x?v=1", "mnist_cnn")),
        ("judges=https://h/x?v=1,mnist_cnn", "judges", ("https://h/x?v=1", "mnist_cnn")),
        ("prior.weights={target: 3}", "prior.weights.target", 3.0),
    ],
)
def test_words(word: str, path: str, value: Any) -> None:
    found: Any = run(*(word.split(" ") if word.startswith("digit=any") else [word]))
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)


def test_long_lists_may_come_first() -> None:
    digits = tuple(range(200))
    assert run(f"digit={','.join(map(str, digits))}").digit == digits


def beside(name: str, value: Any, root: str) -> list[str]:
    """The words that a setting, or a value of it, needs besides: the choice that has it, and what goes with it."""
    model = MODELS[root]
    group, _, last = name.partition(".")
    words = {"tol": ["tol=1"], "any": ["prior=none"], "settled": ["search=dream"]}.get(value, [])
    if name.startswith("data.") and last not in ("path", "kind"):
        words = ["data.kind=sklearn"]
    if name == "engine.toolbox":
        words = ["engine=deap"]
    if name.endswith(".name") and root != "train":
        return [*words, *choose(group, value)[1:]]
    if group in UNIONS and last not in ("name", "path") and len(models(model.model_fields[group].annotation)) > 1:
        having = [one for one in owners(model, group, last) if not (issubclass(model, ByClassSettings) and one == "map_elites")]
        words = [*words, *choose(group, having[-1])]
    if last in ("channel", "neuron"):
        words = [*words, "layer=conv1"]
    return [word for word in dict.fromkeys(words) if not word.startswith(f"{name}=")]


LISTS = {
    **dict.fromkeys(("steps", "offsets", "scales", "shares", "dosage", "neurons", "channels", "search.neuron"), "3,4"),
    **dict.fromkeys(("files", "judges", "classifiers", "records", "rungs", "arms"), "[a,b]"),
    **dict.fromkeys(("classifier.labels", "classifier.members", "data.classes"), "[a,b]"),
    "data.size": "28,28,1",
    **dict.fromkeys(("classifier.mean", "classifier.std"), "0.5,0.25"),
    "classifier.shape": "28,28,1",
    "classifier.batch_size": "fixed:64",
    "priors": "[none,eigen]",
    "noises": "[uniform,other]",
    "prior.hinge": "[eigen,regional]",
}
TEXTS = {"classifier.rate": "5/s"}  # where not any text will do
NUMBERS = {
    "budget": "1001",
    "search.population": "7",
    "images": "10",
    "runs": "2",
    "search.size": "28",
    "search.octave_scale": "2",
    **dict.fromkeys(("search.min_rate", "search.decay", "search.zoom"), "0.25"),
}


def words_for(name: str, root: str) -> list[str]:
    """Values that a setting takes, by its type."""
    kinds = members(leaves(MODELS[root])[name].annotation)
    if name == "digit":
        return ["1", "all", *(["any"] if root == "run" else [])]
    if name == PRESET or name.endswith(".name"):
        is_by_class = issubclass(MODELS[root], ByClassSettings)
        return [one for one in choices(name.removesuffix(".name")) if not (is_by_class and one in ("map_elites", "nguyen2015"))]
    if name == "prior":  # of damage and transfer: its name alone
        return choices("prior")
    if name in LISTS:
        return [LISTS[name]]
    if name == "launcher.address":
        return ["tls://h:8786"]
    if bool in kinds:
        return ["true", "false"]
    named = [str(choice) for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    return named + (
        [TEXTS.get(name, "some text")] if str in kinds else [NUMBERS.get(name, "1")] if {int, float} & set(kinds) else []
    )


def read_back(word: str) -> Any:
    """The value that a word stands for."""
    value = yaml.safe_load(f"[{word}]" if "," in word and word[0] != "[" else word)
    return tuple(value) if isinstance(value, list) else value


def has(root: str, name: str) -> bool:
    """Whether a command has a setting: those of a job for each class have none of the search for all of them."""
    joint = set(MapElitesSettings.model_fields) - set(EsSettings.model_fields)
    return not (issubclass(MODELS[root], ByClassSettings) and name in {f"search.{one}" for one in joint})


NAMED = [(root, name) for root in MODELS for name in leaves(MODELS[root]) if has(root, name)]


@pytest.mark.parametrize(("root", "name"), NAMED)
def test_every_setting_can_be_set(root: str, name: str) -> None:
    for value in words_for(name, root):
        found = load([f"{name}={value}", *beside(name, value, root)], MODELS[root], root).model_dump()
        assert dict(flat(found))[name] == read_back(value)


def edges(name: str, root: str) -> Iterator[tuple[Any, bool]]:
    """Values at the ends of a setting's range and just beyond, and whether they lie within."""
    field = leaves(MODELS[root])[name]
    step: Any = 1 if int in members(field.annotation) else 1e-9
    for bound, inside, outside in (("ge", 0, -step), ("le", 0, step), ("gt", step, 0), ("lt", -step, 0)):
        for edge in (getattr(limit, bound) for limit in field.metadata if hasattr(limit, bound)):
            yield from [(edge + inside, True), (edge + outside, False)]


@pytest.mark.parametrize(("root", "name"), [(root, name) for root, name in NAMED if [*edges(name, root)]])
def test_every_range_holds_to_its_edges(root: str, name: str) -> None:
    more = {"search.selected": ["population=1000000"], "search.population": ["search=ga", "selected=1"]}.get(name, [])
    more += ["search=ga", "population=2", "selected=1"] if name == "budget" and root != "transfer" else []
    more += ["prior=variogram"] if name.startswith("prior.weights.") else []
    for value, within in edges(name, root):
        words = [f"{name}={value}", *more, *([] if "search=ga" in more else beside(name, value, root))]
        if within:
            assert dict(flat(load(words, MODELS[root], root).model_dump()))[name] == value
            continue
        with pytest.raises(UserError, match=f"^{re.escape(name)}: expected .*, got "):
            load(words, MODELS[root], root)
