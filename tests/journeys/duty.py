"""Who follows the runbook of docs/operations.md: its commands, and the hands that run them on one system."""

import asyncio
import re
import shlex
from typing import Any

from domain.ids import TransferId, workflow_id
from tests.commands.shell import Said, Shell
from tests.conftest import ROOT
from tests.details import details
from tests.journeys.people import LOOK_EVERY, ask, see_it_end
from tests.journeys.system import System
from tools.chaos.links import Link

RUNBOOK = ROOT / "docs" / "operations.md"
SCREENSHOTS = ROOT / "docs" / "screenshots"


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
            "HANDOVER_API_KEY": system.keys["staff"],
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

    async def until_details(self, transfer_id: str, wanted: str) -> None:
        """Wait until the details in the Temporal UI have a text."""
        handle = self.system.client.get_workflow_handle(workflow_id(TransferId(transfer_id)))
        async with asyncio.timeout(60):
            while wanted not in await details(handle):
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

    async def picture(
        self,
        transfer_id: str,
        name: str,
        tab: str = "User Metadata",
        text: str = "Current Details",
        *,
        height: int = 900,
    ) -> None:
        """Take the screenshot of the runbook, where that is asked for."""
        if self._browser is not None:
            place = f"namespaces/default/workflows/{workflow_id(TransferId(transfer_id))}"
            await self._browser(
                f"{self.system.stage.temporal_ui}/{place}", SCREENSHOTS / f"{name}.png", tab, text, height
            )


def saved_views() -> list[tuple[str, str]]:
    """Give the saved views that the page lists: name and query."""
    rows = re.findall(r"^\| ([a-z' ]+) \| `(WorkflowType = .*?)`", RUNBOOK.read_text(), re.MULTILINE)
    assert len(rows) == 10
    return rows
