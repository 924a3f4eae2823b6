"""Writes docs/benchmarks/ from the raw numbers, and the table and the plot of the README."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tools.bench.contenders import CONTENDERS
from tools.bench.goals import GOALS, SHAPE_NAMES, Goal, Raw
from tools.bench.plots import bars, stacks

_BEGIN: Final = "<!-- begin: make bench -->"
_END: Final = "<!-- end: make bench -->"
_UNCOUNTED: Final = frozenset({"mailbox", "postgres of postgres"})


def write(root: Path) -> None:
    """Write the page, its plots, and the README's part."""
    folder = root / "docs/benchmarks"
    raw = {file.stem: json.loads(file.read_text()) for file in sorted((folder / "raw").glob("*.json"))}
    for name, drawing in _plots(raw):
        (folder / f"{name}.svg").write_text(drawing)
    (folder / "README.md").write_text("\n".join(_page(raw)) + "\n")
    _write_readme(root / "README.md", raw)


def table(raw: Mapping[str, Raw]) -> Iterator[str]:
    """Give the goals, with what was measured of them, as a table in Markdown."""
    yield "| what | measured | goal | |"
    yield "|---|---|---|---|"
    for goal in GOALS:
        if goal.part in raw:
            value = goal.value(raw[goal.part])
            met = "met" if goal.met(value) else "missed"
            yield f"| {goal.name} | {_number(goal, value)} | {goal.wanted} | {met} |"


def _number(goal: Goal, value: float | None) -> str:
    if value is None:
        return "not reached"
    return f"{value:,.2f}{goal.unit}" if goal.unit in {" x", " s"} else f"{value:,.0f}{goal.unit}"


def _page(raw: Mapping[str, Raw]) -> Iterator[str]:
    yield "# Speed and cost, measured"
    yield ""
    yield "Written by `make bench ARGS=--write`; the raw numbers are in [raw/](raw/). Of all this, tests hold"
    yield "the counts alone (`tests/tools/bench/test_accounting.py`). Rates and times are of one machine, on which the"
    yield "load, the parts and both servers ran beside each other: it is the ratios that say something."
    yield ""
    yield from _ground(raw.get("environment", {}))
    yield "## Goals"
    yield ""
    yield from table(raw)
    yield ""
    yield "What stands in the way of those that are missed, as measured: [limits.md](limits.md)."
    if "throughput" in raw:
        yield from _contenders(raw)
    if "accounting" in raw:
        yield from _accounts(raw["accounting"])
    for name, title in _OTHERS.items():
        if name in raw:
            yield from ("", f"## {title}", "", "```", *_lines(_brief(raw[name])), "```")
    if "reads" in raw:
        yield from _plans(raw["reads"])


_OTHERS: Final = {
    "users": "Transfers to users, many at once",
    "accept": "Accepts",
    "keep-alive": "A call on a kept connection",
    "waiting": "Transfers that wait",
    "reads": "Reads",
    "import": "Import",
    "overload": "Overload",
    "gateway": "Gateway",
    "start-up": "Start-up",
}
#: What is too long for the page.
_LONG: Final = frozenset({"rounds", "plans", "queries"})


def _ground(found: Mapping[str, Any]) -> Iterator[str]:
    if found:
        packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
        yield f"On {found['measured_on']}: {found['cores']} cores, {found['memory_gib']} GiB, {found['system']}; Python"
        yield f"{found['python']}, PostgreSQL {found['postgresql']} (`synchronous_commit = on`), Temporal's server"
        yield f"{found['temporal_server']} on the same PostgreSQL; {packages}."
        yield f"Medians of {found['scale']['rounds']} interleaved rounds."
        yield ""


def _contenders(raw: Mapping[str, Raw]) -> Iterator[str]:
    yield from ("", "## A move beside the same work by hand", "", "![moves a second](throughput.svg)", "")
    yield "By hand are the 18 transactions of a move in plain SQL over asyncpg, in 12 steps, without HTTP, reconciler,"
    yield "roll-back, or a charger: `tools/bench/by_hand/`. All run on uvloop, with pools and workers of the same size."
    yield ""
    yield "| | moves a second | p50, ms | alone: p50, ms | ratio of rates |"
    yield "|---|---|---|---|---|"
    many, alone = raw["throughput"]["medians"], raw.get("alone", {}).get("medians", {})
    for name in CONTENDERS:
        rate = many[name]["per_second"]
        single = f"{alone[name]['registered_p50']:,.0f}" if name in alone else ""
        ratio = many["Handover"]["per_second"] / rate
        yield f"| {name} | {rate:.1f} | {many[name]['registered_p50']:,.0f} | {single} | {ratio:.2f} |"


def _accounts(counted: Raw) -> Iterator[str]:
    yield from ("", "## What a transfer costs", "", "![CPU by part](cpu.svg)", "")
    yield "One at a time; what goes on without a transfer is taken off."
    yield ""
    yield "| | " + " | ".join(SHAPE_NAMES.values()) + " |"
    yield "|---|" + "---|" * len(SHAPE_NAMES)
    for name, figure in (
        ("SQL statements", "statements"),
        ("`UpdateWorkflowExecution`", "update_workflow_execution"),
        ("history events", "events"),
        ("history, bytes", "history_bytes"),
    ):
        yield f"| {name} | " + " | ".join(f"{counted[shape][figure]:,.1f}" for shape in SHAPE_NAMES) + " |"
    for part in counted["c"]["cpu_ms"]:
        cells = " | ".join(f"{counted[shape]['cpu_ms'].get(part, 0):,.1f}" for shape in SHAPE_NAMES)
        yield f"| CPU of {part}, ms | {cells} |"


def _plans(found: Raw) -> Iterator[str]:
    yield from ("", "### Query plans", "")
    for one in found["plans"]:
        whole = one["sequential_scans"]
        note = f", reads whole: {', '.join(whole)}" if whole else ""
        yield f"<details><summary>{one['milliseconds']} ms, {one['rows_read']} rows read{note}</summary>"
        yield from ("", "```", one["statement"], "", *one["plan"], "```", "", "</details>")


def _brief(found: Any) -> Any:
    if isinstance(found, Mapping):
        return {name: _brief(value) for name, value in found.items() if name not in _LONG}
    return found


def _lines(found: Any) -> list[str]:
    return json.dumps(found, indent=2).splitlines()


def _plots(raw: Mapping[str, Raw]) -> Iterator[tuple[str, str]]:
    if "throughput" in raw:
        medians = raw["throughput"]["medians"]
        rates = {name: float(medians[name]["per_second"]) for name in CONTENDERS}
        title = f"Moves of a charge point a second, {raw['throughput']['in_flight']} in flight"
        yield "throughput", bars(title, rates, "/s")
    if "accounting" in raw:
        spent = {name: _counted(raw["accounting"][shape]["cpu_ms"]) for shape, name in SHAPE_NAMES.items()}
        yield "cpu", stacks("CPU of one transfer, by part", spent, "ms")


def _counted(cpu: Mapping[str, float]) -> dict[str, float]:
    return {part: cpu[part] for part in sorted(cpu) if part not in _UNCOUNTED and cpu[part] > 0}


def _write_readme(file: Path, raw: Mapping[str, Raw]) -> None:
    """Put the contenders' table and plot between the marks, at the end where there are none yet."""
    text = file.read_text()
    if _BEGIN not in text:
        text = f"{text.rstrip()}\n\n## How fast it is\n\n{_BEGIN}\n{_END}\n"
    lines = [_BEGIN, *_short(raw), _END]
    marked = re.compile(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", re.DOTALL)
    file.write_text(marked.sub(lambda _: "\n".join(lines), text))


def _short(raw: Mapping[str, Raw]) -> Iterator[str]:
    yield "A move of a charge point, beside the same database work by hand; the rest, and how it was measured, is in"
    yield "[docs/benchmarks](docs/benchmarks/README.md), written by `make bench ARGS=--write`."
    yield ""
    if "throughput" in raw:
        many, alone = raw["throughput"]["medians"], raw.get("alone", {}).get("medians", {})
        yield "| | moves a second | alone: p50, ms |"
        yield "|---|---|---|"
        for name in CONTENDERS:
            single = f"{alone[name]['registered_p50']:,.0f}" if name in alone else ""
            yield f"| {name} | {many[name]['per_second']:.1f} | {single} |"
        yield ""
        yield "![moves a second](docs/benchmarks/throughput.svg)"
