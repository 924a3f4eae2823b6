"""Every invariant holds in a sound state, and each fails on a state that breaks it: a check that can't fail is none."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from sqlalchemy import text

from chaos import agreement, chargers, effects, ledger, promises
from chaos.evidence import Evidence, read_rows
from chaos.invariants import INVARIANTS, Invariant, judge
from chaos.journal import Broken, Promise
from chaos.letters import Mail
from chaos.watch import Watch
from demo.station_state import StationState
from persistence.session import Database
from persistence.vault import Vault
from tests.chaos.sound import put_in

#: What breaks which invariant, as statements on the database.
IN_DATABASE: list[tuple[Invariant, str]] = [
    (ledger.one_owner, "UPDATE charge_points SET owner_id = 'bob' WHERE id = 'cp-1'"),
    (ledger.one_owner, "UPDATE charge_points SET group_id = 'north' WHERE id = 'cp-1'"),
    (ledger.one_owner, "UPDATE charge_points SET version = 2 WHERE id = 'cp-1'"),
    (ledger.one_owner, "UPDATE ownership_periods SET ended_at = NULL WHERE charge_point_id = 'cp-1' AND version = 0"),
    (ledger.one_owner, "UPDATE ownership_periods SET ended_at = started_at WHERE transfer_id = 'trf_move'"),
    (ledger.one_owner, "UPDATE ownership_periods SET started_at = '2020-01-01' WHERE transfer_id = 'trf_move'"),
    (ledger.one_owner, "DELETE FROM ownership_periods WHERE transfer_id = 'trf_move'"),
    (ledger.versions, "UPDATE transfers SET state = 'declined' WHERE id = 'trf_move'"),
    (ledger.versions, "UPDATE transfers SET state = 'rolled_back' WHERE id = 'trf_gift'"),
    (ledger.versions, "UPDATE transfers SET state = 'completed' WHERE id = 'trf_back'"),
    (ledger.versions, "UPDATE ownership_periods SET transfer_id = NULL WHERE transfer_id = 'trf_move'"),
    (ledger.versions, "UPDATE ownership_periods SET transfer_id = 'trf_x' WHERE transfer_id = 'trf_move'"),
    (ledger.versions, "UPDATE transfers SET from_version = 4 WHERE id = 'trf_move'"),
    (ledger.versions, "UPDATE transfers SET to_owner_id = 'bob' WHERE id = 'trf_move'"),
    (ledger.versions, "UPDATE transfers SET from_owner_id = 'bob' WHERE id = 'trf_back'"),
    (ledger.what_was_seen, "UPDATE ownership_periods SET owner_id = 'bob' WHERE transfer_id = 'trf_move'"),
    (ledger.what_was_seen, "DELETE FROM ownership_periods WHERE transfer_id = 'trf_move'"),
    (ledger.bookings, "UPDATE charging_sessions SET group_id = 'north'"),
    (ledger.bookings, "UPDATE charging_sessions SET owner_id = 'bob'"),
    (promises.commands, "DELETE FROM audit_events WHERE once = 'accept:user:eve'"),
    (promises.commands, "UPDATE transfers SET state = 'expired' WHERE id = 'trf_gift'"),
    (promises.commands, "UPDATE audit_events SET detail = '{}' WHERE action = 'resolved_roll_back'"),
    (promises.one_request, "UPDATE requests SET idempotency_key = 'other' WHERE transfer_id = 'trf_move'"),
    (agreement.workflows, "UPDATE transfers SET state = 'completed_with_warnings' WHERE id = 'trf_move'"),
    (agreement.shown, "UPDATE transfers SET state = 'completed_with_warnings' WHERE id = 'trf_move'"),
    (agreement.shown, "UPDATE charge_points SET version = 2 WHERE id = 'cp-1'"),
    (agreement.reconciled, "INSERT INTO findings VALUES ('run_lost', 'trf_move', 'mended', 1, '2026-01-01', NULL)"),
    (agreement.nothing_open, "UPDATE requests SET started_at = NULL WHERE transfer_id = 'trf_move'"),
    (agreement.nothing_open, "UPDATE requests SET transfer_id = 'trf_never' WHERE transfer_id = 'trf_move'"),
    (agreement.nothing_open, "UPDATE transfers SET due = 1 WHERE id = 'trf_move'"),
    (agreement.nothing_open, "UPDATE transfers SET active = 1 WHERE id = 'trf_move'"),
    (agreement.nothing_open, "UPDATE transfers SET active = 1, state = 'reconfiguring' WHERE id = 'trf_move'"),
    (agreement.nothing_open, "UPDATE charge_points SET sessions_blocked_by = 'trf_move' WHERE id = 'cp-1'"),
    (effects.trails, "DELETE FROM audit_events WHERE subject = 'trf_move' AND action = 'reserved'"),
    (effects.trails, "UPDATE audit_events SET action = 'reserved' WHERE once = 'told:ended'"),
    (effects.trails, "UPDATE audit_events SET action = 'completed' WHERE once = 'ownership_changed'"),
    (effects.trails, "UPDATE audit_events SET action = 'ownership_changed' WHERE once = 'ownership_restored'"),
    (effects.trails, "UPDATE audit_events SET detail = '{}' WHERE once = 'told:ended'"),
    (effects.keys, "UPDATE credentials SET order_id = 'trf_gift'"),
    (effects.keys, "UPDATE credentials SET proved_at = NULL"),
    (effects.keys, "UPDATE credentials SET withdrawn_at = created_at"),
    (chargers.passwords, "UPDATE credentials SET mac = 'x' WHERE charge_point_id = 'cp-1'"),
    (chargers.passwords, "UPDATE credentials SET state = 'pending' WHERE charge_point_id = 'cp-1'"),
    (chargers.local_lists, "INSERT INTO tags (group_id, id_tag) VALUES ('south', 'SOUTH3')"),
    (chargers.in_service, "UPDATE charger_links SET node = NULL"),
    (chargers.in_service, "UPDATE charger_links SET quarantined = 1"),
    (chargers.in_service, "UPDATE credentials SET state = 'revoked' WHERE charge_point_id = 'cp-1'"),
]  # fmt: skip


def remember(evidence: Evidence, identity: str, **facts: object) -> Evidence:
    memory = replace(evidence.memories[identity], **facts)  # type: ignore[arg-type]
    return replace(evidence, memories={**evidence.memories, identity: memory})


def told(evidence: Evidence, *mails: Mail) -> Evidence:
    return replace(evidence, mails=[*evidence.mails, *mails])


def promised(evidence: Evidence, user: str, call: str, subject: str, key: str) -> Evidence:
    return replace(evidence, promises=[*evidence.promises, Promise(user, call, subject, key, 200)])


#: What breaks which invariant elsewhere: in answers, workflows, mails, chargers.
ELSEWHERE: list[tuple[Invariant, Callable[[Evidence], Evidence]]] = [
    (promises.commands, lambda found: promised(found, "ada", "start", "trf_lost", "key")),
    (promises.commands, lambda found: promised(found, "eve", "decline", "trf_gift", "key")),
    (promises.commands, lambda found: promised(found, "bob", "cancel", "trf_gift", "key")),
    (promises.commands, lambda found: promised(found, "eve", "accept_by_link", "trf_lost", "")),
    (promises.commands, lambda found: promised(found, "olga", "resolve", "trf_back", "another act")),
    (promises.one_request, lambda found: promised(found, "ada", "start", "trf_gift", "key-trf_move")),
    (agreement.workflows, lambda found: replace(found, outcomes={**found.outcomes, "trf_move": "running"})),
    (agreement.workflows, lambda found: replace(found, outcomes={})),
    (agreement.shown, lambda found: replace(found, shown={})),
    (agreement.shown, lambda found: replace(found, shown={**found.shown, "trf_nobodys": ("completed",)})),
    (effects.letters, lambda found: replace(found, mails=())),
    (effects.letters, lambda found: told(found, Mail("ended.trf_move.abc", "ada@example.com", ""))),
    (effects.letters, lambda found: told(found, Mail("ended.trf_move.0123456789", "eve@example.com", ""))),
    (chargers.passwords, lambda found: remember(found, "CP-2", password="another")),
    (chargers.passwords, lambda found: remember(found, "CP-2", decoded=True)),
    (chargers.local_lists, lambda found: remember(found, "CP-1", local_list={"NORTH1": "Accepted"})),
    (chargers.local_lists, lambda found: remember(found, "CP-1", local_list={})),
    (chargers.in_service, lambda found: remember(found, "CP-2", available=False)),
]


@pytest.fixture
async def db(sqlite_url: str) -> AsyncIterator[Database]:
    found = Database(sqlite_url)
    yield found
    await found.close()


@pytest.fixture
async def sound(db: Database, vault: Vault) -> Evidence:
    return await put_in(db, vault)


async def test_every_invariant_holds_in_a_sound_state(sound: Evidence, db: Database) -> None:
    assert judge(sound) == []
    await Watch(db).look()


def test_every_invariant_is_broken_below() -> None:
    assert {invariant for invariant, _ in (*IN_DATABASE, *ELSEWHERE)} == set(INVARIANTS)


@pytest.mark.parametrize(("invariant", "statement"), IN_DATABASE, ids=[statement for _, statement in IN_DATABASE])
async def test_a_broken_row_is_found(sound: Evidence, sqlite_url: str, invariant: Invariant, statement: str) -> None:
    careless = Database(sqlite_url, migrates=True)  # lets a row go that others point at
    async with careless.writing() as session:
        await session.execute(text(statement))
    found = replace(sound, rows=await read_rows(careless))
    await careless.close()
    assert list(invariant(found))


@pytest.mark.parametrize(("invariant", "break_it"), ELSEWHERE)
async def test_what_is_broken_elsewhere_is_found(
    sound: Evidence, invariant: Invariant, break_it: Callable[[Evidence], Evidence]
) -> None:
    assert list(invariant(break_it(sound)))


async def test_a_locked_out_charger_is_found_though_its_key_is_pending(sound: Evidence, db: Database) -> None:
    async with db.writing() as session:
        await session.execute(text("UPDATE transfers SET active = 1, state = 'reconfiguring' WHERE id = 'trf_gift'"))
    found = replace(sound, rows=await read_rows(db))
    assert not list(chargers.passwords(found))
    lost = {**found.memories, "CP-2": StationState("neither of them")}
    assert list(chargers.passwords(replace(found, memories=lost)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE charge_points SET owner_id = 'bob' WHERE id = 'cp-1'",
        "UPDATE charge_points SET version = version + 1 WHERE id = 'cp-1'",
        "UPDATE ownership_periods SET ended_at = NULL WHERE charge_point_id = 'cp-1'",
        "UPDATE ownership_periods SET ended_at = started_at WHERE charge_point_id = 'cp-1'",
    ],
)
async def test_a_look_during_the_run_finds_a_second_owner(sound: Evidence, db: Database, statement: str) -> None:
    async with db.writing() as session:
        await session.execute(text(statement))
    with pytest.raises(Broken):
        await Watch(db).look()


async def test_a_look_during_the_run_finds_history_that_was_rewritten(sound: Evidence, db: Database) -> None:
    watch = Watch(db)
    await watch.look()
    async with db.writing() as session:
        for table in (
            "charge_points SET owner_id = 'bob' WHERE id",
            "ownership_periods SET owner_id = 'bob' WHERE charge_point_id",
        ):
            await session.execute(text(f"UPDATE {table} = 'cp-1'"))
    with pytest.raises(Broken):
        await watch.look()
