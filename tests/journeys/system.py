"""A whole Handover on a database of the test's: every part a process of its own, started again when it dies."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import update
from temporalio.client import Client

from domain.ids import TransferId, UserId, workflow_id
from domain.keys import KnownTo
from domain.rights import Scope
from engine.namespace import register_search_attributes
from persistence.importing.imports import import_lines
from persistence.people import api_keys
from persistence.session import Database
from persistence.tables import Credential
from persistence.vault import Vault
from tools.simulator.faults import Fault, Trouble
from tools.stage import devserver, parts, plain_http
from tools.stage.ports import HOST, Ports, free_port
from tools.stage.readiness import answers, when
from tools.stage.stage import Stage
from tools.stage.supervisor import Part, Supervisor


@dataclass(frozen=True)
class StageOn(Stage):
    """The demo's stage, with another database and other settings."""

    url: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        return self.url

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "HANDOVER_COOL_DOWN": "PT0S", **self.settings}


@dataclass(frozen=True)
class System:
    """A running Handover, and who may do what there."""

    stage: StageOn
    db: Database
    client: Client
    supervisor: Supervisor
    keys: Mapping[str, str]
    charge_points: Sequence[Mapping[str, Any]]
    apis: Sequence[str]

    def user(self, name: str, api: int = 0) -> httpx.AsyncClient:
        """Give the API as a user sees it."""
        return plain_http.client(
            base_url=self.apis[api], headers={"Authorization": f"Bearer {self.keys[name]}"}, timeout=90
        )

    async def ended(self, transfer_id: str) -> None:
        """Wait until a transfer's workflow has nothing more to do."""
        await self.client.get_workflow_handle(workflow_id(TransferId(transfer_id))).result()


def two_users(charge_points: int) -> list[dict[str, Any]]:
    """Give an import: Ada and Bob are both owners of two groups; Ada has the charge points, in the first."""
    people = [
        {"type": "user", "id": name, "name": name.title(), "email": f"{name}@example.com", "locale": "en"}
        for name in ("ada", "bob")
    ]
    groups = [{"type": "group", "id": name, "name": name.title()} for name in ("north", "south")]
    roles = [
        {"type": "membership", "group_id": group["id"], "user_id": person["id"], "role": "owner"}
        for group in groups
        for person in people
    ]
    tags = [{"type": "tag", "group_id": group["id"], "id_tag": str(group["id"]).upper()} for group in groups]
    points = [
        {
            "type": "charge_point",
            "id": f"cp-{number}",
            "identity": f"CP-{number}",
            "name": f"Bay {number}",
            "owner_id": "ada",
            "group_id": "north",
            "ocpp": "1.6",
            "password": f"first-password-of-{number}",
        }
        for number in range(1, charge_points + 1)
    ]
    return [*people, *groups, *roles, *tags, *points]


@asynccontextmanager
async def running(
    folder: Path,
    url: str,
    lines: Sequence[Mapping[str, Any]],
    *,
    away: Collection[str] | None = (),
    faults: Mapping[str, Sequence[Fault | Trouble]] | None = None,
    settings: Mapping[str, str] | None = None,
    more_apis: Sequence[Mapping[str, str]] = (),
    instead: Mapping[str, list[str]] | None = None,
    ports: Ports | None = None,
    known_to: KnownTo = KnownTo.CHARGER,
    models: Mapping[str, str] | None = None,
    quick: bool = True,
) -> AsyncIterator[System]:
    """Run every part inside the block.

    `known_to`: who knows the charge points' first passwords; only those that the charger knows were sent to it.
    `away`: ids of charge points that don't connect (None: none does), `faults`: what is wrong with those that do,
    `more_apis`: settings of further API processes, `instead`: the command of a part by its name. `quick`: it waits as
    the demo does, else as production.
    """
    ports = ports or Ports.free()
    stage = StageOn(
        folder, ports, f"{HOST}:{ports.temporal}", own_temporal=True, url=url, settings=settings or {}, quick=quick
    )
    program = await asyncio.to_thread(devserver.find_or_build, print)
    db = Database(url)
    with stage.fresh():
        keys = await _fill(db, stage, lines, known_to)
        supervisor = Supervisor(stage.logs, print)
        more = {free_port(): other for other in more_apis}
        points = [line for line in lines if line["type"] == "charge_point"]
        try:
            await supervisor.start(parts.temporal(stage, program))
            client = await stage.connection.open()
            await register_search_attributes(client)
            for part in (parts.mailbox, parts.worker, parts.gateway, parts.api):
                made = part(stage)
                await supervisor.start(Part(made.name, (instead or {}).get(made.name, made.argv), made.ready, made.env))
            for port, other in more.items():
                await supervisor.start(_another_api(stage, port, other))
            if away is not None:
                there = [point for point in points if point["id"] not in away]
                enrolled = known_to is KnownTo.CHARGER
                await supervisor.start(parts.stations(stage, there, db, faults or {}, enrolled=enrolled, models=models))
            addresses = [stage.api, *(f"http://{HOST}:{port}" for port in more)]
            yield System(stage, db, client, supervisor, keys, points, addresses)
        finally:
            await supervisor.stop()
            await db.close()


async def _fill(db: Database, stage: Stage, lines: Sequence[Mapping[str, Any]], known_to: KnownTo) -> dict[str, str]:
    await import_lines(db, Vault([stage.secret_key]), [json.dumps(line).encode() for line in lines])
    async with db.writing() as rows:
        await rows.execute(update(Credential).values(known_to=known_to))
        return {
            line["id"]: await api_keys.create(rows, UserId(line["id"]), frozenset(Scope), datetime.now(UTC))
            for line in lines
            if line["type"] == "user"
        }


def _another_api(stage: Stage, port: int, settings: Mapping[str, str]) -> Part:
    made = parts.api(stage)
    ready = when(lambda: answers(f"http://{HOST}:{port}/readyz"))
    environment = {**made.env, **settings, "HANDOVER_API_PORT": str(port)}
    return Part(f"api-{port}", [sys.executable, "-m", "api"], ready, environment)
