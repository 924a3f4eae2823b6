"""A database that is blocked for 5 s: the step falls back to an ordinary activity, is seen, and loses nothing."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from temporalio.client import Client

from domain.ids import workflow_id
from domain.transfer import StepName
from engine.engine import TemporalEngine
from persistence.session import Database
from persistence.vault import Vault
from tests.journeys.requests import keep_a_request, steps
from worker import transfer_worker
from workflows.messages import TransferOutcome

BLOCKED_FOR = timedelta(seconds=5)


async def test_a_blocked_database_shows_a_pending_activity_and_loses_nothing(
    temporal: Client, database: Database, vault: Vault
) -> None:
    transfer_id = await keep_a_request(database, vault)
    client = TemporalEngine(temporal, answer_within=timedelta(seconds=60))
    async with transfer_worker(temporal, steps(database, vault)):
        async with database.writing() as rows:
            if not database.is_sqlite:  # there a writing transaction alone blocks the others
                await rows.execute(text("LOCK TABLE transfers IN EXCLUSIVE MODE"))
            blocked_at = datetime.now(UTC)
            starting = asyncio.create_task(client.start(transfer_id))
            async with asyncio.timeout(BLOCKED_FOR.total_seconds()):
                while StepName.RESERVE not in await client.step_attempts(transfer_id):
                    await asyncio.sleep(0.1)  # the server's doing: there is nothing here to wait on
            await asyncio.sleep((blocked_at + BLOCKED_FOR - datetime.now(UTC)).total_seconds())
            assert not starting.done()
        assert await starting
        handle = temporal.get_workflow_handle(workflow_id(transfer_id), result_type=TransferOutcome)
        assert (await handle.result()).state == "completed_with_warnings"  # its lists are due: no charger is there
