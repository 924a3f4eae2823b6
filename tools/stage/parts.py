"""The parts of a demo, as in production each a process of its own, in the order in which they need each other."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from temporalio.api.enums.v1 import TaskQueueType

from domain.ids import TASK_QUEUE
from persistence.session import Database
from tools.simulator.faults import Fault, Step, Trouble, troubles
from tools.stage import devserver
from tools.stage.ports import HOST
from tools.stage.readiness import answers, connected, knows_keys, listens, polled, when
from tools.stage.stage import Stage, write_private
from tools.stage.supervisor import Part
from workflows.search_attributes import DATETIMES, KEYWORDS

#: What is wrong with which charge point of data.jsonl.
FAULTS: Final = {"lilas-7": [Fault.REJECT], "lilas-8": [Fault.LOSE_REPLY]}
_WORKFLOWS = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW


def temporal(stage: Stage, program: Path, ip: str = HOST) -> Part:
    """Give the Temporal dev server, with its database in a file: it may be restarted."""
    attributes = {key.name: "Keyword" for key in KEYWORDS} | {key.name: "Datetime" for key in DATETIMES}
    argv = devserver.command(
        program,
        db_file=stage.data / "temporal.db",
        port=stage.ports.temporal,
        ui_port=stage.ports.temporal_ui,
        ip=ip,
        search_attributes=attributes,
    )
    return Part("temporal", argv, lambda alive: devserver.ready(stage.temporal, alive=alive))


def mailbox(stage: Stage, host: str = HOST) -> Part:
    """Give the demo's mailbox."""
    ports = ("--smtp-port", str(stage.ports.smtp), "--port", str(stage.ports.mailbox))
    argv = [sys.executable, "-m", "tools.stage.mailbox", str(stage.data / "mailbox"), *ports, "--host", host]

    async def ready() -> bool:
        return await answers(f"{stage.mailbox}/api/messages") and await listens(stage.ports.smtp, host)

    return Part("mailbox", argv, when(ready), stage.environment)


def worker(stage: Stage) -> Part:
    """Give the worker: workflows, and the activities that are not a charger's."""
    argv = [sys.executable, "worker.py"]
    ready = when(lambda: polled(stage.connection, TASK_QUEUE, _WORKFLOWS))
    return Part("worker", argv, ready, stage.environment)


def gateway(stage: Stage) -> Part:
    """Give the gateway: the chargers' sockets."""
    argv = [sys.executable, "worker.py", "--gateway"]
    return Part("gateway", argv, when(lambda: listens(stage.ports.gateway)), stage.environment)


def api(stage: Stage) -> Part:
    """Give the API with its pages."""
    return Part("api", [sys.executable, "-m", "api"], when(lambda: answers(f"{stage.api}/readyz")), stage.environment)


def stations(
    stage: Stage,
    charge_points: Sequence[Mapping[str, Any]],
    db: Database,
    faults: Mapping[str, Sequence[Fault | Trouble]] = FAULTS,
    *,
    enrolled: bool = False,
    models: Mapping[str, str] | None = None,
) -> Part:
    """Give the simulated charge points, each with its faults, and its model where that is another.

    They are ready once each is connected, and has the key that only it knows, unless it is `enrolled` already, or its
    faults or its model keep it from that.
    """
    models = models or {}
    file = stage.data / "stations" / "all.json"
    listed = [
        {
            "identity": one["identity"],
            "password": one["password"],
            "state": stage.state_file(one["identity"]).name,
            "ocpp": one["ocpp"],
            "enrolled": enrolled,
            **({"model": models[one["id"]]} if one["id"] in models else {}),
            "faults": [str(trouble) for trouble in troubles(faults.get(one["id"], []))],
        }
        for one in charge_points
    ]
    file.parent.mkdir(exist_ok=True)
    write_private(file, json.dumps(listed, indent=1))
    argv = [sys.executable, "-m", "tools.simulator.stations", str(file), "--url", stage.gateway]
    argv += ["--control", str(stage.ports.stations)]
    hindered = {id_ for id_, found in faults.items() if any(one.at is Step.ENROL for one in troubles(found))}
    there = [one["id"] for one in charge_points if one["id"] not in hindered]
    takes_keys = [id_ for id_ in there if id_ not in models]

    async def ready() -> bool:
        return await connected(db, len(there)) and (enrolled or await knows_keys(db, takes_keys))

    return Part("stations", argv, when(ready), stage.environment)
