"""Where a PostgreSQL (15 or later) is to be had on this machine: its own programs, or a container engine."""

import os
import shutil
from pathlib import Path
from typing import Final

import docker
import docker.errors

DEFAULT_IMAGE: Final = "postgres:16"


def image() -> str:
    """Name the image of a PostgreSQL."""
    return os.environ.get("HANDOVER_TEST_POSTGRES_IMAGE", DEFAULT_IMAGE)


def engine_answers() -> bool:
    """Whether a container engine answers."""
    try:
        client = docker.from_env(timeout=5)
    except docker.errors.DockerException:
        return False
    client.close()
    return True


def programs() -> Path | None:
    """Find the folder with PostgreSQL's own programs on this machine."""
    found = shutil.which("initdb")
    places = (
        [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    return next((place for place in places if (place / "initdb").exists()), None)


def unprivileged(folder: Path) -> list[str]:
    """Give what runs a program as PostgreSQL's own user where we are root, as it demands; `folder` becomes theirs."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "postgres", "postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
