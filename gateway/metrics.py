"""What is counted, timed and traced at the chargers' sockets. No label holds an identity, no span a payload."""

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from opentelemetry.trace import NoOpTracer, SpanKind, Status, StatusCode, Tracer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from domain.charger import KeyAnswer, OcppVersion
from persistence.chargers.upgrades import RefusedFor
from telemetry.instruments import SECONDS

#: Gives the sockets of this moment: the version that each speaks, and whether it is quarantined.
Connections = Callable[[], Iterable[tuple[OcppVersion, bool]]]


class Refused(StrEnum):
    """Why an upgrade was not let in, beside what is wrong with its key."""

    NO_CREDENTIALS = "no_credentials"
    RATE_LIMITED = "rate_limited"
    CONTESTED = "contested"
    """Another socket has the charger's place, and one more waits for it, or has tried too often."""
    UNAVAILABLE = "unavailable"
    """Nobody could look: the database was away."""


class GatewayMetrics:
    """The metrics and the spans of one gateway."""

    def __init__(self, registry: CollectorRegistry | None = None, tracer: Tracer | None = None) -> None:
        """Count into `registry`, trace with `tracer`; without them nobody looks."""
        self._registry = registry or CollectorRegistry()
        self._tracer = tracer or NoOpTracer()
        name = "handover_station_connections_opened_total"
        self._opened = Counter(
            name, "Connections that stations opened.", ["ocpp", "quarantined"], registry=self._registry
        )
        name = "handover_station_connections_closed_total"
        self._closed = Counter(name, "Connections of stations that ended.", ["ocpp"], registry=self._registry)
        name = "handover_station_authentication_failures_total"
        self._refused = Counter(name, "Upgrades not let in, by the reason.", ["reason"], registry=self._registry)
        self._counters: dict[tuple[str, str], Counter] = {}
        name = "handover_ocpp_messages_received_total"
        self._received = Counter(name, "Calls that stations made.", ["ocpp", "action"], registry=self._registry)
        name = "handover_ocpp_calls_total"
        self._calls = Counter(
            name, "Calls to stations, by how they ended.", ["action", "outcome"], registry=self._registry
        )
        name, text = "handover_ocpp_call_duration_seconds", "From a call to a station to its answer, or its failure."
        self._durations = Histogram(name, text, ["action"], registry=self._registry, buckets=SECONDS)
        name = "handover_station_enrolments_total"
        self._enrolments = Counter(name, "Keys sent to enrol, by the answer.", ["answer"], registry=self._registry)
        for answer in KeyAnswer:
            self._enrolments.labels(answer.value)
        for reason in (*RefusedFor, *Refused):
            self._refused.labels(reason.value)
        for version in OcppVersion:
            self._closed.labels(version)
            for quarantined in (False, True):
                self._opened.labels(version, _spell(quarantined))

    def show(self, connections: Connections) -> None:
        """Show how many sockets there are, whenever somebody looks."""
        self._registry.register(_Shown(connections))

    def show_enrolment(self, halted: Callable[[], bool], lost: Callable[[], int]) -> None:
        """Show whether enrolment has stopped by itself, and how many chargers are not back after it."""
        text = "1 while no more chargers are enrolled, as too many are not back."
        Gauge("handover_station_enrolment_halted", text, registry=self._registry).set_function(halted)
        text = "Chargers that are not back 15 minutes after they were sent a key."
        Gauge("handover_station_enrolments_lost", text, registry=self._registry).set_function(lost)

    def show_waiting(self, held: Callable[[], int], parked: Callable[[], int]) -> None:
        """Show how many sockets wait for the place of another one, and how many are left to an operator."""
        text = "Sockets that wait for a charger's place, which another one with the same key has."
        Gauge("handover_station_connections_held", text, registry=self._registry).set_function(held)
        text = "Quarantined sockets of stations that keep coming back with their old key: nothing more is sent."
        Gauge("handover_station_connections_parked", text, registry=self._registry).set_function(parked)

    def enrolment(self, answer: str) -> None:
        """Count a key that was sent to enrol a charger, by what that answered."""
        self._enrolments.labels(answer).inc()

    def opened(self, version: str, *, quarantined: bool) -> None:
        """Count a connection."""
        self._opened.labels(version, _spell(quarantined)).inc()

    def closed(self, version: str) -> None:
        """Count the end of one."""
        self._closed.labels(version).inc()

    def refused(self, reason: Refused | RefusedFor) -> None:
        """Count an upgrade that was not let in."""
        self._refused.labels(reason.value).inc()

    def received(self, version: str, action: str) -> None:
        """Count a message; `action` is one that we know."""
        counter = self._counters.get((version, action))
        if counter is None:  # to find it anew costs more than to count
            counter = self._counters[version, action] = self._received.labels(version, action)
        counter.inc()

    @contextmanager
    def call(self, version: str, action: str, message_id: str) -> Iterator[None]:
        """Time and trace a call to a charger; an error that leaves the block says in `outcome` how it ended."""
        attributes = {
            "rpc.system": "ocpp",
            "rpc.method": action,
            "ocpp.version": version,
            "ocpp.message_id": message_id,
        }
        began, outcome = time.perf_counter(), "answered"
        with self._tracer.start_as_current_span(
            f"OCPP {action}",
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                outcome = getattr(error, "outcome", "given_up")
                span.set_status(Status(StatusCode.ERROR))
                raise
            finally:
                span.set_attribute("ocpp.outcome", outcome)
                self._calls.labels(action, outcome).inc()
                self._durations.labels(action).observe(time.perf_counter() - began)


class _Shown(Collector):
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Count the sockets of this moment; called in another thread."""
        labels = ["ocpp", "quarantined"]
        family = GaugeMetricFamily("handover_station_connections", "Sockets of stations now.", labels=labels)
        found = Tally({(version, quarantined): 0 for version in OcppVersion for quarantined in (False, True)})
        found.update(self._connections())
        for (version, quarantined), number in found.items():
            family.add_metric([version, _spell(quarantined)], number)
        yield family


def _spell(value: bool) -> str:
    return "true" if value else "false"
