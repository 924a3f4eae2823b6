"""Invariants of what is done once: entries of the audit trail, keys, letters."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from chaos.evidence import Evidence
from chaos.journal import Broken
from domain.trail import TrailAction
from domain.transfer import FINAL

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
    """Count: no order has two keys; a change of owner without a warning has one, which its charger has proven."""
    ordered = evidence.by("credentials", "order_id")
    for order, found in ordered.items():
        if order is not None and len(found) > 1:
            yield Broken(ONE_KEY, order, f"it has {len(found)} keys")
    for row in evidence.of("transfers"):
        rotates = row.from_owner_id != row.to_owner_id and row.connection == "keep"
        if row.state == "completed" and rotates:
            proven = [key for key in ordered[row.id] if key.proved_at is not None and key.withdrawn_at is None]
            if len(proven) != 1:
                yield Broken(ONE_KEY, row.id, f"completed with {len(proven)} keys that were proven")
    living = Counter((key.charge_point_id, key.state) for key in evidence.of("credentials") if key.state != "revoked")
    for (point, state), count in living.items():
        if count > 1:
            yield Broken(ONE_KEY, point, f"{count} keys are {state}")


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
