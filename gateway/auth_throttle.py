"""Failed authentications, counted by who tries, so that passwords can't be guessed at leisure."""

import hmac
import logging
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from gateway.socket_limits import SocketLimits

_log = logging.getLogger(__name__)
#: Failures within so many seconds count together, and whoever had too many waits so long.
WINDOW: Final = 60
#: So many are remembered, of each kind; those whose last failure is the longest ago are forgotten first.
_MOST: Final = 4096
#: So many wrong passwords for one identity are compared in a minute with the one that it last came in with.
COMPARED: Final = 1000


class AuthThrottle:
    """Who has failed too often in the last minute, and has to wait for one.

    A charger must not be locked out by us, and many may stand behind one address. So the limit is one for each identity
    at each address: whoever guesses there holds up no other charger, nor, from elsewhere, the same one. The limit for
    an address alone is far higher: a single charger with a wrong key never comes near it, as it is told to wait first.

    Nor does who guesses at the charger's own address, or behind the same proxy: the password that an identity last came
    in with is looked at whatever was counted. That bounds what can be tried at one identity by COMPARED, no further.

    Nothing is kept but in this process; each node counts for itself.
    """

    def __init__(self, limits: SocketLimits, clock: Callable[[], float] = time.monotonic) -> None:
        """Count up to `limits`; `clock` gives seconds."""
        self._pairs = Tallies(limits.guesses_per_identity, clock)
        self._addresses = Tallies(limits.guesses_per_address, clock)
        self._compared = Tallies(COMPARED, clock)
        self._secret = secrets.token_bytes(32)
        #: By identity, what stands for the password that it last came in with.
        self._good: dict[str, bytes] = {}

    def begin(self, address: str, identity: str, password: bytes) -> int:
        """Begin a try and give 0; or give the whole seconds to wait before the next one.

        Until its end a try counts as failed: a hundred at the same moment are no way round the limit.
        """
        wait = max(self._pairs.wait(address, identity), self._addresses.wait(address))
        if wait and not self._is_good(identity, password):
            return math.ceil(wait)
        self._pairs.count(address, identity)
        return 0

    def end(self, address: str, identity: str, *, failed: bool) -> None:
        """End a try; one that has not failed, or of which that isn't known, doesn't count."""
        if not failed:
            self._pairs.forgive(address, identity)
            return
        self._addresses.count(address)
        if self._pairs.newly_full(address, identity):
            _log.warning("%s at %s fails to authenticate too often: it has to wait a minute.", identity, address)
        if self._addresses.newly_full(address):
            _log.warning("Too many fail to authenticate at %s: all there have to wait a minute.", address)

    def learn(self, identity: str, password: bytes, *, good: bool) -> None:
        """Take down whether a password opens an ordinary connection."""
        digest = self._digest(password)
        if good:
            self._good[identity] = digest
        elif self._good.get(identity) == digest:
            del self._good[identity]

    def _is_good(self, identity: str, password: bytes) -> bool:
        good = self._good.get(identity)
        if good is None or self._compared.wait(identity):
            return False
        if hmac.compare_digest(good, self._digest(password)):
            return True
        self._compared.count(identity)
        return False

    def _digest(self, password: bytes) -> bytes:
        return hmac.digest(self._secret, password, "sha256")


@dataclass
class _Tally:
    since: float
    latest: float
    failures: int = 0
    told: bool = False


class Tallies:
    """How often somebody did something within a minute; 0 is no limit."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Count up to `limit`; `clock` gives seconds."""
        self._limit = limit
        self._clock = clock
        self._found: OrderedDict[Hashable, _Tally] = OrderedDict()

    def wait(self, *who: str) -> float:
        """Give the seconds to wait before the next time."""
        tally = self._found.get(who)
        if tally is None or tally.failures < self._limit:
            return 0
        return max(0, tally.latest + WINDOW - self._clock())

    def count(self, *who: str) -> None:
        """Count one more."""
        if not self._limit:
            return
        now = self._clock()
        tally = self._found.get(who)
        if tally is None or now - tally.since >= WINDOW:
            tally = self._found[who] = _Tally(now, now)
        tally.failures += 1
        tally.latest = now
        self._found.move_to_end(who)
        if len(self._found) > _MOST:
            self._found.popitem(last=False)

    def newly_full(self, *who: str) -> bool:
        """Whether the limit is reached; said once."""
        tally = self._found.get(who)
        if tally is None or tally.told or tally.failures < self._limit:
            return False
        tally.told = True
        return True

    def forgive(self, *who: str) -> None:
        """Count one less."""
        tally = self._found.get(who)
        if tally is None:
            return
        tally.failures -= 1
        if not tally.failures:
            del self._found[who]
