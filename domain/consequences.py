"""What a transfer takes along, what it leaves behind, and what is better known of the key before; words are others'."""

from dataclasses import dataclass
from enum import StrEnum

from domain.keys import KeyInUse, KnownTo
from domain.kinds import TransferKind, rules_of
from domain.transfer import Connection


class Consequence(StrEnum):
    """Something that goes with the charge point, or does not."""

    POINT_MOVES = "point_moves"
    """Its name, model, location and installation limits."""
    OWNER_CHANGES = "owner_changes"
    GROUP_CHANGES = "group_changes"
    ACCESS_KEPT = "access_kept"
    """Tags, share codes, guests' access, tariff and schedules: the group stays."""
    KEY_KEPT = "key_kept"
    """The charger keeps its credentials: the owner stays."""
    SESSIONS_STAY = "sessions_stay"
    HISTORY_STAYS = "history_stays"
    ACCESS_STAYS = "access_stays"
    """Tags, share codes and guests' access are the present group's."""
    TARIFF_ENDS = "tariff_ends"
    KEY_DELETED = "key_deleted"
    """The credentials end; the new owner connects the charger afresh."""
    KEY_TO_BE_TYPED = "key_to_be_typed"
    """People know them: they end once the new owner has typed new ones."""
    KEY_REPLACED = "key_replaced"
    """The charger is sent new ones."""


class KeyNote(StrEnum):
    """What is better known of the key in use before its owner changes."""

    KNOWN_TO_CHARGER = "key_known_to_charger"
    KNOWN_TO_PEOPLE = "key_known_to_people"
    DELETE_RECOMMENDED = "delete_recommended"
    """Deleting the connection ends it with the change of ownership."""
    OPEN_LINE = "open_line"
    """It was sent over a line that is not encrypted."""


@dataclass(frozen=True)
class Planned:
    """What a transfer would change."""

    kind: TransferKind
    connection: Connection
    owner_changes: bool
    group_changes: bool
    key: KeyInUse | None
    """The one in use."""
    takes_from_owner: bool = False
    """The present owner did not ask for it."""

    @property
    def moves(self) -> tuple[Consequence, ...]:
        """List what goes with the charge point."""
        moves = [Consequence.POINT_MOVES]
        if self.owner_changes:
            moves.append(Consequence.OWNER_CHANGES)
        moves.append(Consequence.GROUP_CHANGES if self.group_changes else Consequence.ACCESS_KEPT)
        if not self.owner_changes and self.connection is Connection.KEEP:
            moves.append(Consequence.KEY_KEPT)
        return tuple(moves)

    @property
    def stays(self) -> tuple[Consequence, ...]:
        """List what does not."""
        stays = [Consequence.SESSIONS_STAY, Consequence.HISTORY_STAYS]
        if self.group_changes:
            stays += [Consequence.ACCESS_STAYS, Consequence.TARIFF_ENDS]
        if self.connection is Connection.DELETE:
            stays.append(Consequence.KEY_DELETED)
        elif self.owner_changes:
            known = self.key is not None and self.key.known_to is KnownTo.PEOPLE
            stays.append(Consequence.KEY_TO_BE_TYPED if known else Consequence.KEY_REPLACED)
        return tuple(stays)

    @property
    def key_notes(self) -> tuple[KeyNote, ...]:
        """List what there is to know of the key; nothing where the owner stays or there is none."""
        if self.key is None or not self.owner_changes:
            return ()
        notes = [KeyNote.KNOWN_TO_CHARGER]
        if self.key.known_to is KnownTo.PEOPLE:
            notes = [KeyNote.KNOWN_TO_PEOPLE]
            if rules_of(self.kind).may_delete and self.connection is Connection.KEEP:
                notes.append(KeyNote.DELETE_RECOMMENDED)
        if self.key.open_line:
            notes.append(KeyNote.OPEN_LINE)
        return tuple(notes)
