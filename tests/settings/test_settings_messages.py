"""Every refusal of settings by the setting's name and the value; one test checks the form of all."""

import re
from pathlib import Path

import pytest

from fooling.errors import UserError
from fooling.settings import load
from fooling.settings.help import help_text
from fooling.settings.schema import RunSettings

# Words that are refused → what the message says, in this order.
REFUSED: list[tuple[list[str], list[str]]] = [
    # names
    (["popluation=3"], ["'popluation'", "search.population"]),
    (["search.popluation=3"], ["search.popluation", "search.population"]),
    (["search={generation: 5}"], ["search.generation", "search.generations"]),
    (["xyzzy=3"], ["'xyzzy'", "--help"]),
    (["path=x"], ["path: expected", "classifier.path or data.path", "'path'"]),
    # choices
    (["prior=variogrm"], ["prior: expected", "eigen, exemplar, histogram", "got variogrm", "variogram"]),
    (["engine=cuda"], ["engine: expected", "deap, jax, numba, reference", "got cuda"]),
    (["preset=blog"], ["preset: expected", "got blog", "blog2015"]),
    (["search={name: null}"], ["search: expected", "anneal", "got null"]),
    # words
    (["--digit", "2"], ["--digit: expected", "digit=2"]),
    (["--digit=2"], ["--digit=2: expected", "digit=2"]),
    (["-d"], ["-d: expected", "d=VALUE"]),
    (["digit"], ["'digit': expected key=value"]),
    (["=2"], ["'=2': expected key=value"]),
    (["digit="], ["digit: expected a value", "got nothing"]),
    (["digit=2", "digit=3"], ["digit is set twice", "digit=2", "digit=3"]),
    (["digit=2", "target=3"], ["digit is set twice", "digit=2", "target=3"]),
    (["population=2", "search.population=3"], ["search.population is set twice"]),
    (["search={generations: 5}", "generations=6"], ["search.generations is set twice"]),
    (["none.yaml"], ["none.yaml", "No such file"]),
    # digit
    *(
        ([f"digit={word}"], ["digit: expected", f"got {got}"])
        for word, got in (("-1", "-1"), ("-1e3", "-1000"), ("2.5", "2.5"))
    ),
    (["digit=all,2"], ["digit: expected", "got [all, 2]"]),
    (["digit=any,2"], ["digit: expected", "got [any, 2]"]),
    (["digit=1,1"], ["digit: expected", "got [1, 1]"]),
    (["digit=[]"], ["digit: expected", "got []"]),
    (["digit=true"], ["digit: expected", "got true"]),
    (["digit=" + "1," * 5000 + "1"], ["digit: expected", "got [1, 1,"]),
    (["digit=any"], ["prior.digit: expected", "digit=any", "prior=variogram", "prior=none"]),
    (["digit=any", "prior=none", "weights.eigen=1"], ["prior.digit: expected", "prior=none"]),
    (["digit=any", "prior=none", "exemplar=true"], ["prior.digit: expected", "prior.exemplar=true"]),
    (["digit=any", "prior=none", "control=true"], ["digit: expected a class", "digit=2", "any", "control=true"]),
    (["digit=any", "prior.digit=3", "weights.target=0"], ["digit: expected a class", "prior.weights.target=0"]),
    (["digit=any", "prior.digit=3", "preset=mismatched"], ["digit: expected", "preset=mismatched", "digit=4"]),
    # values
    (["population=1"], ["search.population: expected 2 or more, got 1"]),
    (["selected=101"], ["search.selected: expected", "100", "got 101"]),
    (["selected=0"], ["search.selected: expected 1 or more, got 0"]),
    (["seed=-1"], ["seed: expected 0 or more, got -1"]),
    (["seed=18446744073709551616"], ["seed: expected less than 18446744073709551616"]),
    (["runs=0"], ["runs: expected 1 or more, got 0"]),
    (["runs=true"], ["runs: expected a number, got true"]),
    (["runs=many"], ["runs: expected a whole number, got many"]),
    (["runs=1.5"], ["runs: expected a whole number, got 1.5"]),
    (["runs=[1"], ["runs: expected a whole number, got [1"]),
    (["runs=" + "9" * 5000], ["runs: expected", "got 999"]),
    (["seed=!!timestamp x"], ["seed: expected a whole number, got !!timestamp x"]),
    (["threshold=0"], ["threshold: expected more than 0"]),
    (["threshold=1.1"], ["threshold: expected 1", "got 1.1"]),
    (["threshold=.nan"], ["threshold: expected", "got nan"]),
    (["tol=.inf"], ["tol: expected a finite number"]),
    (["weights.target=-1"], ["prior.weights.target: expected 0", "got -1"]),
    (["weights.target=.inf"], ["prior.weights.target: expected a finite number"]),
    (["control=maybe"], ["control: expected true or false, got maybe"]),
    (["control=1"], ["control: expected true or false, got 1"]),
    (["control=1,2"], ["control: expected true or false", "got [1, 2]"]),
    (["elitism=yes"], ["search.elitism: expected true or false, got yes"]),
    (["draw=pixels"], ["search.draw: expected", "'levels' or 'bins'", "got pixels"]),
    (["prior.hinge=tails"], ["prior.hinge: expected", "'regional' or 'eigen'", "got tails"]),
    (["bins=300"], ["prior.bins: expected 256 or less, got 300"]),
    (["lags=0"], ["prior.lags: expected 1 or more, got 0"]),
    (["runs=0", "bins=0"], ["runs: expected 1 or more, got 0", "prior.bins: expected 1 or more, got 0"]),
    (["out=a\nb"], ["out: expected", "'a\\nb'"]),
    # settings of another search or classifier
    (
        ["search=anneal", "population=50"],
        ["search.population: expected search=ga, pareto, es or map_elites, got search=anneal"],
    ),
    (["search=feedback", "blur_sd=1"], ["search.blur_sd: expected search=ascent or dream, got search=feedback"]),
    (["search=pareto", "selected=2"], ["search.selected: expected search=ga, got search=pareto"]),
    (["temperature=1"], ["search.temperature: expected search=anneal, got search=ga"]),
    (
        ["classifier.scale=2"],
        [
            "classifier.scale: expected",
            "(onnx, sklearn, torch, keras, ",
            "http)",
            "classifier=mnist_mlp",
        ],
    ),
    (["classifier.weights=w"], ["classifier.weights: expected", "torch", "got classifier=mnist_mlp"]),
    (
        ["classifier=onnx", "classifier.path=m", "timeout=1"],
        ["classifier.timeout: expected classifier=http, got classifier=onnx"],
    ),
    *(
        ([f"classifier={name}"], [f"classifier.path: expected {form}", f"classifier={name}", "got null"])
        for name, form in (("onnx", "FILE.onnx"), ("sklearn", "FILE.skops"), ("torch", "module:function"), ("http", "URL"))
    ),
    # rules between settings
    (["stop=tol"], ["stop: expected", "tol=…", "got tol=null"]),
    (["stop=settled"], ["stop: expected", "stop=settled", "got search=ga"]),
    (["population=60", "budget=50"], ["budget: expected", "search.population (60)", "got 50"]),
    (["search=anneal", "budget=50"], ["budget: expected", "search.proposals (1001)", "got 50"]),
    (["resume=true", "overwrite=true"], ["resume: expected", "overwrite=true", "got both"]),
    (["statistics=a.npz", "data.path=b"], ["prior.statistics: expected", "got both"]),
    (["kind=npz", "statistics=a.npz"], ["prior.statistics: expected", "got both"]),
    (["weights.target=0", "weights.histogram=0", "weights.variogram=0"], ["prior.weights: expected", "got all 0"]),
    (["toolbox=a:b"], ["engine.toolbox: expected engine=deap, got engine=numba"]),
    (["search=feedback", "control=true"], ["control: expected", "got true", "search=feedback"]),
]
# Contents of a settings file that are refused.
FILES: list[tuple[str, list[str]]] = [
    ("digit: [", ["malformed YAML"]),
    ("digit: 2\ndigit: 3\n", ["'digit'", "twice"]),
    ("- 1\n- 2\n", ["expected settings", "got list"]),
    ("just text", ["expected settings", "got str"]),
    ("1: 2", ["expected settings", "got dict"]),
    ("popluation: 3", ["'popluation'", "search.population"]),
    ("search: {popluation: 3}", ["'search.popluation'"]),
    ("search: {population: 1}", ["search.population: expected 2 or more, got 1"]),
    ("search: {climb: target}", ["search.climb: expected search=ascent or dream, got search=ga"]),
    ("prior: nonsense", ["prior: expected", "none", "got nonsense"]),
    ("digit: !!python/object:os.system {}", ["malformed YAML"]),
    ("search: &a {population: *a}", ["line 1", "malformed YAML", "aliases"]),
    ("seed: !!timestamp x", ["malformed YAML"]),
    ("prior: null", ["prior: expected", "variogram", "got null"]),
    ("population: 10\nsearch: {population: 20}", ["search.population is set twice"]),
    ('out: "a\\0b"', ["out: expected text without control characters"]),
    ('engine: "a\\nb"', ["engine: expected", "'a\\nb'"]),
    ("digit: 2\n\tx: 1", ["line 2", "malformed YAML"]),
    ("search: 5", ["search: expected", "anneal, ascent, dream, es, feedback, ga, map_elites, pareto", "got 5"]),
]


def refused(*words: str) -> str:
    with pytest.raises(UserError) as caught:
        load(words, RunSettings, "run")
    return str(caught.value)


def in_order(parts: list[str], text: str) -> bool:
    return re.search(".*?".join(map(re.escape, parts)), text, re.DOTALL) is not None


@pytest.mark.parametrize(("words", "parts"), REFUSED, ids=lambda value: " ".join(value)[:60])
def test_refusals(words: list[str], parts: list[str]) -> None:
    message = refused(*words)
    assert in_order(parts, message), message


@pytest.mark.parametrize(("content", "parts"), FILES, ids=lambda value: str(value)[:40])
def test_files_that_are_refused(home: Path, content: str, parts: list[str]) -> None:
    Path("s.yaml").write_text(content)
    assert in_order(parts, refused("s.yaml")), refused("s.yaml")


def test_every_message_says_what_was_expected_and_got() -> None:
    other = re.compile(
        r"^(unknown setting '.*'|\S+ is set twice: |none\.yaml: cannot be read|'.*': expected key=value)", re.DOTALL
    )
    for words, _ in REFUSED:
        message = refused(*words)
        assert len(message.splitlines()) == 1, message
        for sentence in re.split(r"; (?=[\w.]+: expected)", message):
            assert other.match(sentence) or re.match(r"^\S+: expected .+, got .+", sentence, re.DOTALL), sentence


def test_binary_and_folder_files_are_refused(home: Path) -> None:
    Path("s.yaml").write_bytes(b"\xff\xfe\x00")
    assert "s.yaml" in refused("s.yaml")
    Path("d.yaml").mkdir()
    assert in_order(["d.yaml", "Is a directory"], refused("d.yaml"))


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("poplation=5", "search.population"),
        ("sede=1", "seed"),
        ("thresh=1", "threshold"),
        ("iterations=5", ""),
        ("colours=3", ""),
    ],
)
def test_only_near_names_are_suggested(word: str, near: str) -> None:
    message = refused(word)
    assert "unknown setting" in message
    assert (f"did you mean {near}?" in message) if near else ("did you mean" not in message)


def test_letters_that_the_locale_lacks_are_no_control_characters() -> None:
    message = refused("out=r\udcc3\udcbc")
    assert "control" not in message
    assert "LANG=C.UTF-8" in message


def test_help_leaves_out_wrong_words_only() -> None:
    text = help_text(RunSettings, "run", "usage", ["digt=3", "search=anneal", "prior=eigen", "proposals=x=y", "seed=5"])
    assert "search.proposals=" in text
    assert "seed=WHOLE" in text
    assert re.search(r"prior\.weights\.eigen=.*, default 0\.05", text)
