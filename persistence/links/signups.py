"""What somebody typed to open an account by a link: sealed by the API, read and removed by the activity."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from domain.account import parse_locale, parse_name
from domain.ids import LinkId
from persistence.inserts import insert_into
from persistence.session import Database
from persistence.tables import AccountOpening
from persistence.vault import Vault

#: After which a row is of no use: the workflow that reads it gives up within minutes.
OF_USE_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Typed:
    """The name, and the language like `fr` or `fr-FR`."""

    name: str
    locale: str

    def __repr__(self) -> str:
        """Keep names out of logs and tracebacks."""
        return "Typed()"


class Signups:
    """Keeps and removes what was typed; raises Unavailable where the database is away."""

    def __init__(self, db: Database, vault: Vault) -> None:
        """Take the database, and the vault that seals what was typed."""
        self._db = db
        self._vault = vault

    async def keep(self, link_id: LinkId, name: str, locale: str) -> None:
        """Keep what was typed for a link, in place of what was typed before; raises InvalidRequest.

        Rows that are of no use any more go.
        """
        typed, now = Typed(parse_name(name), parse_locale(locale)), datetime.now(UTC)
        body = json.dumps({"name": typed.name, "locale": typed.locale}).encode()
        async with self._db.writing() as rows:
            await rows.execute(delete(AccountOpening).where(AccountOpening.created_at < now - OF_USE_FOR))
            sealed = self._vault.seal(body)
            kept = insert_into(rows, AccountOpening).values(link_id=link_id, sealed_body=sealed, created_at=now)
            newest = {"sealed_body": kept.excluded.sealed_body, "created_at": kept.excluded.created_at}
            await rows.execute(kept.on_conflict_do_update(index_elements=["link_id"], set_=newest))

    async def forget(self, link_id: LinkId) -> None:
        """Remove what was typed for a link, if anything is left of it."""
        async with self._db.writing() as rows:
            await rows.execute(delete(AccountOpening).where(AccountOpening.link_id == link_id))


async def take(rows: AsyncSession, vault: Vault, link_id: LinkId) -> Typed | None:
    """Read what was typed for a link, and remove it; None where nothing is kept."""
    row = await rows.get(AccountOpening, link_id, with_for_update=True)
    if row is None:
        return None
    await rows.delete(row)
    return Typed(**json.loads(vault.unseal(row.sealed_body)))
