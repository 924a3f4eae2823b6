"""The rule for credentials, step by step, each in a transaction of its own."""

from datetime import UTC, datetime

from persistence import credentials, upgrades
from persistence.credentials import CredentialStatus, KeyAnswer
from persistence.session import Database
from persistence.upgrades import Admission
from persistence.vault import Vault
from tests.gateway.world import CP, GRACE, IDENTITY, ORDER, keys

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Rule:
    """The rule's steps, each in a transaction of its own."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database = database
        self.vault = vault

    async def make(self, order_id: str = ORDER, *, quarantines_old: bool = False) -> str:
        async with self.database.writing() as session:
            await credentials.make_pending(session, self.vault, CP, order_id, quarantines_old=quarantines_old, now=NOW)
        return await self.key()

    async def key(self) -> str:
        sealed = (await keys(self.database))["pending"].sealed_key
        assert sealed is not None
        return self.vault.unseal(sealed).decode()

    async def send(self, answer: KeyAnswer | None = None, *, at: datetime = NOW) -> None:
        async with self.database.writing() as session:
            key = await credentials.record_sent(session, self.vault, CP, at)
        assert key is not None
        if answer is not None:
            async with self.database.writing() as session:
                await credentials.record_answer(session, CP, key.credential_id, answer)

    async def withdraw(self, order_id: str = ORDER) -> None:
        async with self.database.writing() as session:
            await credentials.withdraw(session, CP, order_id, NOW)

    async def come(self, password: str | bytes, *, at: datetime = NOW) -> Admission:
        secret = password if isinstance(password, bytes) else password.encode()
        async with self.database.reading() as session:
            known = await upgrades.recognise(session, self.vault, IDENTITY, secret)
        if known.admission is not None:
            return known.admission
        assert known.charge_point_id is not None
        async with self.database.writing() as session:
            return await upgrades.admit(session, self.vault, known.charge_point_id, secret, grace=GRACE, now=at)

    async def status(self, order_id: str = ORDER) -> CredentialStatus:
        async with self.database.reading() as session:
            return await credentials.status(session, CP, order_id)
