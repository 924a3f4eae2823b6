"""What a caller may see of transfers, of requests that are still to start, and of audit trails; it is read-only."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charge_point import Holding
from domain.errors import NotFound
from domain.ids import TransferId, UserId
from domain.kinds import Decider, kinds_that
from domain.request import TransferRequest
from domain.rights import Role
from domain.transfer import BEFORE_CHANGE, StepName, StepState, TransferState
from persistence.chargers import charger_changes, credentials
from persistence.chargers.charger_changes import Changes
from persistence.chargers.credentials import OrderKeys
from persistence.people import accounts
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.tables import AuditEvent, Membership, Request, Transfer, TransferStep
from persistence.transfers import recipients
from persistence.vault import Vault
from persistence.views.transfer_filter import TransferFilter
from persistence.views.transfer_pages import page_of_requests, page_of_transfers, requests_without_transfer
from persistence.views.transfer_views import (
    EventView,
    StepView,
    TransferView,
    event_view,
    requested_view,
    transfer_view,
)
from persistence.views.visibility import trail_in_sight, transfer_in_sight

NO_TRANSFER: Final = "There is no such transfer, or you have no part in it."


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
            it = select(Transfer).where(Transfer.id == transfer_id, transfer_in_sight(caller))
            found = await self._transfers(rows, caller, it)
            found = found or await self._requests(rows, _asked(caller, transfer_id))
            found = found or await self._transfers(rows, caller, it)
        if not found:
            raise NotFound(NO_TRANSFER)
        return found[0]

    async def _asked_since(self, rows: AsyncSession, caller: Caller, transfer_id: TransferId) -> TransferView | None:
        """Give a transfer that waits for its recipient, to that one alone, where no account was found at its start."""
        unknown = Transfer.state == TransferState.AWAITING_ACCEPTANCE.value, Transfer.to_owner_id.is_(None)
        it = select(Transfer, Request).join(Request, Request.transfer_id == Transfer.id)
        asked = (await rows.execute(it.where(Transfer.id == transfer_id, *unknown))).one_or_none()
        if asked is None:
            return None
        row, request = asked
        if (await recipients.find(rows, row, self._body(request))).acceptor != caller.id:
            return None
        group = await accounts.personal_group(rows, caller.id)
        (view,) = await self._views(rows, caller, [row])
        return replace(view, target=Holding(caller.id, group)) if group else None

    async def page(self, caller: Caller, wanted: TransferFilter, limit: int) -> list[TransferView]:
        """List transfers, the latest request first."""
        async with self._db.reading() as rows:
            waiting: list[TransferView] = []
            if wanted.has_requests:
                waiting = await self._requests(rows, page_of_requests(wanted, caller, limit))
            found = await self._transfers(
                rows, caller, page_of_transfers(wanted, caller, limit, lateral=not self._db.is_sqlite)
            )
        known = {view.id for view in found}
        found += [view for view in waiting if view.id not in known]
        return sorted(found, key=lambda view: (view.requested_at, view.id), reverse=True)[:limit]

    async def events(self, caller: Caller, transfer_id: TransferId, *, after: int = 0, limit: int) -> list[EventView]:
        """List the audit trail in order, from the entry behind `after`; raises NotFound.

        Who is only asked whether they accept does not see it; who may not know the recipient sees them unnamed.
        """
        wanted = select(AuditEvent).where(AuditEvent.subject == transfer_id, AuditEvent.sequence > after)
        async with self._db.reading() as rows:
            it = select(Transfer).where(Transfer.id == transfer_id, trail_in_sight(caller))
            row = (await rows.execute(it)).first()
            if row is None and not await self._requests(rows, _asked(caller, transfer_id)):
                row = (await rows.execute(it)).first()
                if row is None:
                    raise NotFound(NO_TRANSFER)
            entries = (await rows.scalars(wanted.order_by(AuditEvent.sequence).limit(limit))).all()
        return [event_view(entry, row[0] if row else None, caller) for entry in entries]

    async def _transfers(self, rows: AsyncSession, caller: Caller, wanted: Select[Transfer]) -> list[TransferView]:
        return await self._views(rows, caller, [row[0] for row in await rows.execute(wanted)])

    async def _views(self, rows: AsyncSession, caller: Caller, found: Sequence[Transfer]) -> list[TransferView]:
        steps = await _steps(rows, [row.id for row in found])
        of_groups = kinds_that(lambda rules: rules.decider is Decider.TARGET_GROUP_OWNERS)  # others take the same time
        owners = await _owners(rows, {row.to_group_id for row in found if row.kind in of_groups and row.to_group_id})
        begun = {row.id: row.charge_point_id for row in found if TransferState(row.state) not in BEFORE_CHANGE}
        keys = await credentials.keys_among(rows, begun) if begun else {}
        changes = await charger_changes.of(rows, list(begun)) if begun else {}
        return [
            transfer_view(
                row,
                steps[row.id],
                owners.get(row.to_group_id, frozenset()),
                caller,
                keys=keys.get(row.id, OrderKeys()),
                at_charger=changes.get(row.id, Changes()),
            )
            for row in found
        ]

    async def _requests(self, rows: AsyncSession, wanted: Select[*tuple[Any, ...]]) -> list[TransferView]:
        found = (await rows.execute(wanted)).all()
        return [requested_view(request, point, self._body(request)) for request, point in found]

    def _body(self, request: Request) -> TransferRequest:
        return TransferRequest.model_validate_json(self._vault.unseal(request.sealed_body))


def _asked(caller: Caller, transfer_id: TransferId) -> Select[*tuple[Any, ...]]:
    """Select the request of a transfer that is still to come: for who asked, and operators."""
    wanted = requests_without_transfer().where(Request.transfer_id == transfer_id)
    return wanted if caller.operator else wanted.where(Request.user_id == caller.id)


_NAMES: Final = {name.value: name for name in StepName}
_STATES: Final = {state.value: state for state in StepState}


async def _steps(rows: AsyncSession, ids: Sequence[str]) -> dict[str, list[StepView]]:
    """Read steps as bare rows: a page has hundreds, and as objects of SQLAlchemy they take longer than all the rest."""
    step = TransferStep.__table__.c
    columns = (step.name, step.state, step.attempts, step.started_at, step.finished_at, step.last_error)
    wanted = select(step.transfer_id, *columns).where(step.transfer_id.in_(ids)).order_by(step.position)
    found: dict[str, list[StepView]] = {id_: [] for id_ in ids}
    for transfer_id, name, state, *more in await rows.execute(wanted) if ids else ():
        if name in _NAMES:  # else it is a newer release's
            found[transfer_id].append(StepView(_NAMES[name], _STATES.get(state, StepState.RUNNING), *more))
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
