"""What is found at the end: every row, every workflow's outcome, every charger's memory, every mail, every promise."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from domain.ids import TransferId, workflow_id
from domain.transfer import FINAL
from persistence.session import Database
from persistence.tables import Table
from persistence.vault import Vault
from tools.chaos.attackers import Attacks
from tools.chaos.journal import Promise
from tools.chaos.letters import Mail
from tools.chaos.watch import Seen
from tools.simulator.state import StationState

#: Seconds.
_MOMENT: Final = 10.0
#: Tables with nothing to judge in them.
_LEFT_OUT: Final = frozenset({"users", "api_keys", "approval_links", "codes", "audit_counters", "idempotency_keys"})


@dataclass(frozen=True)
class Evidence:
    """Everything that the invariants are judged by."""

    rows: Mapping[str, Sequence[Any]]
    """By table; a row's values by name."""
    memories: Mapping[str, StationState]
    """What each charger remembers, by its identity."""
    vault: Vault
    outcomes: Mapping[str, str] = field(default_factory=dict)
    """What each transfer's workflow ended with; `running`, or how it failed."""
    shown: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """What the API shows to an operator: of a transfer its state, of a charge point owner, group and version."""
    mails: Sequence[Mail] = ()
    promises: Sequence[Promise] = ()
    seen: Seen = field(default_factory=dict)
    attacks: Attacks = field(default_factory=Attacks)

    def of(self, table: str) -> Sequence[Any]:
        """Give the rows of a table."""
        return self.rows[table]

    def by(self, table: str, column: str) -> Mapping[str, list[Any]]:
        """Give the rows of a table, sorted into lists by a column."""
        sorted_: defaultdict[str, list[Any]] = defaultdict(list)
        for row in self.rows[table]:
            sorted_[getattr(row, column)].append(row)
        return sorted_


async def read_rows(db: Database) -> dict[str, Sequence[Any]]:
    """Read every table that is judged."""
    tables = [table for table in Table.metadata.sorted_tables if table.name not in _LEFT_OUT]
    async with db.reading() as rows:
        return {table.name: (await rows.execute(select(table))).all() for table in tables}


def read_memories(folder: Path) -> dict[str, StationState]:
    """Read the chargers' own files: one each, named after its identity."""
    files = [file for file in folder.glob("*.json") if file.name != "all.json"]
    return {file.stem: StationState(**json.loads(file.read_text("utf-8"))) for file in files}


async def read_outcomes(client: Client, transfers: Sequence[Any]) -> dict[str, str]:
    """Ask Temporal how each transfer's workflow ended; one that is about to end is given a moment."""
    return {row.id: await _outcome(client, TransferId(row.id), ended=row.state in FINAL) for row in transfers}


async def _outcome(client: Client, transfer_id: TransferId, *, ended: bool) -> str:
    handle = client.get_workflow_handle(workflow_id(transfer_id))
    try:
        if ended:
            with suppress(TimeoutError, WorkflowFailureError):
                await asyncio.wait_for(handle.result(), _MOMENT)
        status = (await handle.describe()).status
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return "no workflow"
    if status is WorkflowExecutionStatus.COMPLETED:
        result: dict[str, Any] = await handle.result()
        return str(result["state"])
    return status.name.lower() if status else "unknown"


def write(evidence: Evidence, file: Path) -> None:
    """Write what is needed to look into something that is wrong; no key is in it."""
    secret = {"mac", "mac_decoded", "sealed_key", "sealed_body"}
    rows = {
        table: [{name: str(value) for name, value in row._asdict().items() if name not in secret} for row in found]
        for table, found in evidence.rows.items()
    }
    facts = {
        "outcomes": dict(evidence.outcomes),
        "mails": [mail.message_id for mail in evidence.mails],
        "attackers_heard": [f"{one.at} {one.point} {one.action}" for one in evidence.attacks.heard],
        "attackers_stayed": [f"{one.began} {one.ended} {one.point}" for one in evidence.attacks.stays],
        "attackers_came_in_at_the_end": dict(evidence.attacks.opens),
        "rows": rows,
    }
    file.write_text(json.dumps(facts, indent=1), "utf-8")
