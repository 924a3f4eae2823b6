"""The settings: a misspelt one is an error, and each stands in the docs with its default."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import isodate
import pytest
from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from settings import Settings, WrongSetting, read_settings
from tests.conftest import ROOT

#: Name, default and meaning, as a table of docs/settings.md has them.
_ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (.+) \|$", re.MULTILINE)


@pytest.mark.parametrize(
    "name", ["HANDOVER_POLICY__OFFLINE_DEADLIN", "HANDOVER_LIMITS__TRANSFERS_PER_DAY", "HANDOVER_POLICY__X__Y"]
)
def test_a_misspelt_duration_or_limit_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "PT1H")
    with pytest.raises(WrongSetting, match=name.removesuffix("__Y")):
        read_settings()


def test_a_transfer_keeps_the_durations_that_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOVER_POLICY__OFFLINE_DEADLINE", "P3D")
    assert read_settings().policy.offline_deadline == timedelta(days=3)


def every(model: type[BaseModel], prefix: str = "HANDOVER_") -> Iterator[tuple[str, FieldInfo]]:
    """Give each setting by its name in the environment."""
    for name, one in model.model_fields.items():
        if isinstance(one.annotation, type) and issubclass(one.annotation, BaseModel):
            yield from every(one.annotation, f"{prefix}{name.upper()}__")
        elif isinstance(one.validation_alias, AliasChoices):
            yield from ((str(choice), one) for choice in one.validation_alias.choices)
        else:
            yield str(one.validation_alias or f"{prefix}{name.upper()}"), one


def written(default: Any) -> str:
    """Write a default as somebody would set it."""
    if default is None or default == []:
        return "unset"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, timedelta):
        return f"`{isodate.duration_isoformat(default)}`"
    return f"`{default.get_secret_value() if isinstance(default, SecretStr) else default}`"


def test_each_setting_stands_in_the_docs_with_its_default_and_no_other_does() -> None:
    shown = {name: default for name, default, _ in _ROW.findall((ROOT / "docs" / "settings.md").read_text())}
    assert shown == {name: written(one.get_default(call_default_factory=True)) for name, one in every(Settings)}
