"""What the verbs on audit trails do on the database."""

import json
from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.table import Table

from commands.database import database as open_database
from commands.database import do
from commands.ends import Wrong
from persistence.tables import AuditEvent
from persistence.vault import Vault
from persistence.views.audit_check import AuditCheck, Flaw
from settings import read_settings

#: What each flaw means, in a few words.
_MEANS = {
    Flaw.CHANGED: "is not as it was written, or stands in another's place",
    Flaw.DETAIL_CHANGED: "has another detail than was written",
    Flaw.MISSING: "is missing",
    Flaw.GAP_FORGED: "is missing, and what says that retention took it out is forged",
    Flaw.NOT_AS_SEALED: "is not what was sealed",
    Flaw.SEAL_BROKEN: "is not the seal that was made, or follows none",
    Flaw.SEAL_OVERDUE: "no seal was made in the last day and a half; see that a worker runs",
}


def verify() -> None:
    """Verify all trails, and say what is wrong."""
    do(_verify())


def export() -> None:
    """Print all entries."""
    do(_export())


async def _verify() -> None:
    table = Table("trail", "entry", "what is wrong", box=None)
    async with open_database() as db:
        check = AuditCheck(db, _vault())
        async for problem in check.problems(datetime.now(UTC)):
            table.add_row(problem.subject or "seals", str(problem.sequence or ""), _MEANS[problem.flaw])
    counts = check.counts
    typer.echo(f"{counts.trails} trails, {counts.entries} entries, {counts.seals} seals.")
    if table.row_count:
        Console(width=160).print(table)
        raise Wrong("The audit trails are not what was written.")


async def _export() -> None:
    async with open_database() as db:
        async for entry in AuditCheck(db, _vault()).entries():
            typer.echo(json.dumps(_line(entry), ensure_ascii=False))


def _line(entry: AuditEvent) -> dict[str, object]:
    told = {name: getattr(entry, name) for name in ("subject", "sequence", "actor", "action", "order_id", "detail")}
    proof = {name: getattr(entry, name) for name in ("once", "salt", "digest", "hash")}
    reason = {"reason": entry.order.reason} if entry.order and entry.order.reason else {}
    return {**told, "at": entry.at.astimezone(UTC).isoformat(), **reason, **proof}


def _vault() -> Vault:
    try:
        return Vault(read_settings().server_keys())
    except ValueError as error:
        raise Wrong(str(error)) from None
