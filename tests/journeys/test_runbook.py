"""The runbook of docs/operations.md, followed command by command on transfers that really are in each state."""

import asyncio
import json
import signal
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from domain.ids import ChargePointId, TransferId, workflow_id
from domain.reconciliation import Finding
from persistence.chargers.charging import session_running
from persistence.tables import ChargingSession, UnmatchedStop
from persistence.transfers import findings
from tests.journeys.browser import open_browser
from tests.journeys.duty import Operator, entries
from tests.journeys.people import LOOK_EVERY
from tests.journeys.system import System, running, two_users
from tools.chaos.links import Link
from tools.simulator.control import tell
from tools.simulator.faults import Fault, Step, Trouble
from tools.stage.ports import Ports

TO_BOB = {"kind": "transfer_to_user", "recipient": "bob@example.com", "acceptance": "not_required"}
#: Who follows the runbook: no party of any transfer.
STAFF = {"type": "user", "id": "staff", "name": "Staff"}
OWNERSHIP = {"kind": "transfer_ownership", "user_id": "bob"}
SETTINGS = {
    "HANDOVER_POLICY__RETRIES_USED_UP": "PT15S",
    "HANDOVER_POLICY__RECONNECT_AFTER": "PT2S",
    "HANDOVER_POLICY__PROOF_DEADLINE": "PT20S",
    "HANDOVER_RECONCILE_EVERY": "PT3S",
    "HANDOVER_ENROLMENT": "off",
}
FAULTS: dict[str, list[Fault | Trouble]] = {
    "cp-4": [Trouble(Fault.ERROR, Step.LISTS)],
    "cp-5": [Trouble(Fault.ERROR, Step.LISTS)],
    "cp-6": [Fault.LIE],
    "cp-7": [Trouble(Fault.ERROR, Step.LISTS)],
    "cp-12": [Fault.NEVER_CLOSE],
    "cp-14": [Fault.REBOOT_REQUIRED],
}


# --- the entries ------------------------------------------------------------------------------------------------------


async def recipient(operator: Operator, commands: list[list[str]]) -> None:
    transfer_id = await operator.start("cp-11", {**TO_BOB, "acceptance": "required"}, api=1)
    await operator.until(transfer_id, state="awaiting_acceptance", attention="recipient")
    await operator.queries(transfer_id, "waiting for a recipient")
    await operator.picture(transfer_id, "recipient")
    for command in commands:
        await operator.run(command, transfer_id)
    assert await operator.ended(transfer_id) == "cancelled"


async def letter(operator: Operator, commands: list[list[str]]) -> None:
    operator.mail.cut()
    transfer_id = await operator.start("cp-13", {"kind": "move_to_group", "group_id": "south"})
    await operator.until(transfer_id, state="completed", attention="")
    [look] = commands
    while transfer_id not in (said := await operator.run(look, transfer_id)).out:
        await asyncio.sleep(LOOK_EVERY)  # the worker's doing: there is nothing here to wait on
    assert "could not be handed over" in said.out
    operator.mail.heal()
    while transfer_id in (await operator.run(look, transfer_id)).out:
        await asyncio.sleep(LOOK_EVERY)


async def session(operator: Operator, commands: list[list[str]]) -> None:
    await charging_at(operator.system, "cp-2")
    transfer_id = await operator.start("cp-2", TO_BOB)
    await operator.until(transfer_id, attention="session_running")
    await operator.queries(transfer_id, "waiting for a charging session")
    await operator.picture(transfer_id, "session")
    for command in commands:
        await operator.run(command, transfer_id)
    assert await operator.ended(transfer_id) == "completed_with_warnings"


async def restart(operator: Operator, commands: list[list[str]]) -> None:
    await charging_at(operator.system, "cp-14")
    transfer_id = await operator.start("cp-14", OWNERSHIP)
    await operator.until(transfer_id, state="reconfiguring", attention="session_running")
    await operator.queries(transfer_id, "waiting for a charging session")
    await operator.picture(transfer_id, "restart")
    for command in commands:
        said = await operator.run(command, transfer_id)
    assert "rotate_credentials" in said.out
    await tell(operator.system.stage.ports.stations, "CP-14 stop")
    assert await operator.ended(transfer_id) == "completed"


async def charging_at(system: System, charge_point: str) -> None:
    """Begin to charge, until the platform knows it."""
    async with asyncio.timeout(60):  # other processes' doing: there is nothing here to wait on
        start = f"{charge_point.upper()} start NORTH"
        while await tell(system.stage.ports.stations, start) == {"session": "offline"}:
            await asyncio.sleep(LOOK_EVERY)
        while not await charges(system, charge_point):
            await asyncio.sleep(LOOK_EVERY)


async def charges(system: System, charge_point: str) -> bool:
    async with system.db.reading() as rows:
        return await session_running(rows, ChargePointId(charge_point))


async def offline(operator: Operator, commands: list[list[str]]) -> None:
    transfer_id = await operator.start("cp-3", OWNERSHIP)
    await operator.until(transfer_id, state="reconfiguring", attention="charger_offline")
    await operator.queries(transfer_id, "waiting for a charger")
    await operator.picture(transfer_id, "offline")
    for command in commands:
        await operator.run(command, transfer_id)
    assert await operator.ended(transfer_id) == "completed_with_warnings"
    due = await operator.run(["./handover", "show", "$ID"], transfer_id)
    assert "credentials_due" in due.out
    for command in entries()["A transfer that has left something to do at its charger"]:
        await operator.run(command, transfer_id)


async def retried(operator: Operator, commands: list[list[str]]) -> None:
    transfer_id = await operator.start("cp-4", TO_BOB, api=1)
    await operator.until(transfer_id, attention="retrying")
    *before, pause, resume = commands
    for command in before:
        await operator.run(command, transfer_id)
    await operator.queries(transfer_id, "a step is being retried")
    await operator.picture(transfer_id, "retrying")
    await operator.run(pause, transfer_id)
    await operator.picture(transfer_id, "paused", "Pending Activities", "Paused", height=660)
    await operator.run(resume, transfer_id)
    assert (await operator.shell("resolve", transfer_id, "complete", "--reason", "seen")).code == 0
    assert await operator.ended(transfer_id) == "completed_with_warnings"


async def refuses(operator: Operator, commands: list[list[str]]) -> None:
    transfer_id = await operator.start("cp-5", TO_BOB)
    found = await operator.until(transfer_id, attention="operator")
    step = next(step for step in found["steps"] if step["name"] == "replace_lists")
    assert step["attempts"] > 1
    assert "SendLocalList" in step["last_error"]
    assert [one["action"] for one in found["resolutions"]] == ["retry", "roll_back", "complete"]
    await operator.picture(transfer_id, "refuses")
    *before, retry, complete = commands
    for command in before:
        await operator.run(command, transfer_id)
    await operator.run(retry, transfer_id)
    await operator.until(transfer_id, attention="operator")
    await operator.run(complete, transfer_id)
    assert await operator.ended(transfer_id) == "completed_with_warnings"


async def credentials(operator: Operator, commands: list[list[str]]) -> None:
    expected = await operator.start("cp-12", OWNERSHIP, api=1)
    await operator.until_details(expected, "is to come back with them")
    await operator.picture(expected, "proof")
    transfer_id = await operator.start("cp-6", OWNERSHIP)
    await operator.until(transfer_id, attention="operator")
    await operator.picture(transfer_id, "credentials")
    for command in commands:
        await operator.run(command, transfer_id)
    assert await operator.ended(transfer_id) == "rolled_back"
    assert await operator.ended(expected) == "completed"


async def somebody_else(operator: Operator, commands: list[list[str]]) -> None:
    show, identify = commands
    key = await typed(operator, "cp-13")
    async with connected_with(operator.system, "CP-13", key):
        async with asyncio.timeout(60):
            while "somebody else has come with the same key" not in (said := await page_of(operator, show)):
                await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on
        assert "people can know it" in said
        assert "restarts now" in (await operator.run(identify, "cp-13")).out
    await typed(operator, "cp-13")
    with pytest.raises(InvalidStatus, match="401"):
        async with connected_with(operator.system, "CP-13", key):
            pass


async def page_of(operator: Operator, show: list[str]) -> str:
    return " ".join((await operator.run(show, "cp-13")).out.split())


async def typed(operator: Operator, charge_point: str) -> str:
    """Have new credentials made and type them into the charger, until it is connected with them; gives the key."""
    async with operator.system.user("ada") as ada:
        made = (await ada.post(f"/v1/charge-points/{charge_point}/connection")).json()
        await tell(operator.system.stage.ports.stations, f"{made['identity']} password {made['password']}")
        async with asyncio.timeout(60):
            while not (await ada.get(f"/v1/charge-points/{charge_point}")).json()["connected"]:
                await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on
    return str(made["password"])


def connected_with(system: System, identity: str, key: str) -> connect:
    """Come with a charger's key, as somebody else who knows it."""
    basic = b64encode(f"{identity}:{key}".encode()).decode()
    return connect(
        f"{system.stage.gateway}/{identity}",
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers={"Authorization": f"Basic {basic}"},
    )


_REFUSAL = """
CREATE TRIGGER refuses BEFORE UPDATE OF owner_id ON charge_points WHEN OLD.id = 'cp-10'
BEGIN SELECT RAISE(ABORT, 'cp-10 belongs to somebody else for good'); END
"""


async def register(operator: Operator, commands: list[list[str]]) -> None:
    async with operator.system.db.writing() as rows:
        await rows.execute(text(_REFUSAL))
    transfer_id = await operator.start("cp-10", OWNERSHIP)
    found = await operator.until(transfer_id, state="transferring", attention="operator")
    assert found["from"]["owner_id"] == "ada"
    await operator.picture(transfer_id, "register")
    *before, retry = commands
    for command in before:
        said = await operator.run(command, transfer_id)
    assert "change_ownership" in said.out
    async with operator.system.db.writing() as rows:
        await rows.execute(text("DROP TRIGGER refuses"))
    await operator.run(retry, transfer_id)
    assert await operator.ended(transfer_id) == "completed"


async def compensation(operator: Operator, commands: list[list[str]]) -> None:
    transfer_id = await operator.start("cp-7", TO_BOB)
    await operator.until(transfer_id, attention="operator")
    assert (await operator.shell("resolve", transfer_id, "roll_back", "--reason", "not wanted")).code == 0
    await operator.until(transfer_id, state="rolling_back", attention="operator")
    await operator.queries(transfer_id, "rolling back")
    await operator.picture(transfer_id, "compensation")
    *before, retry = commands
    for command in before:
        await operator.run(command, transfer_id)
    await mended(operator.system)
    await operator.run(retry, transfer_id)
    assert await operator.ended(transfer_id) == "rolled_back"


async def mended(system: System) -> None:
    """Start the stations again, without their faults."""
    file = system.stage.data / "stations" / "all.json"
    file.write_text(json.dumps([entry | {"faults": []} for entry in json.loads(file.read_text())]))
    system.supervisor.signal("stations", signal.SIGTERM)


async def unstarted(operator: Operator, commands: list[list[str]]) -> None:
    async with operator.system.db.writing() as rows:  # so that it is not stopped with the database in its hands
        await rows.execute(text("SELECT 1"))  # a transaction begins with its first statement
        operator.system.supervisor.signal("worker", signal.SIGSTOP)
    try:
        transfer_id = await operator.start("cp-8", {"kind": "move_to_group", "group_id": "south"})
        for command in commands:
            said = await operator.run(command, transfer_id)
        assert "requested" in said.out
        await operator.picture(transfer_id, "unstarted", "History", "Workflow Execution Started")
    finally:
        operator.system.supervisor.signal("worker", signal.SIGCONT)
    assert await operator.ended(transfer_id) == "completed"


async def lost(operator: Operator, commands: list[list[str]]) -> None:
    asked = {**TO_BOB, "acceptance": "required"}
    transfer_id = await operator.start("cp-9", asked)
    handle = operator.system.client.get_workflow_handle(workflow_id(TransferId(transfer_id)))
    parked, everything, retry, again = commands
    async with asyncio.timeout(200):
        while "run_lost" not in (await operator.run(parked, transfer_id)).out:
            if (await handle.describe()).status is not None and await _runs(handle):
                await handle.terminate("again and again")
    await operator.queries(transfer_id, "terminated or failed")
    assert transfer_id in (await operator.run(everything, transfer_id)).out
    await operator.picture(transfer_id, "lost", "History", "Workflow Execution Terminated")
    await operator.run(retry, transfer_id)
    async with asyncio.timeout(60):
        while transfer_id in (await operator.run(again, transfer_id)).out:
            await asyncio.sleep(1)  # the reconciler's doing: there is nothing here to wait on
    assert (await operator.shell("resolve", transfer_id, "roll_back", "--reason", "seen")).code == 0


async def _runs(handle: Any) -> bool:
    return bool((await handle.describe()).status.name == "RUNNING")


async def doubts(operator: Operator, commands: list[list[str]]) -> None:
    point, now = ChargePointId("cp-15"), datetime.now(UTC)
    values: dict[str, Any] = {"charge_point_id": point, "id_tag": "TAG", "owner_id": "ada", "group_id": "north"}
    times = dict.fromkeys(("started_at", "reported_at", "arrived_at", "earliest_at"), now)
    async with operator.system.db.writing() as rows:
        sessions = [ChargingSession(connector=one, meter_start=0, **values, **times) for one in (1, 2)]
        sessions[0].doubts, sessions[0].unsettled = ["holder"], True
        stopped = dict.fromkeys(("reported_at", "stopped_at", "arrived_at"), now)
        stops = [
            UnmatchedStop(charge_point_id=point, said_id=said, meter=9, reason="Local", **stopped) for said in (-1, 0)
        ]
        rows.add_all([*sessions, *stops])
        await rows.flush()
        await findings.note_parked(rows, Finding.SESSIONS_IN_DOUBT, point, now)
    doubtful, runs, stop = str(sessions[0].id), str(sessions[1].id), str(stops[0].id)
    assert point in (await operator.shell("findings")).out
    names = {"$POINT": point, "$SESSION": doubtful, "$STOP": stop, "$OWNER": "ada"}
    looks, stops_, end, book, settle = commands
    ending = [*end[:4], runs, *end[5:]]
    said = [
        await operator.run([names.get(part, part) for part in one], "") for one in (looks, stops_, ending, book, settle)
    ]
    assert doubtful in said[0].out
    assert "-1" in said[1].out
    assert f"Session {runs} has ended" in said[2].out
    assert said[3].out.strip() == f"Settled: sessions {doubtful}."
    assert said[4].out.strip() == f"Settled: stops {stops[1].id}."
    assert point not in (await operator.shell("findings")).out


Entry = Callable[[Operator, list[list[str]]], Awaitable[None]]
#: What each entry of the runbook is followed by, all of these at once.
TOGETHER: dict[str, Entry] = {
    "The recipient has not answered": recipient,
    "A charging session runs": session,
    "A charging session holds a restart up": restart,
    "The charger is offline": offline,
    "A step is retried": retried,
    "The charger refuses a step": refuses,
    "The charger does not come back with its new credentials": credentials,
    "Somebody else is connected as my charger": somebody_else,
    "The database refuses a step": register,
    "What the reconciler has found": lost,
    "Charging sessions in doubt": doubts,
}
#: These don't go together with others: they cut the mail off, mend every charger, and stop the worker for a moment.
ALONE: dict[str, Entry] = {
    "A letter can't be sent": letter,
    "A compensation fails": compensation,
    "Nobody starts a request": unstarted,
}


def test_every_entry_is_followed() -> None:
    assert set(TOGETHER) | set(ALONE) | {"A transfer that has left something to do at its charger"} == set(entries())
    assert all(entries().values())


@asynccontextmanager
async def operator_of(folder: Path, url: str, browser: Any) -> AsyncIterator[Operator]:
    async with AsyncExitStack() as stack:
        ports = Ports.free()
        mail = await stack.enter_async_context(Link("mail", [ports.smtp], Random(1)).listening())  # noqa: S311
        system = await stack.enter_async_context(
            running(
                folder,
                url,
                [*two_users(15), STAFF],
                away={"cp-3"},
                faults=FAULTS,
                more_apis=[{"HANDOVER_POLICY__RETRIES_USED_UP": "PT10M", "HANDOVER_POLICY__RECONNECT_AFTER": "PT20S"}],
                settings={**SETTINGS, "HANDOVER_SMTP_PORT": str(mail.port)},
                ports=ports,
            )
        )
        yield Operator(system, mail, browser)


@pytest.mark.timeout(900)
async def test_the_runbook_is_followed_command_by_command(
    tmp_path: Path, sqlite_url: str, request: pytest.FixtureRequest
) -> None:
    async with AsyncExitStack() as stack:
        browser = None
        if request.config.getoption("--screenshots"):
            browser = await stack.enter_async_context(open_browser())
        operator = await stack.enter_async_context(operator_of(tmp_path / "system", sqlite_url, browser))
        commands = entries()
        await asyncio.gather(*(follow(operator, commands[heading]) for heading, follow in TOGETHER.items()))
        for heading, follow in ALONE.items():
            await follow(operator, commands[heading])
