"""The settings of the files that mediators attach: where they're kept, and the keys that they're encrypted with."""

from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from settings.values import SHORTEST_KEY, WebAddress, read_keys


class FileSettings(BaseSettings):
    """What differs from one installation to another, as far as files are concerned."""

    files_s3_endpoint: WebAddress | None = Field(
        None, description="Address of the S3-compatible service that `FILES_STORE` is in; without it, Amazon's"
    )
    files_s3_region: str = Field("us-east-1", pattern="^[a-z0-9-]+$", description="Region of that service")
    files_s3_access_key: str | None = Field(
        None, pattern="^[!-~]+$", description="Id of the key to that service; it's needed with `s3://`"
    )
    files_s3_secret_key: SecretStr | None = Field(
        None, min_length=8, description="Secret of that key; it's needed with `s3://`, too"
    )
    files_store: str | None = Field(
        None,
        description=(
            "Where the files that mediators attach are kept, encrypted: a folder that web servers and workers share, "
            "such as `/srv/logbook/files`, or `s3://bucket/prefix`. Nothing else may be in it"
        ),
    )
    files_keys: SecretStr = Field(
        SecretStr(""),
        description=(
            "Keys of the files, separated by commas, each at least 32 random characters: the first encrypts, all "
            "decrypt. Without any, nobody can attach files. `logbook rotate-keys` says when an earlier one is no "
            "longer needed"
        ),
    )

    @field_validator("files_store")
    @classmethod
    def _store(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or Path(value).is_absolute():
            return value
        parts = urlsplit(value)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise ValueError("must be an absolute path, which starts with /, or s3://bucket/prefix")
        if not info.data.get("files_s3_access_key") or not info.data.get("files_s3_secret_key"):
            raise ValueError("with s3://, FILES_S3_ACCESS_KEY and FILES_S3_SECRET_KEY have to be set, too")
        return value

    @field_validator("files_keys")
    @classmethod
    def _file_keys(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if any(len(key) < SHORTEST_KEY for key in read_keys(value)):
            raise ValueError(f"each key must have at least {SHORTEST_KEY} characters")
        if read_keys(value) and info.data.get("files_store") is None:
            raise ValueError("FILES_STORE has to be set, too: it says where the files are kept")
        return value

    @cached_property
    def file_keys(self) -> tuple[bytes, ...]:
        """The keys of files: the first encrypts, all decrypt."""
        return tuple(dict.fromkeys(key.encode() for key in read_keys(self.files_keys)))

    @property
    def takes_files(self) -> bool:
        """Whether files can be attached."""
        return bool(self.file_keys)
