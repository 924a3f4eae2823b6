"""People as operators deal with them: they are erased."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends

from api import example_bodies, examples, schemas
from api.bodies import ErasureBody
from api.dependencies import BackendDep, CallerDep, KeyDep, PathId, no_query
from api.describing import call
from domain.actors import operator
from domain.errors import ErrorCode, NotAllowed
from domain.ids import UserId
from persistence.intake.idempotency import Repeatable

router = APIRouter(prefix="/users/{user_id}", tags=["people"])
_Erasure = Annotated[ErasureBody, Body(openapi_examples=example_bodies.ERASURE_BODIES)]


@router.post(
    "/erasure",
    dependencies=[Depends(no_query)],
    **call(
        "erase_user",
        "Erase what is kept about somebody",
        examples.ERASED,
        *(ErrorCode.NOT_ALLOWED, ErrorCode.NOT_FOUND, ErrorCode.NOT_POSSIBLE),
        answered="They are erased.",
        post=True,
    ),
)
async def erase(caller: CallerDep, backend: BackendDep, user_id: PathId, body: _Erasure, key: KeyDep) -> schemas.Erased:
    """Erase what is kept about somebody, as an operator, for good; their id stays, and what was booked to it.

    `not_possible` while they own charge points, are a group's only owner, charge, or have a transfer under way: the
    message says which. A repeat takes out what has come since, and answers the same.
    """
    if not caller.operator:
        raise NotAllowed("Only an operator may erase somebody; this takes a key with the scope operator.")
    call = Repeatable(caller.id, key, f"erase {user_id} {body.model_dump_json()}".encode())
    erased_at = await backend.erasures.erase(UserId(user_id), body.reason, operator(caller.id), call)
    return schemas.Erased(id=UserId(user_id), erased_at=erased_at)
