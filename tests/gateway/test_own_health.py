"""What a gateway knows of its own health: whether it listens, and whether its last sign of life is young."""

from datetime import timedelta
from pathlib import Path

from persistence.chargers.gateway_nodes import SILENT_AFTER
from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.contested import NEVER, eventually
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
