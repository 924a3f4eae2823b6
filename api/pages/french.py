"""What the pages say in French: as in the letters, `vous`, and no-break spaces before `: ; ? !` and within `« »`."""

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
        address_hint="Un numéro avec son pays, comme +33 6 12 34 56 78",
        code_title="Saisissez votre code",
        code_sent="Si un compte a cette adresse, un code de 6 chiffres est en route. Il est valable 10 minutes, dans "
        "ce navigateur.",
        no_code="Pas de code ? Attendez une minute, regardez dans vos indésirables, vérifiez l’adresse.",
        where="Où vous êtes connecté",
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
        sign_in_again="Se déconnecter, puis se reconnecter",
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
