"""The people, groups and charge points that the HTTP side is tried on, and rows for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select, update

from domain.ids import ChargePointId, TransferId
from domain.keys import KeyPurpose, KnownTo
from domain.transfer import FINAL, StepName, TransferState
from persistence.chargers.charger_keys import KeyState, new_key
from persistence.session import Database
from persistence.tables import (
    ApiKey,
    ApprovalLink,
    ChargePoint,
    Code,
    GatewayNode,
    Group,
    Membership,
    OwnershipPeriod,
    PresentConnection,
    Table,
    Transfer,
    TransferStep,
    User,
)
from persistence.vault import Vault, fingerprint

LONG_AGO = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
TOKEN = "tok-of-the-link-that-rita-was-sent-by-mail-1"
CODE = "123456"
#: u-olga owns cp-1 in g-team, where u-adam is admin and u-mia member; u-rita is the recipient, u-stan a stranger.
PEOPLE = ("olga", "adam", "mia", "rita", "stan", "oscar", "blanca")


def key_of(name: str) -> str:
    return f"hk_{name}_{name}-secret_with-underscore"


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_of(name)}"}


async def add(database: Database, *added: Table) -> None:
    """Write rows, in the order given."""
    async with database.writing() as rows:
        for row in added:
            rows.add(row)
            await rows.flush()


async def populate(database: Database) -> None:
    """Write everybody, their groups and keys, and two charge points."""
    rows: list[Table] = []
    for name in PEOPLE:
        status = "blocked" if name == "blanca" else "active"
        scopes = ["operator"] if name == "oscar" else []
        rows += [
            User(
                id=f"u-{name}",
                name=name.title(),
                email=f"{name}@example.com",
                phone=None,
                locale="en-GB" if name == "rita" else "fr-FR",
                status=status,
                created_at=LONG_AGO,
            ),
            Group(id=f"g-{name}", name=f"{name.title()}'s own", personal_of=f"u-{name}"),
            Membership(group_id=f"g-{name}", user_id=f"u-{name}", role="owner"),
            ApiKey(
                id=name,
                user_id=f"u-{name}",
                secret_hash=fingerprint(f"{name}-secret_with-underscore"),
                scopes=scopes,
                created_at=LONG_AGO,
            ),
        ]
    rows.append(Group(id="g-team", name="Team Nord", personal_of=None))
    for name, role in (("olga", "owner"), ("adam", "admin"), ("mia", "member")):
        rows.append(Membership(group_id="g-team", user_id=f"u-{name}", role=role))
    rows += [*charge_point("cp-1", "u-olga", "g-team"), *charge_point("cp-2", "u-stan", "g-stan")]
    rows.append(PresentConnection(charge_point_id="cp-1", node="node-1", generation=3, quarantined=False))
    await add(database, *rows)


def charge_point(name: str, owner: str, group: str, version: int = 0) -> list[Table]:
    return [
        ChargePoint(
            id=name,
            identity=f"ID-{name}",
            name=f"Wallbox {name}",
            location="12 rue des Lilas, Lyon",
            owner_id=owner,
            group_id=group,
            version=version,
            ocpp="1.6",
            vendor="Vendor",
            model="M1",
        ),
        period(name, version, owner, group),
    ]


def period(name: str, version: int, owner: str, group: str, **more: Any) -> OwnershipPeriod:
    values = {"change": "import", "started_at": LONG_AGO + timedelta(days=version)} | more
    return OwnershipPeriod(charge_point_id=name, version=version, owner_id=owner, group_id=group, **values)


async def add_transfer(database: Database, transfer_id: str = "trf_1", **more: Any) -> TransferId:
    """Write a transfer of cp-1 from u-olga that u-rita is asked to accept, but for what `more` says; with its steps."""
    state = TransferState(more.get("state", "awaiting_acceptance"))
    values: dict[str, Any] = {
        "kind": "transfer_to_user",
        "state": state.value,
        "attention": "recipient" if state is TransferState.AWAITING_ACCEPTANCE else "",
        "warnings": [],
        "charge_point_id": "cp-1",
        "active": state not in FINAL,
        "connection": "keep",
        "acceptance": "required",
        "running_session": "wait",
        "if_offline": "complete",
        "from_group_id": "g-team",
        "from_owner_id": "u-olga",
        "to_group_id": "g-rita",
        "to_owner_id": "u-rita",
        "asked_over_owner": False,
        "requested_by": "u-olga",
        "requested_at": datetime.now(UTC),
        "expires_at": datetime.now(UTC) + timedelta(days=7),
        "from_version": 0,
    } | more
    steps = values.pop("steps", {})
    rows: list[Table] = [Transfer(id=transfer_id, **values)]
    for position, name in enumerate(StepName):
        rows.append(
            TransferStep(
                transfer_id=transfer_id,
                name=name.value,
                position=position,
                state=steps.get(name.value, "pending"),
                attempts=0,
            )
        )
    await add(database, *rows)
    return TransferId(transfer_id)


async def add_link(
    database: Database,
    token: str = TOKEN,
    *,
    link_id: str = "lnk_1",
    generation: int = 1,
    transfer_id: str = "trf_1",
) -> str:
    """Write a link, and give the path that is mailed."""
    link = ApprovalLink(
        id=link_id,
        transfer_id=transfer_id,
        channel="email",
        generation=generation,
        token_hash=fingerprint(token),
        created_at=LONG_AGO,
        codes_asked=0,
    )
    await add(database, link)
    async with database.writing() as rows:
        await rows.execute(update(Transfer).where(Transfer.id == "trf_1").values(link_generation=generation))
    return f"/t/{token}"


async def open_link(http: httpx.AsyncClient, path: str, **options: Any) -> str:
    """Open a mailed link, and give the path of its page; the client holds its token from now on."""
    answer = await http.get(path, **options)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def add_code(database: Database, vault: Vault, code: str = CODE, *, number: int = 1, minutes: int = 10) -> None:
    """Write the code of the link lnk_1 that a worker would have sent."""
    now = datetime.now(UTC)
    sent = Code(
        link_id="lnk_1",
        number=number,
        mac=vault.mac("code", f"lnk_1:{number}:{code}".encode()),
        sent_at=now,
        expires_at=now + timedelta(minutes=minutes),
        wrong_tries=0,
    )
    await add(database, sent)


async def add_key(database: Database, known_to: KnownTo, **values: Any) -> None:
    """Write the key that cp-1 uses, as somebody gave it or as the charger took it on; no charger can connect by it."""
    row = new_key(
        ChargePointId("cp-1"),
        KeyState.CURRENT,
        "0" * 64,
        LONG_AGO,
        purpose=KeyPurpose.GIVEN if known_to is KnownTo.PEOPLE else KeyPurpose.ENROLMENT,
        version=0,
        known_to=known_to,
    )
    for name, value in values.items():
        setattr(row, name, value)
    await add(database, row)


async def change(database: Database, table: Any, **values: Any) -> None:
    """Change every row of a table."""
    async with database.writing() as rows:
        await rows.execute(update(table).values(values))


async def everything(database: Database) -> dict[str, list[Any]]:
    """Give every row of every table but the gateways' signs of life, which come by themselves."""
    async with database.reading() as rows:
        return {
            table.name: sorted(map(tuple, (await rows.execute(select(table))).all()), key=str)
            for table in Table.metadata.sorted_tables
            if table.name != GatewayNode.__tablename__
        }


def check(answer: httpx.Response, status: int, code: str) -> str:
    """Check that an answer is a problem of RFC 9457 with the code; give its detail."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["title"]
    assert problem["type"] == f"urn:handover:problem:{code}"
    return str(problem["detail"])
