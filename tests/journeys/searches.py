"""Searches everything that a run leaves behind for everything in it that was secret."""

import contextlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from persistence.session import Database
from persistence.tables import Credential, Order, Table
from persistence.vault import Vault
from tools.stage import plain_http
from tools.stage.stage import Stage

_CODE = re.compile(r"^\s*(\d{3})[\s\u00a0\u202f-]?(\d{3})\s*$", re.MULTILINE)
_TOKEN = re.compile(r"/t/([A-Za-z0-9_-]{43})")
_PASSWORD = re.compile(r'"(?:next_)?password": ?"([^"]+)"')


class Secrets:
    """What may not be found anywhere."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, bytes]] = []
        self.codes: list[bytes] = []

    def found_in(self, content: bytes) -> list[str]:
        """Name what is in `content`; a code is short, so that it counts only as a number of its own."""
        found = [kind for kind, text in self.texts if text in content]
        return found + ["a code" for code in self.codes if re.search(rb"(?<![0-9.])" + code + rb"(?![0-9])", content)]


async def check_no_secret_is_left(
    stage: Stage, db: Database, keys: Mapping[str, str], charge_points: Sequence[Mapping[str, Any]]
) -> Secrets:
    """Fail where a key, code or token is in a log, in Temporal's histories and failures, or in the database."""
    secrets = await _gather(stage, db, keys, charge_points)
    searched: dict[str, bytes] = {}
    async for place, content in _places(stage, db):
        assert secrets.found_in(content) == [], place
        searched[place] = content
    # the search can find things: what is no secret is there
    assert {"worker.log", "gateway.log", "api.log"} <= set(searched)
    identity, charge_point = (str(charge_points[0][name]).encode() for name in ("identity", "id"))
    assert identity in searched["table charge_points"]
    assert charge_point in b"".join(content for place, content in searched.items() if place.startswith("temporal.db"))
    return secrets


async def check_reasons_lie_with_orders(stage: Stage, db: Database) -> None:
    """Fail where what people typed as a reason is anywhere but with their orders; there has to be some."""
    async with db.reading() as rows:
        typed = {reason.encode() for reason in await rows.scalars(select(Order.reason)) if reason}
    assert typed
    async for place, content in _places(stage, db):
        if place != "table orders" and not place.startswith("handover.db"):
            assert [reason for reason in typed if reason in content] == [], place


async def check_nowhere(stage: Stage, db: Database, words: Sequence[str], there: str) -> None:
    """Fail where one of these words is in a log, in Temporal's files, or in a table, or `there` is in none of them."""
    found = b""
    async for place, content in _places(stage, db):
        assert [word for word in words if word.encode().lower() in content.lower()] == [], place
        found += content if there.encode() in content else b""
    assert found, "the search can find things"


async def _gather(
    stage: Stage, db: Database, keys: Mapping[str, str], charge_points: Sequence[Mapping[str, Any]]
) -> Secrets:
    """Ask those who may have secrets: people, chargers, the mailbox, and whoever has the server's key."""
    secrets, vault = Secrets(), Vault([stage.secret_key])
    texts = [("the server's key", stage.secret_key)]
    for key in keys.values():
        texts += [("an API key", key), ("an API key's secret", key.split("_", 2)[2])]
    for point in charge_points:
        texts.append(("a first password", point["password"]))
        state = stage.state_file(point["identity"])
        if state.exists():
            texts += [("a charger's password", found) for found in _PASSWORD.findall(state.read_text())]
    async with db.reading() as rows:
        sealed = await rows.scalars(select(Credential.sealed_key).where(Credential.sealed_key.is_not(None)))
        texts += [("a pending key", vault.unseal(key).decode()) for key in sealed if key is not None]
    async with plain_http.client(timeout=60) as client:  # every mail of the run
        mails = [mail["text"] for mail in (await client.get(f"{stage.mailbox}/api/messages")).json()]
    texts += [("a link's token", found) for mail in mails for found in _TOKEN.findall(mail)]
    secrets.texts = [(kind, text.encode()) for kind, text in texts]
    secrets.codes = [(first + second).encode() for mail in mails for first, second in _CODE.findall(mail)]
    return secrets


async def _places(stage: Stage, db: Database) -> AsyncIterator[tuple[str, bytes]]:
    """Give what is searched: logs, files of the databases with their journals, and each row of each table."""
    for file in (*stage.logs.iterdir(), *stage.data.glob("handover.db*"), *stage.data.glob("temporal.db*")):
        with contextlib.suppress(FileNotFoundError):  # a journal that its database has no more use for
            yield file.name, file.read_bytes()
    async with db.reading() as rows:
        for table in Table.metadata.sorted_tables:
            found = (await rows.execute(select(table))).all()
            yield f"table {table.name}", "\n".join(str(tuple(row)) for row in found).encode()
