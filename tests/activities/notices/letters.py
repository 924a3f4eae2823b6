"""What the tests of letters order, and how they read what arrived."""

import re

from activities.contracts.notices import Ask, Subject, Tell
from activities.notices import Notices
from notices.mail import MailSender
from tests.activities.notices.world import TRANSFER, World
from tests.notices.mailbox import MAIL_FROM, Mailbox
from tools.stage.ports import free_port

ORIGIN = "https://handover.example/"
ASK, REMIND = Ask(transfer_id=TRANSFER), Ask(transfer_id=TRANSFER, reminder=1)
ENDED = Tell(transfer_id=TRANSFER, subject=Subject.ENDED)
REQUESTED = Tell(transfer_id=TRANSFER, subject=Subject.REQUESTED)
ACCEPTED = Tell(transfer_id=TRANSFER, subject=Subject.ACCEPTED)
NEW_KEY = Tell(transfer_id=TRANSFER, subject=Subject.NEW_KEY)
NEW_KEY_REMINDER = Tell(transfer_id=TRANSFER, subject=Subject.NEW_KEY, reminder=1)
SETTLED = Tell(transfer_id=TRANSFER, subject=Subject.SETTLED)


def away(world: World) -> Notices:
    """Letters whose mail server is away."""
    sender = MailSender(host="127.0.0.1", port=free_port(), mail_from=MAIL_FROM, timeout=2)
    return Notices(world.database, world.vault, sender, ORIGIN)


def recipients(mailbox: Mailbox) -> list[str]:
    return sorted(to for _, tos in mailbox.envelopes for to in tos)


def token_in(text: str) -> str:
    found = re.search(r"https://handover\.example/t/(\S{43})(?!\S)", text)
    assert found
    return found[1]
