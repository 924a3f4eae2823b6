"""A request whose API process died before it started anything is started by the worker."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import Client

import worker
from domain.policy import Policy
from persistence.doorway import Doorway
from persistence.session import Database
from persistence.tables import Request, Transfer
from persistence.vault import Vault
from tests.journeys.requests import keep_a_request, steps
from workflows.client import TransferClient


async def test_a_request_that_nobody_started_is_started(
    temporal: Client, database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LEFT_AFTER", timedelta(seconds=0.2))
    transfer_id = await keep_a_request(database, vault)
    async with worker.transfer_worker(temporal, steps(database, vault)):
        client = TransferClient(temporal, Policy())
        starting = asyncio.create_task(worker.start_what_was_left(database, Doorway(database, vault), client))
        async with asyncio.timeout(30):
            while not (await request(database, transfer_id)).started_at:
                await asyncio.sleep(0.1)  # the worker's doing: there is nothing here to wait on
        starting.cancel()
        async with database.reading() as session:
            assert await session.get(Transfer, transfer_id) is not None


async def request(database: Database, transfer_id: str) -> Request:
    async with database.reading() as session:
        found = await session.get(Request, transfer_id)
        assert found is not None
        return found
