"""CHANGELOG.md: what is not released yet, and which release has what."""

import re
from datetime import date
from typing import Final

_UNRELEASED: Final = "## Unreleased\n"
_RELEASE: Final = re.compile(r"^## (\d+\.\d+\.\d+) — \d{4}-\d\d-\d\d$", re.MULTILINE)


def unreleased(text: str) -> str:
    """Give the entries that no release has yet."""
    return re.split(r"^## ", text.partition(_UNRELEASED)[2], maxsplit=1, flags=re.MULTILINE)[0].strip()


def released(text: str) -> list[str]:
    """Give the releases, the newest first."""
    return _RELEASE.findall(text)


def release(text: str, version: str, today: date) -> str:
    """Give the text in which a release has what none had."""
    return text.replace(_UNRELEASED, f"{_UNRELEASED}\n## {version} — {today}\n", 1)
