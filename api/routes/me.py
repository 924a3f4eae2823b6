"""Whose API key it is, and what is kept about them."""

from fastapi import APIRouter

from api import examples, schemas
from api.dependencies import BackendDep, CallerDep
from api.describing import call

router = APIRouter(tags=["me"])


@router.get("/me", **call("get_me", "Get the caller", examples.ME))
async def me(caller: CallerDep) -> schemas.Me:
    """Say whose API key it is, and what it may do beyond their roles."""
    return schemas.Me(
        id=caller.id,
        name=caller.name,
        email=caller.email,
        phone=caller.phone,
        locale=caller.locale,
        scopes=sorted(caller.scopes),
    )


@router.get("/me/data", **call("get_my_data", "Get what is kept about the caller", examples.PERSONAL_DATA))
async def data(caller: CallerDep, backend: BackendDep) -> schemas.PersonalData:
    """Give all that is kept about the caller, without what is others' or opens anything."""
    return schemas.PersonalData.model_validate(await backend.personal_data.of(caller.id))
