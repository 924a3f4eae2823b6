"""The examples of the bodies that are sent, for the OpenAPI document."""

from typing import Any, Final, assert_never

from api.bodies import body_of
from domain.kinds import TransferKind


def _start(kind: TransferKind) -> dict[str, Any]:
    match kind:
        case TransferKind.MOVE_TO_GROUP:
            summary, said = "Move it to another group", {"group_id": "harbour"}
        case TransferKind.TRANSFER_OWNERSHIP:
            summary = "Give it to another owner or admin of its group"
            said = {"user_id": "ben", "until_new_key": "quarantine"}
        case TransferKind.TRANSFER_TO_USER:
            summary = "Give it to a user, found by e-mail or phone"
            said = {
                "recipient": "chloe@example.com",
                "connection": "keep",
                "expires_in": "P3D",
                "message": "Bay 1 is yours from Monday on.",
            }
        case _:
            assert_never(kind)
    value = {"kind": kind.value, **said}
    body_of(kind).model_validate(value)
    return {"summary": summary, "value": value}


START_BODIES: Final = {kind.value: _start(kind) for kind in TransferKind}
ACCEPT_BODIES: Final[dict[str, Any]] = {
    "usual": {"summary": "The charger goes on working with a key that people know", "value": {}},
    "quarantine": {"summary": "It does not charge until it has a new key", "value": {"until_new_key": "quarantine"}},
}
RESOLVE_BODIES: Final[dict[str, Any]] = {
    "retry": {"summary": "Try again now", "value": {"action": "retry", "reason": "The charger was restarted on site."}},
}
HOLD_BODIES: Final[dict[str, Any]] = {
    "step": {
        "summary": "By its step",
        "value": {"step": "replace_lists", "reason": "A technician is at the charger until noon."},
    },
}
END_SESSION_BODIES: Final[dict[str, Any]] = {
    "by_hand": {"summary": "Its stop is lost", "value": {"reason": "The driver left on Monday."}},
    "with_a_stop": {"summary": "By a stop that fitted none", "value": {"stop_id": 7, "reason": "It is bay 2's."}},
}
SETTLE_BODIES: Final[dict[str, Any]] = {
    "all": {"summary": "All that is in doubt stays as it is", "value": {"reason": "The clock was set right."}},
    "book": {
        "summary": "A session is another holder's",
        "value": {"session_ids": [41], "owner_id": "amelie", "reason": "It was before the sale."},
    },
}
ERASURE_BODIES: Final[dict[str, Any]] = {
    "asked": {"summary": "They asked for it", "value": {"reason": "Request 4711."}},
}
