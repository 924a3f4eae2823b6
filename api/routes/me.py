"""Whose API key it is."""

from fastapi import APIRouter

from api import examples, schemas
from api.dependencies import CallerDep
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
