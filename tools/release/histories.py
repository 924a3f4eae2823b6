"""The histories that a release leaves behind: what its transfers wrote, replayed for as long as some may still run."""

import shutil
from hashlib import sha256
from pathlib import Path
from typing import Final

#: In a release's folder, in the form of sha256sum.
SUMS: Final = "SHA256SUMS"


def keep(folder: Path, version: str) -> int:
    """Move what was recorded into the release's own folder, which nothing writes to again; gives how many."""
    kept = folder / version
    kept.mkdir()
    recorded = sorted(folder.glob("*.json"))
    for file in recorded:
        shutil.move(file, kept / file.name)
    (kept / SUMS).write_text("".join(f"{_digest(kept / file.name)}  {file.name}\n" for file in recorded))
    return len(recorded)


def kept(folder: Path) -> set[str]:
    """Name the releases whose histories are kept."""
    return {file.parent.name for file in folder.glob(f"*/{SUMS}")}


def changed(folder: Path, version: str) -> set[str]:
    """Name each history of a release that is not as it was recorded: another, gone, or come later."""
    lines = (folder / version / SUMS).read_text().splitlines()
    noted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = {file.name: _digest(file) for file in (folder / version).glob("*.json")}
    return {name for name, _ in noted.items() ^ there.items()}


def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()
