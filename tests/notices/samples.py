"""Letters as tests need them: every field given, any of them replaceable."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from domain.transfer import Connection, Reason, TransferKind, TransferState, TransferWarning
from notices.letters import (
    AcceptedLetter,
    AnyLetter,
    AskLetter,
    CodeLetter,
    EndedLetter,
    Part,
    RequestedLetter,
    SettledLetter,
)

ORIGIN = "https://handover.example"
LINK = f"{ORIGIN}/t/0123456789012345678901234567890123456789012"
EXPIRES_AT = datetime(2026, 12, 1, 8, 5, tzinfo=UTC)

ABOUT: dict[str, Any] = {
    "charge_point": "Parking Nord 3",
    "location": "12 rue de l'Église, Lyon",
    "kind": TransferKind.TRANSFER_TO_USER,
    "connection": Connection.KEEP,
    "sender": "Amélie Durand",
    "group": None,
    "owner_changes": True,
    "origin": ORIGIN,
}


def ask(**changes: Any) -> AskLetter:
    given = {"message": None, "expires_at": EXPIRES_AT, "link": LINK, "has_account": True, "reminder": False}
    return AskLetter(**{**ABOUT, **given, **changes})


def code(**changes: Any) -> CodeLetter:
    return CodeLetter(**{**ABOUT, "code": "012345", "expires_at": EXPIRES_AT, **changes})


def requested(**changes: Any) -> RequestedLetter:
    return RequestedLetter(**{**ABOUT, "transfer_id": "tr-1", "recipient": None, **changes})


def accepted(part: Part = Part.SENDER, **changes: Any) -> AcceptedLetter:
    return AcceptedLetter(**{**ABOUT, "part": part, "transfer_id": "tr-1", "accepted_by": "Zoé Martin", **changes})


def ended(
    state: TransferState,
    part: Part = Part.SENDER,
    *,
    reason: Reason | None = None,
    warnings: tuple[TransferWarning, ...] = (),
    **changes: Any,
) -> EndedLetter:
    given = {"charge_point_id": "cp-1", "new_owner": None, "former_owner": False}
    return EndedLetter(**{**ABOUT, **given, **changes}, part=part, state=state, reason=reason, warnings=warnings)


def settled(state: TransferState, part: Part = Part.SENDER, **changes: Any) -> SettledLetter:
    letter = ended(state, part, **changes)
    return SettledLetter(**{field.name: getattr(letter, field.name) for field in fields(letter)})


def every_letter() -> list[AnyLetter]:
    """Every letter there is: kinds, connections, parts, ends, reasons, warnings."""
    kinds: list[dict[str, Any]] = [
        {"kind": kind, "connection": connection, "group": "Équipe Sud" if kind == "move_to_group" else None}
        for kind in TransferKind
        for connection in Connection
    ]
    asks = [
        ask(**kind, has_account=known, reminder=again, message=message)
        for kind in kinds
        for known in (True, False)
        for again in (True, False)
        for message in (None, "Bonjour,\n\nà demain")
    ]
    ends = [
        ended(state, part, **kind, reason=Reason(state.value) if state.value in set(Reason) else None)
        for state in (TransferState.DECLINED, TransferState.CANCELLED, TransferState.EXPIRED)
        for part in Part
        for kind in kinds
    ]
    done = [
        ended(state, part, **kind, new_owner=owner, former_owner=former, warnings=warnings)
        for state, warnings in (
            (TransferState.COMPLETED, ()),
            (TransferState.COMPLETED_WITH_WARNINGS, tuple(TransferWarning)),
        )
        for part in Part
        for kind in kinds
        for owner in (None, "Zoé Martin")
        for former in (True, False)
    ]
    undone = [
        ended(TransferState.ROLLED_BACK, part, **kind, reason=reason, warnings=warnings)
        for part in Part
        for kind in kinds
        for reason in (None, *Reason)
        for warnings in ((), (TransferWarning.LISTS_DUE, TransferWarning.RELEASE_DUE))
    ]
    others: list[AnyLetter] = [
        letter for kind in kinds for letter in (code(**kind), requested(**kind), requested(**kind, recipient="Zoé"))
    ]
    others += [accepted(part, **kind) for part in (Part.SENDER, Part.OWNER) for kind in kinds]
    after = [
        SettledLetter(**{field.name: getattr(letter, field.name) for field in fields(letter)})
        for letter in (*done, *undone)
    ]
    return [*asks, *ends, *done, *undone, *after, *others]
