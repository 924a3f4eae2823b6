"""A mail server that keeps what it is given, and refuses what it is told to."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from notices.mail import MailSender
from tools.stage.ports import free_port

MAIL_FROM = "Handover <handover@handover.example>"


@dataclass
class Mailbox:
    """What arrived, newest last; `answers` says what a recipient is answered instead of 250."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    on_data: str = "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tries[address] += 1
        if (answer := self.answers.get(address)) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if not self.on_data.startswith("2"):
            return self.on_data
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        self.envelopes.append((envelope.mail_from or "", tuple(envelope.rcpt_tos)))
        return self.on_data

    def to(self, address: str) -> list[EmailMessage]:
        """The letters that went to an address."""
        return [letter for letter, (_, to) in zip(self.letters, self.envelopes, strict=True) if address in to]

    def sender(self, **options: object) -> MailSender:
        """A sender that speaks to this server."""
        return MailSender(host="127.0.0.1", port=self.port, mail_from=MAIL_FROM, timeout=5, **options)  # type: ignore[arg-type]


@contextmanager
def open_mailbox(*, utf8: bool = True) -> Iterator[Mailbox]:
    """Run a mail server on a free port of 127.0.0.1; without `utf8` it can't write addresses beyond ASCII."""
    mailbox = Mailbox(port=free_port())
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, enable_SMTPUTF8=utf8)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def text_of(letter: EmailMessage) -> str:
    """The plain text of a letter, its lines joined as a reader sees them."""
    body = letter.get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())


def html_of(letter: EmailMessage) -> str:
    body = letter.get_body(("html",))
    assert body is not None
    return str(body.get_content())
