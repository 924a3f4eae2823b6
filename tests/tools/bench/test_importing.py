"""The bench of an import, short: all of its rows are taken."""

import pytest
from sqlalchemy import func, select

from persistence.session import Database
from persistence.tables import ChargePoint
from tools.bench.importing import measure

pytestmark = pytest.mark.measured


async def test_every_row_is_taken_in_each_round(sqlite_url: str) -> None:
    measured = await measure(sqlite_url, rows=200)
    assert [one.name for one in measured] == ["first", "the same again", "all names changed"]
    assert all(one.held < one.seconds for one in measured)
    database = Database(sqlite_url)
    async with database.reading() as rows:
        names = (await rows.execute(select(func.count(), func.min(ChargePoint.name)))).one()
    await database.close()
    assert tuple(names) == (184, "Bay 0 anew")
