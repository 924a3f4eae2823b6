"""What is limited for whom: starts and refusals by caller, messages by whom they reach, misses by address.

No address is kept. Whoever is over a limit is refused before anything is written.
"""

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.contact import Address
from domain.errors import RateLimited
from domain.ids import UserId
from domain.limits import CallLimits
from domain.request import TransferRequest
from domain.transfer import Acceptance
from persistence.intake import rates
from persistence.session import Database
from persistence.vault import Vault

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
STARTS: Final = "At most {} transfers may be started within an hour"
_MESSAGES: Final = "At most {} messages may be sent to the same recipient within a day"
_REFUSALS: Final = "At most {} starts and decisions may be refused within an hour"
_CODES: Final = "At most {} codes may be sent to the same address within an hour"
_CODES_FROM: Final = "At most {} codes may be asked for from the same network within an hour"
_CHALLENGES: Final = "At most {} passkeys may be asked for within a minute"
_MISSES: Final = "At most {} unknown links may be opened within a minute"


class Counters:
    """Counts in the transaction of what it counts: what is refused, or not committed, is not counted."""

    def __init__(self, vault: Vault, limits: CallLimits) -> None:
        """Take the limits, and the vault whose MACs stand for people and addresses."""
        self._vault = vault
        self._limits = limits

    async def check_start(self, rows: AsyncSession, sender_id: UserId, request: TransferRequest) -> None:
        """Raise what `start` would, where the limit is reached already. Only reads."""
        limit = self._limits.transfers_per_hour
        await _check_full(rows, self._key("start", sender_id), limit, STARTS.format(limit))
        if request.acceptance is Acceptance.REQUIRED:
            limit = self._limits.messages_per_day
            await _check_full(rows, self._message_key(request), limit, _MESSAGES.format(limit))

    async def start(self, rows: AsyncSession, sender_id: UserId, request: TransferRequest) -> None:
        """Count a start, and the question that it leads to; raises RateLimited."""
        limit = self._limits.transfers_per_hour
        await self._count(rows, self._key("start", sender_id), limit, _HOUR, STARTS.format(limit))
        if request.acceptance is Acceptance.REQUIRED:
            await self.message(rows, request)

    async def message(self, rows: AsyncSession, request: TransferRequest) -> None:
        """Count a question to whoever decides on a request, looked up nowhere: all addresses are alike.

        Raises RateLimited.
        """
        limit = self._limits.messages_per_day
        await self._count(rows, self._message_key(request), limit, _DAY, _MESSAGES.format(limit))

    async def no_message(self, rows: AsyncSession, request: TransferRequest, counted_at: datetime) -> None:
        """Count a question less: the start that was to lead to it is refused, and its target hears nothing."""
        if request.acceptance is Acceptance.REQUIRED:
            await rates.give_back(rows, self._message_key(request), _DAY, counted_at)

    async def sign_in_code(self, rows: AsyncSession, address: Address, network: str = "") -> None:
        """Count a code that is asked for with an address, looked up nowhere, and from a network; raises RateLimited.

        Whoever tries many addresses is held by the second, whoever fills one mailbox from many networks by the first.
        """
        limit, key = self._limits.sign_in_codes_per_hour, f"{address.channel.value}:{address.value}"
        await self._count(rows, self._key("sign-in", key), limit, _HOUR, _CODES.format(limit))
        limit = self._limits.sign_in_codes_per_network
        if network:
            await self._count(rows, self._key("sign-in-from", network), limit, _HOUR, _CODES_FROM.format(limit))

    async def passkey_challenge(self, rows: AsyncSession, network: str) -> None:
        """Count a challenge for a passkey that is asked for from `network`; raises RateLimited."""
        limit, key = self._limits.passkey_challenges_per_minute, self._key("passkey", network)
        await self._count(rows, key, limit, _MINUTE, _CHALLENGES.format(limit))

    async def miss(self, db: Database, client: str) -> None:
        """Count an unknown link that was opened from the address `client`; raises RateLimited.

        Once the limit is reached that is read, and nothing is written: a flood of guesses costs no more than reading.
        """
        limit, key = self._limits.misses_per_minute, self._key("miss", client)
        text = _MISSES.format(limit)
        if not limit:
            return
        async with db.reading() as rows:
            await _check_full(rows, key, limit, text)
        async with db.writing() as rows:
            await self._count(rows, key, limit, _MINUTE, text)

    async def check_refusals(self, rows: AsyncSession, actor: Actor) -> None:
        """Raise RateLimited where somebody was refused as often as they may be. Only reads."""
        limit = self._limits.refusals_per_hour
        await _check_full(rows, self._key("refusal", actor), limit, _REFUSALS.format(limit))

    async def refusal(self, rows: AsyncSession, actor: Actor) -> bool:
        """Count a refusal; False where it is one too many."""
        limit, now = self._limits.refusals_per_hour, datetime.now(UTC)
        return not limit or await rates.count(rows, self._key("refusal", actor), limit, _HOUR, now) is None

    async def _count(self, rows: AsyncSession, key: str, limit: int, window: timedelta, text: str) -> None:
        if limit:
            now = datetime.now(UTC)
            _check(await rates.count(rows, key, limit, window, now), now, text)

    def _message_key(self, request: TransferRequest) -> str:
        target = request.recipient or request.user_id or request.group_id or ""
        return self._key("message", request.kind.value, target)

    def _key(self, what: str, *whom: str) -> str:
        return f"{what}:{self._vault.mac('rate', repr((what, *whom)).encode())}"


async def _check_full(rows: AsyncSession, key: str, limit: int, text: str) -> None:
    if limit:
        now = datetime.now(UTC)
        _check(await rates.full_until(rows, key, limit, now), now, text)


def _check(full_until: datetime | None, now: datetime, text: str) -> None:
    if full_until is not None:
        raise rate_limited(text, full_until, now)


def rate_limited(text: str, until: datetime, now: datetime) -> RateLimited:
    """Give what is refused with that was done too often, in the words of `text`, until a moment."""
    wait = max(ceil((until - now).total_seconds()), 1)
    return RateLimited(f"{text}; try again after {until:%Y-%m-%d %H:%M:%S} UTC.", wait)
