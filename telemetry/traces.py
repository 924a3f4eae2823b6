"""OpenTelemetry traces: off unless the environment names where they go, and never with the text of an error."""

from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NoOpTracer, Status, Tracer
from temporalio.contrib.opentelemetry import TracingInterceptor

_NAME: Final = "handover"
#: What of an exception's event may leave the process: its text and its trace may hold what it was raised about.
_KEPT: Final = frozenset({"exception.type", "exception.escaped"})


class Tracing:
    """The traces of one process. No provider is made the global one: libraries that look there would trace paths."""

    def __init__(self, service: str, exporter: SpanExporter | None = None) -> None:
        """Send spans to `exporter` under the name `service`, or OTEL_SERVICE_NAME; None: make none."""
        self.tracer: Tracer = NoOpTracer()
        self._provider: TracerProvider | None = None
        if exporter is not None:
            resource = Resource({"service.name": service}).merge(OTELResourceDetector().detect())
            self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._provider.add_span_processor(BatchSpanProcessor(Discreet(exporter)))
            self.tracer = self._provider.get_tracer(_NAME)

    @property
    def interceptors(self) -> list[TracingInterceptor]:
        """What a Temporal client, and the workers made with it, need."""
        return [TracingInterceptor(self.tracer)] if self._provider else []

    def close(self) -> None:
        """Send what has not been sent yet."""
        if self._provider is not None:
            self._provider.shutdown()


def tracing(service: str, *, on: bool) -> Tracing:
    """Start tracing to where OpenTelemetry's own variables say: OTLP over HTTP, protobuf."""
    return Tracing(service, OTLPSpanExporter() if on else None)


class Discreet(SpanExporter):
    """Hands spans on without what may hold a secret: messages and traces of exceptions, descriptions of failures."""

    def __init__(self, to: SpanExporter) -> None:
        """Hand them on to `to`."""
        self._to = to

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Hand the spans on."""
        return self._to.export([_discreet(span) for span in spans])

    def shutdown(self) -> None:
        """End."""
        self._to.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Hand on what is held back."""
        return self._to.force_flush(timeout_millis)


def _discreet(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[Event(event.name, _kept(event.attributes), event.timestamp) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _kept(attributes: Any) -> dict[str, Any]:
    return {name: value for name, value in (attributes or {}).items() if name in _KEPT}
