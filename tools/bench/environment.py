"""On what was measured: versions, processors, settings, the command."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

import asyncpg
import psutil

from tools.bench import temporal_programs
from tools.bench.scale import Scale
from tools.bench.site import POSTGRES_SETTINGS, SETTINGS, Site

_PACKAGES: Final = ("temporalio", "fastapi", "uvicorn", "uvloop", "sqlalchemy", "asyncpg", "websockets", "dbos")


async def environment(site: Site, scale: Scale, parts: Sequence[str]) -> dict[str, Any]:
    """Give all of that."""
    rows = await asyncpg.connect(site.postgres.dsn("postgres"))
    try:
        postgres = await rows.fetchval("SHOW server_version")
    finally:
        await rows.close()
    return {
        "measured_on": f"{datetime.now(UTC):%Y-%m-%d}",
        "parts": list(parts),
        "scale": asdict(scale),
        "python": platform.python_version(),
        "postgresql": postgres,
        "temporal_server": temporal_programs.VERSION,
        "packages": {name: version(name) for name in _PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "postgresql_settings": POSTGRES_SETTINGS,
        "handover_settings": dict(SETTINGS),
    }
