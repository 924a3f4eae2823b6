"""Addresses: what a sender types, and the one spelling that is kept."""

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contact import Address, Channel, parse_address, parse_email, region_of
from domain.errors import InvalidRequest


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Zoe.Martin@Example.ORG", "zoe.martin@example.org"),
        ("  zoe@example.org\n", "zoe@example.org"),
        ("zoe+charger@example.org", "zoe+charger@example.org"),
        ("zoé@example.org", "zoé@example.org"),
        ("zoe@MÜLLER.example.org", "zoe@müller.example.org"),
        ("zoe@xn--mller-kva.example.org", "zoe@müller.example.org"),
    ],
)
def test_an_e_mail_address_has_one_spelling(typed: str, kept: str) -> None:
    assert parse_address(typed) == Address(Channel.EMAIL, kept)


@pytest.mark.parametrize(
    "typed",
    ["@", "zoe@", "@example.org", "zoe@example", "zoe@@example.org", "zoe@exa mple.org", "a b@example.org",
     "zoe@example.org, adam@example.org", "Zoe <zoe@example.org>", "zoe@example.org\nBcc: x@example.org",
     "zoe@example..org", ".zoe@example.org", "zoe\x00@example.org", f"{'z' * 65}@example.org",
     f"zoe@{'a.' * 130}org", "zoe@[127.0.0.1]", "zoe@localhost"],
)  # fmt: skip
def test_what_is_no_e_mail_address_is_refused(typed: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_address(typed)


@pytest.mark.parametrize(
    ("typed", "region", "kept"),
    [
        ("+33 6 12 34 56 78", None, "+33612345678"),
        ("+33 (0)6 12 34 56 78", None, "+33612345678"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("0033612345678", "FR", "+33612345678"),
        ("0033612345678", "DE", "+33612345678"),
        ("+33612345678", "US", "+33612345678"),
        ("079 123 45 67", "CH", "+41791234567"),
        ("(415) 555-2671", "US", "+14155552671"),
    ],
)
def test_a_phone_number_is_read_in_the_sender_s_region(typed: str, region: str | None, kept: str) -> None:
    assert parse_address(typed, region) == Address(Channel.PHONE, kept)


@pytest.mark.parametrize(
    ("typed", "region"),
    [("06 12 34 56 78", None), ("06 12 34 56 78", "ZZ"), ("", "FR"), ("hello", "FR"), ("+", None), ("112", "FR"),
     ("+33 6 12", None), ("+999 123 456 789", None), ("06 12 34 56 78 90 12", "FR"), ("\x00", "FR"), ("1" * 300, "FR")],
)  # fmt: skip
def test_what_is_no_phone_number_there_is_refused(typed: str, region: str | None) -> None:
    with pytest.raises(InvalidRequest):
        parse_address(typed, region)


@given(st.emails())
def test_reading_a_kept_address_again_changes_nothing(typed: str) -> None:
    try:
        kept = parse_email(typed)
    except InvalidRequest:
        return
    assert parse_email(kept.value) == kept


@given(st.text(), st.sampled_from([None, "FR", "US"]))
def test_any_text_is_an_address_or_refused(typed: str, region: str | None) -> None:
    try:
        address = parse_address(typed, region)
    except InvalidRequest:
        return
    assert parse_address(address.value) == address


@pytest.mark.parametrize("typed", ["secret.person@", "06 12 34 56 7"])
def test_neither_a_repr_nor_a_refusal_shows_an_address(typed: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_address(typed, "FR")
    assert refused.value.__context__ is None or refused.value.__suppress_context__
    assert typed not in "".join(traceback.format_exception(refused.value)).replace(f'"{typed}"', "")
    assert "zoe" not in repr(Address(Channel.EMAIL, "zoe@example.org"))
    assert "zoe" not in f"{Address(Channel.EMAIL, 'zoe@example.org')}"


@pytest.mark.parametrize(
    ("locale", "region"),
    [("fr-FR", "FR"), ("fr_CH", "CH"), ("de-ch", "CH"), ("fr", None), ("", None), ("zh-Hant-TW", "TW"),
     ("sr_Latn_RS", "RS"), ("de_DE.UTF-8", "DE"), ("fr-FR-u-co-phonebk", "FR"), ("en-u-ca-buddhist", None),
     ("es-419", None), ("ca-ES-valencia", "ES")],
)  # fmt: skip
def test_the_region_of_a_locale(locale: str, region: str | None) -> None:
    assert region_of(locale) == region
