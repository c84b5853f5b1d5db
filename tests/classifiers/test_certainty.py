"""How certain a classifier is of images that show nothing: shares and answers by hand, what is left out, and a real network."""

import json

import numpy as np
import pytest
from models import Toy

from fooling.classifiers import load_classifier
from fooling.classifiers.certainty import certainty, certainty_of_nothing
from fooling.data.nothing import images_of_nothing
from fooling.statistics.intervals import wilson_interval


def shares(largest: list[float], classes: list[int]) -> np.ndarray:
    """Scores of three classes that sum to 1."""
    rows = [[p if k == c else (1 - p) / 2 for k in range(3)] for p, c in zip(largest, classes, strict=True)]
    return np.array(rows, np.float32)


def test_a_row_by_hand() -> None:
    row, _ = certainty("blank", shares([0.99, 0.95, 0.9, 0.5], [2, 2, 0, 2]), "so")
    assert row is not None
    assert (row["kind"], row["images"], row["note"]) == ("blank", 4, "so")
    assert row["at_90"]["share"] == 0.75
    assert row["at_99"] == {
        "part": 1,
        "of": 4,
        "share": 0.25,
        "low": wilson_interval(1, 4)[0],
        "high": wilson_interval(1, 4)[1],
    }
    assert row["answers"] == [{"class": 2, "share": 0.75}, {"class": 0, "share": 0.25}]
    assert row["sure"] == [2]
    assert json.loads(json.dumps(row)) == row


def test_three_answers_at_most() -> None:
    scores = np.eye(5, dtype=np.float32)[[4, 4, 4, 1, 1, 0, 2]] * 0.5 + 0.1
    row, _ = certainty("foreign", scores)
    assert row is not None
    assert [answer["class"] for answer in row["answers"]] == [4, 1, 0]


def test_sure_are_the_classes_at_99_percent_however_seldom() -> None:
    row, _ = certainty("even_noise", shares([0.5] * 10 + [0.999, 0.99], [0] * 10 + [2, 1]))
    assert row is not None
    assert row["sure"] == [1, 2]


def test_to_be_sure_of_none_is_no_certainty() -> None:
    scores = shares([0.999, 0.999, 0.95, 0.5], [2, 2, 0, 1])
    row, _ = certainty("blank", scores, number=2)
    assert row is not None
    assert [row[level]["part"] for level in ("at_90", "at_99")] == [1, 0]
    assert row["answers"][0] == {"class": 2, "share": 0.5}
    assert row["sure"] == []
    toy = Toy(lambda _toy, images, _scores: scores[: len(images)], labels=("a", "b", "none"), num_classes=3)
    assert certainty_of_nothing(toy, {"blank": (np.zeros((4, 8, 8, 1), np.uint8), "")})[0] == [row]  # type: ignore[arg-type]


def test_scores_that_do_not_sum_to_1_are_named() -> None:
    row, _ = certainty("blank", np.array([[0.95, 0.9, 0.2], [0.1, 0.1, 0.1]], np.float32))
    assert row is not None
    assert row["at_90"]["part"] == 1
    assert "sum to 1" in row["note"]


def test_constant_scores_are_named() -> None:
    row, _ = certainty("blank", shares([0.5] * 3, [1] * 3))
    assert row is not None
    assert "same" in row["note"]


def test_labels_alone_have_no_row() -> None:
    rows, reasons = certainty_of_nothing(
        Toy(lambda *_: np.eye(2, dtype=np.float32)[np.arange(len(_[1])) % 2]), images_of_nothing((8, 8, 1), ("a", "b"), None, 4)
    )
    assert rows == []
    assert len(reasons) == 1
    assert "0 and 1" in reasons[0]
    assert certainty("blank", np.empty((0, 2), np.float32))[0] is None


@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn"])
def test_bundled_networks_are_seldom_certain_of_nothing(name: str) -> None:
    network = load_classifier(name)
    rows, reasons = certainty_of_nothing(network, images_of_nothing(network.input_shape, network.labels, None, 64))
    assert [row["kind"] for row in rows] == ["blank", "even_noise", "foreign"]
    assert reasons == []
    assert all(row["at_99"]["share"] < 0.1 for row in rows)
