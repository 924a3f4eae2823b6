"""Many clients, two API processes, few charge points: never two transfers active on one, and none lost."""

import asyncio
import json
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from persistence.tables import AuditEvent, Transfer
from tests.conftest import ROOT
from tests.journeys.searches import check_no_secret_is_left
from tests.journeys.system import System, running, two_users
from tools.demo.person import FINAL

CLIENTS, STARTS, CHARGE_POINTS = 4, 50, 20
CLIENT = """
import asyncio, json, sys, uuid
import httpx

async def main(api, key, first, starts, charge_points):
    answers = []
    async with httpx.AsyncClient(base_url=api, headers={"Authorization": "Bearer " + key}, timeout=300) as user:
        async def start(number):
            path = f"/v1/charge-points/cp-{(first + number) % charge_points + 1}/transfers"
            body = {"kind": "move_to_group", "group_id": "north" if number // charge_points % 2 else "south"}
            key = {"Idempotency-Key": str(uuid.uuid4())}
            while (answer := await user.post(path, json=body, headers=key)).status_code == 503:
                await asyncio.sleep(int(answer.headers["Retry-After"]))  # a machine this busy: as the answer says
            body = answer.json()
            answers.append([answer.status_code, body.get("id"), body.get("code")])
        for number in range(0, starts, 5):
            await asyncio.gather(*(start(number + one) for one in range(5)))
    print(json.dumps(answers))

asyncio.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
"""


@pytest.mark.timeout(600)
async def test_two_transfers_are_never_active_on_one_charge_point(tmp_path: Path, database_url: str) -> None:
    settings = {"HANDOVER_START_TIMEOUT": "PT90S"}
    lines = two_users(CHARGE_POINTS)
    async with running(
        tmp_path / "system", database_url, lines, away=None, more_apis=[{}], settings=settings
    ) as system:
        answers = [answer for client in await asyncio.gather(*(clients(system))) for answer in client]
        assert len(answers) == CLIENTS * STARTS
        assert {(status, code) for status, _, code in answers} <= {
            (201, None), (409, "transfer_in_progress"), (409, "not_possible"),
        }  # fmt: skip
        begun = {transfer_id for status, transfer_id, _ in answers if status == 201}
        assert len(begun) >= CHARGE_POINTS / 2
        await check_ends(system, begun)
        await check_no_secret_is_left(system.stage, system.db, system.keys, system.charge_points)
        print(f"{database_url.split(':', maxsplit=1)[0]}: {Counter((status, code) for status, _, code in answers)}")


def clients(system: System) -> list[asyncio.Future[list[list[object]]]]:
    """Start the client processes, half of them at each API; each gives its answers."""

    async def run(number: int) -> list[list[object]]:
        api, key = system.apis[number % len(system.apis)], system.keys["ada" if number < CLIENTS / 2 else "bob"]
        numbers = [str(value) for value in (number * 3, STARTS, CHARGE_POINTS)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, api, key, *numbers, stdout=subprocess.PIPE, cwd=ROOT
        )
        told, _ = await process.communicate()
        assert process.returncode == 0
        answers: list[list[object]] = json.loads(told)
        return answers

    return [asyncio.ensure_future(run(number)) for number in range(CLIENTS)]


async def check_ends(system: System, begun: set[object]) -> None:
    """Every transfer that was answered 201 has ended, and no two on one charge point overlap."""
    async with asyncio.timeout(240):
        while left := await unfinished(system):
            await asyncio.sleep(0.5)  # the worker's doing: there is nothing here to wait on
            assert len(left) <= len(begun)
    async with system.db.reading() as rows:
        transfers = {row.id: row for row in await rows.scalars(select(Transfer))}
        events = await rows.scalars(select(AuditEvent).where(AuditEvent.action.in_(["reserved", *FINAL])))
        spans: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
        at = {(event.subject, event.action == "reserved"): event.at for event in events}
    for transfer_id in begun:
        row = transfers[str(transfer_id)]
        assert row.state in {"completed", "completed_with_warnings"}
        spans[row.charge_point_id].append((at[row.id, True], at[row.id, False]))
    for periods in spans.values():
        periods.sort()
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(periods))


async def unfinished(system: System) -> list[str]:
    async with system.db.reading() as rows:
        return list(await rows.scalars(select(Transfer.id).where(Transfer.state.not_in(FINAL))))
