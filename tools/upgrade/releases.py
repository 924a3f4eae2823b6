"""Releases made of this very tree: as it is committed, the next one, and one that is too old for the next one's tables.

The next one has what a real one may bring: a migration that only expands, an optional field of a message, an activity,
and two patches that call it.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final, Self

from tools.stage.supervisor import ROOT

_TEMPLATES: Final = Path(__file__).with_name("templates")
#: What the next release does otherwise: as soon as a charge point is reserved, and as soon as it is handed over.
PATCHES: Final = ("moments.reserved", "moments.handed_over")


class NoRelease(Exception):
    """A release can't be made; the text says why."""


@dataclass(frozen=True)
class Release:
    """A release in a folder of its own."""

    name: str
    folder: Path

    @classmethod
    def of_head(cls, folder: Path) -> Self:
        """Give this release: what is committed, and nothing else."""
        _run(["git", "clone", "--quiet", str(ROOT), str(folder)], ROOT)
        return cls("this release", folder)

    @property
    def migrations(self) -> list[Path]:
        """Its migrations, by their numbers."""
        return sorted((self.folder / "persistence" / "migrations" / "versions").glob("[0-9]*.py"))

    @property
    def revision(self) -> str:
        """The number of its newest migration."""
        return self.migrations[-1].name.partition("_")[0]

    def next(self, folder: Path) -> "Release":
        """Give the release that follows; raises NoRelease where its change does not fit this tree any more."""
        made = Release("the next release", self._copy(folder))
        patch = _TEMPLATES / "next_release.patch"
        _run(["git", "apply", "-C1", str(patch)], folder)
        revision = f"{int(self.revision) + 1:04}"
        text = Template((_TEMPLATES / "migration.txt").read_text("utf-8"))
        file = made.migrations[-1].with_name(f"{revision}_moments_of_transfers.py")
        file.write_text(text.substitute(revision=revision, before=self.revision), "utf-8")
        return made

    def too_old(self, folder: Path) -> "Release":
        """Give a release before this one: without its newest migration."""
        made = Release("a release before this one", self._copy(folder))
        made.migrations[-1].unlink()
        return made

    def _copy(self, folder: Path) -> Path:
        return shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns(".git"))


def _run(argv: list[str], folder: Path) -> None:
    # a folder inside this tree is not to be taken for a part of it
    alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)} if folder != ROOT else None
    done = subprocess.run(argv, cwd=folder, env=alone, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoRelease(f"{' '.join(argv[:2])}: {done.stderr.strip()}")
