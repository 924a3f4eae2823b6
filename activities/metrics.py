"""Interceptor: how long each step takes and how it fails, in numbers and in the log, with what it is about."""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from opentelemetry import trace
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from temporalio import activity, client, worker
from temporalio.exceptions import ApplicationError, CancelledError

from activities.contracts.charger import NOT_CONNECTED
from activities.contracts.wiring import CONTRACTS, wire_names
from domain.ids import transfer_of
from telemetry.instruments import SECONDS
from telemetry.subject import about

log = logging.getLogger(__name__)


class Failure(StrEnum):
    """How a try of a step can fail."""

    REFUSED = "refused"
    """A business rule says no; final."""
    NOT_CONNECTED = "not_connected"
    """The charger is not at that gateway: the workflow looks it up again."""
    CANCELLED = "cancelled"
    RETRIED = "retried"
    """It is tried again."""


class ActivityMetrics(client.Interceptor, worker.Interceptor):
    """Watches every activity of the workers that are made with its client."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Count into `registry`."""
        name, text = "handover_step_duration_seconds", "How long a try of a step took, however it ended."
        self.durations = Histogram(name, text, ["step"], registry=registry, buckets=SECONDS)
        name, text = "handover_step_last_done_timestamp_seconds", "When a step was last done here."
        self.last_done = Gauge(name, text, ["step"], registry=registry)
        name, text = "handover_step_failures_total", "Tries of a step that failed, by the kind of failure."
        self.failures = Counter(name, text, ["step", "kind"], registry=registry)
        for contract in CONTRACTS:
            for step in wire_names(contract).values():
                self.failures.labels(step, Failure.RETRIED.value)

    def intercept_activity(self, next_: worker.ActivityInboundInterceptor) -> worker.ActivityInboundInterceptor:
        """Wrap every activity."""
        return _Measured(next_, self)


class _Measured(worker.ActivityInboundInterceptor):
    def __init__(self, following: worker.ActivityInboundInterceptor, metrics: ActivityMetrics) -> None:
        super().__init__(following)
        self._metrics = metrics

    async def execute_activity(self, call: worker.ExecuteActivityInput) -> Any:
        step, began = activity.info().activity_type, time.perf_counter()
        with _about(call.args[0] if call.args else None):
            try:
                answer = await super().execute_activity(call)
            except BaseException as error:
                kind = _kind(error)
                self._metrics.failures.labels(step, kind.value).inc()
                level = logging.WARNING if kind is Failure.RETRIED else logging.INFO
                log.log(level, "step %s: %s (%s)", step, kind.value, _name(error))
                raise
            finally:
                self._metrics.durations.labels(step).observe(time.perf_counter() - began)
            self._metrics.last_done.labels(step).set_to_current_time()
            log.info("step %s: done", step)
            return answer


@contextmanager
def _about(ask: Any) -> Iterator[None]:
    info = activity.info()
    transfer_id = getattr(ask, "transfer_id", None) or transfer_of(info.workflow_id or "")
    if transfer_id:
        trace.get_current_span().set_attribute("handover.transfer_id", transfer_id)
    with about(
        transfer_id=transfer_id,
        charge_point_id=getattr(ask, "charge_point_id", None),
        workflow=info.workflow_id,
        step=info.activity_type,
        attempt=info.attempt,
    ):
        yield


def _kind(error: BaseException) -> Failure:
    if isinstance(error, asyncio.CancelledError | CancelledError):
        return Failure.CANCELLED
    if isinstance(error, ApplicationError) and error.type == NOT_CONNECTED:
        return Failure.NOT_CONNECTED
    if isinstance(error, ApplicationError) and error.non_retryable:
        return Failure.REFUSED
    return Failure.RETRIED


def _name(error: BaseException) -> str:
    """Name an error; its text may hold more than a log should."""
    return (error.type if isinstance(error, ApplicationError) else None) or type(error).__name__
