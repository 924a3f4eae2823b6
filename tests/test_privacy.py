"""What docs/privacy.md says is kept, against the tables there are."""

import re

from persistence.tables import Table
from tests.conftest import ROOT

_ROW = re.compile(r"^\| `(\w+)` \|(.+)\|$", re.MULTILINE)


def test_each_table_is_in_the_page_once_with_why_how_long_and_what_erasure_does() -> None:
    page = (ROOT / "docs" / "privacy.md").read_text().partition("## What is kept, and where\n")[2]
    said = [(name, [cell.strip() for cell in cells.split(" | ")]) for name, cells in _ROW.findall(page)]
    assert sorted(name for name, _ in said) == sorted(table.name for table in Table.metadata.sorted_tables)
    assert [name for name, cells in said if len(cells) != 4 or not all(cells)] == []
