"""The address of a recipient: an e-mail or a phone number, in one spelling."""

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from domain.errors import InvalidRequest


class Channel(StrEnum):
    """How a message reaches somebody."""

    EMAIL = "email"
    PHONE = "phone"


@dataclass(frozen=True)
class Address:
    """A normalised address: e-mail in lower case (RFC 5321), phone as E.164. Its repr shows the channel alone."""

    channel: Channel
    value: str

    def __repr__(self) -> str:
        """Keep people out of logs and tracebacks."""
        return f"Address({self.channel.value})"


#: A number and nothing else, from its first digit to its last: what else is dialled (an extension, a pause, letters, a
#: second number) says that it is not, or not only, the subscriber of that number who is meant.
_DIALLED: Final = re.compile(r"\+?[\d(][\d ().\u2010-\u2015-]*\d")


def parse_email(text: str) -> Address:
    """Normalise an e-mail address; raises InvalidRequest for what is not plainly one."""
    typed = unicodedata.normalize("NFC", text.strip())
    domain = typed.rpartition("@")[2].lower()
    try:
        checked = validate_email(typed, check_deliverability=False, strict=True)
    except EmailNotValidError:
        checked = None
    # a domain may be read as another that it resembles: with a full stop of another script, with joined letters
    if checked is None or not (domain.isascii() or domain == checked.domain.lower()):
        raise InvalidRequest("recipient is not an e-mail address; write it like name@example.com.")
    return Address(Channel.EMAIL, checked.normalized.lower())


def parse_phone(text: str, region: str | None) -> Address:
    """Normalise a phone number to E.164, read as dialled in `region` (ISO 3166); raises InvalidRequest."""
    typed, number = unicodedata.normalize("NFKC", text).strip(), None
    if _DIALLED.fullmatch(typed):
        with suppress(phonenumbers.NumberParseException):
            number = phonenumbers.parse(typed, region)
    if number is None or not phonenumbers.is_valid_number(number):
        raise InvalidRequest(
            "recipient is not a phone number; write one, with its country and without an extension, like "
            "+33 6 12 34 56 78."
        )
    return Address(Channel.PHONE, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def parse_address(text: str, region: str | None = None) -> Address:
    """Read what a sender typed: with an @ an e-mail address, else a phone number."""
    return parse_email(text) if "@" in text else parse_phone(text, region)


def region_of(locale: str) -> str | None:
    """Give the region of a locale like `fr-FR`, `zh-Hant-TW` or `de_DE.UTF-8`; None where it names no country."""
    for subtag in re.split(r"[-_.@]", locale)[1:]:
        if len(subtag) == 1:  # an extension begins: what follows is no region
            return None
        if re.fullmatch("[A-Za-z]{2}", subtag):
            return subtag.upper()
    return None
