"""What the pages say in English."""

from typing import Final

from api.pages.forms import NoName
from api.pages.words import (
    AccountWords,
    Choice,
    Ending,
    IssuerWords,
    KindWords,
    PasskeyWords,
    PointWords,
    SignInWords,
    StartWords,
    SupportWords,
    TransferWords,
    Words,
)
from domain.charger import RestartAnswer
from domain.codes import CodeExpired, CodesUsedUp, CodeUsed, NoCodeSent, NotACode, TriesUsedUp, WrongCode
from domain.consequences import Consequence, KeyNote
from domain.errors import ErrorCode, InvalidRequest, RateLimited
from domain.keys import KnownTo
from domain.kinds import TransferKind
from domain.languages import Language
from domain.passkeys import NotAPasskeyName, PasskeyRefused, TooManyPasskeys
from domain.recipient import Standing
from domain.rights import CoolingDownUntil, MoveChangesOwner, NotAdminOfBoth, NotItsOwner, ToOneself
from domain.sign_in import CodeSpent, NotProvenLately
from domain.support import Audience
from domain.transfer import (
    Attention,
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
from persistence.links.link_reads import LinkState
from persistence.views.prospects import NoOtherAdmin, NoOtherGroup

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
    colon=": ",
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
        where_lead="End what you do not recognise, or no longer use.",
        since="Since {began}; last used {seen}",
        unknown_browser="A browser that says nothing of itself",
        this_one="This is the one you are using now.",
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
    account=AccountWords(
        languages="Languages",
        section="Account",
        home="To your charge points",
        signed_in="You are signed in as {name}.",
        for_other="You are signed in as {name}, but this was sent to another person’s address: the code goes there.",
        answer_here="You are signed in: answer here, without a code",
        other_account="Sign in with another address",
        sections="Sections",
        prove="Please confirm that it is you",
        prove_sent="This can’t be undone, so we have sent you a code of 6 digits. It is valid for 10 minutes.",
        confirm="Confirm",
        not_here=Ending(
            "There is nothing here for you",
            "It may never have been here, or not be yours to see. If somebody sent you here, sign in with the address "
            "that they know you by.",
        ),
        errors={
            NotItsOwner: "Only its owner, or an owner of its group, can do this. Ask one of them.",
            NotAdminOfBoth: "This takes the role owner or admin in this group and in the other one. Ask somebody who "
            "has both.",
            MoveChangesOwner: "Its owner is not an owner or admin of your other groups, so that the move would change "
            "the owner: only its owner, or an owner of its group, can do that.",
            NoOtherGroup: "You are not an owner or admin of any other group. Have its owner make you one.",
            NoOtherAdmin: "The group has no other owner or admin. Make somebody one first.",
            CoolingDownUntil: "It has changed hands only recently, and can be transferred again from {until}.",
            ErrorCode.TRANSFER_IN_PROGRESS: "A transfer of this charge point is under way: wait for its end, or cancel "
            "it.",
            ErrorCode.NOT_ALLOWED: "You can’t do this any more: somebody else owns the charge point by now, or your "
            "role has changed.",
            ErrorCode.NOT_POSSIBLE: "As things stand this is not possible. Look at the charge point, and try again.",
            ErrorCode.INVALID_REQUEST: "This can’t be read: type an e-mail address, or a phone number with its "
            "country, like +33 6 12 34 56 78.",
            ErrorCode.ALREADY_DECIDED: "This was decided meanwhile; below is how it stands.",
            ErrorCode.IDEMPOTENCY_CONFLICT: "This page is an old one. Go back to the charge point, and begin again.",
            ErrorCode.UNAVAILABLE: "This does not work at the moment. Nothing is lost: try again in a minute.",
            ToOneself: "This address is your own. Type that of whoever is to have the charge point.",
        },
    ),
    points=PointWords(
        title="Your charge points",
        section="Charge points",
        own_group="Your own group",
        offers="Waiting for your answer",
        offered_by="From {sender}",
        no_points=Ending(
            "No charge points yet",
            "Here stand the charge points of your groups. If somebody wants to hand one over to you, you get a message "
            "with a link, and it stands here, too.",
        ),
        under_way="A transfer is under way",
        more="Show more",
        connected="Connected",
        offline="Not connected",
        held="Connected; something else tries to take its place",
        quarantined="Connected with an old key: it can’t charge",
        status="Status",
        owner="Owner",
        you="You",
        group="Group",
        serials="Serial numbers",
        device="Charger",
        identity="Identity",
        key="Key",
        no_key="None: the charger can’t connect",
        known_to={
            KnownTo.PEOPLE: "People can know it: it was typed in or handed over with the charger",
            KnownTo.CHARGER: "Only the charger can know it",
        },
        key_since="In use since",
        key_open_line="It was sent over a line that is not encrypted: whoever saw the network has read it.",
        key_due=Ending(
            "This charger needs a new key",
            "A former owner may know its present one. Make a new key below, and type it into the charger: only that "
            "ends the old one.",
        ),
        history="History",
        began={
            "import": "Added to this platform",
            "transfer": "Transferred",
            "roll_back": "Given back: a transfer was rolled back",
        },
        settings="Settings",
        settings_of="Settings of “{point}”",
        transfer="Transfer charge point",
        transfer_hint="Move it to another group, or give it to somebody else.",
        only_owner="Only its owner can do this.",
        new_key="A new key",
        new_key_sure="Make it only if you can get into the charger’s settings now. The charger is offline from then "
        "on, also for whoever is charging, until you have typed the new key in; the present key can’t be brought "
        "back.",
        new_key_hint="You see the new key once, and type it into the charger’s own settings. Until you have done that "
        "the charger is not connected.",
        new_key_button="Make a new key",
        new_key_made=Ending(
            "Your new key",
            "Type both into the charger’s own settings now, under OCPP, “Basic Auth” or “Security”. You can’t see them "
            "here again. Once the charger is connected with them, every older key has ended.",
        ),
        key_value="Password",
        identify="Is this my charger?",
        identify_hint="The charger restarts. If the one in front of you does not, another one is connected in its "
        "place.",
        not_connected="The charger is not connected, so it can’t be asked. See that it has power and network.",
        identify_button="Restart it now",
        identified={
            RestartAnswer.ACCEPTED: "It restarts now. Does the one in front of you?",
            RestartAnswer.SCHEDULED: "It restarts as soon as nobody charges.",
            RestartAnswer.REJECTED: "It refused to restart. Try again later.",
            RestartAnswer.NOT_SUPPORTED: "This charger can’t be restarted from here.",
            RestartAnswer.UNKNOWN: "It has not answered, and may be restarting. Look at the one in front of you.",
        },
    ),
    start=StartWords(
        title="Transfer “{point}”",
        lead="What would you like to do?",
        kinds={
            TransferKind.MOVE_TO_GROUP: KindWords(
                "Move to another group",
                "It goes into another of your groups. Its owner stays, if they are an owner or admin there.",
                "Into which group?",
                "Choose a group.",
                "Move now",
            ),
            TransferKind.TRANSFER_OWNERSHIP: KindWords(
                "Transfer the ownership",
                "Another owner or admin of its group becomes the owner. It stays in its group.",
                "Who is to own it?",
                "Choose a person.",
                "Transfer now",
            ),
            TransferKind.TRANSFER_TO_USER: KindWords(
                "Transfer to another user",
                "Somebody else gets it, into their own group. They are asked first.",
                "Who is to have it?",
                "Type an e-mail address or a phone number.",
                "Transfer",
            ),
        },
        you_become_owner="You become its owner",
        recipient="E-mail or phone number of their account",
        recipient_hint="A phone number with its country, like +33 6 12 34 56 78",
        delete="Delete its connection to this platform",
        delete_hint="We recommend to leave this box unticked: the charger then stays connected, and gets a new key "
        "where it can.",
        delete_when="Tick it if the charger is to leave this platform, or where people know its key and that key is to "
        "end at once: the new owner connects the charger afresh.",
        message="A message to them",
        message_hint="If you like; it stands in the letter that asks them.",
        details="More choices",
        expires="Time to answer",
        running="If somebody is charging",
        running_choices={
            RunningSession.WAIT: "Wait until they have finished",
            RunningSession.STOP: "Stop it",
        },
        if_offline="If the charger stays offline for {span}",
        if_offline_choices={
            IfOffline.COMPLETE: "The transfer stands; what is left is done when the charger is back",
            IfOffline.ROLL_BACK: "The charge point goes back to its present owner",
        },
        go_on="Continue",
        check="Please check",
        read_again="Read it letter by letter: whoever has this address is asked.",
        owner_after="Owner afterwards",
        to="To",
        at_once="This happens at once, and nobody is asked. To undo it, somebody has to transfer it back.",
        asked_first="We ask {to} first. Nothing changes before they accept; they have {span} to answer, and you can "
        "cancel until then.",
        told_owner="{owner} owns it: we tell them now, and they may cancel.",
        moves="What changes, and what goes with it",
        stays="What stays behind",
        consequences={
            Consequence.POINT_MOVES: "Its name, model, location and limits of the installation go with it.",
            Consequence.OWNER_CHANGES: "It gets another owner.",
            Consequence.GROUP_CHANGES: "It comes into another group, whose RFID cards, share codes and guests take "
            "over.",
            Consequence.ACCESS_KEPT: "RFID cards, share codes, guests, tariff and schedules stay as they are.",
            Consequence.KEY_KEPT: "The charger keeps its key, and stays connected.",
            Consequence.SESSIONS_STAY: "Charging sessions stay with who owned it when they began, also the one that "
            "runs.",
            Consequence.HISTORY_STAYS: "Each side keeps the history of its own time, and sees no other.",
            Consequence.ACCESS_STAYS: "The present group’s RFID cards, share codes and guests stay with the group.",
            Consequence.TARIFF_ENDS: "Tariff, schedules and charging profiles end; those of the new group apply.",
            Consequence.KEY_DELETED: "The charger’s connection ends; the new owner connects it afresh.",
            Consequence.KEY_TO_BE_TYPED: "Its present key ends once the new owner has typed a new one into the "
            "charger.",
            Consequence.KEY_REPLACED: "The charger is sent a new key, and its present one ends.",
        },
        notes={
            KeyNote.KNOWN_TO_PEOPLE: "People can know the charger’s key, its present owner too.",
            KeyNote.DELETE_RECOMMENDED: "If nobody who knows the key is to pass for the charger afterwards, go back "
            "and delete the connection: the key then ends with the transfer itself.",
            KeyNote.OPEN_LINE: "The charger’s key was sent over a line that is not encrypted: whoever saw the network "
            "has read it.",
        },
        at_charger="At the charger",
        supported={
            Support.NO: "chargers of this model can’t: it is left out, and you are told",
            Support.SOME: "some chargers of this model can’t",
        },
        change="Change something",
    ),
    transfers=TransferWords(
        title="Transfers",
        none="No transfers yet. To begin one, open a charge point and its settings.",
        states={
            TransferState.REQUESTED: Ending("Being checked", "The request is kept. This takes a moment."),
            TransferState.REFUSED: Ending("Not possible", "Nothing has changed."),
            TransferState.AWAITING_ACCEPTANCE: Ending("Waiting for an answer", "Nothing has changed yet."),
            TransferState.DECLINED: Ending("Declined", "Nothing has changed."),
            TransferState.CANCELLED: Ending("Cancelled", "Nothing has changed."),
            TransferState.EXPIRED: Ending("Expired", "Nobody answered in time. Nothing has changed."),
            TransferState.TRANSFERRING: Ending("Under way", "The charge point is about to change hands."),
            TransferState.RECONFIGURING: Ending("Under way", "It has changed hands; its charger is being set up."),
            TransferState.COMPLETED: Ending("Done", "Everything is as it should be."),
            TransferState.COMPLETED_WITH_WARNINGS: Ending("Done, but something is left", "See below what to do."),
            TransferState.ROLLING_BACK: Ending("Being undone", "All that was changed is changed back."),
            TransferState.ROLLED_BACK: Ending("Not carried out", "Its owner and its group are as before."),
        },
        awaits={
            Attention.NONE: "",
            Attention.RECIPIENT: "It waits for the recipient to accept or decline.",
            Attention.SESSION_RUNNING: "Somebody is charging: it waits until they have finished.",
            Attention.CHARGER_OFFLINE: "The charger is not connected: see that it has power and network.",
            Attention.RETRYING: "A step takes longer, and is being tried again by itself.",
            Attention.NEW_KEY: "It waits for its new owner to type a new key into the charger.",
            Attention.OPERATOR: "Our staff are looking at it; it tries again by itself meanwhile.",
        },
        until="Until",
        sender="From",
        recipient="To",
        not_known_yet="Whoever has the address you typed",
        steps="Steps",
        step_names={
            StepName.VALIDATE_RIGHTS: "Check who may do this",
            StepName.LOOK_UP_TARGET: "Find who is to have it",
            StepName.RESERVE: "Reserve the charge point",
            StepName.ASK_RECIPIENT: "Ask the recipient",
            StepName.QUIET_CHARGER: "Let no new session start",
            StepName.CHANGE_OWNERSHIP: "Carry it out",
            StepName.REPLACE_LISTS: "Replace the RFID cards in the charger",
            StepName.ROTATE_CREDENTIALS: "Replace the charger’s key",
            StepName.RELEASE_CHARGER: "Let it charge again",
            StepName.TELL_PARTIES: "Tell everybody",
        },
        step_states={
            StepState.PENDING: "to come",
            StepState.RUNNING: "under way",
            StepState.DONE: "done",
            StepState.SKIPPED: "not needed",
            StepState.FAILED: "failed",
            StepState.COMPENSATED: "undone",
        },
        reasons={
            Reason.DECLINED: "The recipient declined.",
            Reason.CANCELLED: "It was cancelled.",
            Reason.EXPIRED: "Nobody answered in time.",
            Reason.RIGHTS_LOST: "Somebody no longer had the role that it takes. See who is an owner or admin, and "
            "start again.",
            Reason.RECIPIENT_UNUSABLE: "The recipient’s account is not in use any more.",
            Reason.SESSION_DEADLINE: "Somebody charged for longer than we wait. Start again once they have finished, "
            "or choose to stop it.",
            Reason.CHARGER_REJECTED: "The charger refused its new key. Ask its manufacturer whether its key can be "
            "changed remotely.",
            Reason.CHARGER_OFFLINE: "The charger stayed offline for too long. Start again once it is connected.",
            Reason.OPERATOR: "Our staff called it off.",
        },
        left="What is left to do",
        warnings={
            TransferWarning.CHARGER_OFFLINE: "The charger stayed offline. See that it has power and network.",
            TransferWarning.LISTS_DUE: "The charger does not have its group’s RFID cards yet. It gets them when it "
            "connects; until then former cards may work while it is offline.",
            TransferWarning.LISTS_NOT_SUPPORTED: "The charger takes no list of RFID cards from us. Have the cards that "
            "it remembers erased in its own settings.",
            TransferWarning.FORMER_TAGS_MAY_CHARGE_OFFLINE: "Some RFID cards of the former group may charge while the "
            "charger is offline. Set in the charger that cards it does not know can’t.",
            TransferWarning.CACHE_NOT_CLEARED: "The charger goes on remembering RFID cards. Have them erased in its "
            "own settings.",
            TransferWarning.CUSTOMER_DATA_LEFT: "The charger may still know who charged before. Have that erased in "
            "its own settings.",
            TransferWarning.CREDENTIALS_DUE: "The charger does not have its new key yet. It gets it when it connects. "
            "If it does not work after that, make a new key in the charge point’s settings.",
            TransferWarning.OLD_KEY_KNOWN: "The charger still uses its old key, and its former owner may know it. Make "
            "a new key in the charge point’s settings, and type it in.",
            TransferWarning.CREDENTIALS_CANNOT_BE_ROTATED: "The charger’s key can’t be changed remotely. Make a new "
            "key in the charge point’s settings, and type it in.",
            TransferWarning.RELEASE_DUE: "The charger may be out of service still. It is put back when it connects.",
            TransferWarning.LEFT_UNDONE_BY_OPERATOR: "Our staff left a step at the charger undone. See that it charges "
            "as it should.",
        },
        who_has_it="Who has it now",
        cancel="Cancel the transfer",
        cancel_hint="The charge point stays where it is.",
        resend="Send the letter again",
        resend_hint="They get a new link; the older one ends.",
        resent="A new letter is on its way.",
        in_person="Hand it over in person",
        in_person_hint="Have them scan this with their phone, and sign in with the address that you typed: then they "
        "can answer.",
        calendar="Put the deadline into your calendar",
        reminder="Answer: the charge point “{point}”",
        next_steps="What to do next",
        connect_it="Connect the charger: make a key in its settings, and type it in.",
        type_key="Make a new key in its settings, and type it into the charger.",
        put_cards_in="Your group’s RFID cards work at it from now on; check them at the charger.",
        yours=Ending("It is yours", "One thing is left to do: see below."),
        to_point="To the charge point",
        follow="See how it goes on",
        follow_hint="You sign in with a code that we send you; you need no password.",
    ),
    support=SupportWords(
        title="Do you need help?",
        audiences={
            Audience.PRIVATE: "Private customers",
            Audience.BUSINESS: "Business customers",
            Audience.INSTALLERS: "Certified installers",
        },
        always="At any time",
        hours="{days}, {opens} to {closes} {zone}",
        answers="first answer within {span}",
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
