"""`fooling report`: the page of a record, drawn anew from what its folder holds."""

from fooling.commands.experiment import Tool
from fooling.commands.jobs import record_folder
from fooling.report import HTML, REPORT_FILES, kind_of_record, write_report
from fooling.settings.commands import ReportSettings
from fooling.settings.fields import user_path


def work(settings: ReportSettings) -> None:
    """Writes report.html, report.json and report.csv, and says where they are."""
    folder = record_folder(settings.folder, "fooling report runs/NAME")
    out = user_path(settings.out) if settings.out else folder
    report = write_report(folder, out, overwrite=settings.overwrite)
    if not settings.quiet:
        print(report.verdict)
        for name in report.left_out:
            print(f"{name}: left out, as the page holds at most 5 MB")
        print(f"→ {out / HTML}: the page of a record of kind {kind_of_record(folder)}; {', '.join(REPORT_FILES[1:])}")


COMMAND = Tool(work)
