"""The bench of known and unknown addresses, short: every call counts, and the answers of both are alike."""

from pathlib import Path

import pytest

from tools.bench.enumeration import measure, table

pytestmark = pytest.mark.measured


async def test_known_and_unknown_addresses_are_answered_alike(tmp_path: Path) -> None:
    measured = await measure(tmp_path, "", each=5, warm_up=1, report=print)
    assert [one.name for one in measured] == ["dry run", "start"]
    for one, status in zip(measured, (200, 201), strict=True):
        assert len(one.known) == len(one.unknown) == 5
        assert [answered for answered, _ in one.answers] == [status]
        print(f"{one.name}: {one.difference * 1000:+.1f} ms apart")
    assert table(measured, "SQLite").row_count == 2
