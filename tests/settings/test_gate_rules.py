"""Rules of fail_under: what they mean, and what is refused before anything runs."""

import subprocess
import sys

import pytest
from builders import ROOT
from pydantic import TypeAdapter, ValidationError

from fooling.classifiers.detectors import DETECTORS as ROWS
from fooling.classifiers.detectors import TRAINING
from fooling.settings.detectors import AUDITED
from fooling.settings.gate import FIGURES, SERIES, Rules, known_figures, parse_rules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("q9999=5000", [("q9999", ">=", 5000)]),
        ("ece=0.05", [("ece", "<=", 0.05)]),
        ("mismatch<0.1, ece < 5 %", [("mismatch", "<", 0.1), ("ece", "<", 0.05)]),
        ("accuracy>=99%,accuracy<=1", [("accuracy", ">=", 0.99), ("accuracy", "<=", 1)]),
        ("q99>1e3", [("q99", ">", 1000)]),
        ("noise99<.01,", [("noise99", "<", 0.01)]),
        ("read_eigen=.5,read_eigen_control<.5", [("read_eigen", ">=", 0.5), ("read_eigen_control", "<", 0.5)]),
        ("auroc_entropy=.9,fpr95_energy_variogram=10%", [("auroc_entropy", ">=", 0.9), ("fpr95_energy_variogram", "<=", 0.1)]),
        ("ece<.1,ece<.1", [("ece", "<", 0.1)]),
    ],
)
def test_rules_by_hand(text: str, expected: list[tuple[str, str, float]]) -> None:
    assert [(rule.name, rule.sign, pytest.approx(rule.limit)) for rule in parse_rules(text)] == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "rules such as"),
        (" , ", "rules such as"),
        ("q9999", "'q9999' is none"),
        ("q9999=5,000", "'000' is none"),
        ("q9999=", "'q9999=' is none"),
        ("q9999!=3", "is none"),
        ("q9999==3", "is none"),
        ("q9999=nan", "is none"),
        ("q9999=inf", "is none"),
        ("q9999=1e999", "from 0 on"),
        ("q9999=-1", "from 0 on"),
        ("ece<5", "0 to 1 or a percentage"),
        ("accuracy=101%", "0 to 1 or a percentage"),
        ("auroc_entropy=90", "0 to 1 or a percentage"),
        ("q99=50%", "no percentage"),
        ("missmatch<.1", "did you mean mismatch?"),
        ("auroc_entrpy<.1", "did you mean auroc_entropy?"),
        ("read_eigne<.1", "did you mean read_eigen?"),
        ("Q9999=3", "q9999"),
        ("nonsense=3", "nonsense is none of them"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"rules|number") as error:
        parse_rules(text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_refusal_lists_the_known_names() -> None:
    with pytest.raises(ValueError, match=r"rules|number") as error:
        parse_rules("nonsense=3")
    assert [name for name in (*FIGURES, *SERIES, *AUDITED) if name not in str(error.value)] == []


def test_a_setting_of_rules_stays_as_it_was_typed() -> None:
    rules = TypeAdapter(Rules)
    assert rules.validate_python("q9999=5000,ece<5%") == "q9999=5000,ece<5%"
    assert rules.validate_python(["q9999=5000", "ece<5%"]) == "q9999=5000,ece<5%"
    assert rules.validate_python(None) is None
    for wrong in (5, ["q9999=5000", 3], "q=1", {"ece": 1}):
        with pytest.raises(ValidationError):
            rules.validate_python(wrong)


def test_every_detector_that_is_fitted_to_no_training_images_has_figures() -> None:
    assert [name for name, row in ROWS.items() if row.fitted != TRAINING] == list(AUDITED)


def test_every_figure_says_what_it_is() -> None:
    for name, figure in known_figures().items():
        assert figure.text, name
        assert "{" not in figure.text, name
        assert figure.better in ("higher", "lower"), name


def test_the_guide_names_every_figure() -> None:
    text = (ROOT / "docs/guides/ci.md").read_text(encoding="utf-8")
    shown = [name.replace("99", "90") if about.part == "nothing" else name for name, about in FIGURES.items()]
    assert [name for name in (*shown, *AUDITED) if f"`{name}`" not in text] == []
    assert [name for name in SERIES if f"`{name}_" not in text] == []


def test_rules_are_read_without_numpy() -> None:
    code = "import sys, fooling.settings.gate; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
