"""What ended transfers have left to do at chargers, on SQLite or PostgreSQL."""

from datetime import UTC, datetime

from activities.contracts.messages import TransferRef
from activities.contracts.rescues import Rescue, Rescued, Rescues, Settled
from domain.actors import SYSTEM
from domain.ids import ChargePointId
from domain.letters import Subject
from domain.trail import TrailAction
from domain.transfer import TransferWarning
from persistence.session import Database
from persistence.transfers import audit, outbox, rescues, transfers


class DatabaseRescues(Rescues):
    """Each step one transaction."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._db = database

    async def begin(self, ref: TransferRef) -> Rescue:
        """Read what is left, and note the try; a repeat reads again."""
        async with self._db.writing() as rows:
            row = await transfers.get(rows, ref.transfer_id)
            ready = await rescues.is_ready(rows, row)
            row.rescue_tried_at, row.rescue_tries = datetime.now(UTC), row.rescue_tries + ready
            return Rescue(
                ready=ready,
                charge_point_id=ChargePointId(row.charge_point_id),
                lists=TransferWarning.LISTS_DUE in row.warnings or await rescues.has_unsure_list(rows, row),
                release=TransferWarning.RELEASE_DUE in row.warnings or rescues.has_unsure_release(row),
                policy=await transfers.policy_of(rows, ref.transfer_id),
            )

    async def settle(self, rescued: Rescued) -> Settled:
        """Clear the warnings of what was done, once; a repeat finds them cleared."""
        async with self._db.writing() as rows:
            row = await transfers.get(rows, rescued.transfer_id)
            cleared = await rescues.settle(
                rows,
                row,
                lists=rescued.lists,
                release=rescued.release,
                lists_not_supported=rescued.lists_not_supported,
                left_at_lists=[TransferWarning(shortfall.value) for shortfall in rescued.left],
            )
            if cleared:
                detail = {"cleared": ",".join(cleared)}
                await audit.append(rows, rescued.transfer_id, actor=SYSTEM, action=TrailAction.SETTLED, detail=detail)
                if not row.due:
                    await outbox.queue(rows, rescued.transfer_id, [outbox.Letter(Subject.SETTLED)])
            return Settled(done=not row.due)
