"""What is judged at the end of a drill, by the invariants of chaos."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from persistence.vault import Vault
from tools.chaos import agreement, chargers, effects, evidence, ledger, promises
from tools.chaos.evidence import Evidence
from tools.chaos.invariants import INVARIANTS, Invariant
from tools.chaos.journal import Broken, Journal
from tools.chaos.letters import Mailbox
from tools.chaos.watch import Seen
from tools.upgrade.hands import GOES_ON, Hands
from tools.upgrade.runs import WAIT
from tools.upgrade.site import Site

STARTS: Final = "a process starts with tables that its release works with, and refuses others"
COUNTED: Final = "what alerts and dashboard say of Temporal is counted by it"
#: What is judged at the end; who attacks is none of a drill.
JUDGED: Final[Sequence[Invariant]] = (
    *(ledger.one_owner, ledger.versions, ledger.what_was_seen, ledger.bookings),
    *(promises.commands, promises.one_request),
    *(agreement.workflows, agreement.shown, agreement.reconciled, agreement.nothing_open),
    *(effects.trails, effects.keys, effects.letters),
    *(chargers.passwords, chargers.local_lists, chargers.in_service),
)
#: Seconds.
_TOLD_WITHIN: Final = 120.0


def names() -> list[str]:
    """Give the names of what is judged."""
    return [GOES_ON, WAIT, STARTS, COUNTED, *(INVARIANTS[invariant] for invariant in JUDGED)]


async def judge(found: Site, hands: Hands, journal: Journal, seen: Seen) -> list[Broken]:
    """Keep the evidence, and give everything that does not hold."""
    with suppress(TimeoutError):  # what is not told then is broken
        async with asyncio.timeout(_TOLD_WITHIN):
            await _until_told(found)
    rows = await evidence.read_rows(found.db)
    everything = Evidence(
        rows=rows,
        memories=evidence.read_memories(found.stage.data / "stations"),
        vault=Vault([found.stage.secret_key]),
        shown=await hands.shown(),
        outcomes=await evidence.read_outcomes(found.client, rows["transfers"]),
        mails=Mailbox(found.stage.data / "mailbox").look(),
        promises=journal.promises,
        seen=seen,
    )
    evidence.write(everything, found.stage.folder / "evidence.json")
    return [broken for invariant in JUDGED for broken in invariant(everything)]


async def _until_told(found: Site) -> None:
    """Wait until each end was told."""
    while True:
        rows = await evidence.read_rows(found.db)
        if not list(effects.trails(Evidence(rows=rows, memories={}, vault=Vault([found.stage.secret_key])))):
            return
        await asyncio.sleep(1)  # a worker's doing: there is nothing to wait on
