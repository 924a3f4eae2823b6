"""A deploy in the middle of everything: processes that are told to stop hand back what they are at."""

import asyncio
import signal
import time
from pathlib import Path

import psutil
from temporalio.api.enums.v1 import PendingActivityState

from domain.ids import TransferId, workflow_id
from engine.outbox import OUTBOX
from tests.journeys.people import ask, see_it_end
from tests.journeys.system import System, running, two_users

#: The issue's own figure: within so many seconds each activity has ended or is handed back.
HANDED_BACK_WITHIN = 30
TO_BOB = {"kind": "transfer_to_user", "recipient": "bob@example.com"}


async def test_a_graceful_stop_hands_back_what_can_not_end(tmp_path: Path, sqlite_url: str) -> None:
    patient = {"HANDOVER_CALL_TIMEOUT": "PT5M", "HANDOVER_GATEWAY_PING_EVERY": "PT0S"}
    async with running(tmp_path, sqlite_url, two_users(1), settings=patient) as system:
        for part in ("mailbox", "stations"):  # neither the letter nor the charger's answer comes
            system.supervisor.signal(part, signal.SIGSTOP)
        async with system.user("ada") as ada, system.user("bob") as bob:
            transfer_id = await ask(ada, "cp-1", TO_BOB, "deploy")
            await at_work(system, OUTBOX, "outbox.deliver")
            assert (await bob.post(f"/v1/transfers/{transfer_id}/accept")).status_code == 200
            await at_work(system, workflow_id(TransferId(transfer_id)), "charger.quiet")
            began = time.monotonic()
            leaving = {part: system.supervisor.pid(part) for part in ("worker", "gateway", "api")}
            for part in leaving:
                system.supervisor.signal(part, signal.SIGTERM)
            for part, pid in leaving.items():
                await asyncio.wait_for(gone(pid), HANDED_BACK_WITHIN)
                print(f"{part} has stopped after {time.monotonic() - began:.1f} s")
            for part in ("mailbox", "stations"):
                system.supervisor.signal(part, signal.SIGCONT)
            assert (await see_it_end(ada, transfer_id))["state"] == "completed"
            trail = (await ada.get(f"/v1/transfers/{transfer_id}/events")).json()["items"]
            actions = [event["action"] for event in trail]
            assert actions.count("ownership_changed") == 1


async def at_work(system: System, workflow: str, step: str) -> None:
    """Wait until a step of a workflow is under way in some process."""
    handle = system.client.get_workflow_handle(workflow)
    async with asyncio.timeout(30):
        while True:
            pending = (await handle.describe()).raw_description.pending_activities
            started = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
            if any(one.activity_type.name == step and one.state == started for one in pending):
                return
            await asyncio.sleep(0.1)  # other processes' doing: there is nothing here to wait on


async def gone(pid: int) -> None:
    while psutil.pid_exists(pid):
        await asyncio.sleep(0.1)  # its parent's doing: there is nothing here to wait on
