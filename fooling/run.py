"""The main job, `python -m fooling.run digit=2`: settings → data → statistics, classifier → objective → engine → record."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fooling.errors import UserError, guarded
from fooling.job import Job, against_real, counting, describe, make_engine, prepare
from fooling.settings import RunSettings, load

if TYPE_CHECKING:
    from fooling.engines.track import Row
    from fooling.record import Record
    from fooling.result import Result

SUMMARY = "evolve images that a classifier is sure about"
USAGE = "python -m fooling.run [SETTINGS.yaml] key=value …   (or: fooling run …)"


def main(arguments: list[str]) -> int:
    """The command: → exit code 0; 130 or 143 when interrupted."""
    if {"--help", "-h", "help"} & set(arguments):
        from fooling.settings_help import help_text

        sys.stdout.write(help_text(RunSettings, "run", USAGE))
        return 0
    settings = load(arguments, RunSettings, "run")
    from fooling.sweep import run_all

    return run_all(settings, prepare(settings), run_job, arguments)


def run_job(
    job: Job,
    record: "Record | None" = None,
    watch: "Callable[[Row], None]" = lambda row: None,
    interrupted: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda note: None,
) -> "Result":
    """Evolves, records and values one job. With a record, the images are valued as read back from their files.

    `tell` hears once of what the engine computes in another way than one would expect.
    """
    from fooling.engines.loop import KEPT, Interrupted, run_loop
    from fooling.record import FEEDBACK
    from fooling.result import make_result, summary
    from fooling.searches.front import record_front

    about = describe(job)
    try:
        engine = make_engine(job)
        about["notes"] = [*job.looked.notes, *engine.notes]
        for note in about["notes"]:
            tell(note)
        if record:
            record.write_run({**about, "status": "running"})
        track = run_loop(engine, job.plan, record, watch, interrupted)
        if not record:
            return make_result(track, track.images, job, None)
        files, (valued, counted) = record.save_images(track.images), counting(job)
        try:
            if hasattr(engine, "leave"):
                engine.leave(record, valued.objective.classifier)
            result = make_result(track, record.read_images(files), valued, str(record.folder))
        except UserError as error:  # of a foreign classifier
            raise UserError(f"{error}{KEPT}") from error
        found, note = against_real(valued, result.images)
        about.update(found)
        if note:
            about["notes"].append(note)
            tell(note)
        if result.front:
            result = replace(result, front=record_front(record, result.front, valued.objective))
        about["valuation_evaluations"] = counted.evaluations
        record.write_run({**about, "status": "running", **summary(result, files)})
        from fooling.report import draw_pictures
        from fooling.report_success import draw_success

        draw_pictures(record.folder)
        if job.alone:
            draw_success(record.folder)
        if (record.folder / FEEDBACK).exists():
            from fooling.report_feedback import draw_feedback

            draw_feedback(record.folder)
        record.write_run({**about, "status": "done", **summary(result, files)})
        return result
    except (Interrupted, KeyboardInterrupt, SystemExit):
        if record:
            record.write_run({**about, "status": "interrupted"})
        raise
    except Exception as error:
        if record:
            record.try_write_run({**about, "status": "failed", "error": str(error)})
        raise


if __name__ == "__main__":
    sys.exit(guarded(main, sys.argv[1:]))
