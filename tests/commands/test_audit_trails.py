"""The verbs on audit trails, as operators call them: real processes on a database of their own."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from domain.actors import SYSTEM
from domain.ids import TransferId
from domain.trail import TrailAction
from persistence.session import Database
from persistence.transfers import audit, audit_seals
from persistence.vault import Vault
from tests.commands.test_setting_up import SECRET, handover
from tests.persistence.unguarded import unguarded


async def test_what_was_tampered_with_is_named_and_all_can_be_taken_out(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'handover.db'}"
    environ = {**os.environ, "HANDOVER_DATABASE_URL": url, "HANDOVER_SECRET_KEYS": SECRET, "TERM": "dumb"}
    assert handover(environ, "migrate", "--no-search-attributes")[0] == 0
    code, out, _ = handover(environ, "audit", "verify")
    assert (code, "no seal was made" in out) == (1, True), "nothing was sealed yet, and that is said"

    database = Database(url)
    async with database.writing() as rows:
        for n in (1, 2):
            detail = {"subject": f"é{n}"}
            await audit.append(rows, TransferId("trf_1"), actor=SYSTEM, action=TrailAction.TOLD, detail=detail)
        await audit_seals.seal(rows, Vault([SECRET]), datetime.now(UTC))
    assert handover(environ, "audit", "verify")[:2] == (0, "1 trails, 2 entries, 1 seals.\n")
    lines = [json.loads(line) for line in handover(environ, "audit", "export")[1].splitlines()]
    assert [(line["subject"], line["sequence"], line["detail"]["subject"]) for line in lines] == [
        ("trf_1", 1, "é1"),
        ("trf_1", 2, "é2"),
    ]
    assert all(line["hash"] and line["salt"] and line["digest"] for line in lines)

    async with unguarded(database) as rows:
        await rows.execute(text("UPDATE audit_events SET actor = 'user:mallory' WHERE sequence = 2"))
    await database.close()
    code, out, err = handover(environ, "audit", "verify")
    assert code == 1
    assert "trf_1" in out
    assert "is not as it was written" in out
    assert "The audit trails are not what was written." in err
