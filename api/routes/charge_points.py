"""The charge points of the caller's groups, and their ledger."""

from fastapi import APIRouter, Depends, Response

from api import cursors, schemas
from api.dependencies import CallerDep, Cursor, KeyDep, Limit, PartsDep, PathId, no_query
from api.paging import cut
from domain.errors import NotAllowed
from domain.ids import ChargePointId
from persistence.doorway import Repeatable

router = APIRouter(prefix="/charge-points", tags=["charge points"])


@router.get("")
async def charge_points(
    caller: CallerDep, parts: PartsDep, cursor: Cursor = None, limit: Limit = 50
) -> schemas.Page[schemas.ChargePoint]:
    """List the charge points of the caller's groups, by id; an operator's list has all."""
    found = await parts.reads.charge_points(caller, after=cursors.id_(cursor), limit=limit + 1)
    shown = [schemas.ChargePoint.model_validate(view) for view in found]
    return cut(shown, limit, lambda last: cursors.of_id(last.id))


@router.get("/{charge_point_id}")
async def charge_point(caller: CallerDep, parts: PartsDep, charge_point_id: PathId) -> schemas.ChargePoint:
    """Give one charge point."""
    view = await parts.reads.charge_point(caller, ChargePointId(charge_point_id))
    return schemas.ChargePoint.model_validate(view)


@router.post("/{charge_point_id}/connection", status_code=201, dependencies=[Depends(no_query)])
async def connect_afresh(
    caller: CallerDep, parts: PartsDep, charge_point_id: PathId, key: KeyDep, response: Response
) -> schemas.Credentials:
    """Give new credentials to type into the charger, shown once; all others end. For its owner, and operators."""
    point = ChargePointId(charge_point_id)
    view = await parts.reads.charge_point(caller, point)
    if caller.id != view.owner_id and not caller.operator:
        raise NotAllowed("Only the charge point's owner may have new credentials made for it.")
    call = Repeatable(caller.id, key, f"connect {point}".encode())
    actor = f"{'user' if caller.id == view.owner_id else 'operator'}:{caller.id}"
    response.headers["Cache-Control"] = "no-store"
    password = await parts.doorway.connect_afresh(call, point, view.owner_id, actor=actor)
    return schemas.Credentials(identity=view.identity, password=password)


@router.get("/{charge_point_id}/ownership")
async def ownership(
    caller: CallerDep, parts: PartsDep, charge_point_id: PathId, cursor: Cursor = None, limit: Limit = 50
) -> schemas.Page[schemas.Period]:
    """List the periods of the ledger, the oldest first: those of the caller's group, of a former owner their own."""
    after = cursors.number(cursor, start=-1)
    found = await parts.reads.ownership(caller, ChargePointId(charge_point_id), after=after, limit=limit + 1)
    shown = [schemas.Period.model_validate(view) for view in found]
    return cut(shown, limit, lambda last: cursors.of_number(last.version))
