"""A gateway over each kind of database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.world import World, gateway_world, seed


@pytest.fixture
async def world(database: Database, vault: Vault, tmp_path: Path) -> AsyncIterator[World]:
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path) as found:
        yield found
