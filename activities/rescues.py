"""What ended transfers have left to do at chargers, on SQLite or PostgreSQL."""

from datetime import UTC, datetime

from activities.contracts import Done, Rescue, Rescues, TransferRef
from domain.ids import ChargePointId
from domain.transfer import TransferWarning
from persistence import audit, rescues, transfers
from persistence.session import Database


class DatabaseRescues(Rescues):
    """Each step one transaction."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._db = database

    async def begin(self, ref: TransferRef) -> Rescue:
        """Read what is left, and note the try; a repeat reads again."""
        async with self._db.writing() as session:
            row = await transfers.get(session, ref.transfer_id)
            row.rescue_tried_at = datetime.now(UTC)
            return Rescue(
                ready=await rescues.is_ready(session, row),
                charge_point_id=ChargePointId(row.charge_point_id),
                lists=TransferWarning.LISTS_DUE in row.warnings,
                release=TransferWarning.RELEASE_DUE in row.warnings,
            )

    async def settle(self, ref: TransferRef) -> Done:
        """Clear the warnings, once; a repeat finds nothing left to do."""
        async with self._db.writing() as session:
            row = await transfers.get(session, ref.transfer_id)
            if row.due:
                cleared = await rescues.settle(session, row)
                detail = {"cleared": ",".join(cleared)}
                await audit.append(
                    session, ref.transfer_id, actor="system", action="settled", once="settled", detail=detail
                )
            return Done()
