"""The port where a process's own metrics are read: a thread a call, not for longer than a call takes, and not many."""

import socket
import threading
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

#: How long, in seconds, a call and its answer may take together.
PATIENCE: Final = 10.0
#: How many are served at once; who comes then is closed, and comes again by itself.
AT_ONCE: Final = 16


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Answers every call with the metrics of a registry, in threads of its own."""

    daemon_threads = True

    def __init__(self, host: str, port: int, registry: CollectorRegistry, patience: float = PATIENCE) -> None:
        """Listen, and serve until `close`; raises OSError where the port can't be had."""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self.patience = patience
        super().__init__((host, port), _Call)
        self.set_app(make_wsgi_app(registry))
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
