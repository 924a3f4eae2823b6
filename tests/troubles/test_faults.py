"""Every fault of a charger, in both versions of OCPP, at every step where it can strike; this makes docs/faults.md."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import select
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from demo.faults import STRIKES, Fault, Step, Trouble
from demo.findings import in_charger, in_database
from demo.person import FINAL
from demo.simulation import Station, Version
from persistence.charger_keys import PURPOSE, KeyState
from persistence.tables import Credential, Link, Transfer
from persistence.vault import Vault
from tests.conftest import ROOT
from tests.journeys.people import LOOK_EVERY, ask, patiently
from tests.journeys.searches import check_no_secret_is_left
from tests.journeys.system import System, running, two_users

TABLE = ROOT / "docs" / "faults.md"
TO_BOB = {"kind": "transfer_to_user", "recipient": "bob@example.com", "acceptance": "not_required"}
SETTINGS = {
    "HANDOVER_START_TIMEOUT": "PT60S",
    "HANDOVER_POLICY__OFFLINE_DEADLINE": "PT60S",
    "HANDOVER_POLICY__RETRIES_USED_UP": "PT20S",
}
HEAD = """# What a charger's faults lead to

Made by `make test ARGS='tests/troubles/test_faults.py --write-tables'`, and compared with what every run finds. Each
row is one transfer to another user, `connection: keep`, in each version of OCPP: the state that it ends in, with its
warnings, and what the charger's own memory holds once it is connected again. *operator: …* is what was answered where
the transfer waited for one. In every row exactly one key opens a connection, the charger holds it, and the owner whom
the state names is the one whom the platform names. The faults are those of `python -m demo.station --help`.

| fault | strikes at | OCPP 1.6 | OCPP 2.0.1 |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Case:
    """One charger with one fault."""

    number: int
    ocpp: Version
    trouble: Trouble

    @property
    def faults(self) -> list[Trouble]:
        """Its fault; only a charger that needs a restart for its key is restarted."""
        needs_restart = [Trouble(Fault.REBOOT_REQUIRED)] if self.trouble.at is Step.RESET else []
        return [self.trouble, *needs_restart]

    @property
    def charge_point(self) -> str:
        return f"cp-{self.number}"

    @property
    def identity(self) -> str:
        return f"CP-{self.number}"

    @property
    def first_password(self) -> str:
        return f"first-password-of-{self.number}"


def cases(every: int) -> list[Case]:
    """Give a case for each version, fault and step; or every so-many-th of them, all faults among them."""
    troubles = [Trouble(fault, at) for fault in Fault for at in Step if at in STRIKES[fault]]
    found = [(ocpp, trouble) for trouble in troubles for ocpp in get_args(Version)]
    return [Case(number, ocpp, trouble) for number, (ocpp, trouble) in enumerate(found[::every], start=1)]


@pytest.mark.timeout(900)
async def test_whatever_a_charger_does_one_party_has_it_and_the_platform_knows_which(
    tmp_path: Path, sqlite_url: str, request: pytest.FixtureRequest
) -> None:
    write = request.config.getoption("--write-tables")
    chosen = cases(1 if write or request.config.getoption("--every-fault") else 3)
    lines = two_users(len(chosen))
    for case in chosen:
        next(line for line in lines if line.get("id") == case.charge_point)["ocpp"] = case.ocpp
    faults = {case.charge_point: case.faults for case in chosen}
    async with running(tmp_path / "system", sqlite_url, lines, faults=faults, settings=SETTINGS) as system:
        starts = asyncio.Semaphore(8)
        found = await asyncio.gather(*(live_through(system, case, starts) for case in chosen))
        await check_no_secret_is_left(system.stage, system.db, system.keys, system.charge_points)
    rows = dict(zip(chosen, found, strict=True))
    if write:
        TABLE.write_text(HEAD + "".join(table(rows)))
    said = TABLE.read_text()
    for case, cell in rows.items():
        [row] = [line for line in said.splitlines() if line.startswith(f"| {case.trouble.fault} | {case.trouble.at} |")]
        assert row.split(" | ")[2 if case.ocpp == "1.6" else 3].removesuffix(" |") == cell, case


def table(rows: dict[Case, str]) -> list[str]:
    """Give the lines of the table."""
    cells: dict[Trouble, dict[str, str]] = {}
    for case, cell in rows.items():
        cells.setdefault(case.trouble, {})[case.ocpp] = cell
    return [f"| {trouble.fault} | {trouble.at} | {by['1.6']} | {by['2.0.1']} |\n" for trouble, by in cells.items()]


async def live_through(system: System, case: Case, starts: asyncio.Semaphore) -> str:
    """Take a transfer to its end and the charger back to its connection; give the table's cell."""
    async with starts, system.user("ada") as ada:
        transfer_id = await ask(ada, case.charge_point, TO_BOB, key=f"case-{case.number}")
    found, acts = await see_it_end(system, case, transfer_id)
    async with returned(system, case):
        await at_rest(system, case, transfer_id)
        registered, contradictions = await in_database(system.db, case.charge_point)
        remembered = in_charger(system.stage.state_file(case.identity), case.first_password)
        assert contradictions == [], case
        assert registered.owner == ("ada" if registered.state == "rolled_back" else "bob"), case
        assert await opens(system, case, remembered.new_password), case
    warnings = f" ({', '.join(found['warnings'])})" if found["warnings"] else ""
    return f"{''.join(f'operator: {act}; ' for act in acts)}{registered.state}{warnings}: {remembered}"


async def see_it_end(system: System, case: Case, transfer_id: str) -> tuple[dict[str, Any], list[str]]:
    """Look at a transfer until it has ended; where it waits for an operator, be one."""
    acts: list[str] = []
    async with asyncio.timeout(400), system.user("ada") as ada:
        while True:
            found: dict[str, Any] = (await patiently(lambda: ada.get(f"/v1/transfers/{transfer_id}"))).json()
            if found["state"] in FINAL:
                return found, acts
            if found["attention"] == "operator":
                acts.append("roll_back" if case.trouble.at is Step.ROTATE else "complete")
                body = {"action": acts[-1], "reason": "the charger does not do it"}
                answer = await ada.post(f"/v1/transfers/{transfer_id}/resolve", json=body)
                assert answer.status_code == 200, answer.text
            await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on


@asynccontextmanager
async def returned(system: System, case: Case) -> AsyncIterator[None]:
    """Have a charger that never returns repaired: started again, without its fault."""
    if case.trouble.fault is not Fault.NEVER_RETURN:
        yield
        return
    state = system.stage.state_file(case.identity)
    station = Station(system.stage.gateway, case.identity, case.first_password, state, ocpp=case.ocpp)
    running_station = asyncio.create_task(station.run())
    try:
        yield
    finally:
        running_station.cancel()
        await asyncio.gather(running_station, return_exceptions=True)


async def at_rest(system: System, case: Case, transfer_id: str) -> None:
    """Wait until the charger is connected, out of quarantine, and has nothing left to be done that it does."""
    refuses = case.trouble.at is Step.RELEASE and case.trouble.fault in {Fault.REJECT, Fault.NOT_SUPPORTED}
    async with asyncio.timeout(120):
        while True:
            async with system.db.reading() as session:
                link = await session.get_one(Link, case.charge_point)
                due = (await session.get_one(Transfer, transfer_id)).due and not refuses
                pending = select(Credential.id).where(Credential.charge_point_id == case.charge_point)
                waits = (await session.scalars(pending.where(Credential.state == KeyState.PENDING))).first()
            if link.node is not None and not link.quarantined and not due and waits is None:
                return
            await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on


async def opens(system: System, case: Case, changed: bool) -> bool:
    """Whether the charger's present key is the one key that opens a connection: its first does not any more."""
    state = Station(
        system.stage.gateway, case.identity, case.first_password, system.stage.state_file(case.identity)
    ).state
    vault = Vault([system.stage.secret_key])
    async with system.db.reading() as session:
        living = select(Credential.mac).where(
            Credential.charge_point_id == case.charge_point, Credential.state != KeyState.REVOKED
        )
        macs: Sequence[str] = (await session.scalars(living)).all()
    if len(macs) != 1 or not vault.matches(PURPOSE, state.secret(), macs[0]):
        return False
    return not changed or await is_refused(system, case)


async def is_refused(system: System, case: Case) -> bool:
    """Try the first password, as its former owner would."""
    secret = b64encode(f"{case.identity}:{case.first_password}".encode()).decode()
    try:
        async with connect(
            f"{system.stage.gateway}/{case.identity}",
            subprotocols=[Subprotocol(f"ocpp{case.ocpp}")],
            additional_headers={"Authorization": f"Basic {secret}"},
        ):
            return False
    except InvalidStatus as refused:
        return refused.response.status_code == 401
