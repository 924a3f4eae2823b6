"""One run from its first part to its verdict: load and mishaps, then the drain, then the judgement."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from persistence.vault import Vault
from tools.chaos import evidence, site, town
from tools.chaos.attackers import Attackers, Attacks
from tools.chaos.errand import People
from tools.chaos.evidence import Evidence
from tools.chaos.integrator import Integrator
from tools.chaos.invariants import judge
from tools.chaos.journal import Broken, Journal
from tools.chaos.letters import Mailbox, Reader
from tools.chaos.mishaps import Mishaps
from tools.chaos.plan import Plan
from tools.chaos.report import Run
from tools.chaos.site import Site
from tools.chaos.staff import Staff
from tools.chaos.traffic import Traffic
from tools.chaos.watch import Watch
from tools.stage.supervisor import Report

#: How long the drain may take, in seconds; what is open then is a broken invariant.
_DRAIN_AT_MOST: Final = 420.0
_SHOWN_WITHIN: Final = 120.0


@dataclass(frozen=True)
class Options:
    """What a run is asked to be."""

    minutes: float
    seed: int
    charge_points: int
    every: float
    """Seconds between two errands."""
    folder: Path
    apart: bool = False
    """On two machines, by the plan; it ends when that does."""


async def perform(options: Options, report: Report) -> Run:
    """Run to the end; what is broken is in the result, and what is needed to look into it in the folder."""
    place = town.build(options.charge_points, _chance(options, "town"))
    async with site.running(options.folder, place, _chance(options, "links"), report, apart=options.apart) as found:
        chaos = _Chaos(options, found, report)
        try:
            await chaos.live()
            return await chaos.conclude()
        finally:
            await chaos.close()


def _chance(options: Options, purpose: str) -> Random:
    """Give each purpose its own chance, so that one does not depend on how often another draws."""
    return Random(f"{options.seed} {purpose}")  # noqa: S311 - to be repeated, not to be guessed


class _Chaos:
    def __init__(self, options: Options, found: Site, report: Report) -> None:
        self._options, self._site, self._report = options, found, report
        self._journal = Journal(found.stage.folder / "promises.jsonl")
        self._mailbox = Mailbox(found.stage.data / "mailbox")
        self._people = self._gather_people()
        self._watch = Watch(found.db)
        self._staff = Staff(self._people, found)
        self._traffic = Traffic(self._people, found.town, _chance(options, "traffic"))
        self._mishaps = Mishaps(found, _chance(options, "mishaps"), self._journal)
        self._plan = Plan(found, found.network, self._journal) if found.network else None
        self._attackers = Attackers(found, _chance(options, "attackers"), self._journal)
        self._attacks = Attacks()
        self._minutes = options.minutes
        self._drained_in = 0.0
        self._broken: list[Broken] = []

    def _gather_people(self) -> People:
        found, journal = self._site, self._journal
        integrators = {user: Integrator(user, key, found.apis, journal) for user, key in found.keys.items()}
        readers = {user: Reader(user, town.email_of(user), found.apis, self._mailbox, journal) for user in town.USERS}
        attacked = frozenset(found.town.attacked)
        return People(integrators, readers, journal, found.stage.ports.stations, attacked)

    async def live(self) -> None:
        """Go through load, mishaps and drain, all of it under attack; stops at the first thing that is broken."""
        try:
            async with asyncio.TaskGroup() as group, self._in_background(group, self._watch.run()):
                self._report("Load and mishaps …")
                async with self._in_background(group, self._attackers.run()):
                    async with (
                        self._in_background(group, self._staff.run()),
                        self._in_background(group, self._traffic.run(group, self._options.every)),
                    ):
                        await self._befall(group)
                    await self._drain()
                self._attacks = await self._attackers.conclude()
                await self._staff.until_back()
                for task in self._traffic.under_way:
                    task.cancel()
        except* Broken as group_of_broken:
            self._broken += [one for one in group_of_broken.exceptions if isinstance(one, Broken)]

    async def _befall(self, group: asyncio.TaskGroup) -> None:
        """Let happen what is to happen, for as long as the load lasts."""
        if self._plan is None:
            async with self._in_background(group, self._mishaps.run()):
                await asyncio.sleep(self._minutes * 60)  # pacing: the length of the run
            return
        began = time.monotonic()
        await self._plan.run()
        self._minutes = (time.monotonic() - began) / 60

    @asynccontextmanager
    async def _in_background(self, group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
        task = group.create_task(work)
        try:
            yield
        finally:
            task.cancel()

    async def _drain(self) -> None:
        self._report("Draining …")
        began = time.monotonic()
        self._staff.cloned |= self._attackers.became
        try:
            async with asyncio.timeout(_DRAIN_AT_MOST):
                await self._staff.drain(self._traffic.under_way)
        except TimeoutError:
            self._report("Something is open still.")
        self._drained_in = time.monotonic() - began

    async def close(self) -> None:
        """Close what people have open."""
        for integrator in self._people.integrators.values():
            await integrator.close()
        self._journal.close()

    async def conclude(self) -> Run:
        """Gather the evidence, keep it, and judge."""
        self._report("Judging …")
        found = await self._evidence()
        evidence.write(found, self._site.stage.folder / "evidence.json")
        if not self._broken:
            self._broken += judge(found)
        return Run(
            seed=self._options.seed,
            minutes=self._minutes,
            drained_in=self._drained_in,
            errands=self._traffic.errands,
            looks=self._watch.looks,
            mishaps=self._plan.counts if self._plan else self._mishaps.counts,
            parked=len(self._staff.parked),
            stubborn=len(self._staff.stubborn),
            tries=self._attackers.counts,
            journal=self._journal,
            evidence=found,
            broken=self._broken,
            happened=self._plan.happened if self._plan else (),
        )

    async def _evidence(self) -> Evidence:
        async with asyncio.timeout(_SHOWN_WITHIN):
            shown = await self._staff.look_at_everything()
        rows = await evidence.read_rows(self._site.db)
        return Evidence(
            rows=rows,
            memories=evidence.read_memories(self._site.stage.data / "stations"),
            vault=Vault([self._site.stage.secret_key]),
            shown=shown,
            outcomes=await evidence.read_outcomes(self._site.client, rows["transfers"]),
            mails=self._mailbox.look(),
            promises=self._journal.promises,
            seen=self._watch.seen,
            attacks=self._attacks,
        )
