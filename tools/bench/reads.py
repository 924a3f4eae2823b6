"""What the lists, the metrics and the reconciler's look cost in a large register, and whether a plan reads it all."""

import re
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import uvloop
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from activities.reconciler import POINTS_AT_ONCE, REQUESTS_AT_ONCE
from domain.ids import ChargePointId, GroupId, TransferId, UserId
from domain.rights import Scope
from domain.trail import of_charge_point
from domain.transfer import Attention, TransferState
from persistence.chargers import charging_review
from persistence.intake import retention
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.transfers import audit, inconsistencies, rescues
from persistence.transfers.inconsistencies import Slice
from persistence.vault import Vault
from persistence.views.audit_feed import AuditFeed
from persistence.views.charge_point_trails import ChargePointTrails
from persistence.views.charging_reads import ChargingReads
from persistence.views.metrics import MetricReads
from persistence.views.reads import Reads
from persistence.views.transfer_filter import TransferFilter
from persistence.views.transfer_reads import TransferReads
from tools.bench.register import HOLDER, LONER, MEMBER, SERVER_KEY, fill

__all__ = ["LARGE", "Measured", "fill", "measure"]

#: What grows with the installation: no list may read one of them from end to end.
LARGE: Final = frozenset({"charge_points", "transfers", "requests", "transfer_steps", "audit_events"})
_PAGE: Final = 51
_SCAN: Final = re.compile(r"(?:Parallel )?Seq Scan on (\w+)")


class Measured(NamedTuple):
    """How long one read takes at the median, in milliseconds, and which of LARGE its plans read from end to end."""

    name: str
    milliseconds: float
    scans: frozenset[str]


@dataclass
class _Statements:
    """What was sent to the database, with its parameters, as the driver got it."""

    sent: list[tuple[str, Any]] = field(default_factory=list)

    @contextmanager
    def of(self, database: Database) -> Iterator[None]:
        """Listen inside the block."""

        def note(_c: object, _cursor: object, statement: str, parameters: Any, _context: object, _many: object) -> None:
            self.sent.append((statement, parameters))

        engine = database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", note)


Read = Callable[[], Awaitable[object]]


async def measure(url: str, *, tries: int = 21) -> list[Measured]:
    """Read each several times in a register that `fill` made."""
    database = Database(url)
    try:
        return [await _measure(database, name, read, tries) for name, read in reads_of(database).items()]
    finally:
        await database.close()


async def _measure(database: Database, name: str, read: Read, tries: int) -> Measured:
    statements, seconds = _Statements(), []
    with statements.of(database):
        await read()
    plans = [await plan(database, statement, parameters) for statement, parameters in statements.sent]
    for _ in range(tries):
        began = time.perf_counter()
        await read()
        seconds.append(time.perf_counter() - began)
    scans = frozenset(found for lines in plans for found in _SCAN.findall(lines)) & LARGE
    return Measured(name, statistics.median(seconds) * 1000, scans)


async def plan(database: Database, statement: str, parameters: Any, how: str = "") -> str:
    """Give the plan of a statement with these parameters; `how` are EXPLAIN's options."""
    async with database.reading() as rows:
        connection = await (await rows.connection()).get_raw_connection()
        driver: Any = connection.driver_connection
        found = await driver.fetch(f"EXPLAIN {how} {statement}", *parameters)
        return "\n".join(row[0] for row in found)


def reads_of(database: Database) -> Mapping[str, Read]:
    """Give every list's read, the metrics, what the reconciler looks at and takes out, by its name in a report."""
    return _lists(database) | _feeds(database) | _looks(database) | _deletions(database)


def _caller(user_id: str, *scopes: Scope) -> Caller:
    return Caller(UserId(user_id), user_id, None, None, "en", frozenset(scopes))


def _lists(database: Database) -> dict[str, Read]:
    transfers, reads = TransferReads(database, Vault([SERVER_KEY])), Reads(database)
    loner, holder, member = _caller(LONER), _caller(HOLDER), _caller(MEMBER)
    nobody, operator = _caller("u-0"), _caller("u-0", Scope.OPERATOR)
    every = TransferFilter()
    of_point = TransferFilter(charge_point_id=ChargePointId("cp-0000005"))
    of_group, failed = TransferFilter(group_id=GroupId("team-7")), TransferFilter(state=TransferState.ROLLED_BACK)
    later = TransferFilter(before=(datetime.now(UTC) - timedelta(days=500), TransferId("trf_")))
    return {
        "charge points, of one who has one": lambda: reads.charge_points(loner, limit=_PAGE),
        "charge points, of one who has every twelfth": lambda: reads.charge_points(holder, limit=_PAGE),
        "charge points, of a member of a large group": lambda: reads.charge_points(member, limit=_PAGE),
        "charge points, an operator's": lambda: reads.charge_points(operator, limit=_PAGE),
        "groups": lambda: reads.groups(member, limit=_PAGE),
        "groups, an operator's": lambda: reads.groups(operator, limit=_PAGE),
        "ledger": lambda: reads.ownership(holder, ChargePointId("cp-0000005"), limit=_PAGE),
        "transfers, of an owner of many": lambda: transfers.page(holder, every, _PAGE),
        "transfers, a later page": lambda: transfers.page(holder, later, _PAGE),
        "transfers, of one who has one point": lambda: transfers.page(loner, every, _PAGE),
        "transfers, of an ordinary user": lambda: transfers.page(nobody, every, _PAGE),
        "transfers, of a member of a large group": lambda: transfers.page(member, every, _PAGE),
        "transfers, of a charge point": lambda: transfers.page(holder, of_point, _PAGE),
        "transfers, in a state": lambda: transfers.page(holder, failed, _PAGE),
        "transfers, of a group": lambda: transfers.page(_caller("u-35"), of_group, _PAGE),
        "transfers, an operator's": lambda: transfers.page(operator, every, _PAGE),
        "transfers, an operator's, in a state": lambda: transfers.page(operator, failed, _PAGE),
        "transfers, an operator's, not begun": lambda: transfers.page(
            operator, TransferFilter(state=TransferState.REQUESTED), _PAGE
        ),
        "transfers, an operator's, by attention": lambda: transfers.page(
            operator, TransferFilter(attention=Attention.OPERATOR), _PAGE
        ),
        "transfers, an operator's, of a group": lambda: transfers.page(operator, of_group, _PAGE),
        "transfers, an operator's, of a charge point": lambda: transfers.page(operator, of_point, _PAGE),
    }


def _feeds(database: Database) -> dict[str, Read]:
    transfers, trails = TransferReads(database, Vault([SERVER_KEY])), ChargePointTrails(database)
    feed, sessions, holder = AuditFeed(database), ChargingReads(database), _caller(HOLDER)
    point, transfer = ChargePointId("cp-0000005"), TransferId("trf_W000000005")
    places = {TransferId(f"trf_W{n:09}"): 0 for n in range(1, 101)} | {of_charge_point(point): 1}
    return {
        "one transfer": lambda: transfers.one(holder, transfer),
        "events of a transfer": lambda: transfers.events(holder, transfer, limit=_PAGE),
        "events of a charge point": lambda: trails.events(holder, point, limit=_PAGE),
        "news of 101 event streams": lambda: feed.news(places, 500),
        "charging sessions": lambda: sessions.sessions(holder, point, before=2**62, limit=_PAGE),
        "charging sessions in doubt": lambda: sessions.sessions(
            holder, point, before=2**62, limit=_PAGE, in_doubt=True
        ),
        "stops that fit none": lambda: sessions.unmatched_stops(point, after=0, limit=_PAGE),
    }


def _looks(database: Database) -> dict[str, Read]:
    points = Slice(until=f"cp-{POINTS_AT_ONCE:07}")
    requests = Slice(until=f"trf_E{REQUESTS_AT_ONCE:09}")

    async def look(question: Callable[..., Awaitable[object]], *more: Any) -> object:
        async with database.reading() as rows:
            return await question(rows, *more)

    now, metrics = datetime.now(UTC), MetricReads(database)
    return {
        "metrics": metrics.read,
        "look: requests not started": lambda: look(inconsistencies.not_started, now),
        "look: the register": lambda: look(inconsistencies.of_the_register, points),
        "look: requests without a row": lambda: look(inconsistencies.rowless, requests),
        "look: states": lambda: look(inconsistencies.states, []),
        "look: ends untold": lambda: look(inconsistencies.untold, now - timedelta(days=1)),
        "look: work due": lambda: look(rescues.waiting, now),
        "look: former owners untold": lambda: look(charging_review.untold, now.date()),
        "look: sessions left open": lambda: look(charging_review.open_too_long, now - timedelta(days=7), 100),
    }


def _deletions(database: Database) -> dict[str, Read]:
    async def forget(forget: Callable[[AsyncSession, datetime, int], Awaitable[int]]) -> object:
        async with database.reading() as rows:  # nothing of it is committed
            return await forget(rows, datetime.now(UTC) - timedelta(days=1000), 500)

    return {
        "forget: requests": lambda: forget(retention.forget_requests),
        "forget: idempotency keys": lambda: forget(retention.forget_keys),
        "forget: codes": lambda: forget(retention.forget_codes),
        "forget: refusals": lambda: forget(retention.forget_refusals),
        "forget: refused orders": lambda: forget(retention.forget_refused_orders),
        "forget: places": lambda: forget(audit.forget_places),
    }


def _show(found: list[Measured]) -> None:
    for one in found:
        print(f"{one.name:50} {one.milliseconds:8.1f} ms  {' '.join(sorted(one.scans))}")


if __name__ == "__main__":
    import sys

    _show(uvloop.run(measure(sys.argv[1])))  # as the API runs
