"""What looks after everything at once: compares the register, the engine's runs and the chargers' keys."""

import asyncio
import logging
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.reconciler import (
    Look,
    Place,
    Reconciled,
    Reconciler,
    Reconciliation,
    Settlement,
    Suspicion,
    Suspicions,
)
from activities.retention import Kept, Retention
from domain.actors import SYSTEM
from domain.charging import OPEN_LIMIT
from domain.errors import Refusal, Unavailable
from domain.ids import ChargePointId, TransferId
from domain.news import OwnerNews
from domain.reconciliation import NEWS, ROUTINE, TAKE_UPS, UNCERTAIN, Finding, Run, RunStatus, judge
from domain.trail import TrailAction
from domain.transfer import FINAL, Attention, TransferState
from persistence.chargers import charge_points, charging_review, credentials
from persistence.intake.requests import Requests
from persistence.session import Database
from persistence.tables import ChargePoint, Request
from persistence.transfers import audit, findings, inconsistencies, rescues, transfers
from persistence.transfers.inconsistencies import Slice
from persistence.vault import Vault

log = logging.getLogger("handover.reconciler")

#: How old a request is that nobody has started: its API process is not about to.
LEFT_AFTER: Final = timedelta(seconds=30)
#: How many findings one look gives: they go through the engine. The next look finds the others.
AT_ONCE: Final = 500
#: How many charge points, and how many requests, one look compares with what is on record of them.
POINTS_AT_ONCE: Final = 5000
REQUESTS_AT_ONCE: Final = 20_000
#: How many runs, ended ones too, one look compares with the register.
RUNS_AT_ONCE: Final = 500
#: Of how many charge points one look tells that a session runs for too long.
OPEN_AT_ONCE: Final = 100
#: How many are looked at, or settled, beside each other.
_ABREAST: Final = 8


class Engine(Protocol):
    """What starts workflows."""

    async def start(self, transfer_id: TransferId) -> bool:
        """Start a request's transfer; False where nobody has answered yet."""

    async def take_up(self, transfer_id: TransferId) -> None:
        """Start a transfer anew whose run was lost."""

    async def rescue(self, transfer_id: TransferId) -> None:
        """Have what an ended transfer has left to do tried now."""

    async def tell_owner(self, charge_point_id: ChargePointId, news: OwnerNews) -> None:
        """Have owners told a piece of news about a charge point."""

    async def deliver_letters(self) -> None:
        """Have letters delivered from now on."""


class EngineRuns(Protocol):
    """What knows how runs stand."""

    async def running(self) -> dict[TransferId, Run]:
        """List those that are running: a hint, never the truth."""

    async def page(self, place: str, number: int) -> tuple[list[TransferId], str]:
        """List so many transfers that have runs, ended ones too, from a place on; also give the next place."""

    async def latest(self, transfer_id: TransferId) -> Run:
        """Say how the latest run of a transfer stands."""


class DatabaseReconciler(Reconciler):
    """The reconciler on SQLite or PostgreSQL, with the engine as `worker.py` wires it."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        requests: Requests,
        engine: Engine,
        runs: EngineRuns,
        kept: Kept | None = None,
        open_limit: timedelta = OPEN_LIMIT,
    ) -> None:
        """Take what is compared, what seals and starts, for how long what is kept, and a charging session may run."""
        self._open_limit = open_limit
        self._db = database
        self._requests = requests
        self._engine = engine
        self._runs = runs
        self._retention = Retention(database, vault, kept or Kept())

    # --- looking --------------------------------------------------------------------------------------------------

    async def look(self, look: Look) -> Suspicions:
        """Only reads, but for what was kept long enough: each look takes some of that out. Letters are sent on.

        Each transfer under way is looked at, and of charge points and requests a slice; with what is parked, so that it
        is seen whether that has settled.
        """
        now = datetime.now(UTC)
        await self._engine.deliver_letters()
        await self._retention.forget(now)
        running = await self._runs.running()
        runs, next_run = await self._runs.page(look.place.run, RUNS_AT_ONCE)
        async with self._db.reading() as rows:
            left = [one for one in await findings.parked(rows) if one.kind not in NEWS]
            parked = {one.subject for one in left}
            points, requests = await _slices(rows, look.place, parked)
            routine = await _routine(rows, now)
            inside = await inconsistencies.of_the_register(rows, points)
            stale = await charging_review.open_too_long(rows, now - self._open_limit, OPEN_AT_ONCE)
            strange = [TransferId(one.subject) for one in left if one.kind == Finding.RUN_UNKNOWN]
            unknown = {*await inconsistencies.unknown(rows, strange), *await inconsistencies.unknown(rows, runs)}
            known = await inconsistencies.states(rows, running) | await inconsistencies.rowless(rows, requests)
        hints = [one for one, state in known.items() if judge(state, running.get(one, Run(RunStatus.LOST))) is not None]
        differ = await self._runs_that_differ({one: known[one] for one in hints[:AT_ONCE]})
        differ += await self._runs_that_are_there(sorted(unknown))
        open_ = [(Finding.SESSION_LEFT_OPEN, one) for one in stale]  # last: they stay, and hold nothing else up
        found = [*routine, *inside, *differ, *open_]
        return Suspicions(
            items=tuple(Suspicion(kind=kind, subject=subject) for kind, subject in found[:AT_ONCE]),
            whole=max(len(found), len(hints)) <= AT_ONCE and parked <= points.also,
            parked=bool(parked),
            next=Place(charge_point=points.until, request=requests.until, run=next_run),
        )

    async def _runs_that_differ(self, hinted: dict[TransferId, TransferState]) -> list[tuple[Finding, str]]:
        """Compare transfers with their runs: what the list of runs only hints at is looked at for itself."""
        turn = asyncio.Semaphore(_ABREAST)

        async def one(transfer_id: TransferId, state: TransferState) -> tuple[Finding, str] | None:
            async with turn:
                finding = judge(state, await self._runs.latest(transfer_id))
            return None if finding is None else (finding, transfer_id)

        looked = await asyncio.gather(*(one(transfer_id, state) for transfer_id, state in hinted.items()))
        return [found for found in looked if found is not None]

    async def _runs_that_are_there(self, unknown: Collection[TransferId]) -> list[tuple[Finding, str]]:
        """Leave out those that somebody terminated or deleted, or that visibility alone knows."""
        turn = asyncio.Semaphore(_ABREAST)

        async def is_there(transfer_id: TransferId) -> bool:
            async with turn:
                return (await self._runs.latest(transfer_id)).status is not RunStatus.LOST

        there = await asyncio.gather(*(is_there(one) for one in unknown))
        return [(Finding.RUN_UNKNOWN, one) for one, found in zip(unknown, there, strict=True) if found]

    # --- settling -------------------------------------------------------------------------------------------------

    async def settle(self, confirmed: Suspicions) -> Reconciled:
        """Settle each by itself: one that can't be settled now holds up no other. A repeat finds it settled."""
        turn = asyncio.Semaphore(_ABREAST)

        async def one(suspicion: Suspicion) -> Reconciliation:
            async with turn:
                try:
                    settlement = await self._settle(suspicion)
                except Unavailable as away:
                    log.warning("%s of %s can't be settled yet: %s", suspicion.kind, suspicion.subject, away.message)
                    settlement = Settlement.NOT_YET
            return Reconciliation(kind=suspicion.kind, subject=suspicion.subject, settlement=settlement)

        done = await asyncio.gather(*(one(suspicion) for suspicion in confirmed.items))
        if confirmed.whole:
            still = {(suspicion.kind, suspicion.subject) for suspicion in confirmed.items}
            async with self._db.writing() as rows:
                await findings.close(rows, still, datetime.now(UTC))
        return Reconciled(items=tuple(done))

    async def _settle(self, suspicion: Suspicion) -> Settlement:
        kind, subject = suspicion.kind, suspicion.subject
        if kind in ROUTINE:
            return await self._start_what_was_left(kind, subject)
        if kind is Finding.RUN_LOST:
            return await self._take_up(TransferId(subject))
        if kind in UNCERTAIN:
            return await self._park(kind, subject)
        if kind in NEWS:
            return Settlement.UNFOUNDED
        return await self._mend(kind, TransferId(subject))

    async def _start_what_was_left(self, kind: Finding, subject: str) -> Settlement:
        if kind is Finding.NOT_STARTED:
            return await self._start(TransferId(subject))
        if kind is Finding.WORK_DUE:
            await self._engine.rescue(TransferId(subject))
        else:
            await self._engine.tell_owner(ChargePointId(subject), OwnerNews.LATE_SESSIONS)
        return Settlement.STARTED

    async def _start(self, transfer_id: TransferId) -> Settlement:
        """Start a request; its refusal is in the register, for its sender to read."""
        try:
            if not await self._engine.start(transfer_id):
                return Settlement.NOT_YET
        except Refusal as refusal:
            log.info("transfer %s was refused: %s", transfer_id, refusal.message)
            await self._requests.mark_refused(transfer_id)
        else:
            await self._requests.mark_started(transfer_id)
        return Settlement.STARTED

    async def _take_up(self, transfer_id: TransferId) -> Settlement:
        """Start a lost run anew: every step may be taken again. One that is lost again and again is parked."""
        async with self._db.reading() as rows:
            state = await inconsistencies.state_of(rows, transfer_id)
            tries = await audit.count(rows, transfer_id, TrailAction.TAKEN_UP)
        if state is None or judge(state, await self._runs.latest(transfer_id)) is not Finding.RUN_LOST:
            return Settlement.UNFOUNDED
        if tries >= TAKE_UPS:
            return await self._park(Finding.RUN_LOST, transfer_id)
        await self._engine.take_up(transfer_id)
        return await self._mended(Finding.RUN_LOST, transfer_id)

    async def _mend(self, kind: Finding, transfer_id: TransferId) -> Settlement:
        """Undo what an ended transfer has left behind."""
        now = datetime.now(UTC)
        async with self._db.writing() as rows:
            row = await transfers.get(rows, transfer_id)
            point = ChargePointId(row.charge_point_id)
            if TransferState(row.state) not in FINAL:
                return Settlement.UNFOUNDED
            if kind is Finding.SESSIONS_BLOCKED:
                await charge_points.allow_sessions(rows, point, transfer_id)
            elif TransferState(row.state) in {TransferState.COMPLETED, TransferState.COMPLETED_WITH_WARNINGS}:
                await credentials.leave_due(rows, point, transfer_id)
            else:
                await credentials.withdraw(rows, point, transfer_id, now)
        return await self._mended(kind, transfer_id)

    async def _mended(self, kind: Finding, subject: str) -> Settlement:
        async with self._db.writing() as rows:
            await findings.note_mended(rows, kind, subject, datetime.now(UTC))
        log.warning("%s of %s: mended", kind, subject)
        return Settlement.MENDED

    async def _park(self, kind: Finding, subject: str) -> Settlement:
        """Leave it to an operator: a transfer that is under way says so itself."""
        async with self._db.writing() as rows:
            news = await findings.note_parked(rows, kind, subject, datetime.now(UTC))
            row = await transfers.find(rows, TransferId(subject))
            if row is not None and TransferState(row.state) not in FINAL:
                row.attention, row.waiting_until = Attention.OPERATOR.value, None
            if row is not None and news:
                detail = {"finding": kind.value}
                parked = TrailAction.PARKED
                await audit.append(rows, TransferId(subject), actor=SYSTEM, action=parked, detail=detail)
        if news:
            log.error("%s of %s: an operator is needed", kind, subject)
        return Settlement.PARKED


async def _slices(rows: AsyncSession, place: Place, also: Collection[str]) -> tuple[Slice, Slice]:
    """Give the charge points and the requests that a look from a place on compares, with some others."""
    points = await inconsistencies.cut(rows, ChargePoint.id, place.charge_point, POINTS_AT_ONCE, also)
    return points, await inconsistencies.cut(rows, Request.transfer_id, place.request, REQUESTS_AT_ONCE, also)


async def _routine(rows: AsyncSession, now: datetime) -> list[tuple[Finding, str]]:
    """List what is to be done at once (domain.reconciliation.ROUTINE)."""
    left = [(Finding.NOT_STARTED, one) for one in await inconsistencies.not_started(rows, now - LEFT_AFTER)]
    due = [(Finding.WORK_DUE, one) for one in await rescues.waiting(rows, now)]
    told = [(Finding.FORMER_OWNER_UNTOLD, one) for one in await charging_review.untold(rows, now.date())]
    return [*left, *due, *told]
