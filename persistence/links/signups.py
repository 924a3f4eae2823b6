"""What somebody typed to open an account by a link: sealed by the doorway, read and removed by the activity."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import LinkId
from persistence.inserts import insert_into
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


async def keep(rows: AsyncSession, vault: Vault, link_id: LinkId, typed: Typed, now: datetime) -> None:
    """Keep what was typed for a link, in place of what was typed before; rows that are of no use any more go."""
    await rows.execute(delete(AccountOpening).where(AccountOpening.created_at < now - OF_USE_FOR))
    body = json.dumps({"name": typed.name, "locale": typed.locale}).encode()
    kept = insert_into(rows, AccountOpening).values(link_id=link_id, sealed_body=vault.seal(body), created_at=now)
    newest = {"sealed_body": kept.excluded.sealed_body, "created_at": kept.excluded.created_at}
    await rows.execute(kept.on_conflict_do_update(index_elements=["link_id"], set_=newest))


async def take(rows: AsyncSession, vault: Vault, link_id: LinkId) -> Typed | None:
    """Read what was typed for a link, and remove it; None where nothing is kept."""
    row = await rows.get(AccountOpening, link_id, with_for_update=True)
    if row is None:
        return None
    await rows.delete(row)
    return Typed(**json.loads(vault.unseal(row.sealed_body)))


async def forget(rows: AsyncSession, link_id: LinkId) -> None:
    """Remove what was typed for a link; nothing where nothing is kept."""
    await rows.execute(delete(AccountOpening).where(AccountOpening.link_id == link_id))
