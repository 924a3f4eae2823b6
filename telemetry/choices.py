"""What can be chosen about how a process is watched: the types of its settings."""

from dataclasses import dataclass
from enum import StrEnum


class LogFormat(StrEnum):
    """For whom the log is: people, or programs."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class Ports:
    """Where metrics are read, of the process itself and of the Temporal SDK; `host` is an IP address, None: nowhere."""

    host: str = "127.0.0.1"
    own: int | None = None
    sdk: int | None = None
