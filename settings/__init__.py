"""Every setting of the product, typed; read from the environment, and from a file `.env` next to it.

A missing or wrong one stops the start with one line that names it (`load`). The table in `docs/settings.md` is made
from the descriptions below.
"""

from datetime import timedelta
from functools import cached_property
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from settings.files import FileSettings
from settings.values import (
    SHORTEST_KEY,
    Address,
    Approval,
    DatabaseUrl,
    Days,
    Name,
    Notice,
    Pooler,
    RedisUrl,
    WebAddress,
    read_keys,
    read_sender,
    read_url,
    read_web_address,
)

__all__ = ["Approval", "Notice", "Pooler", "Settings", "SettingsError", "describe", "load"]


class SettingsError(Exception):
    """A setting is missing or wrong; the text is one line that names it."""


class Settings(FileSettings):
    """What differs from one installation to another. `load()` reads it."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    database_url: DatabaseUrl = Field(
        description="PostgreSQL 15 or newer, as a role that owns nothing: `postgresql://role:password@host/name`"
    )
    database_owner_url: DatabaseUrl | None = Field(
        None,
        description=(
            "The same database as the role that owns the tables; "
            "only `logbook migrate`, `refold`, `rekey`, `rotate-keys`, `restore-check` and `make-migration` use it"
        ),
    )
    database_worker_url: DatabaseUrl | None = Field(
        None,
        description=(
            "The same database as the worker's role, which owns nothing either; without it, the worker connects as the "
            "web server does. `logbook migrate` needs it, too"
        ),
    )
    database_pool_size: int = Field(10, ge=2, le=1000, description="The most connections that each process holds")
    database_pooler: Pooler = Field(
        Pooler.NONE, description="`transaction` behind PgBouncer in transaction mode, otherwise `none`"
    )
    redis_url: RedisUrl = Field(
        description="Redis or Valkey, for waking the workers and for rate limits: `redis://host:6379/0`"
    )
    smtp_url: SecretStr = Field(
        description=(
            "Where mail is sent: `smtp://user:password@host:587?tls=starttls`, `smtps://...` for TLS from the "
            "first byte; `?tls=none` sends in the clear"
        )
    )
    smtp_timeout: int = Field(20, ge=1, le=50, description="Seconds that sending one mail may take")
    mail_from: str = Field(description="Sender of every mail: `Name <address>` or an address")
    base_url: str = Field(description="Where people find the service: `https://logbook.example`")
    secret_key: SecretStr = Field(
        min_length=SHORTEST_KEY,
        description=(
            "At least 32 random characters; the key for link tokens and hashes. Anyone who has it can forge links"
        ),
    )
    secret_keys_before: SecretStr = Field(
        SecretStr(""),
        description=(
            "Earlier values of `SECRET_KEY`, separated by commas: what was made with them goes on working. "
            "`logbook rekey` says when one is no longer needed"
        ),
    )
    organisation_name: Name = Field("Mediation Logbook", description="What the service calls itself")
    institute_name: Name = Field(
        "the mediation institute", description="Who publishes the profiles in which Feedback Digests appear"
    )
    digest_url: WebAddress = Field(description="A page that explains what a Feedback Digest is")
    support_email: Address = Field(description="Where people can ask questions; in mails, the survey and the footer")
    privacy_policy_url: WebAddress = Field(
        description="The privacy policy; shown in the request mail, the survey and the footer"
    )
    paid_access: bool = Field(
        False, description="Whether mediators need paid access to add entries and request feedback"
    )
    reviewer_approval: Approval = Field(
        Approval.NEW,
        description=(
            "What an administrator does before a reviewer reads anything: confirm each `new` reviewer once, approve "
            "`each` appointment as well, or `none` of these. The reviewer has to accept in any case"
        ),
    )
    admin_second_factor: bool = Field(
        False, description="Whether administrators must have a second factor before they may do anything else"
    )
    session_idle_days: Days = Field(14, description="Days without use after which a session ends")
    session_days: Days = Field(90, description="Days after which a session ends in any case")
    compiled_execution: bool = Field(
        True, description="Whether plain fields are completed by compiled functions; if not, by graphql-core alone"
    )
    trusted_proxies: str = Field(
        "127.0.0.1", description="Addresses whose `X-Forwarded-For` is trusted, separated by commas"
    )
    deletions_ledger: Path | None = Field(
        None,
        description=(
            "File in which workers record the ids of deleted accounts and files, apart from the database and its "
            "backups, so that a restored backup can delete them again. They record the audit log's heads in a file "
            "beside it, with `.audit` added to the name"
        ),
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of `/metrics` for Prometheus; each web server and worker on one machine needs its own",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address of `/metrics`, which has no password: keep strangers away from it"
    )
    mailbox: Path | None = Field(
        None, description="Folder of the mail that the demo catches; served at `/mailbox`. Never set it in production"
    )
    release_least: int = Field(
        3,
        ge=0,
        le=100,
        description=(
            "From how many people shared answers must be waiting until the mediator gets them, as a group and at a "
            "random time of the day; at least 2 (0, at once, is for the demo)"
        ),
    )
    release_after: Days = Field(
        30, description="Days after which answers reach the mediator alone, if their giver allowed that"
    )
    origin_kept: int = Field(24, ge=1, le=120, description="Months after which origins of feedback are erased")
    feedback_notice: Notice = Field(
        Notice.NAMED,
        description="Mail about new feedback: `named` says who gave it, `discreet` that there may be some, or `off`",
    )
    shared_release: str | None = Field(None, description="Replaced by `RELEASE_LEAST`: the start stops if it's set")
    demo_clock_offset_hours: int = Field(
        0, ge=-24 * 3650, le=24 * 3650, description="Moves the service's clock; only for demos and tests"
    )

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr) -> SecretStr:
        parts = read_url(value, "smtp", "smtps")
        if not parts.hostname:
            raise ValueError("must name a host")
        # A mistyped choice mustn't lead to mail being sent in the clear.
        choices = ["", "tls=starttls", "tls=none"] if parts.scheme == "smtp" else [""]
        if parts.query not in choices:
            raise ValueError("may end in ?tls=starttls or ?tls=none after smtp://, and in neither after smtps://")
        return value

    @field_validator("secret_key")
    @classmethod
    def _key(cls, value: SecretStr) -> SecretStr:
        if read_keys(value) != [value.get_secret_value()]:
            raise ValueError("must have no comma, nor space at its ends: it may have to go into SECRET_KEYS_BEFORE")
        return value

    @field_validator("secret_keys_before")
    @classmethod
    def _keys(cls, value: SecretStr) -> SecretStr:
        if any(len(key) < SHORTEST_KEY for key in read_keys(value)):
            raise ValueError(f"each key must have at least {SHORTEST_KEY} characters")
        return value

    @field_validator("base_url")
    @classmethod
    def _base(cls, value: str) -> str:
        address = read_web_address(value)
        parts = urlsplit(address)
        if address != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
            raise ValueError("must be only a scheme and a host, such as https://logbook.example")
        return address

    @field_validator("mail_from")
    @classmethod
    def _from(cls, value: str) -> str:
        read_sender(value)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, value: str) -> str:
        # The web server would take anything it can't read to mean no proxy at all.
        for address in value.split(","):
            ip_network(address.strip())
        return value

    @field_validator("deletions_ledger")
    @classmethod
    def _ledger(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_absolute():
            raise ValueError("must be an absolute path, which starts with /")
        return value

    @field_validator("reviewer_approval", mode="before")
    @classmethod
    def _no_longer_a_switch(cls, value: Any) -> Any:
        if str(value) not in set(Approval):
            raise ValueError("must be new, each or none; true is called each now, and false none")
        return value

    @field_validator("shared_release")
    @classmethod
    def _replaced(cls, value: str | None) -> None:
        if value is not None:
            raise ValueError("it no longer exists; set RELEASE_LEAST instead")

    @field_validator("release_least")
    @classmethod
    def _groups(cls, value: int, info: ValidationInfo) -> int:
        if value == 1 or (value == 0 and info.data.get("mailbox") is None):
            raise ValueError("must be at least 2: a single piece of feedback would show who wrote it")
        return value

    @field_validator("metrics_host")
    @classmethod
    def _metrics_address(cls, value: str) -> str:
        return str(ip_address(value))

    @cached_property
    def secret_keys(self) -> tuple[bytes, ...]:
        """The service's keys: the present one, which makes everything new, and then the earlier ones."""
        given = (self.secret_key.get_secret_value(), *read_keys(self.secret_keys_before))
        return tuple(dict.fromkeys(key.encode() for key in given))

    @cached_property
    def is_https(self) -> bool:
        """Whether people reach the service over TLS; then cookies are `__Host-` and `Secure`."""
        return self.base_url.startswith("https://")

    @cached_property
    def sender(self) -> tuple[str, str]:
        """Who mail is from: a name, perhaps empty, and an address."""
        return read_sender(self.mail_from)

    @cached_property
    def clock_offset(self) -> timedelta:
        """How far the service's clock is moved from the machine's."""
        return timedelta(hours=self.demo_clock_offset_hours)


def load(**overrides: Any) -> Settings:
    """Read the settings from the environment; raise SettingsError, one line, if one is missing or wrong."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        name = str(problem["loc"][0]).upper()
        if problem["type"] == "missing":
            raise SettingsError(f"{name} is not set: {describe(name)}") from None
        reason = problem["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name} is wrong: {reason}") from None


def describe(name: str) -> str:
    """Say what the setting of that name (upper case) is for."""
    return Settings.model_fields[name.lower()].description or ""
