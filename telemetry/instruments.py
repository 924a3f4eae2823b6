"""What one process is watched with, made once at its start from its settings and handed down."""

import logging
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from temporalio.runtime import LogForwardingConfig, LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig

from domain.errors import ErrorCode, HandoverError
from telemetry.choices import LogFormat, Ports
from telemetry.health import Health
from telemetry.metrics_port import MetricsServer
from telemetry.traces import Tracing, tracing

#: For durations of seconds, as most are here: a charger may take half a minute over a call.
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class PortTaken(HandoverError):
    """A port for metrics can't be listened on."""

    code = ErrorCode.UNAVAILABLE


@dataclass(frozen=True)
class Instruments:
    """A process's own metrics, its health, its traces, and the Temporal SDK's runtime (None: the usual one)."""

    registry: CollectorRegistry
    tracing: Tracing
    runtime: Runtime | None
    server: MetricsServer | None = None
    health: Health = field(default_factory=Health)

    def close(self) -> None:
        """Send what has not been sent yet, and free the port of the process's own metrics."""
        self.tracing.close()
        if self.server is not None:
            self.server.close()


def open_instruments(service: str, ports: Ports, *, traced: bool, log_format: LogFormat) -> Instruments:
    """Make the instruments of a process and serve its metrics and its health; raises PortTaken."""
    registry, health, server = process_registry(), Health(), None
    if ports.own is not None:
        try:
            server = MetricsServer(ports.host, ports.own, registry, health)
        except OSError as error:
            raise _taken(ports.host, ports.own, "HANDOVER_METRICS_PORT", error.strerror or str(error)) from None
    runtime = sdk_runtime(ports, log_format)
    return Instruments(registry, tracing(service, on=traced), runtime, server, health)


def process_registry() -> CollectorRegistry:
    """Make a registry that knows what the process itself uses: memory, processor, files."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, of no use here
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def sdk_runtime(ports: Ports, log_format: LogFormat) -> Runtime | None:
    """Make the SDK's runtime where it is to differ from the usual: with metrics, or with its lines in our log."""
    if ports.sdk is None and log_format is LogFormat.TEXT:
        return None
    metrics = None
    if ports.sdk is not None:
        metrics = PrometheusConfig(
            bind_address=_socket_address(ports.host, ports.sdk),
            counters_total_suffix=True,
            unit_suffix=True,
            durations_as_seconds=True,
        )
    forwarding = LogForwardingConfig(logging.getLogger("temporalio.core"), append_target_to_name=False)
    logs = LoggingConfig(LoggingConfig.default.filter, forwarding if log_format is LogFormat.JSON else None)
    try:
        return Runtime(telemetry=TelemetryConfig(logging=logs, metrics=metrics))
    except ValueError as error:
        reason = str(error).partition(": ")[2] or str(error)
        raise _taken(ports.host, ports.sdk or 0, "HANDOVER_SDK_METRICS_PORT", reason) from None


def _socket_address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _taken(host: str, port: int, setting: str, reason: str) -> PortTaken:
    return PortTaken(f"Port {port} on {host} can't be had for metrics ({reason}); free it, or set {setting}.")
