"""The lines of an import file: their shapes, and what no two of them may share."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
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


class GroupLine(Line):
    """A team; with `personal_of` the personal group of that user."""

    type: Literal["group"]
    id: Id
    name: Name
    personal_of: Id | None = None
    charges_anybody: bool = False
    """Whether who names nobody may charge (OCPP 2.0.1's `NoAuthorization`)."""


class MembershipLine(Line):
    """A user's role in a group."""

    type: Literal["membership"]
    group_id: Id
    user_id: Id
    role: Role


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


AnyLine = Annotated[UserLine | GroupLine | MembershipLine | TagLine | ChargePointLine, Field(discriminator="type")]
