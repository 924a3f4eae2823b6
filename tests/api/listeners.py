"""Who listens to event streams: real servers, readers of what they send, and writers of audit trails."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.dependencies import Options
from api.streams import StreamOptions
from domain.actors import SYSTEM
from domain.ids import TransferId
from domain.trail import TrailAction
from persistence.session import Database
from persistence.tables import Transfer, TransferStep
from persistence.transfers import audit
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.world import bearer
from tools.stage import plain_http
from tools.stage.ports import HOST, free_port

#: How often the audit trails are asked.
QUICK = timedelta(milliseconds=50)
#: How long, in seconds, what has to come may take to come.
PATIENCE = 60


def application(database: Database, vault: Vault, **options: Any) -> FastAPI:
    streams = StreamOptions(**{"poll_every": QUICK, "check_every": timedelta(hours=1), **options})
    return create_app(database, vault, Engine(database), Options(streams=streams))


@dataclass(frozen=True)
class Heard:
    """One event of a stream."""

    id: str
    event: str
    data: dict[str, Any]


class Stream:
    """Reads the events of one answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.comments = 0
        self._lines = answer.aiter_lines()

    async def next(self) -> Heard | None:
        """Wait for the next event; None where the stream ends instead."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            async for line in self._lines:
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    return Heard(fields["id"], fields["event"], json.loads(fields["data"]))
        return None

    async def take(self, number: int) -> list[int]:
        """Wait for a number of events; give their sequences."""
        return [int(heard.id) for _ in range(number) if (heard := await self.next())]

    async def rest(self) -> list[int]:
        """Wait for the end; give the sequences of what came before it."""
        found = []
        while heard := await self.next():
            found.append(int(heard.id))
        return found


@asynccontextmanager
async def listening(
    address: str, which: str = "trf_1", *, name: str = "olga", after: int | None = None, of: str = "transfers"
) -> AsyncIterator[Stream]:
    """Have a stream open inside the block, of a transfer or of something else that has a trail."""
    headers = {**bearer(name), "Accept": "text/event-stream"}
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    async with (
        plain_http.client(base_url=address, timeout=PATIENCE) as http,
        http.stream("GET", f"/v1/{of}/{which}/events", headers=headers) as answer,
    ):
        if answer.status_code != 200:
            await answer.aread()
        yield Stream(answer)


@contextmanager
def slow_reader(address: str) -> Iterator[socket.socket]:
    """Have somebody inside the block who asks for the stream, and reads nothing of it."""
    request = f"GET /v1/transfers/trf_1/events HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/event-stream\r\n"
    request += f"Authorization: {bearer('olga')['Authorization']}\r\n\r\n"
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((HOST, httpx.URL(address).port))
        slow.sendall(request.encode())
        yield slow


@asynccontextmanager
async def served(app: FastAPI, **more: Any) -> AsyncIterator[str]:
    """Serve an application inside the block, with `more` for uvicorn; gives its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_config=None, access_log=False, **more))
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(PATIENCE):
            while not server.started:
                await asyncio.sleep(0.01)  # uvicorn says so nowhere else
        yield f"http://{HOST}:{port}"
    finally:
        await app.state.backend.streams.stop()
        server.should_exit = True
        await serving


async def say(database: Database, number: int = 1, transfer_id: str = "trf_1", **detail: Any) -> None:
    """Write entries into a transfer's audit trail, each in a transaction of its own."""
    for _ in range(number):
        async with database.writing() as rows:
            await audit.append(rows, TransferId(transfer_id), actor=SYSTEM, action=TrailAction.TAKEN_UP, detail=detail)


async def end(database: Database, transfer_id: str = "trf_1", *, told: bool = True) -> None:
    """End a transfer, as a worker would; with `told`, its parties know."""
    async with database.writing() as rows:
        (await rows.get_one(Transfer, transfer_id)).state = "completed"
        await audit.append(rows, TransferId(transfer_id), actor=SYSTEM, action=TrailAction.COMPLETED)
        if told:
            await audit.append(rows, TransferId(transfer_id), actor=SYSTEM, action=TrailAction.TOLD)
            (await rows.get_one(TransferStep, (transfer_id, "tell_parties"))).state = "done"
