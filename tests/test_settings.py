import os
from pathlib import Path
from typing import Any

import pytest

from settings import Approval, Settings, SettingsError, describe, load

GOOD: dict[str, str] = {
    "DATABASE_URL": "postgresql://app:hunter2@db.demo.example/logbook",
    "DATABASE_OWNER_URL": "postgresql://owner:hunter2@db.demo.example/logbook",
    "REDIS_URL": "redis://:hunter2@redis.demo.example:6379/0",
    "SMTP_URL": "smtp://mailer:hunter2@smtp.demo.example:587?tls=starttls",
    "MAIL_FROM": "Demo Logbook <logbook@demo.example>",
    "BASE_URL": "https://logbook.demo.example",
    "SECRET_KEY": "hunter2-" * 5,
    "DIGEST_URL": "https://institute.demo.example/digest",
    "SUPPORT_EMAIL": "help@demo.example",
    "PRIVACY_POLICY_URL": "https://logbook.demo.example/privacy",
}
REQUIRED = sorted(name.upper() for name, field in Settings.model_fields.items() if field.is_required())


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment with only the good settings, in a folder without a `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def problem(**overrides: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(**overrides)
    return str(caught.value)


def test_given_settings_are_read() -> None:
    settings = load()
    assert settings.database_url.get_secret_value() == GOOD["DATABASE_URL"]
    assert settings.mail_from == GOOD["MAIL_FROM"]
    assert settings.is_https


def test_a_file_in_the_working_directory_is_read_and_the_environment_overrides_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("SMTP_TIMEOUT=7\nSUPPORT_EMAIL=other@demo.example\nUNKNOWN=1\n")
    assert load().smtp_timeout == 7
    assert load().support_email == GOOD["SUPPORT_EMAIL"]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_setting_is_named_along_with_its_purpose(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    assert problem() == f"{name} is not set: {describe(name)}"


def test_the_keys_begin_with_the_present_one_and_each_counts_once() -> None:
    present, first, second = GOOD["SECRET_KEY"], "a" * 32, "b" * 40
    settings = load(secret_keys_before=f" {first}, {second},{present},")
    assert settings.secret_keys == (present.encode(), first.encode(), second.encode())
    assert load().secret_keys == (present.encode(),)


def test_the_first_key_of_files_encrypts_and_each_counts_once() -> None:
    first, second = "a" * 32, "b" * 40
    settings = load(files_store="/srv/files", files_keys=f" {first}, {second},{first},")
    assert settings.file_keys == (first.encode(), second.encode())
    assert settings.takes_files
    assert not load(files_store="/srv/files").takes_files


def test_every_setting_says_what_it_is_for() -> None:
    assert all(describe(name.upper()) for name in Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "hunter2-," * 5),
        ("SECRET_KEY", " " + "hunter2-" * 5),
        ("SECRET_KEYS_BEFORE", f"{'hunter2-' * 5},hunter2"),
        ("DATABASE_URL", "mysql://app:hunter2@db.demo.example/logbook"),
        ("DATABASE_URL", "postgresql://app:hunter2/x@db.demo.example/logbook"),
        ("DATABASE_URL", "postgresql://app:hunter2#x@db.demo.example/logbook"),
        ("DATABASE_URL", "postgresql://app:1#hunter2@db.demo.example/logbook"),
        ("DATABASE_URL", "postgresql://"),
        ("DATABASE_URL", ""),
        ("DATABASE_OWNER_URL", "hunter2"),
        ("REDIS_URL", "redis://redis.demo.example:hunter2/0"),
        ("REDIS_URL", "http://redis.demo.example"),
        ("REDIS_URL", "redis://[hunter2/0"),
        ("SMTP_URL", "smtp://mailer:hunter2/x@smtp.demo.example"),
        ("SMTP_URL", "smtp://mailer:hunter2\u2100@smtp.demo.example"),
        ("SMTP_URL", "smtp://smtp.demo.example:99999"),
        ("SMTP_URL", "smtp:///hunter2"),
        ("SMTP_URL", "smtp.demo.example:587"),
        ("SMTP_URL", "smtp://smtp.demo.example?tls=startls"),
        ("SMTP_URL", "smtp://smtp.demo.example?TLS=none"),
        ("SMTP_URL", "smtp://mailer:hunter2?x@smtp.demo.example"),
        ("SMTP_URL", "smtps://smtp.demo.example?tls=none"),
        ("SMTP_TIMEOUT", "0"),
        ("SMTP_TIMEOUT", "51"),  # a lease is 60 seconds
        ("SECRET_KEY", "hunter2"),
        ("MAIL_FROM", "logbook"),
        ("MAIL_FROM", "logbook@"),
        ("MAIL_FROM", "Logbook, Demo <logbook@demo.example>"),
        ("MAIL_FROM", "logbook@demo.example, other@demo.example"),
        ("MAIL_FROM", "logbook@demo.example\nBcc: other@demo.example"),
        ("MAIL_FROM", "jörg@demo.example"),
        ("SUPPORT_EMAIL", "help@demo@example"),
        ("BASE_URL", "logbook.demo.example"),
        ("BASE_URL", "ftp://logbook.demo.example"),
        ("BASE_URL", "https://"),
        ("BASE_URL", "https://logbook.demo.example/logbook"),
        ("BASE_URL", "https://logbook.demo.example?x=1"),
        ("BASE_URL", "https://admin:hunter2@logbook.demo.example"),
        ("DIGEST_URL", "javascript:alert(1)"),
        ("PRIVACY_POLICY_URL", "hunter2"),
        ("DATABASE_POOL_SIZE", "1"),
        ("DATABASE_POOL_SIZE", "many"),
        ("DATABASE_POOLER", "session"),
        ("ORGANISATION_NAME", ""),
        ("INSTITUTE_NAME", "n" * 101),
        ("PAID_ACCESS", "perhaps"),
        ("REVIEWER_APPROVAL", "2"),
        ("REVIEWER_APPROVAL", "NEW"),
        ("SHARED_RELEASE", "daily"),
        ("RELEASE_LEAST", "1"),
        ("RELEASE_AFTER", "0"),
        ("ORIGIN_KEPT", "0"),
        ("FEEDBACK_NOTICE", "loud"),
        ("SESSION_IDLE_DAYS", "0"),
        ("SESSION_DAYS", "99999"),
        ("TRUSTED_PROXIES", "127.0.0.1, loadbalancer"),
        ("TRUSTED_PROXIES", "*"),
        ("DEMO_CLOCK_OFFSET_HOURS", "1.5"),
        ("FILES_STORE", "files"),
        ("FILES_STORE", "s3://"),
        ("FILES_STORE", "s3://bucket?hunter2"),
        ("FILES_STORE", "s3://bucket/prefix"),  # without a key to it
        ("FILES_KEYS", "hunter2"),
        ("FILES_KEYS", f"{'k' * 32},hunter2"),
        ("FILES_KEYS", "hunter2-" * 5),  # without a place for files
        ("FILES_S3_ENDPOINT", "hunter2"),
        ("FILES_S3_REGION", "the region"),
        ("FILES_S3_ACCESS_KEY", "hunter2 "),
        ("FILES_S3_SECRET_KEY", "hunter2"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it_and_quotes_no_secret(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    text = problem()
    assert text.startswith(f"{name} is wrong: ")
    assert len(text.splitlines()) == 1
    assert len(text) < 200
    assert "hunter2" not in text


def test_the_settings_never_show_a_secret() -> None:
    settings = load()
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("https://Logbook.Demo.Example:443/", "https://logbook.demo.example"),  # as a browser writes an Origin
        ("https://büro.example", "https://xn--bro-hoa.example"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
    ],
)
def test_the_base_url_is_kept_as_browsers_write_it(typed: str, read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASE_URL", typed)
    assert load().base_url == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://app@/logbook?host=/run/postgresql&port=5432"),
        ("DATABASE_URL", "postgres://app:p%2Fw%23d%3F@[::1]:5433/logbook?sslmode=require"),
        ("REDIS_URL", "unix:///run/valkey.sock"),
        ("REDIS_URL", "rediss://redis.demo.example"),
        ("SMTP_URL", "smtp://127.0.0.1:25?tls=none"),
        ("SMTP_URL", "smtps://mailer:p%40ss@smtp.demo.example"),
        ("MAIL_FROM", '"Logbook, Demo" <logbook@demo.example>'),
        ("MAIL_FROM", "Médiation <logbook@demo.example>"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1"),
    ],
)
def test_the_usual_forms_are_accepted(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    load()


@pytest.mark.parametrize("old", ["true", "false", "1", "0", "yes", "off", "True"])
def test_a_yes_or_no_about_reviewers_stops_the_start_with_one_line_that_says_what_it_is_called_now(
    old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEWER_APPROVAL", old)
    with pytest.raises(SettingsError) as raised:
        load()
    assert str(raised.value) == (
        "REVIEWER_APPROVAL is wrong: must be new, each or none; true is called each now, and false none"
    )


def test_reviewers_are_confirmed_once_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().reviewer_approval is Approval.NEW
    for approval in Approval:
        monkeypatch.setenv("REVIEWER_APPROVAL", approval)
        assert load().reviewer_approval is approval


def test_settings_cannot_be_changed_while_the_service_runs() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().smtp_timeout = 1  # type: ignore[misc]  # that is the point
