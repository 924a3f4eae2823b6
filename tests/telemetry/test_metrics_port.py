"""Who asks for metrics slowly, or not at all, and who asks beside them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from telemetry.health import Health
from telemetry.instruments import process_registry
from telemetry.metrics_port import AT_ONCE, MetricsServer


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    found = MetricsServer("127.0.0.1", 0, process_registry(), Health(), patience=0.3)
    yield found
    found.close()


def knock(server: MetricsServer, said: bytes) -> socket.socket:
    asker = socket.create_connection(("127.0.0.1", server.server_port), timeout=30)
    asker.sendall(said)
    return asker


def metrics(server: MetricsServer) -> str:
    return httpx.get(f"http://127.0.0.1:{server.server_port}/metrics", verify=False).text  # noqa: S501 - there is no TLS


@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.1\r\nHost: h"])
def test_who_does_not_ask_in_time_is_closed(server: MetricsServer, said: bytes) -> None:
    with knock(server, said) as asker:
        assert asker.recv(1) == b""
    assert "process_open_fds" in metrics(server)


def test_who_asks_byte_by_byte_is_closed_too(server: MetricsServer) -> None:
    with knock(server, b"GET /metrics HTTP/1.1\r\nX: ") as asker:
        asker.settimeout(0.02)
        while True:
            try:
                assert asker.recv(1) == b""
            except TimeoutError:
                asker.sendall(b"x")
            except ConnectionError:
                break
            else:
                break


def test_so_many_are_served_at_once_and_their_places_come_back(server: MetricsServer) -> None:
    server.patience = 3600
    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            stack.enter_context(knock(server, b"GET"))
        with knock(server, b"") as asker:
            assert asker.recv(1) == b""
    while True:
        try:
            assert "process_open_fds" in metrics(server)
        except httpx.TransportError:  # a thread that is over gives its place back in a moment
            continue
        break
