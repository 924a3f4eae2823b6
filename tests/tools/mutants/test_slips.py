"""The slips that are put into the code: each is Python still, and says something else."""

import ast
from pathlib import Path

import pytest

from tools.mutants.__main__ import FILES, ROOT
from tools.mutants.equivalent import EQUIVALENT
from tools.mutants.slips import slips_in

CODE = '''"""What it is."""


class Door:
    async def opens(self, key: Key, late: bool) -> bool:
        """Say whether it does."""
        if key.ended or not key.known:
            raise Refused("é")
        rows = select(Key).where(Key.id == key.id, Key.ended.is_(None))
        if late:
            await self.note(rows)
        log.info("it is told")
        return len(rows) >= 2
'''


def test_each_slip_is_one_small_change(tmp_path: Path) -> None:
    (tmp_path / "door.py").write_text(CODE)
    changes = {}
    for slip in slips_in(tmp_path, "door.py"):
        assert slip.function == "Door.opens"
        changed = slip.apply(CODE)
        lines = [line.strip() for line in changed.splitlines() if line not in CODE.splitlines()]
        changes[slip.what] = lines
    assert changes == {
        "without key.ended": ["if ((not key.known)):"],
        "without not key.known": ["if (key.ended):"],
        "no not before key.known": ["if key.ended or key.known:"],
        "no raise Refused('é')": [],
        "!= for Key.id == key.id": ["rows = select(Key).where(Key.id != key.id, Key.ended.is_(None))"],
        "without Key.id == key.id": ["rows = select(Key).where( Key.ended.is_(None))"],
        "without Key.ended.is_(None)": ["rows = select(Key).where(Key.id == key.id, )"],
        "never late": ["if False:"],
        "no await self.note(rows)": [],
        "> for len(rows) >= 2": ["return len(rows) > 2"],
    } | {what: ["pass"] for what in ("no raise Refused('é')", "no await self.note(rows)")}


def test_what_nobody_can_see_can_still_be_made() -> None:
    every = {slip.id for slip in slips_in(ROOT, *FILES)}
    assert set(EQUIVALENT) <= every


@pytest.mark.parametrize("file", FILES)
def test_every_slip_of_the_product_is_python_and_has_a_name_of_its_own(file: str) -> None:
    text = (ROOT / file).read_text()
    found = slips_in(ROOT, file)
    assert found
    assert len({slip.id for slip in found}) == len(found)
    for slip in found:
        changed = slip.apply(text)
        assert changed != text
        ast.parse(changed)
