"""The store of files: a folder, and a bucket of a real server that speaks S3."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from jobs.evidence import remove_unknown
from models.file_store import FileStore, StoreAway, open_store
from settings import Settings, load
from tests.hub import Hub, opened, payload
from tests.resolvers.test_evidence import attach
from tests.samples import pdf
from tests.servers import free_port
from tests.test_settings import GOOD
from tests.waiting import until
from tests.web.reading import get
from tests.world import put_cpd

S3 = {
    "files_s3_access_key": "demo-access",
    "files_s3_secret_key": "demo-secret-key",
    "files_store": "s3://evidence/of/demo",
}


def settings_of(**given: str) -> Settings:
    return load(**{name.lower(): value for name, value in GOOD.items()} | given)


@pytest.fixture(scope="module")
async def s3_server() -> AsyncIterator[str]:
    """The address of a server with an empty bucket."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    address = f"http://127.0.0.1:{port}"

    async def made() -> bool:
        assert server.poll() is None
        try:
            async with httpx.AsyncClient() as client:
                return (await client.put(f"{address}/evidence", timeout=5)).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        await until(made)
        yield address
    finally:
        server.kill()
        server.wait()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    if request.param == "folder":
        found = open_store(settings_of(files_store=str(tmp_path / "files")))
    else:
        found = open_store(settings_of(files_s3_endpoint=request.getfixturevalue("s3_server"), **S3))
    assert found is not None
    return found


@pytest.fixture(params=["folder", "bucket"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    """A store that can't be reached."""
    if request.param == "folder":
        (tmp_path / "file").touch()
        found = open_store(settings_of(files_store=str(tmp_path / "file")))
    else:
        found = open_store(settings_of(files_s3_endpoint="http://127.0.0.1:1", **S3))
    assert found is not None
    return found


async def names(store: FileStore) -> dict[str, datetime]:
    return {one.name: one.written_at async for one in store.everything()}


async def test_what_is_put_into_a_store_is_there_until_it_is_removed(store: FileStore) -> None:
    await store.probe()
    one, other, large = uuid4(), uuid4(), os.urandom(6 * 1024**2)
    await store.put(one, b"one")
    await store.put(other, large)
    assert await store.get(one) == b"one"
    assert await store.get(other) == large
    assert await store.get(uuid4()) is None
    found = await names(store)
    assert set(found) == {one.hex, other.hex}
    assert all(datetime.now(UTC) - written_at < timedelta(minutes=5) for written_at in found.values())
    for _ in range(2):
        await store.remove(one.hex)
    assert await store.get(one) is None
    await store.remove(other.hex)
    assert await names(store) == {}


async def test_a_store_that_is_away_says_so_and_nothing_else(away: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for attempt in (away.put(uuid4(), b"x"), away.get(uuid4()), away.remove(uuid4().hex), names(away), away.probe()):
        with pytest.raises(StoreAway) as raised:
            await attempt
        assert "127.0.0.1" not in str(raised.value)


async def test_a_file_in_a_bucket_is_attached_downloaded_and_swept(hub: Hub, s3_server: str) -> None:
    settings = load(**dict(hub.settings) | S3 | {"files_s3_endpoint": s3_server})
    async with opened(hub.services, settings=settings) as bucket:
        store = open_store(settings)
        assert store
        ann = await bucket.mediator()
        (entry,) = await put_cpd(bucket, ann, {})
        made = await attach(bucket, ann, entry)
        assert (await get(bucket, ann, f"/cpd/files/{made['id']}")).content == pdf()
        assert list(await names(store)) == [UUID(made["id"]).hex]
        stored = await store.get(UUID(made["id"]))
        assert stored
        assert b"%PDF" not in stored
        payload(await bucket.change("detachFile", {"id": made["id"]}, by=ann))
        await bucket.work()
        assert await names(store) == {}
        await store.put(uuid4(), b"left")
        assert await remove_unknown(bucket.worker, store, datetime.now(UTC) - timedelta(hours=1)) == 0
        assert await remove_unknown(bucket.worker, store, datetime.now(UTC) + timedelta(hours=1)) == 1


async def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(settings_of(files_store=str(tmp_path / "files")))
    assert store is not None

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreAway, match="No space left"):
        await store.put(uuid4(), b"x")
    assert await names(store) == {}


async def test_folders_and_links_in_a_folder_are_nobodys_business(tmp_path: Path) -> None:
    store = open_store(settings_of(files_store=str(tmp_path)))
    assert store is not None
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert await names(store) == {}


async def test_files_are_for_their_own_account_of_the_machine_alone(tmp_path: Path) -> None:
    store, one = open_store(settings_of(files_store=str(tmp_path / "files"))), uuid4()
    assert store is not None
    await store.put(one, b"x")
    assert (tmp_path / "files").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "files" / one.hex).stat().st_mode & 0o777 == 0o600


def test_without_a_setting_there_is_no_store() -> None:
    assert open_store(settings_of()) is None
