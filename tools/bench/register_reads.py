"""What is read of a register again and again: lists, feeds, metrics, what the reconciler looks at and takes out."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from activities.reconciler import POINTS_AT_ONCE, REQUESTS_AT_ONCE
from domain.ids import ChargePointId, GroupId, NodeId, TransferId, UserId
from domain.rights import Scope
from domain.trail import TrailSubject, of_charge_point
from domain.transfer import Attention, TransferState
from persistence.chargers import catalogue, charging_review, present_connections
from persistence.chargers.catalogue import Model
from persistence.intake import retention
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.transfers import audit, inconsistencies, outbox, rescues
from persistence.transfers.inconsistencies import Slice
from persistence.vault import Vault
from persistence.views.audit_feed import AuditFeed
from persistence.views.charge_point_trails import ChargePointTrails
from persistence.views.charging_reads import ChargingReads
from persistence.views.metrics import MetricReads, known_keys
from persistence.views.reads import Reads
from persistence.views.transfer_filter import TransferFilter
from persistence.views.transfer_reads import TransferReads
from tools.bench.register import HOLDER, LONER, MEMBER, SERVER_KEY

Read = Callable[[], Awaitable[object]]
_PAGE: Final = 51
_POINT: Final = ChargePointId("cp-0000005")
_GROUP: Final = GroupId("team-7")


def reads_of(database: Database) -> Mapping[str, Read]:
    """Give every list's read, the metrics, what the reconciler looks at and takes out, by its name in a report."""
    return _lists(database) | _operators_lists(database) | _feeds(database) | _looks(database) | _deletions(database)


def _caller(user_id: str, *scopes: Scope) -> Caller:
    return Caller(UserId(user_id), user_id, None, None, "en", frozenset(scopes))


def _lists(database: Database) -> dict[str, Read]:
    transfers, reads = TransferReads(database, Vault([SERVER_KEY])), Reads(database)
    loner, holder, member = _caller(LONER), _caller(HOLDER), _caller(MEMBER)
    nobody, operator = _caller("u-0"), _caller("u-0", Scope.OPERATOR)
    every = TransferFilter()
    of_point, of_group = TransferFilter(charge_point_id=_POINT), TransferFilter(group_id=_GROUP)
    failed = TransferFilter(state=TransferState.ROLLED_BACK)
    later = TransferFilter(before=(datetime.now(UTC) - timedelta(days=500), TransferId("trf_")))
    return {
        "charge points, of one who has one": lambda: reads.charge_points(loner, limit=_PAGE),
        "charge points, of one who has every twelfth": lambda: reads.charge_points(holder, limit=_PAGE),
        "charge points, of a member of a large group": lambda: reads.charge_points(member, limit=_PAGE),
        "charge points, an operator's": lambda: reads.charge_points(operator, limit=_PAGE),
        "groups": lambda: reads.groups(member, limit=_PAGE),
        "groups, an operator's": lambda: reads.groups(operator, limit=_PAGE),
        "ledger": lambda: reads.ownership(holder, _POINT, limit=_PAGE),
        "transfers, of an owner of many": lambda: transfers.page(holder, every, _PAGE),
        "transfers, a later page": lambda: transfers.page(holder, later, _PAGE),
        "transfers, of one who has one point": lambda: transfers.page(loner, every, _PAGE),
        "transfers, of an ordinary user": lambda: transfers.page(nobody, every, _PAGE),
        "transfers, of a member of a large group": lambda: transfers.page(member, every, _PAGE),
        "transfers, of a charge point": lambda: transfers.page(holder, of_point, _PAGE),
        "transfers, in a state": lambda: transfers.page(holder, failed, _PAGE),
        "transfers, of a group": lambda: transfers.page(_caller("u-35"), of_group, _PAGE),
    }


def _operators_lists(database: Database) -> dict[str, Read]:
    transfers, operator = TransferReads(database, Vault([SERVER_KEY])), _caller("u-0", Scope.OPERATOR)
    every, failed = TransferFilter(), TransferFilter(state=TransferState.ROLLED_BACK)
    of_point, of_group = TransferFilter(charge_point_id=_POINT), TransferFilter(group_id=_GROUP)
    return {
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
    point, transfer = _POINT, TransferId("trf_W000000005")

    async def known() -> object:
        async with database.reading() as rows:
            return await catalogue.known(rows, Model("1.6", "Vendor", "Model"))

    places: dict[TrailSubject, int] = {TransferId(f"trf_W{n:09}"): 0 for n in range(1, 101)}
    places[of_charge_point(point)] = 1
    return {
        "what is known of a model": known,
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
        "letters due": lambda: look(outbox.due, now, 16, ()),
        "look: work due": lambda: look(rescues.waiting, now),
        "look: former owners untold": lambda: look(charging_review.untold, now.date()),
        "sweep of a node": lambda: look(present_connections.good_at, NodeId("n1")),
        "where a charger is": lambda: look(present_connections.whereabouts, _POINT),
        "metrics: keys that people know": lambda: look(known_keys, now),
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
        "forget: refusals": lambda: forget(partial(retention.forget_refusals, Vault([SERVER_KEY]))),
        "forget: refused orders": lambda: forget(retention.forget_refused_orders),
        "forget: places": lambda: forget(audit.forget_places),
    }
