"""One Compose project of docker-compose.yml, in a clone, under a name of its own: up, asked about, killed, down."""

import asyncio
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.stage.devserver.programs import WayFailed, run

_UP_SECONDS = 600
_HEALTH_SECONDS = 180
_LOOK_EVERY = 0.5
#: What the test sees of a process that is killed: not by the engine, which would not start it again.
_KILL = ("run", "--rm", "--pid=host", "--network=none", "--user=root", "--entrypoint=/bin/sh")


@dataclass(frozen=True)
class Project:
    """`compose` is the command, `folder` the clone, `env` what its .env has instead of what deploy/new-env gives."""

    compose: list[str]
    folder: Path
    env: Mapping[str, str]
    name: str = field(default_factory=lambda: f"handover-test-{secrets.token_hex(4)}")

    @property
    def image(self) -> str:
        """The name of Handover's own image, which goes with the project."""
        return f"{self.name}:latest"

    async def configure(self) -> None:
        """Write .env: secrets of its own, and what is given."""
        drawn: list[str] = []
        await run([str(self.folder / "deploy" / "new-env")], seconds=20, on_line=drawn.append)
        given = {**self.env, "HANDOVER_IMAGE": self.image}
        lines = [line for line in drawn if line.partition("=")[0] not in given]
        lines += [f"{name}={value}" for name, value in given.items()]
        (self.folder / ".env").write_text("\n".join([*lines, ""]))

    async def build(self) -> None:
        """Build Handover's own image."""
        await self("build", "migrate")

    async def up(self) -> None:
        """Bring everything up, until all that stays is healthy and all jobs are done."""
        await self("up", "--detach", "--wait", "--wait-timeout", "300")

    async def down(self, log: Path) -> None:
        """Keep the logs, then take everything down, with its volumes and its image."""
        try:
            with log.open("w") as kept:
                await self("logs", "--no-color", "--timestamps", on_line=lambda line: print(line, file=kept))
        finally:
            await self("down", "--volumes", "--remove-orphans")
            await _docker("image", "rm", "--force", self.image)

    async def run_once(self, service: str, *command: str, **env: str) -> str:
        """Run a command in a container of its own beside the others; gives its last line, raises WayFailed with it."""
        said = [part for name, value in env.items() for part in ("--env", f"{name}={value}")]
        return await self("run", "--rm", "--no-deps", *said, service, *command)

    async def inside(self, service: str, *command: str) -> str:
        """Run a command in a service's container; gives all that it says."""
        said: list[str] = []
        await self("exec", "-T", service, *command, on_line=said.append)
        return "\n".join(said)

    async def containers(self) -> dict[str, dict[str, Any]]:
        """Give what the engine knows of each container that there is, by its service."""
        ids: list[str] = []
        await self("ps", "--all", "--quiet", on_line=ids.append)
        said: list[str] = []
        await run(["docker", "inspect", *ids], seconds=60, on_line=said.append)
        found = json.loads("\n".join(said))
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    async def kill(self, service: str) -> None:
        """Kill a service's process, as if it had crashed, and wait until the engine has seen it."""
        before = (await self.containers())[service]["State"]
        await _docker(*_KILL, self.image, "-c", f"kill -KILL {before['Pid']}")
        async with asyncio.timeout(_HEALTH_SECONDS):
            while (await self.containers())[service]["State"]["StartedAt"] == before["StartedAt"]:
                await asyncio.sleep(_LOOK_EVERY)  # the engine's doing: there is nothing here to wait on

    async def healthy(self) -> None:
        """Wait until every container that has a health check passes it."""
        async with asyncio.timeout(_HEALTH_SECONDS):
            while ill := [
                name
                for name, one in (await self.containers()).items()
                if one["State"].get("Health", {"Status": "healthy"})["Status"] != "healthy"
            ]:
                print(f"    waiting for {', '.join(ill)}")
                await asyncio.sleep(_LOOK_EVERY * 4)  # the engine's doing, too

    async def __call__(self, *command: str, on_line: Any = lambda _: None) -> str:
        """Give Compose a command; raises WayFailed with what it said last."""
        argv = [*self.compose, "--project-name", self.name, "--profile", "dev", "--progress", "plain", *command]
        ours = {line.partition("=")[0] for line in (self.folder / ".env.example").read_text().splitlines()}
        env = {name: value for name, value in os.environ.items() if name not in ours}
        try:
            return await run(argv, seconds=_UP_SECONDS, cwd=self.folder, env=env, on_line=on_line)
        except WayFailed as failure:
            raise WayFailed(f"docker compose {command[0]}: {failure}") from None


async def _docker(*command: str) -> str:
    return await run(["docker", *command], seconds=_UP_SECONDS)
