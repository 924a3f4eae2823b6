"""Carries letters: what a sender is, and the one that speaks SMTP."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any, Final, Protocol

import aiosmtplib
from aiosmtplib import SMTPDataError, SMTPException, SMTPNotSupported, SMTPRecipientRefused, SMTPRecipientsRefused
from email_validator import validate_email

from domain.contact import Address, Channel
from domain.errors import NotPossible, Unavailable
from notices.letters import Letter

#: How long connecting, or any one answer, may take.
TIMEOUT_SECONDS: Final = 10.0
_PERMANENT: Final = range(500, 600)
_AWAY: Final = "The mail server does not take the letter now; try again in a moment."


class LetterRefused(NotPossible):
    """The recipient's mail server refuses the letter for good: no such mailbox, or it wants no such letter."""


class Sender(Protocol):
    """Carries letters over one channel: e-mail by SMTP, or texts by HTTP to a provider.

    No error or log of a sender shows an address or a letter's words.
    """

    @property
    def channel(self) -> Channel:
        """The channel whose addresses it reaches."""

    async def send(self, letter: Letter, to: Address, message_id: str) -> None:
        """Hand the letter over; `message_id` lets whoever carries it on know a repeat.

        Raises Unavailable where the same call may succeed later, LetterRefused where it never will.
        """

    async def check(self) -> None:
        """See whether letters would be taken now, and hand none over; raises Unavailable where not."""


class MailSender:
    """Hands letters to one SMTP server, each over its own connection."""

    channel: Final = Channel.EMAIL

    def __init__(
        self,
        *,
        host: str,
        port: int,
        mail_from: str,
        user: str | None = None,
        password: str | None = None,
        starttls: bool = False,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        """Take the server; with `starttls` nothing is sent unless TLS is up. Connects at each letter."""
        self._mail_from, self._envelope_from = mail_from, parseaddr(mail_from)[1]
        self._host, self._port, self._user, self._password = host, port, user, password
        self._starttls, self._timeout = starttls, timeout

    async def send(self, letter: Letter, to: Address, message_id: str) -> None:
        """Hand the letter to the server.

        Raises Unavailable where the server is away, says to come later, or wants none of our mail at all (its
        operator's to mend); LetterRefused where it refuses this recipient, or this letter, for good.
        """
        recipient = _routable(to.value)
        message = self._message(letter, recipient, message_id)
        try:
            await self._hand_over(message, recipient)
        except (SMTPException, OSError) as error:
            if _is_final(error, recipient):
                raise LetterRefused("The recipient's mail server refuses the letter.") from None
            raise Unavailable(_AWAY) from None

    async def check(self) -> None:
        """Log in to the server and name the sender of a letter, then take it back; raises Unavailable."""
        try:
            async with aiosmtplib.SMTP(**self._server()) as server:
                await server.mail(self._envelope_from)
                await server.rset()
        except (SMTPException, OSError):
            raise Unavailable(_AWAY) from None

    async def _hand_over(self, message: EmailMessage, recipient: str) -> None:
        """Speak SMTP once, over a connection of its own."""
        await aiosmtplib.send(message, sender=self._envelope_from, recipients=[recipient], **self._server())

    def _server(self) -> dict[str, Any]:
        return {
            "hostname": self._host,
            "port": self._port,
            "username": self._user,
            "password": self._password,
            "start_tls": self._starttls,
            "local_hostname": self._envelope_from.rpartition("@")[2] or "localhost",
            "timeout": self._timeout,
        }

    def _message(self, letter: Letter, recipient: str, message_id: str) -> EmailMessage:
        """Give the letter its headers, and its HTML, with the pictures in it, as the alternative to its text."""
        message = EmailMessage(policy=SMTP)
        message["From"] = self._mail_from
        message["To"] = recipient
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = message_id
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        if html := message.get_body(("html",)):
            for name, picture in letter.pictures.items():
                html.add_related(picture, "image", "png", cid=f"<{name}>", disposition="inline")
        message["Content-Language"] = letter.language.value
        return message


def _routable(address: str) -> str:
    """Write an internationalised domain the way that every mail server understands."""
    checked = validate_email(address, check_deliverability=False, test_environment=True, globally_deliverable=False)
    return f"{checked.local_part}@{checked.ascii_domain}"


def _is_final(error: SMTPException | OSError, recipient: str) -> bool:
    """Whether trying again is of no use, for a reason that lies with the recipient or the letter."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(refused.code in _PERMANENT for refused in error.recipients)
    if isinstance(error, SMTPNotSupported):
        return not recipient.isascii()
    return isinstance(error, SMTPDataError | SMTPRecipientRefused) and error.code in _PERMANENT
