"""How the dev server is run, and when it is ready."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

_LOOK_EVERY = 0.1


def command(
    binary: Path,
    *,
    db_file: Path,
    port: int,
    ui_port: int | None,
    ip: str = "127.0.0.1",
    search_attributes: Mapping[str, str] | None = None,
) -> list[str]:
    """Give the command that runs the dev server on `ip` with its database in `db_file`.

    Without `ui_port` it has no UI. `search_attributes` are name to type (`Keyword`, `Datetime`), registered at start.
    """
    ui = ["--headless"] if ui_port is None else ["--ui-port", str(ui_port)]
    attributes = [f"--search-attribute={name}={kind}" for name, kind in (search_attributes or {}).items()]
    return [
        *(str(binary), "server", "start-dev"),
        *("--ip", ip, "--port", str(port), *ui),
        *("--db-filename", str(db_file), "--log-level", "warn", *attributes),
    ]


async def ready(
    address: str, *, namespace: str = "default", alive: Callable[[], bool] = lambda: True, seconds: float = 60
) -> bool:
    """Wait until the server at `address` is healthy and has its namespace.

    Gives False where `alive` says that its process has died, or where it is not ready within `seconds`.
    """
    until = time.monotonic() + seconds
    while alive() and time.monotonic() < until:
        if await _healthy(address, namespace):
            return True
        await asyncio.sleep(_LOOK_EVERY)  # another process's port: there is nothing to wait on but itself
    return False


async def _healthy(address: str, namespace: str) -> bool:
    try:
        client = await Client.connect(address, namespace=namespace)
        if not await client.service_client.check_health():
            return False
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    except (RPCError, RuntimeError):
        return False
    return True
