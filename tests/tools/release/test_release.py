"""A release, made of a small tree whose verbs note that they ran; the real ones run in `make release` itself."""

import re
import subprocess
import tarfile
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest

from tools.release import histories
from tools.release.__main__ import HISTORIES, MATERIALS, ROOT, Refused, release
from tools.release.changelog import released, unreleased

TODAY = date(2026, 12, 1)
MAKEFILE = """
ARGS ?=
check test sbom record:
\t@test ! -e broken-$@
\t@echo "$@ $(ARGS)" >>$(LOG)
\t@if [ $@ = record ]; then echo '{"recorded": "anew"}' >tests/replay/histories/a.json; fi
\t@if [ $@ = sbom ]; then mkdir -p dist; echo '{"components": []}' >dist/handover.cdx.json; fi
.PHONY: check test sbom record
"""
AUDIT = "import pathlib, sys\nprint('asked')\nsys.exit(int(pathlib.Path('audit').read_text()))\n"
CHANGELOG = "# Changelog\n\n## Unreleased\n\n- It moves.\n"


def git(tree: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=tree, check=True, capture_output=True, text=True).stdout.strip()


def put(tree: Path, **files: str) -> None:
    for name, text in files.items():
        file = tree / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def commit(tree: Path, **files: str) -> None:
    put(tree, **files)
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "-m", "as it is")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Tell what verbs ran, in turn, where `make release ARGS=0.1.0` called."""
    file = tmp_path / "log"
    for name, value in {"LOG": str(file), "ARGS": "0.1.0", "MAKEFLAGS": " -- ARGS=0.1.0", "MAKELEVEL": "1"}.items():
        monkeypatch.setenv(name, value)
    return lambda: [line.strip() for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def tree(tmp_path: Path, log: Callable[[], list[str]]) -> Path:
    found = tmp_path / "tree"
    found.mkdir()
    git(found, "init", "--quiet", "--initial-branch=main")
    git(found, "config", "user.name", "Rosa")
    git(found, "config", "user.email", "rosa@example.com")
    put(found, Makefile=MAKEFILE, CHANGELOG_dot_md=CHANGELOG, audit="0", _dot_gitignore="dist/\n__pycache__/\n")
    put(found, pyproject_dot_toml='[project]\nversion = "0.1.0"\n')
    put(found, tools__supply__audit_dot_py=AUDIT, tests__replay__histories__old_dot_json="{}")
    commit(found)
    return found


def left_alone(tree: Path, before: str) -> bool:
    same = git(tree, "rev-parse", "HEAD") == before and not git(tree, "status", "--porcelain")
    return same and not git(tree, "tag") and not (tree / "dist").exists()


def test_a_release_is_a_commit_and_a_tag_with_its_context_and_bill_of_materials(
    tree: Path, log: Callable[[], list[str]]
) -> None:
    release(tree, "0.1.0", TODAY)

    assert [line.partition(" ")[0] for line in log()] == ["check", "test", "record", "test", "sbom"]
    assert "0.1.0" not in "".join(log())
    assert (
        tree / "CHANGELOG.md"
    ).read_text() == "# Changelog\n\n## Unreleased\n\n## 0.1.0 — 2026-12-01\n\n- It moves.\n"
    assert git(tree, "log", "-1", "--format=%s %an %ae") == "Handover 0.1.0 Rosa rosa@example.com"
    assert git(tree, "rev-parse", "v0.1.0^{commit}") == git(tree, "rev-parse", "main")
    assert "Audit: asked" in git(tree, "tag", "--list", "--format=%(contents)", "v0.1.0")
    assert git(tree, "status", "--porcelain") == ""
    for line in (tree / "dist" / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert sha256((tree / "dist" / name).read_bytes()).hexdigest() == digest
    with tarfile.open(tree / "dist" / "handover-0.1.0.tar.gz") as context:
        names = set(context.getnames())
    assert {"handover-0.1.0/Makefile", "handover-0.1.0/dist/handover.cdx.json"} <= names
    assert (tree / "dist" / "handover-0.1.0.cdx.json").read_text() == '{"components": []}\n'


def test_the_image_has_the_bill_of_materials_where_its_label_says() -> None:
    assert f'handover.sbom="/app/{MATERIALS}"' in (ROOT / "Dockerfile").read_text()
    assert f"!{MATERIALS}" in (ROOT / ".dockerignore").read_text().splitlines()


def test_its_histories_are_recorded_anew_and_kept_apart_from_what_is_recorded_later(tree: Path) -> None:
    release(tree, "0.1.0", TODAY)

    folder = tree / HISTORIES
    assert [file.name for file in folder.iterdir()] == ["0.1.0"]
    assert (folder / "0.1.0" / "a.json").read_text() == '{"recorded": "anew"}\n'
    assert not (folder / "0.1.0" / "old.json").exists()
    assert (histories.kept(folder), histories.changed(folder, "0.1.0")) == ({"0.1.0"}, set())


def test_a_kept_history_that_is_another_gone_or_new_is_named(tmp_path: Path) -> None:
    for name in ("same", "another", "gone"):
        (tmp_path / f"{name}.json").write_text(name)
    assert histories.keep(tmp_path, "0.1.0") == 3
    (tmp_path / "0.1.0" / "another.json").write_text("otherwise")
    (tmp_path / "0.1.0" / "gone.json").unlink()
    (tmp_path / "0.1.0" / "new.json").write_text("new")

    assert histories.changed(tmp_path, "0.1.0") == {"another.json", "gone.json", "new.json"}
    with pytest.raises(FileExistsError):
        histories.keep(tmp_path, "0.1.0")


@pytest.mark.parametrize(
    ("version", "files", "why"),
    [
        ("0.1", {}, "no version"),
        ("v0.1.0", {}, "no version"),
        ("0.2.0", {}, "pyproject.toml says 0.1.0"),
        ("0.1.0", {"CHANGELOG_dot_md": "# Changelog\n\n## Unreleased\n\n## 0.0.9 — 2026-01-01\n\n- x\n"}, "no entry"),
        ("0.1.0", {"CHANGELOG_dot_md": CHANGELOG + "\n## 0.1.0 — 2026-01-01\n\n- x\n"}, "does not come after 0.1.0"),
        ("0.1.0", {"CHANGELOG_dot_md": CHANGELOG + "\n## 0.10.0 — 2026-01-01\n\n- x\n"}, "does not come after 0.10.0"),
        ("0.1.0", {"audit": "1"}, "Vulnerabilities are known"),
    ],
)
def test_what_is_no_release_is_refused(tree: Path, version: str, files: dict[str, str], why: str) -> None:
    if files:
        commit(tree, **files)
    before = git(tree, "rev-parse", "HEAD")
    with pytest.raises(Refused, match=re.escape(why)):
        release(tree, version, TODAY)
    assert left_alone(tree, before)


@pytest.mark.parametrize("file", ["Makefile", "new"])
def test_a_tree_that_is_not_clean_is_refused_before_anything_runs(
    tree: Path, log: Callable[[], list[str]], file: str
) -> None:
    put(tree, **{file: "changed"})
    with pytest.raises(Refused, match="not clean"):
        release(tree, "0.1.0", TODAY)
    assert log() == []


def test_what_was_released_is_not_released_again(tree: Path) -> None:
    release(tree, "0.1.0", TODAY)
    commit(
        tree, CHANGELOG_dot_md=(tree / "CHANGELOG.md").read_text().replace("Unreleased\n", "Unreleased\n\n- More.\n")
    )
    with pytest.raises(Refused, match=r"does not come after 0\.1\.0"):
        release(tree, "0.1.0", TODAY)


def test_ten_comes_after_nine(tree: Path) -> None:
    put(tree, pyproject_dot_toml='[project]\nversion = "0.10.0"\n')
    commit(tree, CHANGELOG_dot_md=CHANGELOG + "\n## 0.9.0 — 2026-01-01\n\n- x\n")
    release(tree, "0.10.0", TODAY)
    assert released((tree / "CHANGELOG.md").read_text()) == ["0.10.0", "0.9.0"]


def test_without_a_branch_there_is_no_release(tree: Path) -> None:
    git(tree, "checkout", "--quiet", "--detach")
    with pytest.raises(Refused, match="branch"):
        release(tree, "0.1.0", TODAY)


@pytest.mark.parametrize("verb", ["check", "test", "record", "sbom"])
def test_where_a_verb_fails_nothing_is_changed(tree: Path, verb: str) -> None:
    commit(tree, **{f"broken-{verb}": ""})
    before = git(tree, "rev-parse", "HEAD")
    with pytest.raises(subprocess.CalledProcessError):
        release(tree, "0.1.0", TODAY)
    assert left_alone(tree, before)


def test_an_audit_that_could_ask_nobody_is_said_in_the_tag(tree: Path) -> None:
    commit(tree, audit="3", tools__supply__audit_dot_py=AUDIT.replace("asked", "NOT ASKED"))
    release(tree, "0.1.0", TODAY)
    assert "Audit: NOT ASKED" in git(tree, "tag", "--list", "--format=%(contents)", "v0.1.0")


def test_a_changelog_tells_what_no_release_has_from_what_one_has() -> None:
    text = "# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.10.0 — 2026-12-01\n\n- Ten.\n\n## 0.9.0 — 2026-11-01\n"
    assert unreleased(text) == "- New."
    assert released(text) == ["0.10.0", "0.9.0"]
