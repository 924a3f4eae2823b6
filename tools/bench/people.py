"""Whose charge points are moved and transferred in a bench: 20 owners with two groups each, and 200 recipients."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import update

from domain.ids import UserId
from domain.keys import KnownTo
from domain.rights import Scope
from persistence.importing.imports import import_lines
from persistence.migrating import migrate
from persistence.people import api_keys
from persistence.session import Database
from persistence.tables import Credential
from persistence.vault import Vault
from tools.bench.rotating_stations import first_key, identity

OWNERS: Final = 20
RECIPIENTS: Final = 200
MOVED: Final = 300
"""Charge points `m0` and on, whose chargers are offline."""
CONNECTED: Final = 120
"""Charge points `k0` and on, whose chargers are there, each with a key that only it knows."""


@dataclass(frozen=True)
class Point:
    """A charge point, and whose it is now."""

    id: str
    owner_id: str
    group_id: str

    @property
    def number(self) -> int:
        """Its place among those of its letter."""
        return int(self.id[1:])

    @property
    def other_group(self) -> str:
        """The other group of the same owner."""
        return ("gb" if self.group_id.startswith("ga") else "ga") + self.group_id[2:]

    @property
    def next_owner(self) -> str:
        """Whom it goes to: from an owner to a recipient, and from there back."""
        return f"r{self.number % RECIPIENTS}" if self.owner_id.startswith("s") else f"s{self.number % OWNERS}"


def address_of(user: str) -> str:
    """Give somebody's e-mail address."""
    return f"{user}@example.com"


async def fill(url: str, secret_key: str) -> dict[str, str]:
    """Make the tables and put everybody in; gives an API key for each, which may do without acceptance."""
    await migrate(url)
    db = Database(url)
    try:
        await import_lines(db, Vault([secret_key]), [json.dumps(line).encode() for line in _lines()])
        scopes, now = frozenset({Scope.WITHOUT_ACCEPTANCE}), datetime.now(UTC)
        async with db.writing() as rows:
            await rows.execute(update(Credential).values(known_to=KnownTo.CHARGER))
            return {user: await api_keys.create(rows, UserId(user), scopes, now) for user in _users()}
    finally:
        await db.close()


def _users() -> list[str]:
    return [f"s{number}" for number in range(OWNERS)] + [f"r{number}" for number in range(RECIPIENTS)]


def _lines() -> Iterator[dict[str, Any]]:
    for user in _users():
        yield {"type": "user", "id": user, "name": f"User {user}", "email": address_of(user), "locale": "en"}
    for number in range(OWNERS):
        for group in (f"ga{number}", f"gb{number}"):
            yield {"type": "group", "id": group, "name": f"Group {group}"}
            yield {"type": "membership", "group_id": group, "user_id": f"s{number}", "role": "owner"}
    for number in range(MOVED):
        yield _charge_point(f"m{number}", f"M{number}", f"password-of-charge-point-{number}")
    for number in range(CONNECTED):
        yield _charge_point(f"k{number}", identity(number), first_key(number))


def _charge_point(id_: str, identity: str, password: str) -> dict[str, Any]:
    number = int(id_[1:]) % OWNERS
    whose = {"owner_id": f"s{number}", "group_id": f"ga{number}"}
    named = {"id": id_, "identity": identity, "name": f"Bay {id_}", "password": password}
    return {"type": "charge_point", "ocpp": "1.6", **named, **whose}
