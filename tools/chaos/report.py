"""What a run has to tell: its counts, as text for a terminal and for docs/."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tools.chaos.agreement import parked
from tools.chaos.chargers import judged_lists
from tools.chaos.evidence import Evidence
from tools.chaos.invariants import INVARIANTS
from tools.chaos.journal import Broken, Journal
from tools.chaos.plan import Happened

_WIDTH: Final = 120


@dataclass(frozen=True)
class Run:
    """One run as it went."""

    seed: int
    minutes: float
    """Of load and mishaps; the drain comes on top."""
    drained_in: float
    """Seconds."""
    errands: int
    looks: int
    mishaps: Counter[str]
    parked: int
    """How many transfers waited for an operator at some time."""
    stubborn: int
    """How many chargers stayed in quarantine until somebody typed new credentials in."""
    tries: Counter[str]
    """How often an attacker's try ended how."""
    journal: Journal
    evidence: Evidence
    broken: list[Broken]
    happened: Sequence[Happened] = ()
    """On two machines: what was planned, as it went."""


def markdown(run: Run) -> str:
    """Write the report."""
    return "\n".join([*_head(run), *_planned(run), *_counts(run), *_invariants(run)]) + "\n"


def _head(run: Run) -> Iterator[str]:
    versions = Counter(point.ocpp for point in run.evidence.of("charge_points"))
    charge_points = (
        f"{versions.total()} charge points ({versions['1.6']} speak OCPP 1.6, {versions['2.0.1']} OCPP 2.0.1) that "
        "come in at either node."
    )
    attacks = (
        f"Clients of former owners, which know the first password of {len(run.evidence.attacks.passwords)} charge "
        "points, come with it all the time, each from its own address, at either node, and answer as chance has it."
    )
    title, parts = (_two_machines if run.happened else _one_machine)(run, charge_points, attacks)
    verdict = "Every invariant holds." if not run.broken else f"**{len(run.broken)} times an invariant is broken.**"
    yield from (f"# {title}", "", textwrap.fill(parts, _WIDTH, break_on_hyphens=False), "")
    yield f"{verdict} {run.minutes:.3g} minutes of load and mishaps, {run.drained_in:.0f} s until nothing was open."
    yield ""


def _one_machine(run: Run, charge_points: str, attacks: str) -> tuple[str, str]:
    return "A chaos run", (
        f"Written by `make chaos ARGS='--minutes {run.minutes:g} --seed {run.seed} --report FILE'`. Real parts: "
        "PostgreSQL, a Temporal server with its database in a file, two workers, two gateway nodes, two API processes, "
        f"a mailbox, and {charge_points} "
        "Every link between them can be slow, held up or reset. Chargers are enrolled; where one is not, a change of "
        f"owner waits for a key that its new owner types, and ends without it where they never do. {attacks} "
        "A run of the same seed has the same charge points, faults, and order of mishaps and wishes; when each meets "
        "the other is up to the machine."
    )


def _two_machines(run: Run, charge_points: str, attacks: str) -> tuple[str, str]:
    return "A run on two machines", (
        f"Written by `make two-machines ARGS='--seed {run.seed} --report FILE'`. A and B are network namespaces with "
        "an address each, and on either one API, one worker and one gateway node (api-1, worker-1 and gateway-1, which "
        "is node-1, on A); PostgreSQL, a Temporal server with its database in a file, and the mailbox are on a third. "
        f"A router is between them, at which there are also the clients, a balancer, and {charge_points} {attacks} "
        "Clients ask both APIs in turn. What is cut is cut at the router: packets are lost there without a word, so no "
        "end of a connection learns that it is over. The faults of chargers, the wishes and the invariants are those "
        "of [a chaos run](chaos.md); what befalls the parts is planned, by the number of transfers started. A command "
        "that is not taken found nobody at its node's queue: after 5 s it is looked up anew where the charger is. All "
        "three have one kernel, so one clock, and one disk; Temporal is its development server, and no line has TLS."
    )


def _planned(run: Run) -> Iterator[str]:
    if not run.happened:
        return
    yield from ("## What befell the machines", "", "| started | at | what | what was seen |", "|---|---|---|---|")
    for one in run.happened:
        yield f"| {one.after} | {one.seconds:.0f} s | {one.what} | {one.seen} |"
    yield ""


def _counts(run: Run) -> Iterator[str]:
    evidence, journal = run.evidence, run.journal
    transfers = evidence.of("transfers")
    warnings = Counter(str(warning) for row in transfers for warning in row.warnings)
    yield from _table("Transfers", Counter(f"{row.kind}: {row.state}" for row in transfers))
    yield from _table("Warnings that stand", warnings)
    yield from _table("Reasons", Counter(str(row.reason) for row in transfers if row.reason))
    yield from _table("Mishaps", run.mishaps)
    yield from _table("Acknowledged commands", Counter(promise.call for promise in journal.promises))
    yield from _table("Answers", Counter({k: v for k, v in journal.answers.items() if not k.startswith("read 200")}))
    yield from _table("What attackers' tries came to", run.tries)
    yield from _table("What new owners did who were asked to type a key", journal.new_keys)
    yield from _table("Seen at the chargers' sockets", Counter(row.kind for row in evidence.of("findings")))
    yield from _table("Why a client sent a request again", journal.repeats)
    yield from _table("Given up without an answer, so judged by the database alone", journal.unknown)


def _invariants(run: Run) -> Iterator[str]:
    evidence = run.evidence
    known = sum(point.until_new_key is not None for point in evidence.of("charge_points"))
    yield from _table(
        "What was judged",
        {
            "errands": run.errands,
            "looks at the register during the run": run.looks,
            "owners seen, each of them in the ledger still": len(evidence.seen),
            "ledger periods": len(evidence.of("ownership_periods")),
            "transfers and their workflows": len(evidence.of("transfers")),
            "entries of audit trails": len(evidence.of("audit_events")),
            "keys of chargers": len(evidence.of("credentials")),
            "letters": len({mail.message_id for mail in evidence.mails}),
            "letters delivered again, under the same Message-ID": len(evidence.mails)
            - len({(mail.message_id, mail.to) for mail in evidence.mails}),
            "charge points that were attacked": len(evidence.attacks.passwords),
            "connections that attackers had": len(evidence.attacks.stays),
            "calls that attackers heard": len(evidence.attacks.heard),
            "attackers that their charge point's own owner enrolled": len(evidence.attacks.became),
            "attackers that the known key lets in still": sum(evidence.attacks.opens.values()),
            "charge points whose owner never typed a key that is not known": known,
            "charging sessions": len(evidence.of("charging_sessions")),
            "chargers' memories": len(evidence.memories),
            "of these with a local list that is known": len(judged_lists(evidence)),
            "chargers that stayed in quarantine until their owner had new credentials typed in": run.stubborn,
            "transfers that waited for an operator at some time": run.parked,
            "transfers that wait for an operator still": len(parked(evidence)),
        },
    )
    broken = Counter(one.invariant for one in run.broken)
    yield "## Invariants"
    yield ""
    for invariant, name in INVARIANTS.items():
        summary = (invariant.__doc__ or "").partition("\n")[0]
        verdict = f"- {name}: {'**broken**' if broken[name] else 'holds'}. {summary}"
        yield textwrap.fill(verdict, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _table(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    if not counts:
        return
    yield from (f"## {title}", "", "| what | count |", "|---|---|")
    for name, count in sorted(counts.items()) if isinstance(counts, Counter) else counts.items():
        yield f"| {name} | {count} |"
    yield ""
