"""What a drill has to tell, as text for a terminal and for docs/."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from tools.upgrade.outcome import Outcome, Phase
from tools.upgrade.releases import PATCHES
from tools.upgrade.verdict import names
from tools.upgrade.waiting import ATTENTION, group_of

_WIDTH: Final = 120


def markdown(outcome: Outcome) -> str:
    """Write the report."""
    return (
        "\n".join([*_head(outcome), *_phases(outcome), *_waited(outcome), *_counts(outcome), *_judged(outcome)]) + "\n"
    )


def _head(outcome: Outcome) -> Iterator[str]:
    count = sum(outcome.counts.values())
    _, this, following = outcome.revisions
    yield from ("# An upgrade, and the way back", "")
    yield from _wrapped(
        "Written by `make upgrade-drill`. Two releases are made of this tree: what is committed (revision "
        f"{this}), and the next one (`tools/upgrade/templates`), which adds columns (revision {following}), an "
        "optional field of a message, an activity, and two patches of the transfer's workflow that call it: "
        f"`{'`, `'.join(PATCHES)}`. Real parts: PostgreSQL, Temporal's server, two workers, two gateway nodes, two "
        "API processes, a mailbox, and a charger for each charge point. Parts are replaced one after the other: one is "
        "told to stop (SIGTERM), the other release's starts in its place, and the next one's turn comes once that is "
        "ready. All the time an operator lists transfers, and people do what the tables say."
    )
    verdict = "Everything went as promised" if not outcome.broken else f"**{len(outcome.broken)} things are broken**"
    yield from (f"{verdict}, with {count} transfers that waited, and those that were begun meanwhile.", "")
    waits = Counter(ATTENTION[group] for group, number in outcome.counts.items() for _ in range(number))
    yield from _table("What they waited for", waits)


def _phases(outcome: Outcome) -> Iterator[str]:
    yield from ("## What was done", "", "| phase | took | what people did meanwhile |", "|---|---|---|")
    for phase in outcome.phases:
        yield f"| {phase.name} | {phase.seconds:.0f} s | {_deeds(phase)} |"
    yield ""
    for phase in outcome.phases:
        for note in phase.notes:
            yield from textwrap.wrap(f"- {phase.name.partition(':')[0]}: {note}", _WIDTH, subsequent_indent="  ")
    yield ""


def _deeds(phase: Phase) -> str:
    return ", ".join(f"{what}: {count}" for what, count in phase.done.items())


def _waited(outcome: Outcome) -> Iterator[str]:
    if not outcome.waited:
        return
    yield from ("## Which runs waited for the newer release", "")
    yield from _wrapped(
        "Taken back with patches that were activated: these runs' workflow tasks failed on the older workers, and "
        f"every other run went on. Who decided on one of them was answered `{outcome.answered}`; the same call was "
        "taken once the newer release was back."
    )
    yield from ("| transfer of | why | went on, after both workers were replaced |", "|---|---|---|")
    for point, why, seconds in outcome.waited:
        yield f"| {point} | {why} | {seconds} s |"
    yield ""


def _counts(outcome: Outcome) -> Iterator[str]:
    yield from _table("How the transfers ended", Counter(f"{group_of(p)}: {end}" for p, end in outcome.ends.items()))
    if outcome.journal is not None:
        yield from _table("Answers to calls, all through it", outcome.journal.answers)
        yield from _table("Why a client sent a call again", outcome.journal.repeats)


def _judged(outcome: Outcome) -> Iterator[str]:
    broken = Counter(one.invariant for one in outcome.broken)
    yield from ("## What was judged", "")
    for name in dict.fromkeys([*names(), *broken]):
        yield f"- {name}: {'**broken**' if broken[name] else 'holds'}"
    yield f"- looks at the register meanwhile: {outcome.looks}"


def _wrapped(text: str) -> Iterator[str]:
    yield from (*textwrap.wrap(text, _WIDTH, break_on_hyphens=False), "")


def _table(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    if not counts:
        return
    yield from (f"## {title}", "", "| what | count |", "|---|---|")
    for name, count in sorted(counts.items()):
        yield f"| {name} | {count} |"
    yield ""
