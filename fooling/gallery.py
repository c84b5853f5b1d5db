"""The gallery: a job for each class, and each twice where a search can blur: without, and with."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fooling.clashes import CLIMBING
from fooling.engines.track import MILESTONES
from fooling.job import Job, digits, prepare
from fooling.judges import share
from fooling.ladder import typical
from fooling.result import Result
from fooling.settings import GallerySettings, RunSettings, validate
from fooling.ways import BLUR_SD

SURE = MILESTONES.index(0.99)
ALL = "all"  # the only row of a search that does not blur


def gallery_jobs(settings: GallerySettings) -> list[Job]:
    """The jobs, row by row."""
    own = validate(settings.model_dump(), RunSettings)
    if settings.search.name not in CLIMBING:
        return named(own, ALL)
    sds = dict.fromkeys((0.0, settings.search.blur_sd if settings.search.blur_sd is not None else BLUR_SD))
    return [job for sd in sds for job in named(with_blur(own, sd), f"blur_sd={sd:g}")]


def with_blur(settings: RunSettings, sd: float) -> RunSettings:
    """The settings with a blur of this standard deviation, pixels."""
    return settings.model_copy(update={"search": settings.search.model_copy(update={"blur_sd": sd})})


def named(settings: RunSettings, row: str) -> list[Job]:
    """The jobs of a row, one for each class."""
    jobs = prepare(settings)
    wanted = digits(settings, jobs[0].objective.classifier.num_classes)
    return [replace(job, row=row if row != ALL else "", alone=False) for job, _ in zip(jobs, wanted, strict=True)]


def summary(jobs: Sequence[Job], results: Sequence[Result]) -> dict[str, Any]:
    """All of gallery.json."""
    first = jobs[0]
    return {
        "search": first.settings.search.name,
        "classifier": first.settings.classifier.name,
        "labels": list(first.objective.classifier.labels),
        "judges": list(first.judges),
        "cells": [cell(job, result) for job, result in zip(jobs, results, strict=True)],
    }


def cell(job: Job, result: Result) -> dict[str, Any]:
    """What gallery.json says of a job; medians are over its images. `steps` to .99 on the way: null if not half got there."""
    number, reached = len(result.images), result.evaluations_to[:, SURE]
    there = np.sort(np.where(reached < 0, np.inf, reached - 1))[(number - 1) // 2]
    return {
        "row": job.row or ALL,
        "digit": result.digit,
        "folder": job.name,
        "images": number,
        "shown": typical(result),
        "confidence": float(np.median(result.confidence)),
        "converged": share(int(result.converged.sum()), number),
        "judges": {
            name: share(int((scores.argmax(axis=1) == result.digit).sum()), number) for name, scores in result.judges.items()
        },
        "steps": float(there) if np.isfinite(there) else None,
    }
