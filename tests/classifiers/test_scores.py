"""What scores mean: shares, labels, logits; what leaves a search no slope; what the labelled data say of a model."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import Toy, toy

from fooling import evolve
from fooling.classifiers import checks, load_classifier
from fooling.classifiers.accuracy import Accuracy, accuracies, preprocessing_note
from fooling.classifiers.adapters.adapter import adapt
from fooling.classifiers.adapters.model import Model
from fooling.classifiers.adapters.reading import reading_of
from fooling.classifiers.base import advice_on, common_sum, predict, shifted_sum, varied_probes
from fooling.classifiers.checks import check_classifier, range_notes
from fooling.commands import dispatch
from fooling.data import ImageSet, load_data
from fooling.errors import Doubt, FoolingWarning, UserError, guarded
from fooling.settings import load
from fooling.settings.names import as_words
from fooling.settings.schema import RunSettings

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(35, 10)) * 3
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
SIGMOIDS = 1 / (1 + np.exp(-LOGITS))
VOTES = RANDOM.multinomial(60, SHARES)


@pytest.mark.parametrize(
    ("numbers", "output", "total"),
    [
        (SHARES, "probability", 1),
        (SHARES.astype(np.float16), "probability", 1),
        (SHARES * 100, "probability", 100),
        (np.round(SHARES * 100, 1), "probability", 100),
        (np.round(SHARES * 100), "probability", 100),
        (SHARES * 255, "probability", 255),
        (np.rint(SHARES * 255).astype(np.uint8), "probability", 255),
        ((SHARES * 255).astype(np.uint8), "probability", 255),
        ((SHARES * 255).astype(np.int64), "probability", 255),
        (np.rint(SHARES * 1000), "probability", 1000),
        (SHARES * 0.37, "probability", 0.37),
        (VOTES, "probability", 60),
        (VOTES.astype(np.float32), "probability", 60),
        (SIGMOIDS, "probability", 1),
        (np.rint(SIGMOIDS * 255).astype(np.uint8), "probability", 255),
        (LOGITS, "logit", 1),
        (LOGITS - LOGITS.mean(axis=1, keepdims=True), "logit", 1),  # all sums are 0
        (np.log(SHARES), "logit", 1),
        (np.maximum(LOGITS, 0), "logit", 1),
        (np.rint(SHARES * 17), "probability", 17),
        (np.eye(10, dtype=np.int64)[VOTES.argmax(axis=1)], "label", 1),
        (np.eye(10, dtype=bool)[VOTES.argmax(axis=1)], "label", 1),
        (np.eye(10)[VOTES.argmax(axis=1)], "label", 1),
        (np.eye(10)[[3] * 9], "probability", 1),
    ],
)
def test_what_numbers_mean(numbers: np.ndarray, output: str, total: float) -> None:
    reading = reading_of(numbers)
    assert (reading.output, reading.total) == (output, pytest.approx(total))
    doubtful = total != 1 or (output != "probability" and numbers.min() >= 0)
    assert bool(reading.note) == doubtful
    assert f"{total:g}" in reading.note or total == 1


def test_rows_that_are_all_alike_share_a_sum_by_chance() -> None:
    assert common_sum(np.tile([0.0, 1, 1, 0], (9, 1))) is None
    assert common_sum(np.tile([0.25, 0.25, 0.5, 0], (9, 1))) == 1
    assert common_sum(np.tile([25.0, 25, 50, 0], (9, 1))) == 100


@pytest.mark.parametrize("numbers", [np.zeros((35, 1)), np.eye(2)[VOTES[:, :1] % 2][..., 0], (VOTES[:, 0] % 2).astype(float)])
def test_one_number_of_0_or_1_has_two_meanings(numbers: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"classifier.output=label.*classifier.output=probability"):
        reading_of(numbers)
    assert reading_of(numbers, "label").output == "label"
    assert reading_of(numbers, "probability").output == "probability"
    assert reading_of(numbers, classes=10).output == "label"


@pytest.mark.parametrize(
    ("numbers", "total"), [(SIGMOIDS * 100, 100), (np.rint(SIGMOIDS * 255), 255), (SIGMOIDS[:, :1] * 100, 100)]
)
def test_percentages_of_uneven_sums_have_two_meanings(numbers: np.ndarray, total: int) -> None:
    with pytest.raises(UserError, match=r"classifier.output=probability.*classifier.output=logit"):
        reading_of(numbers)
    assert reading_of(numbers, "probability").total == total
    assert reading_of(numbers, "logit").output == "logit"


def test_int8_shares_are_no_logits() -> None:
    with pytest.raises(UserError, match=r"\(x \+ 128\) / 256"):
        reading_of((np.rint(SHARES * 256) - 128).clip(-128, 127).astype(np.int8))


MANY = np.exp(RANDOM.normal(size=(35, 1000)))
MANY /= MANY.sum(axis=1, keepdims=True)  # shares of a thousand classes, at most a few per cent each
ONES = np.rint(MANY * 100).clip(0, 1)


@pytest.mark.parametrize(
    ("numbers", "total"),
    [(SHARES * 100 - 0.01, 99.9), (SHARES * 2 - 1, -8), (MANY * 100 - 0.01, 90), (SHARES * -100, -100), (SHARES - 0.3, -2)],
)
def test_shifted_shares_are_no_logits(numbers: np.ndarray, total: float) -> None:
    for given in (numbers, numbers.astype(np.float32)):
        assert shifted_sum(given) == pytest.approx(total, rel=1e-4)
        with pytest.raises(UserError, match=rf"each row sums to {total:g} .*classifier.output=logit; state which"):
            reading_of(given)
        assert reading_of(given, "logit").output == "logit"
        assert f"{total:g}" in advice_on(given)
        assert "softmax" not in advice_on(given)


@pytest.mark.parametrize("logits", [LOGITS, LOGITS - LOGITS.mean(axis=1, keepdims=True), LOGITS.astype(np.float32) - 20])
def test_logits_share_no_sum(logits: np.ndarray) -> None:
    assert shifted_sum(logits) is None
    assert reading_of(logits).output == "logit"


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64, np.float32])
@pytest.mark.parametrize("shares", [SHARES[:, :2] / SHARES[:, :2].sum(axis=1, keepdims=True), SHARES, MANY])
def test_shares_less_128_are_no_logits_in_any_type(shares: np.ndarray, dtype: type) -> None:
    with pytest.raises(UserError, match=rf"{np.dtype(dtype).name} numbers .*\(x \+ 128\) / 256"):
        reading_of((np.rint(shares * 255) - 128).astype(dtype))
    assert reading_of(np.rint(LOGITS * 10).astype(dtype)).output == "logit"


@pytest.mark.parametrize(
    "numbers",
    [ONES, ONES.astype(int), ONES.astype(np.uint8), ONES > 0, ONES.astype(np.int8), np.zeros((9, 10))],
)
def test_zeros_and_ones_of_uneven_sums_are_no_probabilities(numbers: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"0 or 1 and the sums differ: .*return them unrounded.*state which"):
        reading_of(numbers)
    assert "1 is 1 %" in reading_of(numbers, "probability").note


def test_whole_numbers_of_uneven_sums_have_two_meanings() -> None:
    for numbers in (np.rint(MANY * 1000), np.rint(MANY * 500).astype(np.int8)):
        with pytest.raises(UserError, match=r"return them unrounded.* or logits \(classifier.output=logit\); state which"):
            reading_of(numbers)
        assert reading_of(numbers, "logit").output == "logit"


@pytest.mark.parametrize("logarithm", [np.log2, np.log10, lambda shares: 10 * np.log10(shares)])
def test_other_logarithms_are_no_logits(logarithm: Callable[[np.ndarray], np.ndarray]) -> None:
    with pytest.raises(UserError, match=r"log\d+.* of probabilities; return these, or natural logarithms"):
        reading_of(logarithm(SHARES))


@pytest.mark.parametrize("stated", ["logit", "sigmoid"])
def test_shares_that_are_stated_to_be_logits_are_doubted(stated: Any) -> None:
    assert "leave classifier.output out" in reading_of(SHARES * 100, stated).note
    assert reading_of(LOGITS, stated).note == ""


def softmax(sums: np.ndarray) -> np.ndarray:
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("total", [100, 255, 1000])
@pytest.mark.parametrize("whole", [False, True])
def test_shares_are_divided_and_keep_their_order(total: int, whole: bool) -> None:
    images = varied_probes((4, 5, 1))
    scaled = toy(lambda inputs, sums: np.rint(softmax(sums) * total) if whole else softmax(sums) * total)
    assert any(f"divided by {total}" in note for note in scaled.notes)
    assert scaled(images) == pytest.approx(toy(lambda inputs, sums: softmax(sums))(images), abs=1e-6 + whole / total)
    found = check_classifier(scaled)
    assert found.output == "probability"
    stated = toy(lambda inputs, sums: softmax(sums) * total, output="probability")
    assert stated(images) == pytest.approx(toy(lambda inputs, sums: softmax(sums))(images), abs=1e-6)


def test_advice_never_leads_to_a_softmax_of_shares() -> None:
    assert advice_on(SHARES * 100).startswith("divide them by 100")
    assert "softmax" in advice_on(LOGITS)
    assert "by 100" in advice_on(SIGMOIDS * 100)
    with pytest.raises(UserError, match="divide them by 100"):
        predict(Toy(lambda toy, images, scores: scores * 100), varied_probes((8, 8, 1)))
    percentages = toy(lambda inputs, sums: 50 + 10 * np.tanh(sums), output="probability")
    assert percentages(varied_probes((4, 5, 1))).max() <= 0.6
    with pytest.raises(UserError, match=r"in \[0, 1\], got -.*classifier.output=logit"):
        toy(lambda inputs, sums: sums, output="probability")(varied_probes((4, 5, 1)))


@pytest.mark.parametrize(
    ("scores", "output", "said"),
    [
        (softmax(SHARES), "probability", "a softmax of probabilities gives at most 0.232"),
        (softmax(np.eye(10)[VOTES.argmax(axis=1)] * 12 + SIGMOIDS), "logit", "percentages"),
        (np.eye(10)[VOTES.argmax(axis=1)] * 0.99995 + 5e-6, "probability", "saturated"),
        (SHARES, "probability", ""),
        (np.full((9, 10), 0.1), "probability", ""),
    ],
)
def test_a_narrow_band_of_largest_scores_is_noticed(scores: np.ndarray, output: str, said: str) -> None:
    notes = range_notes(scores, output, "images")
    assert bool(notes) == bool(said)
    assert said in "".join(notes)


def of_rows(row: Callable[[np.ndarray], np.ndarray]) -> Toy:
    """A classifier whose two scores are a function of the mean grey level, 0 … 1."""
    return Toy(lambda toy, images, scores: row(images.mean(axis=(1, 2, 3)) / 255).astype(np.float32))


@pytest.mark.parametrize(
    ("row", "said", "constant"),
    [
        (lambda x: np.stack([x * 0 + 0.5, x * 0 + 0.5], axis=1), "get the same scores", {0: 0.5, 1: 0.5}),
        (lambda x: np.stack([x > 0.5, x <= 0.5], axis=1), "all scores are 0 or 1", {}),
        (lambda x: np.stack([x / 2, x * 0], axis=1), "", {1: 0.0}),
        (lambda x: np.stack([x / 2, x / 3], axis=1), "", {}),
    ],
)
def test_scores_without_a_slope_are_noticed(row: Callable, said: str, constant: dict) -> None:
    found = check_classifier(of_rows(row))
    assert (said in "".join(found.notes), bool(found.notes)) == (True, bool(said))
    assert found.constant == constant


# --- noise and what is not finite ---------------------------------------------------------------------------------------


def noisy(size: float) -> Toy:
    return Toy(lambda toy, images, scores: scores + np.float32(size) * (toy.calls % 2))


def test_a_little_noise_is_accepted_as_approximate() -> None:
    found = check_classifier(noisy(3e-4))
    assert not found.exact
    assert found.deviation == pytest.approx(3e-4, rel=0.01)
    assert any("3.0e-04" in note for note in found.notes)
    with pytest.raises(UserError, match=r"by up to 0.1 \(at most 0.001 is accepted\)"):
        check_classifier(noisy(0.1))


def test_the_batch_size_is_named_where_batches_are_the_cause() -> None:
    def normalised(inputs: np.ndarray, sums: np.ndarray) -> np.ndarray:
        return sums - (sums.mean(axis=0) if len(sums) > 1 else 0)

    with pytest.raises(UserError, match=r"change by 0\.\d+ .*classifier.batch_size=1"):
        check_classifier(toy(normalised))
    assert check_classifier(toy(normalised, batch_size="1")).exact
    with pytest.raises(UserError, match=r"batch normalisation in training mode\?$"):
        check_classifier(toy(normalised, batch_size="fixed:4"))


def test_images_of_one_colour_may_have_no_finite_scores() -> None:
    def standardised(toy: Toy, images: np.ndarray, scores: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            spread = images.std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
        return scores * spread[:, None].astype(np.float32)

    found = check_classifier(Toy(standardised))
    assert any("finite" in note for note in found.notes)
    images = np.zeros((2, 8, 8, 1), np.uint8)
    images[1, 0, 0] = 1
    assert predict(Toy(standardised), images).tolist() == [[0, 0], [0.5, 0.5]]
    with pytest.raises(UserError, match="NaN or infinity for 2 of 2"):
        predict(Toy(lambda toy, images, scores: scores * np.nan), images)


# --- accuracy -------------------------------------------------------------------------------------------------------------


def learnt(change: Callable[[np.ndarray], np.ndarray] = lambda x: x, outputs: Any = slice(None), **settings: Any) -> Any:
    """A model of ten classes whose images are coloured patterns, of which it sees `change`; scores in the order `outputs`."""

    def score(inputs: np.ndarray) -> np.ndarray:
        x = change(inputs).reshape(len(inputs), 1, -1)
        return -((x - PATTERNS.reshape(1, 10, -1) / 255) ** 2).sum(axis=2)[:, outputs]

    words = as_words("classifier", settings)
    chosen = load(["classifier=python", "classifier.path=a:b", *words], RunSettings, "run").classifier
    return adapt(Model(score, "m", "0" * 64, "NHWC"), chosen, lambda: ((6, 6, 3), NAMES))


NAMES = tuple("abcdefghij")
PATTERNS = np.random.default_rng(2).integers(0, 256, (10, 6, 6, 3)).astype(float)
LABELS = np.arange(200) % 10
NOISE = np.random.default_rng(4).normal(size=(200, 6, 6, 3)) * 30
PATTERNS[..., 1] = 128  # red and blue alone tell the classes apart
DATA = ImageSet((PATTERNS[LABELS] + NOISE).clip(0, 255).astype(np.uint8), LABELS, NAMES, "made")
ORDER = np.random.default_rng(5).permutation(10)


@pytest.mark.parametrize(
    ("model", "helps", "settings"),
    [
        ({"change": lambda x: x.swapaxes(1, 2)}, "classifier.transpose", {"transpose": True}),
        ({"change": lambda x: x[..., ::-1]}, "classifier.channels", {"channels": "BGR"}),
        ({"outputs": ORDER}, "classifier.order=", {"order": np.argsort(ORDER).tolist()}),
        ({"change": lambda x: 1 - x}, "scale=-0.00392157 mean=-1 std=1 (dark ink on light)", {"scale": "-1/255", "mean": -1}),
    ],
)
def test_low_accuracy_is_mended_by_the_setting_that_is_named(model: dict, helps: str, settings: dict) -> None:
    note = preprocessing_note(accuracies(learnt(**model), DATA))
    assert helps in note
    for name, value in settings.items():
        if name in ("transpose", "channels"):
            assert f"{name}={str(value).lower() if value is True else value}" in note
    mended = accuracies(learnt(**model, **settings), DATA)
    assert mended[0].share > 0.95
    assert preprocessing_note(mended) == ""


def test_no_scale_is_advised_where_none_is_far_above_chance() -> None:
    wave = np.random.default_rng(0).normal(size=(108, 108)) * 30
    note = preprocessing_note(accuracies(learnt(lambda x: np.sin(x.reshape(len(x), -1) @ wave)), DATA))
    assert "near chance" in note
    assert "classifier.scale" not in note


def test_chance_is_of_the_classes_that_are_predicted() -> None:
    labels = np.arange(1000) % 2  # two of a thousand classes
    elsewhere = np.where(np.arange(1000) % 4 < 2, labels, 999)
    assert (Accuracy("", "", elsewhere, labels).share, Accuracy("", "", elsewhere, labels).chance) == (0.5, 0.25)
    assert not Accuracy("", "", elsewhere, labels).is_near_chance
    assert Accuracy("", "", np.zeros(1000, dtype=int), labels).is_near_chance
    assert Accuracy("", "", np.random.default_rng(0).integers(1000, size=1000), labels).is_near_chance


def test_data_of_one_class_say_nothing_against_chance() -> None:
    threes = np.full(60, 3)
    note = preprocessing_note([Accuracy("", "", threes, threes)])
    assert "accuracy is 100.0 %" in note
    assert "on 60 images; the labelled data have one class" in note
    assert "chance (" not in note
    mixed = np.append(threes[:57], [1, 2, 4])
    assert "nearly all labelled data are of one class of 4" in preprocessing_note([Accuracy("", "", threes, mixed)])
    assert not Accuracy("", "", mixed, mixed).is_near_chance


@pytest.mark.parametrize("number", [1, 2, 9])
def test_very_few_images_give_no_verdict(number: int) -> None:
    labels = np.arange(number)
    assert not Accuracy("", "", labels * 0, labels).is_near_chance
    assert preprocessing_note([Accuracy("", "", labels * 0, labels)]) == ""
    assert Accuracy("", "", np.zeros(10, dtype=int), np.arange(10)).is_near_chance


def test_built_in_networks_are_told_of_transposed_data() -> None:
    data = load_data(None, "sklearn", "test")
    network = load_classifier("digits_perceptron")
    assert preprocessing_note(accuracies(network, data)) == ""
    turned = ImageSet(np.ascontiguousarray(data.images.swapaxes(1, 2)), data.labels, data.classes, "turned")
    note = preprocessing_note(accuracies(network, turned))
    assert "rows and columns exchanged" in note
    assert "change the data" in note


# --- what other people's code does ----------------------------------------------------------------------------------------


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Base(BaseException):
    pass


class Refusing:
    """An output that cannot be read."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __array__(self, *arguments: Any, **named: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(
    "error", [RuntimeError("boo"), SilentError(), Base("boo"), SystemExit(3), GeneratorExit(), RecursionError()]
)
def test_an_output_that_cannot_be_read_is_one_line(error: BaseException) -> None:
    with pytest.raises(UserError, match=type(error).__name__):
        toy(lambda inputs, sums: Refusing(error))
    with pytest.raises(UserError, match=f"got no array.*{type(error).__name__}"):
        check_classifier(Toy(lambda toy, images, scores: Refusing(error)))


def test_no_classes_and_uneven_batches_are_refused() -> None:
    with pytest.raises(UserError, match=r"got float64 \[35, 0\]"):
        toy(lambda inputs, sums: sums[:, :0])
    with pytest.raises(UserError, match=r"\[2\] for one batch and \[1\] for another"):
        toy(lambda inputs, sums: sums[:, : 1 + (len(inputs) == 20)], batch_size="20")
    with pytest.raises(UserError, match="OverflowError"):
        toy(lambda inputs, sums: [[10**400, 1]] * len(inputs))


RAISING = """
class SilentError(Exception):
    def __str__(self):
        raise RuntimeError("no text")

class Base(BaseException):
    pass

def make():
    def score(x):
        raise {}
    return score

def fail():
    raise {}
"""


@pytest.mark.parametrize("error", ["SilentError()", "Base('boo')", "GeneratorExit()", "SystemExit(2)"])
def test_code_that_raises_anything_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    monkeypatch.chdir(tmp_path)
    module = f"raises_{error[:4].lower()}"
    (tmp_path / f"{module}.py").write_text(RAISING.format(error, error))
    for function, said in (("make", "raised on inputs"), ("fail", "expected module:function")):
        with pytest.raises(UserError, match=f"{said}.*{error.partition('(')[0]}"):
            load_classifier("python", f"{module}:{function}", shape=(4, 5, 1))


def test_signals_end_the_program_also_in_other_peoples_code() -> None:
    def stop(inputs: np.ndarray, sums: np.ndarray) -> Refusing:
        return Refusing(SystemExit(143))

    with pytest.raises(SystemExit):
        toy(stop)
    with pytest.raises(KeyboardInterrupt):
        toy(lambda inputs, sums: Refusing(KeyboardInterrupt()))


# --- a search without a slope ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", [0, "any"])
def test_a_search_that_changes_no_score_has_not_converged(tmp_path: Path, digit: Any) -> None:
    constant = Toy(lambda toy, images, scores: np.tile(np.float32([1, 0]), (len(images), 1)))
    words = {"prior": "none", "runs": 2, "generations": 3, "population": 10, "out": str(tmp_path / "r")}
    result = evolve(digit=digit, classifier=constant, **words)
    assert result.confidence.tolist() == [1, 1]
    assert not result.converged.any()
    about = json.loads((tmp_path / "r" / "run.json").read_text())
    assert about["converged"] == 0
    assert any("no slope" in note for note in about["notes"])
    assert any("the target's score never changed: it is 1" in note for note in about["notes"])


@pytest.mark.parametrize("digit", [0, "any"])
def test_changes_that_vanish_beside_the_score_are_no_slope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], digit: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nearly.py").write_text(
        "import numpy as np\n\ndef score(x):\n    x = np.float32(x).reshape(len(x), -1).mean(axis=1)[:, None]\n"
        "    return np.float32([[0.9991, 0.0001]]) + np.float32(1e-7) * x\n\n"
        "def make():\n    return score\n"
    )
    words = [
        "classifier=python",
        "classifier.path=nearly.py:make",
        "classifier.shape=8,8,1",
        "threshold=0.999",
        "stop=threshold",
        "prior=none",
    ]
    assert guarded(dispatch, ["run", f"digit={digit}", "runs=2", "generations=5", "population=10", "out=r", *words]) == 0
    about = json.loads((tmp_path / "r" / "run.json").read_text())
    assert about["converged"] == 0
    assert about["examination"]["constant"]["0"] == pytest.approx(0.9991)
    assert any("the target's score never changed: it is 0.9991" in note for note in about["notes"])
    said = " ".join(capsys.readouterr().out.split())
    assert "a score that no image changes" in said
    assert "generations (generations=" not in said
    assert "last 0 generations" not in said


def test_small_scores_that_change_are_a_slope() -> None:
    small = of_rows(lambda x: np.stack([1e-9 + x * 1e-7, 1e-30 + x * 1e-28], axis=1))
    assert check_classifier(small).constant == {}


def test_python_users_see_the_notes_of_the_command(tmp_path: Path) -> None:
    constant = Toy(lambda toy, images, scores: np.tile(np.float32([1, 0]), (len(images), 1)))
    words: dict[str, Any] = {"prior": "none", "runs": 2, "generations": 3, "population": 10, "classifier": constant}
    for more in ({}, {"out": str(tmp_path / "r")}):
        with pytest.warns(FoolingWarning) as issued:
            result = evolve(digit=0, **words, **more)
        assert [str(warning.message) for warning in issued] == [note for note in result.notes if isinstance(note, Doubt)]
        assert {warning.filename for warning in issued} == {__file__}
        assert any("no slope" in str(warning.message) for warning in issued)
        assert any("never changed" in str(warning.message) for warning in issued)
    assert json.loads((tmp_path / "r" / "run.json").read_text())["notes"] == list(result.notes)
    with pytest.warns(FoolingWarning) as issued:
        results = evolve(digit=[0, 1], **words)
    said = [str(warning.message) for warning in issued]
    assert len(said) == len(set(said)) > 0
    assert {note for result in results for note in result.notes if isinstance(note, Doubt)} == set(said)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evolve(digit=0, quiet=True, **words).notes


def test_a_class_that_is_never_given_is_named_before_the_search(tmp_path: Path) -> None:
    never = of_rows(lambda x: np.stack([0.3 + x / 2, x * 0], axis=1))
    words = {"prior": "none", "runs": 2, "generations": 3, "population": 10, "out": str(tmp_path / "r")}
    evolve(digit=1, classifier=never, **words)
    notes = json.loads((tmp_path / "r" / "run.json").read_text())["notes"]
    assert any("(digit=1) always gets 0" in note for note in notes)
    assert any("the target's score never changed: it is 0" in note for note in notes)
    evolve(digit=0, classifier=never, **words, overwrite=True)
    assert not any("never changed" in note for note in json.loads((tmp_path / "r" / "run.json").read_text())["notes"])


def test_examine_and_run_tell_what_the_labelled_data_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checks, "SECONDS", 0.001)
    (tmp_path / "turned.py").write_text(
        "import numpy as np\nfrom fooling import load_classifier\n\n"
        "def make():\n    network = load_classifier('digits_perceptron')\n"
        "    return lambda x: network(np.rint(x.swapaxes(1, 2) * 255).astype(np.uint8)) * 100\n"
    )
    words = ["classifier=python", "classifier.path=turned:make", "data.kind=sklearn"]
    search = ["run", "digit=2", "prior=none", "runs=1", "generations=2", "population=10", "out=r", "overwrite=true"]
    for command in (["examine"], search):
        assert guarded(dispatch, [*command, *words]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "divided by 100" in said
        assert "give classifier.transpose=true" in said
        assert guarded(dispatch, [*command, *words, "transpose=true"]) == 0
        assert "transpose=true (" not in capsys.readouterr().out
