"""The outbox: what a transfer is to write to people, queued in the transaction that it follows from; its delivery."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import TransferId
from domain.letters import Subject
from persistence.inserts import insert_into
from persistence.tables import OutboxLetter

#: After how long what could not be handed over is tried again: at first, doubled each time, and at most.
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Letter:
    """A letter to be sent, as it is queued."""

    subject: Subject
    generation: int = 0
    """Of the links that a question carries; 0 for anything else."""
    reminder: int = 0
    """0 for the first letter; 1 and on remind."""
    due_at: datetime | None = None
    """None: at once."""


async def queue(rows: AsyncSession, transfer_id: TransferId, letters: Sequence[Letter]) -> None:
    """Queue a transfer's letters, each once: one that was queued before is not queued again."""
    now = datetime.now(UTC)
    queued: list[dict[str, Any]] = [
        {
            "transfer_id": transfer_id,
            "subject": letter.subject.value,
            "generation": letter.generation,
            "reminder": letter.reminder,
            "queued_at": now,
            "due_at": letter.due_at or now,
            "tries": 0,
            "taken": [],
        }
        for letter in letters
    ]
    if queued:
        await rows.execute(insert_into(rows, OutboxLetter).values(queued).on_conflict_do_nothing())


async def due(rows: AsyncSession, now: datetime, limit: int, but_not: Collection[int]) -> list[OutboxLetter]:
    """List what is to be sent now, the longest due first, but for those in `but_not`. Only reads."""
    wanted = select(OutboxLetter).where(OutboxLetter.due_at <= now)
    wanted = wanted.where(OutboxLetter.id.not_in(but_not)) if but_not else wanted
    return list(await rows.scalars(wanted.order_by(OutboxLetter.due_at, OutboxLetter.id).limit(limit)))


async def close(rows: AsyncSession, letter_id: int, now: datetime) -> None:
    """Note that nothing is left to do about a letter: it was handed over, or nobody is to have it any more."""
    await rows.execute(
        update(OutboxLetter).where(OutboxLetter.id == letter_id).values(due_at=None, closed_at=now, last_error=None)
    )


async def put_off(rows: AsyncSession, letter: OutboxLetter, error: str, now: datetime) -> None:
    """Note that a letter could not be handed over to all it is for, and when it is tried again.

    Whoever has it by then is in its `taken`.
    """
    pause = min(FIRST_PAUSE * 2 ** min(letter.tries, 10), LONGEST_PAUSE)
    changed = {"due_at": now + pause, "tries": letter.tries + 1, "last_error": error, "taken": letter.taken}
    await rows.execute(update(OutboxLetter).where(OutboxLetter.id == letter.id).values(changed))


async def undelivered(rows: AsyncSession) -> list[OutboxLetter]:
    """List what could not be sent so far, the oldest first. Only reads."""
    failed = OutboxLetter.due_at.is_not(None), OutboxLetter.tries > 0
    return list(await rows.scalars(select(OutboxLetter).where(*failed).order_by(OutboxLetter.queued_at)))


async def forget(rows: AsyncSession, before: datetime, limit: int) -> int:
    """Delete letters that were closed earlier, `limit` of them at most; give how many."""
    old = select(OutboxLetter.id).where(OutboxLetter.closed_at < before).order_by(OutboxLetter.id).limit(limit)
    found = await rows.execute(delete(OutboxLetter).where(OutboxLetter.id.in_(old)).returning(OutboxLetter.id))
    return len(found.all())
