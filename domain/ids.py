"""Typed ids, and how the ids of workflows and task queues are spelled."""

import re
from datetime import date
from typing import NewType

UserId = NewType("UserId", str)
GroupId = NewType("GroupId", str)
ChargePointId = NewType("ChargePointId", str)
TransferId = NewType("TransferId", str)
LinkId = NewType("LinkId", str)
NodeId = NewType("NodeId", str)
OrderId = NewType("OrderId", str)
SignInId = NewType("SignInId", str)
SignInCodeId = NewType("SignInCodeId", str)
PasskeyId = NewType("PasskeyId", str)

#: So many characters an id has at most.
LONGEST_ID = 64
#: What an id may look like: also the form that an import file's ids must have.
ID_PATTERN = re.compile(rf"^[A-Za-z0-9][A-Za-z0-9_.-]{{0,{LONGEST_ID - 1}}}$")

#: The task queue of the workflows and of every activity that is not a charger's.
TASK_QUEUE = "handover"


def workflow_id(transfer_id: TransferId) -> str:
    """Give the workflow id of a transfer."""
    return f"transfer-{transfer_id}"


def rescue_workflow_id(transfer_id: TransferId) -> str:
    """Give the workflow id that does what an ended transfer has left to do."""
    return f"rescue-{transfer_id}"


def transfer_of(name: str) -> TransferId | None:
    """Give the transfer that a workflow id is of; None of any other's, and of a link's."""
    kind, _, transfer_id = name.partition("-")
    return TransferId(transfer_id) if kind in {"transfer", "rescue"} and transfer_id else None


def code_workflow_id(link_id: LinkId, number: int) -> str:
    """Give the workflow id that sends the `number`-th one-time code (from 1) of a link."""
    return f"code-{link_id}-{number}"


def sign_in_code_workflow_id(code_id: SignInCodeId) -> str:
    """Give the workflow id that sends a code to sign in with."""
    return f"sign-in-code-{code_id}"


def passkey_news_workflow_id(passkey_id: PasskeyId, change: str) -> str:
    """Give the workflow id that tells somebody what became of a passkey of theirs."""
    return f"passkey-{passkey_id}-{change}"


def account_workflow_id(link_id: LinkId) -> str:
    """Give the workflow id that opens the account of whoever a link was sent to."""
    return f"account-{link_id}"


def owner_news_workflow_id(charge_point_id: ChargePointId, news: str, day: date, occasion: str = "") -> str:
    """Give the workflow id that tells an owner a piece of news of one day; of news that each time counts, of each."""
    return f"owner-news-{charge_point_id}-{news}-{day.isoformat()}" + (f"-{occasion}" if occasion else "")


def charger_order_workflow_id(charge_point_id: ChargePointId, act: str, order_id: OrderId) -> str:
    """Give the workflow id that has a charger told something outside any transfer, once for each order."""
    return f"charger-order-{charge_point_id}-{act}-{order_id}"


def gateway_queue(node: NodeId) -> str:
    """Give the task queue of one gateway process: commands to the chargers whose sockets it holds."""
    return f"gateway-{node}"
