"""Whether Temporal has heard of a process lately: as it asks for tasks again and again, it should have."""

from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

#: A poll lasts a minute at most; the next one begins at once.
HEARD_WITHIN: Final = timedelta(seconds=90)
_ANSWER_WITHIN: Final = timedelta(seconds=3)


async def heard(client: Client, queue: str, kind: TaskQueueType.ValueType, within: timedelta = HEARD_WITHIN) -> bool:
    """Whether Temporal answers, and says that this very client has asked for tasks of `queue` lately."""
    try:
        found = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
            ),
            timeout=_ANSWER_WITHIN,
        )
    except (RPCError, RuntimeError):
        return False
    since = datetime.now(UTC) - within
    return any(
        one.identity == client.identity and one.last_access_time.ToDatetime(UTC) > since for one in found.pollers
    )
