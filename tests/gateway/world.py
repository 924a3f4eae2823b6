"""A small world to test in: two people, two groups, a charge point with its key; a gateway; stations."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from domain.charge_point import Holding
from domain.ids import ChargePointId, GroupId, NodeId, TransferId, UserId
from domain.keys import KeyPurpose, KnownTo
from domain.transfer import UntilNewKey
from gateway.facts import Fact
from gateway.server import Gateway
from persistence.chargers import charge_points, credentials, typed_keys
from persistence.chargers.upgrades import OldKeys
from persistence.session import Database
from persistence.tables import ChargePoint, Credential, Group, OwnershipPeriod, Tag, Transfer, User
from persistence.vault import Vault
from tools.simulator.news import News
from tools.simulator.simulation import Station

CP = ChargePointId("cp-1")
IDENTITY = "STATION-1"
OLD_KEY = "first-password-typed-in"
ORDER = "order-1"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = timedelta(minutes=10)


async def seed(database: Database, vault: Vault, *, known_to: KnownTo = KnownTo.CHARGER) -> None:
    """Write the people, groups, tags and the charge point `cp-1` of Ann's group, with OLD_KEY, known to `known_to`."""
    async with database.writing() as rows:
        for name in ("ann", "ben"):
            rows.add(User(id=name, name=name, email=None, phone=None, locale="en", status="active", created_at=BEGIN))
        await rows.flush()
        for name in ("ann", "ben"):
            rows.add(Group(id=f"group-{name}", name=name, personal_of=name))
        await rows.flush()
        rows.add_all(
            [
                Tag(group_id="group-ann", id_tag="ANN1"),
                Tag(group_id="group-ann", id_tag="ANN2"),
                Tag(group_id="group-ben", id_tag="BEN1"),
            ]
        )
        rows.add(
            ChargePoint(
                id=CP, identity=IDENTITY, name="CP", owner_id="ann", group_id="group-ann", version=0, ocpp="1.6"
            )
        )
        await rows.flush()
        rows.add(
            OwnershipPeriod(
                charge_point_id=CP, version=0, owner_id="ann", group_id="group-ann", started_at=BEGIN, change="import"
            )
        )
        await rows.flush()
        await typed_keys.set_current(rows, vault, CP, OLD_KEY, BEGIN, purpose=KeyPurpose.GIVEN)
        await rows.execute(update(Credential).values(known_to=known_to))


async def add_transfer(database: Database, until_new_key: UntilNewKey = UntilNewKey.SERVE) -> None:
    """Write an ended transfer of the charge point, with what its recipient chose."""
    async with database.writing() as rows:
        rows.add(_transfer(until_new_key))


def _transfer(until_new_key: UntilNewKey = UntilNewKey.SERVE) -> Transfer:
    return Transfer(
        id=ORDER,
        kind="transfer_to_user",
        state="completed_with_warnings",
        attention="",
        warnings=["credentials_due"],
        charge_point_id=CP,
        active=False,
        connection="keep",
        acceptance="required",
        running_session="wait",
        if_offline="complete",
        until_new_key=until_new_key.value,
        from_group_id="group-ann",
        from_owner_id="ann",
        to_group_id="group-ben",
        to_owner_id="ben",
        asked_over_owner=False,
        requested_by="ann",
        requested_at=BEGIN,
        from_version=0,
        due=True,
    )


async def change_owner(rows: AsyncSession, at: datetime | None = None) -> None:
    """Give the charge point to the other one of the two, as a transfer does before it sees to the keys."""
    now = at or datetime.now(UTC)
    seen = await charge_points.get(rows, CP)
    other = "ben" if seen.holding.owner_id == "ann" else "ann"
    after = Holding(UserId(other), GroupId(f"group-{other}"))
    transfer_id = TransferId(f"transfer-{seen.version + 1}")
    await charge_points.change_holding(
        rows, seen, after, transfer_id=transfer_id, change="transfer", now=now, owner_since=now
    )


async def hand_over(database: Database, at: datetime) -> None:
    """Give the charge point to Ben."""
    async with database.writing() as rows:
        await change_owner(rows, at)


async def keys(database: Database) -> dict[str, Credential]:
    """Give the credentials by their state."""
    async with database.reading() as rows:
        found = (await rows.execute(select(Credential).order_by(Credential.created_at))).scalars()
        return {row.state: row for row in found}


@dataclass
class World:
    """A gateway with everything around it. `facts` is what it reported, in order."""

    database: Database
    vault: Vault
    folder: Path
    gateway: Gateway
    facts: list[Fact] = field(default_factory=list)
    _news: News = field(default_factory=News)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.gateway.port}/ocpp"

    async def on_fact(self, charge_point_id: ChargePointId, fact: Fact) -> None:
        assert charge_point_id == CP
        self.facts.append(fact)
        self._news.changed()

    async def heard(self, fact: Fact, times: int = 1, *, within: float = 15) -> None:
        """Wait until `fact` was reported so often; raises TimeoutError."""
        await self._news.until(lambda: self.facts.count(fact) >= times, within)

    async def order_key(self, *, quarantines_old: bool = False, order_id: str = ORDER, changed: bool = False) -> str:
        """Make the pending key, as the ownership transaction does, and give it; `changed`: the owner is another one."""
        async with self.database.writing() as rows:
            if not changed:
                await change_owner(rows)
            await credentials.change_hands(
                rows,
                self.vault,
                CP,
                order_id,
                quarantines_old=quarantines_old,
                until_new_key=UntilNewKey.SERVE,
                now=datetime.now(UTC),
            )
        sealed = (await keys(self.database))["pending"].sealed_key
        assert sealed is not None
        return self.vault.unseal(sealed).decode()

    async def status(self, order_id: str = ORDER) -> credentials.CredentialStatus:
        async with self.database.reading() as rows:
            return await credentials.status(rows, CP, order_id)

    @asynccontextmanager
    async def station(self, password: str = OLD_KEY, **options: Any) -> AsyncIterator[Station]:
        """Run a simulated charge point inside the block, from the moment that it has been accepted or quarantined."""
        options.setdefault("enrolled", True)
        station = Station(self.url, IDENTITY, password, self.folder / "station.json", **options)
        running = asyncio.create_task(station.run())
        try:
            await station.until(lambda: station.connected)
            yield station
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def client(
        self, password: bytes | str = OLD_KEY, *, path: str | None = None, user: str = IDENTITY, **more: Any
    ) -> connect:
        """Open a bare WebSocket as a charger does."""
        secret = password if isinstance(password, bytes) else password.encode()
        basic = b64encode(user.encode() + b":" + secret).decode()
        more.setdefault("subprotocols", [Subprotocol("ocpp1.6")])
        more.setdefault("additional_headers", {"Authorization": f"Basic {basic}"})
        url = f"ws://127.0.0.1:{self.gateway.port}{f'/ocpp/{IDENTITY}' if path is None else path}"
        return connect(url, close_timeout=1, proxy=None, **more)

    async def refuses(self, password: bytes | str, **how: Any) -> bool:
        """Whether an upgrade with this password is answered with 401."""
        try:
            async with self.client(password, **how):
                return False
        except InvalidStatus as answer:
            return answer.response.status_code == HTTPStatus.UNAUTHORIZED


@asynccontextmanager
async def gateway_world(database: Database, vault: Vault, folder: Path, **options: Any) -> AsyncIterator[World]:
    """Run a gateway over a seeded database inside the block."""
    world: World

    async def on_fact(charge_point_id: ChargePointId, fact: Fact) -> None:
        await world.on_fact(charge_point_id, fact)

    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "node": NodeId("node-1"),
        "call_timeout": timedelta(seconds=5),
        "old_keys": OldKeys(GRACE),
        "on_fact": on_fact,
        "boot_patience": timedelta(milliseconds=200),
        "reconnect_patience": timedelta(milliseconds=500),
    }
    gateway = Gateway(database, vault, **{**settings, **options})
    world = World(database, vault, folder, gateway)
    await gateway.start()
    try:
        yield world
    finally:
        await gateway.stop()


async def said(socket: ClientConnection, *, seconds: float = 10) -> str:
    """Give the next frame as text."""
    async with asyncio.timeout(seconds):
        frame = await socket.recv()
    assert isinstance(frame, str)
    return frame
