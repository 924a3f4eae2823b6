"""The images that .env.example names: pulled, or where that can't be done made from sources and Debian's packages.

`python -m tests.containers.images` does so and says which is which.
"""

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from tools.bench import temporal_programs
from tools.stage.devserver.finding import alone, cached_program
from tools.stage.devserver.making import Progress, Report, build
from tools.stage.devserver.programs import WayFailed, run

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).with_name("stand_ins")
#: Says of an image that it was made here.
_LABEL: Final = "handover.stand-in"
_COMPOSE: Final = "2.40.3"
_SECONDS: Final = 1800


def names(file: Path = ROOT / ".env.example") -> dict[str, str]:
    """Give the images by their variable."""
    return dict(re.findall(r"^(\w+_IMAGE)=(\S+:\S+)$", file.read_text(), re.MULTILINE))


async def compose(report: Report) -> list[str]:
    """Give the command of Docker Compose: the engine's plugin, or one that Go builds the first time."""
    try:
        await run(["docker", "compose", "version"], seconds=20)
    except WayFailed:
        target = _cache(f"docker-compose-{_COMPOSE}") / "docker-compose"
        async with alone(target.with_suffix(".lock")):
            if not target.exists():
                await _build_compose(target, report)
        return [str(target)]
    return ["docker", "compose"]


async def find_or_make(report: Report) -> dict[str, bool]:
    """Have every image that the profile dev needs; says of each whether it is a stand-in. Raises WayFailed."""
    found = {}
    for variable, make in _STAND_INS.items():
        image = names()[variable]
        found[image] = not await _is_real(image, report) and await _stand_in(image, make, report)
    return found


async def _is_real(image: str, report: Report) -> bool:
    """Whether the image is here, or can be pulled, as whoever publishes it made it."""
    try:
        label = await run(
            ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{_LABEL}"}}}}', image], seconds=20
        )
    except WayFailed:
        label = "none here"
    if not label or label == "<no value>":
        return True
    try:
        await run(["docker", "pull", "--quiet", image], seconds=600)
    except WayFailed:
        return False
    report(f"{image}: pulled")
    return True


async def _stand_in(image: str, make: "Make", report: Report) -> bool:
    """Build a stand-in; what has not changed comes from the engine's cache."""
    with tempfile.TemporaryDirectory() as folder:
        dockerfile = await make(Path(folder), report)
        try:
            flags = ["--quiet", "--network=none", f"--label={_LABEL}=yes", f"--tag={image}", f"--file={dockerfile}"]
            env = {**os.environ, "DOCKER_BUILDKIT": "0"}  # what the other kind needs is not everywhere
            await run(["docker", "build", *flags, folder], seconds=_SECONDS, env=env)
        except WayFailed as failure:
            raise WayFailed(f"{image}: {failure}") from None
    report(f"{image}: a stand-in, from {dockerfile.name}")
    return True


# --- what each is made of: what it copies is put into a folder, its Dockerfile is given -------------------------------

Make = Callable[[Path, Report], Awaitable[Path]]


async def _python(folder: Path, _: Report) -> Path:
    await _debian()
    wanted = ["--require-hashes", f"--requirement={ROOT / 'requirements' / 'main.txt'}"]
    wheels = ["--only-binary=:all:", "--python-version=3.11", f"--dest={folder / 'wheels'}"]
    await run([sys.executable, "-m", "pip", "download", "--quiet", *wanted, *wheels], seconds=_SECONDS)
    return HERE / "python.Dockerfile"


async def _postgres(_: Path, __: Report) -> Path:
    await run([str(HERE.parent / "postgres-image.sh")], seconds=_SECONDS)
    return HERE / "postgres.Dockerfile"


async def _temporal(folder: Path, report: Report) -> Path:
    await _debian()
    programs = await temporal_programs.find_or_build(report)
    shutil.copy2(programs.server, folder / "temporal-server")
    sources = await _sources(f"go.temporal.io/server@v{temporal_programs.VERSION}")
    _put(sources / "docker" / "scripts" / "sh" / "entrypoint.sh", folder / "entrypoint.sh")
    return HERE / "temporal.Dockerfile"


async def _temporal_admin(folder: Path, report: Report) -> Path:
    await _debian()
    programs, cli = await temporal_programs.find_or_build(report), cached_program()
    async with alone(cli.with_suffix(".lock")):
        if not cli.exists():
            await build(cli, report, _SECONDS)
    shutil.copy2(cli, folder / "temporal")
    shutil.copy2(programs.sql, folder / "temporal-sql-tool")
    sources = await _sources(f"go.temporal.io/server@v{temporal_programs.VERSION}")
    for file in (sources / "schema" / "postgresql").rglob("*"):
        if file.is_file():
            _put(file, folder / "schema" / file.relative_to(sources / "schema"))
    return HERE / "temporal-admin.Dockerfile"


async def _temporal_ui(folder: Path, report: Report) -> Path:
    await _debian()
    module = "github.com/temporalio/ui-server/v2"
    version = names()["TEMPORAL_UI_IMAGE"].partition(":")[2]
    program = await _go_program(f"temporal-ui-{version}", f"{module}/cmd/server@v{version}", "server", report)
    shutil.copy2(program, folder / "ui-server")
    sources = await _sources(f"{module}@v{version}")
    _put(sources / "docker" / "start-ui-server.sh", folder / "start-ui-server.sh")
    _put(sources / "config" / "docker.yaml", folder / "docker.yaml")
    return HERE / "temporal-ui.Dockerfile"


async def _mailbox(folder: Path, report: Report) -> Path:
    version = names()["MAILBOX_IMAGE"].partition(":")[2]
    program = await _go_program(
        f"mailpit-{version.removeprefix('v')}", f"github.com/axllent/mailpit@{version}", "mailpit", report
    )
    shutil.copy2(program, folder / "mailpit")
    return HERE / "mailbox.Dockerfile"


_STAND_INS: Final[dict[str, Make]] = {
    "PYTHON_IMAGE": _python,
    "POSTGRES_IMAGE": _postgres,
    "TEMPORAL_IMAGE": _temporal,
    "TEMPORAL_ADMIN_IMAGE": _temporal_admin,
    "TEMPORAL_UI_IMAGE": _temporal_ui,
    "MAILBOX_IMAGE": _mailbox,
}


# --- where it comes from ----------------------------------------------------------------------------------------------


async def _debian() -> None:
    await run([str(HERE / "debian.sh")], seconds=_SECONDS)


def _put(source: Path, target: Path) -> None:
    """Copy a file of Go's sources, which are read-only there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if target.suffix == ".sh" else 0o644)


def _cache(name: str) -> Path:
    target = cached_program().parent.with_name(name)
    target.mkdir(parents=True, exist_ok=True)
    return target


async def _go_program(folder: str, package: str, name: str, report: Report) -> Path:
    """Give a program that Go builds the first time: without C, so that it runs where there is no library."""
    target = _cache(folder) / name
    async with alone(target.with_suffix(".lock")):
        if not target.exists():
            report(f"{folder}: building with Go …")
            env = {**os.environ, "GOBIN": str(target.parent), "CGO_ENABLED": "0"}
            await run(["go", "install", "-v", package], seconds=_SECONDS, on_line=Progress(report).line, env=env)
    return target


async def _sources(module: str) -> Path:
    """Give the folder of a Go module's sources."""
    described: list[str] = []
    await run(["go", "mod", "download", "-json", module], seconds=_SECONDS, on_line=described.append)
    return Path(json.loads("\n".join(described))["Dir"])


async def _build_compose(target: Path, report: Report) -> None:
    """Build it in a module of its own, whose requirements are then those that it was released with."""
    report(f"Docker Compose {_COMPOSE}: building with Go …")
    package = "github.com/docker/compose/v2/cmd"
    steps = (["mod", "init", "made"], ["get", f"{package}@v{_COMPOSE}"], ["build", "-o", str(target), package])
    with tempfile.TemporaryDirectory() as folder:
        for step in steps:
            await run(["go", *step], seconds=_SECONDS, cwd=Path(folder))


if __name__ == "__main__":
    asyncio.run(find_or_make(print))
