"""The port where a process's own metrics and its health are read: a thread a call, not for longer, and not many."""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from telemetry.health import Health

#: How long, in seconds, a call and its answer may take together.
PATIENCE: Final = 10.0
#: How many are served at once; who comes then is closed, and comes again by itself.
AT_ONCE: Final = 16


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Answers `/healthz` and `/readyz`, and every other call with the metrics of a registry, in threads of its own."""

    daemon_threads = True

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, health: Health, patience: float = PATIENCE
    ) -> None:
        """Listen, and serve until `close`; raises OSError where the port can't be had."""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self.patience = patience
        super().__init__((host, port), _Call)
        self.set_app(_pages(make_wsgi_app(registry), health))
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Serve no more, and free the port."""
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a call where there is a place for it."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a call, and give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()


def _pages(metrics: WSGIApplication, health: Health) -> WSGIApplication:
    """Give what answers a call by its path."""
    asked: dict[str, Callable[[], dict[str, bool]]] = {"/healthz": health.ask_alive, "/readyz": health.ask_ready}

    def answer(call: WSGIEnvironment, begin: StartResponse) -> Iterable[bytes]:
        ask = asked.get(call["PATH_INFO"])
        if ask is None:
            return metrics(call, begin)
        checks = ask()
        begin("200 OK" if all(checks.values()) else "503 Service Unavailable", [("Content-Type", "application/json")])
        return [json.dumps(checks).encode()]

    return answer


class _Call(WSGIRequestHandler):
    server: MetricsServer

    def handle(self) -> None:
        """Serve a call; what can't be done in time ends with its connection."""
        clock = threading.Timer(self.server.patience, self._cut)
        clock.daemon = True
        clock.start()
        try:
            super().handle()
        finally:
            clock.cancel()

    def _cut(self) -> None:
        with suppress(OSError):  # it has just ended by itself
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Log nothing."""
