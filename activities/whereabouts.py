"""Where a transfer's charger is, as the transfer's own steps are told: with it, that the transfer has ended."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.contracts.messages import TransferRef
from activities.contracts.registry import Whereabouts, WhileAbsent
from activities.ended import ended_by_this_run
from domain.ids import workflow_id
from domain.transfer import FINAL
from persistence.chargers.present_connections import Place
from persistence.transfers import at_charger
from persistence.transfers.at_charger import AtCharger

_BENIGN: Final = ApplicationErrorCategory.BENIGN
_IS_BACK: Final = "The charger was there since: this is done once it is on record that it had been away."


async def read(rows: AsyncSession, ref: TransferRef) -> AtCharger:
    """Say how it is at a transfer's charger; the transfer itself is told that it has ended, if it has."""
    found = await at_charger.of_transfer(rows, ref.transfer_id)
    others = activity.in_activity() and activity.info().workflow_id != workflow_id(ref.transfer_id)
    if found.state in FINAL and not others:
        raise ended_by_this_run(found.state)
    return found


def check_absence(step: WhileAbsent, place: Place) -> None:
    """Fail a try that may be of a lost workflow task, where the charger was there since it was seen to be away."""
    may_be_lost = activity.in_activity() and activity.info().is_local
    if may_be_lost and step.absent_after is not None and (place.node or place.generation != step.absent_after):
        raise ApplicationError(_IS_BACK, type="charger_back", non_retryable=True, category=_BENIGN)


async def look(rows: AsyncSession, ref: TransferRef) -> Whereabouts:
    """Look for a transfer's charger as `read` does, and give what its steps answer."""
    return shown(await read(rows, ref))


def shown(found: AtCharger) -> Whereabouts:
    """Give what was read as steps answer it."""
    return Whereabouts(
        node=found.place.node,
        generation=found.place.generation,
        quarantined=found.place.quarantined,
        session_running=found.session_running,
        enrolment_sent_at=found.enrolment_sent_at,
    )
