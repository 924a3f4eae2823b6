"""How values are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from notices.wording import Language, language_of, lines, moment, one_line


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("fr", "fr"),
        ("fr-FR", "fr"),
        ("fr_CA", "fr"),
        ("FR-be", "fr"),
        ("en", "en"),
        ("de-CH", "en"),
        ("", "en"),
        ("frr-DE", "en"),
        ("C", "en"),
    ],
)
def test_french_locales_read_french_and_all_others_english(locale: str, language: str) -> None:
    assert language_of(locale) == language


def test_a_time_is_written_in_utc_whatever_its_zone() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=timezone(-timedelta(hours=2)))
    assert moment(late, Language.ENGLISH) == "Friday 1 January 2027, 01:30 UTC"
    assert moment(late, Language.FRENCH) == "vendredi 1er janvier 2027 à 01:30 UTC"
    assert moment(datetime(2026, 8, 2, 9, 0, tzinfo=UTC), Language.FRENCH) == "dimanche 2 août 2026 à 09:00 UTC"


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
