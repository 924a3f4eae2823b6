"""A gateway over each kind of database."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.contested import SOON, two_nodes
from tests.gateway.world import World, gateway_world, seed


@pytest.fixture(autouse=True)
def none_fails_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail where the gateway's own work broke off on an error that only its log tells."""
    yield
    records = [one for phase in ("setup", "call") for one in caplog.get_records(phase)]
    ours = [one for one in records if one.name.startswith("gateway")]
    failed = [one.getMessage() for one in ours if one.levelno >= logging.ERROR]
    assert not failed


@pytest.fixture
async def world(database: Database, vault: Vault, tmp_path: Path) -> AsyncIterator[World]:
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path) as found:
        yield found


@pytest.fixture(params=["one node", "two nodes"])
async def nodes(
    request: pytest.FixtureRequest, database: Database, vault: Vault, tmp_path: Path
) -> AsyncIterator[tuple[World, World]]:
    """Give the node of the socket that has the place, and that of the one that comes later."""
    async with two_nodes(database, vault, tmp_path, limits=SOON) as (first, second):
        yield (first, first) if request.param == "one node" else (first, second)
