"""Invariants of what is done once: entries of the audit trail, keys, letters."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from domain.keys import KeyPurpose, KnownTo
from domain.trail import TrailAction
from domain.transfer import FINAL
from persistence.chargers.charger_keys import BESIDE_KEPT, KeyState
from tools.chaos.evidence import Evidence
from tools.chaos.journal import Broken

ONCE = "every effect once"
ONE_KEY = "one new key for each order, and it is proven"
LETTERS = "every letter once, under its own Message-ID"

_SUCCESS: Final = frozenset({"completed", "completed_with_warnings"})
#: Endings that a decision leads to: written by the decision, not by the story's own last step.
_DECIDED: Final = frozenset({"declined", "cancelled", "expired"})


def trails(evidence: Evidence) -> Iterator[Broken]:
    """Count: a trail has no gaps, and each entry of what may happen once exactly as often as it happened."""
    found = evidence.by("audit_events", "subject")
    changes = Counter((period.transfer_id, period.change) for period in evidence.of("ownership_periods"))
    for row in evidence.of("transfers"):
        trail = sorted(found[row.id], key=lambda event: event.sequence)
        if [event.sequence for event in trail] != list(range(1, len(trail) + 1)):
            yield Broken(ONCE, row.id, f"its audit trail has gaps: {[event.sequence for event in trail]}")
        actions = Counter(str(event.action) for event in trail)
        wanted = {
            TrailAction.RESERVED: int(row.state != "refused"),
            TrailAction.OWNERSHIP_CHANGED: changes[row.id, "transfer"],
            TrailAction.OWNERSHIP_RESTORED: changes[row.id, "roll_back"],
            **({row.state: 1} if row.state in FINAL else {}),
        }
        for action, times in wanted.items():
            if actions[action] != times:
                yield Broken(ONCE, row.id, f"{row.state}: {action} is {actions[action]} times in its audit trail")
        if row.state in FINAL and row.state != "refused" and _told(trail) != 1:
            yield Broken(ONCE, row.id, f"{row.state}: the end was told {_told(trail)} times")


def _told(trail: list[Any]) -> int:
    return sum(event.action == TrailAction.TOLD and event.detail.get("subject") == "ended" for event in trail)


def keys(evidence: Evidence) -> Iterator[Broken]:
    """Count: no order has two keys that are sent; a change of owner without a warning has one that was proven.

    A key that its new owner types may be asked for again. At rest a charge point has one current key, beside it one
    that is pending at most, and of those that its charger may hold none that is older than its last proof.
    """
    ordered = evidence.by("credentials", "order_id")
    for order, found in ordered.items():
        sent = [key for key in found if key.purpose != KeyPurpose.TYPED]
        if order is not None and len(sent) > 1:
            yield Broken(ONE_KEY, order, f"it has {len(sent)} keys")
    for row in evidence.of("transfers"):
        rotates = row.from_owner_id != row.to_owner_id and row.connection == "keep"
        if row.state == "completed" and rotates:
            proven = [key for key in ordered[row.id] if key.proved_at is not None and key.withdrawn_at is None]
            if not proven:
                yield Broken(ONE_KEY, row.id, "completed, and no key of its was proven")
    for point, found in evidence.by("credentials", "charge_point_id").items():
        yield from _living(point, [key for key in found if key.state != KeyState.REVOKED])


def _living(point: str, keys: list[Any]) -> Iterator[Broken]:
    counts = Counter(key.state for key in keys)
    if counts[KeyState.CURRENT] != 1 or counts[KeyState.PENDING] > 1 or counts[KeyState.BESIDE] > BESIDE_KEPT:
        yield Broken(ONE_KEY, point, f"its living keys are {dict(counts)}")
        return
    [current] = [key for key in keys if key.state == KeyState.CURRENT]
    for key in keys:
        if key is not current and current.proved_at is not None and key.created_at < current.proved_at:
            yield Broken(ONE_KEY, point, f"the {key.purpose} key {key.id}, {key.state}, is older than the last proof")
        if key.state == KeyState.BESIDE and (key.known_to != KnownTo.PEOPLE or key.sealed_key is not None):
            yield Broken(ONE_KEY, point, f"the {key.purpose} key {key.id} is beside, and could be sent")


def letters(evidence: Evidence) -> Iterator[Broken]:
    """Count: a person gets one letter about an event, its repeats under its Message-ID; every end was written about."""
    named: Counter[tuple[str, str]] = Counter()
    for name, to in {(mail.message_id, mail.to) for mail in evidence.mails}:
        named[name, ""] += 1
        kind, _, rest = name.partition(".")
        named[f"{kind}.{rest.partition('.')[0]}", to] += 1
    for (name, to), count in named.items():
        if not to and count > 1:
            yield Broken(LETTERS, name, f"it went to {count} addresses")
        elif name.startswith(("ended.", "requested.", "accepted.", "settled.")) and count > 1:
            yield Broken(LETTERS, name, f"{to} got {count} of them")
    mailed = {mail.message_id.split(".")[1] for mail in evidence.mails if mail.message_id.startswith("ended.")}
    for row in evidence.of("transfers"):
        if row.state in FINAL and row.state != "refused" and row.id not in mailed:
            yield Broken(LETTERS, row.id, f"{row.state}, and nobody got a letter")
