"""`fooling detect`: kinds of images, the table and who leads, the page, and what is refused."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import reports
from builders import ROOT
from models import Toy

from fooling.commands import dispatch
from fooling.commands.audit.attacks import detector_content
from fooling.commands.detect import check_training, compute, in_words, roc_curve, winner, worst_cases
from fooling.commands.evolved import EvolvedGroup, classifier_of, genome_of, groups_of, targets_of
from fooling.commands.experiment import Plan
from fooling.data import ImageSet, load_data
from fooling.errors import UserError, guarded
from fooling.records.collection import SavedJob, saved_jobs
from fooling.report import make_report
from fooling.settings import load
from fooling.settings.detect import DetectSettings
from fooling.settings.detectors import DETECTORS
from fooling.statistics.intervals import auroc

STORED = ROOT / "tests" / "stored"
DIGITS = ("data.kind=sklearn", "quiet=true")
NETWORK = ("classifier=mlp", f"classifier.path={STORED / 'mlp.safetensors'}")
SMALL = (*NETWORK, "quiet=true", "digit=3,4", "runs=6", "threshold=0.3", "search.generations=40", "search.population=40")


def run(*words: str) -> int:
    return guarded(dispatch, list(words))


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sweeps, one of them a control, and a job on a genome."""
    home = tmp_path_factory.mktemp("records")
    assert run("run", *SMALL, "prior=none", f"out={home}/none") == 0
    control = ("control=true", "digit=3", "runs=1", "search.generations=1", "search.population=5")
    assert run("run", *NETWORK, "quiet=true", "prior=none", *control, f"out={home}/control") == 0
    small = ("digit=3", "runs=11", "threshold=0.3", "budget=2000")
    assert run("run", "search=es", "search.genome=dct", *NETWORK, "quiet=true", *small, f"out={home}/es") == 0
    return home


def detect(home: Path, *words: str) -> dict[str, Any]:
    assert run("detect", *words, *DIGITS, f"out={home}/d", "overwrite=true") == 0
    found: dict[str, Any] = json.loads((home / "d/detect.json").read_text())
    return found


def test_kinds_of_images_are_compared_by_every_detector(records: Path, tmp_path: Path) -> None:
    found = detect(tmp_path, f"{records}/none", f"{records}/control", f"{records}/es")
    assert [group["name"] for group in found["groups"]] == ["pixels, none", "dct, none"]
    assert [group["made"] for group in found["groups"]] == [12, 11]
    labels = load_data(None, "sklearn", "test").labels
    assert found["real_classes"] == ["3", "4"]  # the targets of the records
    assert found["real_images"] == np.isin(labels, (3, 4)).sum()
    assert any("control" in note for note in found["notes"])
    by_kind = {
        group["name"]: {row["name"] for row in found["rows"] if row["against"] == group["name"]} for group in found["groups"]
    }
    left_out = {one["part"].removeprefix("detectors: ") for one in found["left_out"]}
    assert all(names | left_out == set(DETECTORS) for names in by_kind.values())
    assert {"mahalanobis", "knn_features", "vim", "pixel_density", "simple_statistics"} <= by_kind["pixels, none"]
    for row in found["rows"]:
        assert 0 <= row["low"] <= row["auroc"] <= row["high"] <= 1
        assert row["evolved"] <= 12
        assert row["real"] == found["real_images"]
        assert (row["limit"] is None) == (row["name"] == "simple_statistics")
        if row["passes"]:
            assert row["passes"]["of"] == row["evolved"]
            assert row["real_passes"]["share"] > 0.8  # that 95 % of held-out training images pass
    assert found["detectors"]["simple_statistics"]["fitted"] == "evolved and real images"
    assert found["winner"]["name"] != "simple_statistics"
    assert {row["name"] for row in found["curves"]} == {row["name"] for row in found["rows"]}
    report = make_report(tmp_path / "d")
    assert f"{found['winner']['auroc']:.3f}" in report.verdict
    assert (tmp_path / "d/detect.png").exists()


@pytest.mark.exhaustive
def test_the_same_call_says_the_same(records: Path, tmp_path: Path) -> None:
    few = ("detectors=energy,knn_pixels", "images=10", "seed=3")
    first, second = (detect(tmp_path, f"{records}/none", *few) for _ in range(2))
    assert first == second
    assert list(first["detectors"]) == ["energy", "knn_pixels"]
    assert first["rows"][0]["evolved"] == first["rows"][0]["real"] == 10


@pytest.mark.exhaustive
def test_a_detector_that_has_seen_evolved_images_never_wins(records: Path, tmp_path: Path) -> None:
    found = detect(tmp_path, f"{records}/none", "detectors=simple_statistics")
    assert found["winner"] is None
    assert "fitted to the evolved images" in make_report(tmp_path / "d").verdict


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("{r}/none", "detectors=enrgy"), r"detectors.*did you mean energy"),
        (("{r}/none", "layer=relu7"), r"layer=relu7.*pixels.*logits"),
        (("{r}/none", "{r}/none"), "twice"),
        (("{r}/none", "{r}/none/digit=3"), "twice"),
        ((), "folders: expected"),
        (("{r}/control",), "control"),
        (("{r}/none", f"{STORED}/small"), "one classifier"),
        (("{r}",), "holds no record"),
    ],
)
def test_what_is_refused(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    import re

    assert run("detect", *(word.replace("{r}", str(records)) for word in words), *DIGITS, f"out={tmp_path}/d") == 2
    error = capsys.readouterr().err
    assert re.search(said, error), error
    assert error.count("\n") == 1
    assert not (tmp_path / "d").exists()


def test_what_a_record_says_of_images_is_checked(records: Path, tmp_path: Path) -> None:
    (job,), _ = saved_jobs([f"{records}/es"])
    (whole,) = groups_of([job], 100, 0)
    first, *others = job.run["images"]
    other = {**first, "predicted": first["digit"] + 1}  # read as another class: no success, whatever the confidence
    (fewer,) = groups_of([SavedJob("es", job.folder, {**job.run, "images": [other, *others]})], 100, 0)
    assert first["converged"]
    assert len(fewer.images) == len(whole.images) - 1
    shutil.copy(job.folder / "config.yaml", tmp_path)
    anything = SavedJob("any", tmp_path, job.run)
    anything.settings["digit"] = "any"
    assert (targets_of([job]), targets_of([job, anything])) == ([3], None)
    del other["evaluations"]
    with pytest.raises(UserError, match="evaluations of each image"):
        groups_of([SavedJob("es", job.folder, {**job.run, "images": [other, *others]})], 100, 0)
    assert genome_of(job) == "dct"
    np.savez(tmp_path / "genomes.npz", genome=np.array("cppn"))
    assert genome_of(SavedJob("es", tmp_path, job.run)) == "cppn"


def test_a_sweep_and_a_job_of_it_are_refused(records: Path) -> None:
    with pytest.raises(UserError, match=r"digit=3 twice"):
        saved_jobs([f"{records}/none", f"{records}/none/digit=3"])


def test_a_job_without_a_weight_for_the_classifier_is_a_control(records: Path) -> None:
    (job,), _ = saved_jobs([f"{records}/es"])
    assert (job.uses_classifier, job.evades) == (True, ())
    job.settings["prior"]["weights"]["target"] = 0.0
    job.settings["search"]["evade"] = ["energy", "vim"]
    assert (job.uses_classifier, job.evades) == (False, ("energy", "vim"))


def test_few_training_images_are_refused() -> None:
    few = ImageSet(np.zeros((5, 8, 8, 1), np.uint8), np.arange(5), tuple("01234"), "few")
    with pytest.raises(UserError, match=r"at least 100 training images.*got 5"):
        check_training(few)


def test_an_ensemble_with_code_is_named_again(tmp_path: Path) -> None:
    code = tmp_path / "flat.py"
    code.write_text("import numpy as np\n\ndef make():\n    return lambda x: np.full((len(x), 10), 0.1)\n")
    member = f"{{name: python, path: '{code}:make', shape: [8, 8, 1], output: probability}}"
    ensemble = ("classifier=ensemble", f"classifier.members=[{STORED / 'mlp.safetensors'}, {member}]")
    small = ("digit=3", "runs=1", "search.generations=1", "search.population=5", "prior=none", "quiet=true")
    assert run("run", *ensemble, *small, f"out={tmp_path}/e") == 0
    jobs, _ = saved_jobs([f"{tmp_path}/e"])
    with pytest.raises(UserError, match=r"classifier=ensemble classifier\.members="):
        classifier_of(jobs, load([], DetectSettings, "detect").classifier)
    again, _ = classifier_of(jobs, load(list(ensemble), DetectSettings, "detect").classifier)
    assert again.fingerprint == jobs[0].run["classifier_fingerprint"]


# --- by hand --------------------------------------------------------------------------------------------------------------
def row(name: str, area: float, half: float, against: str = "a") -> dict[str, Any]:
    return {"name": name, "against": against, "auroc": area, "low": area - half, "high": area + half}


def test_a_detector_wins_only_where_the_intervals_say_so() -> None:
    clear = winner([row("energy", 0.7, 0.05), row("vim", 0.9, 0.05), row("simple_statistics", 1.0, 0)])
    assert clear is not None
    assert (clear["name"], clear["rivals"], clear["leads"]) == ("vim", [], True)
    close = winner([row("energy", 0.82, 0.05), row("vim", 0.9, 0.05), row("mahalanobis", 0.6, 0.05)])
    assert close is not None
    assert (close["name"], close["rivals"]) == ("vim", ["energy"])
    assert in_words(clear).endswith("wins")
    alone = winner([row("energy", 0.9, 0.05), row("simple_statistics", 1.0, 0)])
    assert alone is not None
    assert "win" not in in_words(alone)
    none = winner([row("energy", 0.52, 0.05)])
    assert none is not None
    assert not none["leads"]
    assert winner([row("simple_statistics", 1.0, 0)]) is None


def test_a_worst_case_is_of_detectors_that_apply_to_all_kinds() -> None:
    rows = [
        row("energy", 0.7, 0),
        row("energy", 0.4, 0, "b"),
        row("vim", 0.6, 0),
        row("vim", 0.9, 0, "b"),
        row("entropy", 1, 0),
    ]
    assert [(one["name"], one["auroc"]) for one in worst_cases(rows)] == [("energy", 0.4), ("vim", 0.6)]


def test_the_area_below_a_curve_is_the_auroc() -> None:
    random = np.random.default_rng(0)
    evolved, real = random.normal(1, 1, 40), random.normal(0, 1, 50)
    curve = roc_curve(evolved, real)
    assert (curve["evolved"][0], curve["real"][0]) == (0, 0)
    assert (curve["evolved"][-1], curve["real"][-1]) == (1, 1)
    assert np.trapezoid(curve["real"], curve["evolved"]) == pytest.approx(auroc(evolved, real), abs=0.02)


def test_a_record_without_rows_has_no_page(tmp_path: Path) -> None:
    reports.make_experiment(tmp_path / "d", "detect", {**reports.detect_json(), "rows": []})
    with pytest.raises(UserError, match=r"detect\.json has no rows") as error:
        make_report(tmp_path / "d")
    assert str(tmp_path / "d") in str(error.value)


# --- a class "none" -------------------------------------------------------------------------------------------------------
def test_a_high_score_of_none_is_no_sign_of_a_real_image() -> None:
    def scores(_toy: Any, images: np.ndarray, _scores: Any) -> np.ndarray:
        level = images[:, 0, 0, 0].astype(np.float32) / 1e4
        evolved = np.stack([level, level, 1 - 2 * level], axis=1)  # read as none, of more than .99
        real = np.stack([0.9 + level, 0.05 - level / 2, 0.05 - level / 2], axis=1)
        return np.where(images[:, 1, 0, :1] > 0, real, evolved)

    toy: Any = Toy(scores, labels=("a", "b", "none"), num_classes=3)
    images = np.zeros((80, 8, 8, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(80) % 40
    images[40:, 1] = 1
    evolved, real = images[:40], ImageSet(images[40:], np.arange(40) % 2, ("a", "b"), "toy")
    group = EvolvedGroup("pixels", "none", (), evolved, np.ones(40, np.int64), 40, ())
    options: Any = {"images": 40, "seed": 0}
    of_audit: Any = SimpleNamespace(**options)
    found: Any = [(SimpleNamespace(axes={}), SimpleNamespace(images=evolved, converged=np.ones(40, bool)))]
    content: Any = detector_content(toy, real, found, of_audit)
    of_detect: Any = SimpleNamespace(
        **options, detectors=("largest_score",), classifier=SimpleNamespace(name="toy", path=None, model_dump=dict)
    )
    plan = Plan(inputs=(toy, None, real, (real.images, [0, 1]), [group], []))
    summary = compute(of_detect, plan, [], lambda what, done, total: None)
    for rows in (content["rows"], summary.content["rows"]):
        (row,) = [row for row in rows if row["name"] == "largest_score"]
        assert row["auroc"] == 1  # 0 with the score of none
