"""What is changed, missing or swapped in audit trails is found; what retention takes out is no flaw."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from domain.actors import SYSTEM
from domain.ids import TransferId
from domain.trail import TrailAction
from persistence.intake import retention
from persistence.session import Database
from persistence.tables import AuditEvent, AuditSealedHead
from persistence.transfers import audit, audit_seals
from persistence.vault import Vault
from persistence.views import audit_check
from persistence.views.audit_check import AuditCheck, Flaw
from tests.persistence.unguarded import owned, unguarded

ONE, OTHER = TransferId("trf_1"), TransferId("trf_2")
NOW = datetime.now(UTC)
TOMORROW = NOW + timedelta(days=1)
Found = set[tuple[Flaw, str, int | None]]


@pytest.fixture
async def trails(database: Database, vault: Vault) -> Database:
    """Two trails, the first of five entries of which the third is a refusal; both sealed."""
    for subject, number in ((ONE, 5), (OTHER, 2)):
        for n in range(1, number + 1):
            refused = subject == ONE and n == 3
            action = TrailAction.CANCEL_REFUSED if refused else TrailAction.TOLD
            async with database.writing() as rows:
                await audit.append(rows, subject, actor=SYSTEM, action=action, detail={"number": n})
    await seal(database, vault, NOW)
    return database


async def seal(database: Database, vault: Vault, at: datetime) -> bool:
    async with database.writing() as rows:
        return await audit_seals.seal(rows, vault, at)


async def flaws(database: Database, vault: Vault, at: datetime = NOW) -> Found:
    found = [problem async for problem in AuditCheck(database, vault).problems(at)]
    return {(one.flaw, one.subject, one.sequence) for one in found}


async def tamper(database: Database, *statements: str) -> None:
    """Change rows as somebody could who owns the database: without our rules for them."""
    async with unguarded(database) as rows:
        for statement in statements:
            await rows.execute(text(statement))


async def test_what_was_written_has_no_flaw(trails: Database, vault: Vault) -> None:
    check = AuditCheck(trails, vault)
    assert [problem async for problem in check.problems(NOW)] == []
    assert (check.counts.trails, check.counts.entries, check.counts.seals) == (2, 7, 1)
    assert [entry.sequence async for entry in check.entries()] == [1, 2, 3, 4, 5, 1, 2]


@pytest.mark.parametrize(
    ("statement", "flaw", "sequence"),
    [
        ("UPDATE audit_events SET actor = 'user:mallory' WHERE subject = 'trf_1' AND sequence = 2", Flaw.CHANGED, 2),
        ("UPDATE audit_events SET action = 'completed' WHERE subject = 'trf_1' AND sequence = 2", Flaw.CHANGED, 2),
        ("UPDATE audit_events SET once = 'x' WHERE subject = 'trf_1' AND sequence = 5", Flaw.CHANGED, 5),
        ("UPDATE audit_events SET digest = salt WHERE subject = 'trf_1' AND sequence = 2", Flaw.CHANGED, 2),
        (
            "UPDATE audit_events SET detail = '{\"number\": 7}' WHERE subject = 'trf_1' AND sequence = 2",
            Flaw.DETAIL_CHANGED,
            2,
        ),
        ("DELETE FROM audit_events WHERE subject = 'trf_1' AND sequence = 2", Flaw.MISSING, 2),
        ("DELETE FROM audit_events WHERE subject = 'trf_1' AND sequence = 3", Flaw.MISSING, 3),
        ("DELETE FROM audit_events WHERE subject = 'trf_1' AND sequence = 5", Flaw.MISSING, 5),
        ("DELETE FROM audit_events WHERE subject = 'trf_1'", Flaw.MISSING, 1),
    ],
)
async def test_what_is_changed_or_missing_is_found(
    trails: Database, vault: Vault, statement: str, flaw: Flaw, sequence: int
) -> None:
    if "detail" in statement and not trails.is_sqlite:
        statement = statement.replace("}'", "}'::jsonb")
    await tamper(trails, statement)
    assert (flaw, "trf_1", sequence) in await flaws(trails, vault)
    assert not {subject for _, subject, _ in await flaws(trails, vault)} - {"trf_1"}


async def test_two_that_are_swapped_are_found(trails: Database, vault: Vault) -> None:
    await tamper(
        trails,
        "UPDATE audit_events SET sequence = 99 WHERE subject = 'trf_1' AND sequence = 2",
        "UPDATE audit_events SET sequence = 2 WHERE subject = 'trf_1' AND sequence = 4",
        "UPDATE audit_events SET sequence = 4 WHERE subject = 'trf_1' AND sequence = 99",
    )
    assert {(Flaw.CHANGED, "trf_1", 2), (Flaw.CHANGED, "trf_1", 4)} <= await flaws(trails, vault)


async def test_a_trail_that_is_written_anew_is_not_what_was_sealed(trails: Database, vault: Vault) -> None:
    """Who reaches the database can make every hash; the seal takes the server's key."""
    await tamper(
        trails,
        "DELETE FROM audit_events WHERE subject = 'trf_2'",
        "DELETE FROM audit_counters WHERE subject = 'trf_2'",
    )
    for n in (1, 2):
        async with trails.writing() as rows:
            await audit.append(rows, OTHER, actor=SYSTEM, action=TrailAction.TOLD, detail={"number": n})
    assert await flaws(trails, vault) == {(Flaw.NOT_AS_SEALED, "trf_2", 2)}
    await tamper(
        trails,
        "UPDATE audit_sealed_heads SET hash = (SELECT hash FROM audit_counters WHERE subject = 'trf_2') "
        "WHERE subject = 'trf_2'",
    )
    assert await flaws(trails, vault) == {(Flaw.SEAL_BROKEN, "", 1)}


async def test_a_trail_that_is_gone_with_all_that_tells_of_it_is_missing_in_its_seal(
    trails: Database, vault: Vault
) -> None:
    await tamper(
        trails,
        "DELETE FROM audit_events WHERE subject = 'trf_2'",
        "DELETE FROM audit_counters WHERE subject = 'trf_2'",
    )
    assert {flaw for flaw, _, _ in await flaws(trails, vault)} == {Flaw.MISSING}
    await tamper(trails, "DELETE FROM audit_sealed_heads WHERE subject = 'trf_2'")
    assert await flaws(trails, vault) == {(Flaw.SEAL_BROKEN, "", 1)}
    await tamper(trails, "DELETE FROM audit_sealed_heads", "DELETE FROM audit_seals")
    assert await flaws(trails, vault) == {(Flaw.SEAL_OVERDUE, "", None)}


async def test_what_retention_takes_out_is_no_flaw_and_nobody_else_can_say_so(trails: Database, vault: Vault) -> None:
    async with trails.writing() as rows:
        assert await retention.forget_refusals(vault, rows, TOMORROW, 10) == 1
    assert await flaws(trails, vault) == set()
    async with trails.reading() as rows:
        assert await rows.scalar(select(func.count()).select_from(AuditEvent)) == 6
    await tamper(
        trails,
        "INSERT INTO audit_gaps SELECT subject, sequence, hash, (SELECT mac FROM audit_gaps) FROM audit_events "
        "WHERE subject = 'trf_1' AND sequence = 2",
        "DELETE FROM audit_events WHERE subject = 'trf_1' AND sequence = 2",
    )
    assert await flaws(trails, vault) == {(Flaw.GAP_FORGED, "trf_1", 2)}


async def test_a_detail_may_lose_what_is_kept_no_more(trails: Database, vault: Vault) -> None:
    async with trails.writing() as rows:
        await rows.execute(text("UPDATE audit_events SET detail = '{}', salt = NULL WHERE sequence = 2"))
    assert await flaws(trails, vault) == set()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_events WHERE sequence = 2",
        "UPDATE audit_events SET actor = 'user:mallory' WHERE sequence = 2",
        "UPDATE audit_events SET hash = NULL, salt = NULL WHERE sequence = 2",
        "UPDATE audit_events SET detail = '{}' WHERE sequence = 2",
    ],
)
async def test_the_database_itself_takes_no_change_and_no_deletion(trails: Database, statement: str) -> None:
    async with owned(trails) as owners:
        with pytest.raises(DBAPIError, match="neither changed nor deleted"):
            async with owners.writing() as rows:
                await rows.execute(text(statement))


async def test_each_day_is_sealed_once_whether_a_trail_has_grown_or_not(trails: Database, vault: Vault) -> None:
    assert not await seal(trails, vault, NOW)
    assert await flaws(trails, vault, NOW + timedelta(hours=37)) == {(Flaw.SEAL_OVERDUE, "", None)}
    assert await seal(trails, vault, TOMORROW)
    async with trails.writing() as rows:
        await audit.append(rows, OTHER, actor=SYSTEM, action=TrailAction.TOLD)
    assert await seal(trails, vault, TOMORROW + timedelta(days=1))
    async with trails.reading() as rows:
        heads = (await rows.execute(select(AuditSealedHead.seal, AuditSealedHead.subject))).all()
    assert sorted(tuple(head) for head in heads) == [(1, "trf_1"), (1, "trf_2"), (3, "trf_2")]
    assert await flaws(trails, vault, TOMORROW + timedelta(days=1)) == set()
    await tamper(trails, "DELETE FROM audit_seals WHERE number = 2")
    assert (Flaw.SEAL_BROKEN, "", 3) in await flaws(trails, vault, TOMORROW + timedelta(days=1))


async def test_no_trail_is_passed_by_however_a_database_orders_them(
    trails: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_check, "_PAGE", 1)
    subjects = ("charge_point:B", "charge_point:a", "B-1", "a-1", "trf_A", "trf_a")
    for subject in subjects:
        async with trails.writing() as rows:
            await audit.append(rows, TransferId(subject), actor=SYSTEM, action=TrailAction.TOLD)
    await seal(trails, vault, TOMORROW)
    check = AuditCheck(trails, vault)
    assert [problem async for problem in check.problems(TOMORROW)] == []
    assert (check.counts.trails, check.counts.entries) == (2 + len(subjects), 7 + len(subjects))


async def test_more_trails_than_a_seal_takes_are_sealed_by_several(
    trails: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_seals, "AT_ONCE", 1)
    for n in range(3):
        async with trails.writing() as rows:
            await audit.append(rows, TransferId(f"trf_9{n}"), actor=SYSTEM, action=TrailAction.TOLD)
    sealed = [await seal(trails, vault, TOMORROW) for _ in range(5)]
    assert sealed == [True, True, True, True, False]
    assert await flaws(trails, vault, TOMORROW) == set()
