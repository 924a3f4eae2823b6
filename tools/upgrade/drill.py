"""One drill from its first transfer to its verdict: forth, back, forth with patches, back, and forth for good."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tools.chaos.journal import Broken, Journal
from tools.chaos.watch import Watch
from tools.stage.supervisor import ROOT, Report
from tools.upgrade import site
from tools.upgrade.hands import Hands
from tools.upgrade.outcome import Outcome, Phase
from tools.upgrade.releases import PATCHES, Release
from tools.upgrade.runs import PATCHED, REPORTED, WAIT, Runs
from tools.upgrade.site import PARTS, Site
from tools.upgrade.verdict import COUNTED, STARTS, judge
from tools.upgrade.waiting import ASKED, ATTENTION, MOVE, Group, Town, group_of

DEPLOY: Final = ROOT / "deploy"
#: Runs that are patched and open when the release is taken back: begun under the patches, or past the change of owner.
_PATCHED: Final = frozenset({"later-6", "later-7", "away-1", "away-2"})

Act = Callable[[], Awaitable[None]]


async def perform(counts: Mapping[Group, int], folder: Path, report: Report) -> Outcome:
    """Make the releases, run every part, go through all phases, and judge."""
    releases = folder / "releases"
    this = await asyncio.to_thread(Release.of_head, releases / "this")
    following = await asyncio.to_thread(this.next, releases / "next")
    older = await asyncio.to_thread(this.too_old, releases / "too-old")
    town = Town(counts)
    async with site.running(folder, town, this, report) as found:
        drill = _Drill(found, (older, this, following), report)
        try:
            return await drill.run()
        finally:
            await drill.close()


class _Drill:
    def __init__(self, found: Site, releases: tuple[Release, Release, Release], report: Report) -> None:
        self._site, self._report = found, report
        self._older, self._this, self._next = releases
        self._journal = Journal(found.stage.folder / "promises.jsonl")
        self._hands = Hands(found, self._journal)
        self._runs = Runs(found.client, self._hands.transfers)
        self._watch = Watch(found.db)
        older, this, following = (release.revision for release in releases)
        self._outcome = Outcome(found.town.counts, (older, this, following), journal=self._journal)

    async def close(self) -> None:
        await self._hands.close()
        self._journal.close()

    async def run(self) -> Outcome:
        """Go through all of it; stops at the first thing that is broken."""
        try:
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(self._watch.run()), group.create_task(self._hands.read_all_the_time())]
                await self._phases()
                for task in beside:
                    task.cancel()
                self._outcome.broken += await self._judged()
        except* Broken as found:
            self._outcome.broken += [one for one in found.exceptions if isinstance(one, Broken)]
        self._outcome.looks = self._watch.looks
        return self._outcome

    async def _phases(self) -> None:
        await self._begin()
        await self._migrate()
        await self._forth()
        await self._back()
        await self._forth_and_activate()
        await self._back_with_patched_runs()
        await self._forth_for_good()
        await self._end_all()

    @asynccontextmanager
    async def _phase(self, name: str) -> AsyncIterator[Phase]:
        self._report(f"{name} …")
        phase, began = Phase(name), time.monotonic()
        yield phase
        phase.seconds = time.monotonic() - began
        self._outcome.phases.append(phase)

    # --- the phases -----------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        points = [point["id"] for point in self._site.town.charge_points if group_of(point["id"]) is not Group.LATER]
        async with self._phase(f"{len(points)} transfers begin, and wait") as phase:
            for point in points:
                await self._hands.begin(point)
            await self._hands.see_waiting(points)
            phase.done.update(ATTENTION[group_of(point)] for point in points)

    async def _migrate(self) -> None:
        """Bring the tables to the next release's, beside this one's processes, and see who starts with them."""
        async with self._phase("The tables are migrated by the next release, this one's processes go on") as phase:
            await self._handover(self._next, "migrate")
            refused = await self._site.run(self._older, "-m", "api")
            if refused.returncode != 1 or "does not work with the database's tables" not in refused.stderr:
                raise Broken(STARTS, self._older.name, f"{refused.returncode} {refused.stderr[-300:]}")
            phase.notes.append(f"A release of revision {self._older.revision} refuses: {_last_line(refused.stderr)}")
            await self._handover(self._this, "migrate")
            phase.notes.append(f"`./handover migrate` of revision {self._this.revision} leaves the tables as they are.")
            await self._move(phase, "later-1")

    async def _forth(self) -> None:
        async with self._phase("Forth: one part after the other is replaced, patches are off") as phase:
            acts = [
                self._act(phase, "accept", "recipient-1"),
                self._act(phase, "unplug", "session-1"),
                self._act(phase, "type a key", "newkey-1"),
                self._act(phase, "decline", "recipient-2"),
                self._act(phase, "leave undone", "operator-1"),
                self._act(phase, "move", "later-2"),
            ]
            await self._roll(self._next, acts)
            for point in ("later-3", "later-4"):
                await self._ask(phase, point)
            await self._see_ends()

    async def _back(self) -> None:
        async with self._phase("Back: nothing was patched, everything goes on") as phase:
            acts = [
                self._act(phase, "accept", "recipient-3"),
                self._act(phase, "roll back", "session-2"),
                self._act(phase, "type a key", "newkey-2"),
                self._act(phase, "cancel", "recipient-4"),
                self._act(phase, "leave undone", "operator-2"),
                self._act(phase, "accept", "later-3"),
            ]
            await self._roll(self._this, acts)
            await self._move(phase, "later-5")
            await self._see_ends()
            await self._wake_and_see(phase, ())

    async def _forth_and_activate(self) -> None:
        async with self._phase("Forth once more") as phase:
            await self._roll(self._next, [self._act(phase, "accept", "later-4")])
            await self._see_ends()
        async with self._phase("The patches are activated: the workers are replaced once more") as phase:
            await self._roll(self._next, [], PATCHES, which=PARTS[:2])
            for point in ("later-6", "later-7"):
                await self._ask(phase, point)
            for point in ("away-1", "away-2"):
                await self._hands.accept(point)
                phase.done["accept"] += 1
            await self._move(phase, "later-8")
            await self._hands.see_waiting(["away-1", "away-2"], "charger_offline")
            await self._hands.see_waiting(["later-6", "later-7"], "recipient")
            await self._see_ends(without=["away-1", "away-2"])
            await self._runs.until_found(PATCHED, _PATCHED)
            phase.notes.append(f"`{PATCHED}` finds the {len(_PATCHED)} that are open and patched.")

    async def _back_with_patched_runs(self) -> None:
        async with self._phase("Back, with runs that are patched") as phase:
            acts = [
                self._act(phase, "accept", "recipient-5"),
                self._act(phase, "unplug", "session-3"),
                self._act(phase, "type a key", "newkey-3"),
                self._act(phase, "decline", "recipient-6"),
                self._act(phase, "leave undone", "operator-3"),
                self._act(phase, "move", "later-9"),
            ]
            await self._roll(self._next, [], which=PARTS[:2])  # else those that are left go on patching meanwhile
            await self._roll(self._this, acts, PATCHES)
            await self._see_ends(without=["away-1", "away-2"])
            await self._wake_and_see(phase, _PATCHED)
            self._outcome.answered = await self._hands.try_to_accept("later-6")
            await self._runs.until_found(REPORTED, _PATCHED)
            phase.notes.append(f"`{REPORTED}` finds the same {len(_PATCHED)}, and no other workflow.")
            await self._keep_metrics()

    async def _forth_for_good(self) -> None:
        async with self._phase("Forth: those that waited go on") as phase:
            await self._roll(self._next, [], PATCHES, which=PARTS[:2])
            began = time.monotonic()
            waited = {point: at - began for point, at in (await self._runs.until_quiet(_PATCHED)).items()}
            for point in sorted(waited):
                why = "begun" if group_of(point) is Group.LATER else "patched at the change of ownership"
                self._outcome.waited.append((point, why, f"{waited[point]:.0f}"))
            await self._roll(self._next, [], PATCHES, which=PARTS[2:])
            await self._act(phase, "accept", "later-6")()
            await self._act(phase, "decline", "later-7")()
            await self._see_ends(without=["away-1", "away-2"])
            await self._runs.until_found(REPORTED, ())

    async def _end_all(self) -> None:
        async with self._phase("Everything that still waits is brought to its end") as phase:
            await self._site.bring_everything_back()
            for point in list(self._hands.transfers):
                if point not in self._hands.ends:
                    await self._end(phase, point)
            await self._see_ends()

    async def _end(self, phase: Phase, point: str) -> None:
        match group_of(point):
            case Group.RECIPIENT | Group.AWAY | Group.LATER:
                await self._act(phase, "accept", point)()
            case Group.NEW_KEY:
                await self._act(phase, "type a key", point)()
            case Group.SESSION:
                await self._act(phase, "unplug", point)()
            case Group.OPERATOR:
                await self._act(phase, "retry", point)()
            case Group.OFFLINE:
                phase.done["charger switched on"] += 1
                self._hands.ends[point] = "completed"

    # --- what is done in them -------------------------------------------------------------------------------------

    def _act(self, phase: Phase, what: str, point: str) -> Act:
        hands = self._hands
        deeds: dict[str, Act] = {
            "accept": lambda: hands.accept(point),
            "decline": lambda: hands.decline(point),
            "cancel": lambda: hands.cancel(point),
            "unplug": lambda: hands.unplug(point),
            "type a key": lambda: hands.type_key(point),
            "leave undone": lambda: hands.resolve(point, "complete", "completed_with_warnings"),
            "roll back": lambda: hands.resolve(point, "roll_back", "rolled_back"),
            "retry": lambda: hands.resolve(point, "retry", "completed"),
            "move": lambda: hands.move(point, MOVE),
        }

        async def act() -> None:
            phase.done[what] += 1
            await deeds[what]()

        return act

    async def _move(self, phase: Phase, point: str) -> None:
        await self._act(phase, "move", point)()

    async def _ask(self, phase: Phase, point: str) -> None:
        phase.done["ask"] += 1
        await self._hands.ask(point, ASKED)

    async def _roll(
        self, release: Release, acts: Sequence[Act], patches: Sequence[str] = (), *, which: Sequence[str] = PARTS
    ) -> None:
        """Replace the parts, and have something done after each."""
        left = list(acts)

        async def between(name: str) -> None:
            self._report(f"  {name} is of {release.name}")
            if left:
                await left.pop(0)()

        await self._site.roll(release, patches, which=which, between=between)

    async def _see_ends(self, without: Sequence[str] = ()) -> None:
        """See that whatever something was done to has ended as it says."""
        await self._hands.see_ends([point for point in self._hands.ends if point not in without])

    async def _wake_and_see(self, phase: Phase, wanted: Collection[str]) -> None:
        """Have every open run look at its charger: those `wanted` fail, and no other does."""
        running = await self._runs.open()
        await self._runs.wake(running)
        await self._runs.until_failing(running, wanted)
        phase.notes.append(f"Of {len(running)} open runs, all woken, {len(wanted)} wait for the next release.")

    async def _keep_metrics(self) -> None:
        """Keep what Temporal's server and the SDK count, and see that alerts and dashboard speak of nothing else."""
        text = await self._site.metrics()
        (self._site.stage.folder / "temporal-metrics.txt").write_text(text, "utf-8")
        counted = set(re.findall(r"^\w+", text, re.MULTILINE))
        for file in (DEPLOY / "prometheus" / "alerts.yml", DEPLOY / "grafana" / "dashboards" / "handover.json"):
            spoken = set(re.findall(r'(\w+)\{job=\\?"temporal(?:-sdk)?\\?"', file.read_text("utf-8")))
            if not spoken or spoken - counted:
                raise Broken(COUNTED, file.name, f"nobody counts {sorted(spoken - counted) or 'anything'}")

    async def _handover(self, release: Release, *verb: str) -> str:
        done = await self._site.run(release, "handover", *verb)
        if done.returncode:
            raise Broken(STARTS, release.name, f"./handover {' '.join(verb)}: {done.stderr[-500:]}")
        return done.stdout

    async def _judged(self) -> list[Broken]:
        self._report("Judging …")
        broken = await judge(self._site, self._hands, self._journal, self._watch.seen)
        if left := await self._runs.open():
            broken.append(Broken(WAIT, str(sorted(left)), "it runs still"))
        self._outcome.ends = {point: (await self._hands.look(point))["state"] for point in self._hands.transfers}
        verified = await self._handover(self._next, "audit", "verify")
        self._outcome.phases[-1].notes.append(f"`./handover audit verify`: {_last_line(verified)}")
        return broken


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1]
