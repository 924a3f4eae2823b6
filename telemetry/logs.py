"""How a log line is written: as text for people or as JSON for programs, with what the work at hand is about."""

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry import trace
from pythonjsonlogger.json import JsonFormatter
from temporalio import activity, workflow

from domain.ids import transfer_of
from telemetry import subject
from telemetry.choices import LogFormat

#: Libraries that write much, or what they are given: addresses, codes, frames.
_NOISY: Final = ("httpx", "urllib3", "websockets", "mail.log", "asyncio", "aiosqlite")
#: Where the SDK says what a line of its own is about, and which of it is a fact of ours.
_SDK_EXTRAS: Final = ("temporal_workflow", "temporal_activity")
_SDK_FACTS: Final = {"workflow_id": "workflow", "activity_type": "step", "attempt": "attempt"}


def start_logging(level: str, log_format: LogFormat = LogFormat.TEXT) -> None:
    """Log to standard error, one line an entry; libraries that would log secrets or frames stay silent."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(log_format))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("ocpp").setLevel(logging.CRITICAL)  # logs every frame at INFO, keys included
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


def formatter(kind: LogFormat) -> logging.Formatter:
    """Give what writes a record. The SDK then no longer repeats in its messages what our facts say."""
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False
    return JsonLines() if kind is LogFormat.JSON else TextLines()


def facts_of(record: logging.LogRecord) -> dict[str, str]:
    """Give what is known of a record: by where it was written, by what the SDK says, by the span it was written in."""
    facts = {**_from_sdk(record), **subject.known()}
    if "transfer_id" not in facts and (transfer_id := transfer_of(facts.get("workflow", ""))):
        facts["transfer_id"] = transfer_id
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        facts["trace_id"] = trace.format_trace_id(span.trace_id)
    return facts


class TextLines(logging.Formatter):
    """One line a record, its facts at the end in square brackets."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Write the line, without the trace of an exception."""
        facts = " ".join(f"{name}={value}" for name, value in facts_of(record).items())
        return super().formatMessage(record) + (f" [{facts}]" if facts else "")


class JsonLines(JsonFormatter):
    """One JSON object a record: `time`, `level`, `logger`, `message`, its facts, `exc_info`; no other extras."""

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: Mapping[str, Any]) -> None:
        """Fill the object."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data |= {"time": time, "level": record.levelname, "logger": record.name, "message": record.message}
        log_data |= facts_of(record)
        log_data |= message_dict


def _from_sdk(record: logging.LogRecord) -> dict[str, str]:
    said: dict[str, Any] = {}
    for name in _SDK_EXTRAS:
        said |= getattr(record, name, None) or {}
    said |= getattr(getattr(record, "temporal_log", None), "fields", None) or {}
    return {ours: str(said[theirs]) for theirs, ours in _SDK_FACTS.items() if said.get(theirs)}
