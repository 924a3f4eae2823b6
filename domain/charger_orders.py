"""What somebody may have a charger told outside any transfer: a fresh key, a restart; who may ask for it, and when."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from domain.charger import RestartAnswer
from domain.errors import NotAllowed, NotPossible, TransferInProgress
from domain.ids import UserId
from domain.keys import KnownTo
from domain.transfer import Attention

#: How long after it was given an order to a charger proves that somebody wants it.
PROVES_FOR: Final = timedelta(minutes=5)
#: Why a charger that a transfer is at can't be told anything else.
AT_WORK: Final = "The charge point has a transfer under way; wait for its end."


class ChargerOrder(StrEnum):
    """The orders that there are; on the wire, and in workflow ids."""

    ROTATE_KEY = "rotate_key"
    """A fresh key over the open connection, in place of its owner's own."""
    IDENTIFY = "identify"
    """A restart, so that whoever stands before it sees whether it is this one."""


#: The answers after which it restarts.
RESTARTS: Final = frozenset({RestartAnswer.ACCEPTED, RestartAnswer.SCHEDULED})


@dataclass(frozen=True)
class KeyFacts:
    """What says whether a fresh key may be sent in place of a charge point's key."""

    known_to: KnownTo | None
    """Of the key in use; None where there is none."""
    owners: bool
    """It was given or made under the present owner, or under the one who has it again after a roll-back."""
    other_awaited: bool
    """Another key is waited for: its owner is to type it, or a transfer has left it due."""
    transfer_at_work: bool
    """A transfer is past the acceptance."""


@dataclass(frozen=True)
class Facts:
    """What says whether a charger may be told something now."""

    owner_id: UserId
    key: KeyFacts
    attention: Attention
    """What the transfer that is at work waits for."""
    connected: bool
    quarantined: bool
    session_running: bool


#: What somebody wants, in the words of a refusal.
_WISHES: Final = {
    ChargerOrder.ROTATE_KEY: "have its key replaced",
    ChargerOrder.IDENTIFY: "have it restarted",
}
_TYPE_ONE: Final = "have new credentials made (POST /v1/charge-points/{id}/connection) and type them into the charger."


def check_keeper(owner_id: UserId, caller: UserId, *, operator: bool, wish: str) -> None:
    """Raise NotAllowed unless the caller is the charge point's owner, or an operator; `wish` says what they want."""
    if caller != owner_id and not operator:
        raise NotAllowed(f"Only the charge point's owner, or an operator, may {wish}; ask them.")


def check_asker(order: ChargerOrder, owner_id: UserId, caller: UserId, *, operator: bool) -> None:
    """Raise NotAllowed unless the caller may have the charger told that: its owner, or an operator.

    After a change of owner that is who received it, whose transfer may still wait for a key of theirs.
    """
    check_keeper(owner_id, caller, operator=operator, wish=_WISHES[order])


def check_replaceable(key: KeyFacts) -> None:
    """Raise TransferInProgress or NotPossible unless a fresh key may be sent in place of the one in use.

    What a former owner may know is never replaced so: whoever holds the connection with it would be sent the new one.
    """
    if key.transfer_at_work:
        raise TransferInProgress(AT_WORK)
    if key.known_to is None:
        raise NotPossible(f"The charge point has no key: {_TYPE_ONE}")
    if key.known_to is KnownTo.PEOPLE and not key.owners:
        raise NotPossible(
            f"The key in use is older than its owner's time, so a former owner may know it: {_TYPE_ONE} "
            "Only that ends it."
        )
    if key.other_awaited:
        raise NotPossible(f"Another new key is waited for: type that one in, or {_TYPE_ONE}")


def check_order(order: ChargerOrder, facts: Facts) -> None:
    """Raise TransferInProgress or NotPossible where the charger can't be told that now.

    Only over a connection that may do what an ordinary one may: whoever is in quarantine is told nothing. A restart is
    no hindrance to a transfer that waits for its new owner's key, and helps to find the charger that it goes into.
    """
    if order is ChargerOrder.ROTATE_KEY:
        check_replaceable(facts.key)
    elif facts.key.transfer_at_work and facts.attention is not Attention.NEW_KEY:
        raise TransferInProgress(AT_WORK)
    if facts.quarantined:
        raise NotPossible(f"What is connected is in quarantine, where it is told nothing: {_TYPE_ONE}")
    if not facts.connected:
        raise NotPossible("The charger is not connected: see to its power and network, and ask again once it is.")
    if order is ChargerOrder.IDENTIFY and facts.session_running:
        raise NotPossible("A charging session runs, which a restart would end: ask again once it has ended.")
