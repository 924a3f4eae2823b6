"""Every invariant that a run is judged by, in the order in which it is looked at."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tools.chaos import agreement, attacks, chargers, effects, ledger, promises
from tools.chaos.evidence import Evidence
from tools.chaos.journal import Broken
from tools.chaos.watch import ONE_OWNER

Invariant = Callable[[Evidence], Iterator[Broken]]

INVARIANTS: Final[Mapping[Invariant, str]] = {
    ledger.one_owner: ONE_OWNER,
    ledger.versions: ledger.VERSIONS,
    ledger.what_was_seen: ledger.SEEN,
    ledger.bookings: ledger.BOOKED,
    promises.commands: promises.KEPT,
    promises.one_request: promises.ONE_REQUEST,
    agreement.workflows: agreement.AGREE,
    agreement.shown: agreement.SHOWN,
    agreement.reconciled: agreement.RECONCILED,
    agreement.nothing_open: agreement.NOTHING_OPEN,
    effects.trails: effects.ONCE,
    effects.keys: effects.ONE_KEY,
    effects.letters: effects.LETTERS,
    chargers.passwords: chargers.OPENS,
    chargers.local_lists: chargers.TAGS,
    chargers.in_service: chargers.IN_SERVICE,
    attacks.untold: attacks.UNTOLD,
    attacks.over: attacks.OVER,
    attacks.unmoved: attacks.UNMOVED,
    attacks.ways_in: attacks.WAY_IN,
}


def judge(evidence: Evidence) -> list[Broken]:
    """Give everything that does not hold."""
    return [broken for invariant in INVARIANTS for broken in invariant(evidence)]
