"""A plugin of pytest: tells coverage which test runs, and notes how long each took."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

_SECONDS: dict[str, float] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Have what runs from now on count as reached by this test."""
    running = coverage.Coverage.current()
    if running is not None:
        running.switch_context(item.nodeid)
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what a test took."""
    _SECONDS[report.nodeid] = _SECONDS.get(report.nodeid, 0) + report.duration


def pytest_sessionfinish() -> None:
    """Write it down."""
    Path(os.environ["MUTANTS_DURATIONS"]).write_text(json.dumps(_SECONDS))
