"""Whose API key it is."""

from fastapi import APIRouter

from api import schemas
from api.dependencies import CallerDep

router = APIRouter(tags=["me"])


@router.get("/me")
async def me(caller: CallerDep) -> schemas.Me:
    """Say who calls, and what the key may do."""
    return schemas.Me(
        id=caller.id,
        name=caller.name,
        email=caller.email,
        phone=caller.phone,
        locale=caller.locale,
        scopes=sorted(caller.scopes),
    )
