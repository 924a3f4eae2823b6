"""PostgreSQL or Temporal away, gone or silent: the API answers 503, and comes back by itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from random import Random

import httpx
import pytest
from sqlalchemy import make_url

from tests.journeys.system import System, running, two_users
from tools.chaos.links import Link
from tools.stage.ports import Ports

MOVE = {"kind": "move_to_group", "group_id": "south"}
Break = Callable[[Link], None]
WAYS: dict[str, Break] = {"gone": Link.cut, "silent": Link.hold}


@asynccontextmanager
async def behind(port: int) -> AsyncIterator[Link]:
    async with Link("away", [port], Random(1)).listening() as link:  # noqa: S311 - which target, of one
        yield link


def calls(user: httpx.AsyncClient, transfer_id: str, number: int) -> dict[str, Awaitable[httpx.Response]]:
    """Everything that a user may call; `number` makes the calls that write new ones."""
    start = f"/v1/charge-points/cp-{number}/transfers"
    return {
        **{
            path: user.get(path)
            for path in (
                *("/v1/me", "/v1/groups", "/v1/groups/north", "/v1/charge-points", "/v1/charge-points/cp-1"),
                *("/v1/charge-points/cp-1/ownership", "/v1/transfers", f"/v1/transfers/{transfer_id}"),
                *(f"/v1/transfers/{transfer_id}/events", "/readyz"),
            )
        },
        "start": user.post(start, json=MOVE, headers={"Idempotency-Key": f"start-{number}"}),
        "try": user.post(f"{start}?dry_run=true", json=MOVE),
        "cancel": user.post(f"/v1/transfers/{transfer_id}/cancel"),
        "resolve": user.post(f"/v1/transfers/{transfer_id}/resolve", json={"action": "retry", "reason": "test"}),
    }


async def answers(user: httpx.AsyncClient, transfer_id: str, number: int) -> dict[str, httpx.Response]:
    wanted = calls(user, transfer_id, number)
    return dict(zip(wanted, await asyncio.gather(*wanted.values()), strict=True))


def check_away(found: dict[str, httpx.Response], away: set[str]) -> None:
    for name, answer in found.items():
        if name in away:
            assert answer.status_code == 503, (name, answer.status_code, answer.text)
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "unavailable"
        else:
            assert answer.status_code < 500, (name, answer.text)


async def back(user: httpx.AsyncClient, transfer_id: str, number: int) -> float:
    """Call everything until nothing is away any more; gives how many seconds that took."""
    began = time.monotonic()
    async with asyncio.timeout(60):
        while any(found.status_code == 503 for found in (await answers(user, transfer_id, number)).values()):
            await asyncio.sleep(0.2)  # other processes' doing: there is nothing here to wait on
    return time.monotonic() - began


async def started(system: System) -> str:
    async with system.user("ada") as ada:
        to_bob = {"kind": "transfer_to_user", "recipient": "bob@example.com"}
        answer = await ada.post("/v1/charge-points/cp-1/transfers", json=to_bob)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@asynccontextmanager
async def resting(system: System, api: int) -> AsyncIterator[None]:
    """Leave a client's connection alone inside the block; it is still good for a call afterwards."""
    keeps = httpx.AsyncHTTPTransport(limits=httpx.Limits(keepalive_expiry=None))
    async with httpx.AsyncClient(base_url=system.apis[api], transport=keeps) as client:

        async def own_port() -> int:
            answer = await client.get("/healthz")
            return int(answer.extensions["network_stream"].get_extra_info("client_addr")[1])

        before = await own_port()
        yield
        assert await own_port() == before, "closed by the server first: a POST would have been lost"


@pytest.mark.timeout(600)
async def test_the_api_survives_every_outage(tmp_path: Path, postgres_url: str) -> None:
    url, ports = make_url(postgres_url), Ports.free()
    async with behind(url.port or 0) as to_database, behind(ports.temporal) as to_temporal:
        through = url.set(host="127.0.0.1", port=to_database.port).render_as_string(hide_password=False)
        apis = [
            {
                "HANDOVER_DATABASE_URL": through,
                "HANDOVER_TEMPORAL_ADDRESS": f"127.0.0.1:{to_temporal.port}",
            }
        ]
        links = {"database": to_database, "temporal": to_temporal}
        async with running(tmp_path, postgres_url, two_users(6), away=None, more_apis=apis, ports=ports) as system:
            transfer_id = await started(system)
            async with system.user("ada", api=1) as ada:
                assert await back(ada, transfer_id, 2) < 60
            for number, (part, way) in enumerate(product(links, WAYS), start=3):
                async with system.user("ada", api=1) as ada, resting(system, api=1):
                    WAYS[way](links[part])
                    found = await answers(ada, transfer_id, number)
                    away = set(found) if part == "database" else {"/readyz", "start", "cancel", "resolve"}
                    check_away(found, away)
                    assert (await ada.get("/healthz")).status_code == 200
                    links[part].heal()
                    print(f"{part} {way}: back after {await back(ada, transfer_id, number):.1f} s")
                    kept = await ada.get("/v1/transfers", params={"charge_point_id": f"cp-{number}"})
                    assert len(kept.json()["items"]) == 1, "its repeats were one request"
