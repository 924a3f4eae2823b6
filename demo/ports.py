"""The ports of the demo's parts: by default, from the environment, or free ones."""

import socket
from collections.abc import Mapping
from contextlib import ExitStack
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
    """Where the simulated charge points take orders, as from somebody in front of them (demo/control.py)."""

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
        with ExitStack() as held:
            sockets = {field: held.enter_context(socket.socket()) for field, _, _ in _PORTS}
            for one in sockets.values():
                one.bind((HOST, 0))
            return cls(**{field: one.getsockname()[1] for field, one in sockets.items()})

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


def _taken(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left is free
        try:
            trial.bind((HOST, port))
        except OSError:
            return True
    return False
