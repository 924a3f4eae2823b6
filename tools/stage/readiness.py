"""Real checks that a part is ready: its port, its health, its place on a task queue, its chargers in the database."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection

import httpx
from sqlalchemy import and_, func, select
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.service import RPCError

from domain.errors import Unavailable
from domain.keys import KnownTo
from engine.connection import Connection
from persistence.session import Database
from persistence.tables import Credential, PresentConnection
from tools.stage import plain_http
from tools.stage.ports import HOST
from tools.stage.supervisor import Alive

_LOOK_EVERY = 0.1
_SECONDS = 90.0

Ready = Callable[[Alive], Awaitable[bool]]


def when(check: Callable[[], Awaitable[bool]], seconds: float = _SECONDS) -> Ready:
    """Wait until `check` says yes; False once the process is dead or the time is over."""

    async def wait(alive: Alive) -> bool:
        until = time.monotonic() + seconds
        while alive() and time.monotonic() < until:
            if await check():
                return True
            await asyncio.sleep(_LOOK_EVERY)  # another process: there is nothing to wait on but itself
        return False

    return wait


async def listens(port: int, host: str = HOST) -> bool:
    """Whether somebody accepts connections on `port`."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def answers(url: str) -> bool:
    """Whether a GET of `url` is answered with 200."""
    try:
        async with plain_http.client(timeout=5) as client:
            return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def polled(connection: Connection, queue: str, kind: TaskQueueType.ValueType) -> bool:
    """Whether a worker asks for the tasks of a queue."""
    asked = TaskQueue(name=queue)
    try:
        client = await connection.open()
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(namespace=connection.namespace, task_queue=asked, task_queue_type=kind)
        )
    except (RPCError, Unavailable):
        return False
    return bool(answer.pollers)


async def connected(db: Database, count: int) -> bool:
    """Whether the gateway holds `count` chargers' sockets."""
    async with db.reading() as rows:
        found = await rows.scalar(
            select(func.count()).select_from(PresentConnection).where(PresentConnection.node.is_not(None))
        )
    return found is not None and found >= count


async def knows_keys(db: Database, charge_points: Collection[str]) -> bool:
    """Whether these charge points are connected, each with a key that only it knows."""
    known = Credential.known_to == KnownTo.CHARGER, Credential.id == PresentConnection.credential_id
    query = select(func.count()).select_from(PresentConnection).join(Credential, and_(*known))
    query = query.where(PresentConnection.charge_point_id.in_(charge_points), PresentConnection.node.is_not(None))
    async with db.reading() as rows:
        return (await rows.scalar(query) or 0) >= len(charge_points)
