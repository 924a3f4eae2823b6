"""How a start is answered while nobody works on it."""

import asyncio
import gc
import uuid
from datetime import timedelta
from typing import Any

from temporalio.client import Client

from domain.ids import TransferId
from engine.transfers import TemporalTransfers


async def test_a_start_that_is_not_answered_in_time_leaves_nothing_that_nobody_hears(temporal: Client) -> None:
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    transfers = TemporalTransfers(temporal, timedelta(seconds=1))
    assert not await transfers.start(TransferId(f"trf_{uuid.uuid4().hex}"))
    gc.collect()
    await asyncio.sleep(0)
    assert unheard == []
