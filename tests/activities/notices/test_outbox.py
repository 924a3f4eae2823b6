"""The outbox's sender: each letter once, none for ever, one that can't be sent in nobody's way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities import outbox as sending
from activities.contracts.outbox import Deliver, Queue
from activities.outbox import AT_ONCE, DatabaseOutbox
from activities.transfer_letters import TransferLetters
from domain.ids import TransferId
from domain.letters import Subject
from notices.mail import MailSender
from persistence.tables import OutboxLetter
from persistence.transfers import outbox
from tests.activities.notices.letters import ORIGIN, recipients
from tests.activities.notices.world import TRANSFER, World
from tests.notices.mailbox import MAIL_FROM, Mailbox

LONG_AGO = datetime.now(UTC) - timedelta(days=40)


@asynccontextmanager
async def delivering(world: World, letters: TransferLetters) -> AsyncIterator[ActivityEnvironment]:
    """Deliver inside the block; at its end the worker stops."""
    work = ActivityEnvironment()
    running = asyncio.ensure_future(work.run(DatabaseOutbox(world.database, letters).deliver, Deliver()))
    try:
        yield work
    finally:
        work.worker_shutdown()
        await asyncio.wait_for(running, 10)


async def queue(world: World, *letters: outbox.Letter, of: TransferId = TRANSFER) -> None:
    async with world.database.writing() as rows:
        await outbox.queue(rows, of, letters)


async def until(world: World, holds: Callable[[list[OutboxLetter]], bool]) -> list[OutboxLetter]:
    async with asyncio.timeout(20):
        while True:
            found = await world.all(OutboxLetter)
            if holds(found):
                return found
            await asyncio.sleep(0.05)  # the sender's doing: there is nothing here to wait on


def closed(letters: list[OutboxLetter]) -> bool:
    return all(letter.due_at is None for letter in letters)


async def test_what_is_queued_is_sent_once_and_closed(world: World, letters: TransferLetters, mailbox: Mailbox) -> None:
    await world.move(asked_over_owner=True)
    await queue(world, outbox.Letter(Subject.REQUESTED), outbox.Letter(Subject.ASKED, generation=1))
    await queue(world, outbox.Letter(Subject.ASKED, generation=1))  # as a step that runs again does
    async with delivering(world, letters):
        found = await until(world, closed)
    assert recipients(mailbox) == ["bruno@example.org", "yann@example.org", "zoe@example.org"]
    assert [(letter.tries, letter.closed_at is not None) for letter in found] == [(0, True), (0, True)]


async def test_a_reminder_waits_for_its_time(world: World, letters: TransferLetters, mailbox: Mailbox) -> None:
    await world.to_user()
    soon = datetime.now(UTC) + timedelta(seconds=1)
    await queue(world, outbox.Letter(Subject.ASKED, 1, reminder=1, due_at=soon))
    await queue(world, outbox.Letter(Subject.ASKED, 1, reminder=2, due_at=soon + timedelta(days=1)))
    async with delivering(world, letters):
        await until(world, lambda found: sum(letter.due_at is None for letter in found) == 1)
    assert datetime.now(UTC) >= soon
    assert len(mailbox.letters) == 1


async def test_a_letter_that_can_not_be_sent_is_tried_again_and_holds_up_no_other(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.move(asked_over_owner=True)
    mailbox.answers["yann@example.org"] = "450 4.2.1 later"
    stubborn = {"asked": True, "requested": False}
    await queue(world, outbox.Letter(Subject.ASKED, generation=1))
    await queue(world, outbox.Letter(Subject.REQUESTED))
    async with delivering(world, letters):
        await until(world, lambda found: {letter.subject: letter.tries > 1 for letter in found} == stubborn)
        assert recipients(mailbox) == ["bruno@example.org", "zoe@example.org"]
        async with world.database.reading() as rows:
            (left,) = await outbox.undelivered(rows)
        assert left.last_error
        assert "@" not in left.last_error
        mailbox.answers.clear()
        await until(world, closed)
    assert recipients(mailbox) == ["bruno@example.org", "yann@example.org", "zoe@example.org"], "zoe has it once"
    async with world.database.reading() as rows:
        assert await outbox.undelivered(rows) == []


async def test_a_fault_in_making_a_letter_is_in_the_log_and_holds_up_no_other(
    world: World, letters: TransferLetters, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.move(asked_over_owner=True)
    await queue(world, outbox.Letter(Subject.ENDED))
    await queue(world, outbox.Letter(Subject.REQUESTED))
    send = TransferLetters.send

    async def broken(self: TransferLetters, letter: OutboxLetter) -> None:
        if letter.subject == Subject.ENDED:
            raise KeyError("a template's word")
        await send(self, letter)

    monkeypatch.setattr(TransferLetters, "send", broken)
    async with delivering(world, letters):
        found = await until(world, lambda found: any(letter.due_at is None for letter in found))
    assert recipients(mailbox) == ["bruno@example.org"]
    assert {letter.subject: letter.last_error for letter in found}["ended"] == sending._BROKEN


async def test_so_many_are_sent_beside_each_other_and_no_more(world: World, mailbox: Mailbox) -> None:
    await world.move()
    await queue(world, *(outbox.Letter(Subject.SETTLED, generation=number) for number in range(3 * AT_ONCE)))
    at_once, most, all_in = 0, 0, asyncio.Event()

    class Counting(TransferLetters):
        async def send(self, letter: OutboxLetter) -> None:
            nonlocal at_once, most
            at_once, most = at_once + 1, max(most, at_once + 1)
            if at_once == AT_ONCE:
                all_in.set()
            await all_in.wait()
            async with world.database.writing() as rows:
                await outbox.close(rows, letter.id, datetime.now(UTC))
            at_once -= 1

    async with delivering(world, Counting(world.database, world.vault, mailbox.sender(), ORIGIN)):
        await until(world, closed)
    assert most == AT_ONCE


async def test_a_worker_that_stops_ends_what_it_is_at(world: World, mailbox: Mailbox) -> None:
    await world.to_user()
    await queue(world, outbox.Letter(Subject.ASKED, generation=1))
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(MailSender):
        async def send(self, *letter: Any) -> None:
            begun.set()
            await go_on.wait()
            await super().send(*letter)

    slow = Slow(host="127.0.0.1", port=mailbox.port, mail_from=MAIL_FROM)
    async with delivering(world, TransferLetters(world.database, world.vault, slow, ORIGIN)) as work:
        await begun.wait()
        work.worker_shutdown()
        go_on.set()
    assert closed(await world.all(OutboxLetter))
    assert len(mailbox.letters) == 1


async def test_a_letter_about_a_new_key_is_queued_with_its_reminder_once(
    world: World, letters: TransferLetters
) -> None:
    await world.to_user()
    remind_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    for _ in range(2):
        order = Queue(transfer_id=TRANSFER, subject=Subject.NEW_KEY, remind_at=remind_at)
        await DatabaseOutbox(world.database, letters).queue(order)
    first, second = sorted(await world.all(OutboxLetter), key=lambda letter: letter.reminder)
    assert (first.reminder, second.reminder, second.due_at) == (0, 1, remind_at)


async def test_closed_letters_are_forgotten_and_open_ones_never(world: World) -> None:
    await world.to_user()
    await queue(world, *(outbox.Letter(Subject.ASKED, 1, number) for number in range(3)))
    old, new, is_open = sorted(await world.all(OutboxLetter), key=lambda letter: letter.id)
    await world.change(OutboxLetter, old.id, due_at=None, closed_at=LONG_AGO)
    await world.change(OutboxLetter, new.id, due_at=None, closed_at=datetime.now(UTC))
    await world.change(OutboxLetter, is_open.id, queued_at=LONG_AGO)
    async with world.database.writing() as rows:
        assert await outbox.forget(rows, datetime.now(UTC) - timedelta(days=30), 10) == 1
    assert {letter.id for letter in await world.all(OutboxLetter)} == {new.id, is_open.id}
