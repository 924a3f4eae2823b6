"""Recorded histories replayed with today's code: a change that running transfers would trip over fails here.

A change on purpose ships with `workflow.patched` and new histories (`make record`). Those of each release stand in its
folder, and stay as they are: decision 8.
"""

import base64
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from activities.contracts.declaring import wire_names_that_may_run_again
from domain.transfer import FINAL
from telemetry.traces import Tracing
from tests.conftest import ROOT
from tests.telemetry.spans import Kept
from tools.release import histories
from tools.release.changelog import released
from workflows.account_news import PasskeyNewsWorkflow
from workflows.accounts import AccountWorkflow
from workflows.charger_orders import IdentifyWorkflow, RotateKeyWorkflow
from workflows.codes import OneTimeCodeWorkflow
from workflows.owner_news import OwnerNewsWorkflow
from workflows.reconciliation import ReconciliationWorkflow
from workflows.rescue import RescueWorkflow
from workflows.transfer import TransferWorkflow

FOLDER = Path(__file__).parent / "histories"
#: Of what no release has yet, and of each release.
HISTORIES = sorted(FOLDER.rglob("*.json"))
#: Releases that no deployment upgrades from any more: their folders are gone, and so may be the branches for them.
FORGOTTEN: set[str] = set()


def workflow_runner() -> SandboxedWorkflowRunner:
    """Give the sandbox: the project's own deterministic rooms are loaded once, anything else by mistake is an error."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(
        "domain", "workflows", "activities", "pydantic", "pydantic_core", "annotated_types", "typing_extensions"
    ).with_import_notification_policy(SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH)
    return SandboxedWorkflowRunner(restrictions=restrictions)


def replayer(tracing: Tracing | None = None) -> Replayer:
    return Replayer(
        workflows=[
            *(TransferWorkflow, OneTimeCodeWorkflow, AccountWorkflow, RescueWorkflow),
            *(OwnerNewsWorkflow, ReconciliationWorkflow, RotateKeyWorkflow, IdentifyWorkflow),
            PasskeyNewsWorkflow,
        ],
        data_converter=pydantic_data_converter,
        workflow_runner=workflow_runner(),
        interceptors=tracing.interceptors if tracing else [],
    )


@pytest.fixture(params=HISTORIES, ids=lambda path: str(path.relative_to(FOLDER).with_suffix("")))
def history(request: pytest.FixtureRequest) -> str:
    return Path(request.param).read_text()


async def test_a_recorded_history_replays(history: str) -> None:
    await replayer().replay_workflow(WorkflowHistory.from_json("recorded", history))


async def test_it_replays_with_traces_and_makes_no_span_twice(history: str) -> None:
    kept = Kept()
    tracing = Tracing("test", kept)

    await replayer(tracing).replay_workflow(WorkflowHistory.from_json("recorded", history))

    assert kept.named(tracing) == {}


def test_every_outcome_has_a_history() -> None:
    outcomes = {_outcome(history) for history in HISTORIES} - {None}
    assert outcomes == {state.value for state in FINAL}


def test_each_release_keeps_its_histories_as_they_were_recorded() -> None:
    releases = set(released((ROOT / "CHANGELOG.md").read_text()))

    assert histories.kept(FOLDER) == releases - FORGOTTEN
    assert {file.parent.name for file in HISTORIES} <= releases | {FOLDER.name}
    found = {release: histories.changed(FOLDER, release) for release in releases - FORGOTTEN}
    assert {release: names for release, names in found.items() if names} == {}


async def test_a_swapped_step_is_caught() -> None:
    history = next(path for path in HISTORIES if path.stem.startswith("a_transfer_that_nobody"))
    swapped = (
        history.read_text().replace("charger.quiet", "charger.swap").replace("charger.replace_lists", "charger.quiet")
    )
    with pytest.raises(Exception, match=r"(?i)nondeterminism"):
        await replayer().replay_workflow(
            WorkflowHistory.from_json("swapped", swapped.replace("charger.swap", "charger.replace_lists"))
        )


def test_no_effect_happens_before_what_led_to_it_is_on_record(history: str) -> None:
    """Until a workflow task completes, a worker's death loses what it read; effects come in a later one, or in none."""
    for event in json.loads(history)["events"]:
        if marker := event.get("markerRecordedEventAttributes"):
            data = base64.b64decode(marker["details"]["data"]["payloads"][0]["data"])
            name = json.loads(data)["activity_type"]
            assert name in wire_names_that_may_run_again()
            if name == "registry.decide":  # of all decisions nobody but the clock asks for this one
                answer = base64.b64decode(marker["details"]["result"]["payloads"][0]["data"])
                assert json.loads(answer)["state"] == "expired"


def test_every_workflow_has_a_history() -> None:
    begun = {
        json.loads(history.read_text())["events"][0]["workflowExecutionStartedEventAttributes"]["workflowType"]["name"]
        for history in HISTORIES
    }
    assert begun >= {"transfer", "open_account", "rescue", "reconcile", "rotate_key", "identify", "passkey_news"}


def _outcome(history: Path) -> str | None:
    """Give the state in which a transfer ended; None for another workflow."""
    last = json.loads(history.read_text())["events"][-1]
    payload = last["workflowExecutionCompletedEventAttributes"]["result"]["payloads"][0]
    found: str | None = json.loads(base64.b64decode(payload["data"])).get("state")
    return found
