"""The gateway under many stations, beside a bare WebSocket server: what counts of `make bench-gateway`."""

from collections.abc import Mapping
from typing import Any

from tools.bench.laps import milli
from tools.bench.measuring import Load, Measured, measure_on_postgres
from tools.bench.scale import Scale
from tools.stage.supervisor import Report


async def stations_beside(scale: Scale, report: Report) -> Mapping[str, Any]:
    """Put both under the same load, one after the other."""
    seconds = 30 if scale.stations >= 1000 else 6
    load = Load(scale.stations, seconds=seconds, every=seconds / 3, rest=seconds / 3)
    gateway, bare, noting = await measure_on_postgres(load, report)
    ours, theirs, by_hand = _figures(gateway), _figures(bare), _figures(noting)
    ratios = {name: round(ours[name] / theirs[name], 2) for name in ours if theirs[name]}
    of_notes = {name: round(by_hand[name] / theirs[name], 2) for name in ours if theirs[name]}
    report(f"  {scale.stations} stations, beside a bare server: {ratios}; one that notes them by hand: {of_notes}")
    return {
        "stations": scale.stations,
        "good": gateway.good and bare.good,
        "gateway": ours,
        "bare": theirs,
        "noting by hand": by_hand,
        "ratios": ratios,
        "ratios of noting by hand": of_notes,
    }


def _figures(measured: Measured) -> dict[str, float]:
    return {
        "memory_kib": round(measured.connection_bytes / 1024, 1),
        "heartbeat_cpu_us": round(measured.heartbeat_cpu * 1e6, 1),
        "arrival_cpu_us": round(measured.arrival_cpu * 1e6, 1),
        "heartbeat_p99_ms": milli(measured.beats.answers, 99),
    }
