"""The front of search=pareto: the images that no other dominates in target term and distance from the prior."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.kernels.reference import penalties
from fooling.kernels.reference.annealing import shuffle_levels
from fooling.kernels.tables import Bytes, Doubles, Floats, Ints, exact_counts
from fooling.records.record import Record
from fooling.search.objective import Objective

FRONT, FRONT_IMAGES = "front.csv", "front"  # in the record: the values of the images, and the folder that they are in
FILES = (FRONT, f"{FRONT_IMAGES}/[0-9]*-[0-9]*.png")
WORST_TARGET = 2.0  # the target term where the classifier is certain of another class: |0 − 1| + |1 − 0|
BATCH = 1000  # images that are scored at a time
Points = npt.NDArray[np.floating[Any]]


def nondominated(points: Points) -> npt.NDArray[np.int64]:
    """Which of points [N, 2] no other dominates, by the first number; of equal points the first."""
    order = np.lexsort((points[:, 1], points[:, 0]))
    seconds = points[order, 1]
    before = np.concatenate([[np.inf], np.minimum.accumulate(seconds)[:-1]])
    return np.asarray(order[seconds < before])


def hypervolume(points: Points, corner: tuple[float, float]) -> float:
    """The area below `corner` that points [N, 2] dominate."""
    inside = points[(points < corner).all(axis=1)]
    first, second = inside[nondominated(inside)].T.astype(np.float64)
    return float((np.diff(first, append=corner[0]) * (corner[1] - second)).sum())


@dataclass(frozen=True)
class ParetoFront:
    """M images: the fronts of all runs, one after the other, each from the surest to the one most like the training set."""

    runs: Ints  # [M], the run of each image …
    ranks: Ints  # [M], … and its place in the run's front
    images: Bytes  # [M, H, W, C]
    digit: int  # the target class, or kernels.tables.ANY
    target: Floats  # [M], the target term
    prior: Floats  # [M], the distance from the prior: Σ weight·term of the other terms
    terms: dict[str, Floats]  # [M] each, unweighted
    scores: Floats  # [M, K]
    reference: tuple[float, float]  # target and distance up to which the hypervolume is counted

    @property
    def sizes(self) -> Ints:
        """Images in the front of each run, [R]."""
        return np.bincount(self.runs)

    @property
    def hypervolumes(self) -> Doubles:
        """Of the front of each run, [R]."""
        points = np.stack([self.target, self.prior], axis=1)
        return np.array([hypervolume(points[self.runs == run], self.reference) for run in range(len(self.sizes))])

    @property
    def files(self) -> list[str]:
        """The names of the images in a record, relative to its folder."""
        return [f"{FRONT_IMAGES}/{run:04d}-{rank:03d}.png" for run, rank in zip(self.runs, self.ranks, strict=True)]


def distance(objective: Objective, terms: dict[str, Floats]) -> Floats:
    """The distance from the prior, Σ weight·term without the target: terms [N] each → [N]."""
    weights = np.array([objective.weights[name] for name in objective.penalties])
    return penalties.weighted_sum(np.stack([terms[name] for name in objective.penalties], axis=1), weights)


def make_front(objective: Objective, levels: Doubles, populations: Bytes) -> ParetoFront:
    """The fronts of the last populations [R, N, H, W, C] of all runs.

    The hypervolume is counted up to the target term of a classifier that is certain of another class and the distance of noise
    (the class's grey `levels` [C, 256] in a fixed order), averaged over the runs' targets.
    """
    shape = (populations.shape[2], populations.shape[3], populations.shape[4])
    noise = shuffle_levels(exact_counts(levels[None], shape[0] * shape[1]), 0, np.zeros(1, dtype=np.uint32), shape)
    every = np.repeat(noise, objective.targets, axis=0)  # runs 0…T − 1 have all targets
    corner = WORST_TARGET, float(distance(objective, objective.value(every)[1]).mean())
    fronts = []
    for run, population in enumerate(populations):
        terms = objective.value(population, np.full(len(population), run, dtype=np.uint32))[1]
        best = nondominated(np.stack([terms["target"], distance(objective, terms)], axis=1))
        fronts.append((np.full(len(best), run), np.arange(len(best)), population[best]))
    runs, ranks, images = (np.concatenate(arrays) for arrays in zip(*fronts, strict=True))
    return score_front(objective, runs, ranks, images, corner)


def score_front(objective: Objective, runs: Ints, ranks: Ints, images: Bytes, corner: tuple[float, float]) -> ParetoFront:
    """A front of images [M, H, W, C] with their terms and scores."""
    of = runs.astype(np.uint32)
    found = [objective.value(images[lo : lo + BATCH], of[lo : lo + BATCH])[1:] for lo in range(0, len(images), BATCH)]
    terms = {name: np.concatenate([batch[0][name] for batch in found]) for name in found[0][0]}
    scores = np.concatenate([batch[1] for batch in found])
    return ParetoFront(runs, ranks, images, objective.digit, terms["target"], distance(objective, terms), terms, scores, corner)


def record_front(record: Record, front: ParetoFront, objective: Objective) -> ParetoFront:
    """Writes the images and front.csv; → the front of the images as read back from the files."""
    record.save_images(front.images, front.files)
    read = score_front(objective, front.runs, front.ranks, record.read_images(front.files), front.reference)
    record.write_table(FRONT, rows(read))
    return read


def rows(front: ParetoFront) -> list[Sequence[Any]]:
    """The lines of front.csv, column names first."""
    others = {name: values for name, values in front.terms.items() if name != "target"}
    numbers: dict[str, npt.NDArray[Any]] = {
        "target": front.target,
        "prior": front.prior,
        "confidence": penalties.confidence(front.scores, front.digit),
        "predicted": front.scores.argmax(axis=1),
        **others,
    }
    columns = [front.runs.tolist(), front.ranks.tolist(), front.files, *(values.tolist() for values in numbers.values())]
    return [("run", "rank", "file", *numbers), *zip(*columns, strict=True)]


def summary(front: ParetoFront) -> dict[str, Any]:
    """The front's keys of run.json."""
    volumes = front.hypervolumes
    return {
        "front_images": len(front.images),
        "hypervolume": volumes.tolist(),
        "hypervolume_median": float(np.median(volumes)),
        "hypervolume_reference": {"target": front.reference[0], "prior": front.reference[1]},
    }
