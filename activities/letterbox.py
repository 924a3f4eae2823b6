"""Hands letters over one by one, each to the end whatever becomes of the others."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from temporalio import activity

from domain.contact import Address
from domain.errors import Unavailable
from domain.languages import language_of
from notices.letters import AnyLetter, render
from notices.mail import LetterRefused, Sender
from persistence.vault import fingerprint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outgoing:
    """A letter, whom it is for, and the Message-ID under which it is known."""

    letter: AnyLetter
    locale: str
    to: Address
    message_id: str


class Letterbox:
    """Sends through one sender; an address of another channel is not reached."""

    def __init__(self, sender: Sender) -> None:
        """Take whoever carries the letters."""
        self._sender = sender

    def reaches(self, outgoing: Outgoing) -> bool:
        """Whether the sender carries letters to such an address."""
        return outgoing.to.channel is self._sender.channel

    async def post(self, letters: Sequence[Outgoing]) -> int:
        """Send each letter as an activity of its own does, and say how many were taken, by earlier tries included.

        Raises Unavailable as `hand_over`. Where nobody is reached it raises as if somebody were: whoever sees the step
        fail is not to learn from it that an address has an account.
        """
        if not any(self.reaches(outgoing) for outgoing in letters):
            await self._sender.check()
        taken = _taken_before()
        try:
            return await self.hand_over(letters, taken)
        finally:
            _remember(taken)

    async def hand_over(self, letters: Sequence[Outgoing], taken: list[str]) -> int:
        """Send each letter but those whose Message-ID is in `taken`, to which it is added; say how many are taken.

        Raises Unavailable, at the end, where one should be tried again. One refused for good is logged by its
        Message-ID and does not hold up the others.
        """
        away = False
        for outgoing in letters:
            if outgoing.message_id in taken or not self.reaches(outgoing):
                continue
            try:
                await self._send(outgoing)
            except LetterRefused:
                logger.warning("the letter %s was refused for good", outgoing.message_id)
            except Unavailable:
                away = True
            else:
                taken.append(outgoing.message_id)
        if away:
            raise Unavailable("A letter could not be handed over; try again in a moment.")
        return len(taken)

    async def _send(self, outgoing: Outgoing) -> None:
        letter = render(outgoing.letter, language_of(outgoing.locale))
        await self._sender.send(letter, outgoing.to, outgoing.message_id)


@dataclass(frozen=True)
class MessageIds:
    """Names letters: the same one each time the same is sent."""

    origin: str
    """Where links point to: its host is the right side of every name."""

    def of(self, *parts: str) -> str:
        """Name a letter by its parts, none of which names a person."""
        host = urlsplit(self.origin).hostname or "localhost"
        return f"<{'.'.join(parts)}@{f'[{host}]' if ':' in host else host}>"


def mark(text: str) -> str:
    """Tell people apart in a Message-ID without naming them."""
    return fingerprint(text)[:10]


def _taken_before() -> list[str]:
    """Give the Message-IDs that an earlier try of this activity handed over."""
    return list(activity.info().heartbeat_details) if activity.in_activity() else []


def _remember(taken: list[str]) -> None:
    """Let the next try know what is done: Temporal hands a failed try's last heartbeat to it."""
    if activity.in_activity():
        activity.heartbeat(*taken)
