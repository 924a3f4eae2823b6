"""Every invariant holds in a sound state, and each fails on a state that breaks it: a check that can't fail is none."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from persistence.session import Database
from persistence.vault import Vault
from tests.persistence.unguarded import unguarded
from tests.tools.chaos.sound import BEGAN, LATER, NEW_KEY, put_in
from tools.chaos import agreement, attacks, chargers, effects, ledger, promises
from tools.chaos.attackers import Heard, Stay
from tools.chaos.evidence import Evidence, read_rows
from tools.chaos.invariants import INVARIANTS, Invariant, judge
from tools.chaos.journal import Broken, Promise
from tools.chaos.letters import Mail
from tools.chaos.watch import Watch
from tools.simulator.state import StationState

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
    (promises.commands, "UPDATE audit_events SET order_id = NULL WHERE action = 'resolved_roll_back'"),
    (promises.commands, "UPDATE audit_events SET actor = 'temporal-ui' WHERE action = 'resolved_roll_back'"),
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
    (chargers.local_lists, "INSERT INTO tags (group_id, id_tag, type) VALUES ('south', 'SOUTH3', 'ISO14443')"),
    (chargers.in_service, "UPDATE charger_links SET node = NULL"),
    (chargers.in_service, "UPDATE charger_links SET quarantined = 1"),
    (chargers.in_service, "UPDATE credentials SET state = 'revoked' WHERE charge_point_id = 'cp-1'"),
    (effects.keys, "UPDATE credentials SET state = 'beside' WHERE charge_point_id = 'cp-2' AND purpose = 'given'"),
    (effects.keys, "UPDATE credentials SET state = 'revoked' WHERE charge_point_id = 'cp-1'"),
    (effects.keys, "UPDATE credentials SET state = 'pending' WHERE charge_point_id = 'cp-2' AND state = 'current'"),
    (agreement.nothing_open, "UPDATE transfers SET due = 1, warnings = '[\"old_key_known\"]' WHERE id = 'trf_move'"),
    (attacks.over, "UPDATE credentials SET state = 'beside' WHERE charge_point_id = 'cp-2' AND purpose = 'given'"),
    (attacks.unmoved, "UPDATE credentials SET proved_at = NULL"),
    (attacks.unmoved, "UPDATE credentials SET purpose = 'transfer' WHERE order_id = 'trf_gift'"),
    (attacks.unmoved, "UPDATE transfers SET state = 'rolled_back', reason = 'charger_rejected' WHERE id = 'trf_gift'"),
    (attacks.unmoved, "UPDATE transfers SET state = 'rolled_back', reason = 'charger_offline' WHERE id = 'trf_gift'"),
    (attacks.unmoved, "UPDATE transfers SET warnings = '[\"credentials_cannot_be_rotated\"]' WHERE id = 'trf_gift'"),
    (attacks.ways_in, "UPDATE charger_links SET node = NULL"),
    (attacks.ways_in, "UPDATE charger_links SET address = '127.0.0.11'"),
    (attacks.ways_in, "UPDATE charger_links SET credential_id = 'another'"),
    (attacks.ways_in, "UPDATE credentials SET state = 'revoked' WHERE charge_point_id = 'cp-2'"),
]  # fmt: skip


def remember(evidence: Evidence, identity: str, **facts: object) -> Evidence:
    memory = replace(evidence.memories[identity], **facts)  # type: ignore[arg-type]
    return replace(evidence, memories={**evidence.memories, identity: memory})


def told(evidence: Evidence, *mails: Mail) -> Evidence:
    return replace(evidence, mails=[*evidence.mails, *mails])


def promised(evidence: Evidence, user: str, call: str, subject: str, key: str) -> Evidence:
    return replace(evidence, promises=[*evidence.promises, Promise(user, call, subject, key, 200)])


def heard(evidence: Evidence, action: str, *texts: str) -> Evidence:
    call = Heard("cp-2", LATER + timedelta(seconds=2), action, texts)
    return replace(evidence, attacks=replace(evidence.attacks, heard=[*evidence.attacks.heard, call]))


def stayed(evidence: Evidence, began: timedelta, ended: timedelta) -> Evidence:
    stay = Stay("cp-2", LATER + began, LATER + ended)
    return replace(evidence, attacks=replace(evidence.attacks, stays=[stay]))


def opened(evidence: Evidence) -> Evidence:
    return replace(evidence, attacks=replace(evidence.attacks, opens={"cp-2": True}))


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
    (attacks.untold, lambda found: heard(found, "ChangeConfiguration", "AuthorizationKey", "one that nobody knows")),
    (attacks.untold, lambda found: heard(found, "SetVariables", "SecurityCtrlr", "BasicAuthPassword", "a word")),
    (attacks.untold, lambda found: heard(found, "SetNetworkProfile")),
    (attacks.untold, lambda found: heard(found, "DataTransfer", NEW_KEY)),
    (attacks.over, opened),
    (attacks.over, lambda found: stayed(found, timedelta(minutes=5), timedelta(minutes=5))),
    (attacks.over, lambda found: stayed(found, -timedelta(minutes=5), timedelta(minutes=5))),
    (attacks.ways_in, lambda found: remember(found, "CP-2", password="another")),
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
    async with unguarded(careless) as rows:
        await rows.execute(text(statement))
    found = replace(sound, rows=await read_rows(careless))
    await careless.close()
    assert list(invariant(found))


@pytest.mark.parametrize(("invariant", "break_it"), ELSEWHERE)
async def test_what_is_broken_elsewhere_is_found(
    sound: Evidence, invariant: Invariant, break_it: Callable[[Evidence], Evidence]
) -> None:
    assert list(invariant(break_it(sound)))


async def test_a_locked_out_charger_is_found_though_its_key_is_pending(sound: Evidence, db: Database) -> None:
    async with db.writing() as rows:
        await rows.execute(text("UPDATE transfers SET active = 1, state = 'reconfiguring' WHERE id = 'trf_gift'"))
    found = replace(sound, rows=await read_rows(db))
    assert not list(chargers.passwords(found))
    lost = {**found.memories, "CP-2": StationState("neither of them")}
    assert list(chargers.passwords(replace(found, memories=lost)))


async def change(sound: Evidence, db: Database, *statements: str) -> Evidence:
    async with unguarded(db) as rows:
        for statement in statements:
            await rows.execute(text(statement))
    return replace(sound, rows=await read_rows(db))


#: A transfer that ended without its new owner's key, at its charge point.
KNOWN = "UPDATE charge_points SET until_new_key = '{}' WHERE id = '{}'"
PENDING = "UPDATE credentials SET state = 'pending', {} WHERE charge_point_id = 'cp-2' AND state = 'revoked'"
DUE = "UPDATE transfers SET state = 'completed_with_warnings', due = 1, warnings = '[{}]' WHERE id = '{}'"


async def test_a_key_that_nobody_types_may_be_waited_for(sound: Evidence, db: Database) -> None:
    known = DUE.format('"old_key_known"', "trf_move")
    found = await change(sound, db, known, KNOWN.format("serve", "cp-1"))
    assert not list(agreement.nothing_open(found))
    assert list(chargers.local_lists(found))
    assert not list(chargers.local_lists(remember(found, "CP-1", local_list={"NORTH1": "Blocked"})))
    since = await change(sound, db, "UPDATE charge_points SET owner_version = 2 WHERE id = 'cp-1'")
    assert not list(chargers.local_lists(since)), "its group has not changed with its owner"


@pytest.mark.parametrize(("until_new_key", "open_"), [("serve", True), ("quarantine", False)])
async def test_where_the_old_key_serves_nothing_else_waits(
    sound: Evidence, db: Database, until_new_key: str, open_: bool
) -> None:
    due = DUE.format('"old_key_known", "lists_due"', "trf_move")
    found = await change(sound, db, due, KNOWN.format(until_new_key, "cp-1"))
    assert bool(list(agreement.nothing_open(found))) is open_


@pytest.mark.parametrize(
    ("what", "holds"),
    [
        ("purpose = 'typed'", False),
        ("purpose = 'transfer'", False),
        ("purpose = 'enrolment'", True),
        ("purpose = 'enrolment', version = -1", False),
        ("purpose = 'transfer', withdrawn_at = created_at", False),
        ("purpose = 'transfer', withdrawn_at = created_at, sent_at = created_at", True),
    ],
)
async def test_a_key_is_pending_at_rest_only_as_the_rule_allows(
    sound: Evidence, db: Database, what: str, holds: bool
) -> None:
    found = await change(sound, db, PENDING.format(what))
    assert bool(list(chargers.passwords(found))) is not holds


async def test_a_transfer_under_attack_ends_no_earlier_than_its_deadline(sound: Evidence, db: Database) -> None:
    unproven = "UPDATE credentials SET proved_at = NULL"
    ended = (
        "UPDATE audit_events SET action = 'completed_with_warnings', detail = '{}', at = '{}'"
        " WHERE subject = 'trf_gift' AND once = 'finished'"
    )
    state = DUE.format('"old_key_known"', "trf_gift")
    known, late = '{"warnings": "old_key_known"}', LATER + timedelta(minutes=1)
    early = await change(sound, db, unproven, state, ended.format(known, LATER))
    assert list(attacks.unmoved(early))
    assert not list(attacks.unmoved(await change(sound, db, ended.format(known, late))))
    assert list(attacks.unmoved(await change(sound, db, ended.format('{"warnings": "lists_due"}', late))))


async def test_what_is_its_own_owners_client_may_be_sent_a_key(sound: Evidence) -> None:
    call = Heard("cp-2", BEGAN - timedelta(hours=1), "ChangeConfiguration", ["AuthorizationKey", "any"])
    assert not list(attacks.untold(replace(sound, attacks=replace(sound.attacks, heard=[call]))))


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
    async with db.writing() as rows:
        await rows.execute(text(statement))
    with pytest.raises(Broken):
        await Watch(db).look()


async def test_a_look_during_the_run_finds_history_that_was_rewritten(sound: Evidence, db: Database) -> None:
    watch = Watch(db)
    await watch.look()
    async with db.writing() as rows:
        for table in (
            "charge_points SET owner_id = 'bob' WHERE id",
            "ownership_periods SET owner_id = 'bob' WHERE charge_point_id",
        ):
            await rows.execute(text(f"UPDATE {table} = 'cp-1'"))
    with pytest.raises(Broken):
        await watch.look()
