"""What the pages say, one value per language; placeholders in braces."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from domain.transfer import Connection, TransferKind
from persistence.link_reads import LinkState, LinkView


@dataclass(frozen=True)
class Ending:
    """A page on which there is nothing left to do."""

    title: str
    text: str


@dataclass(frozen=True)
class Words:
    """Everything the pages say in one language."""

    lang: str
    brand: str
    title: str
    intro: str
    intro_group: str
    charge_point: str
    location: str
    sender: str
    deadline: str
    deadline_text: str
    months: tuple[str, ...]
    message_from: str
    what_follows: str
    follows: Mapping[tuple[TransferKind, Connection], tuple[str, ...]]
    next_step: str
    send_code: str
    no_account: str
    nothing_yet: str
    code_title: str
    code_sent: str
    code_missing: str
    code_label: str
    code_hint: str
    accept: str
    decline: str
    another_code: str
    another_code_hint: str
    back: str
    error_prefix: str
    unsure: str
    accepted: Ending
    declined: Ending
    unknown: Ending
    away: Ending
    dead: Mapping[LinkState, Ending]

    def moment(self, at: datetime) -> str:
        """Spell a time out, in UTC."""
        at = at.astimezone(UTC)
        return self.deadline_text.format(day=at.day, month=self.months[at.month - 1], year=at.year, time=f"{at:%H:%M}")

    def intro_of(self, link: LinkView) -> str:
        """Say in a sentence what is asked."""
        text = self.intro if link.kind is not TransferKind.MOVE_TO_GROUP else self.intro_group
        return text.format(sender=link.sender, group=link.group)

    def follows_of(self, link: LinkView) -> list[str]:
        """List what follows from accepting."""
        return [text.format(group=link.group) for text in self.follows[link.kind, link.connection]]


_SESSIONS: Final = "Charging sessions that began before stay with the present owner; later ones are yours."
_KEPT: Final = "It stays connected. Its access key is renewed by itself; you have nothing to set up."
_OWNED: Final = (
    "You become the owner. The charge point stays in the group “{group}”, with the group's tags and tariff.",
    _SESSIONS,
    _KEPT,
)
_MOVED: Final = (
    "The charge point comes into your group “{group}”; the group's tags and tariff apply from then on.",
    "Charging sessions that began before stay where they were booked.",
)
_GIVEN: Final = "You become the owner. The charge point comes into your personal group, with your tags and your tariff."

ENGLISH: Final = Words(
    lang="en",
    brand="Handover",
    title="A charge point for you",
    intro="{sender} would like to hand this charge point over to you. Nothing happens unless you accept.",
    intro_group="{sender} would like to move this charge point into your group “{group}”. Nothing happens unless you "
    "accept.",
    charge_point="Charge point",
    location="Location",
    sender="From",
    deadline="Answer by",
    deadline_text="{day} {month} {year}, {time} UTC",
    months=(
        *("January", "February", "March", "April", "May", "June", "July"),
        *("August", "September", "October", "November", "December"),
    ),
    message_from="Message from {sender}",
    what_follows="If you accept",
    follows={
        (TransferKind.TRANSFER_TO_USER, Connection.KEEP): (_GIVEN, _SESSIONS, _KEPT),
        (TransferKind.TRANSFER_TO_USER, Connection.DELETE): (
            _GIVEN,
            _SESSIONS,
            "Its connection to the platform ends at once: it can't be used until you connect it again.",
        ),
        (TransferKind.TRANSFER_OWNERSHIP, Connection.KEEP): _OWNED,
        (TransferKind.TRANSFER_OWNERSHIP, Connection.DELETE): _OWNED,
        (TransferKind.MOVE_TO_GROUP, Connection.KEEP): _MOVED,
        (TransferKind.MOVE_TO_GROUP, Connection.DELETE): _MOVED,
    },
    next_step="To accept or decline we first send you a code. That way, nobody who merely got hold of this link can "
    "answer for you.",
    send_code="Send me a code",
    no_account="You need an account on this platform to accept. If you don't have one yet, open it with the address at "
    "which this link reached you, then come back here.",
    nothing_yet="Not expecting this? Do nothing, or decline: the charge point stays where it is.",
    code_title="Your answer",
    code_sent="We have sent you a code of 6 digits. It is good for a few minutes.",
    code_missing="No code was sent yet: ask for one below, then type it here.",
    code_label="Code",
    code_hint="6 digits, from the latest message",
    accept="Accept",
    decline="Decline",
    another_code="Send another code",
    another_code_hint="No code? Wait a minute, look at your spam folder, then ask for another one.",
    back="Back to what is offered",
    error_prefix="Error: ",
    unsure="Your answer may have arrived already. Press the same button once more, with the same code.",
    accepted=Ending(
        "You have accepted",
        "The charge point is being handed over. You get a message as soon as it is yours; you can close this page.",
    ),
    declined=Ending(
        "You have declined", "The charge point stays where it is. The sender is told; nothing else follows."
    ),
    unknown=Ending(
        "This link leads nowhere",
        "It may have been cut off on its way. Open it from the message again, or ask the sender for a new one.",
    ),
    away=Ending("Not available for the moment", "Please try again in a minute. Nothing is lost."),
    dead={
        LinkState.REPLACED: Ending(
            "This link was replaced", "A newer message was sent to you; please use the link in the latest one."
        ),
        LinkState.EXPIRED: Ending(
            "The time to answer is over", "Nothing has changed. If you still want it, ask the sender to start again."
        ),
        LinkState.CANCELLED: Ending(
            "This transfer was called off", "The charge point stays where it is; there is nothing left for you to do."
        ),
        LinkState.DECLINED: Ending("This was declined", "The charge point stays where it is. The link is used up."),
        LinkState.ACCEPTED: Ending(
            "This was accepted",
            "The link is used up; there is nothing left for you to do. Messages tell how it goes on.",
        ),
    },
)

LANGUAGES: Final[Mapping[str, Words]] = {ENGLISH.lang: ENGLISH}


def words_for(accept_language: str) -> Words:
    """Choose the first language of an Accept-Language header that there is; English otherwise."""
    for wish in accept_language.split(","):
        tag = wish.partition(";")[0].strip().lower().partition("-")[0]
        if tag in LANGUAGES:
            return LANGUAGES[tag]
    return ENGLISH
