"""How values are written."""

import pytest

from notices.wording import lines, one_line


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (" Parking  Nord ", "Parking Nord"),
        ("a\r\nb\tc\x00d\x85e\u2028f", "a b c d e f"),
        ("abc\u202edef\u2066g\u200bh\ufeff", "abcdefgh"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("بر\u200cق", "بر\u200cق"),
        ("lone\ud800surrogate", "lone surrogate"),
        ("x" * 200, "x" * 119 + "…"),
        ("\n \t", ""),
    ],
)
def test_a_value_becomes_one_printable_line(typed: str, shown: str) -> None:
    assert one_line(typed) == shown


def test_a_message_keeps_its_lines_but_not_its_tricks() -> None:
    assert lines("\n\n Hello \x00you\r\n\r\nbye\u2029end\n") == ["Hello you", "", "bye", "end"]
