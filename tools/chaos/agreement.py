"""Invariants between the database and Temporal at rest: they say the same, and nothing is open but what is parked."""

from collections.abc import Iterator
from typing import Any

from domain.reconciliation import NEWS
from domain.transfer import DUE, FINAL, TransferWarning
from tools.chaos.evidence import Evidence
from tools.chaos.journal import Broken

AGREE = "the workflow ended as the database says"
SHOWN = "the API shows what the database says"
RECONCILED = "the reconciler had nothing to mend, and nothing to park"
NOTHING_OPEN = "nothing is open but what waits for an operator"


def parked(evidence: Evidence) -> list[str]:
    """List the transfers that wait for an operator."""
    return [row.id for row in evidence.of("transfers") if row.active and row.attention == "operator"]


def workflows(evidence: Evidence) -> Iterator[Broken]:
    """Compare: a transfer that has ended has a workflow with that outcome; one that has not has one that runs."""
    for row in evidence.of("transfers"):
        wanted = row.state if row.state in FINAL else "running"
        found = evidence.outcomes.get(row.id, "no workflow")
        if found != wanted:
            yield Broken(AGREE, row.id, f"{row.state} in the database, {found} in Temporal")


def shown(evidence: Evidence) -> Iterator[Broken]:
    """Compare: an operator is shown every transfer's state, every charge point's owner, group and version."""
    known: dict[str, tuple[Any, ...]] = {row.id: (row.state,) for row in evidence.of("transfers")}
    known |= {row.id: (row.owner_id, row.group_id, row.version) for row in evidence.of("charge_points")}
    for subject in sorted(known.keys() | evidence.shown.keys()):
        if known.get(subject) != evidence.shown.get(subject):
            yield Broken(
                SHOWN, subject, f"{known.get(subject)} in the database, shown as {evidence.shown.get(subject)}"
            )


def reconciled(evidence: Evidence) -> Iterator[Broken]:
    """Look at what was found: nobody terminates a run here, and failing parts alone leave nothing behind.

    What was seen at the sockets is no disagreement.
    """
    for row in evidence.of("findings"):
        if row.kind in NEWS:
            continue
        yield Broken(RECONCILED, row.subject, f"{row.kind}, {row.settlement}")


def waits_for_its_owner(evidence: Evidence, transfer: Any) -> bool:
    """Whether an ended transfer has left nothing due but a key that its new owner is to type, and what waits for that.

    Where the old key opens quarantine only, all else waits for it; where it serves, nothing does, unless somebody else
    with that key is in the charger's place.
    """
    left = DUE.intersection(transfer.warnings)
    until = next(row.until_new_key for row in evidence.of("charge_points") if row.id == transfer.charge_point_id)
    waits = until == "quarantine" or (until and transfer.charge_point_id in evidence.attacks.passwords)
    return until is not None and (left == {TransferWarning.OLD_KEY_KNOWN} or (bool(left) and bool(waits)))


def nothing_open(evidence: Evidence) -> Iterator[Broken]:
    """Look for the rest: each request led to a transfer that ended and left nothing due, or waits for an operator.

    What waits for nothing but a key that its new owner never types may be due.
    """
    transfers = {row.id: row for row in evidence.of("transfers")}
    waiting = set(parked(evidence))
    for request in evidence.of("requests"):
        if request.transfer_id not in transfers or request.started_at is None:
            yield Broken(NOTHING_OPEN, request.transfer_id, "its request was never started")
    for row in transfers.values():
        if row.active != (row.state not in FINAL):
            yield Broken(NOTHING_OPEN, row.id, f"{row.state}, and reserved: {row.active}")
        if row.active and row.id not in waiting:
            yield Broken(NOTHING_OPEN, row.id, f"{row.state}, {row.attention or 'running'}")
        if row.due and not waits_for_its_owner(evidence, row):
            yield Broken(NOTHING_OPEN, row.id, f"still due at its charger: {row.warnings}")
    for point in evidence.of("charge_points"):
        blocker = transfers.get(point.sessions_blocked_by or "")
        known = blocker is not None and blocker.due and waits_for_its_owner(evidence, blocker)
        if point.sessions_blocked_by is not None and point.sessions_blocked_by not in waiting and not known:
            yield Broken(NOTHING_OPEN, point.id, f"{point.sessions_blocked_by} still lets no session start")
