"""Gets a `temporal` program that is not there yet: by the SDK's own download, or built with Go."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.stage.devserver.programs import WayFailed, run, that_starts

VERSION: Final = "1.5.1"
"""The last that `go install` can build: later ones replace a module."""
MODULE: Final = f"github.com/temporalio/cli/cmd/temporal@v{VERSION}"

Report = Callable[[str], None]

_ROOT = Path(__file__).resolve().parents[3]
_PROGRESS_SECONDS = 10


async def download(target: Path, report: Report, seconds: float) -> Path:
    """Let the SDK download the program to `target`; raises WayFailed.

    In a process of its own: so the time it takes has a bound, whatever the SDK does.
    """
    report(f"Temporal dev server: downloading (at most {seconds:g} s) …")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        argv = [sys.executable, "-m", "tools.stage.devserver.download", folder, f"v{VERSION}"]
        try:
            await run(argv, seconds=seconds, cwd=_ROOT)
        except WayFailed as failure:
            raise WayFailed(f"the download failed: {_short(str(failure))}.") from None
        return await _take_in(Path(folder), target)


async def build(target: Path, report: Report, seconds: float) -> Path:
    """Build the program to `target` with Go; raises WayFailed."""
    go = shutil.which("go")
    if go is None:
        raise WayFailed("no `go` on the PATH to build one with.")
    report(f"Temporal dev server: building {VERSION} with Go, 3 to 5 minutes the first time …")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        try:
            await run(
                [go, "install", "-v", MODULE],
                seconds=seconds,
                on_line=Progress(report).line,
                env={**os.environ, "GOBIN": folder},
            )
        except WayFailed as failure:
            raise WayFailed(f"the build failed: {_short(str(failure))}.") from None
        return await _take_in(Path(folder), target)


async def _take_in(folder: Path, target: Path) -> Path:
    """Put the one program in `folder` to its place, in one move, once it has started there."""
    programs = _programs(folder)
    if len(programs) != 1:
        raise WayFailed(f"{len(programs)} programs were made instead of one.")
    made = await that_starts(programs[0], "the new one")
    return made.replace(target)


def _programs(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.is_file() and os.access(file, os.X_OK)]


class Progress:
    """Says every few seconds how many packages were built."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._started = self._said = time.monotonic()
        self._packages = 0

    def line(self, _: str) -> None:
        """Count one package."""
        self._packages += 1
        now = time.monotonic()
        if now - self._said >= _PROGRESS_SECONDS:
            self._said = now
            elapsed = int(now - self._started)
            self._report(f"Temporal dev server: {self._packages} packages built, {elapsed} s")


def _short(text: str) -> str:
    return text.rstrip(". ")[:200]
