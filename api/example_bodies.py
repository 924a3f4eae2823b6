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
