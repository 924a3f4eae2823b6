"""The charge points of the caller's groups, and their ledger."""

from fastapi import APIRouter

from api import cursors, schemas
from api.dependencies import CallerDep, Cursor, Limit, PartsDep, PathId
from api.paging import cut
from domain.ids import ChargePointId

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


@router.get("/{charge_point_id}/ownership")
async def ownership(
    caller: CallerDep, parts: PartsDep, charge_point_id: PathId, cursor: Cursor = None, limit: Limit = 50
) -> schemas.Page[schemas.Period]:
    """List the periods of the ledger, the oldest first: those of the caller's group, of a former owner their own."""
    after = cursors.number(cursor, start=-1)
    found = await parts.reads.ownership(caller, ChargePointId(charge_point_id), after=after, limit=limit + 1)
    shown = [schemas.Period.model_validate(view) for view in found]
    return cut(shown, limit, lambda last: cursors.of_number(last.version))
