"""How a transfer stands, for readers: attention, steps, audit trail."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.records import Note, Noted, Records
from activities.rows import changes_of
from domain import trail
from domain.actors import TEMPORAL_UI, Actor
from domain.ids import OrderId
from domain.orders import OrderAct
from domain.transfer import FINAL, OperatorAction, TransferState
from persistence.intake import orders
from persistence.session import Database
from persistence.transfers import audit, steps, transfers
from persistence.vault import fingerprint


class DatabaseRecords(Records):
    """The read model on SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        """Take what it is written to."""
        self._db = database

    async def note(self, note: Note) -> Noted:
        """Write what the note says; a repeat writes the same, and its audit entry once.

        What a transfer waits for is written while it is under way: a late note can't bring it back.
        """
        async with self._db.writing() as rows:
            row = await transfers.get(rows, note.transfer_id)
            if TransferState(row.state) not in FINAL:
                if note.state is not None:
                    transfers.enter(row, note.state, datetime.now(UTC))
                    row.reason = note.reason.value if note.reason else row.reason
                row.attention, row.waiting_until = note.attention.value, note.waiting_until
            await steps.note(rows, note.transfer_id, changes_of(note.steps))
            if note.action is not None:
                once = trail.noted(note.action, note.detail.get("update", ""))
                await audit.append(
                    rows, note.transfer_id, actor=Actor(note.actor), action=note.action, detail=note.detail, once=once
                )
            if note.resolution is not None:
                return Noted(order_id=await _note_resolution(rows, note, note.resolution))
            return Noted()


async def _note_resolution(rows: AsyncSession, note: Note, resolution: OperatorAction) -> OrderId | None:
    """Write what was done as theirs who ordered it, and say by which order; one that nobody did as the Temporal UI's.

    An order proves the one update that it was carried out by. The id of that is whatever somebody sent: what tells it
    from others is kept of it.
    """
    action, update = trail.of_resolution(resolution), fingerprint(note.detail.get("update", ""))[:32]
    once = trail.noted(action, update)
    found = await orders.find(rows, note.transfer_id, OrderAct(resolution.value), note.order_id)
    order = orders.prove(found, once) if found is None or found.refusal is None else None
    order_id = OrderId(order.id) if order else None
    await audit.append(
        rows,
        note.transfer_id,
        actor=Actor(order.actor) if order else TEMPORAL_UI,
        action=action,
        detail=note.detail | {"update": update},
        order_id=order_id,
        once=once,
    )
    return order_id
