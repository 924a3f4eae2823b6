"""Takes a file of accounts, groups and charge points into the database: all or nothing, and the same when repeated."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import exists, select

from domain.caseless import caseless
from domain.errors import InvalidRequest
from domain.ids import ChargePointId
from domain.keys import KeyPurpose
from domain.rights import ADMINS, Role
from persistence.caseless import Caseless
from persistence.chargers.charger_keys import PURPOSE, KeyState
from persistence.chargers.typed_keys import set_current
from persistence.importing.import_accounts import Accounts, Imported, Shelf
from persistence.importing.import_lines import ChargePointLine, ImportLines, Problems
from persistence.people.accounts import hold_roles
from persistence.session import Database
from persistence.tables import ChargePoint, Credential, OwnershipPeriod, Transfer
from persistence.vault import Vault

#: So many wrong lines are named; the others are counted.
SHOWN = 20


class ImportRefused(InvalidRequest):
    """Lines are wrong, so nothing was taken; `problems` has one text a line, in order."""

    def __init__(self, problems: Problems) -> None:
        """Sort them, and name the first SHOWN."""
        ordered = sorted(problems)
        self.problems = [f"line {number}: {text}" for number, text in ordered[:SHOWN]]
        if len(ordered) > SHOWN:
            self.problems.append(f"… and {len(ordered) - SHOWN} more.")
        super().__init__("\n".join(self.problems))


async def import_lines(db: Database, vault: Vault, source: Iterable[bytes]) -> Imported:
    """Take every line in one transaction; raises ImportRefused, which names all wrong lines, and then takes none.

    Of a charge point that is there already only name and location follow the file: the rest is its transfers' business.
    """
    lines = ImportLines(source)
    async with db.writing() as rows:
        await hold_roles(rows, to_change=True)
        shelf = Shelf(rows, lines, datetime.now(UTC))
        accounts = Accounts(shelf)
        await accounts.load()
        await accounts.take()
        await _take_charge_points(shelf, accounts, vault)
        await rows.flush()
        await _check_changed_roles(shelf, accounts)
        if lines.problems:
            raise ImportRefused(lines.problems)
    return shelf.done


async def _take_charge_points(shelf: Shelf, accounts: Accounts, vault: Vault) -> None:
    lines = shelf.lines.of(ChargePointLine)
    there = await shelf.rows(ChargePoint, ChargePoint.id, [line.id for _, line in lines])
    named = [caseless(line.identity) for _, line in lines]
    there += await shelf.rows(ChargePoint, Caseless(ChargePoint.identity), named)
    by_id, by_identity = {row.id: row for row in there}, {caseless(row.identity): row for row in there}
    shared = await _shared_passwords(shelf, vault, [line for _, line in lines if line.id not in by_id])
    # those that are there last: their chargers' connections wait for rows that are changed
    for number, line in sorted(lines, key=lambda one: one[1].id in by_id):
        row = by_id.get(line.id)
        if by_identity.get(caseless(line.identity), row) is not row:
            shelf.wrong(
                number, "another charge point has this identity already; identities are unique, whatever their case."
            )
        elif row is not None and caseless(row.identity) != caseless(line.identity):
            shelf.wrong(number, "`identity` of a charge point that is there can't change; give this one another id.")
        elif (problem := accounts.missing(user_id=line.owner_id, group_id=line.group_id)) is not None:
            shelf.wrong(number, problem)
        elif row is None and accounts.role(line.group_id, line.owner_id) not in ADMINS:
            shelf.wrong(number, "the owner must be an owner or admin of the group; add that membership first.")
        elif row is None and line.password in shared:
            shelf.wrong(number, "another charge point has this password, too; give each its own.")
        elif shelf.keep("charge point", row, _fresh(line), ["name", "location"]) is not row:
            await _begin_history(shelf, line, vault)


async def _shared_passwords(shelf: Shelf, vault: Vault, lines: Sequence[ChargePointLine]) -> set[str]:
    """Give the passwords that more than one charge point would have: who knows one of them would know both."""
    counted = Counter(line.password for line in lines)
    macs = {vault.mac(PURPOSE, password.encode()): password for password in counted}
    there = await shelf.rows(Credential, Credential.mac, macs)
    taken = {macs[row.mac] for row in there if row.state != KeyState.REVOKED}
    return {password for password, times in counted.items() if times > 1} | taken


def _fresh(line: ChargePointLine) -> ChargePoint:
    """Give the row of a charge point that never changed hands."""
    return ChargePoint(**line.model_dump(exclude={"type", "password"}), version=0)


async def _begin_history(shelf: Shelf, line: ChargePointLine, vault: Vault) -> None:
    """Give a new charge point its first ledger period and its first credentials."""
    await shelf.session.flush()
    shelf.session.add(
        OwnershipPeriod(
            charge_point_id=line.id,
            version=0,
            owner_id=line.owner_id,
            group_id=line.group_id,
            started_at=shelf.now,
            change="import",
        )
    )
    point = ChargePointId(line.id)
    await set_current(shelf.session, vault, point, line.password, shelf.now, purpose=KeyPurpose.GIVEN)


async def _check_changed_roles(shelf: Shelf, accounts: Accounts) -> None:
    """Leave no charge point whose owner is not an owner or admin of its group, and no group without an owner.

    Who a transfer under way would give a charge point back to counts as its owner.
    """
    for number, membership in accounts.changed_roles:
        group_id = membership.group_id
        if all(row.role != Role.OWNER for row in accounts.memberships.values() if row.group_id == group_id):
            shelf.wrong(number, "the group would be left without an owner; give it another one first.")
        if membership.role in ADMINS:
            continue
        owns = (ChargePoint.owner_id == membership.user_id, ChargePoint.group_id == group_id)
        gives = (Transfer.active, Transfer.from_owner_id == membership.user_id, Transfer.from_group_id == group_id)
        if await shelf.session.scalar(select(exists().where(*owns))):
            shelf.wrong(number, "this user owns charge points of the group; transfer those before the role changes.")
        elif await shelf.session.scalar(select(exists().where(*gives))):
            shelf.wrong(number, "a transfer of theirs is under way and may be rolled back; import this after its end.")
