"""The bodies that callers send, checked; and the request that a start body stands for."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, assert_never

import isodate
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from domain.approval import check_expiry
from domain.contact import Address, parse_address, region_of
from domain.errors import InvalidRequest
from domain.ids import ID_PATTERN, GroupId, UserId
from domain.kinds import TransferKind, rules_of
from domain.request import TransferRequest
from domain.transfer import Acceptance, Connection, IfOffline, OperatorAction, RunningSession, StepName, UntilNewKey

#: What people type that Python counts as not printable; French has no-break spaces before `: ; ? !`.
_BLANKS: Final = "\n\t\u00a0\u202f"
#: OCPP 1.6's transactionId, as chargers can count.
Number = Annotated[int, Field(ge=0, le=2**31 - 1)]
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN.pattern)]


def _read_duration(value: Any) -> timedelta:
    """Read an ISO 8601 duration; months and years have no fixed length, so they are refused."""
    try:
        duration = isodate.parse_duration(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        duration = None
    if isinstance(duration, timedelta):
        return duration
    raise ValueError("must be an ISO 8601 duration in days, hours, minutes and seconds, like P7D or PT12H")


def _read_moment(value: Any) -> datetime:
    """Read a time of RFC 3339; one without its offset from UTC could be any."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value.upper() else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a time in RFC 3339, like 2026-11-25T06:57:12Z (a + in a query is written %2B)")


#: Control characters but tab and line feed, what turns the direction of writing, and other ends of lines.
_NOT_TEXT: Final = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
_TEXT: Final = rf"^[^{_NOT_TEXT}]*[^\s{_NOT_TEXT}][^{_NOT_TEXT}]*$"


def _only_text(value: str) -> str:
    if re.search(f"[{_NOT_TEXT}]", value):
        raise ValueError("must not hold control characters; leave them out")
    return value


Duration = Annotated[
    timedelta, BeforeValidator(_read_duration), Field(json_schema_extra={"type": "string", "format": "duration"})
]
Moment = Annotated[
    datetime, BeforeValidator(_read_moment), Field(json_schema_extra={"type": "string", "format": "date-time"})
]
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(lambda value: _only_text(value.replace("\r\n", "\n"))),
    Field(json_schema_extra={"pattern": _TEXT}),
]


def _choice_where(acceptance: dict[str, Any]) -> ConfigDict:
    """Say to readers of the schema that `until_new_key` is given only beside such an `acceptance`."""
    return ConfigDict(json_schema_extra={"anyOf": [{"properties": {"until_new_key": {"type": "null"}}}, acceptance]})


#: Where the recipient is asked unless the body says otherwise, and where not.
_IF_ASKED_BY_DEFAULT: Final = _choice_where(
    {"properties": {"acceptance": {"const": Acceptance.NOT_REQUIRED.value}}, "required": ["acceptance"]}
)
_IF_NOT_ASKED_BY_DEFAULT: Final = _choice_where(
    {"properties": {"acceptance": {"enum": [Acceptance.NOT_REQUIRED.value, None]}}}
)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class _Start(_Body):
    """What every kind of transfer may say."""

    if TYPE_CHECKING:  # each subclass has its own: as a field of this one it would come first in `canonical`
        kind: TransferKind
    acceptance: Acceptance | None = None
    """Whether the recipient is asked: by default only by `transfer_to_user`, where leaving it out takes a scope."""
    expires_in: Duration | None = None
    """How long the recipient has to accept: 7 days unless it says so or the platform is set otherwise.

    At least 1 hour, unless that is set otherwise too, and at most 60 days.
    """
    running_session: RunningSession = RunningSession.WAIT
    """Whether a charging session that runs is waited for, or stopped."""
    if_offline: IfOffline = IfOffline.COMPLETE
    """What becomes of the transfer if the charger stays offline: completed with warnings, or rolled back."""
    until_new_key: UntilNewKey | None = None
    """What a key that people know opens from the change of owner on until the charger has the new owner's.

    Only there where nobody is asked (`serve` by default): else the recipient says so as they accept.
    """
    message: Text | None = None
    """From the sender to the recipient, in the letter that asks them."""
    reason: Text | None = None
    """An operator's, for the audit trail."""

    def canonical(self) -> str:
        """Give a spelling that is the same for the same wishes: what an idempotency key is bound to.

        In later versions too, so the order of the fields stays.
        """
        return self.model_dump_json(exclude_defaults=True)

    def request(self, *, locale: str, default_expiry: timedelta, shortest_expiry: timedelta) -> TransferRequest:
        """Fill in the defaults; raises InvalidRequest for what is none, or not the sender's to say."""
        acceptance = self.acceptance or rules_of(self.kind).acceptance
        if self.until_new_key is not None and acceptance is Acceptance.REQUIRED:
            raise InvalidRequest(
                "until_new_key is the recipient's to choose as they accept; leave it out, or, where you may, set "
                "acceptance to not_required."
            )
        address = self._address(locale)
        return TransferRequest(
            kind=self.kind,
            group_id=getattr(self, "group_id", None),
            user_id=getattr(self, "user_id", None),
            recipient=address.value if address else None,
            recipient_channel=address.channel if address else None,
            connection=getattr(self, "connection", Connection.KEEP),
            acceptance=acceptance,
            expires_in=check_expiry(self.expires_in, default_expiry, shortest_expiry),
            running_session=self.running_session,
            if_offline=self.if_offline,
            until_new_key=self.until_new_key or UntilNewKey.SERVE,
            message=self.message,
            reason=self.reason,
        )

    def _address(self, _locale: str) -> Address | None:
        return None


class MoveToGroup(_Start):
    """Move the charge point to another group."""

    model_config = _IF_NOT_ASKED_BY_DEFAULT

    kind: Literal[TransferKind.MOVE_TO_GROUP]
    group_id: Annotated[GroupId, StringConstraints(pattern=ID_PATTERN.pattern)]
    """Where it goes."""


class TransferOwnership(_Start):
    """Give it to another owner or admin of its group."""

    model_config = _IF_NOT_ASKED_BY_DEFAULT

    kind: Literal[TransferKind.TRANSFER_OWNERSHIP]
    user_id: Annotated[UserId, StringConstraints(pattern=ID_PATTERN.pattern)]
    """Who is to own it."""


class TransferToUser(_Start):
    """Give it to a user, found by e-mail or phone."""

    model_config = _IF_ASKED_BY_DEFAULT

    kind: Literal[TransferKind.TRANSFER_TO_USER]
    recipient: Annotated[str, StringConstraints(min_length=1, max_length=320)]
    """The e-mail address or the phone number of their account; without a country code it is of the sender's country."""
    connection: Connection = Connection.KEEP
    """Whether the charger stays connected to this platform, with new credentials, or its credentials are revoked."""

    def _address(self, locale: str) -> Address:
        return parse_address(self.recipient, region_of(locale))


def body_of(kind: TransferKind) -> type[MoveToGroup | TransferOwnership | TransferToUser]:
    """Give the body that starts a kind; each is one of StartBody's."""
    match kind:
        case TransferKind.MOVE_TO_GROUP:
            return MoveToGroup
        case TransferKind.TRANSFER_OWNERSHIP:
            return TransferOwnership
        case TransferKind.TRANSFER_TO_USER:
            return TransferToUser
        case _:
            assert_never(kind)


StartBody = Annotated[MoveToGroup | TransferOwnership | TransferToUser, Field(discriminator="kind")]


class AcceptBody(_Body):
    """What the recipient chooses as they accept; it may be left out."""

    until_new_key: UntilNewKey | None = None
    """What a key that people know opens until the charger has the new owner's: `serve` unless it says so.

    It counts where the owner changes and the connection is kept.
    """


class ResolveBody(_Body):
    """What an operator wants done, and why."""

    action: OperatorAction
    """What to do; `resolutions` of the transfer say what each would do now."""
    reason: Text
    """Why, for the audit trail."""


class HoldBody(_Body):
    """Which step an operator wants held, or let go, and why."""

    step: StepName
    """The step that is being tried."""
    reason: Text
    """Why, for the audit trail."""


class EndSessionBody(_Body):
    """Why an operator ends a charging session by hand."""

    stop_id: Number | None = None
    """A stop that fitted no session, and is this one's: it ends as that says."""
    reason: Text
    """Why, for the audit trail."""


class SettleSessionsBody(_Body):
    """What an operator settles of a charge point's sessions, and why; without both lists all that is in doubt."""

    session_ids: Annotated[list[Number], Field(max_length=1000)] | None = None
    """Sessions that are in doubt."""
    stop_ids: Annotated[list[Number], Field(max_length=1000)] | None = None
    """Stops that fit no session: nothing is done with them any more."""
    owner_id: Annotated[UserId, StringConstraints(pattern=ID_PATTERN.pattern)] | None = None
    """Who the sessions are booked to from now on, one who has or had the charge point. Null: they stay as they are.

    Without both lists only those are settled of which it is in doubt whose they are.
    """
    reason: Text
    """Why, for the audit trail."""


class ErasureBody(_Body):
    """Why an operator erases somebody."""

    reason: Text
    """Why, for the person's trail, like the number of their request. It is kept: it can't name them."""
