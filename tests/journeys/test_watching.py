"""A whole system that is watched: what its metrics, its log lines and its traces say of the same transfers."""

import asyncio
import json
import re
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from domain.ids import TransferId, workflow_id
from tests.journeys.collector import Collector, collecting
from tests.journeys.people import LOOK_EVERY, ask, see_it_end
from tests.journeys.searches import check_no_secret_is_left
from tests.journeys.system import System, running, two_users
from tests.replay.test_replay import replayer
from tools.simulator.faults import Fault, Step, Trouble
from tools.stage import plain_http
from tools.stage.ports import free_port

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
TO_BOB = {"kind": "transfer_to_user", "recipient": "bob@example.com", "acceptance": "not_required"}
TO_SELF = {"kind": "transfer_ownership", "user_id": "ada"}
PARTS = ("api", "worker", "gateway")
#: Counted once a workflow task has failed: that it is, an upgrade drill sees.
ONLY_IN_TROUBLE = {"temporal_workflow_task_execution_failed_total"}
SETTINGS = {"HANDOVER_LOG_FORMAT": "json", "HANDOVER_SMTP_PORT": "9", "OTEL_BSP_SCHEDULE_DELAY": "100"}


@asynccontextmanager
async def watched(folder: Path, url: str) -> AsyncIterator[tuple[System, Mapping[str, int], Collector]]:
    """Run a system whose mail server is away and whose second charger takes no list; gives the ports of metrics."""
    ports = {name: free_port() for name in ("worker", "gateway", "worker-sdk", "gateway-sdk", "api-sdk")}

    def command(part: str, *argv: str) -> list[str]:
        own = [f"HANDOVER_METRICS_PORT={ports[part]}"] if part in ports else []
        return ["env", *own, f"HANDOVER_SDK_METRICS_PORT={ports[f'{part}-sdk']}", sys.executable, *argv]

    instead = {
        "api": command("api", "-m", "api"),
        "worker": command("worker", "worker.py"),
        "gateway": command("gateway", "worker.py", "--gateway"),
    }
    with collecting() as collector:
        settings = SETTINGS | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        faults = {"cp-2": [Trouble(Fault.ERROR, Step.LISTS)]}
        async with running(folder, url, two_users(2), settings=settings, instead=instead, faults=faults) as system:
            yield system, ports, collector


async def test_metrics_lines_and_traces_tell_of_the_same_transfers(tmp_path: Path, sqlite_url: str) -> None:
    async with watched(tmp_path / "system", sqlite_url) as (system, ports, collector):
        async with system.user("ada") as ada:
            done = await ask(ada, "cp-1", TO_BOB, key="done")
            retried = await ask(ada, "cp-2", TO_BOB, key="retried")
            refused = await ada.post("/v1/charge-points/cp-1/transfers", json=TO_SELF)
            assert (await see_it_end(ada, done))["state"] == "completed"
            await written(system, "gateway", lambda line: "retried" in line["message"])
            await written(system, "worker", lambda line: line["message"].startswith("a letter about ended is put off"))
            exported = await scrape([f"{system.stage.api}/metrics", *(address(port) for port in ports.values())])
        assert refused.status_code in {403, 409}
        check_names(exported)
        check_lines(system, done=done, retried=retried)
        await check_trace(collector, system, done)
        traced = system.client.get_workflow_handle(workflow_id(TransferId(done)))
        await replayer().replay_workflow(await traced.fetch_history())  # once traces are off again
        secrets = await check_no_secret_is_left(system.stage, system.db, system.keys, system.charge_points)
        assert secrets.found_in(collector.raw) == []


def check_names(exported: set[str]) -> None:
    """Every metric that an alert or the dashboard speaks of is one that somebody exports."""
    for file in ("prometheus/alerts.yml", "prometheus/alerts.test.yml", "grafana/dashboards/handover.json"):
        used = set(re.findall(r"\b(?:handover|temporal|process)_\w+", (DEPLOY / file).read_text()))
        assert len(used) > 10, file
        assert used - exported - ONLY_IN_TROUBLE == set(), file


def check_lines(system: System, *, done: str, retried: str) -> None:
    """A step's line carries its transfer, in each process, however the step ended."""
    assert any(line["transfer_id"] == done for line in lines(system, "api") if line["logger"] == "api.metrics")
    for part, ended, transfer_id in (
        ("worker", "registry.reserve: done", done),
        ("worker", "registry.finish: done", done),
        ("gateway", "charger.rotate: done", done),
        ("gateway", "charger.replace_lists: retried (unavailable)", retried),
    ):
        found = [line for line in lines(system, part) if line["message"] == f"step {ended}"]
        assert transfer_id in {line["transfer_id"] for line in found}, ended
        assert all(line["workflow"] and line["trace_id"] for line in found)
    refusals = [line for line in lines(system, "worker") if ": refused (" in line["message"]]
    ids = {line["transfer_id"] for line in refusals}
    assert len(ids) == 1
    assert ids <= {line.get("transfer_id") for line in lines(system, "api")} - {done, retried}


async def check_trace(collector: Collector, system: System, transfer_id: str) -> None:
    """One trace goes from the HTTP call through workflow and activity to the OCPP message."""
    told = next(line for line in lines(system, "gateway") if line["message"] == "step charger.rotate: done")
    assert told["transfer_id"] == transfer_id
    async with asyncio.timeout(20):
        while not (sent := [span for span in collector.spans if span.name == "OCPP ChangeConfiguration"]):
            await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on
    await asyncio.sleep(1)  # what it is under is sent by others, in their own time
    path = collector.line_up(next(span for span in sent if span.trace == told["trace_id"]))
    assert {span.trace for span in path} == {told["trace_id"]}
    assert [(span.service, span.name) for span in path] == [
        ("handover-gateway", "OCPP ChangeConfiguration"),
        ("handover-gateway", "RunActivity:charger.rotate"),
        ("handover-worker", "StartActivity:charger.rotate"),
        ("handover-api", "StartUpdateWithStartWorkflow:transfer"),
        ("handover-api", "POST /v1/charge-points/{charge_point_id}/transfers"),
    ]
    names = {span.name for span in collector.spans}
    assert not {name for name in names if "eartbeat" in name or "metrics" in name or "readyz" in name}


def lines(system: System, part: str) -> list[dict[str, Any]]:
    text = (system.stage.logs / f"{part}.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


async def written(system: System, part: str, wanted: Any) -> None:
    """Wait for a line."""
    async with asyncio.timeout(60):
        while not any(wanted(line) for line in lines(system, part)):
            await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}/metrics"


async def scrape(addresses: list[str]) -> set[str]:
    """Give the names of all samples; no label holds more values than a template or an enumeration has."""
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    names: set[str] = set()
    async with plain_http.client() as client:
        for url in addresses:
            for family in text_string_to_metric_families((await client.get(url)).text):
                for sample in family.samples:
                    names.add(sample.name)
                    for label, value in sample.labels.items():
                        values[sample.name, label].add(value)
    ours = {key: found for key, found in values.items() if key[0].startswith("handover_")}
    assert not [value for found in ours.values() for value in found if re.search(r"trf_|cp-\d|CP-\d|ada|bob", value)]
    return names
