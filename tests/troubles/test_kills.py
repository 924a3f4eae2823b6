"""Worker and gateway killed round every step, and answers lost: each transfer ends, and each effect came once."""

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from temporalio.service import RPCError

import tools.stage.supervisor
from activities.contracts.wiring import OF_TRANSFERS, wire_names
from domain.ids import TransferId, rescue_workflow_id, workflow_id
from persistence.session import Database
from persistence.tables import AuditEvent, Code, Credential, OutboxLetter, OwnershipPeriod, Transfer, User
from tests.journeys.people import (
    LOOK_EVERY,
    PATIENCE,
    accept_by_link,
    ask,
    mailed_link,
    mails,
    patiently,
    see_it_end,
)
from tests.journeys.searches import check_no_secret_is_left
from tests.journeys.system import System, running, two_users
from tools.demo.findings import Registered, Remembered, in_charger, in_database
from tools.demo.person import FINAL
from tools.simulator.control import tell
from tools.simulator.faults import Fault, Trouble
from tools.simulator.simulation import Station

#: What an accepted transfer writes into the audit trail, once each, before its end; `LETTERS` too, unless their sender
#: was killed, and the transfer decided before it heard of their delivery. Whoever waits too long asks for another code.
ACCEPTED = ("reserved", "transferring", "ownership_changed", "told")
LETTERS = {"asked", "code_sent"}
NEW_KEY, OLD_KEY = Remembered(new_password=True), Remembered(new_password=False)


@dataclass(frozen=True)
class Way:
    """One way that a transfer takes, and what is to be found afterwards, however often worker and gateway died."""

    body: dict[str, str]
    registered: Registered
    remembered: Remembered
    trail: tuple[str, ...]
    keys: int = 0
    """How many new keys it makes."""
    fault: Fault | None = None
    away: bool = False
    """The charger connects only after the end."""
    refuses_late: bool = False
    """The charger is away at the change, then refuses its key in quarantine: its new owner types one."""
    contradictions: list[str] = field(default_factory=list)
    """Until then."""
    rescued: Remembered | None = None
    """What else the charger may remember, where it was gone at the roll-back: the list of whoever has it."""
    opens: bool = False
    """Its recipient has no account at first, and opens one."""
    resends: bool = False
    """The question is sent again before it is answered."""
    terminated: bool = False
    """In the Temporal UI, while it waits for its recipient."""

    @property
    def asks(self) -> bool:
        """Whether the recipient is asked."""
        return self.body["kind"] == "transfer_to_user"

    @property
    def deleted(self) -> bool:
        """Whether its new owner connects the charger afresh."""
        return self.body.get("connection") == "delete"


TO_USER = {"kind": "transfer_to_user", "recipient": "bob@example.com"}
OWNERSHIP = {"kind": "transfer_ownership", "user_id": "bob"}
WAYS = {
    "given to a user": Way(
        TO_USER,
        Registered("completed", "bob", "personal-bob", 1),
        Remembered(new_password=True),
        (*ACCEPTED, "resent", "completed"),
        keys=1,
        resends=True,
    ),
    "rolled back": Way(
        TO_USER,
        Registered("rolled_back", "ada", "north", 2),
        OLD_KEY,
        (*ACCEPTED, "rolling_back", "ownership_restored", "rolled_back"),
        keys=1,
        fault=Fault.REJECT,
        rescued=Remembered(new_password=False, accepts=frozenset({"NORTH"})),
    ),
    "restarted for its key": Way(
        OWNERSHIP,
        Registered("completed", "bob", "north", 1),
        NEW_KEY,
        ("reserved", "ownership_changed", "completed", "told"),
        keys=1,
        fault=Fault.REBOOT_REQUIRED,
    ),
    "connection deleted": Way(
        {**TO_USER, "connection": "delete"},
        Registered("completed", "bob", "personal-bob", 1, keys=0),
        Remembered(new_password=True),
        (*ACCEPTED, "account_opened", "completed"),
        opens=True,
    ),
    "charger away": Way(
        OWNERSHIP,
        Registered("completed_with_warnings", "bob", "north", 1),
        NEW_KEY,
        ("reserved", "ownership_changed", "completed", "told"),
        keys=1,
        away=True,
        contradictions=["a key is still pending", "it is not connected"],
    ),
    "key typed": Way(
        OWNERSHIP,
        Registered("completed", "bob", "north", 1),
        NEW_KEY,
        ("reserved", "ownership_changed", "completed", "told"),
        keys=2,
        fault=Fault.REJECT,
        refuses_late=True,
        contradictions=["it is not connected"],
    ),
    "moved": Way(
        {"kind": "move_to_group", "group_id": "south"},
        Registered("completed", "ada", "south", 1),
        Remembered(new_password=False, accepts=frozenset({"SOUTH"})),
        ("reserved", "ownership_changed", "completed", "told"),
    ),
    "terminated": Way(
        {**TO_USER, "connection": "delete"},
        Registered("completed", "bob", "personal-bob", 1, keys=0),
        Remembered(new_password=True),
        (*ACCEPTED, "taken_up", "completed"),
        terminated=True,
    ),
    "refused": Way(
        {"kind": "move_to_group", "group_id": "north"},
        Registered("refused", "ada", "north", 0),
        OLD_KEY,
        ("refused",),
    ),
}
#: Each way is taken once, and again where some boundary was not met.
ROUNDS = 6
#: Whatever worker and gateway do for a transfer: each is died of.
STEPS = {name for contract in OF_TRANSFERS for name in wire_names(contract).values()} | {
    "charger.replace_lists+restore", "letters",
}  # fmt: skip
#: Ends with its worker alone.
UNENDING = "outbox.deliver"
CALLS = (
    "GetConfiguration", "ChangeAvailability", "ClearChargingProfile", "GetLocalListVersion", "SendLocalList",
    "ClearCache", "ChangeConfiguration", "Reset",
)  # fmt: skip
MOMENTS = ("before", "after", "lost")
BOUNDARIES = sorted(
    {f"{moment} {step}" for step in STEPS - {UNENDING} for moment in MOMENTS}
    | {f"before {UNENDING}"}
    | {f"during {call}" for call in CALLS}
)


@pytest.mark.timeout(3600)
async def test_every_death_is_survived_and_every_effect_counts_once(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(tools.stage.supervisor, "LONGEST_PAUSE", 0.5)
    chosen = BOUNDARIES if request.config.getoption("--every-death") else BOUNDARIES[::3]
    deaths = tmp_path / "deaths"
    deaths.touch()
    mortal = [sys.executable, "-m", "tests.troubles.mortal", str(deaths)]
    ways = [*WAYS.values()] * ROUNDS
    points = {f"cp-{number}": way for number, way in enumerate(ways, start=1)}
    async with running(
        tmp_path / "system",
        sqlite_url,
        two_users(len(points)),
        away={point for point, way in points.items() if way.away or way.refuses_late},
        faults={point: [way.fault] for point, way in points.items() if way.fault},
        settings={"HANDOVER_START_TIMEOUT": "PT60S", "HANDOVER_POLICY__RECONNECT_AFTER": "PT3S"},
        more_apis=[{"HANDOVER_POLICY__OFFLINE_DEADLINE": "PT3S"}],
        instead={"worker": mortal, "gateway": [*mortal, "--gateway"]},
    ) as system:
        deaths.write_text("".join(f"{death}\n" for death in chosen))  # not earlier: the reconciler runs from the start
        for first in range(1, len(ways), len(WAYS)):
            numbers = range(first, first + len(WAYS))
            transfers = await asyncio.gather(*(go(system, ways[number - 1], number) for number in numbers))
            for number, name, transfer_id in zip(numbers, WAYS, transfers, strict=True):
                await check_once(system, name, number, transfer_id)
            if not deaths.read_text():
                break  # what they met together kept some from a boundary, until here
        assert deaths.read_text() == ""
        print(f"{len(chosen)} deaths on {first + len(WAYS) - 1} transfers")
        await check_letters(system)
        await check_no_secret_is_left(system.stage, system.db, system.keys, system.charge_points)


async def go(system: System, way: Way, number: int) -> str:
    """Take one transfer along its way, to its end; gives its id."""
    charge_point, key = f"cp-{number}", f"way-{number}"
    async with system.user("ada", api=1 if way.away else 0) as ada:
        if way.registered.state == "refused":
            path = f"/v1/charge-points/{charge_point}/transfers"
            answer = await patiently(lambda: ada.post(path, json=way.body, headers={"Idempotency-Key": key}))
            assert (answer.status_code, answer.json()["code"]) == (409, "not_possible"), answer.text
            async with system.db.reading() as rows:
                refused = select(Transfer.id).where(Transfer.charge_point_id == charge_point)
                return str((await rows.scalars(refused)).one())
        newcomer = {"recipient": f"carol-{number}@example.com"} if way.opens else {}
        transfer_id = await ask(ada, charge_point, way.body | newcomer, key)
        if way.terminated:
            await system.client.get_workflow_handle(workflow_id(TransferId(transfer_id))).terminate("by mistake")
        name, replaced = f"Bay {number}", frozenset[str]()
        if way.resends:
            replaced = frozenset({await mailed_link(system, name)})
            again, headers = f"/v1/transfers/{transfer_id}/resend", {"Idempotency-Key": f"{key}-again"}
            assert (await patiently(lambda: ada.post(again, headers=headers))).status_code == 200
        if way.asks:
            await accept_by_link(system, name, replaced)
        if way.refuses_late:
            found = await type_key(system, ada, number, transfer_id)
        elif way.fault is Fault.REJECT:
            found = await see_it_through(ada, transfer_id)
        else:
            found = await see_it_end(ada, transfer_id)
    if found["state"] != way.registered.state:  # its gateway had just died, and it does not wait for its charger
        assert set(found["warnings"]) <= {"lists_due", "release_due"}, found
    await system.ended(transfer_id)
    return transfer_id


async def see_it_through(operator: httpx.AsyncClient, transfer_id: str) -> dict[str, Any]:
    """Look at a transfer until it has ended.

    A charger that refuses its key in quarantine, as its gateway had just died, proves nothing: an operator rolls back.
    """
    path, headers = f"/v1/transfers/{transfer_id}", {"Idempotency-Key": f"{transfer_id}-back"}
    body = {"action": "roll_back", "reason": "It refused its key while it was in quarantine."}
    async with asyncio.timeout(PATIENCE):
        while True:
            found: dict[str, Any] = (await patiently(lambda: operator.get(path))).json()
            if found["state"] in FINAL:
                return found
            if found["attention"] == "new_key":
                await patiently(lambda: operator.post(f"{path}/resolve", json=body, headers=headers))
            await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on


async def type_key(system: System, ada: httpx.AsyncClient, number: int, transfer_id: str) -> dict[str, Any]:
    """Have the charger back, refusing its key; be its new owner, who types one; give how the transfer ended."""
    path = f"/v1/transfers/{transfer_id}"
    await until_attention(ada, path, "charger_offline")
    async with returned(system, number, [Trouble(Fault.REJECT)]) as station, system.user("bob") as bob:
        await until_attention(ada, path, "new_key")
        shown = f"/v1/charge-points/cp-{number}/connection"
        made = await patiently(lambda: bob.post(shown, headers={"Idempotency-Key": f"typed-{number}"}))
        assert made.status_code == 201, made.text
        station.take_password(made.json()["password"], typed=True)
        await station.reconnect()
        found = await see_it_end(ada, transfer_id)
        await settled(system, transfer_id)
    async with asyncio.timeout(60):
        while "it is not connected" not in (await in_database(system.db, f"cp-{number}"))[1]:
            await asyncio.sleep(LOOK_EVERY)  # the gateway's doing: there is nothing here to wait on
    return found


async def until_attention(user: httpx.AsyncClient, path: str, wanted: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await patiently(lambda: user.get(path))).json()["attention"] != wanted:
            await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on


@contextlib.asynccontextmanager
async def returned(system: System, number: int, faults: Sequence[Trouble] = ()) -> AsyncIterator[Station]:
    """Run a charger that was away inside the block."""
    identity, first = f"CP-{number}", f"first-password-of-{number}"
    state = system.stage.state_file(identity)
    station = Station(system.stage.gateway, identity, first, state, enrolled=True, faults=faults)
    running_station = asyncio.create_task(station.run())
    try:
        yield station
    finally:
        running_station.cancel()
        await asyncio.gather(running_station, return_exceptions=True)


async def check_once(system: System, name: str, number: int, transfer_id: str) -> None:
    """Each change once in the ledger, each new key once, each entry of the trail once; database and charger agree."""
    way, first_password = WAYS[name], f"first-password-of-{number}"
    registered, contradictions = await in_database(system.db, f"cp-{number}")
    expected = way.registered
    if way.opens:
        async with system.db.reading() as rows:
            carol = select(User.id).where(User.email == f"carol-{number}@example.com")
            owner = (await rows.scalars(carol)).one()
        expected = replace(expected, owner=owner, group=f"personal-{owner}")
    assert replace(registered, state=way.registered.state) == expected, name
    assert contradictions == way.contradictions, name
    if way.away:
        await come_back(system, number, transfer_id)
    elif way.deleted:
        await connect_afresh(system, number)
    await settled(system, transfer_id)
    remembered = in_charger(system.stage.state_file(f"CP-{number}"), first_password)
    assert remembered in {way.remembered, way.rescued}, name
    assert await how_many(system.db, OwnershipPeriod.transfer_id == transfer_id) == way.registered.version
    assert await how_many(system.db, Credential.order_id == transfer_id) == way.keys
    async with system.db.reading() as rows:
        query = select(AuditEvent).where(AuditEvent.subject == transfer_id).order_by(AuditEvent.sequence)
        trail = (await rows.scalars(query)).all()
    assert [event.sequence for event in trail] == list(range(1, len(trail) + 1))
    # no news any more, where it came to its end; of a key to be typed
    once = [event for event in trail if event.once not in {"told:accepted", "told:new_key"}]
    actions = [event.action.removesuffix("_with_warnings") for event in once]
    actions = [action for action in actions if action != "resolved_roll_back"]  # see_it_through
    afterwards = ["settled", "told"] if "settled" in actions else []
    assert sorted(action for action in actions if action not in LETTERS) == sorted([*way.trail, *afterwards]), name
    assert actions.count("asked") <= 1 + actions.count("resent")


async def come_back(system: System, number: int, transfer_id: str) -> None:
    """Let a charger that was away connect with its old key: it is given its new one, and nothing contradicts itself."""
    async with returned(system, number) as station:
        await station.until(lambda: station.state.password != f"first-password-of-{number}" and station.online, 60)
        await settled(system, transfer_id)
        assert (await in_database(system.db, f"cp-{number}"))[1] == []


async def connect_afresh(system: System, number: int) -> None:
    """Make new credentials for a charger whose connection was deleted, and type them in there."""
    async with system.user("ada") as operator:
        path = f"/v1/charge-points/cp-{number}/connection"
        made = await patiently(lambda: operator.post(path, headers={"Idempotency-Key": f"afresh-{number}"}))
    await tell(system.stage.ports.stations, f"CP-{number} password {made.json()['password']}")


async def settled(system: System, transfer_id: str) -> None:
    """Wait until a transfer has nothing left to do at its charger, and everybody is told."""
    async with asyncio.timeout(120):
        while True:
            async with system.db.reading() as rows:
                left = (await rows.get_one(Transfer, transfer_id)).due
            unsent = OutboxLetter.due_at.is_not(None) & (OutboxLetter.reminder == 0)
            if not left and not await how_many(system.db, (OutboxLetter.transfer_id == transfer_id) & unsent):
                break
            await asyncio.sleep(0.2)  # the worker's doing: there is nothing here to wait on
    with contextlib.suppress(RPCError):  # most need no rescue
        await system.client.get_workflow_handle(rescue_workflow_id(TransferId(transfer_id))).result()


async def how_many(db: Database, condition: Any) -> int:
    async with db.reading() as rows:
        return await rows.scalar(select(func.count()).where(condition)) or 0


async def check_letters(system: System) -> None:
    """Every letter has its own Message-ID, so that a second delivery of one is known as such."""
    letters = {mail["message_id"]: mail["text"] for mail in await mails(system)}
    kinds = Counter(identity.strip("<").split(".")[0] for identity in letters)
    asked = await how_many(system.db, Transfer.acceptance == "required")
    assert asked
    assert kinds["ask"] == asked + await how_many(system.db, AuditEvent.action == "resent")
    assert asked <= kinds["code"] <= await how_many(system.db, Code.number > 0)
