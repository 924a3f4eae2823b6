"""What a drill says: which runs waited, how all ended, and what is broken."""

from collections import Counter
from dataclasses import replace

from tools.chaos.journal import Broken
from tools.upgrade.outcome import Outcome, Phase
from tools.upgrade.report import markdown
from tools.upgrade.runs import WAIT
from tools.upgrade.waiting import FULL, SHORT, Town

DONE = Outcome(
    counts=FULL,
    revisions=("0021", "0022", "0023"),
    phases=[Phase("Back", 12.4, Counter({"accept": 2}), ["Of 9 open runs, all woken, 4 wait for the next release."])],
    waited=[("away-1", "patched at the change of ownership", "7")],
    answered="503 unavailable",
    ends={"away-1": "completed", "recipient-2": "declined"},
)


def test_it_tells_what_was_done_who_waited_and_how_all_ended() -> None:
    said = markdown(DONE)
    assert "Everything went as promised, with 50 transfers that waited" in said
    for line in (
        "| Back | 12 s | accept: 2 |",
        "- Back: Of 9 open runs, all woken, 4 wait for the next release.",
        "| away-1 | patched at the change of ownership | 7 s |",
        "| away: completed | 1 |",
        f"- {WAIT}: holds",
    ):
        assert line in said.splitlines(), line
    assert "`503 unavailable`" in said


def test_what_is_broken_is_no_promise_kept() -> None:
    said = markdown(replace(DONE, broken=[Broken(WAIT, "workflow tasks fail", "of nothing")]))
    assert "**1 things are broken**" in said
    assert f"- {WAIT}: **broken**" in said.splitlines()


def test_there_are_fifty_or_as_few_as_show_everything_each_with_a_charge_point() -> None:
    assert (sum(FULL.values()), sum(SHORT.values())) == (50, 23)
    for counts in (FULL, SHORT):
        points = [point["id"] for point in Town(counts).charge_points]
        assert len(points) == len(set(points)) > sum(counts.values())
