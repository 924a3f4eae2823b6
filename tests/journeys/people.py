"""What users of a whole system do, patiently: a part that is being started again is waited for, as people would."""

import asyncio
import re
from typing import Any

import httpx

from tests.journeys.system import System
from tools.demo.person import FINAL
from tools.stage import plain_http

LINK = re.compile(r"\S+/t/[A-Za-z0-9_-]{43}")
CODE = re.compile(r"^\s*(\d{3}[\s\u00a0\u202f-]?\d{3})\s*$", re.MULTILINE)
LOOK_EVERY = 0.2
PATIENCE = 900


async def ask(user: httpx.AsyncClient, charge_point: str, body: dict[str, Any], key: str) -> str:
    """Ask for a transfer until it is taken, as one request: the idempotency key sees to that; gives its id."""
    path = f"/v1/charge-points/{charge_point}/transfers"
    answer = await patiently(lambda: user.post(path, json=body, headers={"Idempotency-Key": key}))
    assert answer.status_code in {201, 202}, answer.text
    return str(answer.json()["id"])


async def see_it_end(user: httpx.AsyncClient, transfer_id: str) -> dict[str, Any]:
    """Look at a transfer until it has ended."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await patiently(lambda: user.get(f"/v1/transfers/{transfer_id}"))
            found: dict[str, Any] = answer.json()
            if found["state"] in FINAL:
                return found
            await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on


async def patiently(call: Any) -> httpx.Response:
    """Call until somebody is there and answers with no 503, as that asks for; what is called may be repeated."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                answer: httpx.Response = await call()
            except httpx.ReadTimeout:
                continue
            except httpx.ConnectError:
                await asyncio.sleep(LOOK_EVERY)
                continue
            if answer.status_code != 503:
                return answer
            await asyncio.sleep(float(answer.headers["Retry-After"]))


async def mails(system: System) -> list[dict[str, Any]]:
    """Give every mail that was delivered."""
    async with plain_http.client() as browser:
        found: list[dict[str, Any]] = (await browser.get(f"{system.stage.mailbox}/api/messages")).json()
        return found


async def mailed(system: System, wanted: re.Pattern[str], about: str, seen: frozenset[str] = frozenset()) -> str:
    """Wait for something in a mail about a charge point that was not `seen` before."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for mail in reversed(await mails(system)):
                found = wanted.search(mail["text"])
                if found and re.search(rf"\b{about}\b", mail["text"]) and found[found.lastindex or 0] not in seen:
                    return found[found.lastindex or 0]
            await asyncio.sleep(LOOK_EVERY)


async def mailed_link(system: System, name: str, replaced: frozenset[str] = frozenset()) -> str:
    """Wait for the link mailed about the charge point `name` that is none of those `replaced`."""
    return await mailed(system, LINK, name, replaced)


async def accept_by_link(
    system: System, name: str, replaced: frozenset[str] = frozenset(), called: str = "Carol"
) -> None:
    """Open the link mailed about the charge point `name`, have a code sent, type it, accept.

    Whoever has no account yet opens one with it, in the name `called`.
    """
    async with plain_http.client(timeout=90, follow_redirects=True) as browser:
        token = await mailed_link(system, name, replaced)
        link = (await patiently(lambda: browser.get(token))).url
        page = await patiently(lambda: browser.post(f"{link}/code"))
        assert page.status_code == 200, page.text
        code = await mailed(system, CODE, name)
        answer = await patiently(lambda: browser.post(f"{link}/accept", data={"code": code, "name": called}))
        assert answer.status_code == 200, answer.text
