"""Invariants of the attacks: who knows a charger's first password gets no other one, and decides nothing."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from domain.keys import KeyPurpose
from domain.policy import Policy
from persistence.chargers.charger_keys import PURPOSE
from tools.chaos.attackers import Heard
from tools.chaos.chargers import opens
from tools.chaos.evidence import Evidence
from tools.chaos.journal import Broken
from tools.chaos.site import SETTINGS

UNTOLD: Final = "nobody who has a former owner's key is told another"
OVER: Final = "a former owner's key opens nothing once there is a new one"
UNMOVED: Final = "what a former owner's client says turns no transfer"
WAY_IN: Final = "each charger that is attacked has its own way in"

#: How long a connection may be opened, and be open, after its key ended: a link is held up, PostgreSQL has crashed.
_OPENED_WITHIN: Final = timedelta(seconds=20)
_CLOSED_WITHIN: Final = timedelta(seconds=60)
#: Why a transfer that waits for its new owner's key may have been turned round after the change.
_TURNED_BY_PEOPLE: Final = frozenset({"operator", "cancelled"})
_DEADLINE: Final = Policy.model_validate(
    {"offline_deadline": SETTINGS["HANDOVER_POLICY__OFFLINE_DEADLINE"]}
).offline_deadline


def untold(evidence: Evidence) -> Iterator[Broken]:
    """Compare: of all that its client heard since a change of owner began, nothing is, or sets, a key."""
    macs = {
        mac: key for key in evidence.of("credentials") for mac in (key.mac, key.mac_decoded) if mac and _is_news(key)
    }
    spans = {point: list(_changes_hands(evidence, point)) for point in evidence.attacks.passwords}
    for heard in evidence.attacks.heard:
        key = next((macs[mac] for mac in _macs(evidence, heard) if mac in macs), None)
        sets = heard.action == "SetNetworkProfile" or any("password" in one.lower() for one in heard.texts)
        if key is None and not sets and "AuthorizationKey" not in heard.texts:
            continue
        left = key.last_sent_at if key is not None and key.last_sent_at is not None else heard.at
        if any(began <= left and (ended is None or left < ended) for began, ended in spans[heard.point]):
            yield Broken(UNTOLD, heard.point, f"{heard.action} at {heard.at}: the key {key and key.id}")


def _is_news(key: Any) -> bool:
    return bool(key.purpose != KeyPurpose.GIVEN)


def _macs(evidence: Evidence, heard: Heard) -> Iterator[str]:
    for text in heard.texts:
        yield evidence.vault.mac(PURPOSE, text.encode())


def _changes_hands(evidence: Evidence, point: str) -> Iterator[tuple[datetime, datetime | None]]:
    """Give from when on each change of owner was at work, and the end of one that came to nothing."""
    trails = evidence.by("audit_events", "subject")
    for row in evidence.of("transfers"):
        if row.charge_point_id != point or row.from_owner_id == row.to_owner_id:
            continue
        times = {event.action: event.at for event in trails[row.id]}
        began = times.get("transferring" if row.acceptance == "required" else "reserved")
        if began is not None:
            yield began, times.get("rolled_back")


def over(evidence: Evidence) -> Iterator[Broken]:
    """Try it: the first password is refused at rest, and its sockets are closed, once it is no key any more."""
    keys = evidence.by("credentials", "charge_point_id")
    ended: dict[str, datetime] = {}
    for point, password in evidence.attacks.passwords.items():
        living = [key for key in keys[point] if key.state != "revoked"]
        proven = any(key.proved_at is not None for key in keys[point])
        opened = evidence.attacks.opens.get(point, False)
        if proven and any(opens(evidence, key, password.encode()) for key in living):
            yield Broken(OVER, point, "another key was proven, and the first one is living")
        if opened and (proven or not any(opens(evidence, key, password.encode()) for key in living)):
            yield Broken(OVER, point, "the first password opens a connection still")
        first = [key.revoked_at for key in keys[point] if key.purpose == KeyPurpose.GIVEN and key.revoked_at]
        ended |= {point: min(first)} if first else {}
    for stay in evidence.attacks.stays:
        if stay.point in ended and stay.began > ended[stay.point] + _OPENED_WITHIN:
            yield Broken(OVER, stay.point, f"let in at {stay.began}, and its key ended at {ended[stay.point]}")
        if stay.point in ended and stay.ended > ended[stay.point] + _CLOSED_WITHIN:
            yield Broken(OVER, stay.point, f"its socket was open at {stay.ended}; its key ended at {ended[stay.point]}")


def unmoved(evidence: Evidence) -> Iterator[Broken]:
    """Look: a transfer over a key that people know ends by its new owner's key, its deadline, or an operator."""
    trails = evidence.by("audit_events", "subject")
    keys = evidence.by("credentials", "order_id")
    changes = {one.transfer_id: one.started_at for one in evidence.of("ownership_periods") if one.change == "transfer"}
    for row in evidence.of("transfers"):
        if row.charge_point_id not in evidence.attacks.passwords:
            continue
        events = {event.action: event for event in trails[row.id]}
        if row.id not in changes or not _waited(row, trails[row.id]):
            continue
        proven = any(key.proved_at is not None and key.purpose == KeyPurpose.TYPED for key in keys[row.id])
        if row.state == "rolled_back" and row.reason not in _TURNED_BY_PEOPLE:
            yield Broken(UNMOVED, row.id, f"rolled back after the change: {row.reason}")
        if "credentials_cannot_be_rotated" in row.warnings:
            yield Broken(UNMOVED, row.id, "somebody said that it takes no key, and was believed")
        if row.state == "completed" and not proven:
            yield Broken(UNMOVED, row.id, "completed without its new owner's key")
        ended = events.get("completed_with_warnings")
        if ended is None or proven or "resolved_complete" in events:
            continue
        if not {"old_key_known", "credentials_due"} & set(str(ended.detail.get("warnings")).split(",")):
            yield Broken(UNMOVED, row.id, f"completed with nothing but {ended.detail}")
        takes_none = any(event.action == "rotates_no" for event in trails[f"charge_point:{row.charge_point_id}"])
        since = changes[row.id]
        if not takes_none and ended.at < since + _DEADLINE:
            yield Broken(UNMOVED, row.id, f"changed at {since}, and over at {ended.at}, before its deadline")


def _waited(row: Any, trail: list[Any]) -> bool:
    """Whether it waited for a key that its new owner types; of one that was turned round only its trail says so."""
    return bool(row.new_key) or any(event.detail.get("subject") == "new_key" for event in trail)


def ways_in(evidence: Evidence) -> Iterator[Broken]:
    """Look: its own password is a living key, and its place is its own, not somebody's at another address."""
    keys = evidence.by("credentials", "charge_point_id")
    links = {row.charge_point_id: row for row in evidence.of("charger_links")}
    identities = {row.id: row.identity for row in evidence.of("charge_points")}
    for point in evidence.attacks.passwords:
        secret = evidence.memories[identities[point]].secret()
        own = [key.id for key in keys[point] if key.state != "revoked" and opens(evidence, key, secret)]
        link = links.get(point)
        if not own:
            yield Broken(WAY_IN, point, "its own password opens nothing")
        place = link and (link.node, link.address, link.credential_id)
        if place is None or None in place or place[1] != evidence.attacks.chargers_from or place[2] not in own:
            yield Broken(WAY_IN, point, f"its place is {place}")
