"""The real application on a real database that has everybody in it, with a hand-written engine behind it."""

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from api.app import create_app
from domain.request import TransferRequest
from persistence.session import PATIENT_LOCK_WAIT_SECONDS, Database
from persistence.tables import AuditEvent, Request
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.listeners import application, served
from tests.api.world import add, add_link, add_transfer, open_link, populate
from tests.conftest import administer, copy_of, in_database, wait_for


@pytest.fixture(scope="session")
def sqlite_template(sqlite_template: Path) -> Path:
    """A SQLite file with everybody in it, to be copied."""
    file = sqlite_template.with_name("populated.db")
    shutil.copy(sqlite_template, file)
    wait_for(_populate(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str, postgres_template: str) -> str:
    """A PostgreSQL database with everybody in it, to be copied."""
    wait_for(administer(postgres_server, f"CREATE DATABASE template_populated {copy_of(postgres_template)}"))
    wait_for(_populate(in_database(postgres_server, "template_populated")))
    return "template_populated"


async def _populate(url: str) -> None:
    database = Database(url)
    await populate(database)
    await database.close()


@pytest.fixture
def lock_wait() -> float:
    """As the API's."""
    return PATIENT_LOCK_WAIT_SECONDS


@pytest.fixture
def engine(database: Database) -> Engine:
    return Engine(database)


@pytest.fixture
def app(database: Database, vault: Vault, engine: Engine) -> FastAPI:
    return create_app(database, vault, engine)


@pytest.fixture
def bare(vault: Vault, tmp_path: Path) -> FastAPI:
    """The application, with a database that nobody asks."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/none.db")
    return create_app(database, vault, Engine(database))


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://handover.test") as client:
        yield client


class Trail:
    """Reads the audit trail as it stands in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, transfer_id: str | None = None) -> list[tuple[str, str, str]]:
        """Give (actor, action, code) of every entry, or of one transfer's."""
        wanted = select(AuditEvent).order_by(AuditEvent.at, AuditEvent.sequence)
        if transfer_id is not None:
            wanted = wanted.where(AuditEvent.subject == transfer_id)
        async with self._database.reading() as rows:
            entries = (await rows.scalars(wanted)).all()
        return [(entry.actor, entry.action, entry.detail.get("code", "")) for entry in entries]


@pytest.fixture
def trail(database: Database) -> Trail:
    return Trail(database)


LATER = datetime(2099, 3, 5, 14, 7, tzinfo=UTC)


@pytest.fixture
async def link(http: httpx.AsyncClient, database: Database, vault: Vault) -> str:
    """The path of the page of an open link, whose token `http` holds."""
    message = "Enjoy it!\n<script>alert(1)</script>"
    body = TransferRequest.model_validate(
        {"kind": "transfer_to_user", "acceptance": "required", "expires_in": "P7D", "message": message}
        | {"recipient": "rita@example.org", "recipient_channel": "email"}  # as she had it when she was asked
    )
    request = Request(
        transfer_id="trf_1",
        user_id="u-olga",
        scopes=[],
        charge_point_id="cp-1",
        kind="transfer_to_user",
        body_hash="0" * 64,
        sealed_body=vault.seal(body.model_dump_json().encode()),
        requested_at=datetime.now(UTC),
    )
    await add(database, request)
    await add_transfer(database, expires_at=LATER)
    return await open_link(http, await add_link(database))


@pytest.fixture
async def world(database: Database) -> Database:
    """A database with olga's transfer."""
    await add_transfer(database)
    return database


@pytest.fixture
async def address(world: Database, vault: Vault) -> AsyncIterator[str]:
    async with served(application(world, vault)) as found:
        yield found
