"""What the platform reads again and again: the process's own metrics, and how the transfers stand in the database."""

from collections.abc import Iterable
from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.dependencies import BackendDep
from domain.reconciliation import NEWS, Finding
from domain.transfer import FINAL, Attention, TransferState
from persistence.views.metrics import Heap, Metrics

router = APIRouter(tags=["platform"])


_EXAMPLE: Final = "# TYPE handover_database_up gauge\nhandover_database_up 1.0\n"
_TEXT: Final = {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}}


@router.get(
    "/metrics",
    response_class=Response,
    operation_id="get_metrics",
    summary="The metrics, for Prometheus",
    responses={200: {"description": "In Prometheus's text format.", "content": _TEXT}},
)
async def metrics(backend: BackendDep) -> Response:
    """Give the metrics, in Prometheus's text format."""
    shown = CollectorRegistry()
    shown.register(_Shown(await backend.metrics.latest()))
    text = generate_latest(backend.http_metrics.registry) + generate_latest(shown)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


class _Shown(Collector):
    def __init__(self, figures: Metrics | None) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """Spell the figures as metrics."""
        up = self._figures is not None
        yield GaugeMetricFamily("handover_database_up", "Whether the database answers.", float(up))
        if self._figures is not None:
            yield from _of_states(self._figures)
            yield from _of_attention(self._figures)
            yield from _of_heap(
                "handover_requests_unstarted", "Requests that no worker has begun.", self._figures.unstarted
            )
            yield from _of_heap(
                "handover_rescues_due", "Ended transfers with work left at a charger.", self._figures.due
            )
            yield from _of_heap(
                "handover_letters_undelivered", "Letters that were tried and not taken.", self._figures.letters
            )
            text = "How often the most stubborn charger did not take what is due."
            yield GaugeMetricFamily("handover_rescue_tries_max", text, self._figures.most_rescue_tries)
            text = "What register, workflows and credentials disagree about, for a person to decide."
            parked = GaugeMetricFamily("handover_findings_parked", text, labels=["finding"])
            for finding in set(Finding) - NEWS:
                parked.add_metric([finding.value], self._figures.parked.get(finding.value, 0))
            yield parked
            name, text = "handover_keys_known_to_people", "Keys in use that people have known for 30 days."
            keys = GaugeMetricFamily(name, text, labels=["replaceable"])
            for fixed in (False, True):
                keys.add_metric(["false" if fixed else "true"], self._figures.known_keys.get(fixed, 0))
            yield keys


def _of_states(figures: Metrics) -> Iterable[Metric]:
    states = GaugeMetricFamily("handover_transfers", "Open transfers, by state.", labels=["state"])
    ended = CounterMetricFamily("handover_transfers_ended", "Transfers that have ended.", labels=["outcome"])
    for state in TransferState:
        family = ended if state in FINAL else states
        family.add_metric([state.value], figures.states.get(state.value, 0))
    return (states, ended)


def _of_attention(figures: Metrics) -> Iterable[Metric]:
    labels = ["attention"]
    number = GaugeMetricFamily("handover_transfers_waiting", "Open transfers, by what they wait for.", labels=labels)
    name, text = "handover_transfers_oldest_age_seconds", "Time since the request of the oldest open transfer."
    age = GaugeMetricFamily(name, text, labels=labels)
    name, text = "handover_transfers_oldest_step_age_seconds", "For how long the slowest has been in its present step."
    step_age = GaugeMetricFamily(name, text, labels=labels)
    for attention in Attention:
        found, label = figures.waiting.get(attention.value), [attention.value or "none"]
        number.add_metric(label, found.number if found else 0)
        age.add_metric(label, found.age.total_seconds() if found else 0)
        step_age.add_metric(label, found.step_age.total_seconds() if found else 0)
    return (number, age, step_age)


def _of_heap(name: str, text: str, heap: Heap) -> Iterable[Metric]:
    yield GaugeMetricFamily(name, text, heap.number)
    yield GaugeMetricFamily(f"{name}_oldest_age_seconds", f"{text} The age of the oldest.", heap.age.total_seconds())
