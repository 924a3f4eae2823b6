"""docker-compose.yml as an operator brings it up, from a clone: `make test-compose`; not a part of `make test`."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from persistence.session import Database
from tests.containers import images
from tests.containers.project import Project
from tests.journeys.people import ask, patiently, see_it_end
from tests.journeys.test_demo import Patient
from tools.demo.findings import Remembered, in_charger, remembered
from tools.demo.script import House, perform_in
from tools.demo.seed import data
from tools.stage import parts, plain_http
from tools.stage.devserver.programs import WayFailed, run
from tools.stage.ports import HOST, Ports
from tools.stage.readiness import knows_keys, when
from tools.stage.stage import QUICK, Stage
from tools.stage.supervisor import ROOT, Supervisor

LOG = ROOT / ".handover" / "test-compose.log"
#: Runs in a container of the project; all others run here, and connect from the outside.
CONTAINED = "lilas-1"
JOBS = {"databases", "temporal-schema", "temporal-namespace", "migrate", "seed"}
SECRETS = (
    "POSTGRES_PASSWORD",
    "HANDOVER_DATABASE_PASSWORD",
    "HANDOVER_OWNER_PASSWORD",
    "TEMPORAL_DATABASE_PASSWORD",
    "HANDOVER_SECRET_KEYS",
)
#: Each that is killed, and what is asked for meanwhile.
KILLED = {
    "api": ("lilas-5", "harbour"),
    "worker": ("lilas-6", "harbour"),
    "gateway": ("lilas-9", "harbour"),
    "temporal": (CONTAINED, "lilas"),
    "postgres": ("lilas-5", "lilas"),
}


@dataclass
class Clock:
    """How long each phase took."""

    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        print(f"--- {name}")
        begun = time.monotonic()
        yield
        self.phases[name] = time.monotonic() - begun
        print(f"--- {name}: {self.phases[name]:.1f} s")


async def mails(mailbox: str) -> list[dict[str, Any]]:
    """Read the mails of Mailpit as the stage's own mailbox tells them."""
    async with plain_http.client(base_url=mailbox, timeout=30) as client:
        listed = (await client.get("/api/v1/messages", params={"limit": 500})).json()["messages"]
        found = [(await client.get(f"/api/v1/message/{one['ID']}")).json() for one in reversed(listed)]
    return [{"id": one["ID"], "to": [to["Address"] for to in one["To"]], "text": one["Text"]} for one in found]


@asynccontextmanager
async def project(folder: Path, ports: Ports, clock: Clock) -> AsyncIterator[Project]:
    """Bring a clone of HEAD up inside the block; whatever happens, nothing of it stays."""
    with clock.phase("clone"):
        await run(["git", "clone", "--quiet", str(ROOT), str(folder)], seconds=60)
    with clock.phase("images"):
        made = await images.find_or_make(print)
        print(f"stand-ins: {', '.join(name for name, stand_in in made.items() if stand_in) or 'none'}")
        compose = await images.compose(print)
    (folder / "handover.env").write_text("".join(f"{name}={value}\n" for name, value in QUICK.items()))
    ours = {
        "HANDOVER_API_PORT": ports.api,
        "HANDOVER_GATEWAY_PORT": ports.gateway,
        "HANDOVER_TEMPORAL_UI_PORT": ports.temporal_ui,
        "HANDOVER_MAILBOX_PORT": ports.mailbox,
        "HANDOVER_ORIGIN": f"http://{HOST}:{ports.api}",
    }
    found = Project(compose, folder, {name: str(value) for name, value in ours.items()})
    await found.configure()
    try:
        with clock.phase("build"):
            await found.build()
        with clock.phase("up"):
            await found.up()
        yield found
    finally:
        LOG.parent.mkdir(exist_ok=True)
        with clock.phase("down with all that was kept"):
            await found.down(LOG)


@pytest.mark.timeout(3600)
async def test_it_comes_up_does_its_work_and_recovers_from_every_kill(tmp_path: Path) -> None:
    ports, clock = Ports.free(), Clock()
    stage = Stage(tmp_path / "outside", ports, "", own_temporal=False)
    try:
        async with project(tmp_path / "clone", ports, clock) as found:
            await check_contained(found)
            await check_refusals(found)
            keys = {
                user: (await found.inside("api", "./handover", "keys", "create", user)).splitlines()[-1]
                for user in data()[0]
            }
            with stage.fresh():
                await from_outside(found, stage, keys, clock)
    finally:
        print("\n".join(f"{name:36} {seconds:6.1f} s" for name, seconds in clock.phases.items()))


async def from_outside(found: Project, stage: Stage, keys: dict[str, str], clock: Clock) -> None:
    people, points = data()
    outside = [point for point in points if point["id"] != CONTAINED]
    db = Database(await database_url(found))
    supervisor = Supervisor(stage.logs, print)
    try:
        with clock.phase("chargers connect, and are enrolled"):
            await supervisor.start(parts.stations(stage, outside, db))
            assert await when(lambda: knows_keys(db, [CONTAINED]))(lambda: True)

        async def memory(charge_point: str) -> Remembered:
            point = next(one for one in points if one["id"] == charge_point)
            if charge_point == CONTAINED:
                written = await found.inside("charge-point", "cat", "/var/lib/handover/lilas-1.json")
                return remembered(written, point["password"])
            return in_charger(stage.state_file(point["identity"]), point["password"])

        with clock.phase("stories"):
            house = House(stage.api, lambda: mails(stage.mailbox), keys, people, db, memory)
            assert await perform_in(house, Console(width=160))
        before = await transfers(stage.api, keys["amelie"])
        with clock.phase("down"):
            await found("down")
        with clock.phase("up with what was kept"):
            await found.up()
            assert await transfers(stage.api, keys["amelie"]) == before != []
        for service, (charge_point, group) in KILLED.items():
            with clock.phase(f"{service} is killed"):
                await found.kill(service)
                await move(stage.api, keys["amelie"], charge_point, group, after=service)
                await found.healthy()
    finally:
        await supervisor.stop()
        await db.close()


async def move(api: str, key: str, charge_point: str, group: str, *, after: str) -> None:
    """Have a charge point moved, which waits for whatever is being started again."""
    headers = {"Authorization": f"Bearer {key}"}
    async with plain_http.client(base_url=api, headers=headers, timeout=60, transport=Patient()) as amelie:
        body = {"kind": "move_to_group", "group_id": group}
        ended = await see_it_end(amelie, await ask(amelie, charge_point, body, key=f"after {after}"))
        assert ended["state"] in {"completed", "completed_with_warnings"}, (after, ended)
        assert (await patiently(lambda: amelie.get("/readyz"))).status_code == httpx.codes.OK


async def transfers(api: str, key: str) -> list[dict[str, Any]]:
    """Give those that somebody sees."""
    async with plain_http.client(base_url=api, headers={"Authorization": f"Bearer {key}"}, timeout=60) as somebody:
        found: list[dict[str, Any]] = (await somebody.get("/v1/transfers?limit=100")).json()["items"]
        return found


async def database_url(found: Project) -> str:
    """Say where PostgreSQL is, which publishes no port: the engine's host reaches every container."""
    networks = (await found.containers())["postgres"]["NetworkSettings"]["Networks"]
    address = next(iter(networks.values()))["IPAddress"]
    env = dict(line.split("=", 1) for line in (found.folder / ".env").read_text().splitlines() if "=" in line)
    return f"postgresql+asyncpg://handover:{env['HANDOVER_DATABASE_PASSWORD']}@{address}:5432/handover"


async def check_contained(found: Project) -> None:
    """Every container is held to what it needs; what is only for the inside publishes no port."""
    containers = await found.containers()
    for name, one in containers.items():
        host = one["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["Memory"] > 0 < host["NanoCpus"], name
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}, name
        assert host["RestartPolicy"]["Name"] == ("on-failure" if name in JOBS else "unless-stopped"), name
        assert one["State"]["Status"] == ("exited" if name in JOBS else "running"), name
        assert one["Config"]["User"] not in {"", "0", "root"}, name
    published = {name: set(filter(None, one["HostConfig"]["PortBindings"] or {})) for name, one in containers.items()}
    assert {name for name, ports in published.items() if ports} == {"api", "gateway", "temporal-ui", "mailbox"}
    here = await found.inside("api", "ls", "-a", "/app")
    assert not {"tests", "docs", ".git", ".env", "handover.env"} & set(here.split()), here


async def check_refusals(found: Project) -> None:
    """Nothing starts without secrets of its own."""
    kept = (found.folder / ".env").read_text()
    for name in SECRETS:
        (found.folder / ".env").write_text("\n".join(line for line in kept.splitlines() if not line.startswith(name)))
        with pytest.raises(WayFailed, match=name):
            await found("config", "--quiet")
    (found.folder / ".env").write_text(kept)
    for service, command in {"api": "-m api", "worker": "worker.py", "gateway": "worker.py --gateway"}.items():
        with pytest.raises(WayFailed, match="is a placeholder"):
            await found.run_once(
                service, "python", *command.split(), HANDOVER_SECRET_KEYS="change-me-change-me-please-0123456789"
            )
