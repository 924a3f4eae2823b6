"""Every fault of a charger, in both versions of OCPP, at every step where it can strike; this makes docs/faults.md."""

import asyncio
import shutil
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import select
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from domain.keys import OWN, KnownTo
from persistence.chargers.charger_keys import PURPOSE, KeyState
from persistence.tables import Credential, PresentConnection, Transfer
from persistence.vault import Vault
from tests.conftest import ROOT
from tests.journeys.people import LOOK_EVERY, ask, patiently
from tests.journeys.searches import check_no_secret_is_left
from tests.journeys.system import System, running, two_users
from tools.demo.findings import in_charger, in_database
from tools.demo.person import FINAL
from tools.simulator.control import tell
from tools.simulator.faults import STRIKES, Fault, Step, Trouble, needed_with
from tools.simulator.simulation import Station, Version
from tools.simulator.state import StateFile

TABLE = ROOT / "docs" / "faults.md"
TO_BOB = {"kind": "transfer_to_user", "recipient": "bob@example.com", "acceptance": "not_required"}
#: The model of the charge points that are enrolled, and of those that are not.
ENROLLED, NOT_ENROLLED = "Handover demo", "Old"
SETTINGS = {
    "HANDOVER_START_TIMEOUT": "PT60S",
    "HANDOVER_POLICY__OFFLINE_DEADLINE": "PT60S",
    "HANDOVER_POLICY__RETRIES_USED_UP": "PT20S",
    "HANDOVER_POLICY__ENROLMENT_PATIENCE": "PT15S",
    "HANDOVER_ENROLMENT": ENROLLED,
    "HANDOVER_GATEWAY_WITHOUT_SUBPROTOCOL": "1.6",
    "HANDOVER_ENROLMENTS_PER_HOUR": "100000",
    "HANDOVER_LIMITS__TRANSFERS_PER_HOUR": "0",
}
#: Of these, what `--production-timings` leaves as it is: waits for chargers that are away and for operators, how many
#: chargers are enrolled before, and how many transfers one person may start.
LEFT_AS_IT_IS = {
    "HANDOVER_POLICY__OFFLINE_DEADLINE",
    "HANDOVER_POLICY__RETRIES_USED_UP",
    "HANDOVER_ENROLMENT",
    "HANDOVER_GATEWAY_WITHOUT_SUBPROTOCOL",
    "HANDOVER_ENROLMENTS_PER_HOUR",
    "HANDOVER_LIMITS__TRANSFERS_PER_HOUR",
}
#: Where a fault can't strike a charge point that is sent no key.
NO_KEY_IS_SENT = frozenset({Step.ENROL, Step.ROTATE, Step.RESET})
NEVER = "no key is sent"
#: What a charger of OCPP 2.0.1 is spoken to in that offers no subprotocol.
OTHER = "it is taken for one of OCPP 1.6"
HEAD = """# What a charger's faults lead to

Made by `make test ARGS='tests/troubles/test_faults.py --write-tables'`, and compared with what every run finds. Each
row is one transfer to another user, `connection: keep`, of charge points that were imported with a password, in each
version of OCPP, with enrolment and without: the state that it ends in, with its warnings, and what the charger's own
memory holds once it is connected again. *operator: …* is what was answered where the transfer waited for one, *new
owner: types a key* that they did so where it waited for that, or was over without it. A fault *at enrol* strikes
before the transfer, when the charger is sent a key in place of its first. In every row the charger is connected with
the one key that is its own, the owner whom the state names is the one whom the platform names, and what people knew
of the charger before opens nothing once it has a new one. The faults are those of
`python -m tools.simulator.station --help`.

| fault | strikes at | OCPP 1.6 | OCPP 2.0.1 | OCPP 1.6, not enrolled | OCPP 2.0.1, not enrolled |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Case:
    """One charger with one fault."""

    number: int
    ocpp: Version
    trouble: Trouble
    enrolled: bool = True

    def __str__(self) -> str:
        enrolled = "" if self.enrolled else "-not-enrolled"
        return f"{self.trouble.fault}-at-{self.trouble.at}-{self.ocpp}{enrolled}"

    @property
    def faults(self) -> list[Trouble]:
        """Its fault, and what has to be wrong for that to strike."""
        return needed_with(self.trouble)

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
    found = [
        (ocpp, trouble, enrolled)
        for trouble in troubles
        for enrolled in (True, False)
        for ocpp in get_args(Version)
        if (enrolled or trouble.at not in NO_KEY_IS_SENT) and not _is_misread(trouble, ocpp)
    ]
    return [Case(number, *one) for number, one in enumerate(found[::every], start=1)]


def _is_misread(trouble: Trouble, ocpp: str) -> bool:
    return trouble.fault is Fault.NO_SUBPROTOCOL and ocpp == "2.0.1"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each case that this run has."""
    if "case" in metafunc.fixturenames:
        production = metafunc.config.getoption("--production-timings")
        chosen = cases(1 if production or whole(metafunc.config) else 3)
        chosen = [case for case in chosen if not production or case.trouble.at in _ROTATION]
        metafunc.parametrize("case", chosen, ids=str, scope="module")


def whole(config: pytest.Config) -> bool:
    """Whether every case is wanted: the table has all."""
    return bool(config.getoption("--write-tables") or config.getoption("--every-fault"))


_ROTATION = frozenset({Step.ROTATE, Step.RESET})
Lives = dict[Case, "str | BaseException"]


@pytest.fixture(scope="module")
async def lives(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, request: pytest.FixtureRequest
) -> Lives:
    """Take a transfer of each through, all on one system; gives its cell of the table, or what went wrong."""
    folder = tmp_path_factory.mktemp("faults")
    file = shutil.copy(sqlite_template, folder / "handover.db")
    chosen = [case for item in request.session.items if (case := _case_of(item)) is not None]
    lines = two_users(max(case.number for case in chosen))
    for case in chosen:
        next(line for line in lines if line.get("id") == case.charge_point)["ocpp"] = case.ocpp
    quick = not request.config.getoption("--production-timings")
    async with running(
        folder / "system",
        f"sqlite+aiosqlite:///{file}",
        lines,
        faults={case.charge_point: case.faults for case in chosen},
        settings={name: value for name, value in SETTINGS.items() if quick or name in LEFT_AS_IT_IS},
        quick=quick,
        known_to=KnownTo.PEOPLE,
        models={case.charge_point: NOT_ENROLLED for case in chosen if not case.enrolled},
    ) as system:
        starts = asyncio.Semaphore(8)
        found = await asyncio.gather(*(live_through(system, case, starts) for case in chosen), return_exceptions=True)
        await check_no_secret_is_left(system.stage, system.db, system.keys, system.charge_points)
    return dict(zip(chosen, found, strict=True))


def _case_of(item: pytest.Item) -> Case | None:
    """Give the case of a test that is run."""
    found = getattr(getattr(item, "callspec", None), "params", {}).get("case")
    return found if isinstance(found, Case) else None


@pytest.mark.timeout(900)
async def test_whatever_a_charger_does_one_party_has_it_and_the_platform_knows_which(
    lives: Lives, case: Case, request: pytest.FixtureRequest
) -> None:
    cell = lives[case]
    if isinstance(cell, BaseException):
        raise cell
    if request.config.getoption("--write-tables"):
        return  # the table is written, and compared, at the end
    said = TABLE.read_text()
    [row] = [line for line in said.splitlines() if line.startswith(f"| {case.trouble.fault} | {case.trouble.at} |")]
    column = 2 + (case.ocpp == "2.0.1") + 2 * (not case.enrolled)
    assert row.split(" | ")[column].removesuffix(" |") == cell


# Async, as pytest would put a synchronous test behind those of other files, and take every case through once more.
async def test_the_table_of_the_docs_is_written(lives: Lives, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--write-tables"):
        TABLE.write_text(HEAD + "".join(table({case: str(cell) for case, cell in lives.items()})))
    assert TABLE.read_text().startswith(HEAD)


def table(rows: dict[Case, str]) -> list[str]:
    """Give the lines of the table."""
    cells: dict[Trouble, dict[tuple[bool, str], str]] = {}
    for case, cell in rows.items():
        cells.setdefault(case.trouble, {})[case.enrolled, case.ocpp] = cell
    columns = [(enrolled, ocpp) for enrolled in (True, False) for ocpp in get_args(Version)]
    return [
        f"| {trouble.fault} | {trouble.at} | "
        f"{' | '.join(by.get(column) or _why_not(trouble, *column) for column in columns)} |\n"
        for trouble, by in cells.items()
    ]


def _why_not(trouble: Trouble, enrolled: bool, ocpp: str) -> str:
    return OTHER if enrolled and _is_misread(trouble, ocpp) else NEVER


async def live_through(system: System, case: Case, starts: asyncio.Semaphore) -> str:
    """Take a transfer to its end and the charger back to its connection; give the table's cell."""
    begun = time.monotonic()
    async with starts, system.user("ada") as ada:
        transfer_id = await ask(ada, case.charge_point, TO_BOB, key=f"case-{case.number}")
    found, acts = await see_it_end(system, case, transfer_id)
    print(f"{case}: {found['state']} after {time.monotonic() - begun:.0f} s")
    async with returned(system, case):
        if "old_key_known" in found["warnings"] and TYPES not in acts:
            acts.append(await type_key(system, case))
        await at_rest(system, case, transfer_id)
        registered, contradictions = await in_database(system.db, case.charge_point)
        remembered = in_charger(system.stage.state_file(case.identity), case.first_password)
        memory = StateFile(system.stage.state_file(case.identity), case.first_password).state
        assert case.trouble.fault is not Fault.SLOW_RESTART or memory.resets == 1, case
        assert contradictions == [], case
        assert registered.owner == ("ada" if registered.state == "rolled_back" else "bob"), case
        await holds_its_key(system, case)
        assert not remembered.new_password or await is_refused(system, case), case
    warnings = f" ({', '.join(found['warnings'])})" if found["warnings"] else ""
    return f"{''.join(f'{act}; ' for act in acts)}{found['state']}{warnings}: {remembered}"


async def see_it_end(system: System, case: Case, transfer_id: str) -> tuple[dict[str, Any], list[str]]:
    """Look at a transfer until it has ended; where it waits for an operator, be one."""
    acts: list[str] = []
    async with asyncio.timeout(400), system.user("ada") as ada:
        while True:
            found: dict[str, Any] = (await patiently(lambda: ada.get(f"/v1/transfers/{transfer_id}"))).json()
            if found["state"] in FINAL:
                return found, acts
            if found["attention"] == "operator":
                action = "roll_back" if case.trouble.at is Step.ROTATE else "complete"
                acts.append(f"operator: {action}")
                body = {"action": action, "reason": "the charger does not do it"}
                answer = await ada.post(f"/v1/transfers/{transfer_id}/resolve", json=body)
                assert answer.status_code == 200, answer.text
            if found["attention"] == "new_key" and TYPES not in acts:
                acts.append(await type_key(system, case))
            await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on


TYPES = "new owner: types a key"


async def type_key(system: System, case: Case) -> str:
    """Be the new owner, who has a new key shown to them, and types it into the charger."""
    async with system.user("bob") as bob:
        path = f"/v1/charge-points/{case.charge_point}/connection"
        made = await patiently(lambda: bob.post(path, headers={"Idempotency-Key": f"typed-{case.number}"}))
    assert made.status_code == 201, made.text
    await tell(system.stage.ports.stations, f"{case.identity} password {made.json()['password']}")
    return TYPES


@asynccontextmanager
async def returned(system: System, case: Case) -> AsyncIterator[None]:
    """Have a charger that never returns repaired: started again, without its fault."""
    if case.trouble.fault is not Fault.NEVER_RETURN:
        yield
        return
    state = system.stage.state_file(case.identity)
    station = Station(
        system.stage.gateway,
        case.identity,
        case.first_password,
        state,
        ocpp=case.ocpp,
        model=ENROLLED if case.enrolled else NOT_ENROLLED,
    )
    running_station = asyncio.create_task(station.run())
    try:
        yield
    finally:
        running_station.cancel()
        await asyncio.gather(running_station, return_exceptions=True)


async def at_rest(system: System, case: Case, transfer_id: str) -> None:
    """Wait until the charger is connected, out of quarantine, and has nothing left to be done that it does."""
    refuses = case.trouble.at is Step.RELEASE and case.trouble.fault in {
        Fault.REJECT, Fault.NOT_SUPPORTED, Fault.ERROR,
    }  # fmt: skip
    seen = ""
    try:
        async with asyncio.timeout(300):  # what it does not take at once is tried again a minute later, twice
            while True:
                async with system.db.reading() as rows:
                    link = await rows.get_one(PresentConnection, case.charge_point)
                    transfer = await rows.get_one(Transfer, transfer_id)
                    due = transfer.due and not refuses
                    pending = select(Credential.id).where(
                        Credential.charge_point_id == case.charge_point,
                        Credential.state == KeyState.PENDING,
                        Credential.withdrawn_at.is_(None),
                        Credential.purpose.not_in(OWN),
                    )
                    waits = (await rows.scalars(pending)).first()
                if link.node is not None and not link.quarantined and not due and waits is None:
                    return
                seen = f"{link.node=} {link.quarantined=} {transfer.warnings=} {waits=}"
                await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on
    except TimeoutError:
        raise TimeoutError(seen) from None


async def holds_its_key(system: System, case: Case) -> None:
    """Wait until the charger holds the current key, which a key that enrols it may just be replacing."""
    vault = Vault([system.stage.secret_key])
    async with asyncio.timeout(30):
        while True:
            state = StateFile(system.stage.state_file(case.identity), case.first_password).state
            async with system.db.reading() as rows:
                keys = select(Credential).where(Credential.charge_point_id == case.charge_point)
                current = (await rows.scalars(keys.where(Credential.state == KeyState.CURRENT))).one()
            mac = current.mac_decoded if current.decoded else current.mac
            if vault.matches(PURPOSE, state.secret(), mac or ""):
                return
            await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on


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
