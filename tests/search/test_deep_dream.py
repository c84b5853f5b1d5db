"""search=dream: what is raised is raised, octaves, feeding back, windows, refusals."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import convolutional, random_images, random_network
from jobs import run_recorded
from objectives import combined
from pairwise import rare
from PIL import Image

import fooling
from fooling.classifiers.layers import TiledClassifier
from fooling.commands import dispatch
from fooling.errors import Interrupted, UserError, guarded
from fooling.records.record import load_checkpoint, read_image, read_run
from fooling.run import prepare
from fooling.search.deep_dream import enlarged, octave_sides, resized, with_detail
from fooling.search.job import Job, make_search
from fooling.settings import load
from fooling.settings.schema import RunSettings

NETWORK = convolutional()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A file of 17×23 pixels."""
    Image.fromarray(random_images((17, 23, 1), 1)[0, :, :, 0]).save(tmp_path / "p.png")
    return tmp_path / "p.png"


def make(*words: str, classifier: Any = NETWORK) -> Job:
    settings = load(combined({"search": "dream", "digit": "1", "generations": "6"}, words), RunSettings, "run")
    (job,) = prepare(settings, classifier)
    return job


def strength(job: Job, images: np.ndarray) -> np.ndarray:
    """What a dream raises, by NumPy."""
    search, network = job.settings.search, job.objective.classifier
    values = np.asarray(network.jax_layers(images.astype(np.float32))[search.layer or "logits"])  # type: ignore[attr-defined]
    if search.layer is None:
        return values.reshape(len(images), -1, 4).mean(axis=1)[:, 1]
    if search.channel is not None:
        values = values[..., search.channel]
    elif search.neuron is not None:
        values = values[(..., *search.neuron)]
    else:
        values = values**2
    return values.reshape(len(images), -1).mean(axis=1)


@pytest.mark.parametrize(
    ("what", "large"),
    [
        ("", False),
        ("", True),
        rare("layer=conv1", False),
        rare("layer=pool2", True),
        rare("layer=conv2 channel=3", False),
        rare("layer=conv2 channel=3", True),
        rare("layer=conv2 neuron=1,2,4", False),
        rare("layer=dense3 neuron=5", True),
    ],
)
def test_what_is_raised_is_raised(picture: Path, what: str, large: bool) -> None:
    words = [*what.split(), f"image={picture}", "rate=4", "jitter=0"]
    job = make(*words) if large else make(*words, "blur_sd=0", "image=null")
    engine: Any = make_search(job)
    state = engine.init(np.arange(1, dtype=np.uint32))
    before = strength(job, state.aux["start"])
    for _ in range(6):
        state = engine.step(state)
    assert state.aux["pixels"].shape[1:] == ((17, 23, 1) if large else (8, 8, 1))
    assert strength(job, state.aux["pixels"])[0] > before[0]


def test_octaves_rise_to_the_pictures_own_size() -> None:
    assert octave_sides((100, 60, 1), (28, 28, 1), 3, 1.4) == ((51, 31), (71, 43), (100, 60))
    assert octave_sides((100, 60, 1), (28, 28, 1), 9, 1.4)[0] == (51, 31)  # the next would be narrower than the window
    assert octave_sides((28, 28, 1), (28, 28, 1), 4, 1.4) == ((28, 28),)
    assert octave_sides((100, 60, 1), (28, 28, 1), 1, 2.0) == ((100, 60),)


@pytest.mark.exhaustive
def test_a_round_goes_through_its_octaves(picture: Path) -> None:
    job = make(f"image={picture}", "octaves=2", "generations=6", "again=1")
    engine: Any = make_search(job)
    assert [engine.octave(generation) for generation in range(1, 13)] == [0, 0, 0, 1, 1, 1] * 2
    state = engine.init(np.arange(1, dtype=np.uint32))
    sides = []
    for _ in range(12):
        state = engine.step(state)
        sides.append(state.aux["pixels"].shape[1:3])
        assert state.images.shape[2:] == (17, 23, 1)
    assert sides == [(12, 16)] * 3 + [(17, 23)] * 3 + [(12, 16)] * 3 + [(17, 23)] * 3


def test_detail_is_what_was_dreamt() -> None:
    begun = np.random.default_rng(0).uniform(50, 200, (2, 16, 16, 1)).astype(np.float32)
    small = resized(begun, (8, 8))
    assert with_detail(begun, small, (16, 16)) == pytest.approx(begun, abs=1e-3)  # nothing yet
    assert with_detail(begun, small + 20, (16, 16)) == pytest.approx(begun + 20, abs=1e-2)
    assert np.array_equal(enlarged(begun, 0.0), begun)
    assert not np.array_equal(enlarged(begun, 0.1), begun)


@pytest.mark.exhaustive
def test_fed_back_again_and_again_it_is_an_animation(picture: Path, tmp_path: Path) -> None:
    words = ["run", "search=dream", "classifier=mnist_cnn", f"image={picture}", "generations=2", "again=3", "layer=conv2"]
    assert dispatch([*words, "quiet=true", f"out={tmp_path / 'r'}"]) == 0
    saved, run = load_checkpoint(tmp_path / "r"), read_run(tmp_path / "r")
    assert saved is not None
    assert saved["track_frame_generations"].tolist() == [0, 2, 4, 6, 8]
    assert run["generations"] == 8 == run["gradients"]
    assert saved["track_frames"].shape[2:] == (28, 38, 1)  # no side below the network's input
    with Image.open(tmp_path / "r" / "evolution.webp") as film:
        assert film.n_frames == 5
    image = read_image(tmp_path / "r" / run["images"][0]["file"])
    windows = TiledClassifier(fooling.load_classifier("mnist_cnn"), (28, 38, 1))
    assert run["images"][0]["confidence"] == pytest.approx(float(windows(image[None])[0, 2]), abs=1e-6)
    assert any("maximises layer conv2; octaves 28×38" in note for note in run["notes"])


def test_an_interrupted_dream_goes_on_as_if_nothing_had_been(picture: Path, tmp_path: Path) -> None:
    job = make(f"image={picture}", "octaves=2", "generations=4", "again=1", "layer=conv1", "runs=2")
    whole = run_recorded(job, tmp_path / "whole")
    for stop in (2, 5):  # in an octave that is not the last, and in the second round
        asked = iter([False] * stop + [True] + [False] * 100)
        with pytest.raises(Interrupted):
            run_recorded(job, tmp_path / f"{stop}", interrupted=lambda asked=asked: next(asked))
        assert np.array_equal(run_recorded(job, tmp_path / f"{stop}").images, whole.images)


def test_a_size_without_a_picture_is_a_larger_canvas() -> None:
    job = make("size=20", "layer=conv1")
    assert isinstance(job.objective.classifier, TiledClassifier)
    assert job.objective.classifier.input_shape == (20, 20, 1)


def test_judges_look_through_windows_too(picture: Path) -> None:
    settings = load(["search=dream", "generations=2", f"image={picture}", "judges=mnist_cnn2"], RunSettings, "run")
    (job,) = prepare(settings)
    assert job.judges["mnist_cnn2"].input_shape == job.objective.classifier.input_shape == (28, 38, 1)


def test_a_network_without_logits_dreams_of_its_score() -> None:
    network = random_network((8, 8, 1))

    class Bare:
        input_shape, num_classes, labels, fingerprint = (8, 8, 1), 4, network.labels, "f"
        jax_fn = staticmethod(network.jax_fn)

        def __call__(self, images: np.ndarray) -> np.ndarray:
            return network(images)

    result = fooling.evolve(search="dream", digit=2, classifier=Bare(), generations=30, rate=20)
    assert result.confidence[0] > 0.9
    raised = fooling.evolve(search="dream", digit=1, classifier=Bare(), layer="scores", neuron=2, generations=30, rate=20)
    assert raised.scores[0, 2] > 0.9
    with pytest.raises(UserError, match=r"search\.layer=conv1: expected one of scores"):
        make("layer=conv1", classifier=Bare())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("layer=conv9", "search.layer=conv9: did you mean conv1? expected one of conv1, relu1, pool1, conv2, "),
        ("layer=nonsense", "search.layer=nonsense: expected one of conv1, relu1, pool1, conv2, relu2, pool2, dense3, relu3, "),
        ("layer=conv2 channel=32", "search.channel=32: layer conv2 has channels 0 … 31"),
        ("layer=dense3 neuron=96", "search.neuron=96: layer dense3 has unit 0 … 95; expected 1 of them"),
        ("layer=conv2 neuron=3", "layer conv2 has row 0 … 13, column 0 … 13, channel 0 … 31; expected 3 of them"),
        ("channel=2", "search.layer: expected a layer for search.channel or search.neuron, got null"),
        ("layer=conv1 channel=2 neuron=1,1,1", "search.channel: expected a channel or search.neuron, got both"),
        ("control=true", "control: expected control=false, got true"),
        ("layer=conv1 neuron=x", "search.neuron: expected a whole number, got x"),
        ("octave_scale=1", "search.octave_scale: expected more than 1"),
        ("again=-1", "search.again: expected 0 or more, got -1"),
        ("size=1", "search.size: expected 2 or more, got 1"),
        ("size=4000", "search=dream: 4000×4000 pixels take 81,225 windows of 28×28, at most 4,096 are"),
        ("image=nowhere.png", "search.image=nowhere.png: no such file"),
    ],
)
def test_dreams_that_are_refused(home: Path, capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    assert guarded(dispatch, ["run", "search=dream", "out=r", *words.split()]) == 2
    error = capsys.readouterr().err
    assert message in error.replace(str(home) + "/", ""), error
    assert error.count("\n") == 1
    assert not Path("r").exists()


def test_layers_are_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["examine", "classifier=mnist_mlp", "layers=true", "out=e.json"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"layer +size +what it is", said)
    assert re.search(r"dense1 +100 +weighted sums of a dense layer", said)
    assert '"layers": {\n  "dense1": [\n   100\n  ]' in Path("e.json").read_text()
