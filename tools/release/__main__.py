"""`make release ARGS=0.1.0`: all is done in a clean clone of HEAD, and brought here at the end, or nothing is."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryDirectory
from textwrap import fill
from typing import Final

from tools.release import changelog, histories
from tools.supply.audit import Outcome

ROOT: Final = Path(__file__).resolve().parents[2]
#: A few, quick ones: that each other one passed on this commit is CI's to say.
TESTS: Final = "tests/domain tests/replay tests/tools/supply tests/tools/release tests/test_rooms.py"
HISTORIES: Final = Path("tests/replay/histories")
MATERIALS: Final = Path("dist/handover.cdx.json")


class Refused(Exception):
    """Why there is no release."""


def refuse(tree: Path, version: str) -> None:
    """Raise Refused where this tree can't be released as that version."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise Refused(f"{version} is no version: it is three numbers, such as 0.1.0.")
    if (ours := tomllib.loads((tree / "pyproject.toml").read_text())["project"]["version"]) != version:
        raise Refused(f"pyproject.toml says {ours}: the version is set there, and committed, before it is released.")
    if _git(tree, "status", "--porcelain"):
        raise Refused("The tree is not clean: commit what belongs to the release, remove the rest.")
    if not _git(tree, "branch", "--show-current"):
        raise Refused("No branch is checked out that could get the release's commit.")
    text = (tree / "CHANGELOG.md").read_text()
    if not changelog.unreleased(text):
        raise Refused('CHANGELOG.md has no entry under "Unreleased".')
    before = [*changelog.released(text), *(tag.removeprefix("v") for tag in _git(tree, "tag", "--list", "v*").split())]
    if late := [one for one in before if _ordered(one) >= _ordered(version)]:
        raise Refused(f"{version} does not come after {late[0]}, which is released.")


def release(tree: Path, version: str, today: date) -> None:
    """Release what is committed; raises Refused, or CalledProcessError for what failed in the clone."""
    refuse(tree, version)
    with TemporaryDirectory(prefix="handover-release-") as folder:
        clone = Path(folder) / "handover"
        _git(tree, "clone", "--quiet", "--no-hardlinks", str(tree), str(clone))
        _make(clone, "check")
        _make(clone, "test", f"ARGS={TESTS}")
        audited = _audit(clone)
        _record(clone, version)
        _note(clone, version, today)
        _make(clone, "test", "ARGS=tests/replay")
        _make(clone, "sbom")
        _commit(clone, version, audited, _identity(tree))
        made = _build(clone, version)
        _bring(clone, tree, version, made)


def _audit(clone: Path) -> str:
    """Give what the audit says at its end; raises Refused where vulnerabilities are known."""
    _say("make audit")  # which would turn its exit code into make's own
    audit = subprocess.run([sys.executable, "-m", "tools.supply.audit"], cwd=clone, stdout=PIPE, text=True, check=False)
    print(audit.stdout, flush=True)
    if Outcome(audit.returncode) is Outcome.KNOWN:
        raise Refused("Vulnerabilities are known in what would be shipped.")
    return audit.stdout.strip().rpartition("\n")[2]


def _record(clone: Path, version: str) -> None:
    """Record the histories anew, so that they are of this code and no other, and keep them."""
    for file in (clone / HISTORIES).glob("*.json"):
        file.unlink()
    _make(clone, "record")
    if not histories.keep(clone / HISTORIES, version):
        raise Refused("make record wrote no history.")


def _note(clone: Path, version: str, today: date) -> None:
    file = clone / "CHANGELOG.md"
    file.write_text(changelog.release(file.read_text(), version, today))


def _commit(clone: Path, version: str, audited: str, identity: Sequence[str]) -> None:
    said = f"Its histories are in {HISTORIES / version}, and stay as they are."
    _git(clone, "add", "--all")
    _git(clone, *identity, "commit", "--quiet", "-m", f"Handover {version}", "-m", said)
    told = ["-m", f"Handover {version}", "-m", fill(f"Audit: {audited}", 72)]
    _git(clone, *identity, "tag", "--annotate", f"v{version}", *told)


def _identity(tree: Path) -> list[str]:
    """Give who commits here, as options: a clone has only what holds for the whole machine."""
    said = ((name, _git(tree, "config", "--default", "", name)) for name in ("user.name", "user.email"))
    return [option for name, value in said if value for option in ("-c", f"{name}={value}")]


def _build(clone: Path, version: str) -> list[Path]:
    """Make the image's build context from the tag, with the bill of materials in it and beside it; gives the files."""
    name = f"handover-{version}"
    bill, context, sums = (MATERIALS.with_name(one) for one in (f"{name}.cdx.json", f"{name}.tar.gz", "SHA256SUMS"))
    made = [clone / file for file in (bill, context, sums)]
    shutil.copyfile(clone / MATERIALS, clone / bill)
    committed = int(_git(clone, "log", "-1", "--format=%ct"))
    os.utime(clone / MATERIALS, (committed, committed))  # the same archive for the same tag
    added = (f"--prefix={name}/{MATERIALS.parent}/", f"--add-file={MATERIALS}", f"--prefix={name}/")
    _git(clone, "archive", "--format=tar.gz", f"--output={context}", *added, f"v{version}")
    made[2].write_text("".join(f"{sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in made[:2]))
    return made


def _bring(clone: Path, tree: Path, version: str, made: Sequence[Path]) -> None:
    """Take the release's commit, its tag and its files over; git refuses where the branch has gone on meanwhile."""
    _git(tree, "fetch", "--quiet", "--no-tags", str(clone), "HEAD")
    _git(tree, "merge", "--quiet", "--ff-only", "FETCH_HEAD")
    _git(tree, "fetch", "--quiet", "--no-tags", str(clone), f"refs/tags/v{version}:refs/tags/v{version}")
    into = tree / MATERIALS.parent
    into.mkdir(exist_ok=True)
    for file in made:
        shutil.copy2(file, into)


def _make(clone: Path, *args: str) -> None:
    """Run a verb of the clone; ARGS of `make release` itself are not its own."""
    _say(f"make {' '.join(args)}")
    ours = {"ARGS", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    subprocess.run(["make", *args], cwd=clone, env=environment, check=True)


def _git(where: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=where, stdout=PIPE, text=True, check=True).stdout.strip()


def _ordered(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _say(what: str) -> None:
    print(f"--- {what}", flush=True)


def main() -> int:
    """Release; gives the exit code."""
    parser = argparse.ArgumentParser(prog="make release", description="Makes a release from a clean clone of HEAD.")
    parser.add_argument("version", help="as pyproject.toml says it")
    version: str = parser.parse_args().version
    try:
        release(ROOT, version, datetime.now(UTC).date())
    except (Refused, subprocess.CalledProcessError) as why:
        print(f"Not released, and nothing is changed here: {why}")
        return 1
    print(f"Released: the tag v{version}, and what {MATERIALS.parent}/SHA256SUMS names. Nothing is pushed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
