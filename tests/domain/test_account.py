"""What may be typed to open an account."""

import pytest

from domain.account import parse_locale, parse_name
from domain.errors import InvalidRequest


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  Zoé   Martin ", "Zoé Martin"),
        ("李小龍", "李小龍"),
        ("Ludwig 2", "Ludwig 2"),
        ("क्‍षेत्र", "क्‍षेत्र"),
        ("x" * 120, "x" * 120),
    ],
)
def test_a_name_is_one_tidy_line(typed: str, name: str) -> None:
    assert parse_name(typed) == name


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "at least one letter"),
        (" \u00a0 ", "at least one letter"),
        ("\u200d", "at least one letter"),
        ("...", "at least one letter"),
        ("Eve\r\nBcc: x", "one line"),
        ("Eve\u2028x", "one line"),
        ("\u202eevE", "one line"),
        ("a\x00b", "one line"),
        ("x" * 121, "shorten it"),
    ],
)
def test_what_is_no_name_is_refused_with_what_to_do(typed: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        parse_name(typed)


def test_a_locale_is_a_language_with_or_without_a_region() -> None:
    assert [parse_locale(text) for text in ("fr", "fr-FR")] == ["fr", "fr-FR"]
    for wrong in ("", "FR", "french", "fr_FR", "fr-fr", "fr-FR\n"):
        with pytest.raises(InvalidRequest, match="written like fr"):
            parse_locale(wrong)
