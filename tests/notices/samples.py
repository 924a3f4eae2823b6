"""Letters as tests need them: every field given, any of them replaceable."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.keys import KeyInUse, KnownTo
from domain.kinds import TransferKind
from domain.passkeys import PasskeyChange
from domain.recipient import Standing
from domain.transfer import Connection, Reason, TransferState, TransferWarning, UntilNewKey
from notices.letters import (
    AcceptedLetter,
    Addressee,
    AnyLetter,
    AskLetter,
    CodeLetter,
    EndedKeyLetter,
    EndedLetter,
    LateSession,
    LateSessionsLetter,
    NewKeyLetter,
    PasskeyLetter,
    RequestedLetter,
    ResetAskedLetter,
    ResetLetter,
    SettledLetter,
    SignInLetter,
    TwoHoldersLetter,
)

ORIGIN = "https://handover.example"
LINK = f"{ORIGIN}/t/0123456789012345678901234567890123456789012"
EXPIRES_AT = datetime(2026, 12, 1, 8, 5, tzinfo=UTC)

ABOUT: dict[str, Any] = {
    "charge_point": "Parking Nord 3",
    "location": "12 rue de l'Église, Lyon",
    "kind": TransferKind.TRANSFER_TO_USER,
    "connection": Connection.KEEP,
    "sender": "Amélie Durand",
    "group": None,
    "owner_changes": True,
    "origin": ORIGIN,
}
KEYS: tuple[KeyInUse | None, ...] = (
    None,
    KeyInUse(KnownTo.PEOPLE, EXPIRES_AT, open_line=True, serials=()),
    KeyInUse(KnownTo.CHARGER, EXPIRES_AT, open_line=False, serials=()),
    KeyInUse(KnownTo.CHARGER, EXPIRES_AT, open_line=True, serials=("SN-1", "SN-2")),
)


def ask(**changes: Any) -> AskLetter:
    given = {"message": None, "expires_at": EXPIRES_AT, "link": LINK, "standing": Standing.ACCOUNT, "reminder": False}
    more = {"key": None, "goes_back_after": None}
    return AskLetter(**{**ABOUT, **given, **more, **changes})


def passkey(change: PasskeyChange) -> PasskeyLetter:
    return PasskeyLetter(change=change, at=EXPIRES_AT, link=f"{ORIGIN}/account/passkeys", origin=ORIGIN)


def sign_in(**changes: Any) -> SignInLetter:
    return SignInLetter(**{"code": "012345", "proves": False, "expires_at": EXPIRES_AT, "origin": ORIGIN, **changes})


def code(**changes: Any) -> CodeLetter:
    return CodeLetter(**{**ABOUT, "code": "012345", "expires_at": EXPIRES_AT, **changes})


#: What leads to pages: of the transfer, and of the charge point where the reader owns it.
FOLLOWED: dict[str, Any] = {"transfer_id": "tr-1", "charge_point_id": "cp-1", "owns": False}


def requested(**changes: Any) -> RequestedLetter:
    return RequestedLetter(**{**ABOUT, **FOLLOWED, "owns": True, "recipient": None, **changes})


def accepted(addressee: Addressee = Addressee.SENDER, **changes: Any) -> AcceptedLetter:
    return AcceptedLetter(**{**ABOUT, **FOLLOWED, "addressee": addressee, "accepted_by": "Zoé Martin", **changes})


def ended(
    state: TransferState,
    addressee: Addressee = Addressee.SENDER,
    *,
    reason: Reason | None = None,
    warnings: tuple[TransferWarning, ...] = (),
    **changes: Any,
) -> EndedLetter:
    given: dict[str, Any] = {**FOLLOWED, "new_owner": None, "former_owner": False, "key": None}
    given |= {"by_reader": addressee is Addressee.SENDER}
    given |= {"until_new_key": UntilNewKey.SERVE, "settings_changed": (), "former_tags": 0}
    return EndedLetter(
        **{**ABOUT, **given, **changes}, addressee=addressee, state=state, reason=reason, warnings=warnings
    )


def settled(state: TransferState, addressee: Addressee = Addressee.SENDER, **changes: Any) -> SettledLetter:
    letter = ended(state, addressee, **changes)
    return SettledLetter(**{field.name: getattr(letter, field.name) for field in fields(letter)})


def new_key(**changes: Any) -> NewKeyLetter:
    given = {**FOLLOWED, "owns": True, "until": EXPIRES_AT, "until_new_key": UntilNewKey.SERVE, "reminder": False}
    return NewKeyLetter(**{**ABOUT, **given, **changes})


OF_POINT: dict[str, Any] = {
    "charge_point": "Parking Nord 3",
    "location": "12 rue de l'Église, Lyon",
    "charge_point_id": "cp-1",
    "at": EXPIRES_AT,
    "origin": ORIGIN,
}


def reset(**changes: Any) -> ResetLetter:
    return ResetLetter(**{**OF_POINT, "by_staff": False, "by_owner": False, **changes})


def reset_asked(**changes: Any) -> ResetAskedLetter:
    return ResetAskedLetter(**{**OF_POINT, "sender": "Amélie Durand", "replaces_key": True, **changes})


def two_holders(**changes: Any) -> TwoHoldersLetter:
    return TwoHoldersLetter(**{**OF_POINT, "times": 1, **changes})


def ended_key(**changes: Any) -> EndedKeyLetter:
    return EndedKeyLetter(**{**OF_POINT, "times": 1, "addresses": (), **changes})


def late_sessions(*energies: int | None, **changes: Any) -> LateSessionsLetter:
    sessions = tuple(LateSession(EXPIRES_AT, EXPIRES_AT, EXPIRES_AT, energy) for energy in energies)
    return LateSessionsLetter(
        **{**OF_POINT, "at": None, "sessions": sessions, "more": 0, "sees_point": True, **changes}
    )


#: Which pages the reader of a letter about a transfer may see, and whether they asked for it.
PAGES: tuple[dict[str, Any], ...] = tuple(
    {"transfer_id": transfer_id, "owns": owns, "by_reader": asked}
    for transfer_id in (None, "tr-1")
    for owns in (True, False)
    for asked in (True, False)
)


def every_letter() -> list[AnyLetter]:
    """Every letter there is: kinds, connections, addressees, ends, reasons, warnings."""
    kinds: list[dict[str, Any]] = [
        {"kind": kind, "connection": connection, "group": "Équipe Sud" if kind == "move_to_group" else None}
        for kind in TransferKind
        for connection in Connection
    ]
    asks = [
        ask(**kind, standing=standing, reminder=again, message=message)
        for kind in kinds
        for standing in Standing
        for again in (True, False)
        for message in (None, "Bonjour,\n\nà demain")
    ]
    asks += [
        ask(**kind, key=key, goes_back_after=after, owner_changes=changes)
        for kind in kinds
        for key in KEYS
        for after in (None, timedelta(days=7))
        for changes in (True, False)
    ]
    ends = [
        ended(state, addressee, **kind, reason=Reason(state.value) if state.value in set(Reason) else None)
        for state in (TransferState.DECLINED, TransferState.CANCELLED, TransferState.EXPIRED)
        for addressee in Addressee
        for kind in kinds
    ]
    ends += [
        ended(state, addressee, **pages)
        for state in (TransferState.DECLINED, TransferState.CANCELLED, TransferState.EXPIRED)
        for addressee in Addressee
        for pages in PAGES
    ]
    done = [
        ended(state, addressee, **kind, new_owner=owner, former_owner=former, warnings=warnings)
        for state, warnings in (
            (TransferState.COMPLETED, ()),
            (TransferState.COMPLETED_WITH_WARNINGS, tuple(TransferWarning)),
        )
        for addressee in Addressee
        for kind in kinds
        for owner in (None, "Zoé Martin")
        for former in (True, False)
    ]
    done += [
        ended(state, addressee, **kind, key=key, until_new_key=until, warnings=(TransferWarning.OLD_KEY_KNOWN,))
        for state in (TransferState.COMPLETED, TransferState.COMPLETED_WITH_WARNINGS)
        for addressee in Addressee
        for kind in kinds
        for key in KEYS
        for until in UntilNewKey
    ]
    done += [
        ended(state, addressee, **kind, **pages, warnings=warnings, owner_changes=changes)
        for state, warnings in (
            (TransferState.COMPLETED, ()),
            (TransferState.COMPLETED_WITH_WARNINGS, tuple(TransferWarning)),
        )
        for addressee in Addressee
        for kind in kinds
        for pages in PAGES
        for changes in (True, False)
    ]
    undone = [
        ended(TransferState.ROLLED_BACK, addressee, **kind, reason=reason, warnings=warnings)
        for addressee in Addressee
        for kind in kinds
        for reason in (None, *Reason)
        for warnings in ((), (TransferWarning.LISTS_DUE, TransferWarning.RELEASE_DUE))
    ]
    undone += [
        ended(TransferState.ROLLED_BACK, addressee, **pages, warnings=warnings)
        for addressee in Addressee
        for pages in PAGES
        for warnings in ((), tuple(TransferWarning))
    ]
    others: list[AnyLetter] = [
        letter for kind in kinds for letter in (code(**kind), requested(**kind), requested(**kind, recipient="Zoé"))
    ]
    others += [accepted(addressee, **kind) for addressee in (Addressee.SENDER, Addressee.OWNER) for kind in kinds]
    others += [
        new_key(**kind, until=until, until_new_key=choice, reminder=again)
        for kind in kinds
        for until in (None, EXPIRES_AT)
        for choice in UntilNewKey
        for again in (True, False)
    ]
    for at in (None, EXPIRES_AT):
        others += [reset(at=at), reset(at=at, by_staff=True), reset(at=at, by_owner=True)]
        others += [reset_asked(at=at), reset_asked(at=at, replaces_key=False)]
        others += [two_holders(at=at, times=times) for times in (1, 3)]
        others += [ended_key(at=at, times=times, addresses=("192.0.2.7",) * (times - 1)) for times in (1, 3)]
    others += [accepted(Addressee.OWNER, owns=True), late_sessions(21_500, sees_point=False)]
    others += [late_sessions(21_500), late_sessions(0, None, more=3), sign_in(), *map(passkey, PasskeyChange)]
    after = [
        SettledLetter(**{field.name: getattr(letter, field.name) for field in fields(letter)})
        for letter in (*done, *undone)
    ]
    return [*asks, *ends, *done, *undone, *after, *others]
