"""What the pages say in French: as in the letters, `vous`, and no-break spaces before `: ; ? !` and within `« »`."""

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

_SESSIONS: Final = (
    "Les sessions de recharge commencées auparavant restent au propriétaire actuel ; les suivantes sont les vôtres."
)
_DELETED: Final = (
    "Sa connexion à la plateforme prend fin avec le transfert : la borne reste déconnectée jusqu’à ce que vous la "
    "connectiez de nouveau."
)
_OWNED: Final = (
    "Vous en devenez propriétaire. La borne reste dans le groupe « {group} », avec ses badges RFID et ses tarifs.",
    _SESSIONS,
)
_MOVED: Final = (
    "La borne rejoint votre groupe « {group} » : les badges RFID et les tarifs de ce groupe s’y appliquent dès lors.",
    "Les sessions de recharge commencées auparavant restent là où elles ont été enregistrées.",
)
_GIVEN: Final = (
    "Vous en devenez propriétaire. La borne passe dans votre groupe personnel, avec vos badges RFID et vos tarifs."
)

FRENCH: Final = Words(
    language=Language.FRENCH,
    colon="\u00a0: ",
    title="Une borne de recharge pour vous",
    intro="{sender} souhaite vous transférer cette borne de recharge. Rien ne se passe tant que vous n’acceptez pas.",
    intro_group="{sender} souhaite déplacer cette borne de recharge vers votre groupe « {group} ». Rien ne se passe "
    "tant que vous n’acceptez pas.",
    charge_point="Borne de recharge",
    location="Lieu",
    sender="De la part de",
    deadline="Réponse avant le",
    message_from="{sender} vous écrit",
    what_follows="Si vous acceptez",
    follows_move=_MOVED,
    follows_ownership=_OWNED,
    follows_user=(_GIVEN, _SESSIONS),
    follows_delete=_DELETED,
    sender_owns="{sender} en devient propriétaire.",
    owner_stays="Son propriétaire reste le même.",
    kept="Elle reste connectée. Ses identifiants sont normalement remplacés à distance ; nous vous écrirons s’il vous "
    "reste quelque chose à faire.",
    kept_known="Elle reste connectée. Des personnes peuvent connaître la clé qu’elle utilise, dont le propriétaire "
    "actuel : cette clé prend fin quand vous en avez saisi une nouvelle dans la borne. Nous vous écrirons comment "
    "faire.",
    kept_known_sender="Elle reste connectée. Des personnes peuvent connaître la clé qu’elle utilise : cette clé prend "
    "fin quand {sender} en a saisi une nouvelle dans la borne.",
    better_deleted="Si vous préférez que cette clé prenne fin avec le transfert lui-même, refusez, et demandez à "
    "{sender} de recommencer en supprimant la connexion : vous connecterez alors la borne de nouveau.",
    key_seen="Seul ce qui était connecté le {since}{serials} peut connaître la clé que la borne utilise aujourd’hui. "
    "Nous savons ce qui était connecté alors, pas ce qui est fixé au mur.",
    key_serials=" (numéro de série : {serials})",
    key_open_line="La clé actuelle de la borne a été envoyée par une liaison non chiffrée : toute personne qui voyait "
    "le réseau l’a lue.",
    goes_back="Si la borne est hors ligne au moment du transfert et le reste pendant {span}, elle revient à son "
    "propriétaire actuel.",
    until_new_key="Tant que la borne n’a pas de nouvelle clé",
    until_new_key_hint="Si des personnes peuvent connaître sa clé au moment du transfert, son nouveau propriétaire en "
    "saisit une nouvelle dans la borne. Que permet l’ancienne d’ici là ?",
    until_new_key_choices={
        UntilNewKey.SERVE: Choice(
            "La borne continue de fonctionner",
            "Tout autre appareil qui a la clé aussi : il peut se faire passer pour la borne.",
        ),
        UntilNewKey.QUARANTINE: Choice(
            "La borne ne recharge pas",
            "Personne ne peut s’y recharger, et rien ne peut se faire passer pour la borne.",
        ),
    },
    next_step="Pour accepter ou refuser, demandez d’abord un code. Ainsi, une personne qui aurait seulement obtenu ce "
    "lien ne peut pas répondre à votre place.",
    send_code="Recevoir un code",
    cannot_accept={
        Standing.NO_ACCOUNT: "Vous n’avez pas encore de compte sur cette plateforme. Vous en ouvrez un en acceptant : "
        "votre nom et le code suffisent.",
        Standing.UNUSABLE: "En l’état, vous ne pouvez pas accepter à l’adresse de ce lien : le compte auquel elle "
        "appartient n’est pas utilisable, ou elle appartient à plusieurs comptes. Adressez-vous à l’assistance de la "
        "plateforme. Vous pouvez refuser.",
        Standing.OWNER: "Cette borne est déjà la vôtre : il n’y a rien à accepter. Vous pouvez refuser.",
    },
    nothing_yet="Vous ne vous attendiez pas à cette demande ? Ne faites rien, ou refusez : la borne reste où elle est.",
    other_device="Sur un autre appareil",
    other_device_hint="Scannez ceci avec l’appareil photo de l’autre appareil : votre lien s’y ouvre. Ne le montrez à "
    "personne d’autre.",
    qr_code="Votre lien en QR code",
    opens_account="En acceptant, vous ouvrez un compte à l’adresse à laquelle ce lien vous est parvenu. Pour refuser, "
    "il n’en faut pas : laissez le nom vide.",
    name_label="Votre nom",
    name_hint="Tel qu’il doit figurer dans votre compte",
    open_and_accept="Ouvrir un compte et accepter",
    code_title="Votre réponse",
    code_sent="Nous vous avons envoyé un code à 6 chiffres. Il est valable 10 minutes.",
    code_missing="Aucun code n’a encore été envoyé : demandez-en un ci-dessous, puis saisissez-le ici.",
    code_label="Code reçu",
    code_hint="6 chiffres, dans le dernier message",
    accept="Accepter",
    decline="Refuser",
    another_code="Recevoir un autre code",
    another_code_hint="Pas de code ? Attendez une minute, regardez dans vos courriers indésirables, puis demandez-en "
    "un autre.",
    back="Revenir à la demande",
    error_prefix="Erreur : ",
    unsure="Votre réponse est peut-être déjà arrivée. Appuyez encore une fois sur le même bouton, avec le même code.",
    errors={
        NoName: "Saisissez votre nom, en {longest} caractères au plus : votre compte sera ouvert à ce nom.",
        NotACode: "Saisissez les {digits} chiffres du code que nous vous avons envoyé.",
        WrongCode: "Ce code n’est pas le bon ; regardez dans le dernier message. Essais restants : {left}.",
        TriesUsedUp: "{tries} codes erronés ont été saisis ; demandez-en un nouveau.",
        CodesUsedUp: "{codes} codes ont déjà été envoyés ; utilisez le dernier, ou demandez un nouveau lien à "
        "l’expéditeur.",
        CodeExpired: "Ce code a expiré ; demandez-en un nouveau.",
        NoCodeSent: "Aucun code n’a encore été envoyé ; demandez-en un.",
        CodeUsed: "Ce code a servi pour l’autre réponse ; demandez-en un nouveau.",
        ErrorCode.INVALID_REQUEST: "Votre saisie n’a pas pu être lue ; corrigez-la, puis réessayez.",
        ErrorCode.NOT_ALLOWED: "Vous ne pouvez plus répondre avec ce lien ; ouvrez celui du dernier message, ou "
        "adressez-vous à l’expéditeur.",
        ErrorCode.NOT_POSSIBLE: "Cette demande ne peut pas être acceptée en l’état. Il faut un compte actif à "
        "l’adresse de ce lien ; si le vôtre est bloqué, adressez-vous à l’assistance.",
        ErrorCode.ALREADY_DECIDED: "Une décision a été prise entre-temps ; rouvrez le lien de votre message pour la "
        "connaître.",
        ErrorCode.TOO_LATE: "Il est trop tard ; demandez à l’expéditeur de recommencer.",
        ErrorCode.COOLING_DOWN: "Cette borne a changé de propriétaire il y a peu ; réessayez plus tard.",
        ErrorCode.RATE_LIMITED: "Trop d’essais ; attendez quelques minutes, puis réessayez.",
        ErrorCode.UNAVAILABLE: "Le code n’a pas encore pu être envoyé ; demandez-en un autre dans un instant.",
    },
    refused="Cela a été refusé ; rouvrez le lien de votre message, ou adressez-vous à l’expéditeur.",
    accepted=Ending(
        "Vous avez accepté",
        "Le transfert de la borne est en cours. Un message vous dira comment il s’est terminé ; vous pouvez fermer "
        "cette page.",
    ),
    declined=Ending(
        "Vous avez refusé", "La borne reste où elle est. L’expéditeur en est informé ; il ne se passe rien d’autre."
    ),
    unknown=Ending(
        "Ce lien ne mène nulle part",
        "Il a peut-être été coupé en chemin. Rouvrez-le depuis le message, ou demandez-en un nouveau à l’expéditeur.",
    ),
    not_opened=Ending(
        "Veuillez rouvrir le lien de votre message",
        "Cette page ne s’ouvre qu’avec le lien qui vous a été envoyé ; votre navigateur le retient dans un cookie. Si "
        "cette page s’affiche à nouveau, autorisez les cookies pour ce site, ou ouvrez le lien dans un autre "
        "navigateur.",
    ),
    from_elsewhere=Ending(
        "Ceci ne vient pas de notre page",
        "L’envoi provient d’un autre site : rien n’a été fait. Pour répondre, rouvrez le lien de votre message.",
    ),
    away=Ending("Indisponible pour le moment", "Veuillez réessayer dans une minute. Rien n’est perdu."),
    sign_in=SignInWords(
        title="Se connecter",
        lead="Saisissez votre adresse e-mail ou votre numéro de téléphone : nous vous envoyons un code. Il n’y a pas "
        "de mot de passe.",
        address="E-mail ou numéro de téléphone",
        address_hint="Un numéro avec son indicatif, comme +33 6 12 34 56 78",
        code_title="Saisissez votre code",
        code_sent="Si un compte a cette adresse, un code de 6 chiffres est en route. Il est valable 10 minutes, dans "
        "ce navigateur.",
        no_code="Pas de code ? Attendez une minute, regardez dans vos indésirables, vérifiez l’adresse.",
        where="Vos connexions",
        where_lead="Mettez fin à ce que vous ne connaissez pas, ou n’utilisez plus.",
        since="Depuis le {began} ; dernière utilisation le {seen}",
        unknown_browser="Un navigateur qui ne dit rien de lui",
        this_one="C’est celui que vous utilisez.",
        end="Y mettre fin",
        end_others="Mettre fin à tous les autres",
        sign_out="Se déconnecter",
        errors={
            InvalidRequest: "Ce n’est ni une adresse e-mail ni un numéro de téléphone ; saisissez l’un des deux, un "
            "numéro avec son pays.",
            CodeExpired: "Ce code a expiré ; demandez-en un autre.",
            CodeSpent: "Ce code a déjà servi ; demandez-en un autre.",
            NoCodeSent: "Ce code n’existe pas ; demandez-en un autre.",
            TriesUsedUp: "{tries} codes erronés ont été saisis ; demandez-en un autre.",
            RateLimited: "Trop de codes ont été demandés pour cette adresse ; réessayez dans une heure.",
        },
    ),
    account=AccountWords(
        languages="Langues",
        section="Compte",
        home="Vers vos bornes",
        signed_in="Compte ouvert : {name}.",
        for_other="Votre compte est celui de {name}, mais ceci a été envoyé à l’adresse d’une autre personne : c’est "
        "là que part le code.",
        answer_here="Vous êtes connecté : répondez ici, sans code",
        other_account="Se connecter avec une autre adresse",
        sections="Rubriques",
        prove="Veuillez confirmer que c’est bien vous",
        prove_sent="Ceci est définitif : nous vous avons donc envoyé un code à 6 chiffres. Il est valable 10 minutes.",
        confirm="Confirmer",
        not_here=Ending(
            "Il n’y a rien ici pour vous",
            "Cette page n’a peut-être jamais existé, ou vous n’y avez pas accès. Si l’on vous a envoyé ici, "
            "connectez-vous avec l’adresse sous laquelle on vous connaît.",
        ),
        errors={
            NotItsOwner: "Seuls le propriétaire de la borne et les propriétaires de son groupe peuvent le faire. "
            "Adressez-vous à l’un d’eux.",
            NotAdminOfBoth: "Il faut être propriétaire ou administrateur de ce groupe et de l’autre. Adressez-vous à "
            "une personne qui l’est dans les deux.",
            MoveChangesOwner: "Le propriétaire de la borne n’est ni propriétaire ni administrateur de vos autres "
            "groupes : un déplacement changerait donc son propriétaire. Seuls celui-ci et les propriétaires de son "
            "groupe peuvent le faire.",
            NoOtherGroup: "Vous n’êtes propriétaire ou administrateur d’aucun autre groupe. Demandez ce rôle au "
            "propriétaire du groupe voulu.",
            NoOtherAdmin: "Le groupe n’a pas d’autre propriétaire ni administrateur. Donnez d’abord ce rôle à "
            "quelqu’un.",
            CoolingDownUntil: "Cette borne a changé de propriétaire il y a peu. Prochain transfert possible : {until}.",
            ErrorCode.TRANSFER_IN_PROGRESS: "Un transfert de cette borne est déjà en cours : attendez sa fin, ou "
            "annulez-le.",
            ErrorCode.NOT_ALLOWED: "Vous ne pouvez plus faire cela : la borne a changé de propriétaire entre-temps, ou "
            "votre rôle a changé.",
            ErrorCode.NOT_POSSIBLE: "En l’état, ce n’est pas possible. Regardez où en est la borne, puis réessayez.",
            ErrorCode.INVALID_REQUEST: "Votre saisie n’a pas pu être lue : saisissez une adresse e-mail, ou un numéro "
            "de téléphone avec son pays, comme +33 6 12 34 56 78.",
            ErrorCode.ALREADY_DECIDED: "Une décision a été prise entre-temps ; voici où en est le transfert.",
            ErrorCode.IDEMPOTENCY_CONFLICT: "Cette page n’est plus à jour. Revenez à la borne, puis recommencez.",
            ErrorCode.UNAVAILABLE: "C’est indisponible pour le moment. Rien n’est perdu : réessayez dans une minute.",
            ToOneself: "Cette adresse est la vôtre. Saisissez celle de la personne qui doit recevoir la borne.",
        },
    ),
    points=PointWords(
        title="Vos bornes",
        section="Bornes",
        own_group="Votre groupe personnel",
        offers="En attente de votre réponse",
        offered_by="Proposée par {sender}",
        no_points=Ending(
            "Pas encore de borne",
            "Vous trouverez ici les bornes de vos groupes. Si quelqu’un souhaite vous en transférer une, vous recevez "
            "un message avec un lien, et la demande s’affiche aussi ici.",
        ),
        under_way="Un transfert est en cours",
        more="Afficher la suite",
        connected="Connectée",
        offline="Hors ligne",
        held="Connectée ; un autre appareil tente de prendre sa place",
        quarantined="Connectée avec une ancienne clé : elle ne peut pas recharger",
        status="État",
        owner="Propriétaire",
        you="Vous",
        group="Groupe",
        serials="Numéros de série",
        device="Appareil",
        identity="Identifiant",
        key="Clé",
        no_key="Aucune : la borne ne peut pas se connecter",
        known_to={
            KnownTo.PEOPLE: "Des personnes peuvent la connaître : elle a été saisie à la main ou transmise avec la "
            "borne",
            KnownTo.CHARGER: "Seule la borne peut la connaître",
        },
        key_since="Utilisée depuis",
        key_open_line="Elle a été envoyée par une liaison non chiffrée : toute personne qui voyait le réseau l’a lue.",
        key_due=Ending(
            "Cette borne a besoin d’une nouvelle clé",
            "Un ancien propriétaire connaît peut-être sa clé actuelle. Créez une nouvelle clé ci-dessous, puis "
            "saisissez-la dans la borne : c’est ce qui met fin à l’ancienne.",
        ),
        history="Historique",
        began={
            "import": "Enregistrée sur cette plateforme",
            "transfer": "Transférée",
            "roll_back": "Rendue : un transfert n’a pas abouti",
        },
        settings="Paramètres",
        settings_of="Paramètres de « {point} »",
        transfer="Transférer la borne de recharge",
        transfer_hint="Déplacez-la vers un autre groupe, ou transférez-la à quelqu’un d’autre.",
        only_owner="Seul son propriétaire peut le faire.",
        new_key="Une nouvelle clé",
        new_key_sure="Ne la créez que si vous pouvez accéder tout de suite aux réglages de la borne. Dès lors la "
        "borne est hors ligne, y compris pour une recharge en cours, jusqu’à ce que vous y ayez saisi la nouvelle "
        "clé ; la clé actuelle ne peut pas être rétablie.",
        new_key_hint="La nouvelle clé ne s’affiche qu’une fois ; saisissez-la dans les réglages de la borne elle-même. "
        "D’ici là, la borne n’est pas connectée.",
        new_key_button="Créer une nouvelle clé",
        new_key_made=Ending(
            "Votre nouvelle clé",
            "Saisissez maintenant l’identifiant et le mot de passe dans les réglages de la borne elle-même, sous OCPP, "
            "« Basic Auth » ou « Security ». Ils ne s’afficheront plus ici. Dès que la borne s’est connectée avec eux, "
            "toute clé plus ancienne prend fin.",
        ),
        key_value="Mot de passe",
        identify="Est-ce bien ma borne ?",
        identify_hint="La borne redémarre. Si celle qui est devant vous ne redémarre pas, une autre est connectée à sa "
        "place.",
        not_connected="La borne n’est pas connectée : impossible de la solliciter. Vérifiez son alimentation et son "
        "réseau.",
        identify_button="Redémarrer maintenant",
        identified={
            RestartAnswer.ACCEPTED: "Elle redémarre maintenant. Celle qui est devant vous aussi ?",
            RestartAnswer.SCHEDULED: "Elle redémarrera dès que plus personne ne s’y recharge.",
            RestartAnswer.REJECTED: "Elle a refusé de redémarrer. Réessayez plus tard.",
            RestartAnswer.NOT_SUPPORTED: "Cette borne ne peut pas être redémarrée d’ici.",
            RestartAnswer.UNKNOWN: "Elle n’a pas répondu, et redémarre peut-être. Regardez celle qui est devant vous.",
        },
    ),
    start=StartWords(
        title="Transférer « {point} »",
        lead="Que souhaitez-vous faire ?",
        kinds={
            TransferKind.MOVE_TO_GROUP: KindWords(
                "Déplacer vers un autre groupe",
                "La borne passe dans un autre de vos groupes. Son propriétaire reste le même, s’il y est propriétaire "
                "ou administrateur.",
                "Vers quel groupe ?",
                "Choisissez un groupe.",
                "Déplacer maintenant",
            ),
            TransferKind.TRANSFER_OWNERSHIP: KindWords(
                "Transférer la propriété",
                "Un autre propriétaire ou administrateur de son groupe en devient propriétaire. La borne reste dans "
                "son groupe.",
                "Qui doit en devenir propriétaire ?",
                "Choisissez une personne.",
                "Transférer maintenant",
            ),
            TransferKind.TRANSFER_TO_USER: KindWords(
                "Transférer à un autre utilisateur",
                "La borne passe dans le groupe personnel d’une autre personne, qui en devient propriétaire. Nous lui "
                "demandons d’abord son accord.",
                "Qui doit la recevoir ?",
                "Saisissez une adresse e-mail ou un numéro de téléphone.",
                "Transférer",
            ),
        },
        you_become_owner="Vous en devenez propriétaire",
        recipient="E-mail ou numéro de téléphone de son compte",
        recipient_hint="Un numéro avec son indicatif, comme +33 6 12 34 56 78",
        delete="Supprimer sa connexion à cette plateforme",
        delete_hint="Nous vous recommandons de ne pas cocher cette case : la borne reste alors connectée, et reçoit "
        "une nouvelle clé si elle le permet.",
        delete_when="Cochez-la si la borne doit quitter cette plateforme, ou si des personnes connaissent sa clé et "
        "que cette clé doit prendre fin tout de suite : le nouveau propriétaire connectera la borne de nouveau.",
        message="Un message pour le destinataire",
        message_hint="Facultatif ; il figure dans la demande que nous lui envoyons.",
        details="Plus d’options",
        expires="Délai de réponse",
        running="Si une session de recharge est en cours",
        running_choices={
            RunningSession.WAIT: "Attendre qu’elle soit terminée",
            RunningSession.STOP: "L’arrêter",
        },
        if_offline="Si la borne reste hors ligne pendant {span}",
        if_offline_choices={
            IfOffline.COMPLETE: "Le transfert est maintenu ; le reste est fait quand la borne est de nouveau connectée",
            IfOffline.ROLL_BACK: "La borne revient à son propriétaire actuel",
        },
        go_on="Continuer",
        check="Veuillez vérifier",
        read_again="Relisez-la lettre par lettre : c’est à qui possède cette adresse que nous la proposons.",
        owner_after="Propriétaire ensuite",
        to="Pour",
        at_once="Cela se fait tout de suite, sans que personne ne soit consulté. Pour revenir en arrière, il faut un "
        "nouveau transfert.",
        asked_first="Nous nous adressons d’abord à {to}. Rien ne change sans son accord. Le délai de réponse est de "
        "{span} ; d’ici là, vous pouvez annuler.",
        told_owner="{owner} en est propriétaire : nous l’en informons tout de suite, et cette personne peut annuler.",
        moves="Ce qui change, et ce qui suit la borne",
        stays="Ce qui ne suit pas la borne",
        consequences={
            Consequence.POINT_MOVES: "Son nom, son modèle, son lieu et les limites de l’installation la suivent.",
            Consequence.OWNER_CHANGES: "Elle change de propriétaire.",
            Consequence.GROUP_CHANGES: "Elle passe dans un autre groupe, dont les badges RFID, les codes de partage et "
            "les invités prennent le relais.",
            Consequence.ACCESS_KEPT: "Les badges RFID, les codes de partage, les invités, les tarifs et les horaires "
            "restent tels quels.",
            Consequence.KEY_KEPT: "La borne garde sa clé, et reste connectée.",
            Consequence.SESSIONS_STAY: "Les sessions de recharge restent à la personne à qui la borne appartenait "
            "quand elles ont commencé, y compris celle en cours.",
            Consequence.HISTORY_STAYS: "Chacun garde l’historique de sa propre période, et n’en voit pas d’autre.",
            Consequence.ACCESS_STAYS: "Les badges RFID, les codes de partage et les invités du groupe actuel restent à "
            "ce groupe.",
            Consequence.TARIFF_ENDS: "Les tarifs, les horaires et les profils de recharge prennent fin ; ceux du "
            "nouveau groupe s’appliquent.",
            Consequence.KEY_DELETED: "La connexion de la borne prend fin ; le nouveau propriétaire connecte la borne "
            "de nouveau.",
            Consequence.KEY_TO_BE_TYPED: "Sa clé actuelle prend fin quand le nouveau propriétaire en a saisi une "
            "nouvelle dans la borne.",
            Consequence.KEY_REPLACED: "Une nouvelle clé est envoyée à la borne, et sa clé actuelle prend fin.",
        },
        notes={
            KeyNote.KNOWN_TO_PEOPLE: "Des personnes peuvent connaître la clé de la borne, dont le propriétaire actuel.",
            KeyNote.DELETE_RECOMMENDED: "Si aucune personne qui connaît la clé ne doit pouvoir se faire passer pour la "
            "borne ensuite, revenez en arrière et supprimez la connexion : la clé prend alors fin avec le transfert "
            "lui-même.",
            KeyNote.OPEN_LINE: "La clé de la borne a été envoyée par une liaison non chiffrée : toute personne qui "
            "voyait le réseau l’a lue.",
        },
        at_charger="Sur la borne",
        supported={
            Support.NO: "les bornes de ce modèle ne le peuvent pas : cette étape est omise, et nous vous en informons",
            Support.SOME: "certaines bornes de ce modèle ne le peuvent pas",
        },
        change="Modifier quelque chose",
    ),
    transfers=TransferWords(
        title="Transferts",
        none="Pas encore de transfert. Pour en commencer un, ouvrez une borne, puis ses paramètres.",
        states={
            TransferState.REQUESTED: Ending("En vérification", "La demande est enregistrée. Cela prend un instant."),
            TransferState.REFUSED: Ending("Impossible", "Rien n’a changé."),
            TransferState.AWAITING_ACCEPTANCE: Ending("En attente de réponse", "Rien n’a encore changé."),
            TransferState.DECLINED: Ending("Refusé", "Rien n’a changé."),
            TransferState.CANCELLED: Ending("Annulé", "Rien n’a changé."),
            TransferState.EXPIRED: Ending("Expiré", "Personne n’a répondu dans le délai. Rien n’a changé."),
            TransferState.TRANSFERRING: Ending("En cours", "La borne est sur le point de changer de mains."),
            TransferState.RECONFIGURING: Ending("En cours", "La borne a changé de mains ; nous la réglons."),
            TransferState.COMPLETED: Ending("Terminé", "Tout est en ordre."),
            TransferState.COMPLETED_WITH_WARNINGS: Ending(
                "Terminé avec des réserves", "Voyez ci-dessous ce qu’il reste à faire."
            ),
            TransferState.ROLLING_BACK: Ending(
                "Retour à l’état précédent", "Nous rétablissons tout ce qui avait été modifié."
            ),
            TransferState.ROLLED_BACK: Ending("Non abouti", "La borne garde son propriétaire et son groupe."),
        },
        awaits={
            Attention.NONE: "",
            Attention.RECIPIENT: "Le transfert attend que le destinataire accepte ou refuse.",
            Attention.SESSION_RUNNING: "Une session de recharge est en cours : le transfert attend qu’elle soit "
            "terminée.",
            Attention.CHARGER_OFFLINE: "La borne est hors ligne : vérifiez qu’elle est alimentée et reliée au réseau.",
            Attention.RETRYING: "Une étape prend plus de temps que prévu ; elle est retentée automatiquement.",
            Attention.NEW_KEY: "Le transfert attend que le nouveau propriétaire saisisse une nouvelle clé dans la "
            "borne.",
            Attention.OPERATOR: "Notre équipe s’en occupe ; entre-temps, les essais continuent automatiquement.",
        },
        until="Jusqu’au",
        sender="De la part de",
        recipient="Pour",
        not_known_yet="La personne à qui appartient l’adresse que vous avez saisie",
        steps="Étapes",
        step_names={
            StepName.VALIDATE_RIGHTS: "Vérifier les droits",
            StepName.LOOK_UP_TARGET: "Trouver le destinataire",
            StepName.RESERVE: "Réserver la borne",
            StepName.ASK_RECIPIENT: "Demander l’accord du destinataire",
            StepName.QUIET_CHARGER: "Ne plus laisser commencer de session",
            StepName.CHANGE_OWNERSHIP: "Effectuer le transfert",
            StepName.REPLACE_LISTS: "Remplacer les badges RFID dans la borne",
            StepName.ROTATE_CREDENTIALS: "Remplacer la clé de la borne",
            StepName.RELEASE_CHARGER: "Remettre la borne en service",
            StepName.TELL_PARTIES: "Informer tout le monde",
        },
        step_states={
            StepState.PENDING: "à venir",
            StepState.RUNNING: "en cours",
            StepState.DONE: "terminée",
            StepState.SKIPPED: "pas nécessaire",
            StepState.FAILED: "non aboutie",
            StepState.COMPENSATED: "annulée",
        },
        reasons={
            Reason.DECLINED: "Le destinataire a refusé.",
            Reason.CANCELLED: "Le transfert a été annulé.",
            Reason.EXPIRED: "Personne n’a répondu dans le délai.",
            Reason.RIGHTS_LOST: "Quelqu’un n’avait plus le rôle nécessaire. Vérifiez qui est propriétaire ou "
            "administrateur, puis recommencez.",
            Reason.RECIPIENT_UNUSABLE: "Le compte du destinataire n’est plus utilisable.",
            Reason.SESSION_DEADLINE: "Une session de recharge a duré plus longtemps que notre délai d’attente. "
            "Recommencez quand elle sera terminée, ou choisissez de l’arrêter.",
            Reason.CHARGER_REJECTED: "La borne a refusé sa nouvelle clé. Demandez à son fabricant si sa clé peut être "
            "changée à distance.",
            Reason.CHARGER_OFFLINE: "La borne est restée hors ligne trop longtemps. Recommencez quand elle sera "
            "connectée.",
            Reason.OPERATOR: "Notre équipe y a mis fin.",
        },
        left="Ce qu’il reste à faire",
        warnings={
            TransferWarning.CHARGER_OFFLINE: "La borne est restée hors ligne. Vérifiez qu’elle est alimentée et reliée "
            "au réseau.",
            TransferWarning.LISTS_DUE: "La borne n’a pas encore les badges RFID de son groupe. Elle les reçoit à sa "
            "prochaine connexion ; d’ici là, d’anciens badges peuvent encore fonctionner lorsqu’elle est hors ligne.",
            TransferWarning.LISTS_NOT_SUPPORTED: "La borne n’accepte pas de liste de badges RFID de notre part. Faites "
            "effacer les badges qu’elle a mémorisés dans ses propres réglages.",
            TransferWarning.FORMER_TAGS_MAY_CHARGE_OFFLINE: "Des badges RFID de l’ancien groupe peuvent encore "
            "recharger lorsque la borne est hors ligne. Réglez-la pour qu’elle refuse les badges qu’elle ne connaît "
            "pas.",
            TransferWarning.CACHE_NOT_CLEARED: "La borne garde en mémoire des badges RFID. Faites-les effacer dans ses "
            "propres réglages.",
            TransferWarning.CUSTOMER_DATA_LEFT: "La borne sait peut-être encore qui y a rechargé auparavant. Faites-le "
            "effacer dans ses propres réglages.",
            TransferWarning.CREDENTIALS_DUE: "La borne n’a pas encore sa nouvelle clé. Elle la reçoit à sa prochaine "
            "connexion. Si elle ne fonctionne toujours pas ensuite, créez une nouvelle clé dans les paramètres de la "
            "borne sur cette plateforme.",
            TransferWarning.OLD_KEY_KNOWN: "La borne utilise encore son ancienne clé, et son ancien propriétaire la "
            "connaît peut-être. Créez une nouvelle clé dans les paramètres de la borne sur cette plateforme, puis "
            "saisissez-la dans la borne.",
            TransferWarning.CREDENTIALS_CANNOT_BE_ROTATED: "La clé de la borne ne peut pas être changée à distance. "
            "Créez une nouvelle clé dans les paramètres de la borne sur cette plateforme, puis saisissez-la dans la "
            "borne.",
            TransferWarning.RELEASE_DUE: "La borne est peut-être encore hors service. Elle est remise en service à sa "
            "prochaine connexion.",
            TransferWarning.LEFT_UNDONE_BY_OPERATOR: "Notre équipe n’a pas mené à bien l’une des étapes sur la borne. "
            "Vérifiez que la recharge fonctionne normalement.",
        },
        who_has_it="À qui appartient la borne maintenant",
        cancel="Annuler le transfert",
        cancel_hint="La borne reste où elle est.",
        resend="Renvoyer le message",
        resend_hint="Le destinataire reçoit un nouveau lien ; l’ancien n’est plus valable.",
        resent="Un nouveau message est en route.",
        in_person="Transférer en personne",
        in_person_hint="Montrez ce code au destinataire : il le scanne avec son téléphone, et se connecte avec "
        "l’adresse que vous avez saisie. Il peut alors répondre.",
        calendar="Ajouter la date limite à votre agenda",
        reminder="Répondre : la borne « {point} »",
        next_steps="Et maintenant",
        connect_it="Connectez la borne : créez une clé dans ses paramètres sur cette plateforme, puis saisissez-la "
        "dans la borne.",
        type_key="Créez une nouvelle clé dans ses paramètres sur cette plateforme, puis saisissez-la dans la borne.",
        put_cards_in="Les badges RFID de votre groupe y fonctionnent désormais ; essayez-les sur la borne.",
        yours=Ending("Elle est à vous", "Il reste une chose à faire : voir ci-dessous."),
        to_point="Voir la borne",
        follow="Suivre le transfert",
        follow_hint="Vous vous connectez avec un code que nous vous envoyons, sans mot de passe.",
    ),
    support=SupportWords(
        title="Besoin d’aide ?",
        audiences={
            Audience.PRIVATE: "Particuliers",
            Audience.BUSINESS: "Clients professionnels",
            Audience.INSTALLERS: "Installateurs certifiés",
        },
        always="À tout moment",
        hours="{days}, de {opens} à {closes} {zone}",
        answers="première réponse sous {span}",
    ),
    passkey=PasskeyWords(
        title="Vos clés d’accès",
        lead="Avec une clé d’accès, vous vous connectez avec votre empreinte, votre visage ou le code PIN de votre "
        "appareil : rien à recopier, et rien que l’on puisse vous soutirer.",
        sign_in="Se connecter avec une clé d’accès",
        none="Vous n’en avez pas encore.",
        unnamed="Une clé d’accès sans nom",
        added="Ajoutée le {added}",
        used="Dernière utilisation le {used}",
        not_used="Pas encore utilisée",
        name="Nom de la clé d’accès",
        name_hint="Pour la reconnaître, par exemple « mon téléphone » ; il peut rester vide",
        add="Ajouter une clé d’accès",
        remove="Supprimer",
        not_here="Ce navigateur ne peut pas en ajouter, ou n’exécute pas de scripts. Vous pouvez toujours vous "
        "connecter avec un code.",
        prove_first="Pour en ajouter ou en supprimer une, montrez encore une fois que c’est bien vous : la dernière "
        "fois, c’était il y a plus de 10 minutes.",
        prove="Le montrer avec une clé d’accès",
        failed="Cela n’a pas fonctionné, ou a été interrompu. Veuillez réessayer.",
        known="Cet appareil a déjà une clé d’accès pour votre compte.",
        errors={
            PasskeyRefused: "Cette clé d’accès n’a pas été acceptée. Réessayez, ou connectez-vous avec un code.",
            NotProvenLately: "Pour cela, montrez encore une fois que c’est bien vous : déconnectez-vous, puis "
            "reconnectez-vous.",
            TooManyPasskeys: "Vous avez déjà {most} clés d’accès ; supprimez-en une d’abord.",
            NotAPasskeyName: "Choisissez un nom d’une seule ligne, de {longest} caractères au plus.",
            ErrorCode.RATE_LIMITED: "Trop d’essais ; attendez une minute, puis réessayez.",
        },
    ),
    issuer=IssuerWords(
        sign_in="Se connecter avec {name}",
        title="Vers {name}",
        lead="Vous vous connectez chez {name}, puis vous revenez ici. Si rien ne se passe :",
        go_on="Continuer vers {name}",
        refused=Ending(
            "Vous n’êtes pas connecté",
            "La connexion avec {name} a été interrompue, a pris trop de temps ou a commencé dans un autre navigateur. "
            "Rien ne s’est passé : recommencez, ou faites-vous envoyer un code.",
        ),
        no_account=Ending(
            "Nous ne savons pas quel compte est le vôtre",
            "Il faut un seul compte en service dont l’adresse e-mail est confirmée par {name}. Faites-vous envoyer un "
            "code à une adresse de votre compte, ou adressez-vous à l’assistance de la plateforme.",
        ),
        again="Retour à la connexion",
    ),
    dead={
        LinkState.REPLACED: Ending(
            "Ce lien a été remplacé", "Un message plus récent vous a été envoyé ; utilisez le lien qu’il contient."
        ),
        LinkState.EXPIRED: Ending(
            "Le délai de réponse est écoulé",
            "Rien n’a changé. Si vous souhaitez toujours recevoir la borne, demandez à l’expéditeur de recommencer.",
        ),
        LinkState.CANCELLED: Ending(
            "Cette demande a été annulée",
            "La borne reste où elle est ; vous n’avez plus rien à faire. Si vous souhaitez toujours la recevoir, "
            "adressez-vous à l’expéditeur.",
        ),
        LinkState.DECLINED: Ending(
            "Cette demande a été refusée",
            "La borne reste où elle est, et le lien ne sert plus. Si vous avez changé d’avis, demandez à l’expéditeur "
            "de recommencer.",
        ),
        LinkState.ACCEPTED: Ending(
            "Cette demande a été acceptée",
            "Le lien ne sert plus ; vous n’avez plus rien à faire. Nos messages vous tiennent au courant de la suite.",
        ),
    },
)
