"""What the pages say, as one type: each language gives every value, so a missing one is a type error."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from domain.charger import RestartAnswer
from domain.consequences import Consequence, KeyNote
from domain.errors import ErrorCode, HandoverError
from domain.keys import KeyInUse, KnownTo
from domain.kinds import Decider, TransferKind, rules_of
from domain.languages import Language, duration, moment
from domain.recipient import Standing
from domain.support import Audience
from domain.transfer import (
    Attention,
    Connection,
    IfOffline,
    Reason,
    RunningSession,
    StepName,
    StepState,
    TransferState,
    TransferWarning,
    UntilNewKey,
)
from persistence.chargers.catalogue import Support
from persistence.links.link_reads import LinkState, Offer


@dataclass(frozen=True)
class Ending:
    """A page on which there is nothing left to press."""

    title: str
    text: str


@dataclass(frozen=True)
class Choice:
    """One of the answers to a question, and what follows from it."""

    label: str
    text: str


@dataclass(frozen=True)
class SignInWords:
    """What the pages for signing in say."""

    title: str
    lead: str
    address: str
    address_hint: str
    code_title: str
    code_sent: str
    no_code: str
    where: str
    where_lead: str
    since: str
    unknown_browser: str
    this_one: str
    end: str
    end_others: str
    sign_out: str
    errors: Mapping[type[HandoverError], str]
    """What is said otherwise here than on the pages of a link."""

    def error_of(self, error: HandoverError, words: "Words") -> str:
        """Say what is wrong and what to do."""
        text = self.errors.get(type(error))
        return text.format(**vars(error)) if text else words.error_of(error)


@dataclass(frozen=True)
class KindWords:
    """What the pages say of a kind of transfer."""

    title: str
    text: str
    """What it does, in a sentence."""
    choose: str
    """What is asked for in its form."""
    not_chosen: str
    """Where that was left out."""
    button: str


@dataclass(frozen=True)
class PointWords:
    """What the pages of charge points say."""

    title: str
    section: str
    own_group: str
    offers: str
    offered_by: str
    no_points: Ending
    under_way: str
    more: str
    connected: str
    offline: str
    held: str
    quarantined: str
    status: str
    owner: str
    you: str
    group: str
    device: str
    serials: str
    identity: str
    key: str
    no_key: str
    known_to: Mapping[KnownTo, str]
    key_since: str
    key_open_line: str
    key_due: Ending
    history: str
    began: Mapping[str, str]
    """What a period of the ledger began with."""
    settings: str
    settings_of: str
    transfer: str
    transfer_hint: str
    only_owner: str
    """Beside what is its owner's alone."""
    new_key: str
    new_key_hint: str
    new_key_sure: str
    new_key_button: str
    new_key_made: Ending
    key_value: str
    identify: str
    identify_hint: str
    identify_button: str
    not_connected: str
    identified: Mapping[RestartAnswer, str]


@dataclass(frozen=True)
class StartWords:
    """What the pages say on which a transfer is started."""

    title: str
    lead: str
    kinds: Mapping[TransferKind, KindWords]
    you_become_owner: str
    recipient: str
    recipient_hint: str
    delete: str
    delete_hint: str
    delete_when: str
    message: str
    message_hint: str
    details: str
    expires: str
    running: str
    running_choices: Mapping[RunningSession, str]
    if_offline: str
    if_offline_choices: Mapping[IfOffline, str]
    go_on: str
    check: str
    to: str
    owner_after: str
    read_again: str
    asked_first: str
    at_once: str
    told_owner: str
    moves: str
    stays: str
    consequences: Mapping[Consequence, str]
    notes: Mapping[KeyNote, str]
    """Of what its sender can do something about."""
    at_charger: str
    supported: Mapping[Support, str]
    """Nothing of what is done, or not known."""
    change: str


@dataclass(frozen=True)
class TransferWords:
    """What the pages of transfers say."""

    title: str
    none: str
    states: Mapping[TransferState, Ending]
    awaits: Mapping[Attention, str]
    until: str
    sender: str
    recipient: str
    not_known_yet: str
    steps: str
    step_names: Mapping[StepName, str]
    step_states: Mapping[StepState, str]
    reasons: Mapping[Reason, str]
    left: str
    warnings: Mapping[TransferWarning, str]
    who_has_it: str
    cancel: str
    cancel_hint: str
    resend: str
    resend_hint: str
    resent: str
    in_person: str
    in_person_hint: str
    calendar: str
    reminder: str
    """What the calendar is told."""
    next_steps: str
    connect_it: str
    type_key: str
    put_cards_in: str
    to_point: str
    yours: Ending
    """Of one whose charger its new owner has to connect."""
    follow: str
    follow_hint: str


@dataclass(frozen=True)
class AccountWords:
    """What all pages of who is signed in share."""

    languages: str
    section: str
    home: str
    signed_in: str
    other_account: str
    answer_here: str
    for_other: str
    sections: str
    prove: str
    prove_sent: str
    confirm: str
    not_here: Ending
    errors: Mapping[type[HandoverError] | ErrorCode, str]
    """What is said otherwise here than on the pages of a link."""

    def error_of(self, error: HandoverError, words: "Words") -> str:
        """Say what is wrong and what to do."""
        text = self.errors.get(type(error)) or words.errors.get(type(error)) or self.errors.get(error.code)
        if text is None:
            return words.error_of(error)
        values = vars(error).items()
        shown = {
            name: moment(value, words.language) if isinstance(value, datetime) else value for name, value in values
        }
        return text.format(**shown)


@dataclass(frozen=True)
class SupportWords:
    """Where there is help."""

    title: str
    audiences: Mapping[Audience, str]
    always: str
    hours: str
    """`{days}`, `{opens}`, `{closes}`, `{zone}`."""
    answers: str
    """How soon: `{span}`."""


@dataclass(frozen=True)
class PasskeyWords:
    """What is said of passkeys."""

    title: str
    lead: str
    sign_in: str
    none: str
    unnamed: str
    added: str
    used: str
    not_used: str
    name: str
    name_hint: str
    add: str
    remove: str
    not_here: str
    """Where the browser can't make one."""
    prove_first: str
    prove: str
    failed: str
    """Also of what was called off by the reader."""
    known: str
    """Of a device that has one already."""
    errors: Mapping[type[HandoverError] | ErrorCode, str]

    def error_of(self, error: HandoverError, words: "Words") -> str:
        """Say what is wrong and what to do."""
        if error.code is ErrorCode.UNAVAILABLE:
            return words.away.text
        text = self.errors.get(type(error)) or self.errors.get(error.code, self.failed)
        return text.format(**vars(error))


@dataclass(frozen=True)
class IssuerWords:
    """What is said of signing in by an issuer, `{name}`."""

    sign_in: str
    title: str
    lead: str
    go_on: str
    refused: Ending
    no_account: Ending
    """Also where there is more than one."""
    again: str


@dataclass(frozen=True)
class Words:
    """Everything the pages say in one language; placeholders are in braces."""

    language: Language
    colon: str
    """Between a word and what it is."""
    title: str
    intro: str
    intro_group: str
    charge_point: str
    location: str
    sender: str
    deadline: str
    message_from: str
    what_follows: str
    follows_move: tuple[str, ...]
    follows_ownership: tuple[str, ...]
    follows_user: tuple[str, ...]
    follows_delete: str
    """Of a transfer that ends the charger's connection."""
    sender_owns: str
    """Of a move that makes its sender the owner."""
    owner_stays: str
    kept: str
    """Of a charger that stays connected, and whose key only it can know."""
    kept_known: str
    """The same where people can know it; the new owner is the reader."""
    kept_known_sender: str
    """The same where the sender becomes the owner."""
    better_deleted: str
    """Where the connection may be deleted, and people can know the key."""
    key_seen: str
    """What was connected when the charger got its key; `{serials}` is empty, or `key_serials`."""
    key_serials: str
    key_open_line: str
    goes_back: str
    """Of a transfer that is rolled back where the charger stays offline."""
    until_new_key: str
    until_new_key_hint: str
    until_new_key_choices: Mapping[UntilNewKey, Choice]
    next_step: str
    send_code: str
    cannot_accept: Mapping[Standing, str]
    """Why a recipient can't accept as they are, at once or at all."""
    nothing_yet: str
    other_device: str
    other_device_hint: str
    qr_code: str
    opens_account: str
    name_label: str
    name_hint: str
    open_and_accept: str
    code_title: str
    code_sent: str
    code_missing: str
    code_label: str
    code_hint: str
    accept: str
    decline: str
    another_code: str
    another_code_hint: str
    back: str
    error_prefix: str
    unsure: str
    errors: Mapping[type[HandoverError] | ErrorCode, str]
    """By the error's own kind, or by its code; placeholders are the error's attributes."""
    refused: str
    """For any other error."""
    accepted: Ending
    declined: Ending
    unknown: Ending
    not_opened: Ending
    from_elsewhere: Ending
    away: Ending
    sign_in: SignInWords
    account: AccountWords
    points: PointWords
    start: StartWords
    transfers: TransferWords
    support: SupportWords
    passkey: PasskeyWords
    issuer: IssuerWords
    dead: Mapping[LinkState, Ending]

    def intro_of(self, link: Offer) -> str:
        """Say in a sentence what is asked."""
        text = self.intro_group if _goes_to_group(link) else self.intro
        return text.format(sender=link.sender, group=link.group)

    def follows_of(self, link: Offer, offline_deadline: timedelta) -> list[str]:
        """List what follows from accepting; an offline charger is waited for until `offline_deadline` is over."""
        moves = _goes_to_group(link)
        texts = [*self._of_kind(link.kind)]
        if link.connection is Connection.DELETE:
            texts.append(self.follows_delete)
        if moves:
            texts.append(self.sender_owns if link.owner_changes else self.owner_stays)
        if link.replaces_key:
            known = link.key is not None and link.key.known_to is KnownTo.PEOPLE
            if known:
                texts.append(self.kept_known_sender if moves else self.kept_known)
            elif not moves:
                texts.append(self.kept)
            if known and rules_of(link.kind).may_delete:
                texts.append(self.better_deleted)
        span = duration(offline_deadline, self.language)
        found = [text.format(group=link.group, sender=link.sender) for text in texts]
        if link.replaces_key:
            found += self._of_charger_key(link.key)
            found += [self.goes_back.format(span=span)] if link.if_offline is IfOffline.ROLL_BACK else []
        return found

    def _of_kind(self, kind: TransferKind) -> tuple[str, ...]:
        match kind:
            case TransferKind.MOVE_TO_GROUP:
                return self.follows_move
            case TransferKind.TRANSFER_OWNERSHIP:
                return self.follows_ownership
            case TransferKind.TRANSFER_TO_USER:
                return self.follows_user
            case _:
                assert_never(kind)

    def _of_charger_key(self, key: KeyInUse | None) -> list[str]:
        """Say what can know a key that no people know, and of any whether others can have read it on its way."""
        said = []
        if key is not None and key.known_to is KnownTo.CHARGER:
            serials = self.key_serials.format(serials=", ".join(key.serials)) if key.serials else ""
            said.append(self.key_seen.format(since=moment(key.since, self.language), serials=serials))
        if key is not None and key.open_line:
            said.append(self.key_open_line)
        return said

    def error_of(self, error: HandoverError) -> str:
        """Say what is wrong and what to do; an error's own text is English, and for programs."""
        text = self.errors.get(type(error)) or self.errors.get(error.code, self.refused)
        return text.format(**vars(error))


def _goes_to_group(link: Offer) -> bool:
    """Whether it is a group's to decide: its sender may become the owner, who decides does not."""
    return rules_of(link.kind).decider is Decider.TARGET_GROUP_OWNERS
