"""Passkeys: whose they are, what they were asked to sign, and what follows from what they signed."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import PasskeyId, UserId
from domain.passkeys import (
    CHALLENGE_LASTS,
    MOST,
    Ceremony,
    PasskeyRefused,
    RelyingParty,
    TooManyPasskeys,
    parse_passkey_name,
)
from domain.sign_in import NotProvenLately
from persistence.inserts import insert_into
from persistence.intake import passkey_answers
from persistence.intake.limits import Counters
from persistence.intake.passkey_answers import Answer
from persistence.intake.sign_ins import NewSignIn, SignedIn, SignIns, begin
from persistence.session import Database
from persistence.tables import Passkey, PasskeyChallenge, User
from persistence.vault import fingerprint, new_secret

#: How many random bytes a challenge has, and what a device knows its user by.
_CHALLENGE_SIZE: Final = 32
_HANDLE_SIZE: Final = 32


@dataclass(frozen=True)
class PasskeyView:
    """One of somebody's passkeys, for them to know it by."""

    id: PasskeyId
    name: str
    """Empty where they gave none."""
    added_at: datetime
    used_at: datetime | None


@dataclass(frozen=True)
class _Asked:
    """What an answer is to; the handle is of the passkey that is being added."""

    challenge: bytes
    user_handle: bytes | None


class Passkeys:
    """Asks and checks. A challenge takes one answer, for what it was asked for, where it was asked for.

    What is asked is a JSON object of the options that the browser's `navigator.credentials` takes. Raises RateLimited
    where that is asked for too often, PasskeyRefused for an answer that does not hold.
    """

    def __init__(self, db: Database, counters: Counters, sign_ins: SignIns, party: RelyingParty) -> None:
        """Take whom the passkeys are made for, and whose sign-ins they begin."""
        self._db = db
        self._counters = counters
        self._sign_ins = sign_ins
        self._party = party

    async def of_user(self, user_id: UserId) -> Sequence[PasskeyView]:
        """List somebody's passkeys, the oldest first. Only reads."""
        async with self._db.reading() as rows:
            return [
                PasskeyView(PasskeyId(row.id), row.name, row.added_at, row.used_at)
                for row in await _of_user(rows, user_id)
            ]

    # --- to add and to remove -----------------------------------------------------------------------------------------

    async def ask_to_add(self, here: SignedIn, network: str) -> dict[str, Any]:
        """Ask for a passkey to be made; raises NotProvenLately, TooManyPasskeys."""
        _check_proof(here)
        async with self._db.writing() as rows:
            user = await rows.get_one(User, here.user_id)
            there = await _of_user(rows, here.user_id)
            if len(there) >= MOST:
                raise TooManyPasskeys(MOST)
            handle = there[0].user_handle if there else secrets.token_bytes(_HANDLE_SIZE)
            challenge = await self._ask(rows, Ceremony.ADD, here.id, network, here.user_id, handle)
        known_as = user.email or user.phone or user.name
        ids = [one.credential_id for one in there]
        return passkey_answers.to_make(self._party, challenge, handle, known_as=known_as, name=user.name, there=ids)

    async def add(self, here: SignedIn, answer: Answer, name: str) -> PasskeyId:
        """Keep the passkey that was made; raises NotProvenLately, TooManyPasskeys, NotAPasskeyName."""
        _check_proof(here)
        name = parse_passkey_name(name)
        asked = await self._spend(answer, Ceremony.ADD, here.id, here.user_id)
        made = passkey_answers.check_made(answer, self._party, asked.challenge)
        passkey_id = PasskeyId(f"pky_{new_secret(16)}")
        async with self._db.writing() as rows:
            usable = select(User.id).where(User.id == here.user_id, User.status == "active")
            if await rows.scalar(usable.with_for_update()) is None:  # one after the other
                raise PasskeyRefused
            if len(await _of_user(rows, here.user_id)) >= MOST:
                raise TooManyPasskeys(MOST)
            row = {
                "id": passkey_id,
                "user_id": here.user_id,
                "user_handle": asked.user_handle,
                "credential_id": made.credential_id,
                "public_key": made.public_key,
                "sign_count": made.sign_count,
                "name": name,
                "added_at": datetime.now(UTC),
            }
            new = insert_into(rows, Passkey).values(row).on_conflict_do_nothing(index_elements=["credential_id"])
            if (await rows.execute(new.returning(Passkey.id))).first() is None:
                raise PasskeyRefused
        return passkey_id

    async def remove(self, here: SignedIn, passkey_id: PasskeyId) -> bool:
        """Remove one of somebody's passkeys; False where there is no such one. Raises NotProvenLately."""
        _check_proof(here)
        theirs = (Passkey.id == passkey_id, Passkey.user_id == here.user_id)
        async with self._db.writing() as rows:
            return (await rows.execute(delete(Passkey).where(*theirs).returning(Passkey.id))).first() is not None

    # --- to sign in, and to prove -------------------------------------------------------------------------------------

    async def ask_to_sign_in(self, browser_secret: str, network: str) -> dict[str, Any]:
        """Ask for whichever passkey its user chooses, of whoever holds `browser_secret`."""
        async with self._db.writing() as rows:
            challenge = await self._ask(rows, Ceremony.SIGN_IN, browser_secret, network)
        return passkey_answers.to_sign(self._party, challenge)

    async def sign_in(self, browser_secret: str, answer: Answer, *, browser: str) -> NewSignIn:
        """Sign in whose passkey it is."""
        asked = await self._spend(answer, Ceremony.SIGN_IN, browser_secret)
        async with self._db.writing() as rows:
            passkey = await self._check(rows, answer, asked, handle_needed=True)
            return begin(rows, UserId(passkey.user_id), browser)

    async def ask_to_prove(self, here: SignedIn, network: str) -> dict[str, Any]:
        """Ask for one of the passkeys of who is signed in; raises PasskeyRefused where they have none."""
        async with self._db.writing() as rows:
            there = [one.credential_id for one in await _of_user(rows, here.user_id)]
            if not there:
                raise PasskeyRefused
            challenge = await self._ask(rows, Ceremony.PROVE, here.id, network, here.user_id)
        return passkey_answers.to_sign(self._party, challenge, there)

    async def prove(self, here: SignedIn, answer: Answer) -> None:
        """Take it as a proof of who is signed in."""
        asked = await self._spend(answer, Ceremony.PROVE, here.id, here.user_id)
        async with self._db.writing() as rows:
            passkey = await self._check(rows, answer, asked)
            if passkey.user_id != here.user_id:
                raise PasskeyRefused
        await self._sign_ins.prove(here.id, here.user_id)

    # --- challenges ---------------------------------------------------------------------------------------------------

    async def _ask(
        self,
        rows: AsyncSession,
        ceremony: Ceremony,
        place: str,
        network: str,
        user_id: UserId | None = None,
        user_handle: bytes | None = None,
    ) -> bytes:
        await self._counters.passkey_challenge(rows, network)
        challenge = secrets.token_bytes(_CHALLENGE_SIZE)
        rows.add(
            PasskeyChallenge(
                challenge_hash=fingerprint(challenge.hex()),
                ceremony=ceremony.value,
                place_hash=fingerprint(place),
                user_id=user_id,
                user_handle=user_handle,
                expires_at=datetime.now(UTC) + CHALLENGE_LASTS,
            )
        )
        return challenge

    async def _spend(self, answer: Answer, ceremony: Ceremony, place: str, user_id: UserId | None = None) -> _Asked:
        """Take the challenge that an answer is to, whether the answer then holds or not."""
        challenge = passkey_answers.challenge_in(answer)
        this = PasskeyChallenge.challenge_hash == fingerprint(challenge.hex())
        async with self._db.writing() as rows:
            taken = (
                delete(PasskeyChallenge)
                .where(this)
                .returning(
                    PasskeyChallenge.ceremony,
                    PasskeyChallenge.place_hash,
                    PasskeyChallenge.user_id,
                    PasskeyChallenge.user_handle,
                    PasskeyChallenge.expires_at,
                )
            )
            row = (await rows.execute(taken)).one_or_none()
        meant = row is not None and (row.ceremony, row.place_hash, row.user_id) == (
            ceremony.value,
            fingerprint(place),
            user_id,
        )
        if row is None or not meant or row.expires_at <= datetime.now(UTC):
            raise PasskeyRefused
        return _Asked(challenge, row.user_handle)

    async def _check(
        self, rows: AsyncSession, answer: Answer, asked: _Asked, *, handle_needed: bool = False
    ) -> Passkey:
        """Give the passkey that has signed, of somebody who may sign in, and note what it has counted."""
        shown = passkey_answers.passkey_in(answer)
        usable = select(Passkey).join(User, User.id == Passkey.user_id).where(User.status == "active")
        wanted = usable.where(Passkey.credential_id == shown.credential_id).with_for_update(of=Passkey)
        passkey = (await rows.scalars(wanted)).one_or_none()
        if passkey is None:
            raise PasskeyRefused
        said = shown.user_handle
        if said != passkey.user_handle and (handle_needed or said is not None):
            raise PasskeyRefused
        passkey.sign_count = passkey_answers.check_signed(
            answer,
            self._party,
            asked.challenge,
            public_key=passkey.public_key,
            sign_count=passkey.sign_count,
        )
        passkey.used_at = datetime.now(UTC)
        return passkey


async def _of_user(rows: AsyncSession, user_id: UserId) -> Sequence[Passkey]:
    wanted = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.added_at, Passkey.id)
    return (await rows.scalars(wanted)).all()


def _check_proof(here: SignedIn) -> None:
    if not here.proven_lately:
        raise NotProvenLately
