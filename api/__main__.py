"""The API's process: `python -m api`. The only place of this room that reads the settings."""

import asyncio
import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import uvicorn
import uvloop
from fastapi import FastAPI

from api.app import create_app
from api.connections import ConnectionLimits, Crowd
from api.dependencies import Backend, Options
from api.issuer import IssuerOptions
from api.metrics import HttpMetrics
from api.streams import StreamOptions
from domain.errors import Unavailable
from engine.connection import BadConnection, read_connection
from engine.engine import TemporalEngine
from persistence.links.signups import Signups
from persistence.schema import UNFIT, fits
from persistence.session import PATIENT_LOCK_WAIT_SECONDS, Database
from persistence.vault import Vault
from process import leave, stop_requested
from settings import Settings, WrongSetting, read_settings
from telemetry.instruments import PortTaken, open_instruments
from telemetry.logs import start_logging

log = logging.getLogger("api")

#: How long, in seconds, a client may take at a stop to read what was sent to it.
_LINGER_SECONDS = 3.0
#: How long, in seconds, a connection may rest between two calls. Most clients and proxies keep theirs for 5 to 90 s:
#: whoever closes first must be them, for a call that meets a closing connection is lost, and a POST is not repeated by
#: itself.
_KEEP_ALIVE_SECONDS = 120


class CannotStart(Exception):
    """Why the process can't start, in one line that says what to do."""


class _Server(uvicorn.Server):
    """A server that leaves the signals to `process`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    """Serve until told to stop; leaves with 1 and one line where it can't start."""
    try:
        settings = read_settings()
        start_logging(settings.log_level, settings.log_format)
        uvloop.run(_serve(settings))
    except (BadConnection, CannotStart, PortTaken, WrongSetting) as error:
        sys.stderr.write(f"api: {error}\n")
        leave(1)
    leave(0)


async def _serve(settings: Settings) -> None:
    vault = _open_vault(settings)
    connection = read_connection(settings.temporal_address, settings.temporal_namespace)
    listener = listen(settings.api_host, settings.api_port)
    ports = replace(settings.metrics_ports, own=None)  # the application answers /metrics itself
    instruments = open_instruments("handover-api", ports, traced=settings.traced, log_format=settings.log_format)
    database = Database(settings.database_url, lock_wait=PATIENT_LOCK_WAIT_SECONDS)
    try:
        await _check_database(database)
        client = await connection.open_later(interceptors=instruments.tracing.interceptors, runtime=instruments.runtime)
        transfers = TemporalEngine(client, settings.start_timeout, Signups(database, vault))
        options = Options(
            default_expiry=settings.default_expiry,
            shortest_expiry=settings.shortest_expiry,
            cool_down=settings.cool_down,
            body_limit=settings.body_limit,
            limits=settings.limits,
            transfers_at_once=settings.transfers_at_once,
            places_kept=settings.addresses_kept,
            proxies=settings.proxies,
            streams=StreamOptions(
                poll_every=settings.stream_poll_every,
                check_every=settings.stream_check_every,
                limit=settings.stream_limit,
                limit_per_user=settings.stream_limit_per_user,
            ),
            origin=settings.origin,
            support=settings.support,
            issuer=_issuer(settings),
            policy=settings.policy,
            power_limit=settings.connector_power_limit,
        )
        metrics = HttpMetrics(instruments.registry, instruments.tracing.tracer)
        await _run(create_app(database, vault, transfers, options, metrics), listener, settings, metrics)
    finally:
        listener.close()
        await database.close()
        instruments.close()


async def _run(app: FastAPI, listener: socket.socket, settings: Settings, metrics: HttpMetrics) -> None:
    """Serve on `listener` until a stop signal; calls under way are finished.

    There is no access log: its lines would hold the tokens of approval links.
    """
    crowd = Crowd(ConnectionLimits(settings.api_patience, settings.api_connections), metrics.dropped)
    server = _Server(
        uvicorn.Config(
            app,
            http=crowd.protocol(),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # api.middleware.TrueClient reads what the settings trust
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=20,
        )
    )
    stop = stop_requested()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    streams = cast(Backend, app.state.backend).streams
    log.info("serving on http://%s:%s", settings.api_host, settings.api_port)
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await streams.stop()
    done, _ = await asyncio.wait({serving}, timeout=_LINGER_SECONDS)
    if not done:
        _drop_unread(server)
    await serving
    stopping.cancel()


def _drop_unread(server: uvicorn.Server) -> None:
    """Drop the connections of clients that don't read what they were sent: the others would wait for them."""
    for connection in list(server.server_state.connections):
        transport = getattr(connection, "transport", None)
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()


def _issuer(settings: Settings) -> IssuerOptions | None:
    oidc = settings.oidc
    if not oidc.issuer or not oidc.client_id:
        return None
    secret = oidc.client_secret.get_secret_value() if oidc.client_secret else None
    return IssuerOptions(oidc.issuer, oidc.client_id, secret, oidc.name)


def _open_vault(settings: Settings) -> Vault:
    try:
        return Vault(settings.server_keys())
    except ValueError as error:
        raise CannotStart(str(error)) from None


def listen(host: str, port: int) -> socket.socket:
    """Take the port; raises CannotStart where it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        text = f"port {port} on {host} can't be had ({error.strerror or error}); free it, or set HANDOVER_API_PORT."
        raise CannotStart(text) from error
    # asyncio sets it on sockets of its own making alone; accepted ones have it from their listener
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _check_database(database: Database) -> None:
    """Raise CannotStart unless the database answers and is migrated."""
    try:
        current = await fits(database)
    except Unavailable as error:
        raise CannotStart("the database does not answer; start it, or correct HANDOVER_DATABASE_URL.") from error
    if not current:
        raise CannotStart(UNFIT)


if __name__ == "__main__":
    main()
