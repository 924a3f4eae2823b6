"""Each entry of an audit trail is hashed with the one before it: what is changed, or taken out, breaks the chain."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC

from sqlalchemy import select

from domain.actors import SYSTEM
from domain.ids import TransferId
from domain.trail import TrailAction
from persistence.session import Database
from persistence.tables import AuditCounter, AuditEvent
from persistence.transfers import audit

ONE, OTHER = TransferId("trf_1"), TransferId("trf_2")


def chained(entries: Sequence[AuditEvent]) -> list[str]:
    """Give the hashes that entries should have: made here from nothing but what they say."""
    before, hashes = "", []
    for one in entries:
        digest = hashlib.sha256(((one.salt or "") + json.dumps(one.detail, sort_keys=True)).encode()).hexdigest()
        at = one.at.astimezone(UTC).isoformat()
        said = at, one.actor, one.action, one.order_id or "", one.once or "", digest
        parts = one.subject, str(one.sequence), *said, before
        before = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
        hashes.append(before)
    return hashes


async def trail_of(database: Database, subject: TransferId) -> tuple[Sequence[AuditEvent], AuditCounter]:
    async with database.reading() as rows:
        query = select(AuditEvent).where(AuditEvent.subject == subject).order_by(AuditEvent.sequence)
        return (await rows.scalars(query)).all(), await rows.get_one(AuditCounter, subject)


async def append(database: Database, subject: TransferId, once: str | None = None, **detail: str | int) -> bool:
    async with database.writing() as rows:
        return await audit.append(rows, subject, actor=SYSTEM, action=TrailAction.TOLD, once=once, detail=dict(detail))


async def test_each_entry_is_hashed_with_the_one_before_it_in_its_trail(database: Database) -> None:
    assert await append(database, ONE, "a", what="ended", reminder=1)
    assert await append(database, OTHER, "a")
    assert await append(database, ONE, words="Zoé, key \u2028 'quoted'")
    assert await append(database, ONE, "b")
    for subject, number in ((ONE, 3), (OTHER, 1)):
        entries, counter = await trail_of(database, subject)
        assert [one.hash for one in entries] == chained(entries)
        assert (counter.last, counter.hash) == (number, entries[-1].hash)


async def test_a_repeat_leaves_the_chain_as_it_was(database: Database) -> None:
    await append(database, ONE, "a")
    before = (await trail_of(database, ONE))[1]
    assert not await append(database, ONE, "a", other="detail")
    entries, after = await trail_of(database, ONE)
    assert (after.last, after.hash) == (before.last, before.hash)
    await append(database, ONE)
    entries, _ = await trail_of(database, ONE)
    assert [one.hash for one in entries] == chained(entries)


async def test_equal_details_have_different_digests(database: Database) -> None:
    for _ in range(2):
        await append(database, ONE, reason="court order 7")
    first, second = (await trail_of(database, ONE))[0]
    assert first.digest != second.digest
