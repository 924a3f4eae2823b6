"""The runbook of docs/operations.md, followed command by command on transfers that really are in each state."""

import asyncio
import json
import re
import shlex
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from chaos.links import Link
from demo.control import tell
from demo.faults import Fault, Step, Trouble
from demo.ports import Ports
from domain.ids import TransferId, workflow_id
from tests.commands.shell import Said, Shell
from tests.conftest import ROOT
from tests.journeys.browser import open_browser
from tests.journeys.people import LOOK_EVERY, ask, see_it_end
from tests.journeys.system import System, running, two_users

RUNBOOK = ROOT / "docs" / "operations.md"
SCREENSHOTS = ROOT / "docs" / "screenshots"
TO_BOB = {"kind": "transfer_to_user", "recipient": "bob@example.com", "acceptance": "not_required"}
OWNERSHIP = {"kind": "transfer_ownership", "user_id": "bob"}
SETTINGS = {
    "HANDOVER_POLICY__RETRIES_USED_UP": "PT15S",
    "HANDOVER_POLICY__RECONNECT_AFTER": "PT2S",
    "HANDOVER_POLICY__PROOF_DEADLINE": "PT20S",
    "HANDOVER_RECONCILE_EVERY": "PT3S",
}
FAULTS: dict[str, list[Fault | Trouble]] = {
    "cp-4": [Trouble(Fault.REJECT, Step.LISTS)],
    "cp-5": [Trouble(Fault.REJECT, Step.LISTS)],
    "cp-6": [Fault.LIE],
    "cp-7": [Trouble(Fault.REJECT, Step.LISTS)],
}


def entries() -> dict[str, list[list[str]]]:
    """Give the commands of each entry of the runbook, by its heading."""
    text = RUNBOOK.read_text().partition("\n# Runbook\n")[2]
    found = {}
    for part in text.split("\n## ")[1:]:
        blocks = re.findall(r"^```sh\n(.*?)^```$", part, re.DOTALL | re.MULTILINE)
        found[part.partition("\n")[0]] = [shlex.split(line) for block in blocks for line in block.splitlines()]
    return found


class Operator:
    """Who follows the runbook, on one system."""

    def __init__(self, system: System, mail: Link, browser: Any) -> None:
        self.system, self.mail, self._browser = system, mail, browser
        settings = {
            "HANDOVER_API_URL": system.stage.api,
            "HANDOVER_API_KEY": system.keys["ada"],
            "HANDOVER_DATABASE_URL": system.stage.url,
            "HANDOVER_TEMPORAL_UI": system.stage.temporal_ui or "",
        }
        self.shell = Shell(settings)

    async def start(self, charge_point: str, body: dict[str, Any], api: int = 0) -> str:
        async with self.system.user("ada", api=api) as ada:
            return await ask(ada, charge_point, body, key=charge_point)

    async def look(self, transfer_id: str) -> dict[str, Any]:
        async with self.system.user("ada") as ada:
            found: dict[str, Any] = (await ada.get(f"/v1/transfers/{transfer_id}")).json()
            return found

    async def until(self, transfer_id: str, **wanted: str) -> dict[str, Any]:
        """Wait until a transfer is as wanted."""
        async with asyncio.timeout(150):
            while True:
                found = await self.look(transfer_id)
                if all(found[name] == value for name, value in wanted.items()):
                    return found
                await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on

    async def ended(self, transfer_id: str) -> str:
        async with self.system.user("ada") as ada:
            return str((await see_it_end(ada, transfer_id))["state"])

    async def run(self, command: list[str], transfer_id: str) -> Said:
        """Run a command of the runbook; each goes well, and a list has the transfer."""
        assert command[0] == "./handover", command
        arguments = [transfer_id if part == "$ID" else part for part in command[1:]]
        said = await self.shell(*arguments)
        assert said.code == 0, (arguments, said)
        if arguments[0] == "list":
            assert transfer_id in said.out, (arguments, said.out)
        return said

    async def queries(self, transfer_id: str, words: str) -> None:
        """Find the transfer by each saved view that promises to have it."""
        for view, query in saved_views():
            if view == words:
                async with asyncio.timeout(30):
                    while workflow_id(TransferId(transfer_id)) not in await self._found(query):
                        await asyncio.sleep(LOOK_EVERY)  # visibility lags, and says nothing when it has caught up

    async def _found(self, query: str) -> set[str]:
        return {seen.id async for seen in self.system.client.list_workflows(query)}

    async def picture(self, transfer_id: str, name: str) -> None:
        """Take the screenshot of the runbook, where that is asked for."""
        if self._browser is not None:
            place = f"namespaces/default/workflows/{workflow_id(TransferId(transfer_id))}"
            await self._browser(f"{self.system.stage.temporal_ui}/{place}", SCREENSHOTS / f"{name}.png")


def saved_views() -> list[tuple[str, str]]:
    """Give the saved views that the page lists: name and query."""
    rows = re.findall(r"^\| ([a-z' ]+) \| `(WorkflowType = .*?)`", RUNBOOK.read_text(), re.MULTILINE)
    assert len(rows) == 9
    return rows


# --- the entries ------------------------------------------------------------------------------------------------------


async def letter(operator: Operator, commands: list[list[str]]) -> None:
    transfer_id = await operator.start("cp-1", {**TO_BOB, "acceptance": "required"})
    await operator.until(transfer_id, state="awaiting_acceptance", attention="operator")
    await operator.queries(transfer_id, "needs an operator")
    await operator.picture(transfer_id, "letter")
    *before, retry = commands
    for command in before:
        said = await operator.run(command, transfer_id)
    assert "ask_recipient" in said.out
    operator.mail.heal()
    await operator.run(retry, transfer_id)
    await operator.until(transfer_id, attention="recipient")
    await operator.queries(transfer_id, "waiting for a recipient")
    assert (await operator.shell("cancel", transfer_id)).code == 0


async def session(operator: Operator, commands: list[list[str]]) -> None:
    await tell(operator.system.stage.ports.stations, "CP-2 start NORTH")
    transfer_id = await operator.start("cp-2", TO_BOB)
    await operator.until(transfer_id, attention="session_running")
    await operator.queries(transfer_id, "waiting for a charging session")
    await operator.picture(transfer_id, "session")
    for command in commands:
        await operator.run(command, transfer_id)
    assert await operator.ended(transfer_id) == "completed_with_warnings"


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
    *before, resume = commands
    for command in before:
        await operator.run(command, transfer_id)
    await operator.queries(transfer_id, "a step is being retried")
    await operator.picture(transfer_id, "retrying")
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
    transfer_id = await operator.start("cp-6", OWNERSHIP)
    await operator.until(transfer_id, attention="operator")
    await operator.picture(transfer_id, "credentials")
    for command in commands:
        await operator.run(command, transfer_id)
    assert await operator.ended(transfer_id) == "rolled_back"


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
    operator.system.supervisor.signal("worker", signal.SIGSTOP)
    try:
        transfer_id = await operator.start("cp-8", {"kind": "move_to_group", "group_id": "south"})
        for command in commands:
            said = await operator.run(command, transfer_id)
        assert "requested" in said.out
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
    await operator.run(retry, transfer_id)
    async with asyncio.timeout(60):
        while transfer_id in (await operator.run(again, transfer_id)).out:
            await asyncio.sleep(1)  # the reconciler's doing: there is nothing here to wait on
    assert (await operator.shell("cancel", transfer_id)).code == 0


async def _runs(handle: Any) -> bool:
    return bool((await handle.describe()).status.name == "RUNNING")


Entry = Callable[[Operator, list[list[str]]], Awaitable[None]]
#: What each entry of the runbook is followed by; the last two don't go together with others: they mend every charger,
#: and stop the worker for a moment.
FOLLOWED: dict[str, Entry] = {
    "The recipient was asked, but the letter can't be sent": letter,
    "A charging session runs": session,
    "The charger is offline": offline,
    "A step is retried": retried,
    "The charger refuses a step": refuses,
    "The charger does not come back with its new credentials": credentials,
    "What the reconciler has found": lost,
    "A compensation fails": compensation,
    "Nobody starts a request": unstarted,
}


def test_every_entry_is_followed() -> None:
    assert set(FOLLOWED) | {"A transfer that has left something to do at its charger"} == set(entries())
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
                two_users(9),
                away={"cp-3"},
                faults=FAULTS,
                more_apis=[{"HANDOVER_POLICY__RETRIES_USED_UP": "PT10M"}],
                settings={**SETTINGS, "HANDOVER_SMTP_PORT": str(mail.port)},
                ports=ports,
            )
        )
        mail.cut()
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
        found = entries()
        *together, mends, stops = FOLLOWED.items()
        await asyncio.gather(*(follow(operator, found[heading]) for heading, follow in together))
        for heading, follow in (mends, stops):
            await follow(operator, found[heading])
