"""The ports of the demo's parts: by default, from the environment, or free ones."""

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

HOST: Final = "127.0.0.1"

#: Field, its setting, its default.
_PORTS: Final = (
    ("api", "HANDOVER_API_PORT", 8000),
    ("gateway", "HANDOVER_GATEWAY_PORT", 9000),
    ("temporal", "HANDOVER_TEMPORAL_PORT", 7233),
    ("temporal_ui", "HANDOVER_TEMPORAL_UI_PORT", 8233),
    ("mailbox", "HANDOVER_MAILBOX_PORT", 8025),
    ("smtp", "HANDOVER_SMTP_PORT", 1025),
    ("stations", "HANDOVER_STATIONS_PORT", 9100),
)


#: Below those that Linux, macOS and Windows give to outgoing connections.
_OURS: Final = range(20000, 32768)


class PortProblem(Exception):
    """A port can't be used; the text names it and the setting that changes it."""


@dataclass(frozen=True)
class Ports:
    """One port each, on 127.0.0.1."""

    api: int
    gateway: int
    temporal: int
    temporal_ui: int
    mailbox: int
    smtp: int
    stations: int
    """Where the simulated charge points take orders, as from somebody in front of them (tools/simulator/control.py)."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises PortProblem for what is no port."""
        found: dict[str, int] = {}
        for field, setting, default in _PORTS:
            text = environ.get(setting, str(default))
            if not text.isdecimal() or not 0 < int(text) < 65536:
                raise PortProblem(f"{setting} is {text!r}; set it to a port from 1 to 65535.")
            found[field] = int(text)
        return cls(**found)

    @classmethod
    def free(cls) -> Self:
        """Give ports that nobody listens on."""
        found: set[int] = set()
        while len(found) < len(_PORTS):
            found.add(free_port())
        return cls(**dict(zip((field for field, _, _ in _PORTS), found, strict=True)))

    def check(self, *, without: frozenset[str] = frozenset()) -> None:
        """Raise PortProblem where a port is wanted twice or taken by another program."""
        users: dict[int, str] = {}
        for field, setting, _ in _PORTS:
            if field in without:
                continue
            port = getattr(self, field)
            if (other := users.setdefault(port, setting)) != setting:
                raise PortProblem(f"{other} and {setting} are both {port}; change one of them.")
            if _taken(port):
                raise PortProblem(
                    f"Port {port} is taken by another program. Stop that, set {setting} to another port, "
                    "or add `--ports auto` (make: ARGS='--ports auto')."
                )


def free_port() -> int:
    """Give a port that nobody listens on; not one of those that the system gives to connections meanwhile."""
    while _taken(port := _OURS.start + secrets.randbelow(len(_OURS))):
        pass
    return port


def _taken(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left is free
        try:
            trial.bind((HOST, port))
        except OSError:
            return True
    return False
