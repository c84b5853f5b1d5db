"""Settings: defaults, layers, help, and records of former versions."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from settings_models import MODELS, UNIONS, choose, run

import fooling
from fooling.errors import UserError
from fooling.records.ownership import CONFIG
from fooling.records.resume import differences
from fooling.settings import dump, load
from fooling.settings.choices import GROUPS, choices, configs_folder
from fooling.settings.files import flat
from fooling.settings.harden import HardenSettings
from fooling.settings.help import help_text
from fooling.settings.names import FORMER, leaves, leaves_of, owners, tags
from fooling.settings.overrides import collect
from fooling.settings.schema import RunSettings


# --- defaults ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("group", UNIONS)
def test_each_choice_has_a_file_and_a_class(group: str) -> None:
    assert sorted(tag for kind in UNIONS[group] for tag in tags(kind)) == choices(group)


@pytest.mark.parametrize(
    ("root", "search"),
    [(root, search) for root in MODELS for search in (choices("search") if "search" in MODELS[root].model_fields else [""])],
)
def test_every_setting_has_a_default_and_nothing_else_has(root: str, search: str) -> None:
    tree = collect([f"search={search}"] if search else [], MODELS[root], root)
    chosen = {group: tree[group]["name"] for group in UNIONS if group in tree}
    assert dict(flat(tree)).keys() == leaves_of(MODELS[root], chosen).keys()


def test_every_default_is_written_once() -> None:
    files = {path: dict(flat(yaml.safe_load(path.read_text()) or {})) for path in configs_folder().glob("[rs]*/**/*.yaml")}
    shared = {path: names for path, names in files.items() if path.parent.name == "shared"}
    for path, names in shared.items():
        assert not [other for other in shared if other != path and names.keys() & shared[other].keys() - {"extends"}]
    for names in shared.values():
        assert {name.partition(".")[0] for name in names} <= {"search", "classifier", "extends"}


@pytest.mark.parametrize("path", sorted(configs_folder().glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_files_of_choices_name_settings_that_exist(path: Path) -> None:
    known = {*leaves({**MODELS, "harden": HardenSettings}.get(path.parent.name, RunSettings)), *GROUPS, "extends"}
    assert dict(flat(yaml.safe_load(path.read_text()) or {})).keys() <= known
    assert path.read_text().startswith("# ") or path.parent.name == "train"


def test_documented_defaults() -> None:
    settings = run()
    assert (settings.digit, settings.runs, settings.seed, settings.threshold, settings.stop) == (2, 20, 0, 0.999, "end")
    assert (settings.search.population, settings.search.selected, settings.search.generations) == (100, 5, 1000)
    weights = settings.prior.weights
    assert (weights.target, weights.histogram, weights.variogram, weights.eigen) == (2, 1, 1, 0)


def test_each_search_has_its_own_defaults() -> None:
    found = {name: run(f"search={name}").search for name in choices("search")}
    assert {name: search.generations for name, search in found.items()} == {
        "anneal": 1000,
        "ascent": 100,
        "dream": 60,
        "es": 499,
        "map_elites": 1000,
        "feedback": 1000,
        "ga": 1000,
        "pareto": 1000,
    }
    assert (found["feedback"].start, found["feedback"].decay, found["ascent"].start) == ("grey", 0.02, "noise")


@pytest.mark.parametrize(("group", "name"), [(group, name) for group in GROUPS for name in choices(group)])
def test_every_choice_loads(group: str, name: str) -> None:
    assert getattr(run(*choose(group, name)), group).name == name


def test_a_data_set_is_given_by_path_or_kind() -> None:
    assert [run(*words).data.given for words in ([], ["data.path=a"], ["data.kind=sklearn"])] == [False, True, True]


# --- layers -----------------------------------------------------------------------------------------------------------
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


def test_a_prior_may_choose_the_search_and_a_search_the_prior() -> None:
    assert (run("prior=eigen").search.name, run("prior=eigen").search.temperature) == ("anneal", 0.001)
    other = run("prior=eigen", "search=ga")
    assert (other.prior.name, other.search.name, other.search.generations) == ("eigen", "ga", 1000)
    assert run("prior=eigen", "search=anneal").search.generations == 400
    ascent = run("search=ascent")
    assert (ascent.prior.name, ascent.engine.name, ascent.stop) == ("none", "jax", "end")
    assert run("search=ascent", "prior=histogram").prior.name == "histogram"


def test_layers(home: Path) -> None:
    Path("s.yaml").write_text("prior: none\nthreshold: 0.5\npopulation: 50\nsearch: {selected: 3}\nseed: 1e1\n")
    settings = run("s.yaml", "selected=4")
    assert (settings.prior.name, settings.threshold, settings.stop) == ("none", 0.5, "threshold")
    assert (settings.search.population, settings.search.selected, settings.seed) == (50, 4, 10)


def test_a_new_choice_discards_what_the_file_set_for_another(home: Path) -> None:
    Path("s.yaml").write_text(dump(run("prior.bins=7", "seed=9")))
    assert run("s.yaml").prior.bins == 7
    changed = run("s.yaml", "prior=none")
    assert (changed.prior.bins, changed.prior.weights.variogram, changed.seed) == (10, 0, 9)
    assert run("s.yaml", "preset=blog2015").prior.quirk_lag1
    assert run("s.yaml", "search=anneal").search == run("search=anneal").search


def test_every_new_choice_discards(home: Path) -> None:
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


def test_partial_leaves_out_what_the_choice_does_not_have() -> None:
    words = ["search=anneal", "population=7", "proposals=5"]
    assert load(words, RunSettings, "run", partial=True) == run("search=anneal", "proposals=5")


# --- records ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["prior=none"],
        ["preset=blog2015", "quirk_axes=false"],
        ["digit=all", "tol=1e-5"],
        *([f"search={name}"] for name in choices("search")),
        *(choose("classifier", name) for name in choices("classifier")),
    ],
    ids=str,
)
def test_a_dump_reads_back_to_the_same_job(home: Path, words: list[str]) -> None:
    settings = run(*words, "out=somewhere")
    Path("config.yaml").write_text(dump(settings))
    assert "somewhere" not in dump(settings)
    assert run("config.yaml", "out=somewhere") == settings


def former_config(*words: str) -> str:
    """The config.yaml of a version whose records listed the settings of every search and classifier."""
    tree = yaml.safe_load(dump(run(*words)))
    return yaml.safe_dump({**tree, **{group: {**former, **tree[group]} for group, former in FORMER.items()}})


@pytest.mark.parametrize(
    "words",
    [
        *([f"search={name}"] for name in choices("search")),
        ["preset=blog2015", "prior=eigen"],
        ["search=anneal", "temperature=0.01"],
        *(choose("classifier", name) for name in ("mnist_cnn", "torch", "http")),
    ],
    ids=str,
)
def test_former_records_are_read_and_resumed(home: Path, words: list[str]) -> None:
    Path(CONFIG).write_text(former_config(*words))
    assert run(CONFIG) == run(*words)
    assert differences(home, dump(run(*words))) == {}
    assert differences(home, dump(run(*words, "seed=5"))) == {"seed": (0, 5)}


def test_a_former_record_is_read_whatever_its_other_searches_hold(home: Path) -> None:
    Path(CONFIG).write_text(former_config())
    expected = run(CONFIG)
    Path(CONFIG).write_text(former_config().replace("temperature: 0.002", "temperature: 0.5"))
    assert run(CONFIG) == expected


def test_a_former_setting_that_was_changed_is_refused_in_a_new_file(home: Path) -> None:
    Path(CONFIG).write_text(
        "\n".join(line for line in former_config().splitlines() if "losers:" not in line).replace(
            "temperature: 0.002", "temperature: 0.5"
        )
    )
    with pytest.raises(UserError, match=r"^search\.temperature: expected search=anneal, got search=ga"):
        run(CONFIG)


def test_former_defaults_are_of_settings_that_exist() -> None:
    for group, former in FORMER.items():
        assert all(owners(RunSettings, group, name) for name in former)


# --- help -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("root", MODELS)
def test_help_names_every_setting_and_choice(root: str) -> None:
    text = help_text(MODELS[root], root, "usage")
    for name, value in flat(collect([], MODELS[root], root)):
        assert re.search(rf"^  {re.escape(name.removesuffix('.name'))}=.*, default ", text, re.MULTILINE), (name, value)
    assert max(map(len, text.splitlines())) <= 128
    for group in (*GROUPS, "preset"):
        if group in MODELS[root].model_fields and root != "damage":
            assert all(f"  {group}={name}" in text for name in choices(group))


def test_help_is_of_the_chosen_search_and_classifier() -> None:
    text = help_text(RunSettings, "run", "usage", ["search=anneal", "classifier=http", "prior=none", "threads=3", "--help"])
    for line in ("search.proposals=", "classifier.timeout=", "stop=end|threshold|tol|settled, default threshold"):
        assert f"\n  {line}" in text
    assert "engine.threads=WHOLE|null (1 … 4096), default 3" in text
    assert not [name for name in ("search.population", "search.blur_sd", "classifier.weights") if f"{name}=" in text]


def test_help_is_also_given_for_words_that_are_wrong() -> None:
    words = ["two.png", "classifier=http", "--help"]
    assert "classifier.timeout=" in help_text(MODELS["classify"], "classify", "usage", words)
    assert help_text(RunSettings, "run", "usage", ["serch=anneal", "help"]) == help_text(RunSettings, "run", "usage")


def test_settings_answer_without_heavy_imports(home: Path) -> None:
    code = (
        "import sys; from fooling.settings import RunSettings, commands, experiments, help\n"
        "print(help.help_text(RunSettings, 'run', 'usage'))\n"
        "heavy = {'numpy', 'jax', 'numba', 'matplotlib', 'rich', 'PIL', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "search.population=WHOLE (2 … 1000000), default 100" in done.stdout


def test_the_reference_page_is_up_to_date() -> None:
    page = runpy.run_path(str(Path(fooling.__file__).parent.parent / "docs" / "make_settings.py"))
    assert page["PAGE"].read_text(encoding="utf-8") == page["render"](), "run python docs/make_settings.py"


def test_another_working_directory_changes_nothing(home: Path) -> None:
    assert load([]) == run()
    code = "from fooling.settings import load; print(load(['prior=none']).stop)"
    path = {"PYTHONPATH": str(Path(fooling.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], cwd=home, env={**os.environ, **path}, capture_output=True, text=True)
    assert done.stdout == "threshold\n", done.stderr
