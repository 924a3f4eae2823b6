"""What a dry run says of the key in use: who can know it, and what is better done about that."""

from typing import Final, assert_never

from domain.consequences import KeyNote, Planned
from domain.keys import KeyInUse
from domain.transfer import Connection

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


def text_of(note: KeyNote, planned: Planned) -> str:
    """Say in English what there is to know; `planned` has a key."""
    if planned.key is None:
        raise AssertionError("there is no note where there is no key")
    match note:
        case KeyNote.KNOWN_TO_CHARGER:
            return _seen(planned.key)
        case KeyNote.KNOWN_TO_PEOPLE:
            known = (
                "People can know the key in use: it was imported, shown or typed, and the present owner may have it."
            )
            return f"{known} {_ENDS[planned.connection]}"
        case KeyNote.DELETE_RECOMMENDED:
            return _DELETE
        case KeyNote.OPEN_LINE:
            return _OPEN_LINE
        case _:
            assert_never(note)


def _seen(key: KeyInUse) -> str:
    serials = f" (serial number: {', '.join(key.serials)})" if key.serials else ""
    since = key.since.isoformat(timespec="seconds").replace("+00:00", "Z")
    return (
        f"Only what was connected at {since}{serials} can know the key in use: that is what we saw, not what hangs on "
        "the wall."
    )
