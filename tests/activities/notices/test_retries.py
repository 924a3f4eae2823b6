"""What a failed try leaves behind, and what the next one does with it."""

import asyncio
import traceback
import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.contracts.notices import Ask
from activities.contracts.wiring import implementations
from activities.notices import Notices, _domain_of
from activities.refusals import RefusalInterceptor
from domain.errors import Unavailable
from notices.mail import MailSender
from persistence import tables
from persistence.vault import Vault, fingerprint
from tests.activities.notices.letters import ASK, ORIGIN, REMIND, away, recipients, token_in
from tests.activities.notices.world import World
from tests.conftest import SERVER_KEY
from tests.notices.mailbox import MAIL_FROM, Mailbox, text_of


async def test_with_the_mail_server_away_nothing_is_half_done(world: World, notices: Notices, mailbox: Mailbox) -> None:
    await world.move()
    with pytest.raises(Unavailable) as raised:
        await away(world).ask(ASK)
    assert "@" not in "".join(traceback.format_exception(raised.value)).replace("@activity", "")
    assert [action for _, action, _ in await world.trail()] == ["asked"], "it says that the link is made"
    made = {link.token_hash for link in await world.all(tables.ApprovalLink)}
    await notices.ask(ASK)
    assert {fingerprint(token_in(text_of(letter))) for letter in mailbox.letters} == made
    assert [action for _, action, _ in await world.trail()] == ["asked"]


@pytest.mark.parametrize("behind", ["an account", "an account without e-mail", "a blocked account", "nobody"])
@pytest.mark.parametrize("address", ["+33612345678", "zoe@example.org"])
async def test_with_the_mail_server_away_the_step_fails_alike_whoever_is_behind_an_address(
    world: World, notices: Notices, address: str, behind: str
) -> None:
    to = {"an account": "zoe", "an account without e-mail": "mute", "a blocked account": "gone", "nobody": None}[behind]
    await world.to_user(address, to)
    with pytest.raises(Unavailable):
        await away(world).ask(ASK)
    await notices.ask(ASK)
    assert len(await world.trail()) == 1


async def test_no_transaction_is_open_while_the_mail_is_spoken(world: World, mailbox: Mailbox) -> None:
    await world.to_user()

    class Writing(MailSender):
        async def send(self, *letter: Any) -> None:
            await world.change(tables.User, "mia", name="written meanwhile")
            await super().send(*letter)

    sender = Writing(host="127.0.0.1", port=mailbox.port, mail_from=MAIL_FROM)
    await Notices(world.database, world.vault, sender, ORIGIN).ask(ASK)
    assert len(mailbox.letters) == 1


async def test_a_retry_sends_only_what_was_not_taken(world: World, notices: Notices, mailbox: Mailbox) -> None:
    await world.move()
    mailbox.answers["yann@example.org"] = "450 4.2.1 later"
    first = ActivityEnvironment()
    beats: list[tuple[Any, ...]] = []
    first.on_heartbeat = lambda *details: beats.append(details)
    with pytest.raises(Unavailable):
        await first.run(notices.ask, ASK)
    assert recipients(mailbox) == ["zoe@example.org"]
    mailbox.answers.clear()
    again = ActivityEnvironment()
    again.info = _with_details(again.info, beats[-1])
    await again.run(notices.ask, ASK)
    assert recipients(mailbox) == ["yann@example.org", "zoe@example.org"]
    assert not any("example.org" in detail for detail in beats[-1])


def _with_details(info: Any, details: tuple[Any, ...]) -> Any:
    import dataclasses  # noqa: PLC0415

    return dataclasses.replace(info, heartbeat_details=details)


async def test_after_a_new_server_key_the_link_sent_last_opens(world: World, mailbox: Mailbox) -> None:
    await world.to_user()
    await Notices(world.database, world.vault, mailbox.sender(), ORIGIN).ask(ASK)
    rotated = Vault(["another-key-of-at-least-32-characters", SERVER_KEY])
    await Notices(world.database, rotated, mailbox.sender(), ORIGIN).ask(REMIND)
    (link,) = await world.all(tables.ApprovalLink)
    assert link.token_hash == fingerprint(token_in(text_of(mailbox.letters[1])))


@workflow.defn(sandboxed=False)
class AskOnce:
    """Asks, and tries again at once."""

    @workflow.run
    async def run(self, ask: Ask) -> None:
        retry = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=20)
        await workflow.execute_activity(
            "notices.ask", ask, start_to_close_timeout=timedelta(seconds=20), retry_policy=retry
        )


async def test_temporal_tells_the_next_try_what_was_taken(
    temporal: Client, world: World, notices: Notices, mailbox: Mailbox
) -> None:
    await world.move()
    mailbox.answers["yann@example.org"] = "450 4.2.1 later"
    queue = f"notices-{uuid.uuid4()}"
    async with Worker(
        temporal,
        task_queue=queue,
        workflows=[AskOnce],
        activities=implementations(notices),
        interceptors=[RefusalInterceptor()],
    ):
        run = await temporal.start_workflow(AskOnce.run, ASK, id=queue, task_queue=queue)
        while mailbox.tries["yann@example.org"] < 3:
            await asyncio.sleep(0.05)
        mailbox.answers.clear()
        await run.result()
    assert recipients(mailbox) == ["yann@example.org", "zoe@example.org"], "zoe has it once"
    described = [event async for event in run.fetch_history_events()]
    assert "example.org" not in "".join(str(event) for event in described)


@pytest.mark.parametrize(
    ("origin", "domain"),
    [
        ("https://handover.example:8443", "handover.example"),
        ("http://[2001:db8::1]:8000", "[2001:db8::1]"),
        ("no origin", "localhost"),
    ],
)
def test_a_message_id_names_the_host_of_the_pages(origin: str, domain: str) -> None:
    assert _domain_of(origin) == domain
