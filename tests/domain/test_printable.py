"""What may stand in a line that people read."""

import pytest

from domain.caseless import caseless
from domain.printable import is_blank, is_printable


@pytest.mark.parametrize("text", ["", "Les Lilas 2", "Zoé", "क्\u200dषेत्र", "🏡", "a\u00a0b", "x\ufe0f"])
def test_what_is_seen_may_stand_in_it(text: str) -> None:
    assert is_printable(text)


@pytest.mark.parametrize(
    "letter",
    [
        "\0",
        "\n",
        "\x1b",
        "\x7f",
        "\x85",
        "\xad",
        "\u200b",
        "\u200e",
        "\u202e",
        "\u2028",
        "\u2066",
        "\u3164",
        "\ud800",
        "\ufeff",
    ],
)
def test_what_is_not_seen_or_turns_the_rest_may_not(letter: str) -> None:
    assert not is_printable(f"a{letter}b")


def test_joiners_and_blanks_alone_are_nothing() -> None:
    assert [is_blank(text) for text in ("", " \u00a0", "\u200d", "\ufe0f", "-", "🏡", "1")] == [True] * 4 + [False] * 3


def test_case_is_that_of_ascii_alone() -> None:
    """What has another upper case elsewhere stays: it would grow, or become another's."""
    assert caseless("aZ9-ß\u017f\u0131é") == "AZ9-ß\u017f\u0131é"
