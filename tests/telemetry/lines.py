"""Keeps what a process would write into its log, as JSON."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from telemetry.choices import LogFormat
from telemetry.logs import formatter


class Lines:
    """What was written inside the block of `written`."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@contextmanager
def written(level: int = logging.INFO, log_format: LogFormat = LogFormat.JSON) -> Iterator[Lines]:
    """Write every record inside the block as a process does."""
    lines, root = Lines(), logging.getLogger()
    handler, before = logging.StreamHandler(lines.stream), root.level
    handler.setFormatter(formatter(log_format))
    root.addHandler(handler)
    root.setLevel(level)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
