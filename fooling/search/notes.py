"""Notes on the size of a job, for the user before it starts."""

from collections.abc import Sequence

from fooling.classifiers.base import images_a_score
from fooling.data.matching import NO_CLASS, without_none
from fooling.errors import counted, duration
from fooling.search import Search, part_of
from fooling.search.job import Job, Pair
from fooling.settings.schema import RunSettings

LONG_SECONDS = 10.0  # a search that takes longer says so before it starts
MANY_JOBS = 50  # of one command: one search for all classes takes fewer evaluations


def duration_notes(job: Job, search: Search) -> list[str]:
    """How long a search takes that shows whole images, if it is long, by the time that the checks took; no part of a record."""
    criteria, together = job.criteria, part_of(search, "shown_together")
    number = 1 if criteria.joint else criteria.runs
    rate = job.report.rate(together * number) if together else None
    rate = rate and rate * images_a_score(job.objective.classifier)
    each = criteria.first + criteria.last * criteria.population
    seconds = number * each / rate if rate else 0.0
    if not rate or seconds < LONG_SECONDS:
        return []
    most = "" if criteria.stop == "end" else "at most "
    about = f"{most}about {duration(seconds)} at about {rate:,.0f} images/s, as in the checks"
    limit = "" if criteria.seconds is None or criteria.seconds > seconds else f"; seconds={criteria.seconds:g} ends it before"
    what = f"{each:,} images of all {job.target} together" if criteria.joint else runs_of(criteria.runs, each)
    return [f"this takes {about}, for {what}{limit}"]


def runs_of(runs: int, images: int) -> str:
    """So many runs of so many images in words."""
    return f"{counted(runs, 'run')} of {counted(images, 'image')}"


def number_notes(settings: RunSettings, pairs: Sequence[Pair], labels: Sequence[str]) -> list[str]:
    """Notes on digit=all: that a class "none" is left out, and that very many classes take a job each."""
    if settings.digit != "all":
        return []
    none = len(labels) - 1
    is_left_out = len(without_none(labels)) == none and none not in (target for _, target in pairs)
    notes = [f"digit=all: class {NO_CLASS} is left out; digit={none} attacks it"] if is_left_out else []
    if len(pairs) > MANY_JOBS:
        notes.append(f"digit=all: {len(pairs):,} jobs, one after the other; search=map_elites searches for all classes at once")
    return notes
