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
     f"zoe@{'a.' * 130}org", "zoe@[127.0.0.1]", "zoe@localhost", "mailto:zoe@example.org", "<zoe@example.org>",
     "zoe@example.org?cc=adam@example.org", "zoe@example.org;adam@example.org", "zoe(home)@example.org",
     '"zoe m"@example.org', "zoe@example.org.", "sip:+33612345678@example.org", "zo\u200be@example.org",
     "zoe@exam\xadple.org", "zoe@example\u3002org", "zoe@\uff45xample.org", "zoe@\ufb01rm.org"],
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
        (" 06.12.34.56.78\n", "FR", "+33612345678"),
        ("06\u00a012\u202f34\u201156\u201178", "FR", "+33612345678"),
        ("\uff0b\uff13\uff13 612345678", None, "+33612345678"),
        ("030 12345-67", "DE", "+49301234567"),
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


@pytest.mark.parametrize(
    "more",
    [" x12", "x12", " ext 12", " ext. 12", ";ext=12", " int. 12", " доб 12", "#12", " #12", "~12", ",12", ",,12", ";12",
     "p12", "w12", "*12", " (12)", " / 12", "/0612345679", " 0612345679", "\n0612345679", " +33612345679",
     ";phone-context=+33", ";isub=1", "?subject=x", " (home)", " Zoe", "\u200b", "\0", "."],
)  # fmt: skip
@pytest.mark.parametrize("number", ["+33612345678", "06 12 34 56 78"])
def test_a_number_with_anything_behind_it_is_nobodys(number: str, more: str) -> None:
    """It is not who answers the number alone that is meant."""
    with pytest.raises(InvalidRequest):
        parse_address(number + more, "FR")


@pytest.mark.parametrize("typed", ["tel:+14155552671", "call +14155552671", "*31#4155552671", "++14155552671",
                                   "+1 800 FLOWERS", "1-800-356-937A", "\u202a+14155552671\u202c"])  # fmt: skip
def test_a_number_with_anything_before_or_in_it_is_nobodys(typed: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_address(typed, "US")


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
