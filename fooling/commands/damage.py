"""`fooling damage`: neuron ablation. How damaged networks classify real images, and those evolved against the whole one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fooling.classifiers import CLASSIFIERS
from fooling.classifiers.ablation import ablate, neuron_access, neurons_of
from fooling.classifiers.base import Classifier, predict
from fooling.classifiers.detection import MIN_IMAGES
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import (
    GridEntry,
    accuracy_and_confidence,
    classes_of,
    describe_classifier,
    fit_statistics,
    make_jobs,
    open_checked,
    real_images,
    subsample,
    to_bytes,
)
from fooling.commands.progress import ProgressCallback
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats, Ints
from fooling.plots import evenly_spaced
from fooling.plots.damage import FILES, EvolvedImages, chart
from fooling.records.files import write_atomically
from fooling.search.result import Result
from fooling.settings.experiments import DamageSettings
from fooling.statistics import Statistics
from fooling.statistics.intervals import auroc, auroc_ci

PICTURED = 3  # damaged networks that the picture shows, at most


@dataclass(frozen=True)
class ProbeSet:
    """Images, and the class that each is about: of real ones what the whole network reads, of evolved ones the target."""

    images: Bytes  # [N, H, W, C]
    right: Ints  # [N], the class that counts as right
    about: Ints  # [N], the class whose confidence may fall
    before: Floats  # [N], that confidence of the whole network


@dataclass(frozen=True)
class Inputs:
    """What is measured besides the evolved images."""

    network: Classifier  # the whole one
    doses: Sequence[tuple[float, int]]  # per cent, neurons
    real: ImageSet | None


def plan(settings: DamageSettings, _words: Sequence[str]) -> Plan:
    """Opens the network and reads the data; jobs against the whole network, and those of the picture."""
    chosen = settings.classifier
    if chosen.name not in CLASSIFIERS:
        what = (
            "combines others: damage its members"
            if chosen.name == "ensemble"
            else "is an external model, whose weights are out of reach"
        )
        reason = f"classifier={chosen.name} {what}"
        raise UserError(f"fooling damage: {reason}; networks that can be damaged: {', '.join(CLASSIFIERS)}")
    network = open_checked(chosen, settings.data)
    given = real_images(settings, "fooling damage", "test", "train", classifier=network) if settings.data.given else []
    test, train = given or (None, None)
    layers, classes = neurons_of(network), classes_of(settings.digit, network.labels)
    doses = doses_of(settings, sum(layers.values()))
    real = subsample(test, classes, settings.images, settings.seed) if test else None
    if real and len(real.labels) < MIN_IMAGES:
        raise UserError(f"{real.source}: expected at least {MIN_IMAGES} test images, got {len(real.labels)}")
    statistics = fit_statistics(train)
    entries = entries_against(settings, network, statistics, settings.runs, {"network": "whole"})
    if settings.pictured:
        entries += entries_against(settings, network, statistics, settings.pictured, {"pictured": "whole"})
        for number in pictured(doses):
            damaged, axes = ablated_network(settings, network, number, 0), {"pictured": f"damaged-{number}"}
            entries += entries_against(settings, damaged, statistics, settings.pictured, axes)
    return Plan(entries, Inputs(network, doses, real))


def doses_of(settings: DamageSettings, neurons: int) -> list[tuple[float, int]]:
    """Each dosage in per cent and how many neurons that is: max(1, ⌊dosage/100·n⌋), or the numbers in `neurons`."""
    if settings.neurons is None:
        return [(dosage, max(1, int(dosage * neurons / 100 + 1e-9))) for dosage in settings.dosage]
    if max(settings.neurons) > neurons:
        raise UserError(f"neurons={max(settings.neurons)}: expected at most the network's {neurons} neurons")
    return [(100 * number / neurons, number) for number in settings.neurons]


def compute(settings: DamageSettings, plan: Plan, results: list[Result], watch: ProgressCallback) -> Summary:
    """Classifies the images with damaged networks, and describes what evolves against them."""
    inputs: Inputs = plan.inputs
    network, real = inputs.network, inputs.real
    evolved = [result for entry, result in zip(plan.entries, results, strict=True) if "network" in entry.axes]
    groups = {"evolved": probe_set(network, np.concatenate([r.images for r in evolved]), classes_in(evolved), is_real=False)}
    if real:
        groups["real"] = probe_set(network, real.images, real.labels, is_real=True)
    counts = sorted({number for _, number in inputs.doses})
    found, files = answers_of_networks(settings, network, groups, counts, watch)
    baselines = baselines_of(plan, results)
    content = {
        "classifier": describe_classifier(network, settings.classifier),
        "labels": list(network.labels),
        "neurons": {
            "kind": neuron_access(network).neurons,
            "layers": neurons_of(network),
            "all": sum(neurons_of(network).values()),
        },
        "substance": settings.substance,
        "repeats": settings.repeats,
        "prior": settings.prior,
        "data": real.source if real else None,
        "images": {name: len(probes.images) for name, probes in groups.items()},
        "whole": found[0],
        "doses": [{"dosage": dosage, "neurons": n, **found[n]} for dosage, n in inputs.doses],
        "pictured": [what_evolved(*one) for one in baselines.items()],
        "networks": {str(n): f"damaged-{n}.safetensors" for n in counts},
    }
    return Summary(content, *table(content), describe(content), [figure_data(*one) for one in baselines.items()], files)


def answers_of_networks(
    settings: DamageSettings,
    network: Classifier,
    groups: Mapping[str, ProbeSet],
    counts: Sequence[int],
    watch: ProgressCallback,
) -> tuple[dict[int, Any], dict[str, bytes]]:
    """How the whole network (0) and those with so many damaged neurons classify the images; a file of one of each."""
    found: dict[int, Any] = {0: {name: summary([answer(network, probes)]) for name, probes in groups.items()}}
    files = {}
    for place, n in enumerate(counts):
        answers: dict[str, list[Any]] = {name: [] for name in groups}
        for r in range(settings.repeats):
            watch("damaged networks", place * settings.repeats + r, len(counts) * settings.repeats)
            damaged = ablated_network(settings, network, n, r)
            if r == 0:
                files[f"damaged-{n}.safetensors"] = to_bytes(damaged)
            for name, probes in groups.items():
                answers[name].append(answer(damaged, probes))
        found[n] = {name: summary(several) for name, several in answers.items()}
        if "real" in groups:
            found[n]["detector"] = detector(answers["evolved"], answers["real"])
    return found, files


# --- networks and images ------------------------------------------------------------------------------------------------
def ablated_network(settings: DamageSettings, network: Classifier, number: int, repeat: int) -> Classifier:
    """A damaged network; which neurons, and how, follows from the seed, the number and the repeat."""
    random = np.random.default_rng([settings.seed, number, repeat])
    damaged: Classifier = ablate(network, number, settings.substance, random)
    return damaged


def entries_against(
    settings: DamageSettings, network: Classifier, statistics: Statistics | None, runs: int, axes: Mapping[str, str]
) -> list[GridEntry]:
    """Jobs against a network, one for each class."""
    digit = ",".join(map(str, classes_of(settings.digit, network.labels)))
    words = [f"prior={settings.prior}", f"digit={digit}", f"runs={runs}", f"seed={settings.seed}"]
    words.append(f"generations={settings.generations}")
    (value,) = axes.values()
    name = "" if value == "whole" else value
    return [GridEntry(job, axes) for job in make_jobs(settings, network, statistics, words, name)]


def baselines_of(plan: Plan, results: Sequence[Result]) -> dict[str, list[Result]]:
    """What evolves against the networks of the picture: a result for each class, by the name of the network."""
    found: dict[str, list[Result]] = {}
    for entry, result in zip(plan.entries, results, strict=True):
        if "pictured" in entry.axes:
            kind, _, number = entry.axes["pictured"].partition("-")
            found.setdefault(f"{number} {kind}" if number else kind, []).append(result)
    return found


def pictured(doses: Sequence[tuple[float, int]]) -> list[int]:
    """How many neurons are damaged in the networks of the picture."""
    counts = sorted({number for _, number in doses})
    return [counts[i] for i in evenly_spaced(len(counts), PICTURED)]


def classes_in(results: Sequence[Result]) -> Ints:
    """The target class of each image."""
    return np.concatenate([one.classes for one in results])


def probe_set(network: Classifier, images: Bytes, right: Ints, *, is_real: bool) -> ProbeSet:
    """Images with what the whole network says of them."""
    scores = predict(network, images)
    about = scores.argmax(axis=1) if is_real else right
    return ProbeSet(images, right, about, scores[np.arange(len(about)), about])


# --- answers ------------------------------------------------------------------------------------------------------------
def answer(network: Classifier, probes: ProbeSet) -> dict[str, Any]:
    """How a network classifies images: accuracy, confidences, and how far they have fallen, [N]."""
    scores = predict(network, probes.images)
    fall = probes.before - scores[np.arange(len(probes.about)), probes.about]
    return {**accuracy_and_confidence(scores, probes.right), "fall": fall}


def summary(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Over the damaged networks: mean, quartiles and extremes of accuracy and of mean confidence."""
    accuracies = [one["accuracy"]["share"] for one in answers]
    return {"accuracy": spread(accuracies), "confidence": spread([one["confidence"] for one in answers])}


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, quartiles, extremes."""
    low, middle, high = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
    return {
        "mean": float(np.mean(values)),
        "median": middle,
        "quartiles": [low, high],
        "least": float(min(values)),
        "most": float(max(values)),
    }


def detector(evolved: Sequence[dict[str, Any]], real: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """AUROC of "confidence falls under damage": of the fall in one damaged network, and of its mean over all of them."""
    ours, theirs = (np.stack([one["fall"] for one in answers]).astype(np.float64) for answers in (evolved, real))
    area = auroc(ours.mean(axis=0), theirs.mean(axis=0))
    return {
        "auroc": area,
        "auroc_interval": list(auroc_ci(area, ours.shape[1], theirs.shape[1])),
        "of_one": spread([auroc(one, other) for one, other in zip(ours, theirs, strict=True)]),
        "median_fall": {"evolved": float(np.median(ours.mean(axis=0))), "real": float(np.median(theirs.mean(axis=0)))},
    }


def figure_data(name: str, results: Sequence[Result]) -> EvolvedImages:
    """What evolved against a network, in the picture."""
    return EvolvedImages(name, [one.images for one in results], [float(one.confidence[0]) for one in results])


def what_evolved(name: str, results: Sequence[Result]) -> dict[str, Any]:
    """What evolved against a network, in damage.json."""
    classes = [
        {
            "digit": int(one.classes[0]),
            "images": len(one.images),
            "converged": int(one.converged.sum()),
            "confidence": float(np.median(one.confidence)),
            "evaluations": float(np.median(one.evaluations)),
        }
        for one in results
    ]
    return {"name": name, "classes": classes}


# --- table and description ----------------------------------------------------------------------------------------------
def table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """A line a dosage: medians over the damaged networks."""
    groups = [name for name in ("real", "evolved") if name in result["whole"]]
    measures = ("accuracy", "quartiles", "confidence")
    columns = ["damaged", "neurons", *(f"{name}: {what}" for name in groups for what in measures)]
    columns += ["AUROC of the fall"] if result["data"] else []
    rows = []
    for dose in [{"dosage": 0, "neurons": 0, **result["whole"]}, *result["doses"]]:
        cells = [f"{dose['dosage']:.3g} %", f"{dose['neurons']}"]
        for name in groups:
            accuracy, confidence = dose[name]["accuracy"], dose[name]["confidence"]
            low, high = accuracy["quartiles"]
            cells += [f"{accuracy['median']:.1%}", f"{low:.0%}–{high:.0%}", f"{confidence['median']:.1%}"]
        if result["data"]:
            cells.append(f"{dose['detector']['auroc']:.2f}" if "detector" in dose else "")
        rows.append(cells)
    return columns, rows


def describe(result: dict[str, Any]) -> list[str]:
    """What was measured, and what was left out."""
    neurons, shown = result["neurons"], ", ".join(f"{name} {n}" for name, n in result["neurons"]["layers"].items())
    lines = [
        f"neurons: {neurons['kind']}, {neurons['all']} in all ({shown}); medians over {result['repeats']} damaged networks",
        f"damaged-N.safetensors: use them with classifier={result['classifier']['name']} classifier.path=FILE, or as judges",
    ]
    if not result["data"]:
        lines.append("without data.path accuracy on real digits and the detector are left out")
    return lines


def draw(folder: Path, summary: Summary) -> None:
    """damage.png."""
    write_atomically(folder / "damage.png", chart(summary.content, summary.figure))


COMMAND = Experiment("damage", plan, compute, draw, ("damage.json", "damaged-*.safetensors", *FILES))
