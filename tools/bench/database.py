"""A database with as many charge points as are to connect, each enrolled: nobody else knows its key."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import update

from domain.ids import ChargePointId
from domain.keys import KeyPurpose, KnownTo
from persistence.chargers import typed_keys
from persistence.migrating import migrate
from persistence.session import Database
from persistence.tables import ChargePoint, Credential, Group, OwnershipPeriod, User
from persistence.vault import Vault
from tools.bench.stations import KEY, identity

SERVER_KEY: Final = "a-server-key-for-nothing-but-the-bench"
_OWNER: Final = "bench"
_BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)


async def fill(url: str, stations: int) -> None:
    """Make the tables, one owner, and that many charge points."""
    await migrate(url)
    database, vault = Database(url), Vault([SERVER_KEY])
    names = {ChargePointId(f"cp-{number}"): identity(number) for number in range(stations)}
    owned = {"owner_id": _OWNER, "group_id": _OWNER, "version": 0}
    try:
        async with database.writing() as rows:
            rows.add(User(id=_OWNER, name=_OWNER, locale="en", status="active", created_at=_BEGIN))
            await rows.flush()
            rows.add(Group(id=_OWNER, name=_OWNER, personal_of=_OWNER))
            await rows.flush()
            rows.add_all(
                ChargePoint(id=id_, identity=name, name=name, ocpp="1.6", **owned) for id_, name in names.items()
            )
            await rows.flush()
            rows.add_all(
                OwnershipPeriod(charge_point_id=id_, started_at=_BEGIN, change="import", **owned) for id_ in names
            )
            await rows.flush()
            for id_ in names:
                await typed_keys.set_current(rows, vault, id_, KEY, _BEGIN, purpose=KeyPurpose.GIVEN)
            await rows.execute(update(Credential).values(known_to=KnownTo.CHARGER, decoded=False))
    finally:
        await database.close()
