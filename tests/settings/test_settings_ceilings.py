"""Files of settings that are too large, too deep, or made to take long; what has no end; the variable that raises limits."""

import os
import re
import time
from pathlib import Path

import pytest
from builders import ROOT

from fooling.errors import UserError
from fooling.settings import load
from fooling.settings.files import CEILINGS, ceiling, check_file, check_size, parse_json, read_whole, read_yaml
from fooling.settings.schema import RunSettings

SIZE = CEILINGS["settings"]


def refused(text: str) -> str:
    with pytest.raises(UserError) as caught:
        read_yaml(text)
    return str(caught.value)


LARGE = {  # texts that once took more than linear time, or all of the stack
    "keys": "".join(f"k{i}: 1\n" for i in range(8000)),
    "keys of zeros": "".join(f"{'0' * i}: 1\n" for i in range(1, 700)),
    "digits": f"a: {'1' * (SIZE - 9)}x",
    "digits before an exponent": f"a: {'1' * (SIZE - 9)}e",
    "lists": "[" * (SIZE - 9),
    "mappings": "\n".join(f"{' ' * i}a:" for i in range(700)),
    "nested keys": "? " * 100_000,
    "list in a line": f"a: [{'1,' * 8000}1]",
    "merges": "".join(f"? !!merge <<\n: {{a{i}: 1}}\n" for i in range(5000)),
    "lines of a text": "a: >\n" + "  x\n" * 60_000,
    "comments": "#\n" * 100_000,
    "words": f"a: {'x ' * 100_000}",
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_yaml_takes_time_in_proportion_to_its_length(text: str) -> None:
    start = time.process_time()
    try:
        read_yaml(text)
    except UserError as error:
        assert "malformed YAML" in str(error)  # noqa: PT017 (some of them are right)
    assert time.process_time() - start < 5  # an eighth of it on a quiet machine


def test_yaml_has_limits() -> None:
    assert "nested deeper than 32 levels" in refused("[" * 33 + "]" * 33)
    assert len(read_yaml("a: " + "[" * 30 + "]" * 30)) == 1
    assert "more than 16,384 keys and values; FOOLING_MAX_BYTES raises the limit" in refused("a: [" + "1," * 20_000 + "1]")
    assert f"expected at most {SIZE:,} bytes (settings), got {SIZE + 3:,}; " in refused("a: " + "x" * SIZE)


def test_keys_that_cannot_be_compared() -> None:
    assert "a list or mapping as a key" in refused("? [a]\n: 1\n")
    assert "'a' is there twice" in refused("b: {a: 1, c: 2, 'a': 3}")


@pytest.mark.parametrize("tag", ["bool", "int", "float", "null", "timestamp", "binary", "set", "omap", "pairs", "merge", "map"])
@pytest.mark.parametrize("value", ["x", "[1]", "{a: 1}", "''", "9" * 5000])
def test_tags_on_values_that_do_not_fit_are_read_or_refused_in_a_line(tag: str, value: str) -> None:
    try:
        read_yaml(f"control: !!{tag} {value}")
    except UserError as error:
        assert "malformed YAML" in str(error)  # noqa: PT017 (some of them fit)


def test_a_large_file_of_settings_is_not_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("s.yaml").write_text("digit: 2 #" + "x" * SIZE)
    with pytest.raises(UserError, match=rf"s.yaml: expected at most {SIZE:,} bytes \(settings\), got {SIZE + 10:,}"):
        load(["s.yaml"], RunSettings, "run")
    monkeypatch.setenv("FOOLING_MAX_BYTES", str(SIZE + 10))
    assert load(["s.yaml"], RunSettings, "run").digit == 2


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_settings_are_not_read_from_what_has_no_end(home: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo("s.yaml")
    else:
        Path("s.yaml").symlink_to("/dev/zero")
    with pytest.raises(UserError, match=f"s.yaml: expected a file, got a {'named pipe' if kind == 'pipe' else 'device'}"):
        load(["s.yaml"], RunSettings, "run")


# --- one table of ceilings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CEILINGS)
def test_the_variable_raises_and_never_lowers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = CEILINGS[kind]
    for text, most in (("", limit), ("0", limit), ("1", limit), (str(limit + 1), limit + 1)):
        monkeypatch.setenv("FOOLING_MAX_BYTES", text)
        assert ceiling(kind) == most
    check_size("x", kind, limit + 1)
    with pytest.raises(
        UserError, match=rf"x: expected at most {limit + 1:,} bytes \({kind}\), got {limit + 2:,}; .*=\d+ raises"
    ):
        check_size("x", kind, limit + 2)


def test_the_table_of_ceilings_is_documented() -> None:
    text = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| ([\d,]+) \|", text.partition("## Ceilings")[2], re.MULTILINE)
    assert {kind: int(size.replace(",", "")) for kind, size in rows} == CEILINGS


@pytest.mark.parametrize("text", ["-1", "1e9", "8 GB", "٣", "9" * 5000])
def test_the_variable_is_a_number_of_bytes(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOLING_MAX_BYTES", text)
    with pytest.raises(UserError, match=r"FOOLING_MAX_BYTES=.*: expected a whole number of bytes"):
        ceiling("arrays")


def test_a_file_is_read_whole_up_to_its_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CEILINGS, "JSON", 10)
    (tmp_path / "a").write_bytes(b"0123456789")
    assert read_whole(tmp_path / "a", "JSON") == b"0123456789"
    (tmp_path / "a").write_bytes(b"0123456789x")
    with pytest.raises(UserError, match="got 11"):
        read_whole(tmp_path / "a", "JSON")
    with pytest.raises(IsADirectoryError):
        read_whole(tmp_path, "settings")
    with pytest.raises(FileNotFoundError):
        check_file(tmp_path / "none")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_a_file_that_says_it_is_empty_is_still_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CEILINGS, "JSON", 3)
    with pytest.raises(UserError, match=r"expected at most 3 bytes \(JSON\)"):
        read_whole(Path("/proc/self/status"), "JSON")


@pytest.mark.parametrize(
    "text", ["[" * 5000, "[" * 20_000, '{"a":' * 5000, "9" * 5000, "{", b"\xff\xfe"], ids=lambda t: str(t[:5])
)
def test_json_that_is_none_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)
