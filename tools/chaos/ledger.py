"""Invariants of the ownership ledger: one owner at every commit, version + 1 for each success, sessions booked."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tools.chaos.evidence import Evidence
from tools.chaos.journal import Broken
from tools.chaos.watch import ONE_OWNER

VERSIONS = "version + 1 for each success"
SEEN = "what was committed once stands for ever"
BOOKED = "a session is booked to who had the charge point when it started"


def one_owner(evidence: Evidence) -> Iterator[Broken]:
    """Walk the ledger: periods follow each other without gap or overlap, and the last one is what the row says."""
    periods = evidence.by("ownership_periods", "charge_point_id")
    for point in evidence.of("charge_points"):
        line = sorted(periods[point.id], key=lambda period: period.version)
        if [period.version for period in line] != list(range(point.version + 1)):
            yield Broken(ONE_OWNER, point.id, f"version {point.version}, periods {[one.version for one in line]}")
            continue
        for before, after in pairwise(line):
            if before.ended_at != after.started_at or before.started_at > after.started_at:
                yield Broken(ONE_OWNER, point.id, f"{before} is not followed at once by {after}")
        if line[-1].ended_at is not None:
            yield Broken(ONE_OWNER, point.id, "no period is open")
        if (line[-1].owner_id, line[-1].group_id) != (point.owner_id, point.group_id):
            yield Broken(ONE_OWNER, point.id, f"{line[-1]} is not what its row says: {point}")


def versions(evidence: Evidence) -> Iterator[Broken]:
    """Count: a success changed the version by one, a roll-back after the change by two, anything else not at all."""
    periods = evidence.by("ownership_periods", "transfer_id")
    known = {row.id for row in evidence.of("transfers")}
    for stranger in set(periods) - known - {None}:
        yield Broken(VERSIONS, str(stranger), "its ledger period has no transfer")
    for transfer in evidence.of("transfers"):
        changes = {period.change: period for period in periods[transfer.id]}
        if set(changes) not in _possible(transfer.state):
            yield Broken(VERSIONS, transfer.id, f"{transfer.state}, but the ledger has {sorted(changes)}")
        yield from _holders(transfer, changes)


def _possible(state: str) -> list[set[str]]:
    if state in {"completed", "completed_with_warnings", "reconfiguring"}:
        return [{"transfer"}]
    if state == "rolled_back":
        return [set(), {"transfer", "roll_back"}]
    if state == "rolling_back":
        return [set(), {"transfer"}, {"transfer", "roll_back"}]
    return [set()]


def _holders(transfer: Any, changes: dict[str, Any]) -> Iterator[Broken]:
    wanted = {
        "transfer": (transfer.from_version + 1, transfer.to_owner_id, transfer.to_group_id),
        "roll_back": (transfer.from_version + 2, transfer.from_owner_id, transfer.from_group_id),
    }
    for change, period in changes.items():
        found = (period.version, period.owner_id, period.group_id)
        if found != wanted[change]:
            yield Broken(VERSIONS, transfer.id, f"its {change} is {found}, not {wanted[change]}")


def what_was_seen(evidence: Evidence) -> Iterator[Broken]:
    """Look again for every owner that was seen during the run: crash or not, it is in the ledger still."""
    found = {
        (period.charge_point_id, period.version): (period.owner_id, period.group_id)
        for period in evidence.of("ownership_periods")
    }
    for (point, version), holder in evidence.seen.items():
        if found.get((point, version)) != holder:
            yield Broken(SEEN, point, f"version {version} was {holder}, and is {found.get((point, version))}")


def bookings(evidence: Evidence) -> Iterator[Broken]:
    """Compare: every charging session, late reports too, belongs to the period in which it started."""
    periods = evidence.by("ownership_periods", "charge_point_id")
    for session in evidence.of("charging_sessions"):
        begun = [one for one in periods[session.charge_point_id] if one.started_at <= session.started_at]
        holder = max(begun, key=lambda one: one.version, default=None)
        if holder is not None and (session.owner_id, session.group_id) != (holder.owner_id, holder.group_id):
            yield Broken(BOOKED, session.charge_point_id, f"{session} started in {holder}")
