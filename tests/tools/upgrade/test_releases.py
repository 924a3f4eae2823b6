"""The releases that a drill is made with: of what is committed, so that they fit it is seen here."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tools.upgrade.releases import PATCHES, Release

#: What the next release has to pass of its own tests: the histories of this one, its tables, its list of patches.
ITS_OWN = (
    "tests/replay/test_replay.py::test_a_recorded_history_replays",
    "tests/persistence/test_migrations.py::test_up_down_and_up_again_leaves_exactly_the_tables[sqlite_url]",
    "tests/persistence/test_migrations.py::test_each_migration_says_which_releases_work_with_its_tables",
    "tests/workflows/test_patches.py::test_each_patch_that_is_asked_for_is_listed_and_no_other",
)


def run(release: Release, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv], cwd=release.folder, capture_output=True, text=True, check=False, timeout=280
    )


async def test_the_next_release_can_be_made_of_this_tree_and_passes_its_own_tests(tmp_path: Path) -> None:
    this = Release.of_head(tmp_path / "this")
    following, older = this.next(tmp_path / "next"), this.too_old(tmp_path / "older")

    numbers = [int(release.revision) for release in (older, this, following)]
    assert numbers == [numbers[1] - 1, numbers[1], numbers[1] + 1]
    assert f'oldest = "{this.revision}"' in following.migrations[-1].read_text()
    assert all(f'workflow.patched("{patch}")' in workflow(following) for patch in PATCHES)
    assert not any(patch in workflow(this) for patch in PATCHES)
    done = await asyncio.to_thread(run, following, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ITS_OWN)
    assert done.returncode == 0, done.stdout


def workflow(release: Release) -> str:
    return (release.folder / "workflows" / "transfer.py").read_text()
