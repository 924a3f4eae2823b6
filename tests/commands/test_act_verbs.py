"""What `resolve`, `cancel`, `pause` and `resume` do, once each, and what they say where they can't."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from commands.api import Api, Away
from domain.errors import HandoverError, NotPossible, TooLate, Unavailable
from domain.ids import OrderId, TransferId
from domain.transfer import OperatorAction, StepName, TransferState
from persistence.session import Database
from tests.api.engine import Engine
from tests.api.world import add_transfer, key_of
from tests.commands.shell import Shell

WHY = ("--reason", "the charger is back")


async def test_an_operator_resolves_and_reads_how_the_transfer_stands(
    shell: Shell, database: Database, engine: Engine
) -> None:
    await add_transfer(database, state="reconfiguring", attention="operator", steps={"replace_lists": "running"})

    said = await shell("resolve", "trf_1", "complete", *WHY)

    assert (said.code, said.err) == (0, "")
    assert said.out == "trf_1: reconfiguring; step replace_lists; waits for operator\n"
    [act] = engine.resolved
    assert act[:4] == ("trf_1", OperatorAction.COMPLETE, "the charger is back", "operator:u-oscar")


async def test_an_operator_pauses_and_resumes_a_step(shell: Shell, database: Database, engine: Engine) -> None:
    await add_transfer(database, state="reconfiguring", steps={"replace_lists": "running"})

    paused = await shell("pause", "trf_1", "replace_lists", *WHY)
    resumed = await shell("resume", "trf_1", "replace_lists", *WHY)

    assert paused.out == "trf_1: reconfiguring; step replace_lists (paused)\n"
    assert resumed.out == "trf_1: reconfiguring; step replace_lists\n"
    assert [act[:3] for act in engine.held] == [
        ("pause", "trf_1", StepName.REPLACE_LISTS),
        ("resume", "trf_1", StepName.REPLACE_LISTS),
    ]


async def test_a_sender_cancels(shell_of: Callable[[str], Shell], database: Database) -> None:
    await add_transfer(database)

    said = await shell_of("olga")("cancel", "trf_1")

    assert (said.code, said.out.startswith("trf_1: cancelled")) == (0, True)


async def test_a_sender_and_an_operator_have_the_link_sent_again(
    shell_of: Callable[[str], Shell], database: Database, engine: Engine
) -> None:
    await add_transfer(database)

    for name in ("olga", "oscar"):
        said = await shell_of(name)("resend", "trf_1")
        assert (said.code, said.out.startswith("trf_1: awaiting_acceptance")) == (0, True)

    assert [act[:3] for act in engine.resent] == [
        ("trf_1", "user:u-olga", "u-olga"), ("trf_1", "operator:u-oscar", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [("resolve", "trf_1", "retry"), ("pause", "trf_1", "reserve"), ("resume", "trf_1", "reserve", "--reason", " ")],
)
async def test_without_a_reason_nothing_is_done(
    shell: Shell, database: Database, engine: Engine, arguments: tuple[str, ...]
) -> None:
    await add_transfer(database, state="transferring")

    said = await shell(*arguments)

    assert (said.code, said.out) == (2, "")
    assert "say why, like --reason" in said.err
    assert engine.resolved == engine.held == []


@pytest.mark.parametrize(
    ("name", "arguments", "fails", "says"),
    [
        ("olga", ("resolve", "trf_1", "retry", *WHY), None, "this takes a key with the scope operator"),
        ("olga", ("pause", "trf_1", "reserve", *WHY), None, "this takes a key with the scope operator"),
        ("stan", ("cancel", "trf_1"), None, "There is no such transfer, or you have no part in it."),
        ("olga", ("cancel", "trf_1"), TooLate("The ownership has changed."), "The ownership has changed."),
        ("oscar", ("resume", "trf_1", "reserve", *WHY), NotPossible("It is not paused."), "It is not paused."),
        ("oscar", ("resolve", "trf_1", "retry", "--reason", "x" * 501), None, "at most 500 characters"),
    ],
)
async def test_what_the_api_refuses_is_said_in_its_words(
    shell_of: Callable[[str], Shell],
    database: Database,
    engine: Engine,
    name: str,
    arguments: tuple[str, ...],
    fails: HandoverError | None,
    says: str,
) -> None:
    await add_transfer(database, state="transferring")
    engine.fails = fails

    said = await shell_of(name)(*arguments)

    assert (said.code, said.out, len(said.err.splitlines())) == (1, "", 1)
    assert says in said.err


class Faltering(Engine):
    """An engine that acts, and whose answer is lost the first times."""

    lost = 2

    async def resolve(
        self, transfer_id: TransferId, action: OperatorAction, order_id: OrderId, *, under_way: bool = False
    ) -> TransferState:
        state = await super().resolve(transfer_id, action, order_id)
        if len(self.resolved) <= self.lost:
            raise Unavailable("No answer yet: it may still be done. Send the same request again.")
        return state


class TestAnAnswerThatIsLost:
    @pytest.fixture
    def engine(self, database: Database) -> Engine:
        return Faltering(database)

    async def test_is_asked_for_again_as_the_same_act(
        self, address: str, database: Database, engine: Engine, capsys: pytest.CaptureFixture[str]
    ) -> None:
        await add_transfer(database, state="transferring")
        pauses: list[float] = []

        found = await asyncio.to_thread(self._retry, address, pauses)

        assert found["id"] == "trf_1"
        assert pauses == [5, 5], "as Retry-After says"
        assert len(engine.resolved) == 3
        assert len({act[4] for act in engine.resolved}) == 1, "one act"
        assert "it may still be done. Send the same request again. Trying again in 5 s" in capsys.readouterr().err

    async def test_is_given_up_after_a_few_times(
        self, address: str, database: Database, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await add_transfer(database, state="transferring")
        monkeypatch.setattr(Faltering, "lost", 99)
        pauses: list[float] = []

        with pytest.raises(Away, match="It was tried 5 times"):
            await asyncio.to_thread(self._retry, address, pauses)

        assert len(pauses) == 4
        assert len({act[4] for act in engine.resolved}) == 1

    @staticmethod
    def _retry(address: str, pauses: list[float]) -> dict[str, Any]:
        api = Api(address, key_of("oscar"), sleep=pauses.append)
        try:
            return api.post("/transfers/trf_1/resolve", {"action": "retry", "reason": "x"})
        finally:
            api.close()
