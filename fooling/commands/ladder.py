"""`fooling ladder`: every prior, with the classifier, without it and against it, in one picture."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fooling.errors import UserError
from fooling.overrides import flat, merge, read_words
from fooling.run import run_job
from fooling.settings import LadderSettings, RunSettings, load, validate

if TYPE_CHECKING:
    from rich.console import Console

    from fooling.job import Job
    from fooling.result import Result

SUMMARY = "every prior, with the classifier, without it and against it, in one picture"
USAGE = "fooling ladder [digit=0,1,2] [rungs=…] [arms=…] key=value …   (settings hold for every rung)"
OURS = {
    "control": "the ladder runs every arm itself; choose with arms=[with,control,mismatched]",
    "prior.name": "the ladder climbs every prior itself; choose with rungs=[…]",
    "preset": "a preset chooses a prior, and the ladder climbs every one; give its other settings themselves",
    "prior.digit": "the ladder chooses the priors' classes itself; choose with digit=0,1,2 and arms=[…]",
}


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    if {"--help", "-h", "help"} & set(arguments):
        from fooling.settings_help import help_text

        sys.stdout.write(help_text(LadderSettings, "ladder", USAGE, OURS))
        return 0
    said = given(arguments)
    settings = load(arguments, LadderSettings, "ladder")
    from fooling.ladder import ARMS, RUNGS, chosen, ladder_jobs
    from fooling.sweep import Command, run_all

    arms = chosen("arms", settings.arms, list(ARMS))
    rungs = {name: rung(arguments, name) for name in chosen("rungs", settings.rungs, RUNGS)}
    command = Command(
        "fooling ladder",
        "ladder",
        only=(*dict.fromkeys(["digit", "runs", "seed", "rungs", "arms", *said]),),
        finish=partial(finish, quiet=settings.quiet),
        leave=partial(leave, settings=settings),
    )
    return run_all(settings, ladder_jobs(rungs, arms), run_job, arguments, command)


def given(arguments: list[str]) -> list[str]:
    """The full names of the settings that the words and the file give; those that the ladder makes itself are refused.

    No others stand in its config.yaml: they would be the same for every rung.
    """
    names = [name for name, _ in flat(merge(*read_words(arguments, LadderSettings)))]
    for name, advice in OURS.items():
        if name in names:
            raise UserError(f"{name.removesuffix('.name')}: {advice}")
    return names


def rung(arguments: list[str], name: str) -> RunSettings:
    """The settings of a rung: those of the main job with this prior, whose file may choose search, budget, threshold, stop."""
    whole = load([*arguments, f"prior={name}"], LadderSettings, "ladder")
    return validate(whole.model_dump(include=set(RunSettings.model_fields)), RunSettings)


def leave(folder: Path, jobs: "list[Job]", results: "list[Result]", *, settings: LadderSettings) -> None:
    """Writes ladder.json and the pictures."""
    from fooling.ladder import summary
    from fooling.record import write_json
    from fooling.report_ladder import draw_ladder

    write_json(folder / "ladder.json", summary(settings, jobs, results))
    draw_ladder(folder)


def finish(console: "Console", jobs: "list[Job]", results: "list[Result]", folder: Path, *, quiet: bool) -> None:
    """Shows the table."""
    del jobs, results
    from fooling.display import show_table
    from fooling.record import read_json

    if quiet:
        return
    found = read_json(folder / "ladder.json")
    columns, rows = table(found)
    show_table(console, columns, rows)
    judges = f"read: {' and '.join(found['judges'])} read the prior's class; " if found["judges"] else ""
    told = f"over the images of a row; {judges}distance: between two images of a digit; percentile: among real images"
    console.print(told, style="dim", markup=False, soft_wrap=True)
    console.print(f"→ {folder}: ladder.png, means.png, ladder.json, a folder a job", markup=False, soft_wrap=True)


def table(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the table on the terminal."""
    from fooling.report import percent

    terms = list(found["rows"][0]["percentiles"])
    columns = ["rung", "arm", "converged", "confidence", *(["read"] if found["judges"] else []), "evaluations", "seconds/image"]
    rows = [
        [
            row["rung"],
            row["arm"],
            f"{row['converged']['part']}/{row['images']}",
            percent(row["confidence"]),
            *([f"{row['read']['share']:.0%}"] if row["read"] else []),
            f"{row['evaluations']:,.0f}",
            f"{row['seconds_per_image']:.3f}",
            "" if row["distance"] is None else f"{row['distance']:.2f}",
            *(f"{row['percentiles'][term]:.0f}" for term in terms),
        ]
        for row in found["rows"]
    ]
    return [*columns, "distance", *(f"{term} percentile" for term in terms)], rows
