"""How often somebody may do what costs others: starts, messages to strangers, guesses; how long that is kept."""

from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, NonNegativeInt

#: How long a request is kept once its transfer is over, an idempotency key from its use on, a refusal, and a one-time
#: code once its transfer is over, where the settings do not say.
REQUESTS_KEPT: Final = timedelta(days=90)
REFUSALS_KEPT: Final = timedelta(days=90)
CODES_KEPT: Final = timedelta(days=7)


class CallLimits(BaseModel):
    """Limits that hold over all API processes; 0 switches one off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    transfers_per_hour: NonNegativeInt = 10
    """Starts of one sender; 0: no limit."""
    messages_per_day: NonNegativeInt = 3
    """Questions to one address, user or group; 0: no limit."""
    misses_per_minute: NonNegativeInt = 10
    """Unknown links opened from one address; 0: no limit."""
    sign_in_codes_per_hour: NonNegativeInt = 5
    """Codes to sign in with that are asked for with one address, whoever has it; 0: no limit."""
    sign_in_codes_per_network: NonNegativeInt = 30
    """The same from one network, within an hour: an office behind one address shares them; 0: no limit."""
    passkey_challenges_per_minute: NonNegativeInt = 60
    """Challenges for passkeys that are asked for from one address; 0: no limit."""
    refusals_per_hour: NonNegativeInt = 100
    """Refused starts and decisions of one caller: beyond it all of theirs are refused, but an operator's, and nothing
    is written of it; 0: no limit."""


NO_LIMITS: Final = CallLimits(
    transfers_per_hour=0,
    messages_per_day=0,
    misses_per_minute=0,
    sign_in_codes_per_hour=0,
    sign_in_codes_per_network=0,
    passkey_challenges_per_minute=0,
    refusals_per_hour=0,
)
