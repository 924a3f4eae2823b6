"""What a WebSocket upgrade says about who is there, in its path and its credentials; and how one is refused."""

import binascii
from base64 import b64decode
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Response
from websockets.typing import Subprotocol

from domain.caseless import caseless

_LONGEST_IDENTITY = 255


@dataclass(frozen=True)
class Presented:
    """Who an upgrade claims to be; the password stays bytes, as some stations send decoded hex digits."""

    identity: str
    """In the one case that all are compared in: however it is spelled, its guesses are counted together."""
    password: bytes = field(repr=False)


class BadUpgrade(Exception):
    """The upgrade is refused before anybody looks who it is."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        """Answer with `status` and `text`."""
        super().__init__(text)
        self.status = status
        self.text = text


def read_upgrade(path: str, headers: Headers) -> Presented | None:
    """Read `/ocpp/{identity}` and the Basic credentials; None where they are missing, malformed or disagree.

    A path of nothing but `/` or `/ocpp` names nobody: then the user name says who it is.
    Raises BadUpgrade for any other path, and for plain HTTP.
    """
    named = _identity_in(path)
    if headers.get("Upgrade", "").lower() != "websocket":
        raise BadUpgrade(HTTPStatus.UPGRADE_REQUIRED, "Connect with a WebSocket.\n")
    basic = _basic(headers)
    if basic is None:
        return None
    user, password = basic
    identity = caseless(user)
    if named is not None and caseless(named) != identity:
        return None
    return Presented(identity, password)


def _identity_in(path: str) -> str | None:
    """Give the identity that a path names, None where it names nobody."""
    parts = [part for part in path.partition("?")[0].split("/") if part]  # some stations add slashes
    match parts:
        case []:
            return None
        case [room] if room.lower() == "ocpp":
            return None
        case [room, quoted] if room.lower() == "ocpp":
            pass
        case _:
            raise BadUpgrade(HTTPStatus.NOT_FOUND, "Connect to /ocpp/{identity}.\n")
    try:
        identity = unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError:
        identity = ""
    if not identity or len(identity) > _LONGEST_IDENTITY or not identity.isprintable():
        raise BadUpgrade(HTTPStatus.BAD_REQUEST, "The identity in the path is malformed.\n")
    return identity


def choose_subprotocol(offered: Sequence[str], spoken: Collection[str], without: str | None) -> Subprotocol | None:
    """Choose the first of the `spoken` subprotocols that is offered; `without` is that of who offers none.

    None: there is no common one. The handshake is completed then, and the connection closed (OCPP-J 1.6, 3.1.2).
    """
    chosen = next((name for name in spoken if name in offered), None) if offered else without
    return None if chosen is None else Subprotocol(chosen)


def offered_in(headers: Headers) -> list[str]:
    """Give the subprotocols that an upgrade offers, the one that it likes best first."""
    lines = headers.get_all("Sec-WebSocket-Protocol")
    return [name.strip() for line in lines for name in line.split(",") if name.strip()]


def _basic(headers: Headers) -> tuple[str, bytes] | None:
    """Read RFC 7617's user name and password, the latter as bytes."""
    lines = headers.get_all("Authorization")
    scheme, _, encoded = lines[0].partition(" ") if len(lines) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
        name = user.decode()
    except (binascii.Error, ValueError):
        return None
    if not colon or not name.isprintable() or not 0 < len(name) <= _LONGEST_IDENTITY:
        return None
    return name, password


def unauthorized(socket: ServerConnection) -> Response:
    """Answer whoever can't be told apart from a stranger."""
    response = socket.respond(HTTPStatus.UNAUTHORIZED, "Unknown identity or wrong password.\n")
    response.headers["WWW-Authenticate"] = 'Basic realm="ocpp", charset="UTF-8"'
    return response


def later(socket: ServerConnection, status: HTTPStatus, text: str, wait: int) -> Response:
    """Answer with `text`, and in how many seconds to `wait` for the next try."""
    response = socket.respond(status, f"{text} in {wait} seconds.\n")
    response.headers["Retry-After"] = str(wait)
    return response
