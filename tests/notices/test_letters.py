"""What letters say, in every language, and what they can't be made to say."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from domain.charger import SettingChanged
from domain.keys import KeyInUse, KnownTo
from domain.kinds import TransferKind
from domain.languages import DEFAULT, Language, deleted_account
from domain.recipient import Standing
from domain.transfer import Connection, Reason, TransferState, TransferWarning, UntilNewKey
from notices.letters import ENDS, TEMPLATES, Addressee, AnyLetter, Letter, PasskeyLetter, SignInLetter, render
from notices.wording import LONGEST_MESSAGE, LONGEST_VALUE
from tests.notices import samples

#: Those that are about no charge point.
OF_ACCOUNTS = (SignInLetter, PasskeyLetter)
TRANSFER = f"{samples.ORIGIN}/transfers/tr-1"
POINT = f"{samples.ORIGIN}/charge-points/cp-1"
SETTINGS = f"{POINT}/settings"
BOTH = pytest.mark.parametrize("language", list(Language))


def flat(text: str) -> str:
    """A text without its line breaks; no-break spaces become plain ones."""
    return " ".join(text.split())


class Words(HTMLParser):
    """The visible words of an HTML page, without its title."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "head" not in self.open:
            self.words.append(data)


@BOTH
def test_every_letter_has_a_subject_a_text_and_the_same_words_in_html(language: Language) -> None:
    for sample in samples.every_letter():
        letter = render(sample, language)
        seen = flat(" ".join(Words(letter.html).words))
        assert letter.subject
        assert letter.subject == letter.subject.strip()
        # the quotation marks, list marks and footer line of the text are its form, not its words
        words = re.sub(r"^(> ?|- |-- ?$)", "", letter.text, flags=re.MULTILINE)
        squeezed = seen.replace(" ", "")
        for paragraph in words.split("\n\n"):
            assert flat(paragraph).replace(" ", "") in squeezed


@BOTH
def test_no_letter_leaves_a_blank_or_a_placeholder(language: Language) -> None:
    for sample in samples.every_letter():
        letter = render(sample, language)
        for part in (letter.subject, letter.text, " ".join(Words(letter.html).words)):
            assert not re.search(r"\bNone\b|\{\{|\}\}|\{%|Undefined|\bTrue\b|\bFalse\b", part)
        assert not re.search(r"\n\n\n| [.,]|\(\)|“”|«\s*»", letter.text)
        assert not re.search(r"^[^\S\n]+\n", letter.text, flags=re.MULTILINE)
        assert all(len(line) <= 90 or "http" in line for line in letter.text.splitlines())


@BOTH
def test_every_letter_has_its_language_s_typography(language: Language) -> None:
    for sample in samples.every_letter():
        plain = sample if isinstance(sample, OF_ACCOUNTS) else replace(sample, location="Lyon")
        letter = render(plain, language)
        text = re.sub(r"https?://\S+", "", f"{letter.subject}\n{letter.text}")
        assert not re.search(r"""['"]|\.\.\.""", text), text
        if language is Language.GERMAN:
            assert not re.search(r"[«»”ß]|\b(du|dich|dir|deine?[mnrs]?)\b", text), text
            assert re.findall("[„“]", text) == [*"„“"] * text.count("„"), text
        if language is Language.FRENCH:
            assert not re.search(r"[^\u00a0\d][:;?!»]|«[^\u00a0]", re.sub(r"\d\d:\d\d", "", text)), text


@BOTH
def test_no_letter_promises_what_is_not_there_or_may_not_come(language: Language) -> None:
    for sample in samples.every_letter():
        words = flat(render(sample, language).text).rpartition("-- ")[0]
        assert not re.search("(?i)by itself|by themselves|automati|von selbst|von allein", words), words
        signs_in = re.search("(?i)sign in|log in|connectez-vous|melden sie sich", words) is not None
        assert not signs_in or isinstance(sample, OF_ACCOUNTS), words


@BOTH
@pytest.mark.parametrize("state", [TransferState.COMPLETED_WITH_WARNINGS, TransferState.ROLLED_BACK])
def test_a_settled_letter_says_that_all_is_done_only_where_nothing_remains(
    language: Language, state: TransferState
) -> None:
    nothing = {
        Language.ENGLISH: "nothing left for you to do",
        Language.FRENCH: "plus rien à faire",
        Language.GERMAN: "bleibt nichts zu tun",
    }[language]
    done = render(samples.settled(state), language)
    remains = (TransferWarning.CREDENTIALS_CANNOT_BE_ROTATED,)
    left = render(samples.settled(state, warnings=remains, owns=True), language)
    assert nothing in flat(done.text)
    assert nothing not in flat(left.text)
    assert SETTINGS in left.text
    assert done.subject != left.subject


@BOTH
def test_a_roll_back_says_that_all_was_undone_only_where_nothing_remains(language: Language) -> None:
    all_undone = {
        Language.ENGLISH: "was changed back",
        Language.FRENCH: "a été rétabli",
        Language.GERMAN: "wurde zurückgesetzt",
    }[language]
    for warnings in ((), (TransferWarning.RELEASE_DUE,)):
        text = render(samples.ended(TransferState.ROLLED_BACK, warnings=warnings), language).text
        assert (all_undone in flat(text)) is (not warnings)


@BOTH
def test_rights_that_were_lost_may_be_the_new_owners_too(language: Language) -> None:
    text = flat(render(samples.ended(TransferState.ROLLED_BACK, reason=Reason.RIGHTS_LOST), language).text)
    or_the_new_owner = {
        Language.ENGLISH: "or the owner to be",
        Language.FRENCH: "ou au futur propriétaire",
        Language.GERMAN: "oder dem künftigen Eigentümer",
    }[language]
    assert or_the_new_owner in text


def macros(language: Language) -> list[str]:
    return re.findall(r"macro (\w+\([^)]*\))", (TEMPLATES / f"{language.value}.j2").read_text())


@pytest.mark.parametrize("language", Language)
def test_every_language_says_all_of_it_once(language: Language) -> None:
    said = macros(language)
    assert said == macros(DEFAULT)
    assert len(said) == len(set(said))


def test_every_end_but_a_refusal_has_its_letter() -> None:
    written = re.findall(r"ended_(\w+)_letter", " ".join(macros(DEFAULT)))
    assert sorted(written) == sorted(["key", *(state.value for state in ENDS)]), "and that of an ended key"
    assert TransferState.REFUSED not in ENDS


@BOTH
def test_every_reason_of_a_roll_back_has_its_own_words(language: Language) -> None:
    reasons = [reason for reason in Reason if reason not in {Reason.DECLINED, Reason.EXPIRED}]
    texts = {render(samples.ended(TransferState.ROLLED_BACK, reason=reason), language).text for reason in reasons}
    unnamed = render(samples.ended(TransferState.ROLLED_BACK), language).text
    assert len(texts | {unnamed}) == len(reasons) + 1


@BOTH
def test_every_warning_has_its_own_words(language: Language) -> None:
    def of(warning: TransferWarning) -> str:
        ended = samples.ended(TransferState.COMPLETED_WITH_WARNINGS, warnings=(warning,), new_owner="Zoé")
        return render(ended, language).text

    silent = render(samples.ended(TransferState.COMPLETED_WITH_WARNINGS, new_owner="Zoé"), language).text
    assert len({of(warning) for warning in TransferWarning} | {silent}) == len(TransferWarning) + 1


def test_the_question_says_what_from_whom_until_when_and_where() -> None:
    letter = render(samples.ask(message="See you\nat the gate"), Language.ENGLISH)
    text = flat(letter.text)
    assert letter.subject == "Amélie Durand wants to transfer a charge point to you"
    assert "Charge point: Parking Nord 3 Location: 12 rue de l'Église, Lyon From: Amélie Durand" in text
    assert "Tuesday 1 December 2026, 08:05 UTC" in text
    assert "> See you\n> at the gate" in letter.text
    assert f"\n{samples.LINK}\n" in letter.text
    assert f'href="{samples.LINK}"' in letter.html
    assert "know the sender, ignore this message" in text
    assert "open one" not in text


def test_the_question_in_french() -> None:
    letter = render(samples.ask(reminder=True), Language.FRENCH)
    assert letter.subject == "Rappel\u00a0: Amélie Durand souhaite vous transférer une borne de recharge"
    assert "mardi 1er décembre 2026 à 08:05 UTC" in flat(letter.text)
    assert "Si vous ne connaissez pas l" in flat(letter.text)


def test_the_question_in_german() -> None:
    letter = render(samples.ask(reminder=True), Language.GERMAN)
    assert letter.subject == "Erinnerung: Amélie Durand möchte Ihnen einen Ladepunkt übertragen"
    assert "bis Dienstag, 1. Dezember 2026, 08:05 Uhr UTC." in flat(letter.text)
    assert "Wenn Sie den Absender nicht kennen" in flat(letter.text)


@BOTH
def test_an_address_without_an_account_is_asked_to_open_one(language: Language) -> None:
    asked = {standing: flat(render(samples.ask(standing=standing), language).text) for standing in Standing}
    known, unknown = asked.pop(Standing.ACCOUNT), asked.pop(Standing.NO_ACCOUNT)
    assert len({known, unknown, *asked.values()}) == len(Standing), "each is told apart"
    assert not any("code" in text for text in asked.values()), "nothing is opened for who can't accept"
    said = {
        Language.ENGLISH: "You can open one on the page behind the link below",
        Language.FRENCH: "ouvrir sur la page du lien ci-dessous",
        Language.GERMAN: "auf der Seite hinter dem Link unten eröffnen",
    }[language]
    assert said in unknown
    assert said not in known
    assert samples.LINK in unknown


@BOTH
def test_a_deleted_connection_is_announced_and_explained(language: Language) -> None:
    question = render(samples.ask(connection=Connection.DELETE), language).text
    assert question != render(samples.ask(), language).text
    done = samples.ended(TransferState.COMPLETED, Addressee.RECIPIENT, connection=Connection.DELETE, new_owner="Zoé")
    assert SETTINGS in render(done, language).text
    for other in (Addressee.SENDER, Addressee.OWNER, Addressee.GROUP):
        theirs = samples.ended(TransferState.COMPLETED, other, connection=Connection.DELETE, new_owner="Zoé")
        assert SETTINGS not in render(theirs, language).text


@BOTH
def test_a_code_is_in_the_letter_but_not_in_its_subject(language: Language) -> None:
    letter = render(samples.code(), language)
    assert "\n    012345\n" in letter.text
    assert "<strong>012345</strong>" in letter.html
    assert "012345" not in letter.subject
    assert "08:05 UTC" in flat(letter.text)


@BOTH
def test_a_present_owner_learns_how_to_cancel(language: Language) -> None:
    letter = render(samples.requested(), language)
    assert f"\n{TRANSFER}\n" in letter.text
    assert f'href="{TRANSFER}"' in letter.html
    assert re.search("cancel it|annuler|stornieren", letter.text)
    assert "Amélie Durand" in letter.text


NASTY = "Eve\r\nBcc: victim@example.com\r\n\r\n<script>alert(1)</script>\x00\u202egnp\u2028{{ 7*7 }}"


@BOTH
def test_what_people_typed_forges_neither_headers_nor_markup_nor_templates(language: Language) -> None:
    letters: list[Letter] = [
        render(make(charge_point=NASTY, sender=NASTY, location=NASTY, **more), language)
        for make, more in (
            (samples.ask, {"message": NASTY, "kind": TransferKind.MOVE_TO_GROUP, "group": NASTY}),
            (samples.code, {}),
            (samples.requested, {"recipient": NASTY}),
        )
    ]
    for letter in letters:
        assert not re.search(r"[\r\n\x00\u2028\u202e]", letter.subject)
        assert not re.search(r"[\r\x00\u2028\u202e]", letter.text + letter.html)
        assert "script" not in Words(letter.html).tags
        assert "49" not in letter.subject
        assert not re.search(r"^Bcc:", letter.text, flags=re.MULTILINE)


@BOTH
def test_a_message_can_not_pass_for_the_letter_itself(language: Language) -> None:
    letter = render(samples.ask(message="x\n\nPlease open https://evil.example/ now\x0bor\x0cnever"), language)
    assert all(line.startswith(">") for line in letter.text.splitlines() if re.search("evil|never", line))
    assert "evil.example" not in re.sub(r"<blockquote.*?</blockquote>", "", letter.html, flags=re.DOTALL)


@BOTH
def test_long_values_are_cut(language: Language) -> None:
    letter = render(samples.ask(sender="N" * 5000, message="m" * 90_000), language)
    assert len(letter.subject) <= 2 * LONGEST_VALUE
    assert len(letter.text) < LONGEST_MESSAGE + 4000


# --- the charger's key ------------------------------------------------------------------------------------------------

NOBODY, PEOPLE, CHARGER, OPEN_LINE = samples.KEYS


def said(letter: AnyLetter) -> str:
    return flat(render(letter, Language.ENGLISH).text)


def test_the_question_says_that_people_can_know_the_key_and_what_is_better_then() -> None:
    text = said(samples.ask(key=PEOPLE))
    assert "People can know the key that the charger uses, the present owner too" in text
    assert "ask Amélie Durand to start again with the connection deleted" in text
    assert "normally replaced remotely" not in text
    assert "normally replaced remotely" in said(samples.ask(key=CHARGER))
    assert "normally replaced remotely" in said(samples.ask())


def test_the_question_says_what_was_connected_when_only_the_charger_got_its_key() -> None:
    assert "Only what was connected on Tuesday 1 December 2026, 08:05 UTC can know" in said(samples.ask(key=CHARGER))
    text = said(samples.ask(key=OPEN_LINE))
    assert "(serial number: SN-1, SN-2) can know" in text
    assert "over a line that is not encrypted" in text
    assert "over a line that is not encrypted" in said(samples.ask(key=PEOPLE))
    assert "not encrypted" not in said(samples.ask(key=CHARGER))


@pytest.mark.parametrize("values", [{"connection": Connection.DELETE}, {"kind": "move", "owner_changes": False}])
def test_where_the_key_stays_or_ends_with_the_change_the_question_says_nothing_of_it(values: dict[str, object]) -> None:
    given = {**values, "kind": TransferKind.MOVE_TO_GROUP, "group": "Sud"} if "kind" in values else values
    for key in samples.KEYS:
        text = said(samples.ask(key=key, goes_back_after=timedelta(days=7), **given))
        assert "can know" not in text
        assert "goes back" not in text
        assert "As you accept you also choose" not in text


def test_a_move_says_that_its_sender_types_the_key() -> None:
    text = said(samples.ask(key=PEOPLE, kind=TransferKind.MOVE_TO_GROUP, group="Sud"))
    assert "once Amélie Durand has typed a new one" in text
    assert "connection deleted" not in text


@BOTH
def test_that_the_charge_point_goes_back_is_a_sentence_with_the_time(language: Language) -> None:
    goes = {
        Language.ENGLISH: "stays so for 9 days, it goes back",
        Language.FRENCH: "pendant 9 jours, elle revient",
        Language.GERMAN: "bleibt sie es 9 Tage lang, geht der Ladepunkt",
    }
    letter = samples.ask(goes_back_after=timedelta(days=9))
    assert goes[language] in flat(render(letter, language).text)
    assert goes[language].rpartition(",")[2] not in flat(render(samples.ask(), language).text)


def test_an_old_key_that_stays_is_said_plainly_with_how_to_end_it() -> None:
    texts = {
        choice: said(
            samples.ended(
                TransferState.COMPLETED_WITH_WARNINGS,
                Addressee.RECIPIENT,
                warnings=(TransferWarning.OLD_KEY_KNOWN,),
                until_new_key=choice,
                owns=True,
            )
        )
        for choice in UntilNewKey
    }
    for text in texts.values():
        assert "still uses its old key, and its former owner may know it" in text
        assert "settings, and type it into the charger" in text
        assert SETTINGS in text
        assert "the old key ends as soon as the charger has connected with it" in text
    assert "whoever knows the old one can pass for it" in texts[UntilNewKey.SERVE]
    assert "it does not charge" in texts[UntilNewKey.QUARANTINE]


@pytest.mark.parametrize("addressee", Addressee)
def test_the_new_owner_alone_reads_at_the_end_what_was_connected(addressee: Addressee) -> None:
    text = said(samples.ended(TransferState.COMPLETED, addressee, key=OPEN_LINE))
    assert ("serial number: SN-1, SN-2" in text) is (addressee is Addressee.RECIPIENT)


def test_a_key_to_be_typed_is_asked_for_with_how_until_when_and_what_happens_meanwhile() -> None:
    letter = render(samples.new_key(), Language.ENGLISH)
    text = flat(letter.text)
    assert letter.subject == "Your charge point “Parking Nord 3” needs a new key from you"
    assert SETTINGS in text
    assert "Type it into the charger" in text
    assert "until Tuesday 1 December 2026, 08:05 UTC" in text
    assert "goes on working" in text
    assert "does not charge" in said(samples.new_key(until_new_key=UntilNewKey.QUARANTINE))
    assert "until Tuesday" not in said(samples.new_key(until=None))
    assert render(samples.new_key(reminder=True), Language.ENGLISH).subject.startswith("Reminder: ")


def test_a_serial_number_can_not_forge_a_line() -> None:
    forged = KeyInUse(KnownTo.CHARGER, samples.EXPIRES_AT, open_line=False, serials=("S\n\nPay here: <b>", "x" * 500))
    letter = render(samples.ask(key=forged), Language.ENGLISH)
    assert "S Pay here: <b>" in flat(letter.text)
    assert "\n\nPay here" not in letter.text
    assert "<b>" not in letter.html
    assert "x" * 200 not in letter.text


@BOTH
@pytest.mark.parametrize("state", [TransferState.COMPLETED, TransferState.COMPLETED_WITH_WARNINGS])
def test_what_was_set_at_the_charger_is_read_by_who_has_it_now(language: Language, state: TransferState) -> None:
    changed = (
        SettingChanged("AllowOfflineTxForUnknownId", "true", "false"),
        SettingChanged("LocalAuthListEnabled", None, "true"),
    )
    for addressee, former in ((Addressee.RECIPIENT, False), (Addressee.SENDER, True)):
        letter = samples.ended(state, addressee, settings_changed=changed, former_owner=former)
        text = flat(render(letter, language).text).replace("\xa0", " ").replace(" :", ":")
        assert ("AllowOfflineTxForUnknownId: false" in text) is not former
        assert ("LocalAuthListEnabled: true" in text) is not former
        assert "None" not in text


@BOTH
def test_how_many_former_tags_may_charge_is_said(language: Language) -> None:
    left = (TransferWarning.FORMER_TAGS_MAY_CHARGE_OFFLINE,)
    letter = samples.ended(TransferState.COMPLETED_WITH_WARNINGS, warnings=left, former_tags=17)
    assert "(17)" in flat(render(letter, language).text)


@BOTH
@pytest.mark.parametrize("addressee", Addressee)
def test_a_transfer_that_nobody_called_off_says_why_it_was(language: Language, addressee: Addressee) -> None:
    lost, willed = (
        flat(render(samples.ended(TransferState.CANCELLED, addressee, reason=reason), language).text)
        for reason in (Reason.RIGHTS_LOST, Reason.CANCELLED)
    )
    said = {
        Language.ENGLISH: "lacked a role or a right",
        Language.FRENCH: "il manquait un rôle ou un droit",
        Language.GERMAN: "eine nötige Rolle oder ein nötiges Recht",
    }[language]
    assert said in lost
    assert said not in willed


# --- what leads on ----------------------------------------------------------------------------------------------------


def links(letter: Letter) -> list[str]:
    """The addresses that a letter leads to, but for its foot; its text and its HTML lead to the same."""
    texts = re.findall(r"https?://[^\s,]+", letter.text.rpartition("-- ")[0])
    hrefs = [link for link in re.findall(r'href="([^"]+)"', letter.html) if link != samples.ORIGIN]
    assert texts == hrefs
    return texts


@BOTH
def test_no_letter_tells_anybody_to_call_an_api(language: Language) -> None:
    for sample in samples.every_letter():
        letter = render(sample, language)
        for part in (letter.subject, letter.text, letter.html):
            assert not re.search(r"\b(POST|GET|API)\b|/v1/", part), part


ENDED = [
    (TransferState.DECLINED, ()),
    (TransferState.CANCELLED, ()),
    (TransferState.EXPIRED, ()),
    (TransferState.COMPLETED, ()),
    (TransferState.COMPLETED_WITH_WARNINGS, (TransferWarning.LISTS_DUE,)),
    (TransferState.ROLLED_BACK, ()),
]


@BOTH
@pytest.mark.parametrize(("state", "warnings"), ENDED)
@pytest.mark.parametrize("make", [samples.ended, samples.settled])
def test_an_end_leads_to_what_its_reader_may_see(
    language: Language, state: TransferState, warnings: tuple[TransferWarning, ...], make: Callable[..., AnyLetter]
) -> None:
    for addressee in Addressee:
        for sees in (True, False):
            for owns in (True, False):
                pages = {"transfer_id": "tr-1" if sees else None, "owns": owns}
                found = links(render(make(state, addressee, warnings=warnings, **pages), language))
                assert found == [TRANSFER] * sees + [POINT] * owns


KEY_WARNINGS = (
    TransferWarning.CREDENTIALS_DUE,
    TransferWarning.OLD_KEY_KNOWN,
    TransferWarning.CREDENTIALS_CANNOT_BE_ROTATED,
)


@BOTH
@pytest.mark.parametrize("state", [TransferState.COMPLETED_WITH_WARNINGS, TransferState.ROLLED_BACK])
@pytest.mark.parametrize("warning", KEY_WARNINGS)
@pytest.mark.parametrize("make", [samples.ended, samples.settled])
def test_who_owns_a_charger_whose_key_is_left_to_type_is_led_to_where_one_is_made(
    language: Language, state: TransferState, warning: TransferWarning, make: Callable[..., AnyLetter]
) -> None:
    theirs = render(make(state, Addressee.OWNER, warnings=(warning,), owns=True), language)
    assert links(theirs) == [SETTINGS, TRANSFER, POINT]
    others = render(make(state, Addressee.GROUP, warnings=(warning,)), language)
    assert links(others) == [TRANSFER]
    assert flat(theirs.text) != flat(others.text)


LEADING: list[tuple[AnyLetter, list[str]]] = [
    (samples.requested(), [TRANSFER, POINT]),
    (samples.requested(owns=False), [TRANSFER]),
    (samples.accepted(Addressee.SENDER), [TRANSFER]),
    (samples.accepted(Addressee.OWNER, owns=True), [TRANSFER, POINT]),
    (samples.new_key(), [SETTINGS, TRANSFER, POINT]),
    (
        samples.ended(TransferState.COMPLETED, Addressee.RECIPIENT, connection=Connection.DELETE, owns=True),
        [SETTINGS, TRANSFER, POINT],
    ),
    (samples.reset(), [SETTINGS, POINT]),
    (samples.two_holders(), [SETTINGS, POINT]),
    (samples.ended_key(), [SETTINGS, POINT]),
    (samples.late_sessions(1), [POINT]),
    (samples.late_sessions(1, sees_point=False), []),
    (samples.reset_asked(), []),
]


@BOTH
@pytest.mark.parametrize(("letter", "wanted"), LEADING)
def test_a_letter_leads_to_where_something_can_be_done(
    language: Language, letter: AnyLetter, wanted: list[str]
) -> None:
    assert links(render(letter, language)) == wanted


@BOTH
@pytest.mark.parametrize(("state", "warnings"), ENDED)
@pytest.mark.parametrize("make", [samples.ended, samples.settled])
def test_an_end_says_who_asked_for_it_to_whoever_did_not(
    language: Language, state: TransferState, warnings: tuple[TransferWarning, ...], make: Callable[..., AnyLetter]
) -> None:
    for kind in TransferKind:
        group = "Sud" if kind is TransferKind.MOVE_TO_GROUP else None
        given: dict[str, Any] = {"kind": kind, "group": group, "warnings": warnings}
        for addressee in Addressee:
            asked = addressee is Addressee.SENDER
            text = flat(render(make(state, addressee, **given, by_reader=asked), language).text)
            assert ("Amélie Durand" in text) is not asked


STAYS = {
    Language.ENGLISH: ("ou stay its owner", "its owner and its group"),
    Language.FRENCH: ("restez propriétaire", "garde son propriétaire"),
    Language.GERMAN: ("gehört weiterhin Ihnen", "Eigentümer"),
}


@BOTH
@pytest.mark.parametrize(("state", "warnings"), ENDED)
@pytest.mark.parametrize("addressee", [Addressee.OWNER, Addressee.SENDER])
def test_an_owner_who_stays_the_owner_is_told_so_and_not_spoken_of(
    language: Language, state: TransferState, warnings: tuple[TransferWarning, ...], addressee: Addressee
) -> None:
    moved: dict[str, Any] = {
        "kind": TransferKind.MOVE_TO_GROUP,
        "group": "Sud",
        "owner_changes": False,
        "warnings": warnings,
    }
    text = flat(render(samples.ended(state, addressee, **moved, owns=True), language).text)
    stays, others = STAYS[language]
    assert stays in text
    assert others not in text
    assert stays not in flat(render(samples.ended(state, addressee, **moved), language).text)


@pytest.mark.parametrize("language", Language)
def test_who_was_erased_is_a_deleted_account(language: Language) -> None:
    letter = render(samples.accepted(Addressee.OWNER, accepted_by="", sender=""), language)
    assert letter.text.count(deleted_account(language)) == 2
    assert deleted_account(language) in letter.html
