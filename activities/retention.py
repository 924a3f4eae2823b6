"""What was kept long enough: each look of the reconciler takes some of it out, bit by bit."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias

from sqlalchemy.ext.asyncio import AsyncSession

from domain.charging import CONNECTIONS_KEPT
from domain.errors import Unavailable
from domain.limits import CODES_KEPT, REFUSALS_KEPT, REQUESTS_KEPT
from domain.trail import PLACES_KEPT
from persistence.chargers import charger_connections
from persistence.intake import retention
from persistence.session import Database
from persistence.transfers import audit, audit_seals, outbox
from persistence.vault import Vault

log = logging.getLogger("handover.reconciler")

#: So many rows go in one transaction.
FORGOTTEN_AT_ONCE: Final = 500
#: So many such transactions a look makes of each kind at most, in so many seconds; the next one does more. With a look
#: a minute that is 43 million rows a day: ten million charge points that come back four times a day leave as many.
_BATCHES: Final = 60
_SECONDS: Final = 2.0
#: So many seals a look makes at most.
_SEALS: Final = 10
#: How often it is looked for what only a search of a whole table finds.
SEARCHED_EVERY: Final = timedelta(hours=1)

_Forget: TypeAlias = Callable[[AsyncSession, datetime, int], Awaitable[int]]


@dataclass(frozen=True)
class Kept:
    """For how long what is kept."""

    places: timedelta = PLACES_KEPT
    connections: timedelta = CONNECTIONS_KEPT
    requests: timedelta = REQUESTS_KEPT
    refusals: timedelta = REFUSALS_KEPT
    codes: timedelta = CODES_KEPT


class Retention:
    """Takes out what was kept long enough; where that can't be now, it is done at another look."""

    def __init__(self, db: Database, vault: Vault, kept: Kept) -> None:
        """Take where it is kept, the vault that seals what stays, and for how long."""
        self._db = db
        self._vault = vault
        self._often: tuple[tuple[_Forget, timedelta, str], ...] = (
            (audit.forget_places, kept.places, "entries of audit trails tell no more where somebody was"),
            (charger_connections.forget, kept.connections, "connections of chargers are no more kept"),
            (retention.forget_counts, timedelta(), "counts of windows that are over are no more kept"),
            (retention.forget_passkey_challenges, timedelta(), "challenges for passkeys are no more kept"),
        )
        self._seldom: tuple[tuple[_Forget, timedelta, str], ...] = (
            (retention.forget_requests, kept.requests, "requests are no more kept"),
            (
                retention.forget_keys,
                kept.requests,
                "idempotency keys are no more kept",
            ),  # after the requests they go by
            (outbox.forget, kept.requests, "letters are no more known to have been sent"),
            (retention.forget_codes, kept.codes, "one-time codes are no more kept"),
            (retention.forget_sign_in_codes, kept.codes, "codes to sign in with are no more kept"),
            (retention.forget_sign_ins, kept.codes, "sign-ins that are over are no more kept"),
            (partial(retention.forget_refusals, vault), kept.refusals, "refusals are no more in audit trails"),
            (retention.forget_refused_orders, kept.refusals, "refused orders are no more kept"),
        )
        self._search_at: datetime | None = None

    async def forget(self, now: datetime) -> None:
        """Take out some of it; but the trails are sealed first, once a day."""
        await self._seal(now)
        for forget, kept, what in self._often:
            await self._forget(forget, now - kept, what)
        if self._search_at is None or now >= self._search_at:
            self._search_at = now + SEARCHED_EVERY
            for forget, kept, what in self._seldom:
                await self._forget(forget, now - kept, what)

    async def _seal(self, now: datetime) -> None:
        try:
            for _ in range(_SEALS):
                async with self._db.writing() as rows:
                    if not await audit_seals.seal(rows, self._vault, now):
                        break
        except Unavailable as away:
            log.warning("the audit trails are sealed later: %s", away.message)

    async def _forget(self, forget: _Forget, before: datetime, what: str) -> None:
        count, until = 0, time.monotonic() + _SECONDS
        try:
            for _ in range(_BATCHES):
                async with self._db.writing() as rows:
                    count += (gone := await forget(rows, before, FORGOTTEN_AT_ONCE))
                if gone < FORGOTTEN_AT_ONCE or time.monotonic() > until:
                    break
        except Unavailable as away:
            log.warning("what was kept long enough is kept on for now: %s", away.message)
        if count:
            log.info("%d %s", count, what)
