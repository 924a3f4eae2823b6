"""The three shapes of transfers, beside the same work by hand: in rounds in which each contender has its turn."""

from collections.abc import Mapping
from typing import Any

from tools.bench.accounting import account
from tools.bench.contenders import CONTENDERS, acceptance
from tools.bench.laps import medians
from tools.bench.scale import Scale
from tools.bench.site import Site
from tools.bench.transfers import SHAPES, run

#: What was measured in each round, and the medians.
Rounds = Mapping[str, Any]


async def throughput(site: Site, scale: Scale) -> Rounds:
    """Move charge points, many at once: Handover, and each program by hand."""
    return await _interleaved(site, scale, scale.in_flight, scale.moves)


async def alone(site: Site, scale: Scale) -> Rounds:
    """Move one charge point at a time."""
    return await _interleaved(site, scale, 1, scale.alone)


async def _interleaved(site: Site, scale: Scale, in_flight: int, count: int) -> Rounds:
    rounds: list[dict[str, Any]] = []
    for number in range(1, scale.rounds + 1):
        figures: dict[str, Any] = {}
        for name, contender in CONTENDERS.items():
            lap = await contender(site, in_flight, count)
            figures[name] = lap.figures()
            p50 = figures[name]["registered_p50"]
            site.report(f"  round {number}, {in_flight} in flight: {name} {lap.per_second:.1f}/s, p50 {p50:.0f} ms")
        rounds.append(figures)
    return _summed_up(rounds, in_flight=in_flight)


async def user_shapes(site: Site, scale: Scale) -> Rounds:
    """Transfer charge points to users, with acceptance and without, many at once."""
    rounds: list[dict[str, Any]] = []
    for number in range(1, scale.rounds + 1):
        figures: dict[str, Any] = {}
        for shape in SHAPES[1:]:
            lap = await run(site, shape, scale.in_flight, scale.moves // 2)
            figures[shape] = lap.figures()
            site.report(f"  round {number}, {scale.in_flight} in flight: shape {shape} {lap.per_second:.1f}/s")
        rounds.append(figures)
    return _summed_up(rounds, in_flight=scale.in_flight)


async def accepts(site: Site, scale: Scale) -> Rounds:
    """Accept one transfer at a time, in turns with an update by hand."""
    rounds: list[dict[str, Any]] = []
    for number in range(1, scale.rounds + 1):
        handover = (await run(site, "c", 1, scale.alone)).figures()
        by_hand = (await acceptance(site, 1, scale.alone)).figures()
        rounds.append({"Handover": handover, "by hand": by_hand})
        site.report(f"  round {number}: accepts {handover['accepts_p50']} ms, by hand {by_hand['accepts_p50']} ms")
    return _summed_up(rounds, in_flight=1)


async def accounts(site: Site, scale: Scale) -> Mapping[str, Any]:
    """Count what a transfer of each shape costs."""
    found: dict[str, Any] = {}
    for shape in SHAPES:
        found[shape] = await account(site, shape, scale.counted)
        site.report(f"  shape {shape}: {summary(found[shape])}")
    return found


def summary(counted: Mapping[str, Any]) -> str:
    """Say in a line what a transfer costs."""
    return (
        f"{counted['statements']:.0f} statements, {counted['update_workflow_execution']:.1f} UpdateWorkflowExecution, "
        f"{counted['events']:.0f} events, {total_cpu(counted['cpu_ms']):.0f} ms of CPU"
    )


def total_cpu(by_part: Mapping[str, float]) -> float:
    """Give what counts of the CPU time: what production has, too."""
    return sum(spent for part, spent in by_part.items() if part not in {"mailbox", "postgres of postgres"})


def _summed_up(rounds: list[dict[str, Any]], *, in_flight: int) -> Rounds:
    return {"in_flight": in_flight, "medians": medians(rounds), "rounds": rounds}
