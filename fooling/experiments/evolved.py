"""Images that an experiment evolves itself, by the main job's own machinery, without a record."""

from collections.abc import Sequence

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.data import ImageSet, class_counts
from fooling.eigen import mean_image
from fooling.experiments.outcome import Watch
from fooling.fit import fit
from fooling.groups import Classifier as Chosen
from fooling.job import Job, prepare
from fooling.result import Result
from fooling.run import run_job
from fooling.settings import RunSettings, load
from fooling.statistics import BUNDLED, Statistics


def statistics_of(data: ImageSet | None, watch: Watch) -> Statistics | None:
    """Of training images; the bundled ones where they are of just these, None without data: the main job then chooses."""
    if data is None:
        return None
    bundled = Statistics.load(BUNDLED)
    return bundled if is_of(bundled, data) else fit(data, watch=watch)


def is_of(statistics: Statistics, data: ImageSet) -> bool:
    """Whether statistics were fitted to these images: as many of each class, and the same means to 1/256 grey level."""
    shape, labels = tuple(int(side) for side in statistics.shape), tuple(str(label) for label in statistics.labels)
    if shape != data.images.shape[1:] or labels != data.classes or class_counts(data).tolist() != statistics.count.tolist():
        return False
    flat = data.images.reshape(len(data.images), -1)
    means = [mean_image(flat[data.labels == k].sum(axis=0, dtype=np.int64), int(n)) for k, n in enumerate(statistics.count)]
    return bool(np.array_equal(np.stack(means), statistics.mean))


def make_jobs(classifier: Classifier, chosen: Chosen, statistics: Statistics | None, words: Sequence[str]) -> list[Job]:
    """The main job's jobs by its own words, such as prior=none digit=all, a job a class. Raises UserError."""
    settings = load([*words, "quiet=true"], RunSettings, "run").model_copy(update={"classifier": chosen})
    return prepare(settings, classifier, statistics)


def evolve(jobs: Sequence[Job], watch: Watch, what: str) -> list[Result]:
    """Runs the jobs one after the other; `watch` hears of their generations."""
    results = []
    for number, job in enumerate(jobs):
        last = max(1, job.plan.last)

        def hear(row: dict[str, float], number: int = number, last: int = last) -> None:
            watch(what, number * 100 + min(99, int(100 * row["generation"] / last)), 100 * len(jobs))

        watch(what, 100 * number, 100 * len(jobs))
        results.append(run_job(job, None, hear))
    return results
