"""What a mail is: one declaration, from which everything else about it follows."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic

from i18n import LazyText
from jobs.mail.recipients import FactsT_co, Recipient, is_stopped
from jobs.mail.render import Message, render
from jobs.outbox import WorkKind, WorkRow
from models.database import Transaction
from settings import Settings


@dataclass(frozen=True)
class Letter:
    """A mail and the one address it goes to."""

    address: str
    message: Message


@dataclass(frozen=True, kw_only=True)
class Mail(WorkKind, Generic[FactsT_co]):
    """A kind of mail; its name is also its folder in `templates/`.

    `subject` may name facts, as in `%(mediator_name)s`. `find` reads who gets the mail and its facts at the moment when
    it's sent, and gives None if the mail has become pointless or forbidden since it was queued. `facts` is what it
    finds. `unasked`: it doesn't go to addresses that have stopped requests.
    """

    subject: LazyText
    facts: type[FactsT_co]
    find: Callable[[Transaction, Settings, WorkRow], Awaitable[Recipient[FactsT_co] | None]]
    unasked: bool = False

    async def letter(self, transaction: Transaction, settings: Settings, work: WorkRow) -> Letter | None:
        """Write the mail of an outbox row; None if it shouldn't be sent any more."""
        recipient = await self.find(transaction, settings, work)
        if recipient is None:
            return None
        if self.unasked and await is_stopped(transaction, settings, recipient.address):
            return None
        return Letter(recipient.address, render(self.name, self.subject, recipient.facts, settings))
