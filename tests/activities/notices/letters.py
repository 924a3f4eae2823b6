"""What the tests of letters order, and how they read what arrived."""

import re

from activities.transfer_letters import TransferLetters
from domain.ids import TransferId
from domain.letters import Subject
from notices.mail import MailSender
from persistence.tables import OutboxLetter
from tests.activities.notices.world import TRANSFER, World
from tests.notices.mailbox import MAIL_FROM, Mailbox
from tools.stage.ports import free_port

ORIGIN = "https://handover.example/"


def asked(generation: int = 1, reminder: int = 0, transfer_id: TransferId = TRANSFER) -> OutboxLetter:
    """A question as it lies in the outbox."""
    return news(Subject.ASKED, reminder, generation, transfer_id)


def news(subject: Subject, reminder: int = 0, generation: int = 0, transfer_id: TransferId = TRANSFER) -> OutboxLetter:
    """A letter as it lies in the outbox."""
    return OutboxLetter(
        id=0,
        transfer_id=transfer_id,
        subject=subject.value,
        generation=generation,
        reminder=reminder,
        tries=0,
        taken=[],
    )


def away(world: World) -> TransferLetters:
    """Letters whose mail server is away."""
    return TransferLetters(world.database, world.vault, no_mail_server(), ORIGIN)


def no_mail_server() -> MailSender:
    return MailSender(host="127.0.0.1", port=free_port(), mail_from=MAIL_FROM, timeout=2)


def recipients(mailbox: Mailbox) -> list[str]:
    return sorted(to for _, tos in mailbox.envelopes for to in tos)


def token_in(text: str) -> str:
    found = re.search(r"https://handover\.example/t/(\S{43})(?!\S)", text)
    assert found
    return found[1]
