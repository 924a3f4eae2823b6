"""Which language somebody reads, and how times are written in it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.languages import Language, days_between, duration, language_of, moment, wishes


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("fr", "fr"),
        ("fr-FR", "fr"),
        ("fr_CA", "fr"),
        ("FR-be", "fr"),
        ("en", "en"),
        ("de", "de"),
        ("de-CH", "de"),
        ("de_AT", "de"),
        ("es-ES", "en"),
        ("", "en"),
        ("frr-DE", "en"),
        ("C", "en"),
    ],
)
def test_locales_read_their_language_and_all_others_english(locale: str, language: str) -> None:
    assert language_of(locale) == language


def test_a_time_is_written_in_utc_whatever_its_zone() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=timezone(-timedelta(hours=2)))
    assert moment(late, Language.ENGLISH) == "Friday 1 January 2027, 01:30 UTC"
    assert moment(late, Language.FRENCH) == "vendredi 1er janvier 2027 à 01:30 UTC"
    assert moment(datetime(2026, 8, 2, 9, 0, tzinfo=UTC), Language.FRENCH) == "dimanche 2 août 2026 à 09:00 UTC"
    assert moment(late, Language.GERMAN) == "Freitag, 1. Januar 2027, 01:30 Uhr UTC"


@pytest.mark.parametrize(
    ("header", "locales"),
    [
        ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", ["fr-CH", "fr", "en", "de"]),
        ("en;q=0.5,fr;q=0.8", ["fr", "en"]),
        ("en;q=0, fr;q=0.001", ["fr"]),
        ("en; q=1 , fr", ["en", "fr"]),
        ("fr;q=x, ../en, \x00, " + "a" * 9_000, []),
        ("", []),
    ],
)
def test_a_browsers_wishes_are_read_by_their_weight_and_nonsense_is_left_out(header: str, locales: list[str]) -> None:
    assert wishes(header) == locales


def test_the_first_locale_with_a_language_decides() -> None:
    assert language_of(None, "es-ES", "fr-BE", "en") is Language.FRENCH
    assert language_of("", "zh_Hant_TW") is Language.ENGLISH
    assert language_of("en_GB", "fr") is Language.ENGLISH
    assert language_of("de-AT", "fr") is Language.GERMAN


@pytest.mark.parametrize("language", Language)
def test_every_month_and_weekday_is_written_out_in_the_language(language: Language) -> None:
    days = [moment(datetime(2026, month, month, tzinfo=UTC), language) for month in range(1, 13)]
    assert len({day.split()[2] for day in days}) == 12
    assert all(day.split()[0].islower() is (language is Language.FRENCH) for day in days)


@pytest.mark.parametrize(
    ("length", "english", "french", "german"),
    [
        (timedelta(days=7), "7 days", "7 jours", "7 Tage"),
        (timedelta(days=1), "1 day", "1 jour", "1 Tag"),
        (timedelta(hours=36), "36 hours", "36 heures", "36 Stunden"),
        (timedelta(minutes=90), "90 minutes", "90 minutes", "90 Minuten"),
    ],
)
def test_a_length_of_time_is_written_in_the_largest_unit_of_which_it_is_whole(
    length: timedelta, english: str, french: str, german: str
) -> None:
    assert duration(length, Language.ENGLISH) == english
    assert duration(length, Language.FRENCH).replace("\u00a0", " ") == french
    assert duration(length, Language.GERMAN) == german


@pytest.mark.parametrize(
    ("days", "english", "french", "german"),
    [("mon-fri", "Mon\u2013Fri", "lun\u2013ven", "Mo\u2013Fr"), ("sat-sat", "Sat", "sam", "Sa")],
)
def test_days_of_the_week_are_named_as_people_do(days: str, english: str, french: str, german: str) -> None:
    assert [days_between(days, language) for language in Language] == [english, french, german]
