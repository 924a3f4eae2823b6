"""The operators' command line over a whole running system, on a transfer that really is stuck."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.shell import Shell
from tests.journeys.people import LOOK_EVERY, ask
from tests.journeys.searches import check_reasons_lie_with_orders
from tests.journeys.system import running, two_users
from tools.simulator.faults import Fault, Step, Trouble

TO_BOB = {"kind": "transfer_to_user", "recipient": "bob@example.com"}
SETTINGS = {"HANDOVER_START_TIMEOUT": "PT60S", "HANDOVER_POLICY__RETRIES_USED_UP": "PT40S"}
SOLD = {"acceptance": "not_required", "reason": "the tenant has sold it, as they wrote"}
WHY = ("--reason", "the charger is being looked at")


@pytest.mark.timeout(300)
async def test_an_operator_takes_a_stuck_transfer_to_its_end(tmp_path: Path, sqlite_url: str) -> None:
    """A charger that refuses its local list: found, watched, held, let go, left undone; another one is cancelled."""
    faults = {"cp-1": [Trouble(Fault.ERROR, Step.LISTS)]}
    async with running(tmp_path / "system", sqlite_url, two_users(2), faults=faults, settings=SETTINGS) as system:
        shell = Shell({"HANDOVER_API_URL": system.stage.api, "HANDOVER_API_KEY": system.keys["ada"]})
        async with system.user("ada") as ada:
            stuck = await ask(ada, "cp-1", TO_BOB | SOLD, key="stuck")
            asked = await ask(ada, "cp-2", TO_BOB, key="asked")
        async with shell.started("watch", stuck, "--json", "--every", "0.2") as watching:
            await listed(shell, "retrying", stuck)
            await hold_and_let_go(shell, stuck)
            await listed(shell, "operator", stuck)
            assert "Leaves the charger's local list as it is" in (await shell("show", stuck)).out
            assert (await shell("resolve", stuck, "complete", *WHY)).code == 0
            seen, _ = await asyncio.wait_for(watching.communicate(), 60)
        assert watching.returncode == 0
        told = [json.loads(line) for line in seen.splitlines()]
        assert told[-1]["state"] == "completed_with_warnings"
        assert {"retrying", "operator"} <= {one["attention"] for one in told}
        assert any(step["paused"] for one in told for step in one["steps"])
        assert "cancelled" in (await shell("cancel", asked)).out
        assert (await shell("watch", asked)).code == 1
        shown = json.loads((await shell("show", stuck, "--events", "--json")).out)
        acts = [event["action"] for event in shown["events"] if event["actor"] == "operator:ada"]
        assert acts == ["reserved", "step_paused", "step_resumed", "resume_refused", "resolved_complete"]
        whys = [event["detail"].get("reason") for event in shown["events"] if event["actor"] == "operator:ada"]
        assert whys == [SOLD["reason"], WHY[1], WHY[1], None, WHY[1]]
        await check_reasons_lie_with_orders(system.stage, system.db)


async def hold_and_let_go(shell: Shell, stuck: str) -> None:
    """Pause the step, see that no try of it follows, and resume it: then one does."""
    assert "(paused)" in (await shell("pause", stuck, "replace_lists", *WHY)).out
    await asyncio.sleep(1)  # a try that was under way when the pause came has ended by now
    before = await lists(shell, stuck)
    await asyncio.sleep(5)  # longer than the pause between two tries by then
    held = await lists(shell, stuck)
    assert (held["paused"], held["attempts"]) == (True, before["attempts"])
    assert (await shell("resume", stuck, "replace_lists", *WHY)).code == 0
    refused = await shell("resume", stuck, "replace_lists", *WHY)
    assert (refused.code, "nothing to resume" in refused.err) == (1, True)


async def lists(shell: Shell, stuck: str) -> dict[str, Any]:
    """Give the step that replaces the local list as `show` has it."""
    steps = json.loads((await shell("show", stuck, "--json")).out)["steps"]
    return next(step for step in steps if step["name"] == "replace_lists")


async def listed(shell: Shell, attention: str, known: str) -> None:
    """Wait until `list` finds the transfer by what it waits for."""
    async with asyncio.timeout(90):
        while True:
            found = json.loads((await shell("list", "--json", "--attention", attention, "--group", "north")).out)
            if [one["id"] for one in found] == [known]:
                return
            await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on
