"""What the platform asks: is the process alive, and do the parts that it needs answer."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.dependencies import Parts, PartsDep
from api.problems import problem
from domain.errors import Unavailable
from persistence.schema import is_current

router = APIRouter(tags=["platform"])


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


class Ready(BaseModel):
    """Whether the parts that calls need answer."""

    database: bool
    migrated: bool
    temporal: bool


@router.get("/healthz")
async def healthz() -> Alive:
    """Answer: the process is alive."""
    return Alive()


@router.get("/readyz", response_model=Ready)
async def readyz(parts: PartsDep) -> Ready | JSONResponse:
    """Say whether the database answers and is migrated, and whether Temporal answers; 503 where one does not."""
    database, migrated = await _database(parts)
    checks = Ready(database=database, migrated=migrated, temporal=await parts.transfers.ready())
    missing = [name for name, fine in checks.model_dump().items() if not fine]
    if missing:
        return problem(Unavailable(f"Not ready: {', '.join(missing)}."), checks=checks.model_dump())
    return checks


async def _database(parts: Parts) -> tuple[bool, bool]:
    """Say whether the database answers, and whether it is migrated."""
    try:
        return True, await is_current(parts.database)
    except Unavailable:
        return False, False
