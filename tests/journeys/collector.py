"""Takes the spans that processes send, as an OpenTelemetry collector does: OTLP over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Sent:
    """One span, as far as it matters here."""

    service: str
    name: str
    trace: str
    id: str
    parent: str


@dataclass
class Collector:
    """What came in; `raw` is every byte of it."""

    url: str = ""
    spans: list[Sent] = field(default_factory=list)
    raw: bytes = b""

    def take(self, body: bytes) -> None:
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    self.spans.append(Sent(service, span.name, *ids))

    def line_up(self, span: Sent) -> list[Sent]:
        """Give a span with all that it is under, up to the first."""
        found = [span]
        while above := [one for one in self.spans if one.id == found[-1].parent]:
            found.append(above[0])
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """Listen inside the block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *given: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()
