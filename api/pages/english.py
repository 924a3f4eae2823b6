"""What the pages say in English."""

from typing import Final

from api.pages.forms import NoName
from api.pages.words import Choice, Ending, IssuerWords, PasskeyWords, SignInWords, Words
from domain.codes import CodeExpired, CodesUsedUp, CodeUsed, NoCodeSent, NotACode, TriesUsedUp, WrongCode
from domain.errors import ErrorCode, InvalidRequest, RateLimited
from domain.languages import Language
from domain.passkeys import NotAPasskeyName, PasskeyRefused, TooManyPasskeys
from domain.recipient import Standing
from domain.sign_in import CodeSpent, NotProvenLately
from domain.transfer import UntilNewKey
from persistence.links.link_reads import LinkState

_SESSIONS: Final = "Charging sessions that began before stay with the present owner; later ones are yours."
_DELETED: Final = (
    "Its connection to the platform ends with the transfer: the charger stays disconnected until you connect it afresh."
)
_OWNED: Final = (
    "You become the owner. The charge point stays in the group “{group}”, with the group’s RFID tags and tariff.",
    _SESSIONS,
)
_MOVED: Final = (
    "The charge point comes into your group “{group}”; the group’s RFID tags and tariff apply from then on.",
    "Charging sessions that began before stay where they were booked.",
)
_GIVEN: Final = (
    "You become the owner. The charge point comes into your personal group, with your RFID tags and your tariff."
)

ENGLISH: Final = Words(
    language=Language.ENGLISH,
    title="A charge point for you",
    intro="{sender} would like to hand this charge point over to you. Nothing happens unless you accept.",
    intro_group="{sender} would like to move this charge point into your group “{group}”. Nothing happens unless you "
    "accept.",
    charge_point="Charge point",
    location="Location",
    sender="From",
    deadline="Answer by",
    message_from="Message from {sender}",
    what_follows="If you accept",
    follows_move=_MOVED,
    follows_ownership=_OWNED,
    follows_user=(_GIVEN, _SESSIONS),
    follows_delete=_DELETED,
    sender_owns="{sender} becomes its owner.",
    owner_stays="Its owner stays the same.",
    kept="It stays connected. Its credentials are normally replaced remotely; we write to you if there is anything "
    "left for you to do.",
    kept_known="It stays connected. People can know the key that it uses, the present owner too: it ends once you "
    "have typed a new one into the charger. We write to you how.",
    kept_known_sender="It stays connected. People can know the key that it uses: it ends once {sender} has typed a "
    "new one into the charger.",
    better_deleted="If you would rather have that key end with the transfer itself, decline, and ask {sender} to "
    "start again with the connection deleted: you then connect the charger afresh.",
    key_seen="Only what was connected on {since}{serials} can know the key that the charger uses now. We know what "
    "was connected then, not what hangs on the wall.",
    key_serials=" (serial number: {serials})",
    key_open_line="The charger’s present key was sent over a line that is not encrypted: whoever saw the network has "
    "read it.",
    goes_back="If the charger is offline when it changes hands, and stays so for {span}, it goes back to its present "
    "owner.",
    until_new_key="Until the charger has a new key",
    until_new_key_hint="If people can know its key when it changes hands, its new owner types a new one into it. What "
    "may the old one do until then?",
    until_new_key_choices={
        UntilNewKey.SERVE: Choice(
            "The charger goes on working", "So does anything else that has the key: it can pass for the charger."
        ),
        UntilNewKey.QUARANTINE: Choice(
            "The charger does not charge", "Nobody can charge there, and nothing can pass for the charger."
        ),
    },
    next_step="To accept or decline we first send you a code. That way, nobody who merely got hold of this link can "
    "answer for you.",
    send_code="Send me a code",
    cannot_accept={
        Standing.NO_ACCOUNT: "You have no account on this platform yet. You open one as you accept: all it takes is "
        "your name and the code.",
        Standing.UNUSABLE: "As things stand you can’t accept it with the address of this link: the account that has it "
        "is not in use, or more than one has it. Ask the platform’s support. You can decline.",
        Standing.OWNER: "This charge point is yours already, so there is nothing to accept. You can decline.",
    },
    nothing_yet="Not expecting this? Do nothing, or decline: the charge point stays where it is.",
    other_device="On another device",
    other_device_hint="Scan this with the other device’s camera: your link opens there. Show it to nobody else.",
    qr_code="QR code of your link",
    opens_account="As you accept, an account is opened for you with the address at which this link has reached you. To "
    "decline you need none: leave the name empty.",
    name_label="Your name",
    name_hint="As it should appear in your account",
    open_and_accept="Open an account and accept",
    code_title="Your answer",
    code_sent="We have sent you a code of 6 digits. It is valid for 10 minutes.",
    code_missing="No code was sent yet: ask for one below, then type it here.",
    code_label="Code",
    code_hint="6 digits, from the latest message",
    accept="Accept",
    decline="Decline",
    another_code="Send another code",
    another_code_hint="No code? Wait a minute, look in your spam folder, then ask for another one.",
    back="Back to what is offered",
    error_prefix="Error: ",
    unsure="Your answer may have arrived already. Press the same button once more, with the same code.",
    errors={
        NoName: "Type your name, in at most {longest} characters: your account is opened with it.",
        NotACode: "Type the {digits} digits of the code that we sent you.",
        WrongCode: "That code is not the right one; look at the latest message. Tries left: {left}.",
        TriesUsedUp: "{tries} wrong codes were typed; ask for a new one.",
        CodesUsedUp: "{codes} codes were sent already; use the last one, or ask the sender for a new link.",
        CodeExpired: "That code has expired; ask for a new one.",
        NoCodeSent: "No code was sent yet; ask for one.",
        CodeUsed: "That code was used for the other answer; ask for a new one.",
        ErrorCode.INVALID_REQUEST: "What you typed can’t be read; correct it and try again.",
        ErrorCode.NOT_ALLOWED: "You can’t answer with this link any more; open the one in the latest message, or ask "
        "the sender.",
        ErrorCode.NOT_POSSIBLE: "This can’t be accepted as things stand. It takes an active account with the address "
        "of this link; if yours is blocked, ask the platform’s support.",
        ErrorCode.ALREADY_DECIDED: "This was decided meanwhile; open the link in your message again to see how.",
        ErrorCode.TOO_LATE: "It is too late for that; ask the sender to start again.",
        ErrorCode.COOLING_DOWN: "This charge point has changed hands only recently; try again later.",
        ErrorCode.RATE_LIMITED: "That was tried too often; wait a few minutes, then try again.",
        ErrorCode.UNAVAILABLE: "The code could not be sent yet; ask for another one in a moment.",
    },
    refused="That was refused; open the link in your message again, or ask the sender.",
    accepted=Ending(
        "You have accepted",
        "The transfer of the charge point goes ahead. A message will tell you how it ended; you can close this page.",
    ),
    declined=Ending(
        "You have declined", "The charge point stays where it is. The sender is told; nothing else follows."
    ),
    unknown=Ending(
        "This link leads nowhere",
        "It may have been cut off on its way. Open it from the message again, or ask the sender for a new one.",
    ),
    not_opened=Ending(
        "Please open the link in your message again",
        "This page opens only by the link that was sent to you, which your browser remembers in a cookie. If this page "
        "appears again, allow cookies for this site, or open the link in another browser.",
    ),
    from_elsewhere=Ending(
        "This did not come from our page",
        "It was sent from another site, so nothing was done. To answer, open the link in your message again.",
    ),
    away=Ending("Not available for the moment", "Please try again in a minute. Nothing is lost."),
    sign_in=SignInWords(
        title="Sign in",
        lead="Type your e-mail address or phone number: we send you a code. You need no password.",
        address="E-mail or phone number",
        address_hint="A phone number with its country, like +33 6 12 34 56 78",
        code_title="Type your code",
        code_sent="If somebody has an account with this address, a code of 6 digits is on its way to it. It is valid "
        "for 10 minutes, in this browser.",
        no_code="No code? Wait a minute, look in your spam folder, check the address.",
        where="Where you are signed in",
        where_lead="End what you do not know, or do not use any more.",
        since="Since {began}; last used {seen}",
        unknown_browser="A browser that says nothing of itself",
        this_one="This is the one you are at.",
        end="End it",
        end_others="End all others",
        sign_out="Sign out",
        errors={
            InvalidRequest: "This is no e-mail address and no phone number; type one, a phone number with its country.",
            CodeExpired: "That code has expired; ask for another one.",
            CodeSpent: "That code was used already; ask for another one.",
            NoCodeSent: "There is no such code; ask for another one.",
            TriesUsedUp: "{tries} wrong codes were typed; ask for another one.",
            RateLimited: "Too many codes were asked for with this address; try again in an hour.",
        },
    ),
    passkey=PasskeyWords(
        title="Your passkeys",
        lead="With a passkey you sign in with your fingerprint, your face or your device’s PIN: no code, and nothing "
        "that anybody could talk you out of.",
        sign_in="Sign in with a passkey",
        none="You have none yet.",
        unnamed="A passkey without a name",
        added="Added on {added}",
        used="Last used on {used}",
        not_used="Not used yet",
        name="Name of the passkey",
        name_hint="So that you know it again, like “my phone”; it may be left empty",
        add="Add a passkey",
        remove="Remove",
        not_here="This browser can’t add one, or runs no scripts. You can always sign in with a code.",
        prove_first="To add or remove one, show once more that it is you: you did so more than 10 minutes ago.",
        prove="Show it with a passkey",
        sign_in_again="Sign out, then sign in again",
        failed="That did not work, or was called off. Please try again.",
        known="This device has a passkey for your account already.",
        errors={
            PasskeyRefused: "This passkey was not accepted. Try again, or sign in with a code.",
            NotProvenLately: "For this, show once more that it is you: sign out, then sign in again.",
            TooManyPasskeys: "You have {most} passkeys already; remove one first.",
            NotAPasskeyName: "Choose a name of one line, of at most {longest} characters.",
            ErrorCode.RATE_LIMITED: "That was tried too often; wait a minute, then try again.",
        },
    ),
    issuer=IssuerWords(
        sign_in="Sign in with {name}",
        title="On to {name}",
        lead="You sign in at {name}, and then come back here. If nothing happens:",
        go_on="Go on to {name}",
        refused=Ending(
            "You are not signed in",
            "Signing in with {name} was called off, took too long, or was begun in another browser. Nothing has "
            "happened: begin again, or have a code sent to you.",
        ),
        no_account=Ending(
            "We can’t tell which account is yours",
            "It takes exactly one account in use with an e-mail address that {name} has confirmed. Have a code sent to "
            "an address of your account, or ask the platform’s support.",
        ),
        again="Back to signing in",
    ),
    dead={
        LinkState.REPLACED: Ending(
            "This link was replaced", "A newer message was sent to you; please use the link in the latest one."
        ),
        LinkState.EXPIRED: Ending(
            "The time to answer is over", "Nothing has changed. If you still want it, ask the sender to start again."
        ),
        LinkState.CANCELLED: Ending(
            "This transfer was called off",
            "The charge point stays where it is; there is nothing left for you to do. If you still want it, ask the "
            "sender.",
        ),
        LinkState.DECLINED: Ending(
            "This was declined",
            "The charge point stays where it is, and the link is used up. If you have changed your mind, ask the "
            "sender to start again.",
        ),
        LinkState.ACCEPTED: Ending(
            "This was accepted",
            "The link is used up; there is nothing left for you to do. Our messages keep you informed.",
        ),
    },
)
