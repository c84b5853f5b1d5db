"""Plausibility: the measures by hand, the statistics on images that are known, the command and run.json."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from builders import DATA, needs_mnist, random_images, random_network, random_statistics
from servers import Server

import fooling
from fooling.classifiers.detection import (
    compare,
    connected_components,
    cross_validated_scores,
    diagonals,
    edges,
    fpr_at_95_tpr,
    greys,
    lags,
    pca_residual,
    plausibility,
)
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.records.record import read_images, read_run
from fooling.statistics import BUNDLED
from fooling.statistics.intervals import auroc, auroc_ci
from fooling.statistics.pca import fit_components

SHAPE = (9, 13, 1)
QUICK = ("data.kind=sklearn", "classifier=mnist_mlp", "runs=12", "generations=3", "population=10", "quiet=true")
NONE = fit_components(random_images(SHAPE, 8), 2)


@pytest.mark.parametrize("levels", [3, 1000])
def test_auroc_is_the_share_of_pairs(levels: int) -> None:
    random = np.random.default_rng(levels)
    evolved, real = random.integers(0, levels, 40).astype(float), random.integers(1, levels + 1, 70).astype(float)
    above, equal = evolved[:, None] > real, evolved[:, None] == real
    assert auroc(evolved, real) == pytest.approx((above + equal / 2).mean())


def test_auroc_by_hand() -> None:
    assert auroc(np.array([1.0, 2.0]), np.array([1.0, 0.0])) == (0.5 + 1 + 1 + 1) / 4
    assert auroc(np.ones(5), np.ones(7)) == 0.5


def test_interval_of_hanley_and_mcneil() -> None:
    low, high = auroc_ci(0.893, 51, 58)  # their example (1982, p. 34): the standard error is 0.032
    assert (high - low) / 2 / 1.96 == pytest.approx(0.032, abs=0.001)
    assert auroc_ci(1.0, 20, 20) == (1.0, 1.0)


def test_false_alarms_by_hand() -> None:
    evolved, real = np.arange(20.0), np.array([-1.0, 0.0, 1.0, 5.0])
    assert fpr_at_95_tpr(evolved, real) == 0.5  # flags all but the lowest of 20: from 1 on
    assert fpr_at_95_tpr(evolved + 100, real) == 0
    assert fpr_at_95_tpr(evolved - 100, real) == 1


def test_a_comparison_looks_at_the_distance_from_the_real_median() -> None:
    real = np.linspace(-1, 1, 101)
    both_sides = np.concatenate([np.full(50, -3.0), np.full(50, 3.0)])
    found = compare(both_sides, real, "none")
    assert (found.auroc, found.auroc_distance, found.fpr95, found.separability) == (0.5, 1.0, 0.0, 1.0)
    nearer = compare(np.full(50, 0.0), real, "none")
    assert nearer.auroc_distance == pytest.approx(0.5 / 101)
    assert nearer.fpr95 == 1


def test_held_out_scores_learn_nothing_from_noise_and_all_from_a_difference() -> None:
    random = np.random.default_rng(1)
    x, y = random.normal(size=(150, 4)), random.normal(size=(150, 4))
    assert 0.35 < auroc(*cross_validated_scores(x, y)) < 0.65
    assert auroc(*cross_validated_scores(x + np.array([0, 9, 0, 0]), y)) == 1


def test_greys_and_lags_by_hand() -> None:
    image = np.zeros((1, 4, 4, 1), np.uint8)
    image[0, :, ::2] = 255  # stripes from top to bottom
    found = {**greys(image, NONE), **lags(image, NONE)}
    assert (found["mean_grey"][0], found["black_share"][0]) == (0.5, 0.5)
    assert [found[f"variogram_{way}_{k}"][0] for way in "xy" for k in (1, 2, 3)] == [1, 0, 1, 0, 0, 0]
    assert "variogram_x_4" not in found


def test_diagonals_by_hand() -> None:
    image = np.zeros((1, 5, 5, 1), np.uint8)
    image[0, np.arange(5), np.arange(5)] = 255  # falls to the right
    found = diagonals(image, NONE)
    assert found["diagonal_down_1"][0] == 0
    assert found["diagonal_up_1"][0] == pytest.approx(6 / 16)
    image[0, 0, 4] = 255
    found = diagonals(image, NONE)
    assert found["diagonal_up_1"][0] == pytest.approx(7 / 16)
    assert found["diagonal_down_2"][0] == pytest.approx(0)
    assert found["diagonal_up_4"][0] == pytest.approx(1)


def test_components_by_hand() -> None:
    image = np.zeros((2, 6, 6, 1), np.uint8)
    image[0, [0, 1, 2], [0, 1, 2]] = 200  # joined at their corners
    image[0, 5, 5] = 128
    image[0, 5, 0] = 127  # not light
    found = connected_components(image, NONE)
    assert found["components"].tolist() == [2, 0]
    assert found["largest_component"].tolist() == [3 / 36, 0]


@pytest.mark.parametrize(
    ("direction", "values"),
    [
        (0, lambda y, x: 30 * y),
        (90, lambda y, x: 30 * x),
        (45, lambda y, x: 15 * (x + y)),
        (135, lambda y, x: 15 * (x - y + 7)),
    ],
)
def test_edges_lie_across_the_gradient(direction: int, values: object) -> None:
    image = np.fromfunction(values, (8, 8))[None, :, :, None].astype(np.uint8)  # type: ignore[call-overload]
    found = edges(image, NONE)
    assert {name: share[0] for name, share in found.items() if share[0]} == {f"edges_{direction}": 1}
    assert all(share[0] == 0 for share in edges(np.zeros((1, 8, 8, 1), np.uint8), NONE).values())


def test_residual_is_that_of_the_class() -> None:
    images = random_images(SHAPE, 60)
    residual = pca_residual(images, fit_components(images, 5))["pca_residual"]
    assert residual.mean() == pytest.approx(1, abs=0.02)


def test_noise_is_told_apart_and_real_images_are_not() -> None:
    statistics, network = random_statistics(SHAPE), random_network(SHAPE)
    one, other = random_images(SHAPE, 60, seed=5), random_images(SHAPE, 60, seed=6)
    noise = np.random.default_rng(0).integers(0, 256, one.shape, dtype=np.uint8)
    same, different = (plausibility(evolved, other, statistics, 1, network) for evolved in (one, noise))
    assert list(same) == list(different)
    assert {row.group for row in same.values()} == {"term", "none", "together", "classifier"}
    assert all(row.separability < 0.75 for row in same.values())
    assert different["mean_grey"].auroc > 0.9
    assert different["together"].auroc > 0.9
    assert {"largest_score", "energy"} <= set(same)
    assert "largest_score" not in plausibility(one, other, statistics, 1)


def test_colour(shape: tuple[int, int, int]) -> None:
    found = plausibility(random_images(shape, 12), random_images(shape, 12, seed=2), random_statistics(shape), 0)
    assert all(np.isfinite([row.auroc, row.fpr95, row.median_real]).all() for row in found.values())


@pytest.mark.parametrize(
    ("evolved", "digit", "message"),
    [
        (random_images(SHAPE, 3), 1, "expected at least 10 images on either side, got 7 evolved images"),
        (random_images((8, 8, 1), 30), 1, r"expected uint8 images \[N, 9, 13, 1\], as the statistics are of"),
        (random_images(SHAPE, 30), 9, "digit=9: expected a class from 0 to 3 of the statistics"),
    ],
    ids=["few", "shape", "digit"],
)
def test_refusals(evolved: np.ndarray, digit: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        plausibility(evolved, random_images(SHAPE, 30), random_statistics(SHAPE), digit)


# --- the command and run.json -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network for scikit-learn's digits, and a finished job against it."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as there:
        there.chdir(folder)
        train = ["train", "data.kind=sklearn", "epochs=3", "hidden=8", "out=n.safetensors", "quiet=true"]
        assert guarded(dispatch, train) == 0
        assert guarded(dispatch, ["run", *QUICK, "digit=3", "classifier.path=n.safetensors", "out=r"]) == 0
    return folder


@pytest.fixture
def small(home: Path, made: Path) -> Path:
    """The same in an empty working directory."""
    shutil.copytree(made, home, dirs_exist_ok=True)
    return home


def test_run_json_says_it_where_data_are_given(small: Path) -> None:
    found = read_run(small / "r")["plausibility"]
    evolved = read_images(small / "r", [entry["file"] for entry in read_run(small / "r")["images"]])
    data = fooling.load_data(None, "sklearn", split="test")
    real = data.images[data.labels == 3]
    grey = auroc(evolved.mean(axis=(1, 2, 3)), real.mean(axis=(1, 2, 3)))
    assert found["mean_grey"]["auroc"] == pytest.approx(grey)
    assert {"auroc", "auroc_distance", "fpr95"} == set(found["components"])
    words = [word for word in QUICK if not word.startswith("runs")]
    assert guarded(dispatch, ["run", *words, "runs=3", "digit=3", "classifier.path=n.safetensors", "out=few"]) == 0
    few = read_run(small / "few")
    assert few["plausibility"] is None
    assert "at least 10 images" in few["notes"][-1]
    assert "plausibility" not in read_run(small / "none")


def test_the_command_writes_what_it_found(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["plausibility", "r"]) == 0  # against the data that the record names
    said = capsys.readouterr().out
    content = json.loads(Path("r/plausibility.json").read_text())
    brief = read_run(small / "r")["plausibility"]
    assert content["statistics"]["mean_grey"]["auroc"] == brief["mean_grey"]["auroc"]
    assert content["most_telling"] in said
    assert Path("r/plausibility.png").stat().st_size > 10_000
    assert guarded(dispatch, ["plausibility", "r"]) == 2
    assert "exists already; overwrite=true replaces it" in capsys.readouterr().err
    assert guarded(dispatch, ["plausibility", "r", "overwrite=true", "quiet=true", "split=train"]) == 0
    assert json.loads(Path("r/plausibility.json").read_text())["real_images"] > content["real_images"]
    assert guarded(dispatch, ["run", *QUICK, "digit=3", "classifier.path=n.safetensors", "out=r", "overwrite=true"]) == 0
    assert not Path("r/plausibility.json").exists()


def test_a_sweep_is_compared_job_by_job(small: Path) -> None:
    assert guarded(dispatch, ["run", *QUICK, "digit=3,4", "classifier.path=n.safetensors", "out=s"]) == 0
    assert guarded(dispatch, ["plausibility", "s", "quiet=true"]) == 0
    whole = json.loads(Path("s/plausibility.json").read_text())
    assert {name: job["real_class"] for name, job in whole["jobs"].items()} == {"digit=3": 3, "digit=4": 4}
    assert json.loads(Path("s/digit=4/plausibility.json").read_text()) == whole["jobs"]["digit=4"]
    assert Path("s/plausibility.png").exists()
    Path("elsewhere").mkdir()
    Path("pp").mkdir()
    Path("pp/digit=3").symlink_to(Path("elsewhere").absolute())
    assert guarded(dispatch, ["plausibility", "s", "out=pp", "overwrite=true"]) == 2
    assert list(Path("elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "folder: expected a record folder"),
        (["data.kind=sklearn"], "folder: expected a record folder"),
        (["nowhere"], "nowhere: no such folder"),
        (["empty"], "holds no record of fooling"),
        (["r", "split=some"], "split: expected one of"),
        (["half"], "holds no finished job (interrupted)"),
        (["sweep"], "sweep.json: a damaged file; expected the folders of its jobs"),
        (["r", "data.path=empty"], "empty"),
    ],
    ids=str,
)
def test_the_command_refuses(small: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    (small / "empty").mkdir()
    (small / "half").mkdir()
    (small / "sweep").mkdir()
    (small / "sweep" / "sweep.json").write_text('{"status": "done", "command": "fooling run", "jobs": [{}]}')
    for name in ("config.yaml", "run.json"):
        (small / "half" / name).write_text((small / "r" / name).read_text().replace('"done"', '"interrupted"'))
    assert guarded(dispatch, ["plausibility", *words]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.strip().splitlines()) <= 2
    assert not Path("r/plausibility.json").exists()


@pytest.mark.parametrize("images", [None, 5, [], [{}], [{"file": 5}], [3], [{"file": "../x.png"}], [{"file": "images"}]])
def test_a_record_that_does_not_name_its_images_is_refused(
    small: Path, images: object, capsys: pytest.CaptureFixture[str]
) -> None:
    run = {key: value for key, value in read_run(small / "r").items() if key != "images"}
    (small / "r" / "run.json").write_text(json.dumps(run | ({} if images is None else {"images": images})))
    assert guarded(dispatch, ["plausibility", "r"]) == 2
    assert "run.json: a damaged file; expected the digit and the images/0000.png" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["plausibility.json", "plausibility.png"])
def test_overwriting_somebodys_file_is_not_advised(small: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pp").mkdir()
    Path("pp", name).write_text("mine")
    assert guarded(dispatch, ["plausibility", "r", "out=pp"]) == 2
    assert f"{name}: exists already, and is no file of this command; give another folder with out=" in capsys.readouterr().err
    assert Path("pp", name).read_text() == "mine"


def test_what_somebody_wrote_into_a_record_is_printable(small: Path) -> None:
    (small / "r" / "run.json").write_text(json.dumps({**read_run(small / "r"), "label": "\x9b31m3"}))
    assert guarded(dispatch, ["plausibility", "r", "quiet=true"]) == 0
    assert json.loads(Path("r/plausibility.json").read_text())["label"] == r"\x9b31m3"


@needs_mnist
def test_real_training_images_pass_for_real() -> None:
    train, test = (fooling.load_data(DATA, split=split) for split in ("train", "test"))
    statistics, network = fooling.Statistics.load(BUNDLED), fooling.load_classifier()
    one, other = (data.images[data.labels == 3] for data in (train, test))
    found = plausibility(one[::20], other[::3], statistics, 3, network)
    assert all(row.separability < 0.62 for row in found.values() if row.group != "together")


def test_a_run_without_statistics_is_compared_by_those_of_the_data(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for word in QUICK if not word.startswith("data")]
    words = ["run", *words, "classifier=mlp", "classifier.path=n.safetensors", "prior=none", "digit=3", "out=bare"]
    assert guarded(dispatch, [word for word in words if "mnist_mlp" not in word]) == 0
    assert read_run(small / "bare")["statistics_fingerprint"] is None
    assert guarded(dispatch, ["plausibility", "bare", "quiet=true"]) == 2
    assert "data.path is not set" in capsys.readouterr().err
    assert guarded(dispatch, ["plausibility", "bare", "data.kind=sklearn", "quiet=true"]) == 0
    found = json.loads(Path("bare/plausibility.json").read_text())["statistics"]
    assert {"mean_grey", "largest_score"} <= set(found)


# --- a record runs nothing ------------------------------------------------------------------------------------------------
SPY = """
from pathlib import Path
import fooling
Path("ran").touch()
def make():
    network = fooling.load_classifier("perceptron", "n.safetensors")
    return lambda inputs: network((inputs * 255).round().astype("uint8"))
"""


def test_a_record_runs_no_code_until_it_is_named_again(
    small: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    Path("spy.py").write_text(SPY)
    words = ["classifier=python", "classifier.path=spy:make"]
    assert guarded(dispatch, ["run", *(w for w in QUICK if "mnist_mlp" not in w), "digit=3", *words, "out=code"]) == 0
    assert "runs code: spy:make from " in caplog.text  # before it happens
    Path("ran").unlink()
    sys.modules.pop("spy")
    caplog.clear()
    assert guarded(dispatch, ["plausibility", "code"]) == 0
    assert not Path("ran").exists()
    assert "runs code" not in caplog.text
    said = capsys.readouterr().out
    assert "are left out, as it runs code (python: spy:make); classifier=python classifier.path=spy:make includes" in said
    content = json.loads(Path("code/plausibility.json").read_text())
    assert "largest_score" not in content["statistics"]
    assert "spy:make" in content["notes"][0]
    assert guarded(dispatch, ["plausibility", "code", *words, "overwrite=true"]) == 0
    assert Path("ran").exists()
    assert "runs code: spy:make from " in caplog.text
    content = json.loads(Path("code/plausibility.json").read_text())
    assert "largest_score" in content["statistics"]
    assert content["notes"] == []


@pytest.mark.parametrize("kind", ["python", "torch", "http"])
def test_a_record_whose_config_somebody_changed_runs_nothing(
    small: Path, kind: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    Path("spy.py").write_text(SPY)
    config = yaml.safe_load(Path("r/config.yaml").read_text())
    path = "http://u:pass@127.0.0.1:9/x" if kind == "http" else "spy:make"
    config["classifier"] = {"name": kind, "path": path}
    head = Path("r/config.yaml").read_text().splitlines()[0]
    Path("r/config.yaml").write_text(f"{head}\n{yaml.safe_dump(config)}")
    assert guarded(dispatch, ["plausibility", "r", "data.kind=sklearn"]) == 0
    said = capsys.readouterr().out
    assert "left out" in said
    assert "pass@" not in said
    assert not Path("ran").exists()
    assert not caplog.records


@pytest.mark.parametrize("words", [[], ["classifier=http"], ["classifier=http", "classifier.auth_env=NAMED_HERE"]], ids=str)
def test_a_record_names_no_variable_that_is_sent(small: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "5ecret")
    monkeypatch.setenv("NAMED_HERE", "abc")
    network = fooling.load_classifier("mlp", "n.safetensors")
    server = Server()
    server.answer = lambda number, images: (
        200,
        "application/json",
        json.dumps(network(np.rint(np.array(images) * 255).astype(np.uint8)).tolist()).encode(),
    )
    config = yaml.safe_load(Path("r/config.yaml").read_text())
    config["classifier"] = {"name": "http", "path": "http://example.org/x", "auth_env": "MY_SECRET"}
    head = Path("r/config.yaml").read_text().splitlines()[0]
    Path("r/config.yaml").write_text(f"{head}\n{yaml.safe_dump(config)}")
    run = read_run(Path("r")) | {"classifier_fingerprint": fingerprint_of(server.url)}
    Path("r/run.json").write_text(json.dumps(run))
    try:
        code = guarded(dispatch, ["plausibility", "r", f"classifier.path={server.url}", "overwrite=true", *words])
    finally:
        server.stop()
    assert code == 0
    assert server.sizes
    assert server.headers.get("authorization") == ("Bearer abc" if len(words) == 2 else None)


def fingerprint_of(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
