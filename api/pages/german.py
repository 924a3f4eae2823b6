"""What the pages say in German: as in the letters, `Sie`, and no word that is spelt otherwise in Switzerland."""

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
        sign_in_again="Abmelden und neu anmelden",
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
