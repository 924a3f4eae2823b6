"""A device that holds passkeys, in software: it does what browsers and authenticators do, or what attackers would."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

#: Bits of the authenticator data: somebody was there, was verified, a new credential follows.
PRESENT, VERIFIED, CREATED = 0x01, 0x04, 0x40


def written(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def read(text: str) -> bytes:
    return urlsafe_b64decode(text + "===")


@dataclass
class Key:
    """One passkey as its device holds it."""

    handle: bytes
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0

    def public(self) -> bytes:
        numbers = self.private.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})


@dataclass
class Device:
    """What answers; `changes` are what is wrong with its answers."""

    origin: str
    rp_id: str | None = None
    """None: the one that is asked for."""
    flags: int = PRESENT | VERIFIED
    counts: bool = False
    """Whether it counts; one that shares its passkeys with others does not."""
    cross_origin: bool = False
    keys: list[Key] = field(default_factory=list)

    def make(self, asked: dict[str, Any], **forged: Any) -> dict[str, Any]:
        """Make a passkey, with what is forged of it."""
        key = Key(read(asked["user"]["id"]), **forged)
        self.keys.append(key)
        attested = bytes(16) + len(key.id).to_bytes(2, "big") + key.id + key.public()
        data = self._data(self.rp_id or asked["rp"]["id"], key, CREATED) + attested
        return self._answer(
            key,
            clientDataJSON=self._said("webauthn.create", asked["challenge"]),
            attestationObject=cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data}),
        )

    def sign(self, asked: dict[str, Any], key: Key | None = None) -> dict[str, Any]:
        """Sign with a passkey, the latest unless another is given."""
        key = key or self.keys[-1]
        key.count += self.counts
        data, said = self._data(self.rp_id or asked["rpId"], key), self._said("webauthn.get", asked["challenge"])
        signature = key.private.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            key, clientDataJSON=said, authenticatorData=data, signature=signature, userHandle=key.handle
        )

    def _data(self, rp_id: str, key: Key, more: int = 0) -> bytes:
        hashed = hashlib.sha256(rp_id.encode()).digest()
        return hashed + bytes([self.flags | more]) + key.count.to_bytes(4, "big")

    def _said(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin}
        return json.dumps(said).encode()

    @staticmethod
    def _answer(key: Key, **response: bytes) -> dict[str, Any]:
        parts = {name: written(data) for name, data in response.items()}
        return {"id": written(key.id), "rawId": written(key.id), "type": "public-key", "response": parts}
