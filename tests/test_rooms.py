"""The rooms as they stand, against the contracts and the picture of them in docs/architecture.md."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
#: Folders that are no rooms of the layered architecture.
OUTSIDE = {"tests"}


def packages() -> set[str]:
    return {file.parent.name for file in ROOT.glob("*/__init__.py")}


def modules() -> list[Path]:
    rooms = sorted(packages() - {"tests"})
    return [file for room in rooms for file in sorted((ROOT / room).rglob("*.py")) if "versions" not in file.parts]


def test_every_room_is_under_the_contracts() -> None:
    assert set(CONTRACTS["root_packages"]) == packages() - OUTSIDE


def test_the_layers_name_every_room_once() -> None:
    layers = CONTRACTS["contracts"][0]["layers"]
    assert sorted(re.findall(r"\w+", " ".join(layers))) == sorted(packages() - OUTSIDE)


def test_the_map_in_the_docs_shows_every_room_and_no_other() -> None:
    shown = set(re.findall(r"^(\w+)/", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE))
    assert shown >= packages()
    assert all((ROOT / name).is_dir() for name in shown)


def test_every_file_opens_with_what_belongs_there() -> None:
    silent = [str(file.relative_to(ROOT)) for file in modules() if not ast.get_docstring(ast.parse(file.read_text()))]
    assert silent == []


def test_tests_mirror_the_rooms() -> None:
    folders = {file.parent.name for file in (ROOT / "tests").glob("*/__init__.py")}
    assert folders <= packages() | {"replay", "journeys", "troubles", "containers"}


def test_what_the_docs_name_is_there() -> None:
    """Decisions are left as they were written."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = {path for page in pages for path in re.findall(r"`((?:\w+/)+[\w.-]*\w)`", page.read_text())}
    named = {path for path in named if path.partition("/")[0] in packages() | {"docs", "deploy", "requirements"}}
    assert {path for path in named if not (ROOT / path).exists()} == set()
