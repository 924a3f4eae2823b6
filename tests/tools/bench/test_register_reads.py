"""No list reads a table from end to end that grows with the installation."""

from typing import Final

from tests.postgres import as_owner
from tools.bench.read_plans import measure
from tools.bench.register import fill

#: Of so small a register these look at most of it: the slice of one look is 5,000 charge points.
AT_ALL: Final = {
    "look: the register",
    "look: requests without a row",
    "forget: requests",
    "sweep of a node",
}


async def test_no_plan_of_a_list_reads_a_large_table_from_end_to_end(postgres_url: str) -> None:
    await fill(as_owner(postgres_url), 5000)  # who alone can have it analyzed
    found = await measure(postgres_url, tries=1)
    assert {one.name: set(one.scans) for one in found if one.scans and one.name not in AT_ALL} == {}
    assert len(found) > 30
