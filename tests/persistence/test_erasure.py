"""A person who was erased is found nowhere: what is kept stays under their id alone, and nothing brings them back."""

import asyncio
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import inspect, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.messages import TransferRun
from activities.contracts.registry import DecisionRecord, Finish, WhileAbsent
from activities.registry import DatabaseRegistry
from domain.actors import COMMAND_LINE
from domain.approval import Decision
from domain.charger_clock import ChargerTime
from domain.contact import Address, Channel
from domain.erasure import StillTied
from domain.errors import InvalidRequest, NotAllowed, NotAuthenticated, NotFound
from domain.ids import ChargePointId, TransferId, UserId, workflow_id
from domain.keys import KnownTo
from domain.kinds import TransferKind
from domain.limits import NO_LIMITS
from domain.request import TransferRequest
from domain.rights import Scope
from domain.trail import TrailAction, of_charge_point, of_person
from domain.transfer import Acceptance, TransferState
from persistence.chargers import charging
from persistence.chargers.charging import Over, Start
from persistence.importing import imports
from persistence.importing.imports import import_lines
from persistence.importing.problems import ImportRefused
from persistence.intake.erasures import Erasures
from persistence.intake.idempotency import Repeatable
from persistence.intake.limits import Counters
from persistence.intake.requests import Requests
from persistence.intake.sign_ins import SignIns, begin
from persistence.links.approvals import make_link
from persistence.links.signups import Signups
from persistence.people import accounts, api_keys
from persistence.session import Database
from persistence.tables import (
    ApiKey,
    AuditEvent,
    ChargePoint,
    ChargerConnection,
    ChargingSession,
    Code,
    Credential,
    Group,
    LocalList,
    Membership,
    OutboxLetter,
    OwnershipPeriod,
    Passkey,
    PasskeyChallenge,
    Request,
    Transfer,
    User,
)
from persistence.transfers import audit
from persistence.vault import SecretsUnreadable, Vault
from persistence.views.audit_check import AuditCheck, Flaw
from persistence.views.personal_data import PersonalData
from tests.orders import give
from tests.persistence.unguarded import unguarded
from tests.persistence.waiting import until_waiting

ZOE, ADA = UserId("p-1"), UserId("p-2")
OWN = "personal-p-1"
NAME, EMAIL, PHONE = "Zoe Quittenbaum", "zoe.quittenbaum@example.com", "+33612345678"
#: Words that stand in one place each, and then in none.
MESSAGE, ANSWERED, REASON, BROWSER, PASSKEY, TAG, PLACE = (
    *("quince-from-zoe", "quince-to-zoe", "quince-of-the-operator", "quince-browser", "quince-passkey"),
    *("QUINCE-TAG", "203.0.113.77"),
)
CANARIES = (NAME, EMAIL, PHONE, MESSAGE, ANSWERED, REASON, BROWSER, PASSKEY, TAG, PLACE, "quince-key")
LINES: list[dict[str, Any]] = [
    {"type": "user", "id": ZOE, "name": NAME, "email": EMAIL, "phone": PHONE, "locale": "fr-FR"},
    {"type": "user", "id": ADA, "name": "Ada", "email": "ada@example.com"},
    {"type": "group", "id": "depot", "name": "Depot"},
    {"type": "membership", "group_id": "depot", "user_id": ADA, "role": "owner"},
    {"type": "membership", "group_id": "depot", "user_id": ZOE, "role": "owner"},
    {"type": "tag", "group_id": OWN, "id_tag": TAG},
    {"type": "tag", "group_id": "depot", "id_tag": "SHARED"},
    *(
        {
            "type": "charge_point",
            "id": f"cp-{n}",
            "identity": f"CP{n}",
            "name": f"Bay {n}",
            "ocpp": "1.6",
            "owner_id": owner,
            "group_id": group,
            "password": f"first-password-of-{n}",
        }
        for n, owner, group in ((1, ZOE, OWN), (2, ADA, "depot"))
    ),
    {"type": "tag", "group_id": OWN, "id_tag": "SHARED"},
]
NOW = datetime.now(UTC)


async def take(database: Database, vault: Vault, *lines: dict[str, Any]) -> None:
    await import_lines(database, vault, [json.dumps(line).encode() for line in lines])


@dataclass
class World:
    """Zoe, who has a charge point of her own, and Ada, who has another."""

    database: Database
    vault: Vault

    @property
    def registry(self) -> DatabaseRegistry:
        return DatabaseRegistry(self.database, self.vault, timedelta())

    @property
    def erasures(self) -> Erasures:
        return Erasures(self.database, self.vault)

    async def erase(self, reason: str = "request 4711") -> datetime:
        return await self.erasures.erase(ZOE, reason, COMMAND_LINE)

    async def ask(
        self, sender: UserId, point: str, recipient: str, message: str, *, reason: str | None = None, key: str = ""
    ) -> TransferRun:
        """Ask somebody to take a charge point."""
        request = TransferRequest(
            kind=TransferKind.TRANSFER_TO_USER,
            recipient=recipient,
            recipient_channel=Channel.EMAIL,
            acceptance=Acceptance.REQUIRED,
            expires_in=timedelta(days=7),
            message=message,
            reason=reason,
        )
        scopes = frozenset({Scope.OPERATOR}) if reason else frozenset()
        call = Repeatable(sender, f"{'quince-key' if sender == ZOE else 'key'} {uuid.uuid4()}", uuid.uuid4().bytes)
        kept = await Requests(self.database, self.vault).keep(call, ChargePointId(point), request, scopes, key or None)
        run = TransferRun(
            transfer_id=kept.transfer_id, workflow_id=workflow_id(kept.transfer_id), run_id=uuid.uuid4().hex
        )
        await self.registry.reserve(run)
        return run

    async def decide(self, run: TransferRun, who: UserId, decision: Decision, reason: str | None = None) -> None:
        order_id = await give(self.database, run.transfer_id, decision.value, f"user:{who}", reason=reason)
        record = DecisionRecord(transfer_id=run.transfer_id, decision=decision, order_id=order_id)
        await self.registry.decide(record)

    async def hand_over(self, run: TransferRun, to: UserId) -> None:
        await self.decide(run, to, Decision.ACCEPT)
        await self.registry.change_ownership(WhileAbsent(transfer_id=run.transfer_id))
        await self.registry.finish(Finish(transfer_id=run.transfer_id, state=TransferState.COMPLETED))

    async def find(self) -> dict[str, set[str]]:
        """Say of each canary in which columns it is, of all that there are; sealed ones are read, too."""
        found: dict[str, set[str]] = {}
        async with self.database.reading() as rows:
            connection = await rows.connection()
            for table in await connection.run_sync(lambda here: inspect(here).get_table_names()):
                for row in (await rows.execute(text(f"SELECT * FROM {table}"))).mappings():  # noqa: S608 - ours
                    for name, value in row.items():
                        for canary in CANARIES:
                            if canary.lower() in self.read(value).lower():
                                found.setdefault(canary, set()).add(f"{table}.{name}")
        return found

    def read(self, value: object) -> str:
        if not isinstance(value, bytes):
            return str(value)
        try:
            return self.vault.unseal(value).decode()
        except SecretsUnreadable:
            return value.decode(errors="replace")


@pytest.fixture
async def world(database: Database, vault: Vault) -> World:
    await take(database, vault, *LINES)
    async with database.writing() as rows:
        await rows.execute(update(Credential).values(known_to=KnownTo.CHARGER))
    return World(database, vault)


async def live(world: World) -> None:
    """Have Zoe do, and be done, all that leaves something behind; then she has no charge point any more."""
    async with world.database.writing() as rows:
        key = await api_keys.create(rows, ZOE, [], NOW)
        await audit.append(
            rows,
            of_charge_point(ChargePointId("cp-1")),
            actor=COMMAND_LINE,
            action=TrailAction.KEY_PROVEN,
            detail={"address": PLACE, "purpose": "transfer"},
        )
        for point, tag, group, owner in (
            *(("cp-1", TAG, OWN, ZOE), ("cp-1", "STRAY", OWN, ZOE)),
            *(("cp-2", TAG, "depot", ADA), ("cp-2", "SHARED", "depot", ADA)),
        ):
            rows.add(session_row(point, tag, group, owner))
        entry = {"id_tag": TAG, "status": "Accepted", "type": "ISO14443"}
        rows.add(LocalList(charge_point_id="cp-1", version=2, entries=[entry], order_id="x", replaced=[entry]))
        begin(rows, ZOE, BROWSER)
        rows.add(
            Passkey(
                id="pky_1", user_id=ZOE, user_handle=b"h", credential_id=b"c", public_key=b"k", sign_count=0,
                name=PASSKEY, added_at=NOW,
            )
        )  # fmt: skip
        rows.add(
            PasskeyChallenge(
                challenge_hash="x", ceremony="prove", place_hash="x", user_id=ZOE, expires_at=NOW + timedelta(1)
            )
        )
    sign_ins = SignIns(world.database, world.vault, Counters(world.vault, NO_LIMITS))
    await sign_ins.ask(Address(Channel.EMAIL, EMAIL))

    asked = await world.ask(ADA, "cp-2", EMAIL, ANSWERED, reason=f"{NAME} wants it, {REASON}")
    async with world.database.writing() as rows:
        link = await make_link(rows, world.vault, asked.transfer_id, channel="email", generation=1, now=NOW)
        rows.add(Code(link_id=link.id, number=1, mac="x", expires_at=NOW + timedelta(hours=1), wrong_tries=0))
        await rows.execute(update(OutboxLetter).values(last_error=f"550 no such user {EMAIL}"))
    await Signups(world.database, world.vault).keep(link.id, NAME, "fr")
    await world.decide(asked, ZOE, Decision.DECLINE, reason=REASON)
    await world.registry.finish(Finish(transfer_id=asked.transfer_id, state=TransferState.DECLINED))
    cancelled = await world.ask(ADA, "cp-2", EMAIL, ANSWERED)
    await world.decide(cancelled, ADA, Decision.CANCEL)
    await world.registry.finish(Finish(transfer_id=cancelled.transfer_id, state=TransferState.CANCELLED))
    await give(
        world.database, of_charge_point(ChargePointId("cp-1")), "identify", f"operator:{ADA}", request_id="1",
        reason=REASON,
    )  # fmt: skip
    await give(
        world.database, TransferId("trf_other"), "retry", f"operator:{ADA}", request_id="2", reason=f"asked by {EMAIL}"
    )
    sent = await world.ask(ZOE, "cp-1", "ada@example.com", MESSAGE, key=key.split("_")[1])
    await world.hand_over(sent, ADA)


def session_row(point: str, tag: str, group: str, owner: str, stopped_at: datetime | None = NOW) -> ChargingSession:
    return ChargingSession(
        charge_point_id=point, connector=1, id_tag=tag, owner_id=owner, group_id=group, started_at=NOW, reported_at=NOW,
        arrived_at=NOW, earliest_at=NOW, doubts=[], meter_start=0, last_meter=700, meter_stop=700,
        stopped_at=stopped_at,
    )  # fmt: skip


async def flaws(world: World) -> set[Flaw]:
    check = AuditCheck(world.database, world.vault)
    return {problem.flaw async for problem in check.problems(NOW)}


async def test_a_person_erased_is_found_nowhere(world: World) -> None:
    await live(world)
    before = await world.find()
    assert set(before) == set(CANARIES), "the search can find each of them"
    erased_at = await world.erase()
    assert await world.find() == {}
    assert await world.erase() == erased_at
    assert await flaws(world) == {Flaw.SEAL_OVERDUE}, "the trails are still what was written"


async def test_what_was_booked_stays_with_the_id_alone(world: World) -> None:
    await live(world)
    await world.erase()
    async with world.database.reading() as rows:
        user = await rows.get_one(User, ZOE)
        period = (await rows.scalars(select(OwnershipPeriod).where(OwnershipPeriod.owner_id == ZOE))).one()
        sessions = (await rows.scalars(select(ChargingSession).order_by(ChargingSession.id))).all()
        group = await rows.get_one(Group, OWN)
        left = (await rows.scalars(select(Membership.user_id))).all()
        outcome = sorted(await rows.scalars(select(Transfer.state)))
    assert (user.status, user.name, user.email, user.phone) == ("deleted", "", None, None)
    assert period.ended_at is not None
    assert [(one.owner_id, one.id_tag, one.energy) for one in sessions] == [
        (ZOE, "", 700), (ZOE, "", 700), (ADA, "", 700), (ADA, "SHARED", 700),
    ]  # fmt: skip
    assert (group.name, group.personal_of) == ("", ZOE)
    assert set(left) == {ADA}
    assert outcome == ["cancelled", "completed", "declined"]


async def test_it_is_on_record_who_erased_them_when_and_why_and_no_more(world: World) -> None:
    await live(world)
    await world.erase("request 4711")
    await world.erase("again")
    async with world.database.reading() as rows:
        entry = (await rows.scalars(select(AuditEvent).where(AuditEvent.subject == of_person(ZOE)))).one()
        assert entry.order is not None
        assert (entry.actor, entry.action, entry.detail) == ("command-line", "erased", {})
        assert (entry.order.reason, entry.order.carried_out_as) == ("request 4711", "erased")


async def test_a_repeat_of_anothers_start_is_still_known_as_one(world: World) -> None:
    await live(world)
    async with world.database.reading() as rows:
        wanted = select(Request.idempotency_key).where(Request.user_id == ADA)
        before = sorted(await rows.scalars(wanted), key=str)
    await world.erase()
    async with world.database.reading() as rows:
        assert sorted(await rows.scalars(wanted), key=str) == before


async def test_nothing_opens_for_them_any_more(world: World) -> None:
    async with world.database.writing() as rows:
        await rows.execute(update(ChargePoint).values(owner_id=ADA))
        await api_keys.create(rows, ZOE, [], NOW)
    await world.erase()
    async with world.database.reading() as rows:
        assert (await rows.scalars(select(ApiKey))).all() == []
        assert not await accounts.is_usable(rows, ZOE)
        assert await accounts.is_free(rows, Address(Channel.EMAIL, EMAIL))
    request = TransferRequest(
        kind=TransferKind.MOVE_TO_GROUP, group_id="depot", acceptance=Acceptance.NOT_REQUIRED,
        expires_in=timedelta(days=1), message=MESSAGE,
    )  # fmt: skip
    requests = Requests(world.database, world.vault)
    with pytest.raises(NotAuthenticated):  # who called before it was done
        await requests.keep(Repeatable(ZOE, None, b""), ChargePointId("cp-1"), request, [])
    assert await world.find() == {}


# --- what stands in its way ---------------------------------------------------------------------------------------


async def no_points(world: World) -> None:
    async with world.database.writing() as rows:
        await rows.execute(update(ChargePoint).values(owner_id=ADA))


async def refused(world: World) -> str:
    before = await world.find()
    with pytest.raises(StillTied) as refusal:
        await world.erase()
    assert await world.find() == before
    return refusal.value.message


async def test_an_owner_is_told_what_to_transfer_first(world: World) -> None:
    assert "they own the charge points cp-1: transfer those" in await refused(world)


@pytest.mark.parametrize("other", ["member", "blocked"])
async def test_a_group_is_not_left_without_an_owner(world: World, other: str) -> None:
    await no_points(world)
    async with world.database.writing() as rows:
        if other == "blocked":
            await rows.execute(update(User).where(User.id == ADA).values(status="blocked"))
        else:
            await rows.execute(update(Membership).where(Membership.user_id == ADA).values(role="member"))
    assert "the only owner of the groups depot" in await refused(world)


async def test_a_session_that_runs_ends_first(world: World) -> None:
    await no_points(world)
    async with world.database.writing() as rows:
        rows.add(session_row("cp-1", TAG, OWN, ZOE, None))
    assert "their charging sessions 1 run" in await refused(world)


@pytest.mark.parametrize("how", ["recipient", "by an address that two have", "not started", "former address"])
async def test_a_transfer_under_way_ends_first(world: World, how: str) -> None:
    await no_points(world)
    if how == "by an address that two have":
        async with world.database.writing() as rows:
            rows.add(User(id="p-3", name="Third", locale="en", status="active", created_at=NOW, email=EMAIL))
    run = await world.ask(ADA, "cp-2", EMAIL, ANSWERED)
    if how == "not started":
        async with world.database.writing() as rows:
            row = await rows.get_one(Transfer, run.transfer_id)
            row.state, row.active = "cancelled", False
            await rows.execute(update(Request).values(started_at=None))
    if how == "former address":
        async with world.database.writing() as rows:
            await rows.execute(update(User).where(User.id == ZOE).values(email="new@example.com"))
    assert f"their transfers {run.transfer_id} are under way" in await refused(world)


@pytest.mark.parametrize("reason", [f"{NAME.upper()} asked", f"as {EMAIL} wrote", f"call {PHONE}", " "])
async def test_the_reason_names_nobody(world: World, reason: str) -> None:
    await no_points(world)
    with pytest.raises(InvalidRequest):
        await world.erase(reason)


async def test_nobody_unknown_is_erased(world: World) -> None:
    with pytest.raises(NotFound):
        await world.erasures.erase(UserId("nobody"), "request 4711", COMMAND_LINE)


# --- what may come back, or come meanwhile ------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 4, 5, 7])
async def test_an_import_that_names_them_again_is_refused(world: World, number: int) -> None:
    await no_points(world)
    await world.erase()
    with pytest.raises(ImportRefused) as refusal:
        await take(world.database, world.vault, LINES[number])
    assert refusal.value.problems == [
        f"line 1: user {ZOE} was erased; take the line out, or give whoever comes anew another id."
    ]
    await take(world.database, world.vault, LINES[0] | {"id": "p-9"})
    async with world.database.reading() as rows:
        assert (await rows.get_one(User, ZOE)).name == ""


async def test_an_import_that_waits_for_an_erasure_finds_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await no_points(world)

    async def erased_before(rows: AsyncSession, *, to_change: bool) -> None:
        if not world.database.is_sqlite:  # there, nobody can write beside an import
            await world.erase()
        await accounts.hold_roles(rows, to_change=to_change)

    if world.database.is_sqlite:
        await world.erase()
    monkeypatch.setattr(imports, "hold_roles", erased_before)
    with pytest.raises(ImportRefused, match="was erased"):
        await take(world.database, world.vault, LINES[0] | {"name": f"{NAME} anew"})
    assert await world.find() == {}


async def test_a_start_that_waits_for_an_erasure_is_refused(world: World) -> None:
    """Its caller was known before; what they typed is kept nowhere."""
    await no_points(world)
    request = TransferRequest(
        kind=TransferKind.MOVE_TO_GROUP, group_id="depot", acceptance=Acceptance.NOT_REQUIRED,
        expires_in=timedelta(days=1), message=MESSAGE,
    )  # fmt: skip
    beside = Database(world.database.engine.url.render_as_string(hide_password=False))
    async with world.database.writing() as rows:
        await rows.scalars(select(User).where(User.id == ZOE).with_for_update())
        requests = Requests(beside, world.vault)
        starting = asyncio.create_task(requests.keep(Repeatable(ZOE, None, b""), ChargePointId("cp-1"), request, []))
        await until_waiting(world.database, starting)
        user = await rows.get_one(User, ZOE)
        user.erased_at, user.status = NOW, "deleted"
    with pytest.raises(NotAuthenticated):
        await starting
    await beside.close()


async def test_a_start_that_is_being_reserved_is_waited_out_or_seen(world: World) -> None:
    """What asks them is on record before it is reserved: an erasure finds it at either time."""
    await no_points(world)
    run = await world.ask(ADA, "cp-2", EMAIL, ANSWERED)
    with pytest.raises(StillTied):
        await world.erase()
    await world.decide(run, ADA, Decision.CANCEL)
    await world.registry.finish(Finish(transfer_id=run.transfer_id, state=TransferState.CANCELLED))
    await world.erase()
    later = await world.ask(ADA, "cp-2", EMAIL, ANSWERED)
    with pytest.raises(NotAllowed):
        await world.decide(later, ZOE, Decision.ACCEPT)


async def test_what_a_charger_reports_late_is_booked_without_the_tag(world: World) -> None:
    await live(world)
    async with unguarded(world.database) as rows:
        await rows.execute(
            update(OwnershipPeriod).where(OwnershipPeriod.version == 0).values(started_at=NOW - timedelta(days=9))
        )
    async with world.database.writing() as rows:
        for generation, opened, ended in ((1, NOW - timedelta(days=4), NOW - timedelta(days=3)), (2, NOW, None)):
            rows.add(
                ChargerConnection(
                    charge_point_id="cp-1", generation=generation, node="n", opened_at=opened, released_at=opened,
                    ended_at=ended,
                )
            )  # fmt: skip
    await world.erase()
    at = NOW - timedelta(days=2)
    async with world.database.writing() as rows:
        over = Over(2, NOW, timedelta(minutes=1))
        started = await charging.start_session(
            rows, ChargePointId("cp-1"), Start(1, TAG, 0, ChargerTime(at), "ref"), over, datetime.now(UTC)
        )
    async with world.database.writing() as rows:
        await charging.name_tag(rows, ChargePointId("cp-1"), started.transaction_id, TAG)
    async with world.database.reading() as rows:
        row = await rows.get_one(ChargingSession, started.transaction_id)
    assert (row.owner_id, row.id_tag) == (ZOE, "")


# --- what they are given ------------------------------------------------------------------------------------------


async def test_somebody_is_given_all_that_is_theirs_and_nothing_that_opens(world: World) -> None:
    await live(world)
    found = await PersonalData(world.database, world.vault).of(ZOE)
    said = json.dumps(found)
    assert found["account"]["email"] == EMAIL
    for canary in (NAME, EMAIL, PHONE, MESSAGE, ANSWERED, BROWSER, PASSKEY, TAG, "quince-key"):
        assert canary in said, canary
    assert {tuple(one["as"]) for one in found["transfers"]} == {("recipient",), ("sender", "owner_before")}
    assert not any(word in said for word in ("hash", "mac", "sealed"))
    others = json.dumps(await PersonalData(world.database, world.vault).of(ADA))
    assert not any(word in others for word in (BROWSER, PASSKEY, PHONE))
    await world.erase()
    left = await PersonalData(world.database, world.vault).of(ZOE)
    assert not any(canary.lower() in json.dumps(left).lower() for canary in CANARIES)
