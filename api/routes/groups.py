"""The caller's groups."""

from fastapi import APIRouter

from api import cursors, schemas
from api.dependencies import CallerDep, Cursor, Limit, PartsDep, PathId
from api.paging import cut
from domain.ids import GroupId

router = APIRouter(prefix="/groups", tags=["groups"])


@router.get("")
async def groups(
    caller: CallerDep, parts: PartsDep, cursor: Cursor = None, limit: Limit = 50
) -> schemas.Page[schemas.Group]:
    """List the groups that the caller is a member of, by id; an operator's list has all."""
    found = await parts.reads.groups(caller, after=cursors.id_(cursor), limit=limit + 1)
    return cut([schemas.Group.model_validate(view) for view in found], limit, lambda last: cursors.of_id(last.id))


@router.get("/{group_id}")
async def group(caller: CallerDep, parts: PartsDep, group_id: PathId) -> schemas.Group:
    """Give one group."""
    return schemas.Group.model_validate(await parts.reads.group(caller, GroupId(group_id)))
