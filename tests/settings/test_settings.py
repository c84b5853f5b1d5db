"""Settings: layers, short names, values, and every refusal by its text."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

import fooling
from fooling.errors import UserError
from fooling.settings import dump, load
from fooling.settings.commands import (
    BorderSettings,
    ClassifySettings,
    DamageSettings,
    EigenSettings,
    ExamineSettings,
    LadderSettings,
    MatrixSettings,
    MeanSettings,
    PlausibilitySettings,
    ScrambleSettings,
    StatsSettings,
    TrainSettings,
)
from fooling.settings.help import help_text
from fooling.settings.overrides import GROUPS, PRESET, choices, defaults, flat, leaves, members
from fooling.settings.rules import OF_SEARCHES, ONLY
from fooling.settings.schema import FOREIGN, RunSettings

MODELS = {
    "run": RunSettings,
    "ladder": LadderSettings,
    "matrix": MatrixSettings,
    "stats": StatsSettings,
    "train": TrainSettings,
    "plausibility": PlausibilitySettings,
    "examine": ExamineSettings,
    "eigen": EigenSettings,
    "mean": MeanSettings,
    "classify": ClassifySettings,
    "border": BorderSettings,
    "scramble": ScrambleSettings,
    "damage": DamageSettings,
}


def run(*words: str) -> RunSettings:
    return load(words, RunSettings, "run")


def refused(*words: str) -> str:
    with pytest.raises(UserError) as caught:
        run(*words)
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def model_of_jobs(root: str) -> bool:
    return issubclass(MODELS[root], RunSettings)


@pytest.mark.parametrize("root", MODELS)
def test_every_default_stands_in_its_file_once(root: str) -> None:
    assert dict(flat(defaults(root))).keys() == leaves(MODELS[root]).keys()


def test_documented_defaults() -> None:
    settings = run()
    assert (settings.digit, settings.runs, settings.seed, settings.threshold, settings.stop) == (2, 20, 0, 0.999, "end")
    assert (settings.search.population, settings.search.selected, settings.search.generations) == (100, 5, 1000)
    weights = settings.prior.weights
    assert (weights.target, weights.histogram, weights.variogram, weights.eigen) == (2, 1, 1, 0)


@pytest.mark.parametrize("group", GROUPS)
def test_every_choice_loads(group: str) -> None:
    for name in choices(group):
        assert getattr(run(f"{group}={name}", *path_of(name)), group).name == name


def test_prior_none_brings_threshold_and_stop() -> None:
    settings = run("prior=none")
    assert (settings.threshold, settings.stop, settings.prior.weights.variogram) == (0.9999, "threshold", 0)
    assert run("prior=none", "stop=end", "threshold=0.5").stop == "end"


def test_preset_blog2015_is_the_source() -> None:
    settings = run("preset=blog2015")
    assert (settings.tol, settings.stop, settings.prior.weights.histogram) == (0.055, "tol", 0)
    assert (settings.prior.quirk_lag1, settings.prior.quirk_axes) == (True, True)
    search = settings.search
    assert (search.population, search.selected, search.generations, search.draw) == (100, 5, 100, "bins")
    assert (search.swaps, search.elitism, search.returns, search.mutate_factor, search.min_rate) == (0, False, "worst", 1, 0)
    assert run("preset=blog2015", "quirk_axes=false", "generations=3").prior.quirk_axes is False


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
        ("prior.weights={target: 3}", "prior.weights.target", 3.0),
    ],
)
def test_words(word: str, path: str, value: Any) -> None:
    found: Any = run(*(word.split(" ") if word.startswith("digit=any") else [word]))
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["popluation=3"], "unknown setting 'popluation': did you mean search.population?"),
        (["search.popluation=3"], "did you mean search.population?"),
        (["xyzzy=3"], "unknown setting 'xyzzy': (--help lists all settings)"),
        (["path=x"], "'path' may mean classifier.path or data.path: write the longer name"),
        (
            ["prior=variogrm"],
            "prior=variogrm: did you mean variogram? expected one of eigen, exemplar, histogram, none, regional, variogram",
        ),
        (
            ["prior.hinge=tails"],
            "prior.hinge must be a list of histogram, variogram, regional, eigen, such as [eigen,regional]",
        ),
        (["engine=cuda"], "engine=cuda: expected one of deap, jax, numba, reference"),
        (["preset=blog"], "preset=blog: did you mean blog2015?"),
        (["--digit", "2"], "--digit: settings are written without dashes: digit=2"),
        (["--digit=2"], "--digit=2: settings are written without dashes: digit=2"),
        (["-d"], "settings are written without dashes"),
        (["digit"], "'digit': expected key=value, such as digit=2"),
        (["=2"], "'=2': expected key=value"),
        (["digit="], "digit=: expected a value"),
        (["digit=2", "digit=3"], "digit is set twice: digit=2 and digit=3"),
        (["population=2", "search.population=3"], "search.population is set twice"),
        (["digit=-1"], "digit must be a class from 0 on, got -1"),
        (["digit=x"], "digit must be a class index from 0 on, a list of them such as 0,1,2, all or any; got x"),
        (["digit=2.5"], "all or any; got 2.5"),
        (["digit=all,2"], "digit must be a class index from 0 on, a list of them such as 0,1,2, all or any; got [all, 2]"),
        (["digit=any,2"], "digit must be a class index from 0 on, a list of them such as 0,1,2, all or any; got [any, 2]"),
        (
            ["digit=any"],
            "digit=any with prior=variogram needs prior.digit=…, the class of the statistics; prior=none needs none",
        ),
        (["digit=any", "prior=none", "weights.eigen=1"], "digit=any with prior=none needs prior.digit=…"),
        (["digit=any", "prior=none", "exemplar=true"], "digit=any with prior.exemplar=true needs prior.digit=…"),
        (["digit=any", "prior=none", "control=true"], "control=true leaves the classifier out: name a class, for example"),
        (["digit=any", "prior.digit=3", "weights.target=0"], "prior.weights.target=0 leaves the classifier out: name a class"),
        (
            ["digit=any", "prior.digit=3", "preset=mismatched"],
            "with preset=mismatched finds the prior's own class; name another",
        ),
        (["digit=1,1"], "digit must name different classes, got [1, 1]"),
        (["digit=[]"], "digit must name different classes, got []"),
        (["population=1"], "search.population must be 2 or more, got 1"),
        (["selected=101"], "search.selected must be at most search.population (100), got 101"),
        (["selected=0"], "search.selected must be 1 or more, got 0"),
        (["seed=-1"], "seed must be 0 or more, got -1"),
        (["seed=18446744073709551616"], "seed must be less than 18446744073709551616"),
        (["runs=0"], "runs must be 1 or more, got 0"),
        (["runs=true"], "runs must be a number, got true"),
        (["runs=many"], "runs must be a whole number, got many"),
        (["runs=1.5"], "runs must be a whole number, got 1.5"),
        (["runs=[1"], "runs must be a whole number, got [1"),
        (["seed=!!timestamp x"], "seed must be a whole number, got !!timestamp x"),
        (["kind=npz", "statistics=a.npz"], "prior.statistics and data exclude each other"),
        (["threshold=0"], "threshold must be more than 0"),
        (["threshold=1.1"], "threshold must be 1"),
        (["threshold=.nan"], "threshold must be"),
        (["tol=.inf"], "tol must be a finite number"),
        (["weights.target=-1"], "prior.weights.target must be 0"),
        (["weights.target=.inf"], "prior.weights.target must be a finite number"),
        (["control=maybe"], "control must be true or false, got maybe"),
        (["control=1,2"], "control must be true or false"),
        (["draw=pixels"], "search.draw must be one of 'levels' or 'bins', got pixels"),
        (["stop=tol"], "stop=tol needs tol"),
        (["budget=50"], "budget must be at least search.population (100), got 50"),
        (["resume=true", "overwrite=true"], "resume=true and overwrite=true exclude each other"),
        (["weights.target=0", "weights.histogram=0", "weights.variogram=0"], "prior.weights are all 0"),
        (["statistics=a.npz", "data.path=b"], "prior.statistics and data exclude each other"),
        (["bins=300"], "prior.bins must be 256 or less, got 300"),
        (["lags=0"], "prior.lags must be 1 or more, got 0"),
        (["runs=0", "bins=0"], "runs must be 1 or more, got 0; prior.bins must be 1 or more, got 0"),
        (["control=1"], "control must be true or false, got 1"),
        (["elitism=yes"], "search.elitism must be true or false, got yes"),
        (["search={generations: 5}", "generations=6"], "search.generations is set twice"),
        (["search={name: null}"], "search={name: null}: expected the name of a choice, got null"),
        (["search={generation: 5}"], "unknown setting 'search.generation': did you mean search.generations?"),
        (["out=a\nb"], "out must be text without control characters, got 'a\\nb'"),
        (["digit=" + "1," * 5000 + "1"], "digit must name different classes"),
        (["runs=" + "9" * 5000], "runs must be"),
        (["none.yaml"], "none.yaml: cannot be read (No such file or directory)"),
    ],
)
def test_refusals(words: list[str], message: str) -> None:
    assert message in refused(*words)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("digit: [", "malformed YAML"),
        ("digit: 2\ndigit: 3\n", "'digit' stands there twice"),
        ("- 1\n- 2\n", "expected settings, a line each, such as digit: 2; got list"),
        ("just text", "got str"),
        ("1: 2", "got dict"),
        ("popluation: 3", "unknown setting 'popluation': did you mean search.population?"),
        ("search: {popluation: 3}", "unknown setting 'search.popluation'"),
        ("search: {population: 1}", "search.population must be 2 or more, got 1"),
        ("prior: nonsense", "prior=nonsense: did you mean none? expected one of"),
        ("digit: !!python/object:os.system {}", "malformed YAML"),
        ("search: &a {population: *a}", "line 1: malformed YAML (aliases are not read here)"),
        ("seed: !!timestamp x", "malformed YAML"),
        ("prior: null", "prior: expected one of eigen, exemplar, histogram, none, regional, variogram, got null"),
        ("population: 10\nsearch: {population: 20}", "search.population is set twice"),
        ('out: "a\\0b"', "out must be text without control characters"),
        ('engine: "a\\nb"', "engine=a"),
        ("digit: 2\n\tx: 1", "line 2: malformed YAML"),
        ("search: 5", "search=5: expected one of anneal, ascent, dream, feedback, ga, pareto"),
    ],
)
def test_files_that_are_refused(home: Path, content: str, message: str) -> None:
    Path("s.yaml").write_text(content)
    assert message in refused("s.yaml")


def test_binary_and_folder_files_are_refused(home: Path) -> None:
    Path("s.yaml").write_bytes(b"\xff\xfe\x00")
    assert "s.yaml" in refused("s.yaml")
    Path("d.yaml").mkdir()
    assert "d.yaml: cannot be read (Is a directory)" in refused("d.yaml")


def test_layers(home: Path) -> None:
    Path("s.yaml").write_text("prior: none\nthreshold: 0.5\npopulation: 50\nsearch: {selected: 3}\nseed: 1e1\n")
    settings = run("s.yaml", "selected=4")
    assert (settings.prior.name, settings.threshold, settings.stop) == ("none", 0.5, "threshold")
    assert (settings.search.population, settings.search.selected, settings.seed) == (50, 4, 10)


def test_a_group_chosen_anew_forgets_the_files_refinements(home: Path) -> None:
    Path("s.yaml").write_text(dump(run("prior.bins=7", "seed=9")))
    assert run("s.yaml").prior.bins == 7
    changed = run("s.yaml", "prior=none")
    assert (changed.prior.bins, changed.prior.weights.variogram, changed.seed) == (10, 0, 9)
    assert run("s.yaml", "preset=blog2015").prior.quirk_lag1


def test_every_group_chosen_anew_forgets(home: Path) -> None:
    Path("s.yaml").write_text("prior: {bins: 7}\nengine: {threads: 2}\n")
    both = run("s.yaml", "prior=none", "engine=reference")
    assert (both.prior.bins, both.engine.threads) == (run().prior.bins, None)
    same = run("s.yaml", f"prior={run().prior.name}", f"engine={run().engine.name}")
    assert (same.prior.bins, same.engine.threads) == (7, 2)


def test_presets_and_files(home: Path) -> None:
    Path("s.yaml").write_text("preset: blog2015\npopulation: 50\nprior: {}\n")
    assert (run("s.yaml").search.population, run("s.yaml").stop) == (50, "tol")
    assert run("s.yaml", "preset=blog2015").search.population == 100
    assert run("s.yaml", "preset=null") == run("population=50")


def test_a_prior_chosen_over_a_preset_is_that_prior(home: Path) -> None:
    settings = run("preset=blog2015", "prior=none")
    assert (settings.prior.name, settings.prior.weights.variogram, settings.prior.quirk_lag1) == ("none", 0, False)
    assert (settings.search.draw, settings.tol) == ("bins", 0.055)
    Path("s.yaml").write_text(dump(settings))
    assert run("s.yaml") == settings


def test_long_lists_may_come_first() -> None:
    digits = tuple(range(200))
    assert run(f"digit={','.join(map(str, digits))}").digit == digits


@pytest.mark.parametrize("words", [[], ["prior=none"], ["preset=blog2015", "quirk_axes=false"], ["digit=all", "tol=1e-5"]])
def test_a_dump_reads_back_to_the_same_job(home: Path, words: list[str]) -> None:
    settings = run(*words, "out=somewhere")
    Path("config.yaml").write_text(dump(settings))
    assert "somewhere" not in dump(settings)
    assert run("config.yaml", "out=somewhere") == settings


@pytest.mark.parametrize("root", MODELS)
def test_help_names_every_setting_and_choice(root: str) -> None:
    text = help_text(MODELS[root], root, "usage")
    for name, field in leaves(MODELS[root]).items():
        assert f"  {name.removesuffix('.name')}=" in text
        assert field.description.split()[0] in text
    assert max(map(len, text.splitlines())) <= 128
    if model_of_jobs(root):
        for group in (*GROUPS, "preset"):
            assert all(f"  {group}={name}" in text for name in choices(group))


def test_settings_answer_without_heavy_imports(home: Path) -> None:
    code = (
        "import sys; import fooling.commands as c; c.dispatch(['run', '--help'])\n"
        "heavy = {'numpy', 'jax', 'numba', 'matplotlib', 'rich', 'PIL', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "search.population=WHOLE (2 … 1000000), default 100" in done.stdout


BESIDE = {  # to be in range
    "search.selected": ["population=1000000"],
    "search.population": ["selected=1"],
    "budget": ["selected=1", "search=ga"],
}


OF_CLASSIFIERS = {"shape": "28,28,1", "mean": "0.5,0.25", "std": "0.5,0.25", "labels": "[a,b]", "batch_size": "fixed:64"}


def path_of(name: str) -> list[str]:
    """What a foreign classifier needs besides its name."""
    return ["classifier.path=a:b"] if name in FOREIGN else []


def beside_search(name: str, value: Any, root: str) -> list[str]:
    """The search that a setting, or a value of it, is of; and what it needs besides."""
    last = name.removeprefix("search.")
    if not model_of_jobs(root) or (last not in OF_SEARCHES and value != "settled"):
        return []
    search = "dream" if value == "settled" else OF_SEARCHES[last][-1]
    return [f"search={search}", *(["layer=conv1"] if last in ("channel", "neuron") else [])]


def beside_classifier(name: str) -> list[str]:
    """The kind of classifier that a setting is of."""
    group, _, last = name.partition(".")
    own = group == "classifier" and last not in ("name", "path")
    return [f"classifier={ONLY.get(last, 'python')}", "classifier.path=a:b"] if own else []


def words_for(name: str, root: str) -> list[str]:
    """Values that a setting takes, by its type."""
    kinds = members(leaves(MODELS[root])[name].annotation)
    if name == "digit":
        return ["1", "all", *(["any"] if root == "run" else [])]
    if name == PRESET or name.endswith(".name"):
        return choices(name.removesuffix(".name"))
    if bool in kinds:
        return ["true", "false"]
    named = [str(choice) for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    numbers = {"budget": "1001", "search.population": "7", "search.min_rate": "0.25", "images": "10", "runs": "2"}
    numbers |= {"search.size": "28", "search.decay": "0.25", "search.zoom": "0.25", "search.octave_scale": "2"}
    if (root, name) == ("damage", "prior"):
        return choices("prior")
    lists = dict.fromkeys(("steps", "offsets", "scales", "shares", "dosage", "neurons"), "3,4")
    lists |= {"search.neuron": "3,4", "files": "[a,b]", "priors": "[none,eigen]", "noises": "[uniform,other]"}
    lists |= {"channels": "3,4", "judges": "[a,b]", "rungs": "[a,b]", "arms": "[a,b]", "prior.hinge": "[eigen,regional]"}
    if name in lists or name.partition(".")[2] in OF_CLASSIFIERS:
        return [lists.get(name) or OF_CLASSIFIERS[name.partition(".")[2]]]
    return named + (["some text"] if str in kinds else [numbers.get(name, "1")] if {int, float} & set(kinds) else [])


@pytest.mark.parametrize(("root", "name"), [(root, name) for root in MODELS for name in leaves(MODELS[root])])
def test_every_setting_can_be_given(root: str, name: str) -> None:
    words = words_for(name, root)
    assert words
    for value in words:
        beside = {"tol": ["tol=1"], "worst": ["search=ga"], "any": ["prior=none"]}.get(
            value, ["engine=deap"] if name == "engine.toolbox" else []
        )
        kind = path_of(value) if name == "classifier.name" and root != "train" else beside_classifier(name)
        words = [f"{name}={value}", *beside, *kind, *beside_search(name, value, root)]
        found = dict(flat(load(words, MODELS[root], root).model_dump()))[name]
        assert found == read_back(value)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("ladder", "digit=any: the ladder compares priors class by class; name classes, for example digit=0,1,2 or digit=all"),
        ("matrix", "digit=any: the matrix takes pairs of classes; name two or more, for example digit=3,4 or digit=all"),
    ],
)
def test_any_class_is_of_the_main_job(root: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load(["digit=any"], MODELS[root], root)
    assert str(caught.value) == message


def read_back(word: str) -> Any:
    lists = {
        "3,4": (3, 4),
        "28,28,1": (28, 28, 1),
        "0.5,0.25": (0.5, 0.25),
        "[a,b]": ("a", "b"),
        "[eigen,regional]": ("eigen", "regional"),
        "[none,eigen]": ("none", "eigen"),
        "[uniform,other]": ("uniform", "other"),
    }
    return {"true": True, "false": False, "0.25": 0.25, **lists}.get(word, int(word) if word.isdigit() else word)


def edges(name: str, root: str) -> Iterator[tuple[Any, bool]]:
    """Values at the ends of a setting's range and just beyond, and whether they lie within."""
    field = leaves(MODELS[root])[name]
    step: Any = 1 if int in members(field.annotation) else 1e-9
    for bound, inside, outside in (("ge", 0, -step), ("le", 0, step), ("gt", step, 0), ("lt", -step, 0)):
        for edge in (getattr(limit, bound) for limit in field.metadata if hasattr(limit, bound)):
            yield from [(edge + inside, True), (edge + outside, False)]


@pytest.mark.parametrize(
    ("root", "name"), [(root, name) for root in MODELS for name in leaves(MODELS[root]) if [*edges(name, root)]]
)
def test_every_range_holds_to_its_edges(root: str, name: str) -> None:
    beside = BESIDE[name] if model_of_jobs(root) and name in BESIDE else []
    for value, within in edges(name, root):
        words = [f"{name}={value}", *beside, *(["population=2"] if name == "budget" else []), *beside_classifier(name)]
        words += beside_search(name, value, root)
        if within:
            assert dict(flat(load(words, MODELS[root], root).model_dump()))[name] == value
            continue
        with pytest.raises(UserError, match=f"^{re.escape(name)} must be .*, got "):
            load(words, MODELS[root], root)


def test_another_working_directory_changes_nothing(home: Path) -> None:
    assert load([]) == run()
    code = "from fooling.settings import load; print(load(['prior=none']).stop)"
    path = {"PYTHONPATH": str(Path(fooling.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], cwd=home, env={**os.environ, **path}, capture_output=True, text=True)
    assert done.stdout == "threshold\n", done.stderr
