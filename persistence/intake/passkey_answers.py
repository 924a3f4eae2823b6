"""What a browser is asked to do with a passkey, and whether what it answers holds (WebAuthn, sections 7.1 and 7.2)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    options_to_json_dict,
    parse_authentication_credential_json,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from domain.errors import HandoverError
from domain.passkeys import CHALLENGE_LASTS, LONGEST_CREDENTIAL_ID, PasskeyRefused, RelyingParty

#: An answer as the browser's script sends it, read from JSON: bytes in it are base64url.
Answer: TypeAlias = Mapping[str, Any]
_ALGORITHMS: Final = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_TIMEOUT_MS: Final = int(CHALLENGE_LASTS.total_seconds() * 1000)


@dataclass(frozen=True)
class NewKey:
    """What a browser has made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


@dataclass(frozen=True)
class Shown:
    """Which passkey an answer says that it is of; nothing of it is proven yet."""

    credential_id: bytes
    user_handle: bytes | None


def to_make(
    party: RelyingParty, challenge: bytes, handle: bytes, *, known_as: str, name: str, there: Sequence[bytes]
) -> dict[str, Any]:
    """Write, for JSON, that a passkey is to be made, not on a device that has one of `there`; see `known_as` there."""
    options = generate_registration_options(
        rp_id=party.id,
        rp_name="Handover",
        user_id=handle,
        user_name=known_as,
        user_display_name=name,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in there],
        supported_pub_key_algs=_ALGORITHMS,
    )
    return options_to_json_dict(options)


def to_sign(party: RelyingParty, challenge: bytes, allowed: Sequence[bytes] = ()) -> dict[str, Any]:
    """Write, for JSON, that a passkey is to sign: one of `allowed`, or whichever its user chooses."""
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        allow_credentials=[PublicKeyCredentialDescriptor(id=one) for one in allowed],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def challenge_in(answer: Answer) -> bytes:
    """Give the challenge that an answer says it is to; raises PasskeyRefused, also from within another's page."""
    with _refusing():
        said = parse_client_data_json(base64url_to_bytes(answer["response"]["clientDataJSON"]))
        if said.cross_origin:
            raise PasskeyRefused
        return said.challenge


def passkey_in(answer: Answer) -> Shown:
    """Give which passkey an answer says it is of; raises PasskeyRefused."""
    with _refusing():
        read = parse_authentication_credential_json(dict(answer))
        return Shown(read.raw_id, read.response.user_handle)


def check_made(answer: Answer, party: RelyingParty, challenge: bytes) -> NewKey:
    """Check a passkey that was just made, its user verified; raises PasskeyRefused."""
    with _refusing():
        made = verify_registration_response(
            credential=dict(answer),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
        if len(made.credential_id) > LONGEST_CREDENTIAL_ID:
            raise PasskeyRefused
        return NewKey(made.credential_id, made.credential_public_key, made.sign_count)


def check_signed(answer: Answer, party: RelyingParty, challenge: bytes, *, public_key: bytes, sign_count: int) -> int:
    """Check what a passkey has signed, its user verified, and give what it has counted; raises PasskeyRefused.

    Where it counts, it must have counted on: a copy of it counts for itself.
    """
    with _refusing():
        return verify_authentication_response(
            credential=dict(answer),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        ).new_sign_count


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn whatever a stranger's bytes do to their readers into the one refusal."""
    try:
        yield
    except HandoverError:
        raise
    except Exception as error:
        raise PasskeyRefused from error
