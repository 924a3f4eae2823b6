"""Letters about accounts: that somebody can sign in with a passkey, or no longer can."""

from activities.contracts.account_news import AccountNews, TellOfPasskey
from activities.contracts.messages import Done
from activities.letterbox import Letterbox, MessageIds, Outgoing, mark
from activities.parties import find_users
from notices.letters import PasskeyLetter
from notices.mail import Sender
from persistence.session import Database


class AccountLetters(AccountNews):
    """Sends them. No transaction is open while the mail server is spoken to."""

    def __init__(self, db: Database, sender: Sender, origin: str) -> None:
        """Take where links point to, `origin`."""
        self._db = db
        self._letterbox = Letterbox(sender)
        self._names = MessageIds(origin)
        self._origin = origin

    async def tell_of_passkey(self, order: TellOfPasskey) -> Done:
        """Tell whoever has the account, at their address of this moment; nobody where it is not in use.

        Idempotent: the Message-ID follows from the passkey's id and from what became of it.
        """
        async with self._db.reading() as rows:
            found = await find_users(rows, [order.user_id])
        link = f"{self._origin.rstrip('/')}/account/passkeys"
        draft = PasskeyLetter(change=order.change, at=order.at, link=link, origin=self._origin)
        name = self._names.of("passkey", order.change.value, mark(order.passkey_id))
        await self._letterbox.post([Outgoing(draft, person.locale, person.address, name) for person in found])
        return Done()
