"""What a transfer would do, before anybody asks for it: the same rules over the same facts, and nothing written."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.charge_point import Holding
from domain.consequences import Planned
from domain.errors import Refusal, TransferInProgress
from domain.ids import ChargePointId, GroupId, UserId
from domain.kinds import FoundBy, rules_of
from domain.policy import Policy
from domain.request import TransferRequest
from domain.rights import UNDER_WAY, ToOneself
from domain.transfer import DeviceSteps, StepName
from persistence.chargers import catalogue, keys_in_use
from persistence.chargers.catalogue import Model, Support
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.tables import ChargePoint
from persistence.transfers import eligibility, transfers
from persistence.transfers.eligibility import Facts
from persistence.transfers.transfers import Requested


@dataclass(frozen=True)
class Rehearsal:
    """What would happen. `blockers` are the refusals that a start would meet, the first one first.

    An address is not looked up, but for the caller's own: neither the answer nor its time tells whether it has an
    account.
    """

    planned: Planned
    steps: DeviceSteps
    supported: dict[StepName, Support]
    blockers: list[Refusal]


class DryRuns:
    """Tries requests out. Raises Unavailable where the database is away."""

    def __init__(self, db: Database, cool_down: timedelta) -> None:
        """Take the database, and how long an owner change cools down."""
        self._db = db
        self._cool_down = cool_down

    async def try_out(self, caller: Caller, charge_point_id: ChargePointId, request: TransferRequest) -> Rehearsal:
        """Say what a start of `request` would do; raises NotFound for an unknown charge point."""
        now = datetime.now(UTC)
        asked = Requested(caller.id, caller.scopes, charge_point_id, request, now, Policy())
        async with self._db.reading() as rows:
            facts = await eligibility.gather(rows, asked)
            blockers: list[Refusal] = []
            after = await _allowed(blockers, lambda: eligibility.check_rights(rows, facts))
            await _allowed(blockers, lambda: _cooled_down(facts, now, self._cool_down))
            await _allowed(blockers, lambda: _unreserved(rows, facts))
            if request.address and request.address.value in {caller.email, caller.phone}:
                blockers.append(ToOneself())
            row = await rows.get_one(ChargePoint, charge_point_id)
            after = after or _wished(facts)
            before = facts.charge_point.holding
            planned = Planned(
                kind=request.kind,
                connection=request.connection,
                owner_changes=after is None or after.owner_id != before.owner_id,
                group_changes=after is None or after.group_id != before.group_id,
                key=await keys_in_use.read(rows, charge_point_id),
                takes_from_owner=eligibility.takes_from_owner(facts, after),
            )
            return Rehearsal(
                planned=planned,
                steps=eligibility.steps_for(facts, after),
                supported=await catalogue.known(rows, Model(row.ocpp, row.vendor, row.model)),
                blockers=blockers,
            )


def _wished(facts: Facts) -> Holding | None:
    """Say who would have it if nothing were in the way; None where that follows from a recipient's address."""
    request, before = facts.request, facts.charge_point.holding
    if rules_of(request.kind).found_by is FoundBy.RECIPIENT:
        return None
    return Holding(UserId(request.user_id or before.owner_id), GroupId(request.group_id or before.group_id))


async def _cooled_down(facts: Facts, now: datetime, cool_down: timedelta) -> None:
    eligibility.check_waiting_time(facts, now, cool_down)


async def _unreserved(rows: AsyncSession, facts: Facts) -> None:
    if await transfers.active_on(rows, facts.charge_point.id) is not None:
        raise TransferInProgress(UNDER_WAY)


async def _allowed(blockers: list[Refusal], check: Callable[[], Awaitable[Holding | None]]) -> Holding | None:
    try:
        return await check()
    except Refusal as refusal:
        blockers.append(refusal)
        return None
