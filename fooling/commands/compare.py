"""`fooling compare`: figures of finished records side by side; with fail_if=worse a gate for CI."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from fooling.commands.console import print_table
from fooling.commands.experiment import Tool
from fooling.errors import UserError, printable, say
from fooling.records.files import write_json
from fooling.records.ownership import EXPERIMENT
from fooling.records.record import recording, versions
from fooling.records.resume import refuse_unless_free
from fooling.report import HTML, write_report
from fooling.report.comparison import (
    Comparison,
    Difference,
    by_chance,
    change_text,
    compare,
    in_words,
    measured,
    same_classifier,
    to_dict,
    unlike,
    verdicts,
)
from fooling.report.figures import Measured, read_measured
from fooling.report.gate import failures
from fooling.report.junit import check_junit, write_junit
from fooling.settings import dump
from fooling.settings.commands import CompareSettings
from fooling.settings.fields import user_path
from fooling.settings.files import nearest

TYPED, FILE = "fooling compare", "compare.json"
CLEAR = ("worse", "better")  # outcomes that are also said in a sentence
SHOWN = 12  # letters of a fingerprint


def work(settings: CompareSettings) -> list[str]:
    """Compares records; → a line for each verdict that closes the gate."""
    start = time.monotonic()
    reference, others = read_records(settings)
    refuse_unknown(settings.figures, [reference, *others])
    comparisons = [compare(reference, other, settings.figures) for other in others]
    refuse_unlike(comparisons)
    if settings.junit:
        check_junit(settings.junit)
    if settings.out:
        write(settings, comparisons)
    if not settings.quiet:
        show(comparisons)
    if not settings.fail_if:  # whose verdicts say it
        warn(comparisons)
    found = [verdict for one in comparisons for verdict in verdicts(one)] if settings.fail_if else []
    if settings.junit:
        write_junit(settings.junit, found, "compare", time.monotonic() - start)
    if settings.out and not settings.quiet:
        print(f"→ {user_path(settings.out)}: {HTML}, {FILE}")
    return failures(found, f"fail_if={settings.fail_if}")


# --- what is compared -------------------------------------------------------------------------------------------------
def read_records(settings: CompareSettings) -> tuple[Measured, list[Measured]]:
    """The reference and the others. Raises UserError for fewer than two records and for one that is given twice."""
    names = [*([settings.baseline] if settings.baseline else []), *settings.folders]
    if len(names) < 2:
        example = f"{TYPED} runs/a runs/b, or {TYPED} runs/new baseline=runs/main"
        raise UserError(f"folders: expected two records or more, as in {example}; got {names[0] if names else 'none'}")
    places: dict[Path, str] = {}
    for name in names:
        place = user_path(name).resolve()
        if place in places:
            raise UserError(f"folders: expected different records, got {name} twice (as {places[place]}); give each once")
        places[place] = name
    reference, *others = map(read_measured, names)
    if settings.out:
        refuse_unless_free(user_path(settings.out), "experiment", TYPED, resume=False, overwrite=settings.overwrite)
    return reference, others


def refuse_unknown(names: Sequence[str], records: Sequence[Measured]) -> None:
    """Refuses figures that none of the records has."""
    known = list(dict.fromkeys(name for record in records for name in record.figures))
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UserError(f"figures: {hint}expected one of {', '.join(known)}; got {name}")


def refuse_unlike(comparisons: Sequence[Comparison]) -> None:
    """Refuses records that share no figure."""
    for one in comparisons:
        if not one.here.figures.keys() & one.there.figures.keys():
            kinds = f"{one.here.name} is of {one.here.kind}, {one.there.name} of {one.there.kind}"
            raise UserError(f"folders: expected records that share a figure; {kinds}; compare records of the same command")


# --- what is shown ----------------------------------------------------------------------------------------------------
def show(comparisons: Sequence[Comparison]) -> None:
    """The table with the worst first, then what differs clearly and which settings differ."""
    print_table(*table(comparisons), left=1)
    for one in comparisons:
        for found in one.differences:
            if found.outcome in CLEAR:
                both = f"{measured(found.there)}, {measured(found.here)} in {one.here.name}"
                print(f"{found.outcome}: {one.there.name}: {found.name}, {found.figure['text']}: {both}")
    for one in comparisons:
        for line in about(one):
            print(line)
    print(by_chance([found.outcome for one in comparisons for found in one.differences]))


def table(comparisons: Sequence[Comparison]) -> tuple[list[str], list[list[str]]]:
    """A line a figure: the reference, and each record with its difference and what that means."""
    reference, of_record = comparisons[0].here, [{found.name: found for found in one.differences} for one in comparisons]
    names = dict.fromkeys(name for differences in of_record for name in differences)
    ranked = sorted(names, key=lambda name: min(differences[name].rank for differences in of_record if name in differences))
    columns = ["figure", reference.name, *(name for one in comparisons for name in (one.there.name, "difference", "outcome"))]
    rows = []
    for name in ranked:
        found = [differences.get(name) for differences in of_record]
        rows.append([name, measured(reference.figures.get(name), brief=True), *(cell for one in found for cell in cells(one))])
    return columns, rows


def cells(found: Difference | None) -> list[str]:
    """The cells of a figure of one record."""
    return ["–", "", ""] if found is None else [measured(found.there, brief=True), change_text(found), found.outcome]


def about(one: Comparison) -> list[str]:
    """Lines on the records besides their figures: classifiers, settings, versions, what is left out."""
    here, there = one.here, one.there
    same = same_classifier(here, there) and here.fingerprint != ""
    names = f"{here.classifier} {here.fingerprint[:SHOWN]}… → {there.classifier} {there.fingerprint[:SHOWN]}…"
    lines = [
        f"{there.name}: the same classifier, {there.classifier} {there.fingerprint[:SHOWN]}…"
        if same
        else f"{there.name}: {names}"
    ]
    if not same and here.fingerprint == there.fingerprint != "":
        lines.append(f"{there.name}: the same weights with another preprocessing: {here.preprocessing} → {there.preprocessing}")
    if one.settings:
        lines.append(f"{there.name}: settings: {in_words(one.settings)}")
    if here.version != there.version:
        lines.append(f"{there.name}: fooling {here.version} → {there.version}: searches may differ")
    lines += [f"{there.name}: left out {part}: {why}" for part, why in left_out(there).items()]
    return lines


def left_out(record: Measured) -> Mapping[str, str]:
    """The parts that an audit left out."""
    return {printable(entry.get("part")): printable(entry.get("why")) for entry in record.left_out}


def warn(comparisons: Sequence[Comparison]) -> None:
    """A line on stderr for each record that was measured otherwise."""
    for one in comparisons:
        if not one.is_fair:
            both = f"{one.there.name} cannot be compared with {one.here.name}"
            say(f"warning: {both}: {unlike(one)}; no figure is called worse or better")


# --- the record -------------------------------------------------------------------------------------------------------
def write(settings: CompareSettings, comparisons: Sequence[Comparison]) -> None:
    """compare.json in a record of its kind."""
    here = comparisons[0].here
    content = {
        "reference": here.name,
        "records": [
            {
                "folder": record.name,
                "command": record.kind,
                "classifier": record.classifier,
                "fingerprint": record.fingerprint,
                "figures": record.figures,
            }
            for record in (here, *(one.there for one in comparisons))
        ],
        "comparisons": [to_dict(one) for one in comparisons],
    }
    about = {"command": TYPED, "begun": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "versions": versions(), "files": [FILE]}
    folder, config = user_path(settings.out or ""), dump(settings, TYPED)
    with recording(folder, config, EXPERIMENT, overwrite=settings.overwrite, about=about) as record:
        write_json(record.folder / FILE, content)
    write_report(folder)


COMMAND = Tool(work)
