"""Accounts and what opens them (sessions, API tokens, emailed links), and the keys of repeated requests."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.columns import (
    cascade_fk,
    one_of,
    random_id,
    secret_hash,
    server_default,
    table,
    text_column,
    timestamptz,
    word_list,
)
from models.folds import folded, folded_words


class Role(StrEnum):
    """What an account may do here. One account may have several roles."""

    MEDIATOR = "MEDIATOR"
    REVIEWER = "REVIEWER"
    DIRECTORY = "DIRECTORY"
    ADMIN = "ADMIN"


IS_REVIEWER = "roles @> ARRAY['REVIEWER']"  # the same as in the index of reviewers
TAG = r"(?<=.)[+][^@]*(?=@)"  # an address's tag; PostgreSQL and Python read this alike
MAILBOX = f"regexp_replace(email_key, '{TAG}', '')"  # the same as in its index


class LinkPurpose(StrEnum):
    """What an emailed link does."""

    VERIFY_EMAIL = "VERIFY_EMAIL"
    CHANGE_EMAIL = "CHANGE_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105 - the purpose's name
    SET_PASSWORD = "SET_PASSWORD"  # noqa: S105 - the purpose's name


class Account(SQLModel, table=True):
    """A person or organisation that signs in. `email_key` is the address's account key.

    Lists of people are in the order of `name_key`, and searched by `name_words`; both are the name's folds. An
    administrator confirms a reviewer once, at `reviewer_confirmed_at`; losing the role ends that.
    """

    __table_args__ = (
        Index("account_words", "name_words", postgresql_using="gin"),
        Index("account_by_name", "name_key", "id"),
        # Reviewers are few; without this, listing them would search all accounts.
        Index("account_reviewers", "name_key", "id", postgresql_where=text(IS_REVIEWER)),
        Index("account_mailbox", text(MAILBOX)),
        CheckConstraint(f"reviewer_confirmed_at IS NULL OR {IS_REVIEWER}", name="confirmed_is_reviewer"),
    )

    id: UUID = random_id()
    name: str = text_column()
    name_key: str = folded("name")
    name_words: str | None = folded_words("name")
    email: str = text_column()
    email_key: str = Field(unique=True)
    password_hash: str | None = text_column()
    roles: list[str] = word_list()
    email_verified_at: datetime | None = timestamptz()
    paid_until: datetime | None = timestamptz()
    reviewer_confirmed_at: datetime | None = timestamptz()
    created_at: datetime = timestamptz(default_now=True)


class Session(SQLModel, table=True):
    """A signed-in browser."""

    id: UUID = random_id()
    account_id: UUID = cascade_fk("account")
    secret_hash: bytes = secret_hash()
    created_at: datetime = timestamptz(default_now=True)
    used_at: datetime = timestamptz(default_now=True)


class PendingSignIn(SQLModel, table=True):
    """A browser that has sent the right password but not yet the code. `tries` counts the codes it has sent."""

    __tablename__ = "pending_sign_in"

    id: UUID = random_id()
    account_id: UUID = cascade_fk("account")
    secret_hash: bytes = secret_hash()
    tries: int = server_default("0")
    created_at: datetime = timestamptz(default_now=True)


class SignInTrouble(SQLModel, table=True):
    """How often one thing went wrong in an hour while somebody tried to sign in to an account.

    It becomes an entry of the audit log when the hour is over (`jobs/sign_in_trouble.py`). Addresses without an account
    are counted too, under an id that nothing has, because leaving that out would show in the time that an answer takes.
    There's no reference, so that deleting an account doesn't hide what was tried on it.
    """

    __tablename__ = "sign_in_trouble"

    account_id: UUID = Field(primary_key=True)
    action: str = Field(primary_key=True)
    hour: datetime = Field(sa_type=DateTime(timezone=True), primary_key=True)
    has_account: bool
    count: int = server_default("1")


class ApiToken(SQLModel, table=True):
    """A program's access to an account. It has the roles that its owner had when it was made and still has."""

    __tablename__ = "api_token"

    id: UUID = random_id()
    account_id: UUID = cascade_fk("account")
    name: str = text_column()
    secret_hash: bytes = secret_hash()
    roles: list[str] = word_list(empty=True)
    created_at: datetime = timestamptz(default_now=True)
    used_at: datetime | None = timestamptz()
    expires_at: datetime | None = timestamptz()
    revoked_at: datetime | None = timestamptz()


class AccountLink(SQLModel, table=True):
    """An emailed single-use link, deleted when it's used."""

    __tablename__ = "account_link"
    __table_args__ = (one_of("purpose", LinkPurpose),)

    id: UUID = random_id()
    account_id: UUID = cascade_fk("account")
    purpose: str = text_column()
    secret_hash: bytes = secret_hash()
    new_email: str | None = text_column()
    expires_at: datetime = timestamptz()


class SecondFactor(SQLModel, table=True):
    """A second factor (RFC 6238). Once it's confirmed, signing in takes its code as well as the password.

    `last_step` is the half minute of the code used last, so that no code works twice; `wrong_code_told_at` is when the
    owner was last told of a wrong one.
    """

    __tablename__ = "second_factor"

    account_id: UUID = cascade_fk("account", primary=True)
    sealed: bytes = Field(sa_type=LargeBinary)
    confirmed_at: datetime | None = timestamptz()
    last_step: int | None = Field(default=None, sa_type=BigInteger)
    wrong_code_told_at: datetime | None = timestamptz()


class RecoveryCode(SQLModel, table=True):
    """A code that replaces a lost second factor, deleted when it's used."""

    __tablename__ = "recovery_code"

    id: UUID = random_id()
    account_id: UUID = cascade_fk("account")
    secret_hash: bytes = secret_hash()


class RequestKey(SQLModel, table=True):
    """The key of a request that made something, kept so that its repeat gets the same answer for 24 hours.

    Most answers are read again by the id of what was made; for a change that made many things, `answer` has each one's
    result. `content_hash` tells a repeat from a different change with the same key.
    """

    __tablename__ = "request_key"

    key_hash: bytes = Field(sa_type=LargeBinary, primary_key=True)
    content_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    account_id: UUID | None = Field(default=None, foreign_key="account.id", ondelete="CASCADE", index=True)
    result_id: UUID | None = None
    answer: list[Any] | None = Field(default=None, sa_type=JSONB)
    made_at: datetime = timestamptz(default_now=True)


accounts = table(Account)
sessions = table(Session)
pending_sign_ins = table(PendingSignIn)
sign_in_troubles = table(SignInTrouble)
api_tokens = table(ApiToken)
account_links = table(AccountLink)
second_factors = table(SecondFactor)
recovery_codes = table(RecoveryCode)
request_keys = table(RequestKey)
