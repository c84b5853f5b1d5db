"""A round of `fooling harden`: images are evolved against the network, it is trained against them, and then measured."""

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from fooling.classifiers import load_network
from fooling.classifiers.base import Classifier, predict
from fooling.classifiers.detectors import detector_rows
from fooling.classifiers.features import evidence, of_classes
from fooling.classifiers.hardening import METHODS, Hardening, begin, harden
from fooling.classifiers.trainable import Trainable, convolutional_model, dense_model
from fooling.classifiers.training import State
from fooling.commands.audit.attacks import q_content
from fooling.commands.console import print_line
from fooling.commands.harden.attacks import Found, Terminal, attack_entries, carry_out, images_of, row, samples, shares
from fooling.commands.train import train_and_test
from fooling.data import ImageSet, nothing
from fooling.data.matching import NO_CLASS, without_none
from fooling.data.npz import read_arrays
from fooling.errors import Interrupted, UserError
from fooling.kernels.tables import Bytes
from fooling.records.files import write_atomically
from fooling.settings import load
from fooling.settings.commands import TrainSettings
from fooling.settings.files import format_value
from fooling.settings.harden import DESCENT, HardenSettings
from fooling.statistics import Statistics
from fooling.statistics.intervals import accuracy

MEASURED = 1_000_000  # the seed of measuring is that of training plus this, the most rounds being 1000
REAL = 0.05  # of the real test images are below the confidence at which an image is accepted
SAVE_SECONDS = 20.0  # between checkpoints of a training
CHECKPOINT = "training.npz"


@dataclass(frozen=True)
class Inputs:
    """What all rounds are made from."""

    train: ImageSet
    test: ImageSet
    statistics: Statistics | None  # None: the bundled ones
    network: Classifier | None  # of classifier.path, before the first round; None: it is trained


def network_file(number: int) -> str:
    """The weights of a round."""
    return f"round-{number}.safetensors"


def seeds(settings: HardenSettings) -> dict[str, Any]:
    """The seeds of training, one for each round, and of measuring."""
    return {"training": [settings.seed + number for number in range(settings.rounds + 1)], "measured": settings.seed + MEASURED}


# --- training -----------------------------------------------------------------------------------------------------------
def plain_network(settings: HardenSettings, inputs: Inputs) -> Classifier:
    """The network before the first round: as `fooling train` trains it with these settings."""
    own = [*DESCENT, "seed", "shift", *(("activation",) if settings.classifier.name == "mlp" else ("channels", "kernel"))]
    words = [f"{name}={format_value(getattr(settings, name))}" for name in own]
    training = load([f"classifier={settings.classifier.name}", *words], TrainSettings, "train")
    network: Classifier = train_and_test(training.model_copy(update={"quiet": True}), inputs.train, inputs.test)[0]
    return network


def model_of(settings: HardenSettings, data: ImageSet, network: Any, made: str) -> Trainable:
    """The kind of the network, with its sizes, and with a class "none" where the method has one."""
    labels = (*without_none(network.labels), *([NO_CLASS] if METHODS[settings.method].none else []))
    if settings.classifier.name == "cnn":
        kernels = [network.layers[f"kernels{i}"] for i in (1, 2)]
        channels = (kernels[0].shape[3], kernels[1].shape[3])
        return convolutional_model(data, labels, len(kernels[0]), channels, len(network.layers["bias3"]), made)
    hidden = tuple(len(bias) for _, bias in ((None, network.bias1), *network.later_layers))[:-1]
    return dense_model(data, labels, hidden, network.activation, made)


def noise_images(settings: HardenSettings, train: ImageSet, seed: int) -> Bytes:
    """Even and smoothed noise, and shuffled and phase-scrambled training images, as many of each."""
    real = nothing.sample(train.images, settings.noise, seed)
    height, width, channels = train.images.shape[1:]
    of_nothing = [
        make((height, width, channels), settings.noise, seed) for make in (nothing.even_noise, nothing.smoothed_noise)
    ]
    of_real = [make(real, seed) for make in (nothing.shuffled, nothing.phase_scrambled)]
    return np.concatenate([one.images for one in (*of_nothing, *of_real)])


def evolve(settings: HardenSettings, inputs: Inputs, network: Classifier, number: int, terminal: Terminal) -> Bytes:
    """Outliers that are evolved against the network of the round before."""
    found: Found = []
    for name in settings.evolve:
        options = {"runs": settings.evolve_runs, "budget": settings.evolve_budget, "seed": settings.seed + number}
        entries = attack_entries(settings, network, inputs.statistics, name, **options)
        found += carry_out(entries, terminal, f"round {number}: outliers, {name}")
    return images_of(found)


def trained(
    settings: HardenSettings, inputs: Inputs, before: Any, pools: Sequence[Bytes], number: int, folder: Path, terminal: Terminal
) -> Classifier:
    """The network of a round; an interrupted training goes on from its checkpoint. Raises Interrupted after a signal."""
    saved, begun = time.monotonic(), time.monotonic()
    chosen: Any = settings

    def on_epoch(state: State, loss: float) -> None:
        nonlocal saved
        last, now = state.epoch == chosen.epochs, time.monotonic()
        if not settings.quiet and (terminal.console.is_terminal or last):
            text = f"round {number}: epoch {state.epoch}/{settings.epochs}, loss {loss:.4f}"
            print_line(terminal.console, f"{text}, {now - begun:.0f} s" if last else text, style="" if last else "dim")
        stopped = terminal.signals.stop_requested()
        if not last and np.isfinite(loss) and (stopped or now - saved >= SAVE_SECONDS):
            save_state(folder, state, number)
            saved = now
        if stopped and not last:
            raise Interrupted

    hardening = Hardening(
        settings.method,
        chosen.epochs,
        chosen.batch,
        chosen.learning_rate,
        chosen.decay,
        settings.weight,
        settings.radius,
        settings.steps,
        settings.shift,
        settings.seed + number,
        on_epoch,
    )
    model = model_of(settings, inputs.train, before, f"fooling harden method={settings.method}, round {number}")
    start = read_state(folder, number) if settings.resume else None
    start = start or begin(model, settings.seed + number, before if settings.start == "warm" else None)
    network: Classifier = harden(inputs.train, pools, model, hardening, start)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return network


def save_state(folder: Path, state: State, number: int) -> None:
    """Writes the checkpoint of a training."""
    arrays = {f"{kind}.{name}": np.asarray(a) for kind in ("layers", "velocity") for name, a in getattr(state, kind).items()}
    buffer = io.BytesIO()
    np.savez(buffer, round=np.array([number, state.epoch]), **arrays)  # type: ignore[arg-type]
    write_atomically(folder / CHECKPOINT, buffer.getvalue())


def read_state(folder: Path, number: int) -> State | None:
    """The state of an interrupted training of this round; None without one."""
    if not (folder / CHECKPOINT).exists():
        return None
    arrays = read_arrays(folder / CHECKPOINT)
    if int(arrays["round"][0]) != number:
        return None
    layers, velocity = (
        {name.removeprefix(f"{kind}."): jnp.asarray(a) for name, a in arrays.items() if name.startswith(f"{kind}.")}
        for kind in ("layers", "velocity")
    )
    return State(layers, velocity, int(arrays["round"][1]))


def next_network(settings: HardenSettings, inputs: Inputs, number: int, folder: Path, terminal: Terminal) -> tuple[Any, Any]:
    """The network of a round, and how many outliers of each source it was trained on."""
    if number == 0:
        return inputs.network or plain_network(settings, inputs), {}
    before, pools = load_network(folder / network_file(number - 1)), {}
    if settings.outliers != "evolved":
        pools["noise"] = noise_images(settings, inputs.train, settings.seed + number)
    if settings.outliers != "noise":
        path = folder / f"evolved-{number}.npz"
        if not (settings.resume and path.exists()):
            write_images(path, {"images": evolve(settings, inputs, before, number, terminal)})
        several = [read_arrays(folder / f"evolved-{n}.npz")["images"] for n in range(1, number + 1)]
        pools["evolved"] = np.concatenate(several)
    network = trained(settings, inputs, before, list(pools.values()), number, folder, terminal)
    return network, {name: len(pool) for name, pool in pools.items()}


def write_images(path: Path, arrays: dict[str, Bytes]) -> None:
    """Writes images as an .npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())


# --- measuring ----------------------------------------------------------------------------------------------------------
def measure(settings: HardenSettings, inputs: Inputs, network: Classifier, number: int, terminal: Terminal) -> tuple[Any, Any]:
    """What round-N.json says of a network, and the images of the pictures."""
    scores, seed = predict(network, inputs.test.images), settings.seed + MEASURED
    largest = scores[:, : len(without_none(network.labels))].max(axis=1)
    accepted = float(np.quantile(largest, REAL))
    found, left_out = measured_attacks(settings, inputs, network, number, terminal)
    is_evolved = settings.outliers != "noise"
    used = settings.evolve if is_evolved else ()
    rows = [row(name, of, accepted, trained=name in used) for name, of in found.items()]
    about = {
        "round": number,
        "fingerprint": network.fingerprint,
        "labels": list(network.labels),
        "accuracy": accuracy(scores, inputs.test.labels),
        "accepted_at": accepted,
        "q": q_content([(replace_axes(entry), result) for entry, result in found["none"]]) | {"budget": settings.budget},
        "attacks": rows,
        "noise": noise_rows(settings, inputs, network, accepted, seed),
        "detectors": detectors(settings, inputs, network, found, used, seed),
        "left_out": left_out,
    }
    pictures = {name: samples(of) for name, of in found.items()}
    about["samples"] = {name: rest for name, (_, rest) in pictures.items()}
    return about, {name: images for name, (images, _) in pictures.items()}


def replace_axes(entry: Any) -> Any:
    """The job as an audit has it: without a folder, as no record is kept."""
    return replace(entry, axes={"part": "q"})


def measured_attacks(
    settings: HardenSettings, inputs: Inputs, network: Classifier, number: int, terminal: Terminal
) -> tuple[dict[str, Found], list[dict[str, str]]]:
    """The results of all measured attacks by name, `none` among them, and those that this network or its images allow not."""
    found: dict[str, Found] = {}
    left_out: list[dict[str, str]] = []
    for name in ("none", *(name for name in settings.attacks if name != "none")):
        runs = settings.runs if name == "none" else settings.copies
        options = {"runs": runs, "budget": settings.budget, "seed": settings.seed + MEASURED}
        try:
            entries = attack_entries(settings, network, inputs.statistics, name, **options)
        except UserError as error:
            if name == "none":
                raise
            left_out.append({"part": f"attack {name}", "why": str(error)})
            continue
        found[name] = carry_out(entries, terminal, f"round {number}: measuring, {name}")
    return found, left_out


def noise_rows(settings: HardenSettings, inputs: Inputs, network: Classifier, accepted: float, seed: int) -> list[Any]:
    """How many images of nothing are believed to be any class, by kind, of seeds not trained on."""
    labels, used = without_none(network.labels), () if settings.outliers == "evolved" else ("even_noise", *nothing.NEEDS_REAL)
    height, width, channels = network.input_shape
    kinds = nothing.images_of_nothing((height, width, channels), labels, inputs.test.images, seed=seed)
    rows = []
    for kind, (images, _) in kinds.items():
        scores = predict(network, images)
        is_class = scores.argmax(axis=1) < len(labels)
        rows.append({"name": kind, "trained": kind in used, **shares(scores[:, : len(labels)].max(axis=1), is_class, accepted)})
    return rows


def detectors(
    settings: HardenSettings, inputs: Inputs, network: Classifier, found: dict[str, Found], used: Sequence[str], seed: int
) -> dict[str, Any]:
    """How well detectors tell evolved images, believed or not, from real ones: without a prior, and of attacks held out."""
    random = np.random.default_rng(seed)
    number = min(len(inputs.test.images), settings.images)
    chosen = np.sort(random.choice(len(inputs.test.images), number, replace=False))
    known = of_classes(network, evidence(network, inputs.test.images[chosen]))
    groups = {"none": ["none"], "held_out": [name for name in found if name not in used]}
    rows: list[Any] = []
    left_out: list[Any] = []
    for against, names in groups.items():
        if names:
            images = np.concatenate([images_of(found[name]) for name in names])
            more, missing = detector_rows(of_classes(network, evidence(network, images)), known, against)
            rows, left_out = [*rows, *more], [*left_out, *missing]
    return {"rows": rows, "left_out": left_out}
