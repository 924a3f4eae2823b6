"""Which runs may write to a transfer: while it is under way any of its workflow, afterwards those that ended it."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import trail
from domain.actors import SYSTEM, TEMPORAL_UI
from domain.ids import TransferId
from domain.trail import TrailAction
from domain.transfer import FINAL, TransferState
from persistence.tables import Transfer
from persistence.transfers import audit, transfers


async def is_known(rows: AsyncSession, transfer_id: TransferId, run_id: str) -> bool | None:
    """Whether a run is one that reserved the charge point, or went on with the transfer. Only reads.

    None: nobody has reserved anything for it yet.
    """
    found = (await rows.execute(select(Transfer.run_id).where(Transfer.id == transfer_id))).one_or_none()
    if found is None or found.run_id is None:
        return None
    if found.run_id == run_id:
        return True
    return await audit.action_of(rows, transfer_id, trail.taken_up(run_id)) is TrailAction.TAKEN_UP


async def admit(
    rows: AsyncSession, transfer_id: TransferId, run_id: str, *, takes_up: bool = False
) -> TransferState | None:
    """Let another run than those that are known write; else give the state that its transfer has ended in.

    That is a run that somebody has reset to some earlier event: of one that is under way it counts as taken up. Each is
    on record once. `takes_up`: it asks where the transfer stands.
    """
    row = await transfers.get(rows, transfer_id)
    state = TransferState(row.state)
    over = state in FINAL
    if takes_up and not over:
        return None
    await audit.append(
        rows,
        transfer_id,
        actor=TEMPORAL_UI if over else SYSTEM,
        action=TrailAction.RESET if over else TrailAction.TAKEN_UP,
        detail={"state": state.value},
        once=trail.taken_up(run_id),
    )
    return state if over else None
