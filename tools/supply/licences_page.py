"""Writes docs/licences.md from the bill of materials: `make licences`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tools.supply.licences import ALLOWED, is_allowed
from tools.supply.materials import bill

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "licences.md"
_HEAD: Final = """# What is here by others, and its licence

Written by `make licences` from the bill of materials (`make sbom`): what `requirements/main.txt` locks, and files of
others in the tree. The image's base, Debian and Python, comes with its own. The licences' texts are in the image's
`/venv`, with each package, and beside each file. Good for us, as a test holds each to:
{allowed}.

| component | version | licence |
|---|---|---|
"""


def page(bom: Mapping[str, Any]) -> str:
    """Give the page."""
    return _HEAD.format(allowed=", ".join(sorted(ALLOWED))) + "".join(
        f"| {_shown(one)} | {one['version']} | {one['licenses'][0]['expression']} |\n" for one in bom["components"]
    )


def _shown(one: Mapping[str, Any]) -> str:
    where = "".join(f", `{place['location']}`" for place in one.get("evidence", {}).get("occurrences", []))
    return f"{one['name']}{where}{', by tests alone' if one.get('scope') == 'excluded' else ''}"


def not_allowed(bom: Mapping[str, Any]) -> list[str]:
    """Name the components whose licence is not good for us."""
    return [one["name"] for one in bom["components"] if not is_allowed(one["licenses"][0]["expression"])]


def main() -> int:
    """Write the page; gives the exit code."""
    bom = bill()
    PAGE.write_text(page(bom))
    if wrong := not_allowed(bom):
        print(f"Under a licence that is not good for us: {', '.join(wrong)}.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
