"""The checks, figures and verdict of an audit, of what it found as written by hand: no search runs."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fooling.commands.audit.checks import checks
from fooling.commands.audit.figures import figures, left_out_within
from fooling.report.verdict import verdict
from fooling.search.state import MILESTONES
from fooling.statistics.intervals import proportion_with_ci

BUDGET = 1000


def attack(digit: int, reached: list[int | None], confidence: float | None = None, most: float = 0.9999) -> Any:
    """The result of attacks on a class: evaluations until each reached `most`; None: never."""
    at = np.array([-1 if n is None else n for n in reached])
    columns = [at if level <= most else np.full(len(at), -1) for level in MILESTONES]
    scores = np.where(at >= 0, most, 0.3) if confidence is None else np.full(len(at), confidence)
    return SimpleNamespace(digit=digit, evaluations_to=np.stack(columns, axis=1), confidence=scores)


def row(kind: str, sure: int, images: int, classes: tuple[int, ...] = (), answers: tuple[int, ...] = (), note: str = "") -> Any:
    """What audit.json says of images without any of the classes, of a kind."""
    shares = {level: proportion_with_ci(sure, images) for level in ("at_90", "at_99")}
    top = [{"class": k, "share": 0.3} for k in answers]
    return {"kind": kind, "images": images, **shares, "answers": top, "sure": list(classes), "note": note}


def content(reached: dict[int, tuple[int, int]], *rows: Any, medians: tuple[Any, Any, Any] = (200, 50, None)) -> dict[str, Any]:
    """What audit.json says so far: attacks that reach .99 by their classes, images without any of them."""
    classes = [{"digit": k, "reached99": proportion_with_ci(*share)} for k, share in reached.items()]
    whole = proportion_with_ci(*(sum(share[i] for share in reached.values()) for i in (0, 1))) if reached else None
    q: dict[str, Any] = {"classes": classes, "budget": BUDGET}
    for level in ("99", "9999"):
        q |= {f"q{level}": medians[0], f"interval{level}": list(medians[1:]), f"reached{level}": whole}
    return {
        "protocol": {"search": "ga", "genome": "pixels", "budget": BUDGET},
        "facts": {"notes": [], "accuracy": None, "images_per_second": 100},
        "nothing": {"rows": list(rows), "left_out": []},
        "q": q if reached else None,
        "priors": None,
        "mismatch": None,
        "detectors": None,
    }


def check(name: str, found: dict[str, Any], results: list[Any] = [], by_gradients: list[Any] = []) -> tuple[bool | None, str]:  # noqa: B006
    """One of the checks."""
    one = next(one for one in checks(found, results, by_gradients) if one["name"] == name)
    return one["passed"], one["text"]


# --- checks -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("runs", "passed"),
    [
        ([100, 100] * 10, True),
        ([100, None] * 10, False),  # early ones succeed at half of the budget, others never
        ([None, 100] * 10, True),
        ([900, 900] * 10, True),
        ([100, 100, 100, None] * 2, None),  # four attacks in either half
    ],
)
def test_more_budget_compares_independent_attacks(runs: list[int | None], passed: bool | None) -> None:
    assert check("more_budget", content({0: (1, 2)}), [attack(0, runs)])[0] is passed


def test_more_budget_lies_within_chance() -> None:
    few = [100, None] + [None] * 18  # one of ten against none of ten
    passed, text = check("more_budget", content({0: (1, 2)}), [attack(0, few)])
    assert passed is True
    assert "1 of 10" in text
    assert "0 of 10" in text


@pytest.mark.parametrize(("early", "late", "passed"), [(400, 900, True), (400, None, False), (900, None, True)])
def test_single_attacks_are_compared_across_classes(early: int | None, late: int | None, passed: bool) -> None:
    found = content(dict.fromkeys(range(20), (1, 1)))
    found["protocol"]["seed"] = 3
    drawn = set(np.random.default_rng(3).permutation(20)[:10].tolist())
    results = [attack(k, [early if k in drawn else late]) for k in range(20)]
    was, text = check("more_budget", found, results)
    assert was is passed
    assert "10 of 20" in text
    assert "across classes" in text
    assert check("more_budget", found, results[:9])[0] is None  # of so few classes nothing is said


@pytest.mark.parametrize("number", [1, 20])
def test_a_saved_image_without_the_confidence_that_was_counted_fails(number: int) -> None:
    passed, text = check("more_budget", content({0: (1, 2)}), [attack(0, [100] * number, 0.98)])
    assert passed is False
    assert f"0 of {number} saved" in text


def test_other_batches_and_attacks_that_go_on_lose_no_image() -> None:
    assert check("more_budget", content({0: (1, 2)}), [attack(0, [100] * 20, 0.9998)])[0] is True
    assert check("more_budget", content({0: (1, 2)}), [attack(0, [100] * 20, 0.98, most=0.99)])[0] is True


def test_no_attack_is_no_check() -> None:
    assert [one["passed"] for one in checks(content({}), [], [])] == [None] * 3


@pytest.mark.parametrize(
    ("scores", "by_gradients", "passed"),
    [
        ({0: (10, 10), 1: (0, 10)}, {1: 0.2}, None),  # only class 1 is in both, and nothing reached it
        ({0: (10, 10), 1: (1, 10)}, {1: 0.995}, True),
        (dict.fromkeys(range(10), (10, 10)), dict.fromkeys(range(10), 0.2), False),
        (dict.fromkeys(range(10), (2, 10)), dict.fromkeys(range(10), 0.2), True),  # 0 of 10 against 20 of 100: by chance
        ({0: (10, 10)}, {1: 0.2}, None),
    ],
)
def test_gradients_are_compared_on_common_classes(scores: Any, by_gradients: Any, passed: bool | None) -> None:
    results = [attack(k, [None], sure) for k, sure in by_gradients.items()]
    assert check("gradients", content(scores), [], results)[0] is passed


def test_noise_counts_the_classes_it_is_sure_of_not_the_most_frequent_answers() -> None:
    reached = {0: (0, 10), 1: (10, 10), 2: (0, 10)}
    assert check("noise", content(reached, row("even_noise", 1, 500, (1,), answers=(0, 1))))[0] is True
    passed, text = check("noise", content(reached, row("even_noise", 1, 500, (2,), answers=(1,))))
    assert passed is False
    assert "2 of 3 classes" in text
    assert "1 of those 2" in text


def test_a_check_without_anything_to_check_is_not_passed() -> None:
    passed, text = check("noise", content({0: (10, 10), 1: (1, 10)}, row("even_noise", 0, 500)))
    assert passed is None
    assert "no class is left to check" in text
    passed, text = check("more_budget", content({0: (1, 2)}), [attack(0, [None] * 20)])
    assert passed is None
    assert "no saved image" in text
    assert "no budgets are left to compare" in text
    passed, text = check("gradients", content({0: (0, 10)}), [], [attack(0, [None], 0.2)])
    assert passed is None
    assert "no attack by scores alone" in text


def test_budgets_are_compared_in_plain_words() -> None:
    _, text = check("more_budget", content({0: (1, 2)}), [attack(0, [100] * 20)])
    assert "10 of 10 attacks reached 99 % with half of the budget, 10 of 10 other attacks with all of it" in text


def test_noise_that_was_not_measured_is_not_called_an_attack_that_did_not_run() -> None:
    found = content({0: (0, 10)})
    found["nothing"]["left_out"] = ["the scores are 0 and 1 alone"]
    passed, text = check("noise", found)
    assert passed is None
    assert "0 and 1" in text
    old = row("even_noise", 3, 500)
    del old["sure"]
    assert check("noise", content({0: (0, 10)}, old))[0] is None


# --- figures ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("classes", "medians", "expected"),
    [
        (3, (200, 0.0, None), (200, None, None)),  # of three classes a median has no interval
        (3, (None, 0.0, None), (None, None, None)),
        (10, (200, 50, None), (200, 50, None)),
        (10, (None, None, None), (None, BUDGET, None)),  # it lies above the budget
    ],
)
def test_a_median_of_few_classes_has_no_interval(classes: int, medians: Any, expected: tuple[Any, ...]) -> None:
    found = figures(content(dict.fromkeys(range(classes), (5, 10)), medians=medians))["q99"]
    assert (found["value"], found["low"], found["high"]) == expected
    assert found.get("above") == (BUDGET if medians[0] is None else None)


# --- verdict ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rows", "expected", "absent"),
    [
        ([], "not be measured", "hardly"),
        ([row("blank", 0, 20)], "0 of 20", "hardly"),
        ([row("blank", 0, 500), row("even_noise", 0, 20)], "0 of 20 noise images (each pixel", "hardly"),
        ([row("blank", 0, 500), row("even_noise", 2, 500)], "2 of 1,000 images without any of the classes", "not be"),
        ([row("blank", 0, 500), row("even_noise", 0, 500)], "none of 1,000 images without any of the classes", "hardly"),
        ([row("blank", 60, 500, note="256 grey levels")], "12 % of the blank images (60 of 500: one grey", "256"),
        ([row("foreign", 60, 500, note="crops; not 1")], "(60 of 500: crops)", "not 1"),
    ],
)
def test_the_verdict_says_no_more_of_nothing_than_was_measured(rows: list[Any], expected: str, absent: str) -> None:
    said = verdict(content({0: (5, 10)}, *rows))
    assert expected in said
    assert absent not in said


@pytest.mark.parametrize(
    ("search", "genome", "from_noise"), [("ga", "pixels", True), ("es", "dct", False), ("es", "pixels", False)]
)
@pytest.mark.parametrize("medians", [(200, 50, None), (None, None, None)])
def test_only_attacks_from_noise_are_said_to_start_there(search: str, genome: str, from_noise: bool, medians: Any) -> None:
    found = content({0: (5, 10)}, medians=medians)
    found["protocol"] |= {"search": search, "genome": genome}
    said = verdict(found)
    assert ("from noise" in said) is from_noise
    assert "search=" not in said
    assert ("by an evolution strategy" in said) is (search == "es")


def single(*medians: float | None, q99: float | None, q9999: float | None = None) -> dict[str, Any]:
    """An audit with one attack on each class, by the evaluations to .99."""
    found = content({k: (int(median is not None), 1) for k, median in enumerate(medians)})
    for row_of, median in zip(found["q"]["classes"], medians, strict=True):
        row_of |= {"median99": median, "median9999": median if q9999 else None}
    found["q"] |= {"q99": q99, "q9999": q9999}
    found["q"]["reached9999"] = found["q"]["reached99"] if q9999 else proportion_with_ci(0, len(medians))
    found["protocol"] |= {"search": "es", "genome": "mixed", "runs": 1}
    return found


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (single(100, 200, 300, None, q99=200), "In half of the 4 classes tried, an evolution strategy (one attack each) made"),
        (single(100, 200, 300, None, q99=200), "99 % sure within 200 images; in 0 of 4 it reached 99.99 %."),
        (single(100, 200, None, q99=200), "In 2 of the 3 classes tried"),
        (single(100, 200, 300, q99=200, q9999=200), "99.99 % sure within 200 images; in 3 of 3 it reached that at all."),
        (single(100, None, None, q99=None), "In 1 of the 3 classes tried, an evolution strategy (one attack each) made"),
        (single(None, None, q99=None), "In none of the 2 classes tried"),
        (single(None, q99=None), "(one attack) did not make the classifier 99 % sure within 1,000 images."),
        (single(100, q99=100), "On the one class tried, an evolution strategy (one attack) made"),
    ],
)
def test_of_one_attack_a_class_the_verdict_counts_classes(found: dict[str, Any], expected: str) -> None:
    said = verdict(found)
    assert expected in said
    assert "typical class" not in said


# --- what is left out -------------------------------------------------------------------------------------------------
def test_what_measured_parts_lack_is_left_out_once() -> None:
    found = content({0: (5, 10)}, row("blank", 0, 20), row("shuffled", 0, 20), row("foreign", 0, 20))
    found["facts"]["notes"] = ["reads RGB", "calibration left out: expected at least 100 labelled images, got 12"]
    found["nothing"]["left_out"] = ["even_noise: no images", "phase_scrambled: no images"]
    energy = {"part": "detectors: energy against prior=none", "why": "the classifier has no logits"}
    found["detectors"] = {"rows": [], "left_out": [energy, energy, {**energy, "why": "too few images"}]}
    assert left_out_within(found) == [
        {"part": "facts: calibration", "why": "expected at least 100 labelled images, got 12"},
        {"part": "nothing: even_noise", "why": "no images"},
        {"part": "nothing: phase_scrambled", "why": "no images"},
        energy,
        {**energy, "why": "too few images"},
    ]
    assert left_out_within(content({})) == []


def test_a_reason_of_all_kinds_is_one_of_each_that_was_not_measured() -> None:
    found = content({}, row("blank", 0, 20))
    found["nothing"]["left_out"] = ["the scores are 0 and 1 alone, so that every answer would count as certain"]
    parts = [one["part"] for one in left_out_within(found)]
    assert parts == [f"nothing: {kind}" for kind in ("even_noise", "shuffled", "phase_scrambled", "foreign")]
