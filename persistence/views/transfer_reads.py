"""What a caller may see of transfers, of requests that are still to start, and of audit trails; it is read-only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charge_point import Holding
from domain.errors import NotFound
from domain.ids import ChargePointId, GroupId, TransferId, UserId
from domain.kinds import Decider, TransferKind, kinds_that
from domain.request import TransferRequest
from domain.rights import Role
from domain.transfer import Attention, TransferState
from persistence.chargers import charger_changes, credentials
from persistence.chargers.charger_changes import Changes
from persistence.people import accounts
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, Membership, Request, Transfer, TransferStep
from persistence.transfers import recipients
from persistence.vault import Vault
from persistence.views.transfer_views import EventView, TransferView, event_view, requested_view, transfer_view
from persistence.views.visibility import attention_is, now_in_group, of_group, trail_in_sight, transfer_in_sight

NO_TRANSFER: Final = "There is no such transfer, or you have no part in it."


@dataclass(frozen=True)
class TransferFilter:
    """Which transfers are wanted; None: any. `before` is the place (requested_at, id) of the last one seen."""

    state: TransferState | None = None
    attention: Attention | None = None
    kind: TransferKind | None = None
    charge_point_id: ChargePointId | None = None
    group_id: GroupId | None = None
    """Of either side, or the charge point's now. A request that has not started: the charge point's now."""
    requested_before: datetime | None = None
    before: tuple[datetime, TransferId] | None = None


class TransferReads:
    """Answers one caller; each method is one short read. Raises Unavailable where the database is away.

    A request may become a transfer between two statements, of which each sees what is committed by then: whoever looks
    for both looks for the transfer last.
    """

    def __init__(self, db: Database, vault: Vault) -> None:
        """Take the database, and the vault that unseals a request's body."""
        self._db = db
        self._vault = vault

    async def exists(self, transfer_id: TransferId) -> bool:
        """Whether there is such a transfer or request, whoever may see it."""
        async with self._db.reading() as rows:
            return await rows.get(Request, transfer_id) is not None or (
                await rows.get(Transfer, transfer_id) is not None
            )

    async def one(self, caller: Caller, transfer_id: TransferId) -> TransferView:
        """Give one transfer as the caller may know it; raises NotFound.

        Who has got an account with the address that is asked since it was sees it as a recipient who had one.
        """
        async with self._db.reading() as rows:
            if asked := await self._asked_since(rows, caller, transfer_id):
                return asked
            found = await self._transfers(rows, caller, Transfer.id == transfer_id)
            found = found or await self._requests(rows, caller, Request.transfer_id == transfer_id)
            found = found or await self._transfers(rows, caller, Transfer.id == transfer_id)
        if not found:
            raise NotFound(NO_TRANSFER)
        return found[0]

    async def _asked_since(self, rows: AsyncSession, caller: Caller, transfer_id: TransferId) -> TransferView | None:
        """Give a transfer that waits for its recipient, to that one alone, where no account was found at its start."""
        waits = Transfer.state == TransferState.AWAITING_ACCEPTANCE.value
        row = (await rows.scalars(select(Transfer).where(Transfer.id == transfer_id, waits))).one_or_none()
        request = await rows.get(Request, transfer_id)
        if row is None or row.to_owner_id is not None or request is None:
            return None
        if (await recipients.find(rows, row, self._body(request))).acceptor != caller.id:
            return None
        group = await accounts.personal_group(rows, caller.id)
        (view,) = await self._views(rows, caller, [row])
        return replace(view, target=Holding(caller.id, group)) if group else None

    async def page(self, caller: Caller, wanted: TransferFilter, limit: int) -> list[TransferView]:
        """List transfers, the latest request first."""
        async with self._db.reading() as rows:
            waiting: list[TransferView] = []
            if wanted.state in {None, TransferState.REQUESTED} and wanted.attention in {None, Attention.NONE}:
                waiting = await self._requests(rows, caller, *_of_requests(wanted, caller), limit=limit)
            found = await self._transfers(rows, caller, *_of_transfers(wanted, caller), limit=limit)
        known = {view.id for view in found}
        found += [view for view in waiting if view.id not in known]
        return sorted(found, key=lambda view: (view.requested_at, view.id), reverse=True)[:limit]

    async def events(self, caller: Caller, transfer_id: TransferId, *, after: int = 0, limit: int) -> list[EventView]:
        """List the audit trail in order, from the entry behind `after`; raises NotFound.

        Who is only asked whether they accept does not see it; who may not know the recipient sees them unnamed.
        """
        wanted = select(AuditEvent).where(AuditEvent.subject == transfer_id, AuditEvent.sequence > after)
        async with self._db.reading() as rows:
            row = (await rows.execute(_joined(Transfer.id == transfer_id, trail_in_sight(caller)))).first()
            if row is None and not await self._requests(rows, caller, Request.transfer_id == transfer_id):
                row = (await rows.execute(_joined(Transfer.id == transfer_id, trail_in_sight(caller)))).first()
                if row is None:
                    raise NotFound(NO_TRANSFER)
            entries = (await rows.scalars(wanted.order_by(AuditEvent.sequence).limit(limit))).all()
        return [event_view(entry, row[0] if row else None, caller) for entry in entries]

    async def _transfers(
        self, rows: AsyncSession, caller: Caller, *which: ColumnElement[bool], limit: int = 1
    ) -> list[TransferView]:
        wanted = _joined(*which, transfer_in_sight(caller)).order_by(Transfer.requested_at.desc(), Transfer.id.desc())
        return await self._views(rows, caller, [row[0] for row in await rows.execute(wanted.limit(limit))])

    async def _views(self, rows: AsyncSession, caller: Caller, found: Sequence[Transfer]) -> list[TransferView]:
        steps = await _steps(rows, [row.id for row in found])
        of_groups = kinds_that(lambda rules: rules.decider is Decider.TARGET_GROUP_OWNERS)  # others take the same time
        owners = await _owners(rows, {row.to_group_id for row in found if row.kind in of_groups and row.to_group_id})
        settled = await credentials.settled_among(rows, [row.id for row in found])
        sendings = await credentials.sendings_among(rows, [row.id for row in found])
        changes = await charger_changes.of(rows, [row.id for row in found])
        return [
            transfer_view(
                row,
                steps.get(row.id, []),
                owners.get(row.to_group_id, frozenset()),
                caller,
                key_settled=row.id in settled,
                at_charger=changes.get(row.id, Changes()),
                sendings=sendings.get(row.id, 0),
            )
            for row in found
        ]

    async def _requests(
        self, rows: AsyncSession, caller: Caller, *which: ColumnElement[bool], limit: int = 1
    ) -> list[TransferView]:
        """Read requests that no transfer came of yet: for who asked, and operators."""
        wanted = (
            select(Request, ChargePoint)
            .join(ChargePoint, ChargePoint.id == Request.charge_point_id)
            .where(*which, ~select(Transfer.id).where(Transfer.id == Request.transfer_id).exists())
            .order_by(Request.requested_at.desc(), Request.transfer_id.desc())
            .limit(limit)
        )
        if not caller.operator:
            wanted = wanted.where(Request.user_id == caller.id)
        found = (await rows.execute(wanted)).all()
        return [requested_view(request, point, self._body(request)) for request, point in found]

    def _body(self, request: Request) -> TransferRequest:
        return TransferRequest.model_validate_json(self._vault.unseal(request.sealed_body))


def _joined(*which: ColumnElement[bool]) -> Select[Transfer]:
    return select(Transfer).join(ChargePoint, ChargePoint.id == Transfer.charge_point_id).where(*which)


def _of_transfers(wanted: TransferFilter, caller: Caller) -> list[ColumnElement[bool]]:
    which = []
    if wanted.state is not None:
        which.append(Transfer.state == wanted.state.value)
    if wanted.attention is not None:
        which.append(attention_is(wanted.attention, caller))
    if wanted.kind is not None:
        which.append(Transfer.kind == wanted.kind.value)
    if wanted.charge_point_id is not None:
        which.append(Transfer.charge_point_id == wanted.charge_point_id)
    if wanted.group_id is not None:
        which.append(of_group(caller, wanted.group_id))
    if wanted.requested_before is not None:
        which.append(Transfer.requested_at < wanted.requested_before)
    if wanted.before is not None:
        which.append(_before(Transfer.requested_at, Transfer.id, wanted.before))
    return which


def _of_requests(wanted: TransferFilter, caller: Caller) -> list[ColumnElement[bool]]:
    which = []
    if wanted.kind is not None:
        which.append(Request.kind == wanted.kind.value)
    if wanted.charge_point_id is not None:
        which.append(Request.charge_point_id == wanted.charge_point_id)
    if wanted.group_id is not None:
        which.append(now_in_group(caller, wanted.group_id))
    if wanted.requested_before is not None:
        which.append(Request.requested_at < wanted.requested_before)
    if wanted.before is not None:
        which.append(_before(Request.requested_at, Request.transfer_id, wanted.before))
    return which


def _before(at: Any, key: Any, place: tuple[datetime, TransferId]) -> ColumnElement[bool]:
    return or_(at < place[0], and_(at == place[0], key < place[1]))


async def _steps(rows: AsyncSession, ids: Sequence[str]) -> dict[str, list[TransferStep]]:
    wanted = select(TransferStep).where(TransferStep.transfer_id.in_(ids)).order_by(TransferStep.position)
    found: dict[str, list[TransferStep]] = {}
    for step in await rows.scalars(wanted) if ids else ():
        found.setdefault(step.transfer_id, []).append(step)
    return found


async def _owners(rows: AsyncSession, groups: set[str]) -> dict[str | None, frozenset[UserId]]:
    """Give the owners of each group: who decides on a move into it."""
    wanted = select(Membership.group_id, Membership.user_id).where(
        Membership.group_id.in_(groups), Membership.role == Role.OWNER.value
    )
    found: dict[str | None, set[UserId]] = {}
    for group_id, user_id in (await rows.execute(wanted)).all() if groups else ():
        found.setdefault(group_id, set()).add(UserId(user_id))
    return {group_id: frozenset(owners) for group_id, owners in found.items()}
