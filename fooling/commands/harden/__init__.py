"""`fooling harden`: rounds of evolving, training and measuring: what training against fooling images helps against."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from fooling.classifiers.hardening import METHODS
from fooling.commands.console import InterruptHandler, print_line
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.harden.attacks import Terminal
from fooling.commands.harden.export import export
from fooling.commands.harden.figures import BELIEVED, summary, table
from fooling.commands.harden.rounds import CHECKPOINT, Inputs, measure, network_file, next_network, seeds, write_images
from fooling.commands.jobs import fit_statistics, open_checked, real_images
from fooling.commands.progress import ProgressCallback
from fooling.data import ImageSet, refuse_empty_classes
from fooling.data.matching import NO_CLASS, without_none
from fooling.errors import Interrupted, UserError
from fooling.plots.harden import FILES, draw_harden
from fooling.records.files import read_json, write_json
from fooling.search.result import Result
from fooling.settings.harden import HardenSettings

KINDS = {"mlp": "DenseNetwork", "cnn": "ConvolutionalNetwork"}


def plan(settings: HardenSettings, _words: Sequence[str]) -> Plan:
    """Reads the data, and the network of classifier.path where there is one."""
    network = None
    if settings.classifier.path:
        network = open_checked(settings.classifier, settings.data)
        check_kind(settings, network)
    train, test = (known_classes(one) for one in real_images(settings, "fooling harden", "train", "test", classifier=network))
    refuse_empty_classes(train)
    return Plan(inputs=Inputs(train, test, fit_statistics(train), network), depends=fingerprints(network, train, test))


def known_classes(data: ImageSet) -> ImageSet:
    """Images without the class "none". Raises UserError for images of it: no image has it, the training makes its own."""
    classes = without_none(data.classes)
    number = int((data.labels >= len(classes)).sum())
    if number:
        advice = "rename this class, or leave it out with data.classes=[…]"
        raise UserError(f"data: {data.source}: expected no images of a last class {NO_CLASS}, got {number:,}; {advice}")
    return replace(data, classes=classes)


def fingerprints(network: Any, *sets: ImageSet) -> dict[str, str]:
    """Of what the rounds depend on besides the settings: SHA-256 of the images and labels, and the network, if it is given."""
    found = sha256()
    for one in sets:
        for array in (one.images, one.labels.astype(np.int64)):
            found.update(f"{array.shape}".encode())
            found.update(np.ascontiguousarray(array).data)
    return {"data_fingerprint": found.hexdigest(), **({"classifier_fingerprint": network.fingerprint} if network else {})}


def check_kind(settings: HardenSettings, network: Any) -> None:
    """Refuses a file of another kind of network, and one whose class "none" the method does not have."""
    name, path = settings.classifier.name, settings.classifier.path
    is_softmax = getattr(network, "output", "softmax") == "softmax" and getattr(network, "activation", "relu") != "none"
    if type(network).__name__ != KINDS[name] or not is_softmax:
        advice = f"one of `fooling train classifier={name}`"
        raise UserError(f"classifier.path={path}: expected {advice} for classifier={name}, got a network of another kind")
    has_none = len(without_none(network.labels)) < len(network.labels)
    if has_none and not METHODS[settings.method].none:
        raise UserError(
            f"method={settings.method}: the network of classifier.path has a class none; expected method=none_class"
        )


def begin(settings: HardenSettings, plan: Plan, folder: Path, console: Console, signals: InterruptHandler) -> Plan:
    """All rounds; those that are finished are read again."""
    inputs: Inputs = plan.inputs
    terminal = Terminal(console, signals, settings.quiet)
    rounds = []
    for number in range(settings.rounds + 1):
        path = folder / f"round-{number}.json"
        if not (settings.resume and path.exists()):
            carry_out_round(settings, inputs, number, folder, terminal)
        rounds.append(read_json(path))
        if not settings.quiet:
            columns, rows = table(rounds)
            pairs = [f"{name} {cell}" for name, cell in zip(columns, rows[-1], strict=True)]
            print_line(console, ", ".join(pairs))
    return replace(plan, inputs=(inputs, rounds))


def carry_out_round(settings: HardenSettings, inputs: Inputs, number: int, folder: Path, terminal: Terminal) -> None:
    """Trains and measures; round-N.json is written last, so that only a whole round is read again."""
    place = folder / network_file(number)
    sources: dict[str, int] = {}
    network, sources = next_network(settings, inputs, number, folder, terminal)
    network.save(place)
    about, images = measure(settings, inputs, network, number, terminal)
    write_images(folder / f"images-{number}.npz", images)
    write_json(folder / f"round-{number}.json", {**about, "outliers": sources})
    if terminal.signals.code:
        raise Interrupted


def compute(settings: HardenSettings, plan: Plan, _results: list[Result], _watch: ProgressCallback) -> Summary:
    """harden.json and its table."""
    inputs, rounds = plan.inputs
    data: ImageSet = inputs.train
    chosen: Any = settings.classifier
    used, of_measuring = seeds(settings)["training"], seeds(settings)["measured"]
    content = {
        "settings": settings.model_dump(mode="json", exclude={"out", "resume", "overwrite", "quiet"}),
        "method": {"name": settings.method, "source": METHODS[settings.method].source},
        "data": data.source,
        "classes": list(data.classes),
        "model": {"name": chosen.name, "path": chosen.path, "fingerprint": rounds[-1]["fingerprint"]},
        "seeds": seeds(settings),
        "believed_at": BELIEVED,
        "rounds": rounds,
        **summary(rounds),
    }
    columns, rows = table(rounds)
    lines = [
        f"attacks: images that are believed to be their target at {BELIEVED:g} or more; *: trained on, with other seeds",
        f"seeds: training {used[0]} … {used[-1]}, measuring {of_measuring}; not within: classes whose median attack needs more",
        *(f"left out: {one['part']}: {one['why']}" for one in rounds[-1]["left_out"]),
        content["verdict"],
        f"use a network with classifier={chosen.name} classifier.path=…/{network_file(settings.rounds)}",
    ]
    return Summary(content, columns, rows, lines)


def draw(folder: Path, _summary: Summary) -> None:
    """harden.png and samples.png."""
    draw_harden(folder)


@dataclass(frozen=True)
class Harden(Experiment):
    """A record of all rounds, or with export= a folder of outliers and recipes for another model."""

    def run(self, settings: HardenSettings, words: Sequence[str]) -> int:
        """Runs the command → exit code."""
        return export(settings) if settings.export else super().run(settings, words)


COMMAND = Harden(
    "harden",
    plan,
    compute,
    draw,
    ("harden.json", "round-*.json", "round-*.safetensors", "evolved-*.npz", "images-*.npz", CHECKPOINT, *FILES),
    closing="harden.png, samples.png, harden.json, round-N.safetensors",
    begin=begin,
)
