"""The former owners' clients: what they find out at the end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from itertools import chain, cycle, repeat
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from tools.chaos.attackers import Attackers
from tools.chaos.journal import Journal
from tools.chaos.site import Site
from tools.stage.ports import HOST

REFUSED, THROTTLED = HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS


@asynccontextmanager
async def gateway(answers: Iterator[HTTPStatus | None]) -> AsyncIterator[tuple[str, int]]:
    """Have a node that answers so, one try after the other; None lets in."""

    def judge(connection: ServerConnection, _: Request) -> Response | None:
        status = next(answers)
        return None if status is None else connection.respond(status, "")

    async with serve(lambda socket: socket.wait_closed(), HOST, 0, process_request=judge) as server:
        yield next(iter(server.sockets)).getsockname()[:2]


async def opens(tmp_path: Path, *nodes: Iterator[HTTPStatus | None]) -> bool:
    """Whether the first password opens anything, as the run's end finds out."""
    point: dict[str, Any] = {"id": "cp-1", "identity": "CP-1", "password": "0123456789abcdef", "ocpp": "1.6"}
    async with AsyncExitStack() as stack:
        site = SimpleNamespace(
            town=SimpleNamespace(charge_points=[point], attacked=["cp-1"]),
            street="127.0.0",
            gateways=[await stack.enter_async_context(gateway(node)) for node in nodes],
            chargers_from="",
            db=None,
        )
        journal = Journal(tmp_path / "promises.jsonl")
        stack.callback(journal.close)
        attackers = Attackers(cast("Site", site), Random(0), journal)  # noqa: S311 - to be repeated
        async with asyncio.timeout(20):
            return (await attackers.conclude()).opens["cp-1"]


async def test_nodes_that_are_never_of_one_mind_are_each_asked_until_they_are_certain(tmp_path: Path) -> None:
    assert not await opens(tmp_path, cycle([REFUSED, THROTTLED]), cycle([THROTTLED, REFUSED]))


async def test_one_node_that_lets_it_in_is_enough(tmp_path: Path) -> None:
    assert await opens(tmp_path, repeat(REFUSED), chain([THROTTLED], repeat(None)))
