"""The lines of an import file: their shapes, and in plain words what is wrong with one."""

import codecs
import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from domain.caseless import caseless
from domain.charger import OcppVersion
from domain.contact import parse_email, parse_phone, region_of
from domain.errors import InvalidRequest
from domain.ids import ID_PATTERN
from domain.printable import is_blank, is_printable
from domain.rights import Role
from domain.tags import TagType

Id = Annotated[str, Field(pattern=ID_PATTERN.pattern)]


def _or_value_error(parse: Callable[[], str]) -> str:
    """Say a refusal of the domain as pydantic wants to hear it."""
    try:
        return parse()
    except InvalidRequest as refusal:
        raise ValueError(refusal.message.removeprefix("recipient is ")) from None


def _plain(text: str) -> str:
    if not is_printable(text):
        raise ValueError("holds a character that is not printed, like a control character; take it out")
    return text


def _seen(text: str) -> str:
    if is_blank(text):
        raise ValueError("nothing of it is seen; type a name")
    return text


#: What is shown to people.
Plain = Annotated[str, AfterValidator(_plain)]
Name = Annotated[Plain, Field(min_length=1, max_length=200), AfterValidator(_seen)]


class Line(BaseModel):
    """Root of the shapes: nothing unknown is let in."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    def unique(self) -> list[tuple[str, ...]]:
        """Give what no two lines of a file may share."""
        raise NotImplementedError


class UserLine(Line):
    """An account; its personal group comes with it."""

    type: Literal["user"]
    id: Id
    name: Name
    locale: Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    """A language, and the region in which `phone` is dialled: `fr-FR`."""
    email: str | None = None
    phone: str | None = None
    status: Literal["active", "blocked", "deleted"] = "active"

    @field_validator("email")
    @classmethod
    def _lower(cls, text: str | None) -> str | None:
        return None if text is None else _or_value_error(lambda: parse_email(text).value)

    @field_validator("phone")
    @classmethod
    def _dialled(cls, text: str | None, info: ValidationInfo) -> str | None:
        region = region_of(info.data.get("locale", ""))
        return None if text is None else _or_value_error(lambda: parse_phone(text, region).value)

    def unique(self) -> list[tuple[str, ...]]:
        """Give the user: one line each."""
        return [("user", self.id)]


class GroupLine(Line):
    """A team; with `personal_of` the personal group of that user."""

    type: Literal["group"]
    id: Id
    name: Name
    personal_of: Id | None = None
    charges_anybody: bool = False
    """Whether who names nobody may charge (OCPP 2.0.1's `NoAuthorization`)."""

    def unique(self) -> list[tuple[str, ...]]:
        """Give the group, and whose personal one it is: one line each."""
        return [("group", self.id), *([("personal group of", self.personal_of)] if self.personal_of else [])]


class MembershipLine(Line):
    """A user's role in a group."""

    type: Literal["membership"]
    group_id: Id
    user_id: Id
    role: Role

    def unique(self) -> list[tuple[str, ...]]:
        """Give user and group: one role each."""
        return [("membership", self.group_id, self.user_id)]


class TagLine(Line):
    """An RFID tag that a group lets charge, in the one spelling that it is compared in."""

    type: Literal["tag"]
    group_id: Id
    id_tag: Annotated[str, Field(pattern=r"^[ -~]{1,36}$"), AfterValidator(caseless)]
    tag_type: TagType = TagType.ISO14443

    @field_validator("tag_type")
    @classmethod
    def _names_somebody(cls, tag_type: TagType) -> TagType:
        if tag_type is TagType.NO_AUTHORIZATION:
            raise ValueError("names nobody; set `charges_anybody` of the group instead")
        return tag_type

    def unique(self) -> list[tuple[str, ...]]:
        """Give tag, with its type, and group: one line each."""
        return [("tag", self.group_id, self.id_tag, self.tag_type)]


class ChargePointLine(Line):
    """A charge point with who has it first, and the password it first connects with."""

    type: Literal["charge_point"]
    id: Id
    identity: Annotated[str, Field(pattern=r"^[A-Za-z0-9*_=+|@.-]{1,48}$")]
    """OCPP's, as in its URL and Basic user name: therefore without a colon."""
    name: Name
    location: Annotated[Plain, Field(max_length=500)] | None = None
    owner_id: Id
    group_id: Id
    ocpp: OcppVersion
    vendor: Annotated[Plain, Field(max_length=200)] | None = None
    model: Annotated[Plain, Field(max_length=200)] | None = None
    password: Annotated[str, Field(pattern=r"^[!-~]{16,40}$", repr=False)]

    def unique(self) -> list[tuple[str, ...]]:
        """Give the charge point and its identity: one line each."""
        return [("charge point", self.id), ("identity", caseless(self.identity))]


AnyLine = Annotated[UserLine | GroupLine | MembershipLine | TagLine | ChargePointLine, Field(discriminator="type")]
_SHAPES: TypeAdapter[AnyLine] = TypeAdapter(AnyLine)

#: A field's name that is longer is not repeated.
_LONGEST_FIELD = 64

Of = TypeVar("Of", bound=Line)
Problems = list[tuple[int, str]]


class ImportLines:
    """What a file holds, by line number, with what is wrong so far."""

    def __init__(self, rows: Iterable[bytes]) -> None:
        """Read the file's lines; blank ones are passed over."""
        self.problems: Problems = []
        self.broken: set[str] = set()
        """The ids on wrong lines: whoever speaks of them is not wrong as well."""
        self._lines: list[tuple[int, Line]] = []
        seen: dict[tuple[str, ...], int] = {}
        for number, row in enumerate(rows, start=1):
            if not row.removeprefix(codecs.BOM_UTF8).strip():
                continue
            try:
                values, problem = _read(row)
            except (ValueError, RecursionError):
                self.problems.append((number, "not JSON in UTF-8; write one object a line."))
                continue
            try:
                line = _SHAPES.validate_python(values)
            except ValidationError as error:
                problem = problem or _explain(error)
            if problem:
                self.problems.append((number, problem))
                self.broken.add(str(values.get("id")) if isinstance(values, dict) else "")
            else:
                self._add(number, line, seen)

    def _add(self, number: int, line: Line, seen: dict[tuple[str, ...], int]) -> None:
        for key in line.unique():
            if (first := seen.setdefault(key, number)) != number:
                self.problems.append((number, f"{' '.join(key)} stands on line {first} already; keep one of them."))
                return
        self._lines.append((number, line))

    def of(self, shape: type[Of]) -> list[tuple[int, Of]]:
        """Give the lines of one shape, in order."""
        return [(number, line) for number, line in self._lines if isinstance(line, shape)]


def _read(row: bytes) -> tuple[Any, str]:
    """Read a line's JSON, and say what is wrong with its fields' names; raises ValueError, RecursionError for none."""
    problems: list[str] = []

    def fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for name, times in Counter(name for name, _ in pairs).items():
            if len(name) > _LONGEST_FIELD or not is_printable(name):  # it may turn the terminal, or not reach it
                problems.append("a field's name is too long, or holds a character that is not printed; correct it.")
            elif times > 1:
                problems.append(f"`{name}` stands twice in it; keep one.")
        return dict(pairs)

    # no field is a number: none need be exact, and none is too long to be read
    values = json.loads(row.decode("utf-8-sig"), parse_int=float, object_pairs_hook=fields)
    return values, " ".join(problems)


def _explain(error: ValidationError) -> str:
    """Say everything that is wrong with one line, without its values."""
    return "; ".join(_explain_one(dict(one)) for one in error.errors(include_url=False, include_input=False)) + "."


def _explain_one(one: dict[str, object]) -> str:
    where = one["loc"]
    field = str(where[-1]) if isinstance(where, tuple) and where else "type"
    match one["type"]:
        case "missing":
            return f"`{field}` is missing"
        case "extra_forbidden":
            return f"`{field}` is not known here; take it out or correct its spelling"
        case "union_tag_invalid" | "union_tag_not_found":
            return "`type` must be user, group, membership, tag or charge_point"
        case "model_attributes_type" | "model_type":
            return "not a JSON object; write one object a line"
        case "string_pattern_mismatch":
            return f"`{field}` {_PATTERNS.get(field, _ID)}"
        case _:
            return f"`{field}`: {str(one['msg']).removeprefix('Value error, ').rstrip('.')}"


_ID = "must have 1 to 64 letters, digits or _ . -, and begin with a letter or digit"
_PATTERNS = {
    "password": "must have 16 to 40 printable characters without spaces",
    "identity": "must have 1 to 48 letters, digits or * _ = + | @ . -",
    "id_tag": "must have 1 to 36 printable ASCII characters",
    "locale": "must be a language like fr, or one with its region like fr-FR",
}
