"""What may be read only with the server's keys: sealed texts, MACs of keys and codes, tokens of links."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from domain.errors import ErrorCode, HandoverError

#: Of how many different characters a key is at least; of 32 random hex digits it is some fourteen.
_DIFFERENT: Final = 8
#: So many characters a key has at least.
_SHORTEST_KEY: Final = 32
#: What stands where a key is to be put, without what is no letter or digit. So long that no random key has one.
_PLACEHOLDERS: Final = ("changeme", "replaceme", "placeholder", "yoursecret", "mysecret", "supersecret", "secretkey")


class SecretsUnreadable(HandoverError):
    """A sealed value was written with a key that HANDOVER_SECRET_KEYS does not list any more."""

    code = ErrorCode.UNAVAILABLE


class Vault:
    """Works with a list of server keys: the first writes, all read, so keys can be replaced without a stop."""

    def __init__(self, server_keys: list[str]) -> None:
        """Take the keys of HANDOVER_SECRET_KEYS, each of at least 32 characters; the first is none to guess."""
        if not server_keys or any(len(key) < _SHORTEST_KEY for key in server_keys):
            raise ValueError(
                f"HANDOVER_SECRET_KEYS needs at least one key of {_SHORTEST_KEY} characters or more (comma-separated)."
            )
        if fault := _fault(server_keys[0]):
            raise ValueError(
                f"The first key of HANDOVER_SECRET_KEYS {fault}: whoever guesses it reads every secret. Put one "
                "before it from `./handover new-secret-key`; it stays in the list, so that what it wrote is read."
            )
        self._roots = [key.encode() for key in server_keys]
        self._seals = MultiFernet([Fernet(urlsafe_b64encode(_derive(root, "seal"))) for root in self._roots])

    def seal(self, plain: bytes) -> bytes:
        """Encrypt `plain`."""
        return self._seals.encrypt(plain)

    def unseal(self, sealed: bytes) -> bytes:
        """Decrypt what `seal` gave; raises SecretsUnreadable."""
        try:
            return self._seals.decrypt(sealed)
        except InvalidToken:
            raise SecretsUnreadable("A sealed value can't be read with HANDOVER_SECRET_KEYS.") from None

    def mac(self, purpose: str, value: bytes) -> str:
        """Give the HMAC-SHA-256 of `value`, in hex, under the first key."""
        return _mac(self._roots[0], purpose, value)

    def matches(self, purpose: str, value: bytes, mac: str) -> bool:
        """Whether `mac` is that of `value` under any key, in constant time for a given number of keys."""
        return any([hmac.compare_digest(_mac(root, purpose, value), mac) for root in self._roots])  # noqa: C419 - a list, so that no key is skipped

    def tell(self, purpose: str, value: bytes, macs: Sequence[str]) -> list[bool]:
        """Say of each of `macs` whether it is that of `value` under any key, as `matches`; the MACs are made once."""
        own = [_mac(root, purpose, value) for root in self._roots]
        return [any([hmac.compare_digest(one, mac) for one in own]) for mac in macs]  # noqa: C419 - as above

    def token(self, purpose: str, *parts: str | int) -> str:
        """Give the unguessable token (43 characters, URL-safe) that always belongs to `parts`."""
        mac = hmac.digest(_derive(self._roots[0], purpose), "\x1f".join(map(str, parts)).encode(), "sha256")
        return urlsafe_b64encode(mac).decode().rstrip("=")

    def digits(self, purpose: str, *parts: str | int, count: int) -> str:
        """Give the digits that always belong to `parts`; of 256 evenly spread bits, so none is likelier."""
        return f"{int(fingerprint(self.token(purpose, *parts)), 16) % 10**count:0{count}}"


def _fault(key: str) -> str | None:
    """Say what makes a key one to guess: few characters, the same ones again and again, or a placeholder's words."""
    few = len(set(key)) < _DIFFERENT
    if few or any(key == (key[:period] * len(key))[: len(key)] for period in range(1, len(key) // 2 + 1)):
        return "repeats itself"
    letters = "".join(filter(str.isalnum, key)).lower()
    return "is a placeholder" if any(words in letters for words in _PLACEHOLDERS) else None


def _derive(root: bytes, purpose: str) -> bytes:
    """Give each purpose its own key (HKDF's expand step; the root is random)."""
    return hmac.digest(root, b"handover:" + purpose.encode() + b"\x01", "sha256")


def _mac(root: bytes, purpose: str, value: bytes) -> str:
    return hmac.digest(_derive(root, purpose), value, "sha256").hex()


def fingerprint(text: str) -> str:
    """Give the SHA-256, in hex, of a text that is random enough to need no more: a token, an API key's secret."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_secret(size: int = 32) -> str:
    """Give a new random secret of `size` bytes, as URL-safe text."""
    return secrets.token_urlsafe(size)
