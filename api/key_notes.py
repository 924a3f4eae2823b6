"""What a dry run says of the key in use: who can know it, and what is better done about that."""

from typing import Final

from domain.keys import KeyInUse, KnownTo
from domain.kinds import TransferKind, rules_of
from domain.transfer import Connection
from persistence.views.dry_run import Rehearsal

_ENDS: Final = {
    Connection.KEEP: "It ends once the new owner has typed a new one into the charger, which the transfer waits for.",
    Connection.DELETE: "It ends with the change of ownership.",
}
_DELETE: Final = (
    "Choose the connection delete: the key then ends with the change of ownership, so that nobody who knows it can "
    "pass for the charger afterwards. The new owner connects the charger afresh."
)
_OPEN_LINE: Final = (
    "The key was sent over ws, a line that is not encrypted: whoever saw the network has read it. Connect the charger "
    "over wss before you transfer it, or have the new owner type in new credentials."
)


def notes_on_key(rehearsal: Rehearsal, kind: TransferKind, connection: Connection) -> dict[str, str]:
    """Give what there is to know, by a word for programs; nothing where the owner stays or there is no key."""
    key = rehearsal.key
    if key is None or not rehearsal.owner_changes:
        return {}
    notes = {"key_known_to_charger": _seen(key)}
    if key.known_to is KnownTo.PEOPLE:
        known = "People can know the key in use: it was imported, shown or typed, and the present owner may have it."
        notes = {"key_known_to_people": f"{known} {_ENDS[connection]}"}
        if rules_of(kind).may_delete and connection is Connection.KEEP:
            notes["delete_recommended"] = _DELETE
    if key.open_line:
        notes["open_line"] = _OPEN_LINE
    return notes


def _seen(key: KeyInUse) -> str:
    serials = f" (serial number: {', '.join(key.serials)})" if key.serials else ""
    since = key.since.isoformat(timespec="seconds").replace("+00:00", "Z")
    return (
        f"Only what was connected at {since}{serials} can know the key in use: that is what we saw, not what hangs on "
        "the wall."
    )
