"""The address of a recipient: an e-mail or a phone number, in one spelling."""

import re
from dataclasses import dataclass
from enum import StrEnum

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


def parse_email(text: str) -> Address:
    """Normalise an e-mail address; raises InvalidRequest."""
    try:
        checked = validate_email(text.strip(), check_deliverability=False, strict=True)
    except EmailNotValidError:
        raise InvalidRequest("recipient is not an e-mail address; write it like name@example.com.") from None
    return Address(Channel.EMAIL, checked.normalized.lower())


def parse_phone(text: str, region: str | None) -> Address:
    """Normalise a phone number to E.164, read as dialled in `region` (ISO 3166); raises InvalidRequest."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise InvalidRequest("recipient is not a phone number; write it with its country, like +33 6 12 34 56 78.")
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
