"""Whether audit trails are what was written: each entry by its hash, each trail by its seals. Only reads."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import select, tuple_, union
from sqlalchemy.orm import lazyload

from persistence.session import Database
from persistence.tables import AuditCounter, AuditEvent, AuditGap, AuditSeal, AuditSealedHead
from persistence.transfers import audit_seals
from persistence.transfers.audit import hash_of
from persistence.vault import Vault

#: So many entries, or trails, are read at a time.
_PAGE: Final = 1000
#: How old the last seal is at most; a day has one.
_SEALED_WITHIN: Final = timedelta(hours=36)


class Flaw(StrEnum):
    """What is wrong."""

    CHANGED = "changed"
    """The entry, or one before it, is not as it was written; or it stands in another's place."""
    DETAIL_CHANGED = "detail_changed"
    MISSING = "missing"
    """No entry stands there, and retention has taken none out."""
    GAP_FORGED = "gap_forged"
    """Something says that retention has taken an entry out, which it has not."""
    NOT_AS_SEALED = "not_as_sealed"
    """The trail was written anew since it was sealed."""
    SEAL_BROKEN = "seal_broken"
    SEAL_OVERDUE = "seal_overdue"


@dataclass(frozen=True)
class Problem:
    """What is wrong where; `sequence` is None where it is not one entry, `subject` empty where it is no trail."""

    flaw: Flaw
    subject: str = ""
    sequence: int | None = None


@dataclass
class Counts:
    """How much was looked at."""

    trails: int = 0
    entries: int = 0
    seals: int = 0


@dataclass
class _Trail:
    """A trail as it is read, from its first entry to its last."""

    subject: str
    gaps: Mapping[int, AuditGap]
    vault: Vault
    last: int = 0
    hash: str | None = ""
    """Of the entry before; None: it can't be told."""
    hashes: dict[int, str | None] = field(default_factory=dict)

    def take(self, row: AuditEvent) -> Iterator[Problem]:
        yield from self.up_to(row.sequence)
        self.last = row.sequence
        if row.hash is not None and self.hash is not None and hash_of(row, self.hash) != row.hash:
            yield Problem(Flaw.CHANGED, row.subject, row.sequence)
        if row.salt is not None and _digest(row.salt, row.detail) != row.digest:
            yield Problem(Flaw.DETAIL_CHANGED, row.subject, row.sequence)
        self.hash = row.hash or ""
        self.hashes[row.sequence] = row.hash

    def up_to(self, sequence: int) -> Iterator[Problem]:
        """Go by what retention has taken out before an entry."""
        for missing in range(self.last + 1, sequence):
            gap = self.gaps.get(missing)
            if gap is None:
                yield Problem(Flaw.MISSING, self.subject, missing)
                self.hash = None
            elif not audit_seals.is_ours(self.vault, gap):
                yield Problem(Flaw.GAP_FORGED, self.subject, missing)
                self.hash = None
            else:
                self.hash = gap.hash or ""
                self.hashes[missing] = gap.hash
            self.last = missing

    def end(self, counter: AuditCounter | None, heads: Sequence[AuditSealedHead]) -> Iterator[Problem]:
        """Compare its end with what its counter says, and all of it with its seals."""
        sealed = max((head.sequence for head in heads), default=0)
        last = max(counter.last if counter else 0, sealed)
        yield from self.up_to(last + 1)
        if counter is not None and self.hash is not None and (counter.hash or "") != self.hash:
            yield Problem(Flaw.CHANGED, self.subject, self.last)
        for head in heads:
            if head.sequence in self.hashes and self.hashes[head.sequence] != head.hash:
                yield Problem(Flaw.NOT_AS_SEALED, self.subject, head.sequence)


class AuditCheck:
    """Goes through all trails once."""

    def __init__(self, db: Database, vault: Vault) -> None:
        """Take the database, and the vault whose key they are sealed under."""
        self._db = db
        self._vault = vault
        self.counts = Counts()

    async def problems(self, now: datetime) -> AsyncIterator[Problem]:
        """Give what is wrong, as it is found; entries that are being written meanwhile are no flaw."""
        async for problem in self._seals(now):
            yield problem
        after = ""
        while subjects := await self._subjects(after):
            for subject in subjects:
                self.counts.trails += 1
                async for problem in self._trail(subject):
                    yield problem
            after = subjects[-1]

    async def _subjects(self, after: str) -> list[str]:
        """List the next trails of which anything is there at all, in the database's own order, by which it goes on."""
        columns = (AuditCounter.subject, AuditEvent.subject, AuditSealedHead.subject)
        firsts = (select(column.label("subject")).where(column > after).distinct() for column in columns)
        parts = (first.order_by("subject").limit(_PAGE).subquery() for first in firsts)
        there = union(*(select(part.c.subject) for part in parts)).subquery()
        async with self._db.reading() as rows:
            return list(await rows.scalars(select(there.c.subject).order_by(there.c.subject).limit(_PAGE)))

    async def _trail(self, subject: str) -> AsyncIterator[Problem]:
        async with self._db.reading() as rows:
            counter = await rows.get(AuditCounter, subject)
            of_trail = select(AuditGap).where(AuditGap.subject == subject)
            gaps = {gap.sequence: gap for gap in await rows.scalars(of_trail)}
            of_seals = select(AuditSealedHead).where(AuditSealedHead.subject == subject)
            heads = (await rows.scalars(of_seals.order_by(AuditSealedHead.sequence))).all()
        trail, last = _Trail(subject, gaps, self._vault), counter.last if counter else None
        while entries := await self._entries(subject, trail.last, last):
            for entry in entries:
                self.counts.entries += 1
                for problem in trail.take(entry):
                    yield problem
        for problem in trail.end(counter, heads):
            yield problem

    async def _entries(self, subject: str, after: int, last: int | None) -> Sequence[AuditEvent]:
        wanted = select(AuditEvent).where(AuditEvent.subject == subject, AuditEvent.sequence > after)
        wanted = wanted.where(AuditEvent.sequence <= last) if last is not None else wanted
        async with self._db.reading() as rows:
            page = wanted.order_by(AuditEvent.sequence).limit(_PAGE).options(lazyload(AuditEvent.order))
            return (await rows.scalars(page)).all()

    async def _seals(self, now: datetime) -> AsyncIterator[Problem]:
        number, digest, latest = 0, "", None
        while True:
            async with self._db.reading() as rows:
                wanted = select(AuditSeal).where(AuditSeal.number > number).order_by(AuditSeal.number).limit(1)
                row = (await rows.scalars(wanted)).one_or_none()
                if row is None:
                    break
                of_seal = select(AuditSealedHead).where(AuditSealedHead.seal == row.number)
                heads = (await rows.scalars(of_seal)).all()
            self.counts.seals += 1
            told = audit_seals.digest_of(digest, [(one.subject, one.sequence, one.hash) for one in heads])
            as_sealed = told == row.digest and len(heads) == row.trails and audit_seals.is_sealed(self._vault, row)
            if row.number != number + 1 or not as_sealed:
                yield Problem(Flaw.SEAL_BROKEN, sequence=row.number)
            number, digest, latest = row.number, row.digest, row.at
        if latest is None or now - latest > _SEALED_WITHIN:
            yield Problem(Flaw.SEAL_OVERDUE)

    async def entries(self) -> AsyncIterator[AuditEvent]:
        """Give every entry of every trail, in their order."""
        place = ("", 0)
        while True:
            behind = tuple_(AuditEvent.subject, AuditEvent.sequence) > place
            wanted = select(AuditEvent).where(behind).order_by(AuditEvent.subject, AuditEvent.sequence).limit(_PAGE)
            async with self._db.reading() as rows:
                page = (await rows.scalars(wanted)).all()
            for entry in page:
                yield entry
            if len(page) < _PAGE:
                return
            place = (page[-1].subject, page[-1].sequence)


def _digest(salt: str, detail: Mapping[str, Any]) -> str:
    return hashlib.sha256((salt + json.dumps(detail, sort_keys=True)).encode()).hexdigest()
