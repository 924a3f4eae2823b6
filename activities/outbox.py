"""Sends what is in the outbox, many letters beside each other: one that can't be sent holds up no other."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity

from activities.contracts import outbox as contracts
from activities.contracts.messages import Done
from activities.contracts.outbox import Deliver, Queue
from activities.transfer_letters import TransferLetters
from domain.errors import Unavailable
from domain.ids import TransferId
from persistence.session import Database
from persistence.tables import OutboxLetter
from persistence.transfers import outbox
from telemetry.subject import learn

log = logging.getLogger("handover.outbox")

#: How many letters are sent beside each other, and how few are left when it is looked for more.
AT_ONCE: Final = 16
_FEW: Final = AT_ONCE // 2
#: How often it is looked for what is due, in seconds, while there is room.
LOOK_EVERY: Final = 0.5
#: After how long the activity ends, for its workflow to begin another: its worker may be about to stop.
SHIFT: Final = timedelta(minutes=10)
#: What a fault of ours in making a letter is noted as; the log has the rest.
_BROKEN: Final = "The letter could not be made; the worker's log says why."


class DatabaseOutbox(contracts.Outbox):
    """The outbox on SQLite or PostgreSQL."""

    def __init__(self, database: Database, letters: TransferLetters) -> None:
        """Take where letters are queued, and what sends one."""
        self._db = database
        self._letters = letters

    async def queue(self, letter: Queue) -> Done:
        """Insert the rows; those that are there are left alone."""
        queued = [outbox.Letter(letter.subject)]
        if letter.remind_at is not None:
            queued.append(outbox.Letter(letter.subject, reminder=1, due_at=letter.remind_at))
        async with self._db.writing() as rows:
            await outbox.queue(rows, letter.transfer_id, queued)
        return Done()

    async def deliver(self, _order: Deliver) -> Done:
        """Send each letter that is due; where another worker does the same, one goes out twice, under one name."""
        ends = datetime.now(UTC) + SHIFT
        under_way: dict[int, asyncio.Task[None]] = {}
        try:
            while not activity.is_worker_shutdown() and datetime.now(UTC) < ends:
                activity.heartbeat()
                await _rest(under_way, looks_again=await self._begin(under_way))
            if under_way:
                await asyncio.wait(under_way.values())
        finally:
            for sending in under_way.values():
                sending.cancel()
        return Done()

    async def _begin(self, under_way: dict[int, asyncio.Task[None]]) -> bool:
        """Take up what is due, while there is room; whether there may be more that is due."""
        if len(under_way) > _FEW:
            return True
        async with self._db.reading() as rows:
            letters = await outbox.due(rows, datetime.now(UTC), AT_ONCE - len(under_way), under_way.keys())
        for letter in letters:
            under_way[letter.id] = asyncio.create_task(self.send(letter))
        return len(under_way) >= AT_ONCE

    async def send(self, letter: OutboxLetter) -> None:
        """Send one letter; where it can't be handed over now it is put off."""
        learn(transfer_id=TransferId(letter.transfer_id))
        try:
            await self._letters.send(letter)
        except Unavailable as away:
            error = away.message
        except Exception:  # whatever it was: one letter holds up no other
            log.exception("a letter about %s can't be made", letter.subject)
            error = _BROKEN
        else:
            return
        log.warning("a letter about %s is put off: %s", letter.subject, error)
        try:
            async with self._db.writing() as rows:
                await outbox.put_off(rows, letter, error, datetime.now(UTC))
        except Unavailable as away:  # it is still due
            log.warning("that could not be noted: %s", away.message)


async def _rest(under_way: dict[int, asyncio.Task[None]], *, looks_again: bool) -> None:
    """Wait until it is time to look again, or with `looks_again` until something was sent; forget what has ended."""
    stopping = asyncio.ensure_future(activity.wait_for_worker_shutdown())
    try:
        waited_for = {stopping, *(under_way.values() if looks_again else ())}
        await asyncio.wait(waited_for, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
    for letter_id in [letter_id for letter_id, sending in under_way.items() if sending.done()]:
        under_way.pop(letter_id).result()
