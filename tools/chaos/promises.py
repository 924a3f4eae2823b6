"""Invariants of what was acknowledged: every command reached its effect or an end, and had it once."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from domain.actors import Actor
from domain.approval import Decision
from domain.trail import decided, of_resolution
from domain.transfer import OperatorAction
from persistence.vault import fingerprint
from tools.chaos.evidence import Evidence
from tools.chaos.journal import Broken

KEPT = "every acknowledged command reached its effect or an end"
ONE_REQUEST = "one idempotency key is one request"

_ACCEPTED: Final = frozenset({"transferring", "reconfiguring", "completed", "completed_with_warnings"})
_TURNED: Final = frozenset({"rolling_back", "rolled_back"})
#: The states in which a transfer may be after a decision that was acknowledged.
_AFTER: Final[Mapping[str, frozenset[str]]] = {
    "accept": _ACCEPTED | _TURNED,
    "accept_by_link": _ACCEPTED | _TURNED,
    "decline": frozenset({"declined"}),
    "cancel": frozenset({"cancelled"}) | _TURNED,
}


_RESOLUTIONS: Final = frozenset(of_resolution(action) for action in OperatorAction)


def commands(evidence: Evidence) -> Iterator[Broken]:
    """Look up: a start has its transfer, a decision its state and one entry in the trail, an operator's act its own."""
    states = {row.id: row.state for row in evidence.of("transfers")}
    for promise in evidence.promises:
        state = states.get(promise.subject)
        if promise.call == "start" and state is None:
            yield Broken(KEPT, promise.subject, f"{promise} has no transfer")
        if promise.call in _AFTER and state not in _AFTER[promise.call]:
            yield Broken(KEPT, promise.subject, f"{promise}, and the transfer is {state}")
    yield from _decisions(evidence)
    yield from _acts(evidence)


def _decisions(evidence: Evidence) -> Iterator[Broken]:
    trails = evidence.by("audit_events", "subject")
    for promise in evidence.promises:
        if promise.call in _AFTER and promise.call != "accept_by_link":
            once = decided(Decision(promise.call), Actor(f"user:{promise.user}"))
            if [event.once for event in trails[promise.subject]].count(once) != 1:
                yield Broken(KEPT, promise.subject, f"{promise} is not once in the audit trail")


def _acts(evidence: Evidence) -> Iterator[Broken]:
    """Each act of an operator is in the audit trail once, as theirs, with its order."""
    trails, orders = evidence.by("audit_events", "subject"), evidence.by("orders", "subject")
    for promise in evidence.promises:
        if promise.call == "resolve":
            request = fingerprint(f"{promise.user} {promise.key}")[:32]
            given = {order.id for order in orders[promise.subject] if order.request_id == request}
            actor = f"operator:{promise.user}"
            resolutions = (event for event in trails[promise.subject] if event.action in _RESOLUTIONS)
            noted = [event for event in resolutions if event.order_id in given and event.actor == actor]
            if len(noted) != 1:
                yield Broken(KEPT, promise.subject, f"{promise} is {len(noted)} times in the audit trail")


def one_request(evidence: Evidence) -> Iterator[Broken]:
    """Compare: all answers to one idempotency key name one transfer, and there is one request of it."""
    answered: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for promise in evidence.promises:
        if promise.call == "start":
            answered[promise.user, promise.key].add(promise.subject)
    kept = {(row.user_id, row.idempotency_key): row.transfer_id for row in evidence.of("requests")}
    for key, transfers in answered.items():
        if transfers != {kept.get(key)}:
            yield Broken(ONE_REQUEST, f"{key}", f"answers name {sorted(transfers)}, the request {kept.get(key)}")
