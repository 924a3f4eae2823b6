"""The examples of the bodies that are sent, for the OpenAPI document."""

from typing import Any, Final

START_BODIES: Final[dict[str, Any]] = {
    "move_to_group": {
        "summary": "Move it to another group",
        "value": {"kind": "move_to_group", "group_id": "harbour"},
    },
    "transfer_ownership": {
        "summary": "Give it to another owner or admin of its group",
        "value": {"kind": "transfer_ownership", "user_id": "ben", "until_new_key": "quarantine"},
    },
    "transfer_to_user": {
        "summary": "Give it to a user, found by e-mail or phone",
        "value": {
            "kind": "transfer_to_user",
            "recipient": "chloe@example.com",
            "connection": "keep",
            "expires_in": "P3D",
            "message": "Bay 1 is yours from Monday on.",
        },
    },
}
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
