"""No list reads a table from end to end that grows with the installation."""

from tools.bench.reads import measure
from tools.bench.register import fill


async def test_no_plan_of_a_list_reads_a_large_table_from_end_to_end(postgres_url: str) -> None:
    await fill(postgres_url, 5000)
    found = await measure(postgres_url, tries=1)
    assert {one.name: set(one.scans) for one in found if one.scans} == {}
    assert len(found) > 30
