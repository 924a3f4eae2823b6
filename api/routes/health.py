"""What the platform asks: is the process alive, and do the parts that it needs answer."""

import asyncio
from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.dependencies import Backend, BackendDep
from api.describing import described, example_of
from api.examples import shown
from api.problems import problem
from domain.errors import ErrorCode, Unavailable
from persistence.schema import fits

router = APIRouter(tags=["platform"])
#: For how many seconds the database is waited for: a balancer asks every few.
_PATIENCE: Final = 5.0
#: Questions that nobody waits for any more, until they are over.
_GIVEN_UP: Final[set[asyncio.Task[bool]]] = set()


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


class Ready(BaseModel):
    """Whether the parts that calls need answer."""

    database: bool
    migrated: bool
    temporal: bool


@router.get(
    "/healthz",
    operation_id="get_health",
    summary="Is the process alive?",
    responses={
        200: {
            "description": "It is.",
            "content": {"application/json": {"examples": shown(("It answers", Alive()))}},
        }
    },
)
async def healthz() -> Alive:
    """Answer, and no more: what calls need is `/readyz`'s to say."""
    return Alive()


_READY: Final = Ready(database=True, migrated=True, temporal=True)
_AWAY: Final = example_of(ErrorCode.UNAVAILABLE, checks={"database": True, "migrated": True, "temporal": False})


@router.get(
    "/readyz",
    response_model=Ready,
    operation_id="get_readiness",
    summary="Do the parts that calls need answer?",
    responses={
        200: {
            "description": "They do.",
            "content": {"application/json": {"examples": shown(("All of them", _READY))}},
        },
        503: described(ErrorCode.UNAVAILABLE, example=_AWAY),
    },
)
async def readyz(backend: BackendDep) -> Ready | JSONResponse:
    """Say whether the database answers and is migrated, and whether Temporal answers; 503 where one does not."""
    (database, migrated), temporal = await asyncio.gather(_database(backend), backend.transfers.ready())
    checks = Ready(database=database, migrated=migrated, temporal=temporal)
    missing = [name for name, fine in checks.model_dump().items() if not fine]
    if missing:
        return problem(Unavailable(f"Not ready: {', '.join(missing)}."), checks=checks.model_dump())
    return checks


async def _database(backend: Backend) -> tuple[bool, bool]:
    """Say whether the database answers, and whether it is migrated.

    While it is silent calls wait for a connection in turn, and to give up waiting for an answer takes as long again:
    whoever asks this is told before either is over.
    """
    asked = asyncio.create_task(fits(backend.database))
    await asyncio.wait({asked}, timeout=_PATIENCE)
    if not asked.done():
        asked.cancel()
        _GIVEN_UP.add(asked)
        asked.add_done_callback(_forget)
        return False, False
    try:
        return True, asked.result()
    except Unavailable:
        return False, False


def _forget(asked: asyncio.Task[bool]) -> None:
    _GIVEN_UP.discard(asked)
    if not asked.cancelled():
        asked.exception()  # it is known: nothing was answered in time
