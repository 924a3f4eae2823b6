"""Writes the tables of docs/settings.md from the docstrings of settings.py: `make docs`."""

import ast
import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

import isodate
from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from settings import Settings

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
#: A row of a table: a setting's name, its default, what it is.
_ROW: Final = re.compile(r"^\| `([A-Z_]+)` \| .*? \| .+ \|$", re.MULTILINE)


def rows() -> dict[str, str]:
    """Give the row of each setting by its name in the environment."""
    return {
        name: f"| `{name}` | {_written(one.get_default(call_default_factory=True))} | {said} |"
        for name, one, said in _every(Settings, "HANDOVER_")
    }


def page(text: str) -> str:
    """Give the page with each row as the docstrings say; where a row stands is the page's own."""
    known = rows()
    return _ROW.sub(lambda row: known.get(row[1], row[0]), text)


def _every(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo, str]]:
    said = _docstrings(model)
    for name, one in model.model_fields.items():
        if isinstance(one.annotation, type) and issubclass(one.annotation, BaseModel):
            yield from _every(one.annotation, f"{prefix}{name.upper()}__")
        elif isinstance(one.validation_alias, AliasChoices):
            yield from ((str(choice), one, said[name]) for choice in one.validation_alias.choices)
        else:
            yield str(one.validation_alias or f"{prefix}{name.upper()}"), one, said[name]


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Read what stands below each field of a model, and of those that it is made from."""
    found: dict[str, str] = {}
    for base in reversed([one for one in model.__mro__ if one.__module__.partition(".")[0] in {"settings", "domain"}]):
        body = cast(ast.ClassDef, ast.parse(inspect.getsource(base)).body[0])
        for field, below in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(field.target, ast.Name):
                found[field.target.id] = " ".join(str(ast.literal_eval(below.value)).split())
    return found


def _written(default: Any) -> str:
    """Write a default as somebody would set it."""
    if default is None or default == []:
        return "unset"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, timedelta):
        return f"`{isodate.duration_isoformat(default)}`"
    return f"`{default.get_secret_value() if isinstance(default, SecretStr) else default}`"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
