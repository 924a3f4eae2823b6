"""What is counted, timed, traced and logged of HTTP calls: by route, never by path, which may hold a link's token."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.propagate import extract
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Status, StatusCode, Tracer, get_current_span
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.connections import Dropped
from telemetry import subject
from telemetry.instruments import SECONDS

log = logging.getLogger(__name__)

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: What the platform asks every few seconds: counted, but neither traced nor logged.
_PLATFORM: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_TRANSFER: Final = re.compile(r"^/v1/transfers/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})(?:/|$)")
_ERROR: Final = 500


class HttpMetrics:
    """The metrics and the spans of one API process."""

    def __init__(self, registry: CollectorRegistry | None = None, tracer: Tracer | None = None) -> None:
        """Count into `registry`, trace with `tracer`; without them nobody looks but /metrics."""
        self.registry = registry or CollectorRegistry()
        self.tracer = tracer or NoOpTracer()
        name, labels = "handover_http_requests_total", ["route", "method", "status"]
        self._requests = Counter(name, "Answered HTTP calls.", labels, registry=self.registry)
        name, text = "handover_http_request_duration_seconds", "From an HTTP call to the begin of its answer."
        self._durations = Histogram(name, text, ["route", "method"], registry=self.registry, buckets=SECONDS)
        name, text = "handover_http_connections_dropped_total", "Connections closed on their clients, by the reason."
        self._dropped = Counter(name, text, ["reason"], registry=self.registry)
        name, text = "handover_refusals_unrecorded_total", "Refused starts and decisions that no audit trail tells of."
        self._unrecorded = Counter(name, text, registry=self.registry)
        for why in Dropped:
            self._dropped.labels(why.value)

    def count_streams(self, count: Callable[[], int]) -> None:
        """Show how many event streams are open, as `count` says at each look."""
        gauge = Gauge("handover_http_event_streams", "Event streams that are open.", registry=self.registry)
        gauge.set_function(count)

    def dropped(self, why: Dropped) -> None:
        """Count a connection that was closed on its client."""
        self._dropped.labels(why.value).inc()

    def unrecorded(self) -> None:
        """Count a refusal that is not written."""
        self._unrecorded.inc()

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(route, method, str(status)).inc()
        self._durations.labels(route, method).observe(seconds)


class MetricsMiddleware:
    """Stands round the whole application."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        """Watch the calls of `app`."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        named = _TRANSFER.match(scope["path"])
        with subject.about(transfer_id=named.group(1) if named else None), self._span(scope) as span:
            await self._serve(scope, receive, send, span)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        began, answered = time.perf_counter(), False

        async def note(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start" and not answered:
                answered = True
                headers = Headers(raw=message["headers"])
                if place := _TRANSFER.match(headers.get("location", "")):
                    subject.learn(transfer_id=place.group(1))
                self._note(scope, span, message["status"], time.perf_counter() - began)
                if headers.get("content-type", "").startswith("text/event-stream"):
                    span.end()  # a stream may last for hours, and nobody sees a span before its end
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            if not answered:
                self._note(scope, span, _ERROR, time.perf_counter() - began)

    def _note(self, scope: Scope, span: Span, status: int, seconds: float) -> None:
        route, method = route_of(scope), _method(scope)
        self._metrics.answered(route, method, status, seconds)
        if scope["path"] in _PLATFORM:
            return
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.route": route, "http.response.status_code": status})
        if transfer_id := subject.known().get("transfer_id"):
            span.set_attribute("handover.transfer_id", transfer_id)
        if status >= _ERROR:
            span.set_status(Status(StatusCode.ERROR))
        log.info("%s %s: %d in %.3f s", method, route, status, seconds)

    @contextmanager
    def _span(self, scope: Scope) -> Iterator[Span]:
        """Begin a span under the caller's, if it sent one; its name waits for the route, and it may be ended inside."""
        if scope["path"] in _PLATFORM:
            yield get_current_span()
            return
        headers = {name: value for name, value in Headers(scope=scope).items() if name in {"traceparent", "tracestate"}}
        with self._metrics.tracer.start_as_current_span(
            _method(scope),
            context=extract(headers),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": _method(scope)},
            record_exception=False,
            set_status_on_exception=False,
            end_on_exit=False,
        ) as span:
            try:
                yield span
            finally:
                if span.is_recording():
                    span.end()


#: What stands before the routes of a router, or of an application, of its own.
_APART: Final = frozenset({"v1", "account", "charge-points", "transfers"})


def route_of(scope: Scope) -> str:
    """Give the template of the route that a call took; `other` where there was none."""
    first, *rest = scope["path"].strip("/").split("/")
    if first == "t":
        return _page_of(rest)
    if first == "static":
        return "/static"
    route: Any = scope.get("route")
    path = getattr(route, "path_format", None)
    if not isinstance(path, str):
        return "other"
    apart = first in _APART and path != f"/{first}"
    return f"/{first}{path}" if apart else path  # the route knows its own router's part only


def _page_of(rest: list[str]) -> str:
    """Give the template of a page's route, from what follows its `t`."""
    if rest[:1] != ["of"] or len(rest) == 1:
        return "/t/{token}"
    return "/".join(["/t/of/{link}", *(("code" if part == "code" else "{answer}") for part in rest[2:3])])


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"
