"""Files of others that stand in the tree as they came."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
#: The package of npm that each is from, its licence, itself, and the note beside it where its name has no version.
_KNOWN: Final = (
    ("htmx.org", "0BSD", "api/pages/static/htmx-*.min.js", None),
    ("@scalar/api-reference", "MIT", "api/reference/scalar/scalar.js", "README.md"),
    ("axe-core", "MPL-2.0", "tests/journeys/axe/axe-*.min.js", None),
)


@dataclass(frozen=True)
class Vendored:
    """One such file."""

    package: str
    version: str
    licence: str
    file: Path

    @property
    def digest(self) -> str:
        """Its SHA-256."""
        return sha256((ROOT / self.file).read_bytes()).hexdigest()

    @property
    def shipped(self) -> bool:
        """False for what only tests run."""
        return self.file.parts[0] != "tests"


def vendored() -> Iterator[Vendored]:
    """Give each of them."""
    for package, licence, pattern, note in _KNOWN:
        [file] = ROOT.glob(pattern)
        noted = _VERSION.search((file.parent / note).read_text() if note else file.name)
        if noted is None:
            raise LookupError(f"The version of {file} is said nowhere.")
        yield Vendored(package, noted[0], licence, file.relative_to(ROOT))
