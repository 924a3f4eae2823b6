"""Orders: what somebody has done to a transfer, a charge point or a person's account. The row of one is its proof.

A workflow is told the row's id alone: what else reaches Temporal's port may come from anybody.
"""

from enum import StrEnum

from domain.errors import NotAllowed


class OrderAct(StrEnum):
    """What an order has done; the words are those of Decision, OperatorAction and ChargerOrder where they are one."""

    START = "start"
    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"
    RESEND = "resend"
    SEND_CODE = "send_code"
    RETRY = "retry"
    ROLL_BACK = "roll_back"
    COMPLETE = "complete"
    PAUSE = "pause"
    RESUME = "resume"
    ROTATE_KEY = "rotate_key"
    IDENTIFY = "identify"
    END_SESSION = "end_session"
    SETTLE_SESSIONS = "settle_sessions"
    ERASE = "erase"


def unproven() -> NotAllowed:
    """Give the refusal of what no order on record asks for."""
    return NotAllowed("No order for this is on record; give it by the API, the page of the link, or ./handover.")
