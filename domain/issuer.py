"""Signing in by an issuer of OpenID Connect: how long that may take, where it may be, and what is refused."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from domain.errors import NotAllowed
from domain.networks import is_loopback

#: How long somebody may stay at the issuer.
VISIT_LASTS: Final = timedelta(minutes=10)


class IssuerRefused(NotAllowed):
    """What a browser came back with does not show who somebody is, or was called off there."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("The sign-in did not go through; begin again.")


class NoAccountThere(NotAllowed):
    """The issuer confirms no address that exactly one account in use has."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("No account in use has a confirmed address there; sign in with a code.")


def is_safe(url: str) -> bool:
    """Whether nobody on the way reads what is sent there: over TLS, or on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host or "")))
