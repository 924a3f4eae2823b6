"""The bench of transfers, short: what a transfer costs is counted, and no count may grow; times are never asserted."""

import os
from collections.abc import AsyncIterator
from math import floor, inf
from typing import Any, Final

import asyncpg
import pytest

from tools.bench.accounting import account
from tools.bench.by_hand.work import PLAN
from tools.bench.contenders import CONTENDERS, acceptance
from tools.bench.site import BY_HAND, Site, running
from tools.bench.transfers import SHAPES, Shape
from tools.stage import devserver, postgres

pytestmark = [pytest.mark.measured, pytest.mark.timeout(900)]

#: The most that a transfer of each shape may take, without fractions: they are what a retry or a late task leaves.
BOUNDS: Final[dict[Shape, dict[str, int]]] = {
    "a": {"statements": 56, "update_workflow_execution": 3, "events": 14},
    "b": {"statements": 135, "update_workflow_execution": 26, "events": 54},
    "c": {"statements": 173, "update_workflow_execution": 30, "events": 69},
}
#: How often it is counted at most: where others want the processor, too, a letter may go out before the transfer ends
#: that is left out otherwise. What a transfer costs is the least.
_ROUNDS: Final = 3
#: What the transactions of one move by hand begin with.
_BEGUN: Final = """
    SELECT coalesce(sum(s.calls), 0) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
    WHERE d.datname = $1 AND s.query ILIKE 'begin%'"""


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Every part, on PostgreSQL and Temporal's own server."""
    try:
        async with running(tmp_path_factory.mktemp("bench"), print) as made:
            yield made
    except (devserver.NoServer, postgres.NoServer) as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(f"not run: {missing}")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_transfer_costs_no_more_than_it_did(site: Site, shape: Shape) -> None:
    least = dict.fromkeys(BOUNDS[shape], inf)
    for _ in range(_ROUNDS):
        counted = await account(site, shape, 5)
        assert counted["lap"]["refusals"] == []
        assert counted["lap"]["count"] == 5
        least = {figure: min(floor(counted[figure]), cost) for figure, cost in least.items()}
        print(shape, {figure: counted[figure] for figure in BOUNDS[shape]}, counted["cpu_ms"])
        if all(cost <= BOUNDS[shape][figure] for figure, cost in least.items()):
            break
    assert {figure: cost for figure, cost in least.items() if cost > BOUNDS[shape][figure]} == {}


@pytest.mark.parametrize("name", CONTENDERS)
async def test_every_contender_moves_as_many_as_it_was_told(site: Site, name: str) -> None:
    lap = await CONTENDERS[name](site, 2, 4)
    assert len(lap.ends) == len(lap.registered) == 4
    assert all(took > 0 for took in lap.registered)


@pytest.mark.parametrize("name", sorted(set(CONTENDERS) - {"Handover"}))
async def test_a_move_by_hand_is_18_transactions_in_12_steps(site: Site, name: str) -> None:
    await _transactions(site)
    await CONTENDERS[name](site, 1, 4)
    assert await _transactions(site) == 5 * 18
    assert len(PLAN) == 12


async def test_an_accept_by_hand_is_answered(site: Site) -> None:
    assert len((await acceptance(site, 1, 2)).accepts) == 2


async def _transactions(site: Site) -> Any:
    """Say how many were begun by hand since the last look."""
    rows = await asyncpg.connect(site.postgres.dsn("postgres"))
    try:
        begun = await rows.fetchval(_BEGUN, BY_HAND)
        await rows.execute("SELECT pg_stat_statements_reset()")
    finally:
        await rows.close()
    return begun
