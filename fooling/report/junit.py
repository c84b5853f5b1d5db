"""JUnit XML: verdicts as test cases, in the form that GitHub, GitLab and Jenkins read."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from fooling.errors import LONGEST_MESSAGE, UserError, printable
from fooling.records.files import os_errors, write_atomically
from fooling.report.gate import Verdict
from fooling.settings.fields import user_path

BEGINNING = b"<?xml version='1.0' encoding='utf-8'?>\n<testsuites name=\"fooling\""  # of our files


def junit(found: Sequence[Verdict], suite: str, seconds: float = 0.0) -> bytes:
    """The verdicts as XML: one suite, called `suite` such as "audit", with a test case for each verdict.

    A rule that is unknown is a failure, too; its type says which it is.
    """
    failed = sum(one.status != "passed" for one in found)
    counts = {"tests": f"{len(found)}", "failures": f"{failed}", "errors": "0", "time": f"{seconds:.3f}"}
    root = ElementTree.Element("testsuites", {"name": "fooling", **counts})
    group = ElementTree.SubElement(root, "testsuite", {"name": f"fooling.{suite}", **counts, "skipped": "0"})
    for one in found:
        about = {"classname": f"fooling.{suite}", "name": printable(one.name), "time": "0"}
        case = ElementTree.SubElement(group, "testcase", about)
        line = printable(one.line, LONGEST_MESSAGE)
        if one.status != "passed":
            failure = ElementTree.SubElement(case, "failure", {"message": line, "type": one.status})
            failure.text = f"{printable(one.name)}: {line}"
        else:
            ElementTree.SubElement(case, "system-out").text = line
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return content + b"\n"


def check_junit(text: str) -> Path:
    """The path of junit=, which can be written: its folder exists, and no file of others is there. Raises UserError."""
    path = user_path(text)
    if path.is_dir():
        raise UserError(f"junit={text}: expected a file's name, got a folder; give a name such as {text}/audit.xml")
    if not path.parent.is_dir():
        raise UserError(f"junit={text}: the folder {path.parent} does not exist; make it or give another name")
    if path.is_symlink() or (path.exists() and not is_ours(path)):
        raise UserError(f"junit={text}: exists already, and is no file of this command; give another name")
    return path


def is_ours(path: Path) -> bool:
    """Whether a file begins as those of `junit` do."""
    if not path.is_file():  # a pipe has no beginning
        return False
    with os_errors(path), path.open("rb") as file:
        return file.read(len(BEGINNING)) == BEGINNING


def write_junit(text: str, found: Sequence[Verdict], suite: str, seconds: float = 0.0) -> None:
    """Writes junit=; the file that an earlier call wrote is replaced."""
    write_atomically(check_junit(text), junit(found, suite, seconds))
