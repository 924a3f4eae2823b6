"""Which tests reach a line, and how long each takes: from one run of them with coverage."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coverage import CoverageData

#: The tests that run in their own process; those of other processes are too slow to be run for each slip.
TESTS: Final = (
    *("tests/domain", "tests/persistence", "tests/activities", "tests/api", "tests/gateway", "tests/workflows"),
    "tests/telemetry",
)
#: What is the same on both databases is tried on one.
ONE_DATABASE: Final = "not postgresql"


@dataclass(frozen=True)
class Reach:
    """The tests that reach each line of each file, the quickest first."""

    lines: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def tests(self, file: str, line: int, begin: int) -> list[str]:
        """Give the tests that reach a line, the others that reach the first one of its function after them.

        Coverage misses what follows where a coroutine goes on by an exception, as after a time-out.
        """
        known = self.lines.get(file, {})
        return list(dict.fromkeys([*known.get(line, ()), *known.get(begin, ())]))


def measure(root: Path, folder: Path) -> Reach:
    """Run the tests once; what was measured is kept in `folder`, and taken from there next time."""
    kept = folder / "reach.json"
    if not kept.exists():
        kept.write_text(json.dumps(_measure(root, folder)))
    found = json.loads(kept.read_text())
    lines = {file: {int(line): tests for line, tests in known.items()} for file, known in found["lines"].items()}
    return Reach(lines, found["seconds"])


def _measure(root: Path, folder: Path) -> dict[str, object]:
    settings = folder / "coverage.ini"
    data, report = folder / "coverage.data", folder / "durations.json"
    settings.write_text(
        f"[run]\ndata_file = {data}\nconcurrency = thread,greenlet\nsource = {root}\nomit = */tests/*,*/.venv/*\n"
    )
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest", "-q"]
    command += ["-p", "tools.mutants.noting", "-k", ONE_DATABASE, *TESTS]
    done = subprocess.run(command, cwd=root, env=_environment(report), check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The tests must pass before slips are tried:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    known = CoverageData(str(data))
    known.read()
    seconds: dict[str, float] = json.loads(report.read_text())
    lines: dict[str, dict[int, list[str]]] = {}
    for file in known.measured_files():
        inside = lines.setdefault(str(Path(file).relative_to(root)), defaultdict(list))
        for line, contexts in known.contexts_by_lineno(file).items():
            inside[line] = sorted((one for one in contexts if one in seconds), key=seconds.__getitem__)
    return {"lines": lines, "seconds": seconds}


def _environment(report: Path) -> dict[str, str]:
    return {**os.environ, "MUTANTS_DURATIONS": str(report)}
