"""The caller's groups."""

from fastapi import APIRouter

from api import cursors, examples, schemas
from api.dependencies import BackendDep, CallerDep, Cursor, Limit, PathId
from api.describing import call
from api.paging import cut
from domain.errors import ErrorCode
from domain.ids import GroupId

router = APIRouter(prefix="/groups", tags=["groups"])


@router.get("", **call("list_groups", "List groups", examples.GROUPS, ErrorCode.INVALID_REQUEST))
async def groups(
    caller: CallerDep, backend: BackendDep, cursor: Cursor = None, limit: Limit = 50
) -> schemas.Page[schemas.Group]:
    """List the groups that you are a member of, by id; an operator's list has all."""
    found = await backend.reads.groups(caller, after=cursors.id_(cursor), limit=limit + 1)
    return cut([schemas.Group.model_validate(view) for view in found], limit, lambda last: cursors.of_id(last.id))


@router.get("/{group_id}", **call("get_group", "Get a group", examples.GROUP, ErrorCode.NOT_FOUND))
async def group(caller: CallerDep, backend: BackendDep, group_id: PathId) -> schemas.Group:
    """Give one group, and your role in it."""
    return schemas.Group.model_validate(await backend.reads.group(caller, GroupId(group_id)))
