"""The audit of locked versions: pip-audit itself, against a data base of known vulnerabilities on this machine."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tools.supply.audit import WITNESS, Outcome, audit
from tools.supply.materials import LOCK, locked

PINS = {"jinja2": "2.10", "idna": "3.20"}
WITNESSED = {WITNESS[0]: "GHSA-cq27-v7xp-c356"}


def entry(package: str, vulnerability: str) -> dict[str, Any]:
    """Give an entry as OSV has it."""
    events = [{"introduced": "0"}, {"fixed": "2.10.1"}]
    affected = [
        {"package": {"name": package, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    ]
    return {"id": vulnerability, "summary": "", "published": "2019-04-08T00:00:00Z", "affected": affected}


@contextmanager
def osv(known: dict[str, str], silent_about: str = "") -> Iterator[tuple[str, ...]]:
    """Answer as OSV does inside the block; gives the options that lead there."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            name = json.loads(self.rfile.read(int(self.headers["content-length"])))["package"]["name"]
            found = {"vulns": [entry(name, known[name])]} if name in known else {}
            self.send_response(503 if name == silent_about else 200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield "--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        server.server_close()


def test_what_is_known_is_said_with_what_mends_it(capfd: pytest.CaptureFixture[str]) -> None:
    with osv(WITNESSED | {"jinja2": "GHSA-462w-v97r-4m45"}) as options:
        assert audit(PINS, {"here": options}) is Outcome.KNOWN
    told = capfd.readouterr().out
    assert "jinja2 2.10: GHSA-462w-v97r-4m45, mended in 2.10.1" in told
    assert WITNESS[0] not in told


def test_nothing_known_is_said_where_each_was_asked_about(capfd: pytest.CaptureFixture[str]) -> None:
    with osv(WITNESSED) as options:
        assert audit(PINS, {"here": options}) is Outcome.NONE_KNOWN
    assert "No vulnerability is known in 2 versions." in capfd.readouterr().out


@pytest.mark.parametrize(
    ("known", "silent_about"), [({}, ""), (WITNESSED, "idna")], ids=["knows nothing", "breaks off"]
)
def test_who_knows_nothing_or_breaks_off_has_not_answered(
    known: dict[str, str], silent_about: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with osv(known, silent_about) as options:
        assert audit(PINS, {"here": options}) is Outcome.NOT_ASKED
    told = capfd.readouterr().out
    assert "NOT ASKED, so nothing is known: 2 of 2 versions (idna, jinja2)." in told
    assert "No vulnerability" not in told


def test_where_nobody_is_reached_nothing_is_known(capfd: pytest.CaptureFixture[str]) -> None:
    with osv(WITNESSED) as options:
        pass
    assert audit(PINS, {"gone": options}) is Outcome.NOT_ASKED
    assert "NOT ASKED" in capfd.readouterr().out


def test_who_is_asked_second_is_asked_for_what_the_first_did_not_answer(capfd: pytest.CaptureFixture[str]) -> None:
    with osv({}) as first, osv(WITNESSED) as second:
        assert audit(PINS, {"first": first, "second": second, "third": ()}) is Outcome.NONE_KNOWN
    told = capfd.readouterr().out
    assert "first answered for 0 of 2 versions.\nsecond answered for 2 of 2" in told
    assert "third" not in told


def test_each_version_of_the_lock_is_asked_about() -> None:
    assert {f"{name}=={version}" for name, version in locked().items()} >= {
        line.removesuffix(" \\") for line in LOCK.read_text().splitlines() if line[0].isalpha() and ";" not in line
    }
