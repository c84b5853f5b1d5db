"""`fooling damage`: dosages, answers by hand, the detector, with and without real images."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import DATA, needs_mnist, random_images, random_network

import fooling
from fooling.classifiers import load_network
from fooling.commands import dispatch
from fooling.commands.damage import ablated_network, answer, detector, doses_of, pictured, probe_set, spread
from fooling.errors import UserError, guarded
from fooling.settings import load
from fooling.settings.experiments import DamageSettings
from fooling.statistics.intervals import auroc

QUICK = ["images=40", "runs=2", "repeats=3", "pictured=0", "digit=3,4", "quiet=true"]


def settings(*words: str) -> DamageSettings:
    return load(words, DamageSettings, "damage")


@pytest.mark.parametrize(
    ("words", "neurons", "expected"),
    [
        (["dosage=0.01"], 16384, [(0.01, 1)]),  # Neuraldrugs' own example
        (["dosage=0.01,0.1,1,10"], 110, [(0.01, 1), (0.1, 1), (1, 1), (10, 11)]),
        (["dosage=1"], 299, [(1, 2)]),
        (["dosage=29"], 100, [(29, 29)]),  # 0.29·100 is 28.999… in floats
        (["dosage=100"], 7, [(100, 7)]),
        (["neurons=1,2,5"], 20, [(5, 1), (10, 2), (25, 5)]),
    ],
)
def test_doses(words: list[str], neurons: int, expected: list) -> None:
    assert doses_of(settings(*words), neurons) == expected


def test_answers_by_hand() -> None:
    class Fixed:
        input_shape, num_classes, labels, fingerprint = (2, 2, 1), 3, ("a", "b", "c"), ""

        def __init__(self, scores: list) -> None:
            self.scores = np.array(scores, dtype=np.float32)

        def __call__(self, images: np.ndarray) -> np.ndarray:
            return self.scores[: len(images)]

    images = np.zeros((2, 2, 2, 1), np.uint8)
    whole: Any = Fixed([[0.9, 0.2, 0.1], [0.3, 0.6, 0.2]])
    after: Any = Fixed([[0.5, 0.2, 0.1], [0.7, 0.4, 0.2]])
    right = np.array([0, 2])
    real, evolved = (probe_set(whole, images, right, is_real=is_real) for is_real in (True, False))
    assert real.about.tolist() == [0, 1]  # what the whole network reads
    assert evolved.about.tolist() == [0, 2]  # what is wanted
    found = answer(after, real)
    assert found["accuracy"]["part"] == 1
    assert found["confidence"] == pytest.approx((0.5 + 0.2) / 2)
    assert found["fall"] == pytest.approx([0.4, 0.2], abs=1e-6)
    assert answer(after, evolved)["fall"] == pytest.approx([0.4, 0.0], abs=1e-6)


def test_the_detector_is_auroc_of_the_fall() -> None:
    random = np.random.default_rng(0)
    evolved, real = ([{"fall": random.random(n)} for _ in range(3)] for n in (12, 15))
    found = detector(evolved, real)
    ours, theirs = (np.mean([one["fall"] for one in group], axis=0) for group in (evolved, real))
    assert found["auroc"] == auroc(ours, theirs)
    assert found["of_one"]["median"] == np.median([auroc(a["fall"], b["fall"]) for a, b in zip(evolved, real, strict=True)])
    assert found["auroc_interval"][0] < found["auroc"] < found["auroc_interval"][1]
    falls = detector([{"fall": one["fall"] + 2} for one in evolved], real)
    assert (falls["auroc"], falls["of_one"]["least"]) == (1, 1)
    assert spread([1.0, 2, 3])["quartiles"] == [1.5, 2.5]
    assert pictured([(100 * n / 64, n) for n in (55, 1, 2, 5, 11, 22, 5)]) == [1, 5, 55]
    assert pictured([(6.25, 4)]) == [4]


def test_more_damage_destroys_more(home: Path, pca_file: Path) -> None:
    words = ["damage", "data.kind=sklearn", "classifier=pca", f"classifier.path={pca_file}", *QUICK, "out=d"]
    assert guarded(dispatch, [*words, "neurons=1,70"]) == 0
    found = json.loads(Path("d/damage.json").read_text())
    assert found["neurons"] == {"kind": "eigen-images", "layers": {"eigen": 80}, "all": 80}
    one, many = found["doses"]
    for group in ("real", "evolved"):
        assert found["whole"][group]["accuracy"]["mean"] > 0.9
        assert one[group]["accuracy"]["mean"] > many[group]["accuracy"]["mean"] + 0.2
    assert 0 <= one["detector"]["auroc"] <= 1
    assert found["images"] == {"evolved": 4, "real": 40}
    damaged = fooling.load_classifier("pca", "d/damaged-70.safetensors")
    clean = fooling.load_classifier("pca", str(pca_file))
    assert damaged.fingerprint == ablated_network(settings("neurons=70"), clean, 70, 0).fingerprint != clean.fingerprint


def test_without_real_images(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["damage", "runs=2", "repeats=2", "pictured=3", "digit=1", "dosage=0.01,0.1,1,20", "out=d", "generations=30"]
    assert guarded(dispatch, words) == 0
    said = capsys.readouterr().out
    assert "without data.path accuracy on real digits and the detector are left out" in said
    found = json.loads(Path("d/damage.json").read_text())
    assert found["data"] is None
    assert [(dose["dosage"], dose["neurons"]) for dose in found["doses"]] == [(0.01, 1), (0.1, 1), (1, 1), (20, 22)]
    assert found["doses"][0]["evolved"] == found["doses"][2]["evolved"]  # the same networks
    assert "real" not in found["whole"]
    assert [one["name"] for one in found["pictured"]] == ["whole", "1 damaged", "22 damaged"]
    assert found["pictured"][0]["classes"][0]["images"] == 3
    assert {path.name for path in Path("d").glob("*.safetensors")} == {"damaged-1.safetensors", "damaged-22.safetensors"}
    more = ["digit=2", "runs=2", "generations=3", "quiet=true", "judges=d/damaged-1.safetensors", "out=r"]
    assert guarded(dispatch, ["run", "classifier.path=d/damaged-22.safetensors", *more]) == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("substance", ["random", "noise", "zero"])
def test_substances_and_seeds(home: Path, substance: str) -> None:
    random_network((28, 28, 1), classes=10).save(Path("n.safetensors"))
    words = [
        "damage",
        "classifier.path=n.safetensors",
        "digit=1",
        "runs=2",
        "repeats=2",
        "pictured=0",
        "neurons=4",
        "quiet=true",
    ]
    more = ["generations=2", f"substance={substance}"]
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert guarded(dispatch, [*words, *more, f"seed={seed}", f"out={name}"]) == 0
    one, same, other = (load_network(Path(name, "damaged-4.safetensors")).fingerprint for name in "abc")
    assert one == same != other


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dosage=0"], "dosage: expected percentages above 0, at most 100, got 0"),
        (["dosage=101"], "dosage: expected percentages above 0, at most 100, got 101"),
        (["neurons=0"], "neurons: expected whole numbers from 1 on, got 0"),
        (["neurons=111"], "neurons=111: expected at most the network's 110 neurons"),
        (["substance=tea"], "substance: expected one of 'random', 'noise' or 'zero', got tea"),
        (["prior=tea"], "prior: expected one of eigen, exemplar, histogram, none, regional, variogram, got tea"),
        (["repeats=0"], "repeats: expected 1 or more, got 0"),
        (["classifier=onnx", "classifier.path=a.onnx"], "classifier=onnx is an external model"),
        (["data.kind=sklearn"], "data: the classifier takes images (28, 28, 1), the data's are (8, 8, 1)"),
        (["pictured=-1"], "pictured: expected 0 or more, got -1"),
    ],
    ids=str,
)
def test_refusals(home: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["damage", *words]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1
    assert not Path("runs").exists()


def test_too_few_real_images(home: Path, pca_file: Path) -> None:
    images = random_images((8, 8, 1), 56)
    np.savez("few.npz", images=images, labels=np.arange(len(images)) % 10)
    words = ["damage", "data.path=few.npz", "classifier=pca", f"classifier.path={pca_file}", *QUICK]
    with pytest.raises(UserError, match="expected at least 10 test images, got"):
        dispatch(words)


@pytest.mark.exhaustive
@needs_mnist
def test_a_little_does_little_and_much_destroys(home: Path) -> None:
    words = ["damage", f"data.path={DATA}", "out=d", "quiet=true", "pictured=0", "runs=3", "images=500", "neurons=1,77"]
    assert guarded(dispatch, words) == 0
    found = json.loads(Path("d/damage.json").read_text())
    one, many = found["doses"]
    assert one["real"]["accuracy"]["median"] > found["whole"]["real"]["accuracy"]["median"] - 0.02
    assert many["real"]["accuracy"]["median"] < 0.4
    assert one["detector"]["auroc"] < 0.5  # on this network evolved images stand it better than real ones
