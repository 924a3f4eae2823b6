"""Signing in at the pages: codes that are asked for with an address, and who is signed in where.

Whoever asks is answered alike, whether or not somebody has the address: only the code tells, which is sent to who has.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.codes import TRIES, VALID_FOR, CodeExpired, NoCodeSent, TriesUsedUp, WrongCode
from domain.contact import Address, parse_address
from domain.errors import Refusal
from domain.ids import SignInCodeId, SignInId, UserId
from domain.issuer import NoAccountThere
from domain.sign_in import IDLE, LASTS, LONGEST_BROWSER, NOTED_EVERY, CodeSpent, is_fresh
from persistence.intake import sign_in_codes
from persistence.intake.limits import Counters
from persistence.people import accounts
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.tables import SignIn, SignInCode, User
from persistence.vault import Vault, fingerprint, new_secret


@dataclass(frozen=True)
class SignedIn:
    """Somebody who is signed in, and where."""

    id: SignInId
    user_id: UserId
    browser: str
    began_at: datetime
    seen_at: datetime
    proven_at: datetime

    @property
    def proven_lately(self) -> bool:
        """Whether they may do what can't be undone."""
        return is_fresh(self.proven_at, datetime.now(UTC))


@dataclass(frozen=True)
class Here:
    """Who reads the pages in a browser: their sign-in, and their account, which has no scopes there."""

    sign_in: SignedIn
    caller: Caller


@dataclass(frozen=True)
class NewSignIn:
    """A sign-in that has just begun; its token is kept nowhere."""

    id: SignInId
    user_id: UserId
    token: str = field(repr=False)


class SignIns:
    """Counts codes and tries where nobody can race: in the statement that changes them."""

    def __init__(self, db: Database, vault: Vault, counters: Counters) -> None:
        """Take the database, the vault whose key the digits follow from, and what is limited."""
        self._db = db
        self._vault = vault
        self._counters = counters

    # --- codes ----------------------------------------------------------------------------------------------------

    async def ask(self, address: Address, network: str = "") -> SignInCodeId:
        """Write that a code is wanted, whoever has the address, and give its id.

        Raises RateLimited for one too many to the address, or from the network.
        """
        return await self._ask(address, network)

    async def ask_proof(self, here: Here) -> SignInCodeId:
        """Write that who is signed in wants a code to prove that it is still them; raises RateLimited."""
        typed = here.caller.email or here.caller.phone
        if typed is None:
            raise AssertionError("who is signed in has an address")
        return await self._ask(parse_address(typed), "", here.sign_in)

    async def _ask(self, address: Address, network: str, proves: SignedIn | None = None) -> SignInCodeId:
        code_id, now = SignInCodeId(f"sic_{new_secret()}"), datetime.now(UTC)
        async with self._db.writing() as rows:
            await self._counters.sign_in_code(rows, address, network)
            rows.add(
                SignInCode(
                    id=code_id,
                    sealed_address=self._vault.seal(address.value.encode()),
                    asked_at=now,
                    expires_at=now + VALID_FOR,
                    user_id=proves.user_id if proves else None,
                    sign_in_id=proves.id if proves else None,
                    wrong_tries=0,
                )
            )
        return code_id

    async def use(self, code_id: SignInCodeId, digits: str, *, browser: str) -> NewSignIn:
        """Sign in whoever the code was sent to, once.

        Raises WrongCode, TriesUsedUp after five of those, CodeExpired, CodeSpent, NoCodeSent. A wrong try stays
        counted.
        """
        async with self._db.writing() as rows:
            found = await self._try(rows, code_id, digits, None)
            if not isinstance(found, Refusal):
                return begin(rows, found, browser)
        raise found

    async def prove_by_code(self, here: Here, code_id: SignInCodeId, digits: str) -> None:
        """Take a code for a proof that it is still them, in the sign-in in which it was asked for; raises as `use`."""
        async with self._db.writing() as rows:
            found = await self._try(rows, code_id, digits, here.sign_in.id)
            if not isinstance(found, Refusal):
                proven = update(SignIn).where(SignIn.id == here.sign_in.id).values(proven_at=datetime.now(UTC))
                await rows.execute(proven)
                return
        raise found

    async def _try(
        self, rows: AsyncSession, code_id: SignInCodeId, digits: str, proves: SignInId | None
    ) -> UserId | Refusal:
        """Count a try first, so that any number of guesses at once is counted; take it back for the right code."""
        this = and_(SignInCode.id == code_id, SignInCode.sign_in_id.is_not_distinct_from(proves))
        counted = (
            update(SignInCode)
            .where(this, SignInCode.wrong_tries < TRIES)
            .values(wrong_tries=SignInCode.wrong_tries + 1)
            .returning(SignInCode.user_id, SignInCode.expires_at, SignInCode.used_at, SignInCode.wrong_tries)
            .execution_options(synchronize_session=False)
        )
        row = (await rows.execute(counted)).one_or_none()
        if row is None:
            asked = (await rows.execute(select(SignInCode.id).where(this))).first()
            return TriesUsedUp(TRIES) if asked else NoCodeSent()
        right = hmac.compare_digest(sign_in_codes.digits(self._vault, code_id).encode(), digits.encode())
        if not right or row.user_id is None:
            left = TRIES - row.wrong_tries
            return WrongCode(left) if left else TriesUsedUp(TRIES)
        now = datetime.now(UTC)
        if row.used_at is not None:
            return CodeSpent()
        if row.expires_at <= now:
            return CodeExpired()
        await rows.execute(update(SignInCode).where(this).values(used_at=now, wrong_tries=row.wrong_tries - 1))
        return UserId(row.user_id)

    async def enter(self, address: Address, *, browser: str) -> NewSignIn:
        """Sign in who has an address that an issuer has confirmed; raises NoAccountThere."""
        async with self._db.writing() as rows:
            user_id = await accounts.find_usable(rows, address)
            if user_id is None:
                raise NoAccountThere
            return begin(rows, user_id, browser)

    # --- who is signed in -----------------------------------------------------------------------------------------

    async def find(self, token: str) -> Here | None:
        """Say who is signed in with a token; None where nobody is any more. Notes now and then that it is used."""
        now = datetime.now(UTC)
        query = select(SignIn, User).join(User, User.id == SignIn.user_id).where(_lasts(now), User.status == "active")
        async with self._db.reading() as rows:
            found = (await rows.execute(query.where(SignIn.token_hash == fingerprint(token)))).one_or_none()
        if found is None:
            return None
        row, user = found
        if now - row.seen_at >= NOTED_EVERY:
            async with self._db.writing() as rows:
                await rows.execute(update(SignIn).where(SignIn.id == row.id, SignIn.seen_at < now).values(seen_at=now))
        caller = Caller(UserId(user.id), user.name, user.email, user.phone, user.locale, frozenset())
        return Here(_view(row), caller)

    async def of_user(self, user_id: UserId) -> Sequence[SignedIn]:
        """List where somebody is signed in, the latest use first. Only reads."""
        wanted = select(SignIn).where(SignIn.user_id == user_id, _lasts(datetime.now(UTC)))
        async with self._db.reading() as rows:
            return [_view(row) for row in await rows.scalars(wanted.order_by(SignIn.seen_at.desc(), SignIn.id))]

    async def prove(self, sign_in_id: SignInId, user_id: UserId) -> None:
        """Note that who is signed in has proven it anew; nothing where the sign-in is over, or another's."""
        now = datetime.now(UTC)
        this = (SignIn.id == sign_in_id, SignIn.user_id == user_id, _lasts(now))
        async with self._db.writing() as rows:
            proven = update(SignIn).where(*this).values(proven_at=now)
            await rows.execute(proven, execution_options={"synchronize_session": False})

    async def end(self, user_id: UserId, sign_in_id: SignInId) -> None:
        """End one of somebody's sign-ins; nothing where it is over, or another's."""
        await self._end(SignIn.user_id == user_id, SignIn.id == sign_in_id)

    async def end_all(self, user_id: UserId, *, but: SignInId | None = None) -> None:
        """End all of somebody's sign-ins, or all but the one that they are at."""
        await self._end(SignIn.user_id == user_id, SignIn.id != (but or ""))

    async def _end(self, *which: ColumnElement[bool]) -> None:
        async with self._db.writing() as rows:
            ended = update(SignIn).where(*which, SignIn.ended_at.is_(None)).values(ended_at=datetime.now(UTC))
            await rows.execute(ended, execution_options={"synchronize_session": False})


def begin(rows: AsyncSession, user_id: UserId, browser: str) -> NewSignIn:
    """Sign in somebody who has just proven who they are, in the caller's transaction."""
    now, token = datetime.now(UTC), new_secret()
    made = NewSignIn(SignInId(f"sin_{new_secret(16)}"), user_id, token)
    rows.add(
        SignIn(
            id=made.id,
            token_hash=fingerprint(token),
            user_id=user_id,
            browser=_printable(browser)[:LONGEST_BROWSER],
            began_at=now,
            seen_at=now,
            proven_at=now,
        )
    )
    return made


def _lasts(now: datetime) -> ColumnElement[bool]:
    return and_(SignIn.ended_at.is_(None), SignIn.began_at > now - LASTS, SignIn.seen_at > now - IDLE)


def _view(row: SignIn) -> SignedIn:
    return SignedIn(SignInId(row.id), UserId(row.user_id), row.browser, row.began_at, row.seen_at, row.proven_at)


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
