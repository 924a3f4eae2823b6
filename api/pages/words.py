"""What the pages say, as one type: each language gives every value, so a missing one is a type error."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import ErrorCode, HandoverError
from domain.languages import Language
from domain.transfer import Connection, TransferKind
from persistence.link_reads import LinkState, LinkView


@dataclass(frozen=True)
class Ending:
    """A page on which there is nothing left to press."""

    title: str
    text: str


@dataclass(frozen=True)
class Words:
    """Everything the pages say in one language; placeholders are in braces."""

    language: Language
    title: str
    intro: str
    intro_group: str
    charge_point: str
    location: str
    sender: str
    deadline: str
    message_from: str
    what_follows: str
    follows: Mapping[tuple[TransferKind, Connection], tuple[str, ...]]
    sender_owns: str
    """Of a move that makes its sender the owner."""
    owner_stays: str
    next_step: str
    send_code: str
    no_account: str
    nothing_yet: str
    other_device: str
    other_device_hint: str
    qr_code: str
    opens_account: str
    name_label: str
    name_hint: str
    open_and_accept: str
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
    errors: Mapping[type[HandoverError] | ErrorCode, str]
    """By the error's own kind, or by its code; placeholders are the error's attributes."""
    refused: str
    """For any other error."""
    accepted: Ending
    declined: Ending
    unknown: Ending
    not_opened: Ending
    from_elsewhere: Ending
    away: Ending
    dead: Mapping[LinkState, Ending]

    def intro_of(self, link: LinkView) -> str:
        """Say in a sentence what is asked."""
        text = self.intro if link.kind is not TransferKind.MOVE_TO_GROUP else self.intro_group
        return text.format(sender=link.sender, group=link.group)

    def follows_of(self, link: LinkView) -> list[str]:
        """List what follows from accepting."""
        texts = self.follows[link.kind, link.connection]
        if link.kind is TransferKind.MOVE_TO_GROUP:
            texts = (*texts, self.sender_owns if link.owner_changes else self.owner_stays)
        return [text.format(group=link.group, sender=link.sender) for text in texts]

    def error_of(self, error: HandoverError) -> str:
        """Say what is wrong and what to do; an error's own text is English, and for programs."""
        text = self.errors.get(type(error)) or self.errors.get(error.code, self.refused)
        return text.format(**vars(error))
