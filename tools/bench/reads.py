"""Reads among many charge points and transfers: how long a call takes, and the plans of its statements."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Engine, event

from domain.ids import ChargePointId, TransferId, UserId
from persistence.people import api_keys
from persistence.people.callers import Callers
from persistence.session import Database
from persistence.vault import Vault
from persistence.views.reads import Reads
from persistence.views.transfer_filter import TransferFilter
from persistence.views.transfer_reads import TransferReads
from tools.bench.crowds import LONER, add_past, register
from tools.bench.laps import milli
from tools.bench.scale import Scale
from tools.bench.site import Site
from tools.bench.transfers import calling

_OWNER: Final = "s0"
_PAGE: Final = 50
#: Tables with fewer rows are read whole sooner than by an index.
_SMALL: Final = 1000
#: What is read, by whom.
_CALLS: Final[Mapping[str, tuple[str, str]]] = {
    "an owner's transfers": (f"/v1/transfers?limit={_PAGE}", _OWNER),
    "the charge points of a user with one": (f"/v1/charge-points?limit={_PAGE}", LONER),
    "an owner's charge points": (f"/v1/charge-points?limit={_PAGE}", _OWNER),
    "one transfer": ("/v1/transfers/old_7", _OWNER),
    "one charge point": ("/v1/charge-points/p77", LONER),
}


class ReadFailed(Exception):
    """A read was not answered; the text is what was said instead."""


async def reads(site: Site, scale: Scale) -> Mapping[str, Any]:
    """Fill the lists, read, and explain every statement."""
    await add_past(site, scale.charge_points)
    keys = {**site.keys, LONER: await _key_of_loner(site)}
    site = replace(site, keys=keys)
    times: dict[str, Any] = {}
    async with calling(site) as caller:
        for name, (path, user) in _CALLS.items():
            took: list[float] = []
            for _ in range(5 + scale.reads):
                began = time.perf_counter()
                status, answer = await caller.get(path, user)
                took.append(time.perf_counter() - began)
                if status >= 300:
                    raise ReadFailed(f"GET {path}: {status} {answer}")
            times[name] = {"p50": milli(took[5:], 50), "p99": milli(took[5:], 99)}
            times[name]["items"] = len(answer.get("items", [])) or 1
            site.report(f"  {name}: p50 {times[name]['p50']} ms, {times[name]['items']} of them")
    plans = await _plans(site, keys)
    scans = sorted({scan for one in plans for scan in one["sequential_scans"]})
    most = max(one["rows_read"] for one in plans)
    whole = ", ".join(scans) or "none"
    site.report(f"  {len(plans)} statements, large tables read whole: {whole}; most rows read {most}")
    return {
        "charge_points": scale.charge_points,
        "calls": times,
        "sequential_scans": scans,
        "most_rows_read": most,
        "plans": plans,
    }


async def _key_of_loner(site: Site) -> str:
    db = Database(site.stage.database_url)
    try:
        async with db.writing() as rows:
            return await api_keys.create(rows, UserId(LONER), frozenset(), datetime.now(UTC))
    finally:
        await db.close()


async def _plans(site: Site, keys: Mapping[str, str]) -> list[dict[str, Any]]:
    """Make the same reads here, and have the database explain and time each of their statements."""
    db = Database(site.stage.database_url)
    try:
        with _overheard() as statements:
            await _read(db, Vault([site.stage.secret_key]), keys)
    finally:
        await db.close()
    async with register(site) as rows:
        large = {row["relname"] for row in await rows.fetch(_LARGE, _SMALL)}
        return [await _explain(rows, statement, parameters, large) for statement, parameters in statements.items()]


_LARGE: Final = "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= $1"


async def _read(db: Database, vault: Vault, keys: Mapping[str, str]) -> None:
    owner, loner = [await Callers(db).caller(keys[user]) for user in (_OWNER, LONER)]
    points, transfers = Reads(db), TransferReads(db, vault)
    await transfers.page(owner, TransferFilter(), _PAGE + 1)
    await transfers.one(owner, TransferId("old_7"))
    await points.charge_points(loner, limit=_PAGE + 1)
    await points.charge_points(owner, limit=_PAGE + 1)
    await points.charge_point(loner, ChargePointId("p77"))


@contextmanager
def _overheard() -> Iterator[dict[str, tuple[Any, ...]]]:
    """Give the statements that are executed inside the block, with their parameters; of the same one the first time."""
    heard: dict[str, tuple[Any, ...]] = {}

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            heard.setdefault(statement, tuple(parameters))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


async def _explain(rows: Any, statement: str, parameters: tuple[Any, ...], large: set[str]) -> dict[str, Any]:
    told = await rows.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *parameters)
    text = "\n".join(row[0] for row in await rows.fetch(f"EXPLAIN {statement}", *parameters))
    plan = json.loads(told)[0]
    nodes = list(_nodes(plan["Plan"]))
    return {
        "statement": " ".join(statement.split()),
        "milliseconds": round(plan["Execution Time"], 3),
        "rows_read": sum(_rows_read(node) for node in nodes),
        "sequential_scans": [
            node["Relation Name"]
            for node in nodes
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in large and node["Actual Loops"]
        ],
        "plan": text.splitlines(),
    }


def _rows_read(node: Mapping[str, Any]) -> int:
    """Give how many rows a node took from its table or index: one that is walked whole is no better than a scan."""
    if "Relation Name" not in node:
        return 0
    return int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)
