"""Tries slips: each in a copy of the tree, against the tests that reach it, the nearest and quickest first."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from enum import StrEnum
from pathlib import Path
from queue import Queue
from typing import Final

from tools.mutants.reach import Reach
from tools.mutants.slips import Slip

#: How long the tests of the first try may take in all, by their own durations, and those of the second, in seconds.
_FIRST, _SECOND = 15.0, 120.0
#: A slip may make a test wait for ever; that is seen, too.
_LONGEST_TEST: Final = 60
_LONGEST_RUN: Final = 300
#: What a lock does shows on PostgreSQL alone, where two go at the same row, and so does its own way to say something.
_RACES: Final = "tests/activities/test_registry_races.py"
#: pytest's own exit codes: some tests failed, or could not even be collected; it was called wrongly.
_FAILED, _MISCALLED = frozenset({1, 2}), 4
_LEFT_OUT: Final = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", ".handover", "docs/screenshots", ".ci-*"
)


class Seen(StrEnum):
    """What became of a slip."""

    SEEN = "seen"
    UNSEEN = "unseen"
    UNREACHED = "unreached"
    """No test comes there."""


class Tree:
    """A copy of the tree, for one slip at a time."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Copy what is at `root`."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(root, folder, ignore=_LEFT_OUT)
        (folder / ".venv").symlink_to(root / ".venv")
        self._folder = folder
        self._clock = int(time.time())

    def try_slip(self, slip: Slip, lots: Sequence[Sequence[str]], others: Sequence[str]) -> Seen:
        """Run one lot of tests after the other with the slip, then `others`, until one fails.

        Lots were measured, so each of their tests is there; of others one may not be.
        """
        file = self._folder / slip.file
        before = file.read_text()
        self._write(file, slip.apply(before))
        try:
            failed = any(_fails(self._run(lot)) for lot in lots if lot) or (others and self._run(others) in _FAILED)
        finally:
            self._write(file, before)
        return Seen.SEEN if failed else Seen.UNSEEN

    def _write(self, file: Path, text: str) -> None:
        """Write with a time of its own: by that Python tells whether what it has compiled is still good."""
        file.write_text(text)
        self._clock += 2
        os.utime(file, (self._clock, self._clock))

    def _run(self, tests: Sequence[str]) -> int:
        """Run tests until one fails, and give pytest's exit code."""
        names = self._folder / ".mutants-tests"
        names.write_text("\n".join(tests))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += ["--timeout", str(_LONGEST_TEST), f"@{names}"]
        # where a part is missing these are not run, else they would fail by that, and nothing would be seen
        environment = {name: value for name, value in os.environ.items() if name != "CI"}
        with (
            Path(os.devnull).open("wb") as nowhere,
            subprocess.Popen(
                command, cwd=self._folder, env=environment, start_new_session=True, stdout=nowhere, stderr=nowhere
            ) as run,
        ):
            try:
                return run.wait(_LONGEST_RUN)
            except subprocess.TimeoutExpired:  # a loop that no time-out of a test gets through to: that is seen, too
                os.killpg(run.pid, signal.SIGKILL)
                return 1


def _fails(code: int) -> bool:
    if code == _MISCALLED:
        raise SystemExit("A test that was measured is not there any more; delete the folder of what was measured.")
    return code in _FAILED


def try_all(
    root: Path, folder: Path, slips: Sequence[Slip], reach: Reach, workers: int, until: float
) -> Iterator[tuple[Slip, Seen]]:
    """Try slips beside each other, and give what became of each; none is begun after the time `until` (monotonic)."""
    trees: Queue[Tree] = Queue()
    for number in range(workers):
        trees.put(Tree(root, folder / f"tree-{number}"))

    def one(slip: Slip) -> tuple[Slip, Seen] | None:
        if time.monotonic() > until:
            return None
        tests = _near_first(slip, reach)
        if not tests:
            return slip, Seen.UNREACHED
        tree = trees.get()
        try:
            lots = _lots(tests, reach)
            return slip, tree.try_slip(slip, lots, _on_postgresql(slip, lots[0]))
        finally:
            trees.put(tree)

    with ThreadPoolExecutor(workers) as pool:
        for done in as_completed([pool.submit(one, slip) for slip in slips]):
            if (result := done.result()) is not None:
                yield result


def _on_postgresql(slip: Slip, quick: Sequence[str]) -> list[str]:
    """Give what is tried there, too: races, and what was quick on SQLite; only of what asks the database itself."""
    if Path(slip.file).parts[0] not in {"persistence", "activities"}:
        return []
    return [_RACES, *(test.replace("[sqlite", "[postgresql") for test in quick if "[sqlite" in test)]


def _near_first(slip: Slip, reach: Reach) -> list[str]:
    """Order the tests that reach a slip: those of its own room first, then as `reach` gives them."""
    room, name = Path(slip.file).parts[0], Path(slip.file).stem
    tests = reach.tests(slip.file, slip.line, slip.begin)

    def far(test: str) -> tuple[bool, bool]:
        return name not in test, f"tests/{room}" not in test

    return sorted(tests, key=far)  # stable: within each as they were


def _lots(tests: Sequence[str], reach: Reach) -> list[list[str]]:
    """Part tests into the few of the first try and the others, each by the time that they take."""
    lots: list[list[str]] = [[], []]
    spent = [0.0, 0.0]
    for test in tests:
        lot = int(spent[0] + reach.seconds[test] > _FIRST)
        if spent[lot] + reach.seconds[test] <= (_SECOND if lot else _FIRST):
            lots[lot].append(test)
            spent[lot] += reach.seconds[test]
    return lots
