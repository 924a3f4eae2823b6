"""What a gateway knows of its own health: whether it listens, and whether its last sign of life is young."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from websockets.frames import CloseCode

from domain.errors import Unavailable
from domain.keys import KnownTo
from gateway.facts import Fact
from gateway.server import LET_GO_AFTER
from persistence.chargers import gateway_nodes
from persistence.chargers.gateway_nodes import SILENT_AFTER
from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.contested import NEVER, eventually, waits
from tests.gateway.world import gateway_world, seed


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_who_has_stopped_listens_no_more(database: Database, vault: Vault, tmp_path: Path) -> None:
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path) as world:
        assert world.gateway.listening
    assert not world.gateway.listening


async def test_whose_sign_is_as_old_as_a_dead_nodes_signs_no_more(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault)
    clock = Clock()
    async with gateway_world(database, vault, tmp_path, sign_every=NEVER, clock=clock) as world:
        assert world.gateway.signing
        clock.now += SILENT_AFTER.total_seconds() - 1
        assert world.gateway.signing
        clock.now += 1
        assert not world.gateway.signing


async def test_a_new_sign_is_as_good_as_the_first(database: Database, vault: Vault, tmp_path: Path) -> None:
    await seed(database, vault)
    clock = Clock()
    often = timedelta(milliseconds=50)
    async with gateway_world(database, vault, tmp_path, sign_every=often, clock=clock) as world:
        clock.now += SILENT_AFTER.total_seconds()

        async def signing() -> bool:
            return world.gateway.signing

        await eventually(signing)


async def test_a_node_that_has_lost_the_database_for_long_sends_elsewhere_whoever_is_there_or_waits(
    database: Database, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    clock, tries = Clock(), asyncio.Semaphore(0)

    async def away(*_: object) -> None:
        tries.release()
        raise Unavailable("The database is away.")

    often = timedelta(milliseconds=50)
    async with (
        gateway_world(database, vault, tmp_path, sign_every=often, clock=clock) as world,
        world.client() as charger,
    ):
        await world.heard(Fact.CONNECTED)
        another = await world.client()
        await waits(database)
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(gateway_nodes, "sign", away)
            async with asyncio.timeout(20):
                await tries.acquire()
                clock.now += LET_GO_AFTER.total_seconds() - 1
                for _ in range(3):  # the second of them has begun after the first was over
                    await tries.acquire()
                assert (charger.close_code, another.close_code) == (None, None)
                clock.now += 1
                await charger.wait_closed()
                await another.wait_closed()
        assert (charger.close_code, another.close_code) == (CloseCode.TRY_AGAIN_LATER,) * 2
        async with world.client():
            await world.heard(Fact.CONNECTED, times=2)
