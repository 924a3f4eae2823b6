"""What is counted and logged of a step, whichever way it ends."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.contracts.charger import NOT_CONNECTED, DeviceOrder
from activities.contracts.notices import SendCode
from activities.metrics import ActivityMetrics
from activities.refusals import RefusalInterceptor
from domain.errors import NotAllowed, Unavailable
from domain.ids import ChargePointId, LinkId, TransferId
from telemetry.subject import learn
from tests.telemetry.lines import written

ORDER = DeviceOrder(transfer_id=TransferId("trf_1"), charge_point_id=ChargePointId("cp-1"))


class Step(ActivityInboundInterceptor):
    """The innermost: what the activity itself does."""

    def __init__(self, error: BaseException | None, learns: str | None = None) -> None:
        self._error = error
        self._learns = learns

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        if self._learns:
            learn(transfer_id=self._learns)
        if self._error:
            raise self._error
        return "answer"


async def run(
    registry: CollectorRegistry, step: Step, ask: Any = ORDER, workflow: str = "transfer-trf_1"
) -> tuple[Any, list[dict[str, Any]]]:
    """Give what came out of it, an error too, and its log lines."""
    env = ActivityEnvironment()
    env.info = replace(env.info, activity_type="charger.quiet", attempt=3, workflow_id=workflow)
    watched = ActivityMetrics(registry).intercept_activity(RefusalInterceptor().intercept_activity(step))

    async def execute() -> Any:
        return await watched.execute_activity(ExecuteActivityInput(fn=run, args=[ask], executor=None, headers={}))

    with written() as lines:
        try:
            found = await env.run(execute)
        except BaseException as error:  # noqa: BLE001 - given to the test
            found = error
    return found, lines.read()


async def test_a_step_that_is_done_is_timed_and_its_line_says_what_it_was_about() -> None:
    registry = CollectorRegistry()

    answer, (line,) = await run(registry, Step(None))

    assert answer == "answer"
    facts = {"transfer_id": "trf_1", "charge_point_id": "cp-1", "step": "charger.quiet", "attempt": "3"}
    assert (facts | {"workflow": "transfer-trf_1", "level": "INFO"}).items() <= line.items()
    assert registry.get_sample_value("handover_step_duration_seconds_count", {"step": "charger.quiet"}) == 1
    assert abs(time.time() - (last_done(registry) or 0)) < 60
    kinds = ("retried", "refused", "cancelled", "not_connected")
    assert [failures(registry, kind) for kind in kinds] == [0, None, None, None]


@pytest.mark.parametrize(
    ("error", "kind", "level"),
    [
        (NotAllowed("no"), "refused", "INFO"),
        (Unavailable("away"), "retried", "WARNING"),
        (ValueError("the key is 0123"), "retried", "WARNING"),
        (ApplicationError("gone", type=NOT_CONNECTED, non_retryable=True), "not_connected", "INFO"),
        (asyncio.CancelledError(), "cancelled", "INFO"),
    ],
)
async def test_a_failure_is_counted_by_its_kind_and_logged_without_its_text(
    error: BaseException, kind: str, level: str
) -> None:
    registry = CollectorRegistry()

    raised, (line,) = await run(registry, Step(error))

    assert isinstance(raised, BaseException)
    assert failures(registry, kind) == 1
    assert registry.get_sample_value("handover_step_duration_seconds_count", {"step": "charger.quiet"}) == 1
    assert last_done(registry) is None
    assert (line["transfer_id"], line["level"]) == ("trf_1", level)
    assert "0123" not in str(line)


async def test_the_transfer_is_known_from_the_workflow_or_learned_where_the_order_does_not_say() -> None:
    code = SendCode(link_id=LinkId("lnk_1"), number=1)

    _, (of_rescue,) = await run(CollectorRegistry(), Step(None), code, workflow="rescue-trf_2")
    _, (of_code,) = await run(CollectorRegistry(), Step(None, learns="trf_3"), code, workflow="code-lnk_1-1")

    assert (of_rescue["transfer_id"], of_code["transfer_id"]) == ("trf_2", "trf_3")


def last_done(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("handover_step_last_done_timestamp_seconds", {"step": "charger.quiet"})


def failures(registry: CollectorRegistry, kind: str) -> float | None:
    return registry.get_sample_value("handover_step_failures_total", {"step": "charger.quiet", "kind": kind})
