from pathlib import Path
from uuid import UUID, uuid4

import pytest

from jobs import ledger
from jobs.ledger import Ledger
from settings import SettingsError, load
from tests.hub import PASSWORD, Hub, payload


async def deleted(hub: Hub) -> UUID:
    person = await hub.mediator()
    payload(await hub.change("deleteMyAccount", {"password": PASSWORD}, "deleted", by=person))
    return person.id


async def test_each_deletion_is_added_once_and_in_order_and_names_nobody(hub: Hub, tmp_path: Path) -> None:
    kept = Ledger(tmp_path / "ledger")
    assert await kept.keep(hub.worker) == 0
    assert not (tmp_path / "ledger").exists()
    ids = []
    for _ in range(3):
        ids.append(await deleted(hub))
        assert await kept.keep(hub.worker) == 1
        assert await kept.keep(hub.worker) == 0
    lines = (tmp_path / "ledger").read_text().splitlines()
    assert [UUID(line.split(" ")[1]) for line in lines] == ids
    entries = await hub.rows("SELECT at FROM audit_entry WHERE action = 'ACCOUNT_DELETED' ORDER BY at")
    assert [line.split(" ")[0] for line in lines] == [row["at"].isoformat(timespec="seconds") for row in entries]
    assert "demo.example" not in (tmp_path / "ledger").read_text()
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o600


async def test_two_workers_each_keep_a_complete_ledger_and_a_lost_one_is_written_again(
    hub: Hub, tmp_path: Path
) -> None:
    one, other = Ledger(tmp_path / "one"), Ledger(tmp_path / "other")
    ids = {await deleted(hub), await deleted(hub)}
    assert [await one.keep(hub.worker), await other.keep(hub.database)] == [2, 2]
    (tmp_path / "one").unlink()
    assert await one.keep(hub.worker) == 2
    assert ledger.read_ledger(tmp_path / "one") == ledger.read_ledger(tmp_path / "other") == ids
    assert await Ledger(tmp_path / "one").keep(hub.worker) == 0  # a worker that starts again knows what's in it


async def test_a_deletion_that_was_committed_late_is_not_missed(hub: Hub, tmp_path: Path) -> None:
    kept = Ledger(tmp_path / "ledger")
    await deleted(hub)
    await kept.keep(hub.worker)
    late = uuid4()
    await hub.rows(
        "INSERT INTO audit_entry (at, actor_id, action, subject_id) "
        "VALUES (clock() - interval '50 minutes', $1, 'ACCOUNT_DELETED', $1)",
        late,
    )
    assert await kept.keep(hub.worker) == 1
    assert late in ledger.read_ledger(tmp_path / "ledger")


async def test_a_line_that_was_cut_short_damages_no_other(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    first = await deleted(hub)
    await Ledger(path).keep(hub.worker)
    with path.open("a") as file:
        file.write("2026-01-01T00:00:00+00:00 1234")
    second = await deleted(hub)
    assert await Ledger(path).keep(hub.worker) == 1
    assert ledger.read_ledger(path) == {first, second}


def test_a_ledger_that_cannot_be_written_is_reported_at_the_start(tmp_path: Path) -> None:
    settings = load(**_settings(), deletions_ledger=tmp_path / "ledger")
    ledger.require_writable(settings)
    assert {path.name for path in tmp_path.iterdir()} == {"ledger", "ledger.audit"}
    nowhere = load(**_settings(), deletions_ledger=tmp_path / "nowhere" / "ledger")
    with pytest.raises(SettingsError, match="DELETIONS_LEDGER cannot be written: No such file or directory"):
        ledger.require_writable(nowhere)


def _settings() -> dict[str, str]:
    return {
        "database_url": "postgresql://app@db.demo.example/logbook",
        "redis_url": "redis://redis.demo.example",
        "smtp_url": "smtp://smtp.demo.example",
        "mail_from": "logbook@demo.example",
        "base_url": "https://logbook.demo.example",
        "secret_key": "k" * 32,
        "digest_url": "https://demo.example/digest",
        "support_email": "support@demo.example",
        "privacy_policy_url": "https://demo.example/privacy",
    }
