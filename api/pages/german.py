"""What the pages say in German: as in the letters, `Sie`, and no word that is spelt otherwise in Switzerland."""

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

_SESSIONS: Final = "Ladevorgänge, die vorher begannen, bleiben beim jetzigen Eigentümer; spätere gehören Ihnen."
_DELETED: Final = (
    "Die Verbindung mit der Plattform endet mit der Übertragung: Die Ladestation bleibt getrennt, bis Sie sie neu "
    "verbinden."
)
_OWNED: Final = (
    "Der Ladepunkt gehört dann Ihnen. Er bleibt in der Gruppe „{group}“, mit deren RFID-Karten und Tarif.",
    _SESSIONS,
)
_MOVED: Final = (
    "Der Ladepunkt kommt in Ihre Gruppe „{group}“; von da an gelten deren RFID-Karten und Tarif.",
    "Ladevorgänge, die vorher begannen, bleiben dort, wo sie gebucht wurden.",
)
_GIVEN: Final = (
    "Der Ladepunkt gehört dann Ihnen. Er kommt in Ihre persönliche Gruppe, mit Ihren RFID-Karten und Ihrem Tarif."
)

GERMAN: Final = Words(
    language=Language.GERMAN,
    colon=": ",
    title="Ein Ladepunkt für Sie",
    intro="{sender} möchte Ihnen diesen Ladepunkt übertragen. Solange Sie nicht annehmen, geschieht nichts.",
    intro_group="{sender} möchte diesen Ladepunkt in Ihre Gruppe „{group}“ verschieben. Solange Sie nicht annehmen, "
    "geschieht nichts.",
    charge_point="Ladepunkt",
    location="Standort",
    sender="Von",
    deadline="Antwort bis",
    message_from="Nachricht von {sender}",
    what_follows="Wenn Sie annehmen",
    follows_move=_MOVED,
    follows_ownership=_OWNED,
    follows_user=(_GIVEN, _SESSIONS),
    follows_delete=_DELETED,
    sender_owns="Der Ladepunkt gehört dann {sender}.",
    owner_stays="Wem der Ladepunkt gehört, ändert sich nicht.",
    kept="Der Ladepunkt bleibt verbunden. Die Zugangsdaten werden normalerweise aus der Ferne ersetzt; wir schreiben "
    "Ihnen, wenn für Sie etwas zu tun bleibt.",
    kept_known="Der Ladepunkt bleibt verbunden. Den Schlüssel, den die Ladestation verwendet, können Menschen kennen, "
    "auch der jetzige Eigentümer: Er wird ungültig, sobald Sie in der Ladestation einen neuen eingegeben haben. Wir "
    "schreiben Ihnen, wie das geht.",
    kept_known_sender="Der Ladepunkt bleibt verbunden. Den Schlüssel, den die Ladestation verwendet, können Menschen "
    "kennen: Er wird ungültig, sobald {sender} in der Ladestation einen neuen eingegeben hat.",
    better_deleted="Wenn Ihnen lieber ist, dass dieser Schlüssel schon mit der Übertragung ungültig wird, lehnen Sie "
    "ab und bitten Sie {sender}, neu anzufangen und dabei die Verbindung zu löschen: Sie verbinden die Ladestation "
    "dann neu.",
    key_seen="Nur was am {since} verbunden war{serials}, kann den Schlüssel kennen, den die Ladestation jetzt "
    "verwendet. Wir wissen, was damals verbunden war, nicht, was an der Wand hängt.",
    key_serials=" (Seriennummer: {serials})",
    key_open_line="Der jetzige Schlüssel der Ladestation wurde über eine Leitung gesendet, die nicht verschlüsselt "
    "ist: Wer Einblick in das Netz hatte, hat ihn gelesen.",
    goes_back="Ist die Ladestation beim Übergang ohne Verbindung und bleibt sie es {span} lang, geht der Ladepunkt an "
    "den jetzigen Eigentümer zurück.",
    until_new_key="Bis die Ladestation einen neuen Schlüssel hat",
    until_new_key_hint="Falls beim Übergang Menschen ihren Schlüssel kennen können, gibt der neue Eigentümer einen "
    "neuen ein. Was darf der alte bis dahin?",
    until_new_key_choices={
        UntilNewKey.SERVE: Choice(
            "Die Ladestation arbeitet weiter",
            "Auch alles andere, was den Schlüssel hat: Es kann sich für die Ladestation ausgeben.",
        ),
        UntilNewKey.QUARANTINE: Choice(
            "Die Ladestation lädt nicht",
            "Niemand kann dort laden, und nichts kann sich für die Ladestation ausgeben.",
        ),
    },
    next_step="Zum Annehmen oder Ablehnen senden wir Ihnen zuerst einen Code. So kann niemand für Sie antworten, der "
    "nur an diesen Link gelangt ist.",
    send_code="Code anfordern",
    cannot_accept={
        Standing.NO_ACCOUNT: "Sie haben auf dieser Plattform noch kein Konto. Beim Annehmen eröffnen Sie eines: Es "
        "genügen Ihr Name und der Code.",
        Standing.UNUSABLE: "Zurzeit können Sie mit der Adresse dieses Links nicht annehmen: Das Konto dazu ist "
        "nicht in Gebrauch, oder es gibt mehrere Konten mit dieser Adresse. Wenden Sie sich an den Support der "
        "Plattform. Ablehnen können Sie.",
        Standing.OWNER: "Dieser Ladepunkt gehört Ihnen schon; es gibt also nichts anzunehmen. Ablehnen können Sie.",
    },
    nothing_yet="Haben Sie das nicht erwartet? Tun Sie nichts, oder lehnen Sie ab: Der Ladepunkt bleibt, wo er ist.",
    other_device="Auf einem anderen Gerät",
    other_device_hint="Richten Sie die Kamera des anderen Geräts hierauf: Ihr Link öffnet sich dort. Zeigen Sie ihn "
    "sonst niemandem.",
    qr_code="QR-Code Ihres Links",
    opens_account="Wenn Sie annehmen, wird für Sie ein Konto mit der Adresse eröffnet, unter der dieser Link Sie "
    "erreicht hat. Zum Ablehnen brauchen Sie keines: Lassen Sie den Namen leer.",
    name_label="Ihr Name",
    name_hint="So, wie er in Ihrem Konto stehen soll",
    open_and_accept="Konto eröffnen und annehmen",
    code_title="Ihre Antwort",
    code_sent="Wir haben Ihnen einen Code mit 6 Ziffern gesendet. Er gilt 10 Minuten.",
    code_missing="Es wurde noch kein Code gesendet: Fordern Sie unten einen an, und geben Sie ihn dann hier ein.",
    code_label="Ihr Code",
    code_hint="6 Ziffern, aus der neuesten Nachricht",
    accept="Annehmen",
    decline="Ablehnen",
    another_code="Weiteren Code anfordern",
    another_code_hint="Kein Code? Warten Sie eine Minute, sehen Sie im Spam-Ordner nach, und fordern Sie dann einen "
    "weiteren an.",
    back="Zurück zur Anfrage",
    error_prefix="Fehler: ",
    unsure="Ihre Antwort ist vielleicht schon angekommen. Drücken Sie denselben Knopf noch einmal, mit demselben Code.",
    errors={
        NoName: "Geben Sie Ihren Namen ein, mit höchstens {longest} Zeichen: Auf ihn wird Ihr Konto eröffnet.",
        NotACode: "Geben Sie die {digits} Ziffern des Codes ein, den wir Ihnen gesendet haben.",
        WrongCode: "Dieser Code ist nicht der richtige; sehen Sie in der neuesten Nachricht nach. Verbleibende "
        "Versuche: {left}.",
        TriesUsedUp: "Es wurden {tries} falsche Codes eingegeben; fordern Sie einen neuen an.",
        CodesUsedUp: "Es wurden schon {codes} Codes gesendet; verwenden Sie den letzten, oder bitten Sie den Absender "
        "um einen neuen Link.",
        CodeExpired: "Dieser Code ist abgelaufen; fordern Sie einen neuen an.",
        NoCodeSent: "Es wurde noch kein Code gesendet; fordern Sie einen an.",
        CodeUsed: "Dieser Code wurde für die andere Antwort verwendet; fordern Sie einen neuen an.",
        ErrorCode.INVALID_REQUEST: "Ihre Eingabe ist nicht lesbar; ändern Sie sie, und versuchen Sie es noch einmal.",
        ErrorCode.NOT_ALLOWED: "Mit diesem Link können Sie nicht mehr antworten; öffnen Sie den in der neuesten "
        "Nachricht, oder fragen Sie den Absender.",
        ErrorCode.NOT_POSSIBLE: "Zurzeit kann das nicht angenommen werden. Es braucht ein aktives Konto mit der "
        "Adresse dieses Links; wenn Ihres gesperrt ist, wenden Sie sich an den Support der Plattform.",
        ErrorCode.ALREADY_DECIDED: "Darüber wurde inzwischen entschieden; wie, sehen Sie, wenn Sie den Link in Ihrer "
        "Nachricht noch einmal öffnen.",
        ErrorCode.TOO_LATE: "Dafür ist es zu spät; bitten Sie den Absender, neu anzufangen.",
        ErrorCode.COOLING_DOWN: "Dieser Ladepunkt hat erst vor Kurzem den Eigentümer gewechselt; versuchen Sie es "
        "später noch einmal.",
        ErrorCode.RATE_LIMITED: "Das wurde zu oft versucht; warten Sie einige Minuten, und versuchen Sie es dann noch "
        "einmal.",
        ErrorCode.UNAVAILABLE: "Der Code konnte noch nicht gesendet werden; fordern Sie in Kürze einen weiteren an.",
    },
    refused="Das wurde abgewiesen; öffnen Sie den Link in Ihrer Nachricht noch einmal, oder fragen Sie den Absender.",
    accepted=Ending(
        "Sie haben angenommen",
        "Die Übertragung des Ladepunkts geht nun weiter. Eine Nachricht wird Ihnen sagen, wie sie ausgegangen ist; "
        "Sie können diese Seite verlassen.",
    ),
    declined=Ending(
        "Sie haben abgelehnt",
        "Der Ladepunkt bleibt, wo er ist. Der Absender erfährt davon; sonst geschieht nichts.",
    ),
    unknown=Ending(
        "Dieser Link führt nirgendwohin",
        "Vielleicht wurde er unterwegs abgeschnitten. Öffnen Sie ihn noch einmal aus der Nachricht, oder bitten Sie "
        "den Absender um einen neuen.",
    ),
    not_opened=Ending(
        "Bitte öffnen Sie den Link in Ihrer Nachricht noch einmal",
        "Diese Seite öffnet sich nur mit dem Link, der Ihnen gesendet wurde; Ihr Browser merkt ihn sich in einem "
        "Cookie. Wenn diese Seite wieder erscheint, erlauben Sie Cookies für diese Website, oder öffnen Sie den Link "
        "in einem anderen Browser.",
    ),
    from_elsewhere=Ending(
        "Das kam nicht von unserer Seite",
        "Es wurde von einer anderen Website gesendet; darum ist nichts geschehen. Um zu antworten, öffnen Sie den Link "
        "in Ihrer Nachricht noch einmal.",
    ),
    away=Ending("Zurzeit nicht verfügbar", "Bitte versuchen Sie es in einer Minute noch einmal. Nichts ist verloren."),
    sign_in=SignInWords(
        title="Anmelden",
        lead="Geben Sie Ihre E-Mail-Adresse oder Telefonnummer ein: Wir senden Ihnen einen Code. Ein Passwort brauchen "
        "Sie nicht.",
        address="E-Mail oder Telefonnummer",
        address_hint="Eine Telefonnummer mit Land, wie +41 79 123 45 67",
        code_title="Geben Sie Ihren Code ein",
        code_sent="Wenn jemand ein Konto mit dieser Adresse hat, ist ein Code aus 6 Ziffern dorthin unterwegs. Er gilt "
        "10 Minuten, in diesem Browser.",
        no_code="Kein Code? Warten Sie eine Minute, sehen Sie im Spam-Ordner nach, prüfen Sie die Adresse.",
        where="Wo Sie angemeldet sind",
        where_lead="Beenden Sie, was Sie nicht kennen oder nicht mehr brauchen.",
        since="Seit {began}; zuletzt genutzt {seen}",
        unknown_browser="Ein Browser, der nichts von sich sagt",
        this_one="Hier sind Sie gerade.",
        end="Beenden",
        end_others="Alle anderen beenden",
        sign_out="Abmelden",
        errors={
            InvalidRequest: "Das ist weder eine E-Mail-Adresse noch eine Telefonnummer; geben Sie eine davon ein, eine "
            "Telefonnummer mit Land.",
            CodeExpired: "Dieser Code ist abgelaufen; fordern Sie einen neuen an.",
            CodeSpent: "Dieser Code wurde schon benutzt; fordern Sie einen neuen an.",
            NoCodeSent: "Diesen Code gibt es nicht; fordern Sie einen neuen an.",
            TriesUsedUp: "{tries} falsche Codes wurden eingegeben; fordern Sie einen neuen an.",
            RateLimited: "Mit dieser Adresse wurden zu viele Codes angefordert; versuchen Sie es in einer Stunde "
            "wieder.",
        },
    ),
    account=AccountWords(
        languages="Sprachen",
        section="Konto",
        home="Zu Ihren Ladepunkten",
        signed_in="Sie sind als {name} angemeldet.",
        for_other="Sie sind als {name} angemeldet, aber dies ging an die Adresse einer anderen Person: Dorthin geht "
        "auch der Code.",
        answer_here="Sie sind angemeldet: hier ohne Code antworten",
        other_account="Mit einer anderen Adresse anmelden",
        sections="Bereiche",
        prove="Bitte bestätigen Sie, dass Sie es sind",
        prove_sent="Das lässt sich nicht rückgängig machen; darum haben wir Ihnen einen Code mit 6 Ziffern gesendet. "
        "Er gilt 10 Minuten.",
        confirm="Bestätigen",
        not_here=Ending(
            "Hier ist nichts für Sie",
            "Vielleicht war hier nie etwas, oder Sie haben keinen Zugang. Hat Sie jemand hierher geschickt, melden Sie "
            "sich mit der Adresse an, unter der man Sie kennt.",
        ),
        errors={
            NotItsOwner: "Das können nur der Eigentümer des Ladepunkts und die Eigentümer seiner Gruppe. Bitten Sie "
            "einen von ihnen darum.",
            NotAdminOfBoth: "Dazu muss man in dieser und in der anderen Gruppe Eigentümer oder Administrator sein. "
            "Bitten Sie jemanden darum, der es in beiden ist.",
            MoveChangesOwner: "Der Eigentümer des Ladepunkts ist in Ihren anderen Gruppen weder Eigentümer noch "
            "Administrator; mit dem Verschieben würde also der Eigentümer wechseln. Das können nur er selbst und die "
            "Eigentümer seiner Gruppe.",
            NoOtherGroup: "Sie sind in keiner anderen Gruppe Eigentümer oder Administrator. Bitten Sie den Eigentümer "
            "der gewünschten Gruppe um diese Rolle.",
            NoOtherAdmin: "Die Gruppe hat sonst keinen Eigentümer oder Administrator. Geben Sie zuerst jemandem diese "
            "Rolle.",
            CoolingDownUntil: "Dieser Ladepunkt hat erst vor Kurzem den Eigentümer gewechselt. Wieder übertragbar ab: "
            "{until}.",
            ErrorCode.TRANSFER_IN_PROGRESS: "Eine Übertragung dieses Ladepunkts läuft schon: Warten Sie ihr Ende ab, "
            "oder stornieren Sie sie.",
            ErrorCode.NOT_ALLOWED: "Das können Sie nicht mehr: Der Ladepunkt gehört inzwischen jemand anderem, oder "
            "Ihre Rolle hat sich geändert.",
            ErrorCode.NOT_POSSIBLE: "Zurzeit ist das nicht möglich. Sehen Sie sich den Ladepunkt an, und versuchen Sie "
            "es noch einmal.",
            ErrorCode.INVALID_REQUEST: "Ihre Eingabe ist nicht lesbar: Geben Sie eine E-Mail-Adresse ein, oder eine "
            "Telefonnummer mit Land, wie +41 79 123 45 67.",
            ErrorCode.ALREADY_DECIDED: "Darüber wurde inzwischen entschieden; unten sehen Sie den jetzigen Stand.",
            ErrorCode.IDEMPOTENCY_CONFLICT: "Diese Seite ist veraltet. Gehen Sie zurück zum Ladepunkt, und fangen Sie "
            "neu an.",
            ErrorCode.UNAVAILABLE: "Das geht zurzeit nicht. Nichts ist verloren: Versuchen Sie es in einer Minute noch "
            "einmal.",
            ToOneself: "Diese Adresse ist Ihre eigene. Geben Sie die Adresse der Person ein, die den Ladepunkt "
            "erhalten soll.",
        },
    ),
    points=PointWords(
        title="Ihre Ladepunkte",
        section="Ladepunkte",
        own_group="Ihre persönliche Gruppe",
        offers="Ihre Antwort wird erwartet",
        offered_by="Von {sender}",
        no_points=Ending(
            "Noch keine Ladepunkte",
            "Hier stehen die Ladepunkte Ihrer Gruppen. Wenn Ihnen jemand einen übertragen möchte, erhalten Sie eine "
            "Nachricht mit einem Link, und die Anfrage steht auch hier.",
        ),
        under_way="Eine Übertragung läuft",
        more="Weitere anzeigen",
        connected="Verbunden",
        offline="Ohne Verbindung",
        held="Verbunden; ein anderes Gerät versucht, den Platz einzunehmen",
        quarantined="Mit einem alten Schlüssel verbunden: kann nicht laden",
        status="Zustand",
        owner="Eigentümer",
        you="Sie",
        group="Gruppe",
        serials="Seriennummern",
        device="Ladestation",
        identity="Kennung",
        key="Schlüssel",
        no_key="Keiner: Die Ladestation kann sich nicht verbinden",
        known_to={
            KnownTo.PEOPLE: "Menschen können ihn kennen: Er wurde von Hand eingegeben oder mit der Ladestation "
            "weitergegeben",
            KnownTo.CHARGER: "Nur die Ladestation kann ihn kennen",
        },
        key_since="Verwendet seit",
        key_open_line="Er wurde über eine Leitung gesendet, die nicht verschlüsselt ist: Wer Einblick in das Netz "
        "hatte, hat ihn gelesen.",
        key_due=Ending(
            "Diese Ladestation braucht einen neuen Schlüssel",
            "Ein früherer Eigentümer kennt womöglich den jetzigen. Erstellen Sie unten einen neuen Schlüssel, und "
            "geben Sie ihn in der Ladestation ein: Erst damit wird der alte ungültig.",
        ),
        history="Verlauf",
        began={
            "import": "Auf dieser Plattform erfasst",
            "transfer": "Übertragen",
            "roll_back": "Zurückgegeben: Eine Übertragung wurde rückgängig gemacht",
        },
        settings="Einstellungen",
        settings_of="Einstellungen von „{point}“",
        transfer="Ladepunkt übertragen",
        transfer_hint="Verschieben Sie ihn in eine andere Gruppe, oder übertragen Sie ihn an jemand anderen.",
        only_owner="Das kann nur der Eigentümer.",
        new_key="Ein neuer Schlüssel",
        new_key_sure="Erstellen Sie ihn nur, wenn Sie jetzt an die Einstellungen der Ladestation kommen. Sie ist von "
        "da an ohne Verbindung, auch für einen laufenden Ladevorgang, bis Sie den neuen Schlüssel eingegeben haben; "
        "der jetzige lässt sich nicht zurückholen.",
        new_key_hint="Der neue Schlüssel wird nur einmal angezeigt; geben Sie ihn in den Einstellungen der "
        "Ladestation selbst ein. Bis dahin ist sie ohne Verbindung.",
        new_key_button="Neuen Schlüssel erstellen",
        new_key_made=Ending(
            "Ihr neuer Schlüssel",
            "Geben Sie jetzt Kennung und Passwort in den Einstellungen der Ladestation selbst ein, unter OCPP, „Basic "
            "Auth“ oder „Security“. Hier werden sie nicht noch einmal angezeigt. Sobald sich die Ladestation damit "
            "verbunden hat, sind alle älteren Schlüssel ungültig.",
        ),
        key_value="Passwort",
        identify="Ist das meine Ladestation?",
        identify_hint="Die Ladestation startet neu. Wenn die vor Ihnen es nicht tut, ist an ihrer Stelle eine andere "
        "verbunden.",
        not_connected="Die Ladestation ist nicht verbunden und kann nicht gefragt werden. Prüfen Sie Strom und Netz.",
        identify_button="Jetzt neu starten",
        identified={
            RestartAnswer.ACCEPTED: "Sie startet jetzt neu. Die vor Ihnen auch?",
            RestartAnswer.SCHEDULED: "Sie startet neu, sobald niemand mehr lädt.",
            RestartAnswer.REJECTED: "Sie hat den Neustart abgelehnt. Versuchen Sie es später noch einmal.",
            RestartAnswer.NOT_SUPPORTED: "Diese Ladestation lässt sich von hier aus nicht neu starten.",
            RestartAnswer.UNKNOWN: "Sie hat nicht geantwortet, und startet vielleicht gerade neu. Sehen Sie die vor "
            "Ihnen an.",
        },
    ),
    start=StartWords(
        title="„{point}“ übertragen",
        lead="Was möchten Sie tun?",
        kinds={
            TransferKind.MOVE_TO_GROUP: KindWords(
                "In eine andere Gruppe verschieben",
                "Der Ladepunkt kommt in eine andere Ihrer Gruppen. Der Eigentümer bleibt, wenn er dort Eigentümer oder "
                "Administrator ist.",
                "In welche Gruppe?",
                "Wählen Sie eine Gruppe.",
                "Jetzt verschieben",
            ),
            TransferKind.TRANSFER_OWNERSHIP: KindWords(
                "Eigentum übertragen",
                "Der Ladepunkt gehört dann einem anderen Eigentümer oder Administrator seiner Gruppe. Er bleibt in "
                "seiner Gruppe.",
                "Wem soll er gehören?",
                "Wählen Sie eine Person.",
                "Jetzt übertragen",
            ),
            TransferKind.TRANSFER_TO_USER: KindWords(
                "An eine andere Person übertragen",
                "Der Ladepunkt kommt in die persönliche Gruppe einer anderen Person und gehört dann ihr. Wir fragen "
                "sie zuerst.",
                "Wer soll ihn erhalten?",
                "Geben Sie eine E-Mail-Adresse oder Telefonnummer ein.",
                "Übertragen",
            ),
        },
        you_become_owner="Der Ladepunkt gehört dann Ihnen",
        recipient="E-Mail oder Telefonnummer des Kontos dieser Person",
        recipient_hint="Eine Telefonnummer mit Land, wie +41 79 123 45 67",
        delete="Verbindung mit dieser Plattform löschen",
        delete_hint="Wir empfehlen, dieses Kästchen leer zu lassen: Die Ladestation bleibt dann verbunden, und erhält "
        "einen neuen Schlüssel, wenn sie das kann.",
        delete_when="Kreuzen Sie es an, wenn die Ladestation diese Plattform verlassen soll, oder wenn Menschen ihren "
        "Schlüssel kennen und er sofort ungültig werden soll: Der neue Eigentümer verbindet die Ladestation dann neu.",
        message="Eine Nachricht an diese Person",
        message_hint="Wenn Sie möchten; sie steht in der Anfrage, die wir senden.",
        details="Weitere Optionen",
        expires="Zeit für die Antwort",
        running="Wenn gerade jemand lädt",
        running_choices={
            RunningSession.WAIT: "Warten, bis der Ladevorgang beendet ist",
            RunningSession.STOP: "Den Ladevorgang beenden",
        },
        if_offline="Wenn die Ladestation {span} lang ohne Verbindung bleibt",
        if_offline_choices={
            IfOffline.COMPLETE: "Die Übertragung gilt; der Rest geschieht, wenn die Ladestation wieder verbunden ist",
            IfOffline.ROLL_BACK: "Der Ladepunkt geht an den jetzigen Eigentümer zurück",
        },
        go_on="Weiter",
        check="Bitte prüfen Sie",
        read_again="Lesen Sie sie Zeichen für Zeichen: Wem diese Adresse gehört, wird gefragt.",
        owner_after="Eigentümer danach",
        to="An",
        at_once="Das geschieht sofort, und niemand wird gefragt. Rückgängig macht es nur eine neue Übertragung.",
        asked_first="Wir fragen zuerst {to}. Ohne Zustimmung ändert sich nichts. Zeit für die Antwort: {span}; bis zur "
        "Zustimmung können Sie stornieren.",
        told_owner="Der Ladepunkt gehört {owner}: Wir benachrichtigen diese Person jetzt, und sie kann stornieren.",
        moves="Was sich ändert, und was mitgeht",
        stays="Was nicht mitgeht",
        consequences={
            Consequence.POINT_MOVES: "Name, Modell, Standort und die Grenzwerte der Installation gehen mit.",
            Consequence.OWNER_CHANGES: "Der Eigentümer wechselt.",
            Consequence.GROUP_CHANGES: "Der Ladepunkt kommt in eine andere Gruppe; von da an gelten deren RFID-Karten, "
            "Freigabecodes und Gäste.",
            Consequence.ACCESS_KEPT: "RFID-Karten, Freigabecodes, Gäste, Tarif und Zeitpläne bleiben, wie sie sind.",
            Consequence.KEY_KEPT: "Die Ladestation behält ihren Schlüssel, und bleibt verbunden.",
            Consequence.SESSIONS_STAY: "Ladevorgänge bleiben bei der Person, der der Ladepunkt gehörte, als sie "
            "begannen; das gilt auch für einen laufenden.",
            Consequence.HISTORY_STAYS: "Jede Seite behält den Verlauf ihrer eigenen Zeit, und sieht keinen anderen.",
            Consequence.ACCESS_STAYS: "RFID-Karten, Freigabecodes und Gäste der jetzigen Gruppe bleiben bei ihr.",
            Consequence.TARIFF_ENDS: "Tarif, Zeitpläne und Ladeprofile enden; es gelten die der neuen Gruppe.",
            Consequence.KEY_DELETED: "Die Verbindung der Ladestation endet; der neue Eigentümer verbindet sie neu.",
            Consequence.KEY_TO_BE_TYPED: "Der jetzige Schlüssel wird ungültig, sobald der neue Eigentümer in der "
            "Ladestation einen neuen eingegeben hat.",
            Consequence.KEY_REPLACED: "Die Ladestation erhält aus der Ferne einen neuen Schlüssel, und der jetzige "
            "wird ungültig.",
        },
        notes={
            KeyNote.KNOWN_TO_PEOPLE: "Den Schlüssel der Ladestation können Menschen kennen, auch der jetzige "
            "Eigentümer.",
            KeyNote.DELETE_RECOMMENDED: "Wenn sich danach niemand, der den Schlüssel kennt, für die Ladestation "
            "ausgeben können soll, gehen Sie zurück, und löschen Sie die Verbindung: Der Schlüssel wird dann schon mit "
            "der Übertragung ungültig.",
            KeyNote.OPEN_LINE: "Der Schlüssel der Ladestation wurde über eine Leitung gesendet, die nicht "
            "verschlüsselt ist: Wer Einblick in das Netz hatte, hat ihn gelesen.",
        },
        at_charger="An der Ladestation",
        supported={
            Support.NO: "Ladestationen dieses Modells können es nicht: Es wird ausgelassen, und wir sagen es Ihnen",
            Support.SOME: "manche Ladestationen dieses Modells können es nicht",
        },
        change="Etwas ändern",
    ),
    transfers=TransferWords(
        title="Übertragungen",
        none="Noch keine Übertragungen. Um eine zu starten, öffnen Sie einen Ladepunkt und dessen Einstellungen.",
        states={
            TransferState.REQUESTED: Ending("Wird geprüft", "Die Anfrage ist gespeichert. Das dauert einen Moment."),
            TransferState.REFUSED: Ending("Nicht möglich", "Geändert hat sich nichts."),
            TransferState.AWAITING_ACCEPTANCE: Ending("Wartet auf Antwort", "Noch hat sich nichts geändert."),
            TransferState.DECLINED: Ending("Abgelehnt", "Geändert hat sich nichts."),
            TransferState.CANCELLED: Ending("Storniert", "Geändert hat sich nichts."),
            TransferState.EXPIRED: Ending(
                "Abgelaufen", "Niemand hat rechtzeitig geantwortet. Geändert hat sich nichts."
            ),
            TransferState.TRANSFERRING: Ending("Läuft", "Der Ladepunkt geht gleich über."),
            TransferState.RECONFIGURING: Ending(
                "Läuft", "Der Ladepunkt ist übergegangen; die Ladestation wird noch eingerichtet."
            ),
            TransferState.COMPLETED: Ending("Abgeschlossen", "Alles ist, wie es sein soll."),
            TransferState.COMPLETED_WITH_WARNINGS: Ending(
                "Abgeschlossen mit Hinweisen", "Was zu tun bleibt, sehen Sie unten."
            ),
            TransferState.ROLLING_BACK: Ending(
                "Wird rückgängig gemacht", "Was schon geändert war, wird zurückgesetzt."
            ),
            TransferState.ROLLED_BACK: Ending("Nicht ausgeführt", "Eigentümer und Gruppe sind dieselben wie zuvor."),
        },
        awaits={
            Attention.NONE: "",
            Attention.RECIPIENT: "Die Übertragung wartet darauf, dass der Empfänger annimmt oder ablehnt.",
            Attention.SESSION_RUNNING: "Gerade lädt jemand: Die Übertragung wartet, bis der Ladevorgang beendet ist.",
            Attention.CHARGER_OFFLINE: "Die Ladestation ist ohne Verbindung: Bitte sorgen Sie dafür, dass sie Strom "
            "und Netz hat.",
            Attention.RETRYING: "Ein Schritt dauert länger, und wird von selbst noch einmal versucht.",
            Attention.NEW_KEY: "Die Übertragung wartet darauf, dass der neue Eigentümer in der Ladestation einen neuen "
            "Schlüssel eingibt.",
            Attention.OPERATOR: "Unser Team kümmert sich darum; inzwischen laufen die Versuche von selbst weiter.",
        },
        until="Bis",
        sender="Von",
        recipient="An",
        not_known_yet="Die Person, der die eingegebene Adresse gehört",
        steps="Schritte",
        step_names={
            StepName.VALIDATE_RIGHTS: "Rechte prüfen",
            StepName.LOOK_UP_TARGET: "Empfänger finden",
            StepName.RESERVE: "Ladepunkt reservieren",
            StepName.ASK_RECIPIENT: "Empfänger fragen",
            StepName.QUIET_CHARGER: "Keine neuen Ladevorgänge zulassen",
            StepName.CHANGE_OWNERSHIP: "Übertragung ausführen",
            StepName.REPLACE_LISTS: "RFID-Karten in der Ladestation ersetzen",
            StepName.ROTATE_CREDENTIALS: "Schlüssel der Ladestation ersetzen",
            StepName.RELEASE_CHARGER: "Ladestation wieder freigeben",
            StepName.TELL_PARTIES: "Alle benachrichtigen",
        },
        step_states={
            StepState.PENDING: "steht noch an",
            StepState.RUNNING: "läuft",
            StepState.DONE: "erledigt",
            StepState.SKIPPED: "nicht nötig",
            StepState.FAILED: "nicht gelungen",
            StepState.COMPENSATED: "rückgängig gemacht",
        },
        reasons={
            Reason.DECLINED: "Der Empfänger hat abgelehnt.",
            Reason.CANCELLED: "Die Übertragung wurde storniert.",
            Reason.EXPIRED: "Niemand hat rechtzeitig geantwortet.",
            Reason.RIGHTS_LOST: "Jemandem fehlte inzwischen eine nötige Rolle. Sehen Sie nach, wer Eigentümer oder "
            "Administrator ist, und starten Sie die Übertragung neu.",
            Reason.RECIPIENT_UNUSABLE: "Das Konto des Empfängers ist nicht mehr nutzbar.",
            Reason.SESSION_DEADLINE: "Ein Ladevorgang dauerte länger, als wir warten. Starten Sie die Übertragung neu, "
            "sobald er beendet ist, oder wählen Sie, dass er beendet wird.",
            Reason.CHARGER_REJECTED: "Die Ladestation hat ihren neuen Schlüssel abgewiesen. Fragen Sie den Hersteller, "
            "ob sich der Schlüssel aus der Ferne ändern lässt.",
            Reason.CHARGER_OFFLINE: "Die Ladestation blieb zu lange ohne Verbindung. Starten Sie die Übertragung neu, "
            "sobald sie verbunden ist.",
            Reason.OPERATOR: "Unser Team hat die Übertragung abgebrochen.",
        },
        left="Was zu tun bleibt",
        warnings={
            TransferWarning.CHARGER_OFFLINE: "Die Ladestation blieb ohne Verbindung. Bitte sorgen Sie dafür, dass sie "
            "Strom und Netz hat.",
            TransferWarning.LISTS_DUE: "Die Ladestation hat die RFID-Karten ihrer Gruppe noch nicht. Sie erhält sie, "
            "wenn sie sich verbindet; bis dahin funktionieren frühere Karten womöglich noch, während sie ohne "
            "Verbindung ist.",
            TransferWarning.LISTS_NOT_SUPPORTED: "Die Ladestation übernimmt von uns keine Liste von RFID-Karten. Bitte "
            "lassen Sie die Karten, die sie sich gemerkt hat, in den Einstellungen der Ladestation löschen.",
            TransferWarning.FORMER_TAGS_MAY_CHARGE_OFFLINE: "Mit manchen RFID-Karten der früheren Gruppe kann "
            "womöglich geladen werden, während die Ladestation ohne Verbindung ist. Bitte stellen Sie in der "
            "Ladestation ein, dass mit Karten, die sie nicht kennt, nicht geladen wird.",
            TransferWarning.CACHE_NOT_CLEARED: "Die Ladestation vergisst die RFID-Karten nicht, die sie sich gemerkt "
            "hat. Bitte lassen Sie diese in den Einstellungen der Ladestation löschen.",
            TransferWarning.CUSTOMER_DATA_LEFT: "In der Ladestation ist womöglich noch gespeichert, wer vorher dort "
            "geladen hat. Bitte lassen Sie das in den Einstellungen der Ladestation löschen.",
            TransferWarning.CREDENTIALS_DUE: "Die Ladestation hat ihren neuen Schlüssel noch nicht. Sie erhält ihn, "
            "wenn sie sich verbindet. Wenn sie auch danach nicht arbeitet, erstellen Sie in den Einstellungen des "
            "Ladepunkts einen neuen Schlüssel.",
            TransferWarning.OLD_KEY_KNOWN: "Die Ladestation verwendet noch ihren alten Schlüssel, und der frühere "
            "Eigentümer kennt ihn womöglich. Erstellen Sie in den Einstellungen des Ladepunkts einen neuen Schlüssel, "
            "und geben Sie ihn in der Ladestation ein.",
            TransferWarning.CREDENTIALS_CANNOT_BE_ROTATED: "Der Schlüssel der Ladestation lässt sich nicht aus der "
            "Ferne ändern. Erstellen Sie in den Einstellungen des Ladepunkts einen neuen Schlüssel, und geben Sie ihn "
            "in der Ladestation ein.",
            TransferWarning.RELEASE_DUE: "Die Ladestation ist womöglich noch gesperrt. Sie wird freigegeben, wenn sie "
            "sich verbindet.",
            TransferWarning.LEFT_UNDONE_BY_OPERATOR: "Unser Team hat einen Schritt an der Ladestation ausgelassen. "
            "Bitte prüfen Sie, ob sie so lädt, wie sie soll.",
        },
        who_has_it="Wem der Ladepunkt jetzt gehört",
        cancel="Übertragung stornieren",
        cancel_hint="Der Ladepunkt bleibt, wo er ist.",
        resend="Nachricht noch einmal senden",
        resend_hint="Der Empfänger erhält einen neuen Link; der alte gilt nicht mehr.",
        resent="Eine neue Nachricht ist unterwegs.",
        in_person="Persönlich übergeben",
        in_person_hint="Lassen Sie den Empfänger diesen Code mit dem Telefon scannen und sich mit der Adresse "
        "anmelden, die Sie eingegeben haben: Dann kann er antworten.",
        calendar="Frist in Ihren Kalender eintragen",
        reminder="Antworten: der Ladepunkt „{point}“",
        next_steps="Wie es weitergeht",
        connect_it="Verbinden Sie die Ladestation: Erstellen Sie in den Einstellungen des Ladepunkts einen Schlüssel, "
        "und geben Sie ihn in der Ladestation ein.",
        type_key="Erstellen Sie in den Einstellungen des Ladepunkts einen neuen Schlüssel, und geben Sie ihn in der "
        "Ladestation ein.",
        put_cards_in="Die RFID-Karten Ihrer Gruppe gelten dort ab jetzt; probieren Sie sie an der Ladestation aus.",
        yours=Ending("Er gehört Ihnen", "Eines ist noch zu tun: siehe unten."),
        to_point="Zum Ladepunkt",
        follow="Übertragung verfolgen",
        follow_hint="Sie melden sich mit einem Code an, den wir Ihnen senden; ein Passwort brauchen Sie nicht.",
    ),
    support=SupportWords(
        title="Brauchen Sie Hilfe?",
        audiences={
            Audience.PRIVATE: "Privatkunden",
            Audience.BUSINESS: "Geschäftskunden",
            Audience.INSTALLERS: "Zertifizierte Installateure",
        },
        always="Jederzeit",
        hours="{days}, {opens} bis {closes} Uhr {zone}",
        answers="bis zur ersten Antwort höchstens {span}",
    ),
    passkey=PasskeyWords(
        title="Ihre Passkeys",
        lead="Mit einem Passkey melden Sie sich mit Fingerabdruck, Gesicht oder der PIN Ihres Geräts an: ohne Code, "
        "und ohne etwas, das Ihnen jemand entlocken könnte.",
        sign_in="Mit einem Passkey anmelden",
        none="Sie haben noch keinen.",
        unnamed="Ein Passkey ohne Namen",
        added="Hinzugefügt {added}",
        used="Zuletzt genutzt {used}",
        not_used="Noch nicht genutzt",
        name="Name des Passkeys",
        name_hint="Damit Sie ihn wiedererkennen, wie „mein Telefon“; er kann leer bleiben",
        add="Passkey hinzufügen",
        remove="Entfernen",
        not_here="Dieser Browser kann keinen hinzufügen oder führt keine Skripte aus. Mit einem Code können Sie sich "
        "immer anmelden.",
        prove_first="Um einen hinzuzufügen oder zu entfernen, zeigen Sie noch einmal, dass Sie es sind: Das letzte Mal "
        "ist mehr als 10 Minuten her.",
        prove="Mit einem Passkey zeigen",
        failed="Das hat nicht geklappt oder wurde abgebrochen. Bitte versuchen Sie es noch einmal.",
        known="Auf diesem Gerät gibt es schon einen Passkey für Ihr Konto.",
        errors={
            PasskeyRefused: "Dieser Passkey wurde nicht angenommen. Versuchen Sie es noch einmal, oder melden Sie sich "
            "mit einem Code an.",
            NotProvenLately: "Zeigen Sie dafür noch einmal, dass Sie es sind: Melden Sie sich ab und neu an.",
            TooManyPasskeys: "Sie haben schon {most} Passkeys; entfernen Sie zuerst einen.",
            NotAPasskeyName: "Wählen Sie einen Namen in einer Zeile, mit höchstens {longest} Zeichen.",
            ErrorCode.RATE_LIMITED: "Zu viele Versuche; warten Sie eine Minute, und versuchen Sie es dann wieder.",
        },
    ),
    issuer=IssuerWords(
        sign_in="Mit {name} anmelden",
        title="Weiter zu {name}",
        lead="Sie melden sich bei {name} an und kommen dann hierher zurück. Falls nichts geschieht:",
        go_on="Weitergehen zu {name}",
        refused=Ending(
            "Sie sind nicht angemeldet",
            "Die Anmeldung mit {name} wurde abgebrochen, hat zu lange gedauert oder hat in einem anderen Browser "
            "begonnen. Geschehen ist nichts: Beginnen Sie noch einmal, oder lassen Sie sich einen Code senden.",
        ),
        no_account=Ending(
            "Wir wissen nicht, welches Konto Ihres ist",
            "Es braucht genau ein aktives Konto mit einer E-Mail-Adresse, die {name} bestätigt hat. Lassen Sie sich "
            "einen Code an eine Adresse Ihres Kontos senden, oder fragen Sie den Support der Plattform.",
        ),
        again="Zurück zur Anmeldung",
    ),
    dead={
        LinkState.REPLACED: Ending(
            "Dieser Link wurde ersetzt",
            "Ihnen wurde eine neuere Nachricht gesendet; bitte verwenden Sie den Link in der neuesten.",
        ),
        LinkState.EXPIRED: Ending(
            "Die Zeit für die Antwort ist abgelaufen",
            "Geändert hat sich nichts. Wenn Sie den Ladepunkt noch möchten, bitten Sie den Absender, neu anzufangen.",
        ),
        LinkState.CANCELLED: Ending(
            "Diese Übertragung wurde storniert",
            "Der Ladepunkt bleibt, wo er ist; für Sie bleibt nichts zu tun. Wenn Sie ihn noch möchten, fragen Sie den "
            "Absender.",
        ),
        LinkState.DECLINED: Ending(
            "Diese Anfrage wurde abgelehnt",
            "Der Ladepunkt bleibt, wo er ist, und der Link gilt nicht mehr. Wenn Sie Ihre Meinung geändert haben, "
            "bitten Sie den Absender, neu anzufangen.",
        ),
        LinkState.ACCEPTED: Ending(
            "Diese Anfrage wurde angenommen",
            "Der Link gilt nicht mehr; für Sie bleibt nichts zu tun. Unsere Nachrichten halten Sie auf dem Laufenden.",
        ),
    },
)
