"""The charging sessions of a charge point: each holder's own, and what operators do about those that are in doubt."""

from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, Path, Query

from api import cursors, example_bodies, examples, schemas
from api.bodies import EndSessionBody, SettleSessionsBody
from api.dependencies import Backend, BackendDep, CallerDep, Cursor, KeyDep, Limit, PathId, act_id, no_query
from api.describing import call
from api.paging import cut
from domain.actors import operator
from domain.errors import ErrorCode, NotAllowed, Unavailable
from domain.ids import ChargePointId
from domain.orders import OrderAct
from domain.trail import of_charge_point
from persistence.intake.idempotency import Repeatable
from persistence.intake.orders import NewOrder
from persistence.people.callers import Caller
from workflows.messages import SESSION_ENDED

router = APIRouter(prefix="/charge-points/{charge_point_id}", tags=["charging sessions"])
#: Behind every id.
_LATEST: Final = 2**31 - 1
_SessionId = Annotated[int, Path(ge=0, lt=_LATEST, description="The session's id.")]
_End = Annotated[EndSessionBody, Body(openapi_examples=example_bodies.END_SESSION_BODIES)]
_Settle = Annotated[SettleSessionsBody, Body(openapi_examples=example_bodies.SETTLE_BODIES)]
_BY_OPERATORS: Final = (ErrorCode.NOT_ALLOWED, ErrorCode.NOT_FOUND)


@router.get(
    "/sessions",
    **call(
        "list_charging_sessions",
        "List charging sessions",
        examples.SESSIONS,
        *(ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST),
    ),
)
async def sessions(
    caller: CallerDep,
    backend: BackendDep,
    charge_point_id: PathId,
    cursor: Cursor = None,
    limit: Limit = 50,
    in_doubt: Annotated[bool, Query(description="Only those whose doubts nobody has settled.")] = False,
) -> schemas.Page[schemas.ChargingSession]:
    """List the charging sessions of a charge point, with their energy, the latest first.

    Members of its group see those that are booked to their group, a former owner their own, an operator all.
    """
    found = await backend.charging_reads.sessions(
        caller,
        ChargePointId(charge_point_id),
        before=cursors.number(cursor, start=_LATEST),
        limit=limit + 1,
        in_doubt=in_doubt,
    )
    shown = [schemas.ChargingSession.model_validate(view) for view in found]
    return cut(shown, limit, lambda last: cursors.of_number(last.id))


@router.get(
    "/unmatched-stops",
    **call(
        "list_unmatched_stops",
        "List stops that fit no session",
        examples.UNMATCHED_STOPS,
        *(*_BY_OPERATORS, ErrorCode.INVALID_REQUEST),
    ),
)
async def unmatched_stops(
    caller: CallerDep, backend: BackendDep, charge_point_id: PathId, cursor: Cursor = None, limit: Limit = 50
) -> schemas.Page[schemas.UnmatchedStop]:
    """List the stops that fit no session, or several, and that nobody has settled, as an operator."""
    point = await _of_operator(caller, backend, charge_point_id, "see these")
    after = cursors.number(cursor, start=0)
    found = await backend.charging_reads.unmatched_stops(point, after=after, limit=limit + 1)
    shown = [schemas.UnmatchedStop.model_validate(view) for view in found]
    return cut(shown, limit, lambda last: cursors.of_number(last.id))


@router.post(
    "/sessions/{session_id}/end",
    dependencies=[Depends(no_query)],
    **call(
        "end_charging_session",
        "End a charging session by hand",
        examples.ENDED_SESSION,
        *(*_BY_OPERATORS, ErrorCode.NOT_POSSIBLE),
        answered="It has ended.",
        post=True,
    ),
)
async def end(
    caller: CallerDep, backend: BackendDep, charge_point_id: PathId, session_id: _SessionId, body: _End, key: KeyDep
) -> schemas.ChargingSession:
    """End a charging session whose stop is lost, as an operator, with a reason for the audit trail.

    It ends now, with the last meter reading; or as a stop says that fitted none (`stop_id`). The charger is told
    nothing: make sure that nobody charges there, as a transfer that waits for the session goes on. A stop that is
    reported later corrects it. `not_possible` where it has ended already.
    """
    point = await _of_operator(caller, backend, charge_point_id, "end a charging session")
    call = Repeatable(caller.id, key, f"end session {point} {session_id} {body.model_dump_json()}".encode())
    given = _order(caller, point, OrderAct.END_SESSION, key, body.reason)
    limit = backend.options.power_limit
    await backend.session_orders.end(call, given, session_id, stop_id=body.stop_id, power_limit=limit)
    transfer_id = (await backend.reads.charge_point(caller, point)).active_transfer_id
    if transfer_id is not None:  # it is on record: one that does not hear of it now looks by itself
        with suppress(Unavailable):
            await backend.transfers.tell_charger_news(transfer_id, point, SESSION_ENDED)
    return schemas.ChargingSession.model_validate(await backend.charging_reads.session(point, session_id))


@router.post(
    "/sessions/settle",
    dependencies=[Depends(no_query)],
    **call(
        "settle_charging_sessions",
        "Settle what is in doubt",
        examples.SETTLED_SESSIONS,
        *(*_BY_OPERATORS, ErrorCode.NOT_POSSIBLE),
        answered="What was settled.",
        post=True,
    ),
)
async def settle(
    caller: CallerDep, backend: BackendDep, charge_point_id: PathId, body: _Settle, key: KeyDep
) -> schemas.SettledSessions:
    """Settle what is in doubt of a charge point's sessions, as an operator, with a reason for the audit trail.

    Without `session_ids` and `stop_ids` all that is in doubt at this moment. With `owner_id` the sessions are booked to
    that holder from now on, who is told of it where they are a former one; `not_possible` where they did not have the
    charge point before a session ended. Where nothing is left, the finding `sessions_in_doubt` is settled, too.
    """
    point = await _of_operator(caller, backend, charge_point_id, "settle charging sessions")
    settled = await backend.session_orders.settle(
        Repeatable(caller.id, key, f"settle sessions {point} {body.model_dump_json()}".encode()),
        _order(caller, point, OrderAct.SETTLE_SESSIONS, key, body.reason),
        session_ids=body.session_ids,
        stop_ids=body.stop_ids,
        owner_id=body.owner_id,
    )
    return schemas.SettledSessions.model_validate(settled)


async def _of_operator(caller: Caller, backend: Backend, charge_point_id: str, wish: str) -> ChargePointId:
    """Give the charge point, where the caller is an operator; raises NotFound, NotAllowed."""
    view = await backend.reads.charge_point(caller, ChargePointId(charge_point_id))
    if not caller.operator:
        raise NotAllowed(f"Only an operator may {wish}; this takes a key with the scope operator.")
    return view.id


def _order(caller: Caller, point: ChargePointId, act: OrderAct, key: str | None, reason: str) -> NewOrder:
    subject, actor = of_charge_point(point), operator(caller.id)
    return NewOrder(subject, act, actor, request_id=act_id(caller, key), reason=reason)
