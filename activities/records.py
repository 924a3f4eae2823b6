"""How a transfer stands, for readers: attention, steps, audit trail."""

from datetime import UTC, datetime

from activities.contracts import Done, Note, Records
from domain import trail
from domain.transfer import FINAL, TransferState
from persistence import audit, transfers
from persistence.session import Database


class DatabaseRecords(Records):
    """The read model on SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        """Take what it is written to."""
        self._db = database

    async def note(self, note: Note) -> Done:
        """Write what the note says; a repeat writes the same, and its audit entry once.

        What a transfer waits for is written while it is under way, and of an ended one what its letters wait for: a
        late note can't bring it back.
        """
        async with self._db.writing() as session:
            row = await transfers.get(session, note.transfer_id)
            ended = TransferState(row.state) in FINAL
            if not ended and note.state is not None:
                transfers.enter(row, note.state, datetime.now(UTC))
                row.reason = note.reason.value if note.reason else row.reason
            if ended == note.ended:
                row.attention, row.waiting_until = note.attention.value, note.waiting_until
            for step in note.steps:
                await transfers.note_step(
                    session,
                    note.transfer_id,
                    step.name,
                    step.state,
                    last_error=step.last_error,
                    attempts=step.attempts,
                )
            if note.action is not None:
                once = trail.noted(note.action, note.detail.get("update", ""))
                await audit.append(
                    session, note.transfer_id, actor=note.actor, action=note.action, detail=note.detail, once=once
                )
            return Done()
