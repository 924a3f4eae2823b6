"""An import file: all or nothing, wrong lines named, repeating changes nothing, transfers' work left alone."""

import codecs
import json
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from persistence.importing.applying import Imported
from persistence.importing.imports import import_lines
from persistence.importing.problems import SHOWN, ImportRefused
from persistence.session import Database
from persistence.tables import ChargePoint, Credential, Group, Membership, OwnershipPeriod, Tag, User
from persistence.vault import Vault

ALICE = {"type": "user", "id": "alice", "name": "Alice", "locale": "fr-FR", "phone": "06 12 34 56 78"}
BOB = {"type": "user", "id": "bob", "name": "Bob", "email": " Bob@Example.COM "}
DEPOT = {"type": "group", "id": "depot", "name": "Depot"}
OWNS = {"type": "membership", "group_id": "depot", "user_id": "alice", "role": "owner"}
HELPS = {"type": "membership", "group_id": "depot", "user_id": "bob", "role": "admin"}
TAG = {"type": "tag", "group_id": "depot", "id_tag": "abc1"}
FIRST = {
    "type": "charge_point",
    "id": "cp-1",
    "identity": "CP1",
    "name": "First",
    "owner_id": "bob",
    "group_id": "depot",
    "ocpp": "1.6",
    "password": "a-first-password-of-it",
}
TEAM_OWNER = {"type": "membership", "group_id": "personal-t", "user_id": "alice", "role": "owner"}
LONG_ID = "the id is too long, or another group's; give it an id by a group line with `personal_of`."
NAME_OF_FIELD = "a field's name is too long, or holds a character that is not printed; correct it."
AN_ID = "must have 1 to 64 letters, digits or _ . -, and begin with a letter or digit"
A_NUMBER = "not a phone number; write one, with its country and without an extension, like +33 6 12 34 56 78"
A_TAG = "must have 1 to 36 printable ASCII characters"
UNPRINTED = "holds a character that is not printed, like a control character; take it out"
ALL = [ALICE, BOB, DEPOT, OWNS, HELPS, TAG, FIRST]


def changed(line: dict[str, Any], **values: Any) -> dict[str, Any]:
    return line | values


async def take(database: Database, vault: Vault, *lines: dict[str, Any] | str) -> Imported:
    rows = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return await import_lines(database, vault, [row.encode() for row in rows])


async def refused(database: Database, vault: Vault, *lines: dict[str, Any] | str) -> list[str]:
    with pytest.raises(ImportRefused) as refusal:
        await take(database, vault, *lines)
    return refusal.value.problems


async def count(database: Database, table: type[Any]) -> int:
    async with database.reading() as rows:
        return await rows.scalar(select(func.count()).select_from(table)) or 0


async def test_everything_comes_in_with_personal_groups_ledger_and_credentials(
    database: Database, vault: Vault
) -> None:
    await take(database, vault, *ALL)
    async with database.reading() as rows:
        alice, bob = await rows.get_one(User, "alice"), await rows.get_one(User, "bob")
        personal = (await rows.scalars(select(Group).where(Group.personal_of == "alice"))).one()
        member = (await rows.scalars(select(Membership).where(Membership.group_id == personal.id))).one()
        tag = (await rows.scalars(select(Tag))).one()
        charge_point = await rows.get_one(ChargePoint, "cp-1")
        period = (await rows.scalars(select(OwnershipPeriod))).one()
        credential = (await rows.scalars(select(Credential))).one()
    assert (alice.phone, alice.status, bob.email) == ("+33612345678", "active", "bob@example.com")
    assert (member.user_id, member.role) == ("alice", "owner")
    assert tag.id_tag == "ABC1"
    assert (charge_point.owner_id, charge_point.group_id, charge_point.version) == ("bob", "depot", 0)
    assert (period.change, period.version, period.owner_id, period.ended_at) == ("import", 0, "bob", None)
    assert (credential.state, credential.sealed_key) == ("current", None)


async def test_repeating_it_changes_nothing(database: Database, vault: Vault) -> None:
    first = await take(database, vault, *ALL)
    second = await take(database, vault, *ALL)
    assert sum(first.new.values()) == len(ALL) + 4  # two personal groups and their memberships
    assert not second.new
    assert not second.changed
    assert await count(database, OwnershipPeriod) == await count(database, Credential) == 1


async def test_names_and_roles_follow_the_file(database: Database, vault: Vault) -> None:
    await take(database, vault, *ALL)
    done = await take(
        database,
        vault,
        changed(ALICE, name="Alicia"),
        changed(DEPOT, name="Yard"),
        changed(HELPS, role="owner"),
        changed(FIRST, name="Premier", location="Gate"),
    )
    assert dict(done.changed) == {"user": 1, "group": 1, "membership": 1, "charge point": 1}
    async with database.reading() as rows:
        charge_point = await rows.get_one(ChargePoint, "cp-1")
        assert (charge_point.name, charge_point.location) == ("Premier", "Gate")
        assert (await rows.get_one(Membership, ("depot", "bob"))).role == "owner"


async def test_who_has_a_charge_point_is_its_transfers_business(database: Database, vault: Vault) -> None:
    await take(database, vault, *ALL)
    async with database.writing() as rows:
        await rows.execute(update(ChargePoint).values(owner_id="alice", version=1))
        mac = await rows.scalar(select(Credential.mac))
    done = await take(database, vault, *ALL[:-1], changed(FIRST, password="another-password-for-it"))
    assert not done.changed
    async with database.reading() as rows:
        charge_point = await rows.get_one(ChargePoint, "cp-1")
        assert (charge_point.owner_id, charge_point.version) == ("alice", 1)
        assert await rows.scalar(select(Credential.mac)) == mac


async def test_a_wrong_line_is_named_and_nothing_is_taken(database: Database, vault: Vault) -> None:
    problems = await refused(database, vault, *ALL[:-1], changed(FIRST, owner_id="carol"))
    assert problems == ["line 7: user carol is not there; add a line for them."]
    assert await count(database, User) == 0


async def test_all_wrong_lines_are_named_up_to_twenty(database: Database, vault: Vault) -> None:
    problems = await refused(database, vault, "[" * 100_000, *["{"] * (SHOWN + 4))
    assert len(problems) == SHOWN + 1
    assert problems[0] == "line 1: not JSON in UTF-8; write one object a line."
    assert problems[-1] == "… and 5 more."


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (changed(ALICE, nmae="x"), "`nmae` is not known here; take it out or correct its spelling."),
        (changed(ALICE, phone="12"), f"`phone`: {A_NUMBER}."),
        (changed(ALICE, phone="+33612345678;ext=1"), f"`phone`: {A_NUMBER}."),
        (changed(BOB, email="bob"), "`email`: not an e-mail address; write it like name@example.com."),
        (changed(ALICE, id="a b"), f"`id` {AN_ID}."),
        (changed(ALICE, id="a" * 65), f"`id` {AN_ID}."),
        ({"type": "usr"}, "`type` must be user, group, membership, tag or charge_point."),
        ([1], "not a JSON object; write one object a line."),
        (changed(FIRST, password="short"), "`password` must have 16 to 40 printable characters without spaces."),
        ({"type": "tag", "group_id": "depot"}, "`id_tag` is missing."),
        (changed(ALICE, name="Ali\0ce"), f"`name`: {UNPRINTED}."),
        (changed(ALICE, name="\u200d"), "`name`: nothing of it is seen; type a name."),
        (changed(TAG, id_tag="ß" * 36), f"`id_tag` {A_TAG}."),
        (changed(TAG, id_tag="a" * 37), f"`id_tag` {A_TAG}."),
        (changed(TAG, id_tag=" "), f"`id_tag` {A_TAG}."),
        (changed(TAG, id_tag="ab\u200bc"), f"`id_tag` {A_TAG}."),
        (
            changed(TAG, tag_type="NoAuthorization"),
            "`tag_type`: names nobody; set `charges_anybody` of the group instead.",
        ),
        (
            changed(BOB, **{"\u001b[2J": "x"}),
            NAME_OF_FIELD,
        ),
        (
            changed(BOB, **{"\ud800": "x"}),
            NAME_OF_FIELD,
        ),
        (changed(ALICE, id="a" * 60), f"user {'a' * 60} can't have the personal group personal-{'a' * 60}: {LONG_ID}"),
    ],
)
async def test_a_line_of_the_wrong_shape_says_what_to_do(
    line: Any, says: str, vault: Vault, database: Database
) -> None:
    problems = await refused(database, vault, json.dumps(line))
    assert problems == [f"line 1: {says}"]


#: What no field may hold, and what none may be, as JSON writes it.
WRONG_TEXTS = {
    **{name: json.dumps(f"a{letter}b") for name, letter in (
        ("NUL", "\0"), ("escape", "\x1b"), ("line feed", "\n"), ("C1", "\x85"), ("zero width", "\u200b"),
        ("turned", "\u202e"), ("isolated", "\u2066"), ("line end", "\u2028"), ("filler", "\u3164"),
        ("byte order", "\ufeff"), ("not assigned", "\uffff"), ("surrogate", "\ud800"),
    )},
    "too long": json.dumps("a" * 501),
    "number": "16",
    "huge": "9" * 5000,
    "not a number": "NaN",
    "endless": "-Infinity",
    "true": "true",
    "list": '["a"]',
    "object": '{"a": "b"}',
}  # fmt: skip
OPTIONAL = {"location": "Gate", "vendor": "Simulated", "model": "One"}
FIELDS = [
    (number, field) for number, line in enumerate(ALL) for field in {**line, **(OPTIONAL if line is FIRST else {})}
]


@pytest.mark.parametrize(("number", "field"), FIELDS, ids=[f"{ALL[n]['type']}-{field}" for n, field in FIELDS])
async def test_whatever_a_field_holds_its_line_and_it_are_named(
    number: int, field: str, database: Database, vault: Vault
) -> None:
    for what, value in WRONG_TEXTS.items():
        lines = [json.dumps(line) for line in ALL]
        others = {name: text for name, text in ALL[number].items() if name != field}
        lines[number] = f'{json.dumps(others)[:-1]}, "{field}": {value}}}'
        problems = await refused(database, vault, *lines)
        assert problems[0].startswith(f"line {number + 1}: `{field}`"), what
        assert all(problem.isprintable() for problem in problems), "a terminal shows it"
    assert await count(database, User) == 0


async def test_whatever_is_printable_is_taken(database: Database, vault: Vault) -> None:
    """By either database, at its greatest length."""
    name = "\U0001d504" * 200
    await take(
        database,
        vault,
        changed(ALICE, name=name),
        changed(BOB, name="क्\u200dषेत्र"),
        changed(DEPOT, name="🏡"),
        OWNS,
        HELPS,
        changed(TAG, id_tag="~ !" * 12),
        changed(FIRST, name=name, location="é" * 500, vendor=name, model=name),
    )
    assert await count(database, Tag) == 1


async def test_tags_are_compared_without_regard_to_case(database: Database, vault: Vault) -> None:
    assert await refused(database, vault, DEPOT, TAG, changed(TAG, id_tag="aBc1")) == [
        "line 3: tag depot ABC1 ISO14443 stands on line 2 already; keep one of them."
    ]
    await take(database, vault, *ALL)
    assert (await take(database, vault, changed(TAG, id_tag="Abc1"))).same == {"tag": 1}


async def test_a_tag_of_another_type_is_another_tag_and_a_group_may_charge_anybody(
    database: Database, vault: Vault
) -> None:
    contract = changed(TAG, tag_type="eMAID")
    done = await take(database, vault, changed(DEPOT, charges_anybody=True), OWNS, HELPS, ALICE, BOB, TAG, contract)
    assert done.new["tag"] == 2
    async with database.reading() as rows:
        tags = (await rows.scalars(select(Tag).order_by(Tag.type))).all()
        assert [(tag.id_tag, tag.type) for tag in tags] == [("ABC1", "ISO14443"), ("ABC1", "eMAID")]
        assert (await rows.get_one(Group, "depot")).charges_anybody
    assert (await take(database, vault, DEPOT)).changed == {"group": 1}, "it follows the file"


async def test_a_field_that_stands_twice_in_a_line_is_named(database: Database, vault: Vault) -> None:
    twice = json.dumps(DEPOT)[:-1] + ', "name": "Yard"}'
    assert await refused(database, vault, twice, OWNS | {"user_id": "x"}) == [
        "line 1: `name` stands twice in it; keep one.",
        "line 2: user x is not there; add a line for them.",
    ]


async def test_a_byte_order_mark_is_no_part_of_a_line(database: Database, vault: Vault) -> None:
    with_mark = [codecs.BOM_UTF8 + json.dumps(DEPOT).encode(), codecs.BOM_UTF8, b" "]
    done = await import_lines(database, vault, with_mark)
    assert done.new == {"group": 1}
    with pytest.raises(ImportRefused) as refusal:
        await import_lines(database, vault, [json.dumps(DEPOT).encode("utf-16"), b'{"\xe9": 1}'])
    assert [problem[:16] for problem in refusal.value.problems] == ["line 1: not JSON", "line 2: not JSON"]


async def test_a_password_is_never_in_an_error(database: Database, vault: Vault) -> None:
    problems = await refused(database, vault, changed(FIRST, password="sec ret", identity="a:b"))
    assert "sec ret" not in str(problems)


async def test_a_line_that_speaks_of_a_wrong_one_is_not_wrong_as_well(database: Database, vault: Vault) -> None:
    problems = await refused(database, vault, changed(ALICE, name=""), DEPOT, OWNS)
    assert [problem.split(":")[0] for problem in problems] == ["line 1"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"type": "user", "id": "t", "name": "T"}, "the id is too long, or another group's"),
        (changed(HELPS, user_id="bob", group_id="personal-alice"), "a personal group has one member"),
        (changed(DEPOT, personal_of="alice"), "`personal_of` of a group that is there can't change"),
        ({"type": "group", "id": "mine", "name": "Mine", "personal_of": "alice"}, "has a personal group already"),
        (changed(OWNS, role="member"), "the group would be left without an owner"),
        (changed(HELPS, role="member"), "this user owns charge points of the group"),
        (changed(FIRST, id="cp-2"), "another charge point has this identity already"),
        (changed(FIRST, id="cp-2", identity="cp1"), "another charge point has this identity already"),
        (changed(FIRST, identity="CP2"), "`identity` of a charge point that is there can't change"),
        (changed(FIRST, id="cp-2", identity="CP2", group_id="personal-alice"), "the owner must be an owner or admin"),
    ],
)
async def test_what_the_database_has_is_not_contradicted(
    line: dict[str, Any], says: str, database: Database, vault: Vault
) -> None:
    await take(database, vault, *ALL, {"type": "group", "id": "personal-t", "name": "A team"}, TEAM_OWNER)
    (problem,) = await refused(database, vault, line)
    assert problem.startswith("line 1: ")
    assert says in problem


async def test_of_one_line_everything_that_it_would_leave_behind_is_said(database: Database, vault: Vault) -> None:
    await take(database, vault, *ALL[:-1], changed(FIRST, owner_id="alice"))
    assert await refused(database, vault, changed(OWNS, role="member"), changed(HELPS, role="member")) == [
        "line 1: the group would be left without an owner; give it another one first.",
        "line 1: this user owns charge points of the group; transfer those before the role changes.",
        "line 2: the group would be left without an owner; give it another one first.",
    ]
    done = await take(database, vault, changed(HELPS, role="owner"))
    assert done.changed == {"membership": 1}
    await take(database, vault, changed(FIRST, id="cp-2", identity="CP2", password="a-password-of-its-own"), OWNS)
    assert await refused(database, vault, changed(HELPS, role="member")) == [
        "line 1: this user owns charge points of the group; transfer those before the role changes."
    ]


async def test_a_line_may_stand_once(database: Database, vault: Vault) -> None:
    assert await refused(database, vault, ALICE, ALICE) == [
        "line 2: user alice stands on line 1 already; keep one of them."
    ]


async def test_no_two_charge_points_share_a_password(database: Database, vault: Vault) -> None:
    second = FIRST | {"id": "cp-2", "identity": "CP2"}
    said = "another charge point has this password, too; give each its own."
    both = await refused(database, vault, *ALL, second)
    assert both == [f"line {len(ALL)}: {said}", f"line {len(ALL) + 1}: {said}"]
    await take(database, vault, *ALL)
    await take(database, vault, *ALL)
    assert await refused(database, vault, second) == [f"line 1: {said}"]
    await take(database, vault, second | {"password": "another-password-of-it"})


async def test_an_identity_is_the_same_in_any_case_and_is_shown_as_it_was_imported(
    database: Database, vault: Vault
) -> None:
    first, second = changed(FIRST, identity="Cp1"), FIRST | {"id": "cp-2", "identity": "cP1", "password": "b" * 16}
    both = await refused(database, vault, *ALL[:-1], first, second)
    assert both == ["line 8: identity CP1 stands on line 7 already; keep one of them."]
    await take(database, vault, *ALL[:-1], first)
    (clash,) = await refused(database, vault, second)
    assert "another charge point has this identity already" in clash
    done = await take(database, vault, changed(FIRST, identity="cp1"))
    assert (done.same, done.changed) == ({"charge point": 1}, {})
    async with database.reading() as rows:
        assert (await rows.get_one(ChargePoint, "cp-1")).identity == "Cp1"


async def test_the_database_itself_keeps_identities_apart(database: Database, vault: Vault) -> None:
    """Whatever writes them: an older release too, while both run."""
    await take(database, vault, *ALL)
    with pytest.raises(IntegrityError):
        async with database.writing() as rows:
            rows.add(
                ChargePoint(
                    id="cp-2", identity="cP1", name="x", owner_id="bob", group_id="depot", version=0, ocpp="1.6"
                )
            )
