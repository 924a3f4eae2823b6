"""A register as it is after some years: PostgreSQL makes its rows by itself, in minutes for 100,000 charge points."""

from collections.abc import Container
from pathlib import Path
from typing import Final

from sqlalchemy import text

from domain.request import TransferRequest
from persistence.migrating import migrate
from persistence.session import Database
from persistence.vault import Vault

SERVER_KEY: Final = "a-server-key-for-nothing-but-the-bench"
#: Who has one charge point, the last by its id; who has every twelfth, and has given as many away; a member of a group
#: with every thirtieth. Each charge point has a transfer that waits, and three that have ended, each with its request.
LONER, HOLDER, MEMBER = "loner", "holder", "member"
_BODY: Final = TransferRequest.model_validate(
    {"kind": "transfer_to_user", "recipient": "one@example.org", "acceptance": "required", "expires_in": "P7D"}
)
_STATEMENTS: Final = Path(__file__).with_suffix(".sql").read_text().split("\n\n")[1:]


async def fill(url: str, points: int, only: Container[str] | None = None) -> None:
    """Make the tables of an empty PostgreSQL, and rows for that many charge points, some thousands or more.

    `only`: of these tables alone.
    """
    await migrate(url)
    database, sealed = Database(url, migrates=True), Vault([SERVER_KEY]).seal(_BODY.model_dump_json().encode())
    try:
        for statement in _STATEMENTS:
            if only is not None and statement.split()[2] not in only:
                continue
            async with database.writing() as rows:
                # as a bound value it would be a text where it stands beside texts
                sql = text(statement.replace(":points", str(points)))
                await rows.execute(sql, {"body": sealed} if ":body" in statement else {})
        async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(text("VACUUM ANALYZE"))
    finally:
        await database.close()
