"""The rule for credentials, step by step, each in a transaction of its own."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.charger import KeyAnswer
from domain.ids import NodeId
from domain.keys import KeyPurpose
from domain.transfer import UntilNewKey
from persistence.chargers import credentials, key_sending, present_connections, typed_keys, upgrades
from persistence.chargers.charger_keys import lock_keys
from persistence.chargers.credentials import CredentialStatus
from persistence.chargers.key_sending import Connection
from persistence.chargers.upgrades import Admission, OldKeys
from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.world import CP, GRACE, IDENTITY, ORDER, change_owner, keys

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Rule:
    """The rule's steps, each in a transaction of its own."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database = database
        self.vault = vault
        self.old_keys = OldKeys(GRACE)

    async def make(self, order_id: str = ORDER, *, quarantines_old: bool = False) -> str:
        assert not await self.change_hands(order_id, quarantines_old=quarantines_old)
        return await self.key()

    async def change_hands(
        self,
        order_id: str = ORDER,
        *,
        quarantines_old: bool = False,
        until_new_key: UntilNewKey = UntilNewKey.SERVE,
    ) -> bool:
        async with self.database.writing() as rows:
            await change_owner(rows)
            return await credentials.change_hands(
                rows,
                self.vault,
                CP,
                order_id,
                quarantines_old=quarantines_old,
                until_new_key=until_new_key,
                now=NOW,
            )

    async def start(self) -> KeyPurpose | None:
        """Have the charger start anew on a connection opened with the current key."""
        async with self.database.writing() as rows:
            key = (await lock_keys(rows, CP)).current
            return await key_sending.record_start(rows, CP, key.id if key else "", NOW, NOW)

    async def key(self) -> str:
        sealed = (await keys(self.database))["pending"].sealed_key
        assert sealed is not None
        return self.vault.unseal(sealed).decode()

    async def send(self, answer: KeyAnswer | None = None, *, at: datetime = NOW) -> None:
        async with self.database.writing() as rows:
            key = await key_sending.record_sent(rows, self.vault, CP, await self.connection(rows), at)
        assert key is not None
        if answer is not None:
            async with self.database.writing() as rows:
                await key_sending.record_answer(rows, CP, key.credential_id, answer, counts=True)

    async def connection(self, rows: AsyncSession) -> Connection:
        """Give a connection that was opened with the current key."""
        key = (await lock_keys(rows, CP)).current
        generation = await present_connections.claim(
            rows,
            CP,
            NodeId("node-1"),
            credential_id=key.id if key else "",
            address="192.0.2.1",
            quarantined=False,
            now=NOW,
        )
        return Connection(generation)

    async def type_in(self, key: str, *, at: datetime = NOW) -> None:
        async with self.database.writing() as rows:
            await typed_keys.set_current(rows, self.vault, CP, key, at, purpose=KeyPurpose.TYPED)

    async def withdraw(self, order_id: str = ORDER) -> None:
        async with self.database.writing() as rows:
            await credentials.withdraw(rows, CP, order_id, NOW)

    async def come(self, password: str | bytes, *, at: datetime = NOW) -> Admission:
        secret = password if isinstance(password, bytes) else password.encode()
        async with self.database.reading() as rows:
            known = await upgrades.recognise(rows, self.vault, IDENTITY, secret)
        if known.admission is not None:
            return known.admission
        assert known.charge_point_id is not None
        async with self.database.writing() as rows:
            return await upgrades.admit(rows, self.vault, known.charge_point_id, secret, old_keys=self.old_keys, now=at)

    async def status(self, order_id: str = ORDER) -> CredentialStatus:
        async with self.database.reading() as rows:
            return await credentials.status(rows, CP, order_id)
