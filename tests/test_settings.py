"""The settings: a misspelt one is an error, and each stands in the docs with its default."""

import re
from datetime import timedelta

import pytest

from settings import WrongSetting, read_settings
from tools.settings_page import PAGE, page, rows


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


def test_each_setting_stands_in_the_docs_as_its_docstring_says_and_no_other_does() -> None:
    text = PAGE.read_text()
    assert {row for row in text.splitlines() if re.match(r"\| `(HANDOVER|OTEL)_", row)} == set(rows().values())
    assert page(text) == text, "make docs"
