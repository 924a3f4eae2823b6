"""The 18 transactions of one move in plain SQL, as Handover has them: 5 of the API, 13 in 12 steps, and one letter."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from tools.bench.by_hand import letters
from tools.bench.by_hand import statements as sql
from tools.bench.people import Point

#: As many connections as one of our processes holds at most.
_POOL: Final = 20
#: The steps of a workflow in their order. A `note` only says that a step of that name was left out.
PLAN: Final[tuple[tuple[str, ...], ...]] = (
    ("validate",),
    ("look_up",),
    ("reserve",),
    ("note", "quiet_charger"),
    ("change",),
    ("locate",),
    ("note", "replace_lists"),
    ("note", "rotate_credentials"),
    ("finish",),
    ("note", "release_charger"),
    ("tell",),
    ("note", "tell_parties"),
)
STEPS: Final = tuple(dict.fromkeys(name for name, *_ in PLAN))
_ROWS: Final = (
    *("validate_rights", "look_up_target", "reserve", "ask_recipient", "quiet_charger", "change_ownership"),
    *("replace_lists", "rotate_credentials", "release_charger", "tell_parties"),
)
_ROLES_HELD: Final = 7_203_412


class Work:
    """The transactions, each a method; those named in STEPS are a workflow's."""

    def __init__(self, pool: Any, smtp_port: int) -> None:
        """Work over a pool of asyncpg."""
        self._pool, self._smtp_port = pool, smtp_port
        self._keys: dict[str, str] = {}

    # --- of the API ---------------------------------------------------------------------------------------------------

    async def points(self) -> list[Point]:
        """Give the charge points that can be moved, in any order."""
        self._keys = {row["user_id"]: row["id"] for row in await self._pool.fetch(sql.KEYS)}
        rows = await self._pool.fetch(sql.MOVABLE)
        return [Point(row["id"], row["owner_id"], row["group_id"]) for row in rows]

    async def ask(self, point: Point) -> str:
        """Do what comes before the workflow: who calls, what they see, the request; gives the transfer's id."""
        async with self._reading() as rows:
            await rows.fetchrow(sql.CALLER, self._keys[point.owner_id])
        async with self._reading() as rows:
            await rows.fetchrow(sql.SEEN_POINT, point.id, point.owner_id)
        id_, body = f"eq_{secrets.token_hex(12)}", json.dumps({"group_id": point.other_group})
        async with self._writing() as rows:
            await rows.execute(sql.KEEP_REQUEST, id_, point.owner_id, point.id, "0" * 64, body.encode())
        return id_

    async def started(self, id_: str) -> None:
        """Note that the workflow has started."""
        async with self._writing() as rows:
            await rows.execute(sql.REQUEST_STARTED, id_)

    async def show(self, id_: str) -> None:
        """Read what the answer holds."""
        async with self._reading() as rows:
            transfer = await rows.fetchrow(sql.TRANSFER, id_)
            await rows.fetch(sql.STEPS, id_)
            await rows.fetch(sql.OWNERS, transfer["to_group_id"] if transfer else "")

    async def finished_at(self, ids: list[str]) -> dict[str, float]:
        """Give when each transfer had ended, by the register, in seconds since 1970; no part of a move."""
        return {row["id"]: float(row["at"]) for row in await self._pool.fetch(sql.FINISHED_AT, ids)}

    # --- the steps ----------------------------------------------------------------------------------------------------

    async def validate(self, id_: str) -> str:
        """Check who may."""
        async with self._reading() as rows:
            if await rows.fetchrow(sql.TRANSFER, id_):
                return "there"
            _, point = await _gather(rows, id_)
            return str(point["id"])

    async def look_up(self, id_: str) -> str:
        """Find where it goes."""
        async with self._reading() as rows:
            if await rows.fetchrow(sql.TRANSFER, id_):
                return "there"
            body, _ = await _gather(rows, id_)
            return str(body["group_id"])

    async def reserve(self, id_: str) -> None:
        """Write the transfer and its steps."""
        async with self._writing() as rows:
            if await rows.fetchrow(sql.TRANSFER_LOCKED, id_):
                return
            body, point = await _gather(rows, id_)
            whose = (point["group_id"], point["owner_id"], body["group_id"], point["version"])
            await rows.execute(sql.NEW_TRANSFER, id_, point["id"], *whose)
            await rows.executemany(sql.NEW_STEP, [(id_, name, at, _begins_as(at)) for at, name in enumerate(_ROWS)])
            await _audit(rows, id_, "user", "reserved", {})

    async def change(self, id_: str) -> None:
        """Change who has the charge point."""
        async with self._writing() as rows:
            transfer = await rows.fetchrow(sql.TRANSFER_LOCKED, id_)
            if await rows.fetchval(sql.CHANGED, id_) is not None:
                return
            point_id = transfer["charge_point_id"]
            await rows.execute(f"select pg_advisory_xact_lock_shared({_ROLES_HELD})")
            await rows.execute(sql.POINT_LOCKED, point_id)
            body, point = await _gather(rows, id_)
            version = point["version"] + 1
            await rows.fetch(sql.KEYS_LOCKED, point_id)
            await rows.fetchrow(sql.NODE, point_id)
            await rows.execute(sql.MOVE_POINT, body["group_id"], version, point_id, point["version"])
            await rows.execute(sql.END_PERIOD, point_id)
            await rows.execute(sql.NEW_PERIOD, point_id, version, point["owner_id"], body["group_id"], id_)
            await rows.execute(sql.RECONFIGURING, id_)
            await rows.execute(sql.CHANGE_DONE, id_)
            await _audit(rows, id_, "system", "ownership_changed", {"version": version})

    async def locate(self, id_: str) -> None:
        """See whether the charger is there, and whether anybody charges."""
        async with self._reading() as rows:
            point = await rows.fetchval(sql.POINT_OF, id_)
            await rows.fetchrow(sql.LINK, point)
            await rows.fetchval(sql.CHARGES, point)

    async def note(self, id_: str, step: str) -> None:
        """Say that a step was left out."""
        async with self._writing() as rows:
            await rows.fetchrow(sql.TRANSFER_LOCKED, id_)
            await rows.execute(sql.SKIP_STEP, id_, step)

    async def finish(self, id_: str) -> None:
        """End the transfer."""
        async with self._writing() as rows:
            transfer = await rows.fetchrow(sql.TRANSFER_LOCKED, id_)
            if not transfer["active"]:
                return
            await rows.execute(sql.FINISH, id_)
            await rows.execute(sql.LET_CHARGE, transfer["charge_point_id"], id_)
            await rows.execute(sql.SKIP_REST, id_)
            await _audit(rows, id_, "system", "completed_with_warnings", {})

    async def tell(self, id_: str) -> None:
        """Send the letter, and note that it was sent: two transactions."""
        async with self._reading() as rows:
            facts = await rows.fetchrow(sql.FACTS, id_)
            await rows.fetchval(sql.TOLD, id_)
            for group in (facts["from_group_id"], facts["to_group_id"]):
                await rows.fetch(sql.ADMINS, group)
            await rows.fetch(sql.ACTIVE_USERS, [facts["from_owner_id"]])
        await letters.send(self._smtp_port, facts["email"], facts["point_name"])
        async with self._writing() as rows:
            await _audit(rows, id_, "system", "told", {})

    async def accept(self, id_: str) -> None:
        """Do what one accept writes: the transfer, its step, its trail."""
        async with self._writing() as rows:
            await rows.fetchrow(sql.TRANSFER_LOCKED, id_)
            await rows.execute(sql.ACCEPT, id_)
            await rows.execute(sql.SKIP_STEP, id_, "ask_recipient")
            await _audit(rows, id_, "user", "accepted", {})

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection, connection.transaction(readonly=True):
            yield connection

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection


@asynccontextmanager
async def opened(dsn: str, smtp_port: int) -> AsyncIterator[Work]:
    """Have the pool open inside the block."""
    settings = {"application_name": "by hand"}
    async with asyncpg.create_pool(dsn, min_size=2, max_size=_POOL, server_settings=settings) as pool:
        yield Work(pool, smtp_port)


def _begins_as(position: int) -> str:
    return "done" if position < 3 else "skipped" if position == 3 else "pending"


async def _gather(rows: Any, id_: str) -> tuple[dict[str, str], Any]:
    """Read a request with all that its rights rest on; gives its body, and the charge point."""
    request = await rows.fetchrow(sql.REQUEST, id_)
    body = json.loads(bytes(request["sealed_body"]))
    point = await rows.fetchrow(sql.POINT, request["charge_point_id"])
    await rows.fetchrow(sql.USER, request["user_id"])
    asked = [
        (request["user_id"], point["group_id"]),
        (request["user_id"], body["group_id"]),
        (point["owner_id"], body["group_id"]),
    ]
    for user, group in asked:
        if await rows.fetchval(sql.ROLE, user, group) is None:
            raise ValueError("not allowed")
    return body, point


async def _audit(rows: Any, id_: str, actor: str, action: str, detail: dict[str, Any]) -> None:
    sequence = await rows.fetchval(sql.NEXT_SEQUENCE, id_)
    await rows.execute(sql.NEW_EVENT, id_, sequence, actor, action, json.dumps(detail))
