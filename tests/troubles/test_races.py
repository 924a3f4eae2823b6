"""Decisions race each other and the clock, with a worker or without one: one outcome, which each answer tells."""

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

import worker
from domain.approval import Decision
from domain.errors import Refusal, Unavailable
from domain.transfer import TransferState
from engine.engine import TemporalEngine
from persistence.session import Database
from persistence.vault import Vault
from tests.troubles.hall import Hall

CALLERS = ("accept", "decline", "cancel", "roll_back")
#: The end that each caller's success means; an accepted transfer may still be cancelled for a moment.
MEANS = {
    "accept": {"completed_with_warnings", "rolled_back"},
    "decline": {"declined"},
    "cancel": {"cancelled", "rolled_back"},
    "roll_back": {"cancelled", "rolled_back"},
}
SOON = timedelta(seconds=3)


@dataclass(frozen=True)
class Answer:
    """What a caller was told: the state it led to, or that others were first."""

    state: TransferState | None
    text: str = ""


async def call(hall: Hall, client: TemporalEngine, caller: str) -> Answer:
    """Decide as one of the parties would, until there is an answer."""
    while True:
        try:
            if caller == "roll_back":
                state = await hall.roll_back(client)
            else:
                state = await hall.decide(Decision(caller), "ada" if caller == "cancel" else "bob", client)
        except Unavailable:  # no worker yet: it may still be done, so the same is asked again
            continue
        except Refusal as refusal:
            return Answer(None, refusal.message)
        return Answer(state)


async def outcome(hall: Hall) -> str:
    await hall.handle.result()
    return (await hall.row()).state


def check(answers: dict[str, Answer], end: str) -> None:
    """Whoever was told of success got it, whoever was not did not, and nobody heard of another outcome."""
    won = {caller for caller, answer in answers.items() if answer.state is not None}
    assert won or end == "expired", answers
    for caller, answer in answers.items():
        if answer.state is not None:
            assert end in MEANS[caller], (answers, end)
        else:
            contrary = {"declined", "cancelled", "expired"} - {end}
            assert not any(f"is {word}" in answer.text for word in contrary), (answers, end)
    if end in {"declined", "cancelled", "expired"}:
        assert "accept" not in won
    if end == "rolled_back":
        assert won & {"cancel", "roll_back"}


RACES = [*itertools.combinations(CALLERS, 2), CALLERS]


@pytest.mark.parametrize("clock", [False, True], ids=["", "and-expiry"])
@pytest.mark.parametrize("callers", RACES, ids="-".join)
async def test_what_arrived_while_no_worker_was_up_has_one_outcome(
    temporal: Client, database: Database, vault: Vault, callers: Iterable[str], clock: bool
) -> None:
    hall = Hall(temporal, database, vault)
    async with worker.transfer_worker(temporal, hall.steps):
        await hall.ask(SOON if clock else timedelta(days=7))
    patient = TemporalEngine(temporal, timedelta(seconds=2))
    calls = {caller: asyncio.create_task(call(hall, patient, caller)) for caller in callers}
    if clock:
        expires = (await hall.row()).expires_at
        assert expires is not None
        await asyncio.sleep(max((expires - datetime.now(UTC)).total_seconds(), 0))  # the clock's part in it
    else:
        await asyncio.sleep(0.5)  # all of them are on their way; whether they are in does not matter
    async with worker.transfer_worker(temporal, hall.steps):
        answers = {caller: await task for caller, task in calls.items()}
        end = await outcome(hall)
        check(answers, end)
        for caller in callers:  # asked again after the end they are told the same
            again = await call(hall, patient, caller)
            assert (again.state is None) == (answers[caller].state is None), (caller, again, answers)
    if clock:
        assert "accept" not in answers or answers["accept"].state is None


@pytest.mark.parametrize("number", range(4))
async def test_all_at_once_has_one_outcome(temporal: Client, database: Database, vault: Vault, number: int) -> None:
    hall = Hall(temporal, database, vault)
    async with worker.transfer_worker(temporal, hall.steps):
        await hall.ask()
        order = CALLERS[number:] + CALLERS[:number]
        told = await asyncio.gather(*(call(hall, hall.client, caller) for caller in order))
        check(dict(zip(order, told, strict=True)), await outcome(hall))
