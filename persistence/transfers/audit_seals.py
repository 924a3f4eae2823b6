"""Seals audit trails day by day under the server's key, and leaves a mark where retention takes a refusal out."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from persistence.tables import AuditCounter, AuditGap, AuditSeal, AuditSealedHead
from persistence.vault import Vault

#: So many trails one seal takes at most.
AT_ONCE: Final = 5000
_GAP: Final = "audit-gap"
_SEAL: Final = "audit-seal"
#: What stands between two parts of what is hashed, and in none of them.
_SEPARATOR: Final = "\x1f"

Head = tuple[str, int, str | None]
"""How far a trail is: its subject, its last sequence, the hash of that entry."""


def gap(vault: Vault, subject: str, sequence: int, hash_: str | None) -> dict[str, Any]:
    """Give the row of a gap that retention makes."""
    mac = vault.mac(_GAP, _joined(subject, sequence, hash_))
    return {"subject": subject, "sequence": sequence, "hash": hash_, "mac": mac}


def is_ours(vault: Vault, row: AuditGap) -> bool:
    """Whether a gap was made by us, and is where it was made."""
    return vault.matches(_GAP, _joined(row.subject, row.sequence, row.hash), row.mac)


async def seal(rows: AsyncSession, vault: Vault, now: datetime) -> bool:
    """Seal the trails that have grown since they were sealed last, once a day; say whether there was anything to do.

    A day on which none has grown is sealed, too: so it shows when sealing has stopped. Where there are more than
    AT_ONCE the next call goes on. Trails that somebody is writing to are sealed the next time.
    """
    before = (await rows.scalars(select(AuditSeal).order_by(AuditSeal.number.desc()).limit(1))).one_or_none()
    begun = before is not None and before.at.astimezone(UTC).date() == now.astimezone(UTC).date()
    if begun and before and before.trails < AT_ONCE:
        return False
    grown = select(AuditCounter).where(AuditCounter.sealed < AuditCounter.last).order_by(AuditCounter.subject)
    counters = (await rows.scalars(grown.limit(AT_ONCE).with_for_update(skip_locked=True))).all()
    heads: list[Head] = [(one.subject, one.last, one.hash) for one in counters]
    number, digest = (before.number + 1 if before else 1), digest_of(before.digest if before else "", heads)
    mac = vault.mac(_SEAL, _told(number, now, len(heads), digest))
    rows.add(AuditSeal(number=number, at=now, trails=len(heads), digest=digest, mac=mac))
    await rows.flush()
    if heads:
        sealed = [dict(zip(("subject", "sequence", "hash"), head, strict=True), seal=number) for head in heads]
        await rows.execute(insert(AuditSealedHead), sealed)
        for one in counters:
            one.sealed = one.last
        await rows.flush()
    return True


def digest_of(before: str, heads: Iterable[Head]) -> str:
    """Give the digest of a seal: over its heads by their bytes, as databases differ in how they order texts."""
    told = hashlib.sha256(before.encode())
    for head in sorted(_joined(*head) for head in heads):
        told.update(b"\n" + head)
    return told.hexdigest()


def is_sealed(vault: Vault, row: AuditSeal) -> bool:
    """Whether a seal was made by us, and says what it said."""
    return vault.matches(_SEAL, _told(row.number, row.at, row.trails, row.digest), row.mac)


def _told(number: int, at: datetime, trails: int, digest: str) -> bytes:
    return _joined(number, at.astimezone(UTC).isoformat(), trails, digest)


def _joined(*parts: object) -> bytes:
    return _SEPARATOR.join("" if part is None else str(part) for part in parts).encode()
