"""What one demo has: its folder, its addresses, its secrets, and the environment of its parts."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from engine.connection import Connection, read_connection
from persistence.vault import new_secret
from tools.stage.ports import HOST, Ports

#: What the demo sets where the caller did not: answers that come while one watches, however often one tries.
QUICK = {
    "HANDOVER_POLICY__RECONNECT_AFTER": "PT2S",
    "HANDOVER_POLICY__LOOK_AGAIN": "PT5S",
    "HANDOVER_CALL_TIMEOUT": "PT5S",
    "HANDOVER_ENROLMENT_RESTART_HOURS": "0-24",
    "HANDOVER_ENROLMENTS_PER_HOUR": "100000",
    "HANDOVER_RECONCILE_EVERY": "PT10S",
    "HANDOVER_LIMITS__TRANSFERS_PER_HOUR": "0",
    "HANDOVER_LIMITS__MESSAGES_PER_DAY": "0",
    "HANDOVER_LIMITS__MISSES_PER_MINUTE": "0",
    "HANDOVER_LIMITS__REFUSALS_PER_HOUR": "0",
    "HANDOVER_LIMITS__SIGN_IN_CODES_PER_HOUR": "0",
    "HANDOVER_LIMITS__SIGN_IN_CODES_PER_NETWORK": "0",
}
#: Where there is help, as a charging company would say it.
_SUPPORT = {
    "private": {"contact": "https://help.example.com/chat", "answers_within": "PT5M"},
    "business": {
        "contact": "https://help.example.com/tickets",
        "hours": {"days": "mon-sun", "opens": "07:00", "closes": "23:00", "zone": "CET"},
        "answers_within": "P3D",
    },
    "installers": {
        "contact": "https://help.example.com/calls",
        "hours": {"days": "mon-fri", "opens": "09:00", "closes": "17:00", "zone": "CET"},
    },
}


class FolderProblem(Exception):
    """Another demo runs in the same folder; the text says what to do."""


@dataclass(frozen=True)
class Stage:
    """One demo, in `folder` (`.handover`): data under demo/, logs under logs/, demo.json for other programs."""

    folder: Path
    ports: Ports
    temporal: str
    """The address of Temporal: the demo's own dev server, or the one that TEMPORAL_ADDRESS names."""
    own_temporal: bool
    quick: bool = True
    """Waits are as short as one watches them; else as they are in production."""

    @property
    def data(self) -> Path:
        """The demo's own data: removed at each start."""
        return self.folder / "demo"

    @property
    def logs(self) -> Path:
        """A log for each part."""
        return self.folder / "logs"

    @property
    def database_url(self) -> str:
        """The demo's database: a SQLite file."""
        return f"sqlite+aiosqlite:///{self.data / 'handover.db'}"

    @property
    def api(self) -> str:
        """Where the API and its pages are."""
        return f"http://{HOST}:{self.ports.api}"

    @property
    def gateway(self) -> str:
        """Where chargers connect, without their identity."""
        return f"ws://{HOST}:{self.ports.gateway}/ocpp"

    @property
    def mailbox(self) -> str:
        """Where mails are read."""
        return f"http://{HOST}:{self.ports.mailbox}"

    @property
    def temporal_ui(self) -> str | None:
        """Where operators look; None where Temporal is not the demo's own."""
        return f"http://{HOST}:{self.ports.temporal_ui}" if self.own_temporal else None

    @cached_property
    def secret_key(self) -> str:
        """The server key of this demo, kept in a file that only its user can read."""
        key = new_secret()
        write_private(self.data / "secret-keys", key)
        return key

    @property
    def connection(self) -> Connection:
        """How Temporal is reached: a dev server of ours as it is, another one as its environment and profile say."""
        if self.own_temporal:
            return Connection(self.temporal)
        return read_connection(self.temporal, os.environ.get("HANDOVER_TEMPORAL_NAMESPACE"))

    @property
    def environment(self) -> dict[str, str]:
        """The settings of every part; what the caller has set stays, but for what makes the parts one demo."""
        quick = {name: os.environ.get(name, value) for name, value in QUICK.items()} if self.quick else {}
        return {
            **quick,
            **(without_profile() if self.own_temporal else {}),
            "HANDOVER_DATABASE_URL": self.database_url,
            "HANDOVER_SECRET_KEYS": self.secret_key,
            "HANDOVER_TEMPORAL_ADDRESS": self.temporal,
            "HANDOVER_ORIGIN": self.api,
            "HANDOVER_SUPPORT": os.environ.get("HANDOVER_SUPPORT", json.dumps(_SUPPORT)),
            "HANDOVER_API_HOST": HOST,
            "HANDOVER_API_PORT": str(self.ports.api),
            "HANDOVER_GATEWAY_HOST": HOST,
            "HANDOVER_GATEWAY_PORT": str(self.ports.gateway),
            "HANDOVER_SMTP_HOST": HOST,
            "HANDOVER_SMTP_PORT": str(self.ports.smtp),
            "PYTHONUNBUFFERED": "1",
        }

    @contextmanager
    def fresh(self) -> Iterator[None]:
        """Have the folder to ourselves, without a former demo's data; raises FolderProblem."""
        with self._locked() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderProblem(f"A demo runs in {self.folder} already; stop that one first.") from None
            for former in (self.data, self.logs):
                shutil.rmtree(former, ignore_errors=True)
            self.data.mkdir(mode=0o700)
            yield

    def _locked(self) -> IO[str]:
        """Open the lock of the folder, made where it is not there."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return (self.folder / "demo.lock").open("w")
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise FolderProblem(f"{self.folder} can't be used ({reason}); name another folder with --data.") from None

    def state_file(self, identity: str) -> Path:
        """Say where a simulated charge point keeps its memory."""
        return self.data / "stations" / f"{identity}.json"

    def write_facts(self, keys: dict[str, str], charge_points: list[dict[str, Any]]) -> Path:
        """Write demo.json, for programs that use the running demo."""
        file = self.folder / "demo.json"
        facts = {
            "api": self.api,
            "gateway": self.gateway,
            "temporal": self.temporal,
            "temporal_ui": self.temporal_ui,
            "mailbox": self.mailbox,
            "stations": self.ports.stations,
            "keys": keys,
            "charge_points": charge_points,
        }
        write_private(file, json.dumps(facts, indent=2) + "\n")
        return file


def without_profile() -> dict[str, str]:
    """Give what keeps Temporal's environment and profile file from a process: they are about another server."""
    ours = {name: "" for name in os.environ if name.startswith("TEMPORAL_") or name == "HANDOVER_TEMPORAL_NAMESPACE"}
    return {**ours, "TEMPORAL_CONFIG_FILE": os.devnull}


def write_private(file: Path, text: str) -> None:
    """Write a file that only its user can read, from its first byte on."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
