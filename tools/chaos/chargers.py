"""Invariants of the chargers' own memories: what they hold is what the platform says, and none is locked out."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from domain.keys import OWN
from persistence.chargers.charger_keys import PURPOSE
from tools.chaos.evidence import Evidence
from tools.chaos.journal import Broken
from tools.simulator.state import StationState

OPENS = "each charger holds the key that opens its connection"
TAGS = "each charger's local list is its group's"
IN_SERVICE = "each charger is connected and in service"

#: A transfer with one of these left its charger's list, or its state, as it could.
_LIST_LEFT: Final = frozenset({"lists_due", "lists_not_supported", "left_undone_by_operator"})
_SERVICE_LEFT: Final = frozenset({"release_due", "left_undone_by_operator"})


def passwords(evidence: Evidence) -> Iterator[Broken]:
    """Compare: each charger's password is one of its keys; one is pending only where something waits for it."""
    keys = evidence.by("credentials", "charge_point_id")
    for point in evidence.of("charge_points"):
        living = [key for key in keys[point.id] if key.state != "revoked"]
        states = sorted(key.state for key in living)
        secret = evidence.memories[point.identity].secret()
        if living and not any(opens(evidence, key, secret) for key in living):
            yield Broken(OPENS, point.id, f"its password is none of its keys {states}")
        if states == ["pending"]:
            yield Broken(OPENS, point.id, "a key is pending, and none is current")
        for key in living:
            if key.state == "pending" and not _may_be_pending(evidence, point, key):
                yield Broken(OPENS, point.id, f"a {key.purpose} key is still pending, and nothing is under way")


def _may_be_pending(evidence: Evidence, point: Any, key: Any) -> bool:
    """Whether a key waits for its proof as it may: until its transfer is over, or as the owner's own at no cost.

    One that was withdrawn, and may have been taken, is good until the charger has used either.
    """
    if key.withdrawn_at is not None:
        return key.sent_at is not None
    own = key.purpose in OWN and key.version >= point.owner_version
    return own or _waits(evidence, point.id)


def opens(evidence: Evidence, key: Any, secret: bytes) -> bool:
    """Whether a password is a key."""
    return any(mac and evidence.vault.matches(PURPOSE, secret, mac) for mac in (key.mac, key.mac_decoded))


def _waits(evidence: Evidence, point: str) -> bool:
    return any(row.charge_point_id == point and (row.active or row.due) for row in evidence.of("transfers"))


def local_lists(evidence: Evidence) -> Iterator[Broken]:
    """Compare: no charger lets a former group's tag charge; after a change of group it lets the new group's.

    What it was sent since its key is older than its owner is empty; which of both was sent it that have that key is not
    certain.
    """
    tags = {group: {row.id_tag for row in rows} for group, rows in evidence.by("tags", "group_id").items()}
    for point, last in judged_lists(evidence).items():
        memory, row = _memory(evidence, point), _row(evidence, point)
        if row.until_new_key is not None and point in evidence.attacks.passwords:
            continue
        known = row.until_new_key is not None and last.from_version + 1 >= row.owner_version
        accepted = {tag for tag, status in memory.local_list.items() if status == "Accepted"}
        present = _row(evidence, point).group_id
        wanted = set() if known else tags.get(present, set())
        if accepted - wanted:
            yield Broken(TAGS, point, f"in {present}, and it accepts {sorted(accepted - wanted)} after {last.id}")
        if last.state != "rolled_back" and wanted - accepted:
            yield Broken(TAGS, point, f"in {present}, and it does not know {sorted(wanted - accepted)} after {last.id}")


def judged_lists(evidence: Evidence) -> Mapping[str, Any]:
    """Give the last change of group of each charge point whose list the platform has a word about.

    Left out is a charger that was told what it does not support, or that an operator left as it was: its list is known
    again from the next change of group that went through.
    """
    found: dict[str, Any] = {}
    for row in sorted(evidence.of("transfers"), key=lambda one: one.finished_at or one.requested_at):
        if row.from_group_id == row.to_group_id or not _changed(evidence, row):
            continue
        left = not _LIST_LEFT.isdisjoint(row.warnings) or row.active
        if left:
            found.pop(row.charge_point_id, None)
        elif row.state != "rolled_back" or row.charge_point_id in found:
            found[row.charge_point_id] = row
    return found


def in_service(evidence: Evidence) -> Iterator[Broken]:
    """Look: each charger with a key is connected, out of quarantine, and in service where nothing says otherwise."""
    links = {row.charge_point_id: row for row in evidence.of("charger_links")}
    keyed = {row.charge_point_id for row in evidence.of("credentials") if row.state == "current"}
    out = _left_out_of_service(evidence)
    for point in evidence.of("charge_points"):
        link = links.get(point.id)
        if point.id in keyed and (link is None or link.node is None):
            yield Broken(IN_SERVICE, point.id, "it is not connected")
        if point.id not in keyed and link is not None and link.node is not None:
            yield Broken(IN_SERVICE, point.id, "it is connected without a key")
        if link is not None and link.node is not None and link.quarantined and not _waits(evidence, point.id):
            yield Broken(IN_SERVICE, point.id, "it is in quarantine, and nothing is due")
        if point.id not in out and not evidence.memories[point.identity].available:
            yield Broken(IN_SERVICE, point.id, "it is inoperative, and nothing is due")


def _left_out_of_service(evidence: Evidence) -> set[str]:
    """List the charge points whose last quieting transfer left them as they were, or has not ended."""
    out: set[str] = set()
    for row in sorted(evidence.of("transfers"), key=lambda one: one.finished_at or one.requested_at):
        if row.active or not _SERVICE_LEFT.isdisjoint(row.warnings):
            out.add(row.charge_point_id)
        elif row.state == "completed" and row.kind == "transfer_to_user":
            out.discard(row.charge_point_id)
    return out


def _changed(evidence: Evidence, transfer: Any) -> bool:
    return any(period.transfer_id == transfer.id for period in evidence.of("ownership_periods"))


def _row(evidence: Evidence, point: str) -> Any:
    return next(row for row in evidence.of("charge_points") if row.id == point)


def _memory(evidence: Evidence, point: str) -> StationState:
    return evidence.memories[str(_row(evidence, point).identity)]
