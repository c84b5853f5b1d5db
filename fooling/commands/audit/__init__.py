"""`fooling audit`: what a classifier is sure of, how few images it takes to fool it, and what would notice it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from fooling.classifiers.adapters import object_name
from fooling.classifiers.base import Classifier
from fooling.commands.audit.attacks import (
    detector_content,
    mismatch_content,
    missing,
    of_part,
    priors_content,
    protocol_note,
    q_content,
)
from fooling.commands.audit.checks import checks
from fooling.commands.audit.facts import facts_part, nothing_part, show_facts, show_nothing
from fooling.commands.audit.figures import figures, left_out_within, table
from fooling.commands.audit.protocol import GRADIENTS, MISMATCH, PRIORS, Attacks, Q, attacks
from fooling.commands.console import InterruptHandler, print_line
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import describe_classifier, fit_statistics, open_checked, real_images, say_notes
from fooling.commands.progress import ProgressCallback
from fooling.data import EmptySplitError, ImageSet, load_data, seen_by
from fooling.data.readers import Reader
from fooling.errors import UserError, counted, duration
from fooling.records.files import read_json
from fooling.records.ownership import SWEEP
from fooling.report import DAMAGES
from fooling.report.audit_tables import checks_table
from fooling.report.card import badge, card, model_name
from fooling.report.gate import Verdict, failures, verdicts
from fooling.report.junit import check_junit, write_junit
from fooling.report.steps import left_out as left_out_lines
from fooling.report.verdict import verdict
from fooling.search.inputs import is_large
from fooling.search.result import Result
from fooling.settings.audit import AuditSettings
from fooling.settings.files import flat
from fooling.settings.gate import parse_rules
from fooling.settings.schema import data_options

MINUTE, GATE = 60.0, "fail_under"
PARTS = {GRADIENTS: "by gradients", PRIORS: "with priors, and their controls", MISMATCH: "on pairs of classes"}


@dataclass(frozen=True)
class Given:
    """What a program gives as objects, in place of what the settings name."""

    classifier: Any = None
    judges: Mapping[str, Any] = field(default_factory=dict)  # by their titles
    reader: Reader | None = None  # of the data
    on_worker: bool = False  # of launcher=dask: every pair is prepared that a faster machine may send, and nothing is printed

    def read_by(self, settings: AuditSettings) -> AuditSettings:
        """The settings with which data are read."""
        if self.reader is None:
            return settings
        return settings.model_copy(update={"data": settings.data.model_copy(update={"path": None, "kind": self.reader})})

    def named_in(self, settings: AuditSettings) -> AuditSettings:
        """The settings as records have them: an object's name, no bundled classifier's."""
        if self.classifier is None:
            return settings
        name = {"name": object_name(self.classifier), "path": None}
        return settings.model_copy(update={"classifier": settings.classifier.model_copy(update=name)})


@dataclass(frozen=True)
class Inputs:
    """What the parts of an audit are made from."""

    classifier: Classifier
    real: ImageSet | None  # labelled test images
    attacks: Attacks
    facts: Any = None  # of audit.json …
    nothing: Any = None  # … known before the attacks


def plan(settings: AuditSettings, _words: Sequence[str], given: Given = Given()) -> Plan:
    """Opens the classifier, reads the data, and prepares every attack. `given`: objects in place of what is named."""
    if settings.junit and not given.on_worker:
        check_junit(settings.junit)
    reading = given.read_by(settings)
    classifier = open_checked(settings.classifier, reading.data, given.classifier)
    real = test_images(reading, classifier) if settings.data.given else None
    statistics = None
    if settings.data.given and not is_large(classifier):
        statistics = fit_statistics(real_images(reading, "fooling audit", "train", classifier=classifier)[0])
    settings = given.named_in(settings)
    prepared = attacks(settings, classifier, statistics, given.judges, all_pairs=given.on_worker)
    tree = settings.model_dump(mode="json", warnings=False)  # an object's name is none of the known ones
    written = {name: value for name, value in flat(tree) if name not in ("fail_under", "junit")}
    inputs = Inputs(classifier, real, prepared)
    return Plan(prepared.entries, inputs, settings=settings, written=written, seconds=settings.minutes * MINUTE)


def test_images(settings: AuditSettings, classifier: Classifier) -> ImageSet:
    """The test images of the data; of a set that is too small to have any, all."""
    try:
        return real_images(settings, "fooling audit", "test", classifier=classifier)[0]
    except EmptySplitError:
        found = load_data(settings.data.path, settings.data.kind, "all", **data_options(settings), **seen_by(classifier))
        say_notes(settings.quiet, found)
        return replace(found, notes=(*found.notes, "data: no test images: all are used, those of the statistics among them"))


def begin(settings: AuditSettings, plan: Plan, folder: Path, console: Console, _signals: InterruptHandler) -> Plan:
    """The parts before the attacks, each shown when it is known, and how long the attacks may take."""
    inputs: Inputs = plan.inputs
    console = Console(highlight=False, quiet=settings.quiet or console.quiet)
    show = partial(print_line, console)
    facts = facts_part(folder, settings, inputs.classifier, inputs.real)
    show_facts(facts, show)
    nothing = nothing_part(folder, settings, inputs.classifier, inputs.real, facts)
    show_nothing(nothing, console, inputs.classifier.labels)
    rate, protocol = facts["images_per_second"], inputs.attacks.protocol
    longest = f"at most {protocol.most:,} images, {duration(protocol.most / rate)} at {rate:,.3g} images/s"
    show(f"attacks without a prior: {protocol_note(protocol)}; {longest}")
    for part, how in PARTS.items():
        number, why = len(inputs.attacks.of_part(part)), inputs.attacks.left_out.get(part, "")
        show(f"attacks {how}: {counted(number, 'job') if number else f'left out ({why})'}")
    show(f"all attacks end after {settings.minutes:g} minutes at the latest")
    return replace(plan, inputs=replace(inputs, facts=facts, nothing=nothing))


def compute(settings: AuditSettings, plan: Plan, results: list[Result], _watch: ProgressCallback) -> Summary:
    """audit.json and its table."""
    inputs: Inputs = plan.inputs
    q, by_gradients, with_priors, of_pairs = (
        of_part(inputs.attacks, results, part) for part in (Q, GRADIENTS, PRIORS, MISMATCH)
    )
    left_out = missing(inputs.attacks, results, settings.minutes)
    mismatch = mismatch_content(of_pairs) if of_pairs else None
    detectors = detector_content(inputs.classifier, inputs.real, [*q, *with_priors], settings)
    for part, found in ((MISMATCH, mismatch), ("detectors", detectors)):
        left_out += [{"part": part, "why": found}] if isinstance(found, str) else []
    content: dict[str, Any] = {
        "model": {
            **describe_classifier(inputs.classifier, settings.classifier),
            "labels": [str(label) for label in inputs.classifier.labels],
        },
        "protocol": {
            **inputs.attacks.protocol.about(settings),
            "attacked": sorted(entry.job.objective.digit for entry, _ in q),
        },
        "facts": inputs.facts,
        "nothing": inputs.nothing,
        "q": q_content(q) if q else None,
        "priors": priors_content(with_priors) if with_priors else None,
        "mismatch": None if isinstance(mismatch, str) else mismatch,
        "detectors": None if isinstance(detectors, str) else detectors,
        "left_out": left_out,
    }
    left_out += left_out_within(content)
    content["checks"] = checks(content, [result for _, result in q], [result for _, result in by_gradients])
    content["figures"] = figures(content)
    content["verdict"] = verdict(content)
    columns, rows = table(content["figures"])
    sanity = [f"check: {name}: {answer}: {text}" for name, answer, text in checks_table(content).rows]
    date, fingerprint, name = time.strftime("%Y-%m-%d"), inputs.classifier.fingerprint, model_name(content["model"])
    files = {
        "badge.svg": badge(content["figures"], date, fingerprint),
        "card.md": card(content["figures"], date, fingerprint, name, content["protocol"]).encode(),
    }
    lines, rules = [*sanity, *left_out_lines(content), content["verdict"]], gate(settings, content)
    return Summary(content, columns, rows, lines, files=files, left=1, last=kept(rules), failures=failures(rules, GATE))


def gate(settings: AuditSettings, content: Mapping[str, Any]) -> list[Verdict]:
    """The verdict on each rule of fail_under; writes junit=."""
    if not settings.fail_under:
        return []
    found = verdicts(parse_rules(settings.fail_under), content["figures"], content["left_out"], content["protocol"])
    if settings.junit:
        write_junit(settings.junit, found, "audit")
    return found


def kept(found: Sequence[Verdict]) -> list[str]:
    """How many rules hold, if there are any and all do."""
    if not found or failures(found, GATE):
        return []
    return [f"{GATE}: {counted(len(found), 'rule')} hold{'s' * (len(found) == 1)}"]


def again(settings: AuditSettings, folder: Path) -> list[str]:
    """A line for each rule that the figures of a finished audit do not keep."""
    path = folder / "audit.json"
    try:
        return failures(gate(settings, read_json(path)), GATE)
    except UserError:
        raise
    except DAMAGES as error:
        raise UserError(f"{path}: a damaged file ({type(error).__name__}: {error}); overwrite=true audits again") from error


def draw(folder: Path, _summary: Summary) -> None:
    """No pictures but those of the jobs."""
    del folder


COMMAND = Experiment(
    "audit",
    plan,
    compute,
    draw,
    ("audit.json", "facts.json", "nothing.json", "badge.svg", "card.md"),
    SWEEP,
    closing="audit.json, badge.svg, card.md, one folder per job",
    begin=begin,
    again=again,
    plan_on_worker=partial(plan, given=Given(on_worker=True)),
)
