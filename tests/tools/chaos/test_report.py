"""The report of a run: its counts, and a verdict that can be either."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from persistence.session import Database
from persistence.vault import Vault
from tests.tools.chaos.sound import put_in
from tools.chaos.invariants import judge
from tools.chaos.journal import Journal, Promise
from tools.chaos.plan import Happened
from tools.chaos.report import Run, markdown


async def test_a_report_has_the_counts_and_the_verdict(sqlite_url: str, vault: Vault, tmp_path: Path) -> None:
    db = Database(sqlite_url)
    evidence = await put_in(db, vault)
    await db.close()
    journal = Journal(tmp_path / "promises.jsonl")
    journal.keep(Promise("ada", "start", "trf_move", "key", 201))
    journal.close()
    run = Run(
        seed=7, minutes=0.5, drained_in=3, errands=3, looks=9, mishaps=Counter({"worker-1 killed": 2}), parked=1,
        stubborn=0, tries=Counter({"refused with 401": 3}), journal=journal, evidence=evidence, broken=[],
    )  # fmt: skip
    text = markdown(run)
    assert "--seed 7" in text
    assert "Every invariant holds." in text
    assert "**broken**" not in text
    assert "| worker-1 killed | 2 |" in text
    assert "| transfer_to_user: rolled_back | 1 |" in text
    assert "| refused with 401 | 3 |" in text
    assert "| charge points that were attacked | 1 |" in text
    assert max(map(len, text.splitlines())) <= 120
    apart = markdown(replace(run, happened=[Happened(10, 17.4, "api-1 killed", "3 transfers were under way")]))
    assert apart.startswith("# A run on two machines\n")
    assert "| 10 | 17 s | api-1 killed | 3 transfers were under way |" in apart
    lost = replace(evidence, promises=[Promise("ada", "start", "trf_lost", "key", 201)])
    text = markdown(replace(run, broken=judge(lost)))
    assert "**2 times an invariant is broken.**" in text
    assert "every acknowledged command reached its effect or an end: **broken**" in " ".join(text.split())
