"""Passkeys: whom browsers make them for, what they are asked to sign, how many there may be, what is refused."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import urlsplit

from domain.errors import InvalidRequest, NotAllowed, NotPossible
from domain.printable import is_printable

#: How long a challenge may be answered.
CHALLENGE_LASTS: Final = timedelta(minutes=5)
#: How many passkeys one user may have.
MOST: Final = 20
#: So many characters the name of a passkey has at most.
LONGEST_NAME: Final = 60
#: So many bytes a credential's id has at most (WebAuthn, 5.8.3).
LONGEST_CREDENTIAL_ID: Final = 1023
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Ceremony(StrEnum):
    """What a challenge is for; it answers nothing else."""

    ADD = "add"
    SIGN_IN = "sign_in"
    PROVE = "prove"


class PasskeyChange(StrEnum):
    """What becomes of a passkey, and its owner is told."""

    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True)
class RelyingParty:
    """Whom passkeys are made for: a browser hands them to no other host, and to no other page of it."""

    id: str
    origin: str

    @classmethod
    def of(cls, origin: str) -> Self | None:
        """Read it from where the pages are; None where browsers have no passkeys: at an IP address, without TLS."""
        parts = urlsplit(origin)
        host = (parts.hostname or "").encode("idna").decode()
        if not host or _is_ip_address(host) or not (parts.scheme == "https" or _is_local(host)):
            return None
        port = "" if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
        return cls(host, f"{parts.scheme}://{host}{port}")


class PasskeyRefused(NotAllowed):
    """What a browser sent does not show a passkey that is known here; why is nobody's to learn."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("This passkey was not accepted; try again, or sign in with a code.")


class TooManyPasskeys(NotPossible):
    """Another passkey would be one too many."""

    def __init__(self, most: int) -> None:
        """Say how many there may be."""
        super().__init__(f"There are {most} passkeys already; remove one first.")
        self.most = most


class NotAPasskeyName(InvalidRequest):
    """A passkey can't have such a name."""

    def __init__(self, longest: int) -> None:
        """Say how many characters it may have."""
        super().__init__(f"Give the passkey a name of one line, of at most {longest} characters.")
        self.longest = longest


def parse_passkey_name(text: str) -> str:
    """Give a name as one line, its blanks single; it may be empty. Raises NotAPasskeyName."""
    name = " ".join(text.split())
    if len(name) > LONGEST_NAME or not is_printable(name):
        raise NotAPasskeyName(LONGEST_NAME)
    return name


def _is_ip_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_local(host: str) -> bool:
    """Whether browsers trust a host without TLS (W3C, Secure Contexts, 3.1)."""
    return host == "localhost" or host.endswith(".localhost")
