"""How many transfers stand how, and since when: what the platform's metrics show. All of it is read-only."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import and_, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Unavailable
from domain.keys import KnownTo
from domain.transfer import ACTIVE
from persistence.chargers.charger_keys import KeyState
from persistence.session import Database
from persistence.tables import WAITING, ChargePoint, Credential, Finding, OutboxLetter, Request, Transfer, TransferStep
from persistence.views.ended_transfers import EndedTransfers, number_by_state

#: How many seconds the database may take, and for how many what was read is good: whoever asks shows no key.
_PATIENCE: Final = 3
_GOOD_FOR: Final = 5
#: For how many seconds it is good what changes within days.
_LASTS: Final = 300
#: For how many seconds it is waited for: of millions of charge points it is counted beside everything else.
_SOON: Final = 1
#: Of how many waiting transfers of one attention, the oldest, the steps are looked at first; and of how many at most.
_FIRST, _MOST = 50, 2000
#: For how long people may know a key that the charger could have replaced, before somebody is to look.
KNOWN_LONG: Final = timedelta(days=30)


@dataclass(frozen=True)
class Waiting:
    """Transfers of one attention, open or with letters that wait: how many; the age of the oldest, and of its step."""

    number: int
    age: timedelta
    step_age: timedelta


@dataclass(frozen=True)
class Heap:
    """Things that are to be done: how many, and how old the oldest is."""

    number: int
    age: timedelta


@dataclass(frozen=True)
class Metrics:
    """How it all stands at one moment."""

    states: Mapping[str, int]
    """How many transfers are in a state; those that there are none of are left out."""
    waiting: Mapping[str, Waiting]
    """By attention; the empty one is that of transfers that run."""
    unstarted: Heap
    """Requests whose workflow has not answered yet."""
    due: Heap
    """Ended transfers with something left to do at their charger."""
    letters: Heap
    """Letters that were tried and not taken; the age is that of whatever should have been sent."""
    most_rescue_tries: int
    """How often the most stubborn of their chargers was there and did not take it."""
    parked: Mapping[str, int]
    """What the reconciler could not mend, by kind; those that there are none of are left out."""
    known_keys: Mapping[bool, int]
    """How many charge points have a key that people have known for KNOWN_LONG; True: of chargers that take no other."""


class MetricReads:
    """The figures, read at most once every few seconds however many ask."""

    def __init__(self, db: Database) -> None:
        """Read from `db`."""
        self._db = db
        self._turn = asyncio.Lock()
        self._read_at: float | None = None
        self._latest: Metrics | None = None
        self._ended = EndedTransfers()
        self._known_keys: dict[bool, int] = {}
        self._keys_read_at: float | None = None
        self._counting: asyncio.Task[None] | None = None

    async def latest(self) -> Metrics | None:
        """Give the figures; None where the database does not answer."""
        async with self._turn:
            if self._read_at is None or time.monotonic() - self._read_at > _GOOD_FOR:
                try:
                    async with asyncio.timeout(_PATIENCE):
                        self._latest = await self.read()
                except (Unavailable, TimeoutError):
                    self._latest = None
                self._read_at = time.monotonic()
            return self._latest

    async def read(self) -> Metrics:
        """Read them; raises Unavailable.

        What grows for ever is not counted each time, and of what is open nothing is read but indexes.
        """
        now = datetime.now(UTC)
        async with self._db.reading() as rows:
            due = select(func.count(), func.min(Transfer.finished_at), func.max(Transfer.rescue_tries))
            due_number, due_since, tries = (await rows.execute(due.where(Transfer.due))).one()
            asked = select(func.count(), func.min(Request.requested_at)).where(Request.started_at.is_(None))
            unstarted, asked_since = (await rows.execute(asked)).one()
            parked = select(Finding.kind, func.count()).where(Finding.settled_at.is_(None)).group_by(Finding.kind)
            return Metrics(
                states=await _open(rows) | await self._ended.count(rows, now),
                waiting=await _waiting(rows, now),
                unstarted=Heap(unstarted, _age(asked_since, now)),
                due=Heap(due_number, _age(due_since, now)),
                letters=await _letters(rows, now),
                most_rescue_tries=tries or 0,
                parked={row[0]: row[1] for row in await rows.execute(parked)},
                known_keys=await self._keys(now),
            )

    async def _keys(self, now: datetime) -> dict[bool, int]:
        """Give what was counted last, where that is not over soon."""
        due = self._keys_read_at is None or time.monotonic() - self._keys_read_at > _LASTS
        if due and (self._counting is None or self._counting.done()):
            self._counting = asyncio.create_task(self._count_keys(now))
        if self._counting is not None:
            await asyncio.wait({self._counting}, timeout=_SOON)
        return self._known_keys

    async def _count_keys(self, now: datetime) -> None:
        with suppress(Unavailable):
            async with self._db.apart() as apart, apart.staging() as rows:
                self._known_keys = await known_keys(rows, now)
            self._keys_read_at = time.monotonic()


_WAITING: Final = text(f"({WAITING})")  # in the words of the index


async def _open(rows: AsyncSession) -> dict[str, int]:
    found = await rows.execute(number_by_state().where(Transfer.state.in_([state.value for state in ACTIVE])))
    return {row[0]: row[1] for row in found}


async def _letters(rows: AsyncSession, now: datetime) -> Heap:
    failed = OutboxLetter.due_at.is_not(None), OutboxLetter.tries > 0
    number, since = (await rows.execute(select(func.count(), func.min(OutboxLetter.queued_at)).where(*failed))).one()
    due = (await rows.execute(select(func.min(OutboxLetter.due_at)))).scalar_one()
    return Heap(number, max(_age(since, now), _age(due, now)))


async def known_keys(rows: AsyncSession, now: datetime) -> dict[bool, int]:
    """Count the charge points whose key people have known for long; True: of chargers that take no other."""
    current = and_(Credential.state == KeyState.CURRENT, Credential.known_to == KnownTo.PEOPLE)
    fixed = ChargePoint.rotates.is_(False)
    query = (
        select(fixed, func.count())
        .select_from(Credential)
        .join(ChargePoint, ChargePoint.id == Credential.charge_point_id)
        .where(current, Credential.created_at < now - KNOWN_LONG)
        .group_by(fixed)
    )
    return {bool(row[0]): row[1] for row in await rows.execute(query)}


async def _waiting(rows: AsyncSession, now: datetime) -> dict[str, Waiting]:
    query = (
        select(Transfer.attention, func.count(), func.min(Transfer.requested_at))
        .where(_WAITING)
        .group_by(Transfer.attention)
    )
    found = (await rows.execute(query)).all()
    return {
        attention: Waiting(number, _age(requested, now), _age(await _oldest_step(rows, attention), now))
        for attention, number, requested in found
    }


async def _oldest_step(rows: AsyncSession, attention: str) -> datetime | None:
    """Say since when the slowest of one attention has been in its present step.

    No step is older than its transfer: those that were asked for since the oldest step that was met can't have an older
    one. Where very many were asked for before that, the oldest of them are looked at.
    """
    oldest, seen = None, 0
    for many in (_FIRST, _MOST):
        query = select(Transfer.id, Transfer.requested_at).where(_WAITING, Transfer.attention == attention)
        if oldest is not None:
            query = query.where(Transfer.requested_at < oldest)
        some = query.order_by(Transfer.requested_at, Transfer.id).offset(seen).limit(many).subquery()
        began = select(func.max(TransferStep.started_at)).where(TransferStep.transfer_id == some.c.id)
        since = func.coalesce(began.scalar_subquery(), some.c.requested_at)
        number, found = (await rows.execute(select(func.count(), func.min(since)).select_from(some))).one()
        oldest = min(filter(None, (oldest, found)), default=None)
        seen += number
        if number < many:
            break
    return oldest


def _age(since: datetime | None, now: datetime) -> timedelta:
    return max(now - since, timedelta(0)) if since else timedelta(0)
