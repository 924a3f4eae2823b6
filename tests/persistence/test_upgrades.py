"""What each key opens, and when: the rule at a WebSocket upgrade, on both databases."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select

from domain.charger import KeyAnswer
from domain.errors import Unavailable
from domain.keys import KeyPurpose
from persistence.chargers import credentials, key_sending, typed_keys, upgrades
from persistence.chargers.charger_keys import ENDED_KEPT
from persistence.chargers.credentials import CredentialStatus
from persistence.chargers.upgrades import Admission, Entry, RefusedFor
from persistence.session import Database
from persistence.tables import AuditEvent, Credential
from persistence.vault import Vault
from tests.gateway.world import CP, GRACE, IDENTITY, OLD_KEY, ORDER, keys, seed
from tests.persistence.rule import NOW, Rule


@pytest.fixture
async def rule(database: Database, vault: Vault) -> Rule:
    await seed(database, vault)
    return Rule(database, vault)


async def test_either_form_proves_and_only_that_form_is_good_afterwards(rule: Rule) -> None:
    key = await rule.make()
    raw = bytes.fromhex(key)
    assert (await rule.come(raw)).entry is Entry.PROVED
    assert (await rule.come(raw)).entry is Entry.CURRENT
    assert (await rule.come(key)).entry is Entry.REFUSED
    assert (await rule.come(OLD_KEY)).entry is Entry.REFUSED
    assert (await keys(rule.database))["current"].sealed_key is None
    assert (await rule.status()) == CredentialStatus(None, proven=True, has_key=True)


async def test_the_old_key_is_ordinary_until_the_new_one_was_sent_and_for_the_grace_period_after(rule: Rule) -> None:
    await rule.make()
    sent = NOW + 3 * GRACE  # long after it was made
    assert (await rule.come(OLD_KEY, at=sent)).entry is Entry.CURRENT
    await rule.send(at=sent)
    assert (await rule.come(OLD_KEY, at=sent + GRACE)).entry is Entry.CURRENT
    await rule.send(at=sent + GRACE)  # sending again does not lengthen it
    late = await rule.come(OLD_KEY, at=sent + GRACE + timedelta(seconds=1))
    assert (late.entry, late.returned) == (Entry.QUARANTINED, False)
    assert (await rule.status()).old_key_returns == 0


async def test_where_the_owner_changed_while_it_was_away_the_old_key_is_quarantined_at_once(rule: Rule) -> None:
    key = await rule.make(quarantines_old=True)
    assert (await rule.come(OLD_KEY)).entry is Entry.QUARANTINED
    assert (await rule.come(key)).entry is Entry.PROVED


async def test_returns_after_accepted_are_counted_and_the_third_parks(rule: Rule) -> None:
    key = await rule.make()
    await rule.send(KeyAnswer.ACCEPTED)
    seen = [await rule.come(OLD_KEY) for _ in range(3)]
    assert [(each.entry, each.returned, each.parked) for each in seen] == [
        (Entry.QUARANTINED, True, False),
        (Entry.QUARANTINED, True, False),
        (Entry.QUARANTINED, True, True),
    ]
    assert await rule.status() == CredentialStatus(
        "accepted", answer_counts=True, proven=False, old_key_returns=3, has_key=True
    )
    assert (await rule.come(key)).entry is Entry.PROVED


async def test_revoked_keys_open_nothing(rule: Rule) -> None:
    key = await rule.make()
    async with rule.database.writing() as rows:
        await credentials.revoke_all(rows, CP, NOW)
    for password in (OLD_KEY, key):
        assert (await rule.come(password)).entry is Entry.REFUSED
    async with rule.database.reading() as rows:
        assert not await upgrades.has_key(rows, CP)


async def test_a_typed_key_replaces_whatever_was_there(rule: Rule) -> None:
    pending = await rule.make(quarantines_old=True)
    async with rule.database.writing() as rows:
        await typed_keys.set_current(rows, rule.vault, CP, "typed", NOW, purpose=KeyPurpose.GIVEN)
        await typed_keys.set_current(rows, rule.vault, CP, "typed", NOW, purpose=KeyPurpose.GIVEN)
    assert (await rule.come("typed")).entry is Entry.CURRENT
    for password in (OLD_KEY, pending):
        assert (await rule.come(password)).entry is Entry.REFUSED


async def test_a_key_that_had_ended_and_was_typed_again_opens(rule: Rule) -> None:
    for password in ("one", "other", "one"):
        async with rule.database.writing() as rows:
            await typed_keys.set_current(rows, rule.vault, CP, password, NOW, purpose=KeyPurpose.GIVEN)
    assert (await rule.come("one")).entry is Entry.CURRENT
    assert (await rule.come("other")).refused_for is RefusedFor.ENDED


async def test_the_last_keys_that_ended_are_known_and_older_ones_are_not(rule: Rule) -> None:
    """One that nobody can come with takes no other's place."""
    for number in range(ENDED_KEPT + 2):
        at = NOW + timedelta(minutes=number)
        async with rule.database.writing() as rows:
            await typed_keys.set_current(rows, rule.vault, CP, f"key-{number}", at, purpose=KeyPurpose.GIVEN)
    late = NOW + GRACE * 9
    async with rule.database.writing() as rows:
        forgotten = (await rows.scalars(select(Credential).where(Credential.mac == ""))).first()
        assert forgotten is not None
        forgotten.revoked_at = late
    async with rule.database.writing() as rows:
        await typed_keys.set_current(rows, rule.vault, CP, "last", late, purpose=KeyPurpose.GIVEN)
    async with rule.database.reading() as rows:
        ended = (await rows.scalars(select(Credential).where(Credential.state == "revoked"))).all()
    assert sum(bool(row.mac) for row in ended) == ENDED_KEPT
    refused = {number: (await rule.come(f"key-{number}")).refused_for for number in (1, 2, ENDED_KEPT + 1)}
    assert refused == {1: RefusedFor.WRONG_PASSWORD, 2: RefusedFor.ENDED, ENDED_KEPT + 1: RefusedFor.ENDED}


async def test_a_key_that_somebody_is_to_type_is_never_sent(rule: Rule) -> None:
    await rule.make()
    async with rule.database.writing() as rows:
        await typed_keys.hand_out(rows, rule.vault, CP, "ab" * 20, ORDER, NOW)
        connection = await rule.connection(rows)
        assert await key_sending.record_sent(rows, rule.vault, CP, connection, NOW) is None
    assert (await keys(rule.database))["pending"].sent_at is None


async def test_a_refusal_after_an_acceptance_is_not_on_record(rule: Rule) -> None:
    await rule.make()
    await rule.send(KeyAnswer.ACCEPTED)
    key = (await keys(rule.database))["pending"].id
    for credential_id in (key, "another"):
        async with rule.database.writing() as rows:
            await key_sending.record_answer(rows, CP, credential_id, KeyAnswer.REJECTED, counts=True)
    assert (await keys(rule.database))["pending"].answer == "accepted"
    async with rule.database.reading() as rows:
        actions = (await rows.scalars(select(AuditEvent.action))).all()
    assert "key_refused" not in actions


@pytest.mark.parametrize("counts", [True, False])
async def test_a_refusal_over_what_may_be_anybodys_connection_is_noted_as_that(rule: Rule, counts: bool) -> None:
    await rule.make()
    await rule.send()
    pending = (await keys(rule.database))["pending"]
    async with rule.database.writing() as rows:
        await key_sending.record_answer(rows, CP, pending.id, KeyAnswer.REJECTED, counts=counts)
    async with rule.database.reading() as rows:
        actions = (await rows.scalars(select(AuditEvent.action).order_by(AuditEvent.sequence))).all()
    assert actions[-1] == ("key_refused" if counts else "refusal_not_counted")


async def test_the_answer_of_another_key_is_not_this_ones(rule: Rule) -> None:
    await rule.make()
    await rule.send()
    async with rule.database.writing() as rows:
        await key_sending.record_answer(rows, CP, "another", KeyAnswer.REJECTED, counts=True)
    assert (await keys(rule.database))["pending"].answer is None


@pytest.mark.parametrize("kept", ["digits", "bytes"])
async def test_typed_hex_digits_open_in_the_form_that_the_charger_keeps_and_in_no_other_from_then_on(
    rule: Rule, kept: str
) -> None:
    raw = bytes(range(20))
    forms: dict[str, str | bytes] = {"digits": raw.hex(), "bytes": raw}
    async with rule.database.writing() as rows:
        await typed_keys.set_current(rows, rule.vault, CP, raw.hex(), NOW, purpose=KeyPurpose.TYPED)
    form = forms.pop(kept)
    for _ in range(2):
        assert (await rule.come(form)).entry is Entry.CURRENT
    [other] = forms.values()
    assert (await rule.come(other)).entry is Entry.REFUSED
    async with rule.database.reading() as rows:
        assert await typed_keys.is_shown(rows, rule.vault, CP, raw.hex())


async def test_a_key_under_a_former_server_key_moves_to_the_present_one(rule: Rule, vault: Vault) -> None:
    former, present = "a-former-key-of-thirty-two-characters", "a-present-key-of-thirty-two-characters"
    async with rule.database.writing() as rows:
        await typed_keys.set_current(rows, Vault([former]), CP, "typed", NOW, purpose=KeyPurpose.GIVEN)
    rule.vault = Vault([present, former])
    assert (await rule.come("typed")).entry is Entry.CURRENT
    rule.vault = Vault([present])
    assert (await rule.come("typed")).entry is Entry.CURRENT
    rule.vault = vault
    assert (await rule.come("typed")).entry is Entry.REFUSED


async def test_an_unknown_identity_costs_the_same_comparisons(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    await rule.make()
    genuine = Vault.tell
    costs = []
    for identity, password in ((IDENTITY, "wrong"), ("NOBODY", "wrong"), (IDENTITY, OLD_KEY)):
        calls: list[str] = []

        def counted(
            self: Vault, purpose: str, value: bytes, macs: Sequence[str], calls: list[str] = calls
        ) -> list[bool]:
            calls.extend(macs)
            return genuine(self, purpose, value, macs)

        with monkeypatch.context() as patch:
            patch.setattr(Vault, "tell", counted)
            async with rule.database.reading() as rows:
                await upgrades.recognise(rows, rule.vault, identity, password.encode())
        costs.append(len(calls))
    assert len(set(costs)) == 1


@pytest.mark.parametrize("state", ["plain", "withdrawn"])
async def test_upgrades_at_the_same_time_leave_one_current_key_and_lock_nobody_out(rule: Rule, state: str) -> None:
    key = await rule.make()
    await rule.send()
    if state == "withdrawn":
        await rule.withdraw()
    results = await asyncio.gather(
        *(rule.come(password) for _ in range(6) for password in (OLD_KEY, key)), return_exceptions=True
    )
    assert all(isinstance(result, Admission | Unavailable) for result in results)
    good = [password for password in (OLD_KEY, key) if (await rule.come(password)).entry is not Entry.REFUSED]
    assert len(good) == 1
    if state == "plain":
        assert good == [key]
    assert list(await keys(rule.database)).count("pending") == 0
