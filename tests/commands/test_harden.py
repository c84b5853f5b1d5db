"""`fooling harden`: what its rounds show, by hand; a whole record, resumed; a class "none"; outliers for other models."""

import csv
import json
import runpy
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_dense, random_images
from rounds import round_json

import fooling
from fooling.classifiers import load_network
from fooling.classifiers.judges import takes_same
from fooling.classifiers.labels import class_indices
from fooling.classifiers.training import State
from fooling.commands import dispatch
from fooling.commands.experiment import Plan
from fooling.commands.harden import fingerprints, known_classes, plan
from fooling.commands.harden.attacks import shares
from fooling.commands.harden.figures import stalls, summary, table, unreached, verdict
from fooling.commands.harden.rounds import read_state, save_state, seeds
from fooling.data import ImageSet, load_data
from fooling.data.matching import without_none
from fooling.errors import UserError, guarded
from fooling.records.resume import check_fingerprints
from fooling.report.harden import noise_table, q_figures
from fooling.settings import load
from fooling.settings.gate import NOTHING
from fooling.settings.harden import ATTACKS, HardenSettings
from fooling.statistics import BUNDLED, Statistics
from fooling.statistics.intervals import proportion_with_ci

harden_export = import_module("fooling.commands.harden.export")  # the name is that of its function, too
QUICK = [
    *("data.kind=sklearn", "rounds=1", "epochs=2", "hidden=8", "noise=20", "runs=1", "budget=300", "copies=1", "digit=0,1"),
    *("attacks=histogram", "evolve_runs=1", "evolve_budget=200", "steps=1", "quiet=true"),
]


def settings(*words: str) -> HardenSettings:
    return load(words, HardenSettings, "harden")


# --- figures ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("believed", "expected"),
    [
        ([100, 40, 10], None),
        ([100, 98, 10], 1),  # 98 of 100 may be chance
        ([100, 40, 60], 2),
        ([100, 0, 0], None),  # nothing was left to lose
        ([100], None),
    ],
)
def test_the_round_that_stalls(believed: list[int], expected: int | None) -> None:
    rounds = [round_json(number, {"histogram": (part, False)}) for number, part in enumerate(believed)]
    assert stalls(rounds) == expected


def test_only_attacks_that_were_not_trained_on_decide_whether_a_round_stalls() -> None:
    rounds = [
        round_json(n, {"none": (one, True), "dct": (other, False)}) for n, (one, other) in enumerate([(100, 90), (0, 90)])
    ]
    assert stalls(rounds) == 1
    found = summary(rounds)
    assert found["wins"] == ["dct"]
    assert "dct" in found["verdict"]
    assert "none" not in found["verdict"].partition("Still wins")[2]
    assert "Round 1 stalls: of images from attacks that it was not trained on" in found["verdict"]
    assert "not clearly fewer" in found["verdict"]


@pytest.mark.parametrize(("part", "wins"), [(1, False), (8, True)])
def test_few_images_do_not_show_that_no_attack_wins(part: int, wins: bool) -> None:
    said = summary([round_json(0, {"dct": (10, True)}, of=10), round_json(1, {"dct": (part, True)}, of=10)])["verdict"]
    assert ("Still wins: dct" in said) == wins
    assert ("5 % (10 images each)" in said) != wins
    assert "not trained on" not in said  # there are none


def test_classes_that_are_not_reached_and_the_table() -> None:
    rounds = [
        round_json(0, {"none": (9, True)}, medians=[100.0, 300.0]),
        round_json(1, {"none": (0, True)}, medians=[None, 9e3]),
    ]
    assert [unreached(one) for one in rounds] == [(0, 2), (1, 2)]
    columns, rows = table(rounds)
    assert columns[:5] == ["round", "accuracy", "Q .9999", "not within", "none*"]
    assert [row[3:5] for row in rows] == [["0/2", "9 %"], ["1/2", "0 %"]]
    assert len({len(columns), *map(len, rows)}) == 1
    assert "clean error falls by 0.00 points" in verdict(rounds, None)


def test_an_image_is_believed_if_its_target_is_the_largest() -> None:
    confidence = np.array([0.95, 0.95, 0.99995, 0.5], dtype=np.float32)
    found = shares(confidence, np.array([True, False, True, True]), accepted=0.4)
    assert [found[name]["part"] for name in ("believed", "sure", "accepted")] == [2, 1, 3]
    assert found["believed"]["of"] == 4


def test_no_seed_of_training_is_that_of_measuring() -> None:
    found = seeds(settings("seed=7", "rounds=1000"))
    assert found["training"] == list(range(7, 1008))
    assert found["measured"] not in found["training"]


def test_checkpoints_of_a_training_are_of_one_round(tmp_path: Path) -> None:
    state = State({"bias1": np.ones(2)}, {"bias1": np.zeros(2)}, 3)
    save_state(tmp_path, state, 2)
    found = read_state(tmp_path, 2)
    assert found is not None
    assert (found.epoch, found.layers["bias1"].tolist(), found.velocity["bias1"].tolist()) == (3, [1, 1], [0, 0])
    assert read_state(tmp_path, 1) is None


def test_the_page_has_q_and_the_names_of_images_of_nothing() -> None:
    q = {"q9999": None, "interval9999": [None, None], "budget": 900, "classes": [{"median9999": None}] * 3}
    _, figure = q_figures({"q": q})
    assert (figure.name, figure.value, figure.low, figure.high, figure.above) == ("q9999", None, None, None, 900)
    _, figure = q_figures({"q": {**q, "classes": q["classes"] * 3}})
    assert (figure.low, figure.high, figure.above) == (900, None, 900)
    _, figure = q_figures({"q": {**q, "q9999": 500.0, "interval9999": [400.0, 600.0], "classes": q["classes"] * 3}})
    assert (figure.value, figure.low, figure.high, figure.above) == (500, 400, 600, None)
    share = proportion_with_ci(1, 2)
    (row,) = noise_table([{"noise": [{"name": "even_noise", "trained": True, "believed": share}]}]).rows
    assert row[0] == NOTHING["even_noise"].name


# --- settings -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["classifier=onnx", "classifier.path=m.onnx"], "export=FOLDER"),
        (["classifier=mnist_mlp"], "mlp or cnn"),
        (["evolve=mismatched"], "histogram"),  # its images are of a class
        (["evolve=[]"], "histogram"),
        (["attacks=dct,all"], "all"),
        (["classifier=cnn", "hidden=10,20"], "one hidden layer"),
        (["epochs=null"], "epochs"),
        (["method=acet"], "none_class"),
    ],
)
def test_refused_settings(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert guarded(dispatch, ["harden", "data.kind=sklearn", *words]) == 2
    assert said in capsys.readouterr().err


def test_attacks_are_in_the_order_of_the_table() -> None:
    assert settings("attacks=all").attacks == tuple(ATTACKS)
    assert settings("attacks=dct,none").attacks == ("none", "dct")
    assert settings("classifier=cnn").channels == (16, 32)


# --- a class "none" -----------------------------------------------------------------------------------------------------
def test_a_class_none_is_no_class_of_images() -> None:
    labels = (*map(str, range(10)), "none")
    network = random_dense((28, 28, 1), hidden=(6,), classes=10)
    with_none: Any = type("Network", (), {"labels": labels, "input_shape": (28, 28, 1)})
    assert without_none(labels) == labels[:10]
    assert without_none(("a", "none")) == ("a", "none")
    assert class_indices("all", labels) == list(range(10))
    assert class_indices("none", labels) == [10]  # by its name
    assert takes_same(network, with_none)
    assert Statistics.load(BUNDLED).of_classes(labels).classes == tuple(range(10))
    data = load_data(None, "sklearn", "test", shape=(8, 8, 1), labels=labels)
    assert data.classes == labels
    assert set(data.labels) == set(range(10))


def test_none_is_attacked_by_its_name_without_statistics_of_it(tmp_path: Path) -> None:
    labels = (*map(str, range(10)), "none")
    network = replace(random_dense((28, 28, 1), hidden=(6,), classes=11), labels=labels)
    found = fooling.evolve(classifier=network, digit="none", prior="none", runs=1, budget=200, quiet=True)
    assert found.digit == 10


def test_an_attack_on_any_class_is_not_one_on_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(random_dense((8, 8, 1)), labels=("a", "b", "c", "none")).save(tmp_path / "n.safetensors")
    words = [f"classifier.path={tmp_path / 'n.safetensors'}", "classifier=mlp", "prior=none", "digit=any", "runs=2"]
    assert guarded(dispatch, ["run", *words]) == 2
    assert "digit=all" in capsys.readouterr().err


def test_images_of_a_last_class_none_are_refused() -> None:
    data = ImageSet(np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 2]), ("cat", "dog", "none"), "pets")
    with pytest.raises(UserError, match=r"pets.*none, got 1.*data\.classes"):
        known_classes(data)
    assert known_classes(replace(data, labels=np.array([0, 1, 1]))).classes == ("cat", "dog")


# --- records ------------------------------------------------------------------------------------------------------------
@pytest.mark.exhaustive
def test_a_record_and_what_resumes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert dispatch(["harden", *QUICK, "out=h"]) == 0
    found = json.loads((tmp_path / "h" / "harden.json").read_text())
    assert [one["round"] for one in found["rounds"]] == [0, 1]
    last = load_network(tmp_path / "h" / "round-1.safetensors")
    assert last.labels == (*map(str, range(10)), "none")
    assert found["rounds"][1]["fingerprint"] == last.fingerprint
    assert found["rounds"][1]["outliers"] == {"noise": 80, "evolved": 2}
    rows = {row["name"]: row for row in found["rounds"][1]["attacks"]}
    assert (rows["none"]["trained"], rows["histogram"]["trained"]) == (True, False)
    for name in ("harden.png", "samples.png", "report.html"):
        assert (tmp_path / "h" / name).stat().st_size > 1000
    assert not (tmp_path / "h" / "training.npz").exists()
    result = fooling.evolve(
        classifier={"name": "mlp", "path": "h/round-1.safetensors"}, digit=[1], runs=1, prior="none", generations=2
    )
    assert result[0].digit == 1
    (tmp_path / "h" / "harden.json").unlink()
    status = json.loads((tmp_path / "h" / "experiment.json").read_text()) | {"status": "interrupted"}
    (tmp_path / "h" / "experiment.json").write_text(json.dumps(status))
    assert dispatch(["harden", *QUICK, "out=h", "resume=true"]) == 0  # rounds that are finished are read again
    again = json.loads((tmp_path / "h" / "harden.json").read_text())
    assert again["rounds"] == found["rounds"]


def test_other_data_or_another_network_are_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fooling.commands.harden.fit_statistics", lambda data: None)
    data = ImageSet(random_images((8, 8, 1), 4), np.zeros(8, np.int64), ("a", "b"), "x")
    network, other = (random_dense((8, 8, 1), hidden=(n,)) for n in (6, 7))
    begun = fingerprints(network, data, data)
    check_fingerprints(tmp_path, begun, Plan(depends=fingerprints(network, data, data)).fingerprints)
    check_fingerprints(tmp_path, {}, begun)  # a record without them, of an earlier version
    for labels in (data.labels, data.labels + 1):
        changed = fingerprints(network, data, replace(data, images=data.images ^ (labels[0] == 0), labels=labels))
        with pytest.raises(UserError, match="another data"):
            check_fingerprints(tmp_path, begun, changed)
    with pytest.raises(UserError, match="another classifier"):
        check_fingerprints(tmp_path, begun, fingerprints(other, data, data))
    chosen = plan(settings("data.kind=sklearn", "quiet=true"), [])
    assert list(chosen.fingerprints) == ["data_fingerprint"]


def test_outliers_for_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["harden", "export=x", "digit=3,4", "noise=4", "evolve=none", "evolve_runs=2", "evolve_budget=300", "quiet=true"]
    assert dispatch([*words, "classifier=mnist_mlp2", "seed=5"]) == 0
    with (tmp_path / "x" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["target"] for row in rows] == [""] * 8 + ["3", "3", "4", "4"]  # no data: only noise that needs none
    assert all((tmp_path / "x" / row["file"]).is_file() for row in rows)
    assert rows[-1]["file"].startswith("images/4/")
    assert {row["seed"] for row in rows} == {"5"}
    readme = (tmp_path / "x" / "README.md").read_text()
    assert "mnist_mlp2" in readme
    assert "@" not in readme
    for name in ("train_torch.py", "train_keras.py"):
        compile((tmp_path / "x" / name).read_text(), name, "exec")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    with pytest.raises(UserError, match="new folder"):
        dispatch([*words, "classifier=mnist_mlp2"])


def test_outliers_that_cannot_be_written_leave_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(_image: np.ndarray) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(harden_export, "png", full_disk)
    rows = [("3", np.zeros((8, 8, 1), np.uint8), ("3", "1", "3", "none", "0"))]
    with pytest.raises(OSError, match="space"):
        harden_export.write(tmp_path / "x", settings("classifier=mlp"), rows)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize(("none", "classes"), [(True, 3), (False, 4)])
def test_the_recipe_takes_the_number_of_classes_from_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, none: bool, classes: int
) -> None:
    rows = [("3", np.zeros((8, 8, 1), np.uint8), ("3", "1", "3", "none", "0"))]
    harden_export.write(tmp_path / "x", settings("classifier=mlp"), rows)
    module = "from torch import nn\n\n\ndef make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4))\n"
    (tmp_path / "model.py").write_text(module)
    np.savez(tmp_path / "d.npz", images=random_images((8, 8, 1), 4), labels=np.arange(8) % 2)  # none of the third class
    words = [f"{tmp_path}/model.py:make", f"{tmp_path}/d.npz", f"--out={tmp_path}/n.pt", "--epochs=1", "--steps=1"]
    monkeypatch.setattr("sys.argv", ["train_torch.py", *words, *(["--none"] if none else [])])
    found = runpy.run_path(str(tmp_path / "x" / "train_torch.py"))
    assert found["classes"] == classes
    assert (tmp_path / "n.pt").exists()
