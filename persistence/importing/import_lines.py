"""The lines of an import file: their shapes, and in plain words what is wrong with one."""

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from domain.charger import OcppVersion
from domain.contact import parse_email, parse_phone, region_of
from domain.errors import InvalidRequest
from domain.ids import ID_PATTERN
from domain.rights import Role

Id = Annotated[str, Field(pattern=ID_PATTERN.pattern)]
#: Whatever is shown to people: control characters have no place in it, and PostgreSQL can't keep a NUL.
_PLAIN = r"^[^\x00-\x1f\x7f]*$"
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=_PLAIN)]


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
    """An RFID tag that a group lets charge; upper-cased, as OCPP compares it."""

    type: Literal["tag"]
    group_id: Id
    id_tag: Annotated[str, StringConstraints(min_length=1, max_length=36, to_upper=True)]

    def unique(self) -> list[tuple[str, ...]]:
        """Give tag and group: one line each."""
        return [("tag", self.group_id, self.id_tag)]


class ChargePointLine(Line):
    """A charge point with who has it first, and the password it first connects with."""

    type: Literal["charge_point"]
    id: Id
    identity: Annotated[str, Field(pattern=r"^[A-Za-z0-9*_=+|@.-]{1,48}$")]
    """OCPP's, as in its URL and Basic user name: therefore without a colon."""
    name: Name
    location: Annotated[str, Field(max_length=500, pattern=_PLAIN)] | None = None
    owner_id: Id
    group_id: Id
    ocpp: OcppVersion
    vendor: Annotated[str, Field(max_length=200, pattern=_PLAIN)] | None = None
    model: Annotated[str, Field(max_length=200, pattern=_PLAIN)] | None = None
    password: Annotated[str, Field(pattern=r"^[!-~]{16,40}$", repr=False)]

    def unique(self) -> list[tuple[str, ...]]:
        """Give the charge point and its identity: one line each."""
        return [("charge point", self.id), ("identity", self.identity)]


AnyLine = Annotated[UserLine | GroupLine | MembershipLine | TagLine | ChargePointLine, Field(discriminator="type")]
_SHAPES: TypeAdapter[AnyLine] = TypeAdapter(AnyLine)

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
            if not row.strip():
                continue
            try:
                values = json.loads(row.decode("utf-8-sig"))
            except (ValueError, RecursionError):
                self.problems.append((number, "not JSON in UTF-8; write one object a line."))
                continue
            try:
                self._add(number, _SHAPES.validate_python(values), seen)
            except ValidationError as error:
                self.problems.append((number, _explain(error)))
                self.broken.add(str(values.get("id")) if isinstance(values, dict) else "")

    def _add(self, number: int, line: Line, seen: dict[tuple[str, ...], int]) -> None:
        for key in line.unique():
            if (first := seen.setdefault(key, number)) != number:
                self.problems.append((number, f"{' '.join(key)} stands on line {first} already; keep one of them."))
                return
        self._lines.append((number, line))

    def of(self, shape: type[Of]) -> list[tuple[int, Of]]:
        """Give the lines of one shape, in order."""
        return [(number, line) for number, line in self._lines if isinstance(line, shape)]


def _or_value_error(parse: Callable[[], str]) -> str:
    """Say a refusal of the domain as pydantic wants to hear it."""
    try:
        return parse()
    except InvalidRequest as refusal:
        raise ValueError(refusal.message.removeprefix("recipient is ")) from None


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
            return (
                f"`{field}` {_PATTERNS.get(field, 'must start with a letter or digit and hold only those, _ . and -')}"
            )
        case _:
            return f"`{field}`: {str(one['msg']).removeprefix('Value error, ').rstrip('.')}"


_PATTERNS = {
    "password": "must have 16 to 40 printable characters without spaces",
    "identity": "must have 1 to 48 letters, digits or * _ = + | @ . -",
    "locale": "must be a language like fr, or one with its region like fr-FR",
    **dict.fromkeys(("name", "location", "vendor", "model"), "holds a control character; take it out"),
}
