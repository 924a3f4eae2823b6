"""Asks what vulnerabilities are known in what is locked: `make audit`.

pip-audit asks: the index's own data, and OSV for what the index did not answer. It passes over whatever is not found,
and takes silence for health; here only who knows of a version that is vulnerable has answered.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tools.supply.materials import LOCK, locked

#: A package's last version, whose vulnerabilities nobody will mend: who does not know of them knows of none.
WITNESS: Final = ("pycrypto", "2.6.1")
_SERVICES: Final = {"the index": ("--vulnerability-service", "pypi"), "OSV": ("--vulnerability-service", "osv")}


class Outcome(IntEnum):
    """The exit code."""

    NONE_KNOWN = 0
    KNOWN = 1
    NOT_ASKED = 3
    """Some version, or each, could not be asked about; argparse has the 2."""


@dataclass(frozen=True)
class Vulnerability:
    """What is known against a version."""

    id: str
    fixed_in: tuple[str, ...]


Answers = dict[str, list[Vulnerability]]


def audit(pins: Mapping[str, str], services: Mapping[str, tuple[str, ...]]) -> Outcome:
    """Ask one service after the other for what none before has answered; says what comes of it."""
    answers: Answers = {}
    for name, options in services.items():
        if left := {package: version for package, version in pins.items() if package not in answers}:
            new = ask(left, options)
            print(f"{name} answered for {len(new)} of {len(left)} versions.")
            answers |= new
    known = [(package, one) for package, found in sorted(answers.items()) for one in found]
    for package, one in known:
        print(f"{package} {pins[package]}: {one.id}, mended in {', '.join(one.fixed_in) or 'no version'}")
    if unasked := sorted(pins.keys() - answers.keys()):
        print(f"NOT ASKED, so nothing is known: {len(unasked)} of {len(pins)} versions ({', '.join(unasked)}).")
    if known:
        return Outcome.KNOWN
    if unasked:
        return Outcome.NOT_ASKED
    print(f"No vulnerability is known in {len(pins)} versions.")
    return Outcome.NONE_KNOWN


def ask(pins: Mapping[str, str], options: tuple[str, ...]) -> Answers:
    """Give what a service answers, by package; nothing where it can't be reached, or does not know of the witness."""
    package, version = WITNESS
    with TemporaryDirectory() as folder:
        file = Path(folder) / "pins.txt"
        file.write_text("".join(f"{one}=={pin}\n" for one, pin in [*pins.items(), WITNESS]))
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(file), "--no-deps", "--disable-pip"]
        told = subprocess.run(
            [*command, "--format", "json", "--progress-spinner", "off", *options],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if not told.stdout:
        print(told.stderr.strip().rpartition("\n")[2])
        return {}
    found = {
        one["name"]: [Vulnerability(each["id"], tuple(each["fix_versions"])) for each in one["vulns"]]
        for one in json.loads(told.stdout)["dependencies"]
        if "vulns" in one
    }
    if not found.pop(package, None):
        print(f"{package} {version} is not known there to be vulnerable: what is said of others is not believed.")
        return {}
    return found


def main() -> int:
    """Audit; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="make audit", description="Asks for known vulnerabilities of locked versions."
    )
    parser.add_argument(
        "lock", type=Path, nargs="?", default=LOCK, help="default: what is shipped, requirements/main.txt"
    )
    parser.add_argument("--osv-url", help="the address of a copy of OSV's `v1/query`, to be asked alone")
    options = parser.parse_args()
    url: str | None = options.osv_url
    return audit(locked(options.lock), {url: (*_SERVICES["OSV"], "--osv-url", url)} if url else _SERVICES)


if __name__ == "__main__":
    sys.exit(main())
