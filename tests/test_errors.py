"""Foreign text in messages: one line, printable, short, without secrets."""

import io
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fooling.errors import ANY_VALUE, LONGEST_MESSAGE, UserError, first_line, folded, guarded, masked, masked_url, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("espresso", "espresso"),
        ("ü 猫 \u3000", "ü 猫 \u3000"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b2J\x7f", r"\x9b2J\x7f"),
        ("a\u202eb\u2066", r"a\u202eb\u2066"),
        ("a\nb\r\0", r"a\nb\r\x00"),
        ("\udcff", r"\udcff"),
    ],
    ids=ascii,
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize("letter", ["x", "\x1b", "\U000e0001"], ids=ascii)
def test_long_texts_lose_their_middle(letter: str) -> None:
    text = printable(f"begin{letter * 100_000}end", 50)
    assert len(text) == 50
    assert text.startswith("begin")
    assert text.endswith("end")
    assert "…" in text
    assert text.isprintable()


def test_a_message_is_one_printable_line_whatever_is_in_it() -> None:
    error = UserError("a\x1b[2J: expected\nb, got " + "\x07" * 10_000 + "; give c")
    assert str(error).startswith(r"a\x1b[2J: expected b, got \x07")
    assert str(error).endswith("; give c")
    assert len(str(error)) == LONGEST_MESSAGE
    assert UserError().args == ("",)


def test_the_first_line_of_an_error_that_has_no_text() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert [first_line(error) for error in (MuteError(), KeyError(), ValueError(" a \n b"))] == ["MuteError", "KeyError", "a b"]
    assert first_line("") == "nothing"
    assert first_line("Fail: " + "x " * 1000 + "Unsupported model IR version", 100).endswith("IR version")


def test_a_command_prints_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(words: list[str]) -> int:
        raise OSError(2, "No\x1b[31m such file", words[0])

    assert guarded(fail, ["a\x1b]0;title\x07"]) == 2
    assert capsys.readouterr().err == "fooling: a\\x1b]0;title\\x07: No\\x1b[31m such file\n"


def in_a_shell(words: str) -> subprocess.CompletedProcess[str]:
    """The program, with its streams as a shell directs them."""
    command = f"{shlex.quote(sys.executable)} -m fooling {words}"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("words", "code"), [("--help", 0), ("run --help", 0), ("nonsense", 2)])
def test_streams_that_are_closed_change_no_exit_code(closed: str, words: str, code: int) -> None:
    result = in_a_shell(f"{words} {closed}")
    assert result.returncode == code
    assert "Traceback" not in result.stderr
    assert ("unknown command" in result.stderr) == (code == 2 and "2>" not in closed)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("to", ["--help >/dev/full", "--version >/dev/full", "--help >/dev/full 2>&1"])
def test_what_cannot_be_printed_is_bad_input(to: str) -> None:
    result = in_a_shell(to)
    assert result.returncode == 2
    assert result.stderr.count("\n") == (1 if "2>" not in to else 0)
    assert ("No space left on device" in result.stderr) == ("2>" not in to)


def test_streams_that_cannot_be_set_up_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.TextIOWrapper):
        def reconfigure(self, **words: object) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full(io.BytesIO()))
    assert guarded(lambda words: 0, []) == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pa55@host:80/x", "http://***@host:80/x"),
        ("http://token@host/", "http://***@host/"),
        ("https://host/x?token=abc&v=2&model=a&key=1", "https://host/x?token=***&v=2&model=***&key=***"),
        ("http://host/?c2VjcmV0", "http://host/?***"),
        ("http://host/x#secret", "http://host/x#***"),
        ("http://user:pa/5?5#@host:80/x", "http://***@host:80/x"),
        ("http://u:12/ter2@h", "http://***@h"),
        ("http://u:12/ter2@10.0.0.1:80/x", "http://***@10.0.0.1:80/x"),
        ("http://127.0.0.1:80/models/m@latest", "http://127.0.0.1:80/models/m@latest"),
        ("http://user:p@ss@host/x", "http://***@host/x"),
        ("classifier.path=user:pa55@host: expected", "classifier.path=***@host: expected"),
        ("no route /x?api_key=abc here", "no route /x?api_key=*** here"),
        ("http://host:80/models/m@1:predict", "http://host:80/models/m@1:predict"),
        ("http://[::1]:8000/x?version=1.2", "http://[::1]:8000/x?version=1.2"),
        ("my_net:make; give a=b", "my_net:make; give a=b"),
    ],
)
def test_secrets_of_urls_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert masked(shown) == shown
    assert str(UserError(text)) == shown


def test_masking_takes_no_time_with_long_texts() -> None:
    start = time.monotonic()
    for text in ("a:" * 50_000 + "@", "?key" * 50_000, "http" * 50_000, "x" * 200_000 + "://y", "?&;@#" * 40_000):
        printable(text)
        masked(text)
    assert time.monotonic() - start < 10


def test_lines_break_between_words() -> None:
    text = "search.layer=x: expected one of conv1|conv2|conv3|conv4|conv5|conv6|conv7, got https://host/" + "a" * 60
    lines = folded(text, 40).splitlines()
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert [line for line in lines if len(line) > 40] == ["a" * 60]
    assert all(line[-1] in "|,/=" or f"{line} " in text for line in lines[:-1])
    assert folded("short", 40) == "short"


def test_a_url_without_its_secrets_alone_tells_models_apart() -> None:
    one, other = (f"https://me:pa55@host/predict?model={name}&token=abc" for name in ("resnet18", "resnet50"))
    assert masked_url(one) == masked_url(other)
    found = [masked_url(url, ANY_VALUE) for url in (one, other)]
    assert found[0] != found[1]
    assert all("pa55" not in url and "abc" not in url for url in found)
    assert masked_url(one.replace("abc", "xyz"), ANY_VALUE) == found[0]
