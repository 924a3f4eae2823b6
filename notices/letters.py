"""The letters there are, what each needs to know, and how it becomes a subject, a text and its HTML alternative."""

import io
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Final

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain.charger import SettingChanged
from domain.keys import KeyInUse
from domain.kinds import TransferKind, rules_of
from domain.languages import Language, deleted_account, duration, hour, moment
from domain.passkeys import PasskeyChange
from domain.recipient import Standing
from domain.transfer import Connection, Reason, TransferState, TransferWarning, UntilNewKey
from notices import wording

TEMPLATES: Final = Path(__file__).parent / "templates"
TEXT_WIDTH: Final = 76
#: The name of the link's QR code within its letter; the template shows it as `cid:…`, so that nothing is fetched.
QR_CODE: Final = "qr-code@handover"
#: The ends of a transfer that are written about: a refused one is answered to its sender at once.
ENDS: Final = frozenset(
    {
        TransferState.DECLINED,
        TransferState.CANCELLED,
        TransferState.EXPIRED,
        TransferState.COMPLETED,
        TransferState.COMPLETED_WITH_WARNINGS,
        TransferState.ROLLED_BACK,
    }
)


class Addressee(StrEnum):
    """Whom a letter addresses: what they have to do with the transfer."""

    RECIPIENT = "recipient"
    SENDER = "sender"
    OWNER = "owner"
    GROUP = "group"


@dataclass(frozen=True, kw_only=True)
class About:
    """What every letter says: the charge point, the transfer's kind, and where Handover is."""

    charge_point: str
    location: str | None
    kind: TransferKind
    connection: Connection
    sender: str
    group: str | None
    """The name of the target group, where the letter's reader may know it."""
    owner_changes: bool
    origin: str


@dataclass(frozen=True, kw_only=True)
class AskLetter(About):
    """The question to the recipient."""

    template: ClassVar = "ask"
    message: str | None
    expires_at: datetime
    link: str
    standing: Standing
    reminder: bool
    key: KeyInUse | None
    """The one that the charger uses; None where it has none."""
    goes_back_after: timedelta | None
    """How long the charger may stay offline before it goes back; None where it does not."""


@dataclass(frozen=True, kw_only=True)
class CodeLetter(About):
    """A one-time code."""

    template: ClassVar = "code"
    code: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Followed(About):
    """What a letter says that leads to the transfer's page, and to the charge point's."""

    transfer_id: str | None
    """None where its reader may not see the transfer."""
    charge_point_id: str
    owns: bool
    """Whether its reader owns the charge point at this moment."""


@dataclass(frozen=True, kw_only=True)
class RequestedLetter(Followed):
    """To a present owner who did not ask."""

    template: ClassVar = "requested"
    recipient: str | None
    """None where it may not be known yet."""


@dataclass(frozen=True, kw_only=True)
class AcceptedLetter(Followed):
    """To sender and present owner: it was accepted, and goes on."""

    template: ClassVar = "accepted"
    addressee: Addressee
    accepted_by: str


@dataclass(frozen=True, kw_only=True)
class EndedLetter(Followed):
    """How a transfer ended."""

    addressee: Addressee
    by_reader: bool
    """Whether the reader asked for it."""
    state: TransferState
    reason: Reason | None
    warnings: tuple[TransferWarning, ...]
    settings_changed: tuple[SettingChanged, ...]
    """What was set at the charger, and stays set."""
    former_tags: int
    """How many tags of the last group may go on charging while it is offline."""
    new_owner: str | None
    """Who owns the charge point after it; None where it may not be known."""
    former_owner: bool
    """Whether the reader owned the charge point, and does no longer."""
    key: KeyInUse | None
    """The one that the charger uses; None where it has none."""
    until_new_key: UntilNewKey

    @property
    def template(self) -> str:
        """The template of the end that it came to."""
        return f"ended_{self.state.value}"


@dataclass(frozen=True, kw_only=True)
class SettledLetter(EndedLetter):
    """What an ended transfer had left to do at the charger is done; `warnings` has what remains."""

    @property
    def template(self) -> str:
        """Its template."""
        return "settled"


@dataclass(frozen=True, kw_only=True)
class NewKeyLetter(Followed):
    """To the new owner: the charger needs a key that they type in."""

    template: ClassVar = "new_key"
    until: datetime | None
    """How long the transfer waits for it; None where it has ended, or that is not known."""
    until_new_key: UntilNewKey
    reminder: bool


@dataclass(frozen=True, kw_only=True)
class PointLetter:
    """What letters about a charge point say that are about no transfer."""

    charge_point: str
    location: str | None
    charge_point_id: str
    at: datetime | None
    """When it was last seen; None where that is not known any more."""
    origin: str


@dataclass(frozen=True, kw_only=True)
class ResetLetter(PointLetter):
    """To the owner: new credentials were made."""

    template: ClassVar = "reset"
    by_staff: bool
    by_owner: bool


@dataclass(frozen=True, kw_only=True)
class ResetAskedLetter(PointLetter):
    """The same to a recipient who has not answered yet."""

    template: ClassVar = "reset_asked"
    sender: str
    replaces_key: bool
    """Whether the charger stays connected under another owner."""


@dataclass(frozen=True, kw_only=True)
class TwoHoldersLetter(PointLetter):
    """To the owner: two are connected with the charger's key."""

    template: ClassVar = "two_holders"
    times: int


@dataclass(frozen=True, kw_only=True)
class EndedKeyLetter(PointLetter):
    """To the owner: something came with a key that has ended."""

    template: ClassVar = "ended_key"
    times: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class LateSession:
    """A charging session that is booked to a former owner; `energy` in Wh, None where it is not known."""

    began: datetime
    """By our clock, as far as that can be told."""
    said: datetime
    """By the charger's clock."""
    told: datetime
    """When it was reported."""
    energy: int | None


@dataclass(frozen=True, kw_only=True)
class LateSessionsLetter(PointLetter):
    """To a former owner: charging sessions are booked to them."""

    template: ClassVar = "late_sessions"
    sessions: tuple[LateSession, ...]
    more: int
    """How many there are beside these."""
    sees_point: bool
    """Whether the reader may still see the charge point."""


@dataclass(frozen=True, kw_only=True)
class SignInLetter:
    """A one-time code to sign in with at the pages, or to confirm there what can't be undone."""

    template: ClassVar = "sign_in"
    code: str
    proves: bool
    """Who reads it is signed in."""
    expires_at: datetime
    origin: str


@dataclass(frozen=True, kw_only=True)
class PasskeyLetter:
    """To whose account it is: a passkey was added to it, or removed from it."""

    template: ClassVar = "passkey"
    change: PasskeyChange
    at: datetime
    link: str
    """Where passkeys are listed."""
    origin: str


@dataclass(frozen=True)
class Letter:
    """A letter that is ready to be sent."""

    language: Language
    subject: str
    text: str
    html: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """PNG files that the HTML shows, by their Content-ID."""


#: Every letter there is.
AnyLetter = (
    AskLetter
    | CodeLetter
    | RequestedLetter
    | AcceptedLetter
    | EndedLetter
    | NewKeyLetter
    | ResetLetter
    | ResetAskedLetter
    | TwoHoldersLetter
    | EndedKeyLetter
    | LateSessionsLetter
    | SignInLetter
    | PasskeyLetter
)


#: What names somebody; one who was erased has no name any more.
_NAMES: Final = frozenset({"sender", "accepted_by", "new_owner", "recipient", "group"})


def render(letter: AnyLetter, language: Language) -> Letter:
    """Write a letter in `language`. What people typed can forge neither a header nor the letter's own words."""
    values = {one.name: _harmless(one.name, getattr(letter, one.name)) for one in fields(letter)}
    values |= {name: deleted_account(language) for name in _NAMES & values.keys() if values[name] == ""}
    if isinstance(letter, About):
        values["rules"] = rules_of(letter.kind)
    text = _module(language, values, html=False)
    html = _module(language, values, html=True)
    return Letter(
        language=language,
        subject=wording.one_line(_said(text, letter, "subject")),
        text=re.sub(r"\n{3,}", "\n\n", _said(text, letter, "letter")).strip() + "\n",
        html=_said(html, letter, "letter").strip() + "\n",
        pictures={QR_CODE: _qr_code(letter.link)} if isinstance(letter, AskLetter) else {},
    )


def _said(module: Any, letter: AnyLetter, what: str) -> str:
    return str(getattr(module, f"{letter.template}_{what}")())


def _qr_code(link: str) -> bytes:
    """Draw a link as a QR code, in a PNG file: black on white with the blank margin that readers need."""
    file = io.BytesIO()
    segno.make(link, error="m", micro=False).save(file, kind="png", scale=5)
    return file.getvalue()


def _harmless(name: str, value: object) -> object:
    """Tidy what people typed; of the rest, texts are ours."""
    if name == "message" and isinstance(value, str):
        return wording.lines(value)
    if isinstance(value, str) and not isinstance(value, StrEnum) and name not in {"origin", "link"}:
        return wording.one_line(value)
    if name == "addresses" and isinstance(value, tuple):
        return tuple(wording.one_line(address) for address in value)
    if isinstance(value, KeyInUse):
        return replace(value, serials=tuple(wording.one_line(serial) for serial in value.serials))
    return value


def _module(language: Language, values: dict[str, object], *, html: bool) -> Any:
    """Give a language's letters as a module with the macros `…_subject` and `…_letter` of each template."""
    forms = f"forms.{'html' if html else 'txt'}.j2"
    given = values | {
        "forms": forms,
        "qr_code": QR_CODE,
        "language": language.value,
        "moment": partial(moment, language=language),
        "duration": partial(duration, language=language),
    }
    return _environment(html=html).get_template(f"{language.value}.j2").make_module(given)


@cache
def _environment(*, html: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=html,  # noqa: S701 - the plain text must not be escaped
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"filled": _filled, "quoted": _quoted, "hour": hour}
    return environment


def _filled(text: str) -> str:
    """Fill a paragraph of the plain text; a no-break space holds, a link stays whole."""
    words = re.sub(r"[ \t\r\n]+", " ", text).strip(" ")
    return textwrap.fill(words, TEXT_WIDTH, break_long_words=False, break_on_hyphens=False)


def _quoted(line: str) -> str:
    """Fill a line of somebody else's words, so marked that it can't pass for ours."""
    wrapped = textwrap.wrap(line, TEXT_WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"> {one}" for one in wrapped) or ">"
