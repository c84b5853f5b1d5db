"""Foreign text in messages: one line, printable, short."""

import pytest

from fooling.errors import LONGEST_MESSAGE, UserError, first_line, guarded, printable


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
