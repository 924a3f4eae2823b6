"""Puts a PgBouncer, 1.21 or later, before a PostgreSQL, with what deploy/pgbouncer has it do."""

import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from configparser import RawConfigParser
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from tools.stage.finding_postgres import unprivileged
from tools.stage.ports import HOST, free_port

SHIPPED = Path(__file__).resolve().parents[1] / "deploy" / "pgbouncer" / "pgbouncer.ini"
_BUILD = Path(__file__).with_name("containers") / "pgbouncer.sh"
_WITHIN = 20.0


@contextmanager
def pgbouncer(url: str, connections: int) -> Iterator[int]:
    """Run one with so many connections to a server, whoever comes, as the role of `url`; gives its port."""
    program = subprocess.run([_BUILD], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    server, port = make_url(url), free_port()
    ini = RawConfigParser()
    ini.read(SHIPPED)
    query = re.search(r"connect_query=.*", ini["databases"]["handover"])
    assert query, "what a connection is told"
    login = f"user={server.username} password={server.password or ''}"
    ini["databases"] = {"*": f"host={server.host} port={server.port} {login} {query[0]}"}
    ini["pgbouncer"].update(listen_addr=HOST, listen_port=str(port), auth_type="any", unix_socket_dir="")
    ini["pgbouncer"].update(default_pool_size=str(connections))
    del ini["pgbouncer"]["auth_file"]
    with tempfile.TemporaryDirectory(prefix="handover-pgbouncer-") as folder:
        as_user, file = unprivileged(Path(folder)), Path(folder) / "pgbouncer.ini"
        with file.open("w") as written:
            ini.write(written)
        with (Path(folder) / "log").open("wb") as log:
            running = subprocess.Popen([*as_user, program, str(file)], stdout=log, stderr=log, cwd=folder)
        try:
            _wait_for(port, running, Path(folder) / "log")
            yield port
        finally:
            running.kill()  # it waits for who is connected
            running.wait(_WITHIN)


def _wait_for(port: int, running: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _WITHIN
    while running.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)  # another process: there is nothing to wait on but itself
        else:
            return
    raise AssertionError(f"PgBouncer does not come up: {log.read_text()}")
