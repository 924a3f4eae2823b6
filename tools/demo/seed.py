"""Fills the demo's database: the accounts and charge points of data.jsonl, and an API key for each user."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from domain.ids import UserId
from domain.rights import Scope
from persistence.importing.import_lines import ChargePointLine, UserLine
from persistence.importing.imports import import_lines
from persistence.importing.reading import read_lines
from persistence.migrating import migrate
from persistence.people import api_keys
from persistence.session import Database
from persistence.vault import Vault
from tools.stage.stage import Stage

FILE: Final = Path(__file__).with_name("data.jsonl")
#: Who is staff; everybody else has no more than their roles.
SCOPES: Final = {"grace": frozenset(Scope)}
#: What programs read of a charge point in demo.json.
_FACTS: Final = {"id", "identity", "password", "group_id", "owner_id", "ocpp"}


@dataclass(frozen=True)
class Seeded:
    """What was put in: a key for each user, and the charge points as demo.json has them."""

    keys: dict[str, str]
    people: dict[str, tuple[str, str]]
    """Each user's name and e-mail address."""
    charge_points: list[dict[str, Any]]


async def seed(stage: Stage) -> Seeded:
    """Make the tables and put the demo's data in."""
    rows = FILE.read_bytes().splitlines()
    await migrate(stage.database_url)
    db = Database(stage.database_url)
    try:
        await import_lines(db, Vault([stage.secret_key]), rows)
        people, charge_points = data()
        keys = await _make_keys(db, people)
    finally:
        await db.close()
    return Seeded(keys, people, charge_points)


def data() -> tuple[dict[str, tuple[str, str]], list[dict[str, Any]]]:
    """Give who is in the data, by name and e-mail address, and its charge points."""
    lines = [line for _, line in read_lines(FILE.read_bytes().splitlines())]
    people = {line.id: (line.name, line.email or "") for line in lines if isinstance(line, UserLine)}
    return people, [line.model_dump(include=_FACTS) for line in lines if isinstance(line, ChargePointLine)]


async def _make_keys(db: Database, users: Iterable[str]) -> dict[str, str]:
    now = datetime.now(UTC)
    async with db.writing() as rows:
        return {user: await api_keys.create(rows, UserId(user), SCOPES.get(user, frozenset()), now) for user in users}
