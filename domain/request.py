"""What a sender asks for, checked and normalised: kept sealed in the request row, read by the workflow's activities."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict

from domain.contact import Address, Channel
from domain.ids import GroupId, UserId
from domain.kinds import TransferKind
from domain.transfer import Acceptance, Connection, IfOffline, RunningSession, UntilNewKey


class TransferRequest(BaseModel):
    """A request with its defaults filled in; which of the three targets is given follows from `kind`."""

    model_config = ConfigDict(frozen=True)

    kind: TransferKind
    group_id: GroupId | None = None
    user_id: UserId | None = None
    recipient: str | None = None
    """The normalised address (domain.contact.Address.value)."""
    recipient_channel: Channel | None = None
    connection: Connection = Connection.KEEP
    acceptance: Acceptance
    expires_in: timedelta
    running_session: RunningSession = RunningSession.WAIT
    if_offline: IfOffline = IfOffline.COMPLETE
    until_new_key: UntilNewKey = UntilNewKey.SERVE
    """The sender's choice where nobody is asked; else the recipient makes it as they accept."""
    message: str | None = None
    """A line from the sender to the recipient."""
    reason: str | None = None
    """Why an operator asks, for the audit trail."""

    @property
    def address(self) -> Address | None:
        """The recipient's, where they are found by one."""
        return Address(self.recipient_channel or Channel.EMAIL, self.recipient) if self.recipient else None
