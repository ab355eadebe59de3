"""A database that was restored from a backup: how to recognise it, and what has to happen before it serves.

A backup brings back what has been erased since: accounts and files that were deleted, personal data whose time is over.
So a database remembers where it's at home: PostgreSQL's own ids of the cluster, the database and a table, which no dump
carries along. One that wakes up somewhere else serves nobody until `settle` has run.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, ClauseElement, any_, bindparam, delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import LargeBinary, Text, Uuid

from jobs import audit
from jobs.expiry import clean_up, erase_origins, erase_request_details
from jobs.ledger import deletions
from models.account import account_links, accounts, pending_sign_ins, request_keys, sessions
from models.database import Transaction
from models.evidence import evidence_files
from models.feedback import details_keys, feedback_origins, feedback_request_details
from models.outbox import AuditAction, chores, outbox
from models.reviewer import reviewer_invitations
from models.statement import Expression, Row, statement
from permissions.scopes import made_on
from permissions.sealing import mailbox_hashes
from settings import Settings

# The table's id shows when a dump was restored into the same database it was taken from.
_HERE = text(
    """SELECT concat_ws(' ', 'home', (SELECT system_identifier FROM pg_control_system()),
                  (SELECT oid FROM pg_database WHERE datname = current_database()), 'account'::regclass::oid)"""
)
_HOMES = chores.c.name.startswith("home ")


class _Home(Row):
    name: str


@statement(_Home)
def _homes() -> ClauseElement:
    return select(chores.c.name).where(_HOMES)


JUST_BEFORE = timedelta(minutes=10)


class LedgerIncomplete(Exception):
    """The backup knows of `missing` deletions that aren't in the ledger, so the ledger isn't complete."""

    def __init__(self, missing: int) -> None:
        super().__init__()
        self.missing = missing


@dataclass(frozen=True)
class Settled:
    """What was erased from a restored database, and how much of it."""

    accounts: int
    files: int
    details: int
    origins: int
    sessions: int


async def is_at_home(transaction: Transaction) -> bool:
    """Tell whether this database has been settled where it is, or is new. A new one is at home from now on."""
    here = await transaction.value(_HERE, str)
    homes = await transaction.all(_homes())
    if not homes:
        await _settle_here(transaction)
    return not homes or here in {row.name for row in homes}


async def _settle_here(transaction: Transaction) -> None:
    await transaction.run(delete(chores).where(_HOMES))
    # A new database's first processes may start at the same time.
    remember = insert(chores).values(name=bindparam("here", type_=Text())).on_conflict_do_nothing()
    await transaction.run(remember, here=await transaction.value(_HERE, str))


async def settle(transaction: Transaction, settings: Settings, ledger: Collection[UUID] | None) -> Settled:
    """Erase what a restored database mustn't bring back, as the role that owns the tables.

    That's everything that has expired, and the ledger's accounts and files. Everybody has to sign in again, because
    sessions and links that ended since the backup would work again, too. The audit log says that it lost what came
    after the backup. Raises LedgerIncomplete. With no ledger, deleted accounts and files stay.
    """
    if ledger is not None:
        await _require_whole(transaction, ledger)
    details = await erase_request_details(transaction)
    # A backup leaves the keys out: nobody can read these any more.
    details += await transaction.run(delete(feedback_request_details).where(made_on.not_in(select(details_keys.c.day))))
    origins = await erase_origins(transaction, settings)
    await clean_up(transaction, settings)
    files = await transaction.run(delete(evidence_files).where(evidence_files.c.id == _these(ledger or [])))
    gone = await _delete_again(transaction, settings, list(ledger or []))
    signed_out = await transaction.run(delete(sessions))
    await transaction.run(delete(pending_sign_ins))
    await transaction.run(delete(account_links))
    await _settle_here(transaction)
    await audit.write(transaction, settings, [{"action": AuditAction.BACKUP_RESTORED}])
    return Settled(gone, files, details, origins, signed_out)


def _these(ids: Collection[UUID]) -> Expression:
    return any_(bindparam("ids", [*ids], ARRAY(Uuid())))


async def _require_whole(transaction: Transaction, ledger: Collection[UUID]) -> None:
    """Compare it with the backup's own audit log, except for deletions made during the backup."""
    backed_up_at = await transaction.value(select(func.max(chores.c.ran_at)), datetime)
    known = {
        row.subject_id
        for row in await deletions(transaction)
        if backed_up_at is None or row.at < backed_up_at - JUST_BEFORE
    }
    if missing := known - set(ledger):
        raise LedgerIncomplete(len(missing))


class _AddressRow(Row):
    email_key: str


@statement(_AddressRow)
def _verified() -> ClauseElement:
    # Anyone can sign up with someone else's address.
    verified = accounts.c.email_verified_at.is_not(None)
    return select(accounts.c.email_key).where(accounts.c.id == any_(bindparam("ids", type_=ARRAY(Uuid()))), verified)


async def _delete_again(transaction: Transaction, settings: Settings, ids: list[UUID]) -> int:
    """Do what `resolvers/account_deletion.py` did, but without the mail: people already got it.

    What's queued for the ids that depend on an account (requests, entries) finds no row any more, and goes by itself.
    """
    these = _these(ids)
    theirs = [row.email_key for row in await transaction.all(_verified(), ids=ids)]
    mailboxes = bindparam(
        "mailboxes", [one for it in theirs for one in mailbox_hashes(settings, it)], ARRAY(LargeBinary())
    )
    await transaction.run(delete(feedback_origins).where(feedback_origins.c.mailbox_hash == any_(mailboxes)))
    addresses = bindparam("addresses", theirs, ARRAY(Text()))
    await transaction.run(delete(reviewer_invitations).where(reviewer_invitations.c.email_key == any_(addresses)))
    await transaction.run(delete(request_keys).where(request_keys.c.result_id == these))
    await transaction.run(delete(outbox).where(or_(outbox.c.subject_id == these, outbox.c.other_id == these)))
    return await transaction.run(delete(accounts).where(accounts.c.id == these))
