"""What's left of files that are gone: nothing, in the store, in a restored backup and under a key that was changed."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from jobs import evidence
from jobs.evidence import UNKNOWN_KEPT, remove_unknown, sweep
from jobs.file_keys import Rotated, lacks_keys, rotate_keys
from jobs.ledger import Ledger, read_ledger
from models.database import connect
from models.file_store import open_store
from permissions.file_sealing import open_file, padded_size, seal_file
from permissions.sealing import CannotOpen
from settings import Settings, load
from tests.cli.test_restore_check import logbook
from tests.hub import FILES_KEY, PASSWORD, Hub, Person, payload
from tests.jobs.test_restore import settled
from tests.resolvers.test_evidence import attach, folder, stored
from tests.samples import pdf
from tests.web.reading import get
from tests.world import put_cpd, put_file
from web.preflight import reach_files
from web.worker import Work, sweep_files

NEWER_KEY = "another key of files that only tests have"


async def swept(hub: Hub) -> int:
    return int(await sweep_files({"work": Work(hub.worker, hub.settings)}))


def with_settings(hub: Hub, **changed: Any) -> Settings:
    return load(**dict(hub.settings) | changed)


def tomorrow(hub: Hub) -> date:
    return (hub.database.now() + timedelta(days=1)).date()


def grown_old(hub: Hub, name: str = "") -> None:
    """Let files have been written more than an hour ago."""
    before = (datetime.now(UTC) - UNKNOWN_KEPT - timedelta(minutes=1)).timestamp()
    for one in folder(hub).iterdir():
        if name in one.name:
            os.utime(one, (before, before))


@pytest.mark.parametrize("what", ["file", "entry", "account"])
async def test_the_bytes_of_a_file_go_with_it_its_entry_or_its_account(hub: Hub, what: str) -> None:
    ann = await hub.mediator()
    entry, other = await put_cpd(hub, ann, {}, {})
    gone, bea = await attach(hub, ann, entry), await hub.mediator()
    (hers,) = await put_cpd(hub, bea, {})
    stays = [await attach(hub, bea, hers)]
    if what != "account":
        stays.append(await attach(hub, ann, other))
    changes = {
        "file": ("detachFile", {"id": gone["id"]}),
        "entry": ("deleteCpdEntry", {"id": str(entry)}),
        "account": ("deleteMyAccount", {"password": PASSWORD}),
    }
    payload(await hub.change(*changes[what], by=ann))
    assert await swept(hub) == 1
    assert stored(hub) == sorted(UUID(one["id"]).hex for one in stays)
    assert await swept(hub) == 0
    assert [row["swept"] for row in await hub.rows("SELECT swept FROM deleted_file")] == [True]


async def test_what_never_got_a_row_is_swept_after_an_hour_and_no_sooner(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    made = UUID((await attach(hub, ann, entry))["id"]).hex
    for name in (uuid4().hex, f"{uuid4().hex}.part", "something else"):
        (folder(hub) / name).write_bytes(b"left")
    grown_old(hub, made)
    assert await swept(hub) == 0
    assert len(stored(hub)) == 4
    grown_old(hub)
    assert await swept(hub) == 0, "it looks once an hour"
    async with hub.later(hours=1) as later:
        assert await swept(later) == 3
    assert stored(hub) == [made]


async def test_many_files_are_swept_part_by_part(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "_BATCH", 2)
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    for _ in range(5):
        await put_file(hub, ann, entry)
        (folder(hub) / uuid4().hex).write_bytes(b"left")
    grown_old(hub)
    store = open_store(hub.settings)
    assert store
    assert await remove_unknown(hub.worker, store, datetime.now(UTC) - UNKNOWN_KEPT) == 5
    payload(await hub.change("deleteCpdEntry", {"id": str(entry)}, by=ann))
    assert await evidence.remove_deleted(hub.worker, store) == 5
    assert stored(hub) == []


async def test_what_is_known_does_not_depend_on_who_asks(hub: Hub) -> None:
    """Otherwise a worker with the wrong role would take all files for unknown, and remove them."""
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    await attach(hub, ann, entry)
    grown_old(hub)
    store = open_store(hub.settings)
    assert store
    for database in (hub.app.state.database, hub.worker, hub.database):
        assert await remove_unknown(database, store, datetime.now(UTC) - UNKNOWN_KEPT) == 0
    assert len(stored(hub)) == 1


async def test_while_the_store_is_away_the_worker_goes_on_and_sweeps_later(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    made = await attach(hub, ann, entry)
    payload(await hub.change("detachFile", {"id": made["id"]}, by=ann))
    away = with_settings(hub, files_store="/dev/null/files")
    with capture_logs() as lines:
        assert await sweep(hub.worker, open_store(away)) == 0
    assert [line["event"] for line in lines] == ["file_store_away"]
    assert await hub.rows("SELECT FROM deleted_file WHERE NOT swept")
    assert await swept(hub) == 1
    assert await sweep(hub.worker, None) == 0


async def test_a_deleted_file_is_in_the_ledger(hub: Hub, tmp_path: Path) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    made = await attach(hub, ann, entry)
    kept = Ledger(tmp_path / "ledger")
    payload(await hub.change("detachFile", {"id": made["id"]}, by=ann))
    assert await kept.keep(hub.worker) == 1
    assert read_ledger(tmp_path / "ledger") == {UUID(made["id"])}
    assert (tmp_path / "ledger").read_text().startswith(f"{tomorrow(hub)}T00:00:00+00:00 ")
    assert await logbook(hub.settings, "deletions") == (0, (tmp_path / "ledger").read_text())


@pytest.mark.parametrize("what", ["file", "entry", "account"])
async def test_no_backup_brings_a_deleted_file_back(hub: Hub, tmp_path: Path, what: str) -> None:
    """Whatever was deleted, and whether or not the store is restored as well."""
    ann, bea = await hub.mediator(), await hub.mediator()
    (entry,), (hers,) = await put_cpd(hub, ann, {}), await put_cpd(hub, bea, {})
    gone, stays = await attach(hub, ann, entry), await attach(hub, bea, hers)
    backup = {table: await hub.rows(f"SELECT * FROM {table}") for table in TABLES}
    bytes_then = {one.name: one.read_bytes() for one in folder(hub).iterdir()}
    changes = {
        "file": ("detachFile", {"id": gone["id"]}),
        "entry": ("deleteCpdEntry", {"id": str(entry)}),
        "account": ("deleteMyAccount", {"password": PASSWORD}),
    }
    payload(await hub.change(*changes[what], by=ann))
    await Ledger(tmp_path / "ledger").keep(hub.worker)
    await swept(hub)
    await _restore(hub, backup)
    for name, data in bytes_then.items():
        (folder(hub) / name).write_bytes(data)
    assert len(await hub.rows("SELECT FROM evidence_file")) == 2, "the backup has it"
    done = await settled(hub, read_ledger(tmp_path / "ledger"))
    assert (done.files, done.accounts) == (1, int(what == "account"))
    assert [str(row["id"]) for row in await hub.rows("SELECT id FROM evidence_file")] == [stays["id"]]
    certified = await hub.rows("SELECT mediator_id, has_certificate FROM cpd_entry WHERE has_certificate")
    assert [tuple(row) for row in certified] == [(bea.id, True)]
    await swept(hub)
    assert stored(hub) == [UUID(stays["id"]).hex]


TABLES = ("account", "mediator", "cpd_entry", "cpd_private", "session", "evidence_file", "deleted_file", "audit_entry")


async def _restore(hub: Hub, backup: dict[str, list[Any]]) -> None:
    """Make tables what they were, as a restored dump does: without running their triggers."""
    for table in reversed(TABLES):
        await _without_triggers(hub, f"DELETE FROM {table}")
    for table, rows in backup.items():
        for row in rows:
            places = ", ".join(f"${number}" for number, _ in enumerate(row.values(), 1))
            await _without_triggers(hub, f"INSERT INTO {table} VALUES ({places})", *row.values())


async def _without_triggers(hub: Hub, sql: str, *arguments: Any) -> None:
    from tests.warm import admin

    async with admin(hub.services.admin_url) as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(sql, *arguments)


async def rotated(hub: Hub, settings: Settings, **how: bool) -> Rotated:
    async with connect(settings, settings.database_owner_url) as database:
        return await rotate_keys(database, settings, **how)


async def test_after_a_rotation_only_the_first_key_is_needed(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    made = [await attach(hub, ann, entry) for _ in range(3)]
    both, newer = (with_settings(hub, files_keys=keys) for keys in (f"{NEWER_KEY},{FILES_KEY}", NEWER_KEY))
    before = {name: (folder(hub) / name).read_bytes() for name in stored(hub)}
    vars(hub.app.state.settings)["file_keys"] = both.file_keys
    assert (await get(hub, ann, f"/cpd/files/{made[0]['id']}")).content == pdf(), "before the rotation, too"
    assert await rotated(hub, both) == Rotated(3, 0)
    assert await rotated(hub, both) == Rotated(0, 0)
    vars(hub.app.state.settings)["file_keys"] = newer.file_keys
    for one in made:
        assert (await get(hub, ann, f"/cpd/files/{one['id']}")).content == pdf()
    assert {name: (folder(hub) / name).read_bytes() for name in stored(hub)} == before


async def test_the_command_says_how_many_keys_it_sealed_again_and_what_no_key_opens(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    await attach(hub, ann, entry)
    both, newer, none = (with_settings(hub, files_keys=keys) for keys in (f"{NEWER_KEY},{FILES_KEY}", NEWER_KEY, ""))
    done = "No file needs any other key. Backups of the database from before do.\n"
    status, said = await logbook(newer, "rotate-keys")
    assert (status, said.splitlines()[-1]) == (1, "No key opens: 1 files. Is a key missing from FILES_KEYS?")
    assert len(await hub.rows("SELECT FROM evidence_file")) == 1
    again = "Sealed again with the first key: the keys of {} files.\n"
    assert await logbook(both, "rotate-keys") == (0, again.format(1) + done)
    assert await logbook(newer, "rotate-keys") == (0, again.format(0) + done)
    lost = "Deleted, because no key opens them: 1 files.\n"
    assert await logbook(hub.settings, "rotate-keys", "--delete-lost") == (0, again.format(0) + lost + done)
    assert await hub.rows("SELECT FROM evidence_file") == []
    status, said = await logbook(none, "rotate-keys")
    assert (status, said.startswith("FILES_KEYS is not set: ")) == (1, True)


async def test_without_a_key_that_files_need_nothing_starts(hub: Hub) -> None:
    await reach_files(hub.settings)
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    await attach(hub, ann, entry)
    await reach_files(hub.settings)
    await reach_files(with_settings(hub, files_keys=f"{NEWER_KEY},{FILES_KEY}"))
    for keys in (NEWER_KEY, ""):
        wrong = with_settings(hub, files_keys=keys)
        async with hub.database.reading() as reading:
            assert await lacks_keys(reading, wrong)
        for command in ("serve", "worker"):
            status, said = await logbook(wrong, command)
            assert (status, said.count("\n")) == (1, 1)
            assert said.startswith("FILES_KEYS is wrong: it lacks a key that files need.")


async def test_a_folder_that_cannot_be_written_stops_the_start_and_a_bucket_that_is_away_does_not(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("serve", "worker"):
        status, said = await logbook(with_settings(hub, files_store="/dev/null/files"), command)
        assert (status, said) == (1, "FILES_STORE cannot be written: Not a directory\n")
    bucket = {"files_store": "s3://nowhere", "files_s3_endpoint": "http://127.0.0.1:1"}
    await reach_files(with_settings(hub, files_s3_access_key="a", files_s3_secret_key="secret-secret", **bucket))
    assert "going on without files" in capsys.readouterr().err


async def test_a_file_opens_only_under_its_own_id_and_what_is_stored_does_not_show_it(hub: Hub) -> None:
    one, other = uuid4(), uuid4()
    sealed, kept = seal_file(hub.settings, one, b"plain words")
    assert open_file(hub.settings, one, sealed, kept, 11) == b"plain words"
    assert b"plain words" not in kept
    changed = kept[:-1] + bytes([kept[-1] ^ 1])
    for wrong in ((other, sealed, kept), (one, sealed, changed), (one, sealed, b""), (one, b"1234" + sealed, kept)):
        with pytest.raises(CannotOpen):
            open_file(hub.settings, *wrong, 11)


@pytest.mark.parametrize(
    ("size", "padded"), [(1, 65_536), (65_536, 65_536), (65_537, 131_072), (10_485_760, 16_777_216)]
)
def test_sizes_are_padded_to_powers_of_two(size: int, padded: int) -> None:
    assert padded_size(size) == padded


async def test_only_files_say_whether_an_entry_has_a_certificate(hub: Hub) -> None:
    import asyncpg

    ann: Person = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    statements = (
        "UPDATE cpd_entry SET has_certificate = true",
        (
            "INSERT INTO cpd_entry (mediator_id, kind, title, started_on, ended_on, minutes, has_certificate)"
            f" VALUES ('{ann.id}', 'OTHER', 'x', '2024-01-01', '2024-01-01', 1, true)"
        ),
    )
    connection = await asyncpg.connect(hub.services.database_url)
    try:
        for sql in statements:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(sql)
    finally:
        await connection.close()
    await attach(hub, ann, entry)
    assert [row[0] for row in await hub.rows("SELECT has_certificate FROM cpd_entry")] == [True]
