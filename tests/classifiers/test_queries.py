"""Models that give labels, the best classes or other scores each time; caches, rates and bills."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from servers import Server, scores, well

import fooling
from fooling.classifiers import load_classifier
from fooling.classifiers.adapters import http as http_
from fooling.classifiers.adapters import pace as pace_
from fooling.classifiers.adapters.pace import Pace, requested_wait
from fooling.classifiers.adapters.top import dense
from fooling.classifiers.answers import Answers
from fooling.classifiers.checks import check_classifier
from fooling.classifiers.queries import AGAIN, spread
from fooling.classifiers.votes import NoisyCopies
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.settings.fields import Rate, read_rate

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(3).integers(0, 256, (6, *SHAPE), dtype=np.uint8)
WEIGHTS = np.random.default_rng(4).normal(size=(64, 3))
LABELS = ("ant", "bee", "cat")
SMALL = {"prior": "none", "runs": 1, "population": 6, "explore": 12, "stop": "end", "generations": 5}


def confidences(inputs: Any) -> np.ndarray:
    """A softmax of random weights, of inputs in [0, 1]."""
    sums = np.asarray(inputs, dtype=float).reshape(len(inputs), -1) @ WEIGHTS
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def labels(inputs: Any) -> np.ndarray:
    return np.array(LABELS)[confidences(inputs).argmax(axis=1)]


def opened(function: Any, **settings: Any) -> Any:
    return load_classifier(function, shape=SHAPE, **{"labels": list(LABELS), **settings})


# --- votes ------------------------------------------------------------------------------------------------------------
def test_a_score_of_labels_is_the_share_of_votes_over_the_noisy_copies() -> None:
    found = opened(labels, votes=15, vote_noise=0.5)
    shares = found(IMAGES)
    copies = NoisyCopies(15, 0.5)(IMAGES)
    votes = labels(copies / 255).reshape(6, 15)
    assert shares == pytest.approx(np.stack([(votes == label).mean(axis=1) for label in LABELS], axis=1))
    assert found.images_a_score == 15
    assert found.plain(IMAGES) == pytest.approx(np.eye(3)[confidences(IMAGES / 255).argmax(axis=1)])
    assert opened(labels).votes == 25


def test_copies_depend_on_the_image_alone_and_differ_in_strength() -> None:
    copies = NoisyCopies(20, 0.8)
    together = copies(IMAGES).reshape(6, 20, *SHAPE)
    assert np.array_equal(copies(IMAGES[4:5]), together[4])
    assert not np.array_equal(together[3] == IMAGES[3], together[4] == IMAGES[4])
    image = np.full((56, 56, 3), 100, np.uint8)  # no noise of black and white looks like it
    replaced = (NoisyCopies(20, 0.8)(image[None]) != image).any(axis=-1).mean(axis=(1, 2))
    assert replaced == pytest.approx((np.arange(20) + 0.5) / 20 * 0.8, abs=0.05)
    assert np.array_equal(NoisyCopies(1, 0.8)(IMAGES), IMAGES)


def test_labels_are_searched_and_every_image_shown_counts(tmp_path: Path) -> None:
    shown: list[int] = []

    def counted(inputs: Any) -> Any:
        shown.append(len(inputs))
        return labels(inputs)

    words = [f"classifier.labels={','.join(LABELS)}", "classifier.shape=8,8,1", "classifier.votes=10"]
    result = fooling.evolve(*words, classifier=counted, digit=1, budget=1000, search="es", out=str(tmp_path / "r"), **SMALL)
    about = json.loads((tmp_path / "r" / "run.json").read_text())
    assert about["evaluations"] == result.total_evaluations == 6 * 6 * 10
    assert about["evaluations_a_generation"] == 60
    others = about["examination_evaluations"] + about["valuation_evaluations"]
    assert about["queries"]["images"] == sum(shown) == about["evaluations"] + others + 35  # 35 say how its output is read
    assert about["examination"]["output"] == "label"
    assert (about["score"]["votes"], about["score"]["vote_noise"]) == (10, 0.9)
    assert "share of votes" in about["score"]["what"]
    assert about["reproducible"] == "exact"
    assert any("no confidences of the model" in note for note in result.notes)
    assert result.confidence[0] >= 0.3  # of the votes; of the first images most have none


def test_a_budget_below_one_generation_of_copies_is_refused() -> None:
    words = [f"classifier.labels={','.join(LABELS)}", "classifier.shape=8,8,1", "classifier.votes=10"]
    with pytest.raises(UserError, match=r"budget: expected at least 60, got 59"):
        fooling.evolve(*words, classifier=labels, digit=1, budget=59, search="es", **SMALL)


def test_an_interrupted_search_by_labels_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text(
        "import numpy as np\n"
        "W = np.random.default_rng(4).normal(size=(64, 3))\n"
        "def make():\n"
        "    return lambda x: (x.reshape(len(x), -1).astype(float) @ W).argmax(axis=1)\n"
    )
    monkeypatch.chdir(tmp_path)
    words = ["run", "digit=0", "classifier=python", "classifier.path=net.py:make", "classifier.output=label"]
    words += ["classifier.labels=a,b,c", "classifier.shape=8,8,1", "votes=5", "stop=end", "runs=1", "prior=none"]
    assert guarded(dispatch, [*words, "search=es", "population=6", "generations=8", "out=whole", "quiet=true"]) == 0
    assert guarded(dispatch, [*words, "search=es", "population=6", "generations=3", "out=parts", "quiet=true"]) == 0
    more = ["search=es", "population=6", "generations=8", "out=parts", "quiet=true", "resume=true"]
    assert guarded(dispatch, [*words, *more]) == 0
    whole, parts = (Path(name, "images", "0000.png").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_votes_of_a_model_with_scores_are_refused() -> None:
    with pytest.raises(UserError, match=r"classifier.votes=5: expected a model that gives labels"):
        opened(confidences, votes=5)


# --- the best classes -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([["cat", 0.7], ["ant", 0.2]], [0.2, 0, 0.7]),
        ([{"label": "cat", "score": 0.7}, {"label": "ant", "score": 0.2}], [0.2, 0, 0.7]),
        (["cat", "ant"], [0.5, 0, 1]),
        ([2, 0], [0.5, 0, 1]),
        ("bee", [0, 1, 0]),
        (["bee", 0.6], [0, 0.6, 0]),
        (["bee", 1], [0, 1, 0]),
        ([["cat", 1], ["ant", 0]], [0, 0, 1]),
        ([{"label": "cat", "score": 1}, {"label": "ant", "score": 0}], [0, 0, 1]),
        ({"class": 1, "probability": 0.6}, [0, 0.6, 0]),
    ],
)
def test_the_best_classes_become_scores_of_all(answer: Any, expected: list[float]) -> None:
    assert dense(lambda inputs: [answer], LABELS, "m")(IMAGES[:1])[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        *(
            ([["dog"]], "'dog'"),
            ([[["cat", 1.5]]], "score 1.5"),
            ([[]], "empty"),
            ([["cat"], ["cat"]], "2 answers"),
            (5, "int"),
        ),
        *(([{"label": "cat", "score": score}], "expected a number in .* as the score") for score in ("0.9", None, True)),
        ([{"label": "cat", "score": 10**400}], "score 1000"),
    ],
)
def test_other_answers_than_the_best_classes_are_refused(answers: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        dense(lambda inputs: answers, LABELS, "m")(IMAGES[:1])


def best_two(inputs: Any) -> Any:
    shares = confidences(inputs)
    return [[(LABELS[k], float(row[k])) for k in np.argsort(-row)[:2]] for row in shares]


def test_the_best_classes_of_a_function_vote_with_their_scores() -> None:
    found = opened(best_two, output="top", votes=4, vote_noise=0.5)
    shares = confidences(NoisyCopies(4, 0.5)(IMAGES) / 255)
    shares[shares == shares.min(axis=1, keepdims=True)] = 0
    assert found(IMAGES) == pytest.approx(shares.reshape(6, 4, 3).mean(axis=1), abs=1e-6)
    assert opened(best_two, output="top", votes=1)(IMAGES).shape == (6, 3)
    with pytest.raises(UserError, match="not all there are"):
        load_classifier(best_two, shape=SHAPE, output="top")


# --- servers: labels, rates, waits, caches ------------------------------------------------------------------------------
@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setattr(http_, "FIRST_WAIT", 0.001)
    monkeypatch.chdir(tmp_path)
    server = Server()
    yield server
    server.stop()


def digits(images: list[Any]) -> list[str]:
    return [f"d{k}" for k in scores(images).argmax(axis=1)]


NAMES = [f"d{k}" for k in range(10)]


def test_a_server_of_labels_or_of_the_best_classes_is_read(server: Server) -> None:
    server.answer = lambda number, images: (200, "application/json", json.dumps(digits(images)).encode())
    pictures = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    found = load_classifier("http", server.url, shape=(28, 28, 1), labels=NAMES, votes=3)
    copies = NoisyCopies(3, 0.9)(pictures)
    expected = np.eye(10)[[NAMES.index(name) for name in digits((copies / 255).tolist())]].reshape(3, 3, 10).mean(axis=1)
    assert found(pictures) == pytest.approx(expected)

    def best(images: list[Any]) -> list[Any]:
        return [[{"label": f"d{row.argmax()}", "score": float(row.max())}] for row in scores(images)]

    server.answer = lambda number, images: (200, "application/json", json.dumps({"predictions": best(images)}).encode())
    found = load_classifier("http", server.url, shape=(28, 28, 1), labels=NAMES, votes=1, output="top")
    shares = scores((pictures / 255).tolist())
    assert found(pictures) == pytest.approx(np.where(shares == shares.max(axis=1, keepdims=True), shares, 0), abs=1e-6)


def test_calls_keep_their_rate_repetitions_too(server: Server) -> None:
    server.answer = lambda number, images: (503, "text/plain", b"busy") if number == 2 else well(images)
    found = load_classifier("http", server.url, shape=(28, 28, 1), rate="20/s")
    found(np.zeros((1, 28, 28, 1), np.uint8))
    assert len(server.begun) == 3
    assert server.begun[2] - server.begun[0] > 0.05  # two intervals, less the time that the first connection took


def test_a_rate_counts_calls_or_images(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(pace_.time, "monotonic", lambda: 100.0 + sum(slept))
    monkeypatch.setattr(pace_.time, "sleep", slept.append)
    for rate, expected in ((Rate(2, of_images=False), 0.5), (Rate(2, of_images=True), 5.0)):
        slept.clear()
        pace = Pace(rate)
        for _ in range(3):
            pace.wait(10)
        assert slept == pytest.approx([expected, expected])
    assert read_rate("30/min") == Rate(0.5, of_images=False)
    assert read_rate("50 images/s") == Rate(50, of_images=True)
    for wrong in ("5", "0/s", "-1/s", "5/day", "fast"):
        with pytest.raises(ValueError, match="5/s"):
            read_rate(wrong)


def test_a_server_is_given_the_time_that_it_asks_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(http_.time, "sleep", slept.append)
    server.extra = {"Retry-After": "7"}
    server.answer = lambda number, images: (429, "text/plain", b"slowly") if number == 1 else well(images)
    load_classifier("http", server.url, shape=(28, 28, 1))
    assert slept == [7.0]
    server.extra = {"Retry-After": "3600"}
    server.answer = lambda number, images: (503, "text/plain", b"tomorrow")
    with pytest.raises(UserError, match=r"status 503: tomorrow; it asks to wait 60 min.* \(1 call\)"):
        load_classifier("http", server.url, shape=(28, 28, 1))


def test_a_wait_is_a_number_or_a_date() -> None:
    assert requested_wait("12") == 12
    when = datetime.now(UTC) + timedelta(seconds=40)
    assert requested_wait(format_datetime(when, usegmt=True)) == pytest.approx(40, abs=5)
    assert requested_wait("Mon, 01 Jan 2001 00:00:00 GMT") == 0
    for text in ("", "soon", "-5", "1.5", "9" * 400, "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"):
        assert requested_wait(text) is None


WORDS = ["run", "digit=4", "prior=none", "runs=1", "search=es", "population=6", "generations=2", "stop=end", "quiet=true"]


@pytest.mark.parametrize("cache", ["true", "kept.csv"])
def test_resuming_pays_for_no_image_twice(server: Server, cache: str) -> None:
    words = [*WORDS, "classifier=http", f"classifier.path={server.url}", "classifier.price=0.5", f"classifier.cache={cache}"]
    words += ["classifier.retries=0", "out=r"]
    asked: list[int] = []

    def calls(images: list[Any]) -> int:
        """Calls of the search so far, which have six images."""
        asked.append(len(images))
        return asked.count(6)

    server.answer = lambda number, images: well(images) if calls(images) < 2 else (500, "text/plain", b"down")
    assert guarded(dispatch, words) == 2
    paid = sum(server.sizes[:-1])
    assert 0 < json.loads(Path("r/run.json").read_text())["queries"]["images"] == paid
    server.answer = lambda number, images: well(images)
    server.sizes.clear()
    assert guarded(dispatch, [*words, "resume=true"]) == 0
    about = json.loads(Path("r/run.json").read_text())
    total = paid + sum(server.sizes)
    assert about["queries"] == {"images": total, "from_cache": about["queries"]["from_cache"], "price": 0.5, "cost": total / 2}
    assert about["queries"]["from_cache"] > 0
    server.sizes.clear()
    assert guarded(dispatch, [*WORDS, *words[9:-1], "out=again", *(["overwrite=false"] if cache != "true" else [])]) == 0
    whole, parts = (Path(name, "images", "0000.png").read_bytes() for name in ("again", "r"))
    assert whole == parts
    assert sum(server.sizes) == AGAIN + (0 if cache != "true" else total - 2 * AGAIN)  # a shared file pays once for all jobs
    assert ("answers.csv" in about["files"]) == (cache == "true")


def test_answers_survive_a_torn_line_and_are_of_one_model(tmp_path: Path) -> None:
    file, asked = tmp_path / "a.csv", []

    def ask(inputs: Any) -> Any:
        asked.append(len(inputs))
        return inputs.reshape(len(inputs), -1)[:, :3].astype(np.float32) / 7

    first = Answers("net")
    first.keep_in(file)
    inputs = np.random.default_rng(0).random((5, 4, 4), dtype=np.float32)
    expected = ask(inputs)
    asked.clear()
    assert np.array_equal(first.remembered(inputs[[0, 1, 1, 2]], ask), expected[[0, 1, 1, 2]])
    file.write_bytes(file.read_bytes()[:-4])  # the third answer
    second = Answers("net")
    second.keep_in(file)
    again = second.remembered(inputs, ask)
    assert again.dtype == np.float32
    assert np.array_equal(again, expected)
    third = Answers("net")
    third.keep_in(file)
    assert np.array_equal(third.remembered(inputs, ask), expected)
    assert asked == [3, 3]
    with pytest.raises(UserError, match="another model"):
        Answers("other").keep_in(file)
    (tmp_path / "text").write_text("a diary\n")
    with pytest.raises(UserError, match="another file"):
        Answers("net").keep_in(tmp_path / "text")


def test_answers_may_be_labels(tmp_path: Path) -> None:
    names = ["a,b", 'say "c"', "line\nbreak"]
    for _ in range(2):
        answers = Answers("net")
        answers.keep_in(tmp_path / "a.csv")
        found = answers.remembered(np.arange(3.0)[:, None], lambda inputs: np.array(names, dtype=object))
        assert found.tolist() == names
    assert answers.found == 3


def test_the_progress_line_shows_what_was_paid(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS[:-1], "classifier=http", f"classifier.path={server.url}", "classifier.price=0.001", "out=r"]
    assert guarded(dispatch, words) == 0
    assert re.search(r"[\d,]+ images cost 0\.\d\d", capsys.readouterr().out)


# --- models that answer differently each time ---------------------------------------------------------------------------
class Dropout:
    """Scores with noise in them, other ones in each call."""

    def __init__(self, noise: float) -> None:
        self.random, self.noise = np.random.default_rng(0), noise

    def __call__(self, inputs: Any) -> np.ndarray:
        shares = confidences(inputs) * np.exp(self.noise * self.random.normal(size=(len(inputs), 3)))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def test_scores_that_differ_are_averaged_and_their_spread_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"classifier.samples=20"):
        check_classifier(opened(Dropout(0.5)))
    out = str(tmp_path / "r")
    words = ["classifier.samples=8", "classifier.shape=8,8,1", f"classifier.labels={','.join(LABELS)}"]
    result = fooling.evolve(*words, classifier=Dropout(0.5), digit=1, search="es", out=out, **{**SMALL, "explore": 0})
    about = json.loads((tmp_path / "r" / "run.json").read_text())
    assert about["evaluations"] == 6 * 6 * 8
    assert about["reproducible"] == "approximate"
    assert about["score"]["samples"] == about["spread"]["samples"] == 8
    assert 0 < about["spread"]["median_target_sd"] < 0.5
    assert about["spread"]["target_sd"] == pytest.approx([about["spread"]["median_target_sd"]], abs=1e-6)
    assert result.scores.shape == (1, 3)


def test_more_calls_come_closer_to_the_mean() -> None:
    few, many = (opened(Dropout(0.3), samples=n) for n in (2, 200))
    errors = [np.abs(found(IMAGES) - confidences(IMAGES / 255)).max() for found in (few, many)]
    assert errors[1] < errors[0]
    assert many.deviations(IMAGES).mean() == pytest.approx(few.deviations(np.repeat(IMAGES, 40, axis=0)).mean(), rel=0.5)


def test_a_cache_does_not_make_a_random_model_exact(tmp_path: Path) -> None:
    cache = str(tmp_path / "a.csv")
    assert check_classifier(opened(confidences, cache=cache)).deviation < 1e-6
    (tmp_path / "a.csv").unlink()
    for _ in range(2):  # the second time all answers of the first call are in the cache
        assert not check_classifier(opened(Dropout(1e-4), cache=cache)).exact
    with pytest.raises(UserError, match="got other scores the second time"):
        check_classifier(opened(Dropout(0.5), cache=str(tmp_path / "b.csv")))


def test_a_spread_of_calls_is_none_of_votes() -> None:
    found = opened(labels, votes=5, samples=3)
    assert spread(found, IMAGES, np.zeros(6, int)) == {}
    assert "spread" in spread(opened(confidences, samples=3), IMAGES, np.zeros(6, int))


def test_a_cache_is_of_one_function_one_output_and_one_order_of_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "two.py").write_text(
        "def a():\n    return lambda x: [['ant', 'bee']] * len(x)\n\ndef b():\n    return lambda x: [['cat', 'bee']] * len(x)\n"
    )
    monkeypatch.chdir(tmp_path)

    def top(path: str, names: tuple[str, ...] = LABELS) -> Any:
        settings = {"output": "top", "votes": 1, "labels": list(names), "cache": "kept.csv"}
        return load_classifier("python", path, shape=SHAPE, **settings)

    first = top("two.py:a")(IMAGES)
    assert np.array_equal(top("two.py:a")(IMAGES), first)
    for other in (("two.py:b",), ("two.py:a", LABELS[::-1])):
        with pytest.raises(UserError, match="another model"):
            top(*other)
    assert "two.py" not in Path("kept.csv").read_text()  # a path may hold a secret


def test_a_cache_fills_the_batches_of_a_model_that_takes_one_size(tmp_path: Path) -> None:
    sizes: list[int] = []

    def exact(inputs: Any) -> Any:
        sizes.append(len(inputs))
        if len(inputs) != 8:
            raise ValueError(f"exactly 8, got {len(inputs)}")
        return confidences(inputs)

    found = opened(exact, batch_size="fixed:8", cache=str(tmp_path / "a.csv"))
    found(IMAGES[:3])
    before = len(sizes)
    assert found(IMAGES) == pytest.approx(confidences(IMAGES / 255), abs=1e-6)
    assert len(sizes) == before + 1
    assert found.bill.images == sum(sizes)


def test_a_sweep_keeps_each_answer_once(tmp_path: Path) -> None:
    inputs = np.arange(6.0)[:, None]

    def count(folder: str) -> list[int]:
        return [len(file.read_text().splitlines()) - 1 for file in sorted((tmp_path / folder).glob("*/answers.csv"))]

    def ask(some: Any) -> Any:
        return some / 7

    answers = Answers("net", in_record=True)
    for job in range(3):
        answers.keep_in(tmp_path / "sweep" / f"digit={job}" / "answers.csv")
        answers.remembered(inputs[: 2 * job + 2], ask)
    assert count("sweep") == [2, 2, 2]
    answers.keep_in(tmp_path / "other" / "digit=0" / "answers.csv")  # another record holds all of its answers
    assert count("other") == [6]
    again = Answers("net", in_record=True)
    for job in range(3):
        again.recall(tmp_path / "sweep" / f"digit={job}" / "answers.csv")
    again.keep_in(tmp_path / "sweep" / "digit=0" / "answers.csv")
    assert again.remembered(inputs, lambda some: pytest.fail("asked again")) == pytest.approx(inputs / 7)
    assert count("sweep") == [2, 2, 2]


def test_other_class_names_are_another_job_where_answers_are_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text("def make():\n    return lambda x: ['ab'[int(one.mean() > 0.5)] for one in x]\n")
    monkeypatch.chdir(tmp_path)
    words = ["run", "digit=0", "classifier=python", "classifier.path=net.py:make", "classifier.output=label", "votes=2"]
    words += ["classifier.shape=8,8,1", "stop=end", "runs=1", "prior=none", "search=es", "population=6", "quiet=true", "out=r"]
    assert guarded(dispatch, [*words, "generations=2", "classifier.labels=a,b"]) == 0
    about = json.loads(Path("r/run.json").read_text())
    Path("r/run.json").write_text(json.dumps({**about, "reproducible": "approximate"}))
    assert guarded(dispatch, [*words, "generations=3", "classifier.labels=b,a", "resume=true"]) == 2
    assert guarded(dispatch, [*words, "generations=3", "classifier.labels=a,b", "resume=true"]) == 0
    assert json.loads(Path("r/run.json").read_text())["reproducible"] == "approximate"  # its first images were


def test_a_cache_of_calls_that_are_to_differ_is_refused() -> None:
    with pytest.raises(UserError, match=r"classifier.cache: expected classifier.samples=1"):
        opened(confidences, samples=3, cache="a.csv")


def test_a_model_without_any_of_this_is_left_as_it_is() -> None:
    assert type(opened(confidences)).__name__ == "AdaptedClassifier"
    before = time.perf_counter()
    assert opened(confidences)(IMAGES) == pytest.approx(confidences(IMAGES / 255), abs=1e-6)
    assert time.perf_counter() - before < 5
