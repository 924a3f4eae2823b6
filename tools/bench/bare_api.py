"""What a call of the API is compared with: FastAPI that makes the same query and answers the same.

`python -m tools.bench.bare_api DATABASE_URL PORT`
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
import uvloop
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from persistence.tables import ApiKey, User
from process import leave


class Me(BaseModel):
    """What `GET /v1/me` gives."""

    id: str
    name: str
    email: str | None
    phone: str | None
    locale: str
    scopes: list[str]


def bare_api(url: str) -> FastAPI:
    """Make the application."""
    engine = create_async_engine(url, pool_size=10)
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as rows:
            yield rows

    app = FastAPI(lifespan=life)

    @app.get("/v1/me")
    async def me(rows: Annotated[AsyncSession, Depends(session)], authorization: Annotated[str, Header()]) -> Me:
        key_id = authorization.removeprefix("Bearer hk_").partition("_")[0]
        wanted = select(ApiKey, User).join(User, User.id == ApiKey.user_id).where(ApiKey.id == key_id)
        found = (await rows.execute(wanted)).one_or_none()
        if found is None:
            raise HTTPException(401)
        key, user = found
        return Me(id=user.id, name=user.name, email=user.email, phone=user.phone, locale=user.locale, scopes=key.scopes)

    return app


async def _serve(url: str, port: int) -> None:
    config = uvicorn.Config(bare_api(url), host="127.0.0.1", port=port, log_config=None, access_log=False)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], int(sys.argv[2])))
    leave(0)
