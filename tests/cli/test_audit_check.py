"""`logbook audit-check` says in plain words whether the audit log is whole, and by its status."""

import re
from pathlib import Path

from jobs.audit_anchor import AnchorFile
from permissions.secrets import key_id
from settings import Settings
from tests.cli.test_restore_check import logbook
from tests.hub import Hub
from tests.world import put_entries

UNRECORDED = "No head was recorded, so nobody can tell whether the log's end was cut off.\n"


async def put_three(hub: Hub) -> None:
    await put_entries(hub, *({"action": "SIGNED_OUT"} for _ in range(3)))


def with_ledger(hub: Hub, ledger: Path) -> Settings:
    return Settings(**dict(hub.settings) | {"deletions_ledger": ledger})


async def test_a_whole_log_is_said_to_be_whole_and_its_head_can_be_noted(hub: Hub) -> None:
    await put_three(hub)
    status, said = await logbook(hub.settings, "audit-check")
    assert status == 0
    found = re.fullmatch(UNRECORDED + r"The audit log is whole\. Its head is (3:[0-9a-f]{64})\n", said)
    assert found
    again = await logbook(hub.settings, "audit-check", "--head", found[1])
    assert again == (0, f"The audit log is whole. Its head is {found[1]}\n")
    await hub.rows("DELETE FROM audit_entry WHERE sequence = 3")
    status, said = await logbook(hub.settings, "audit-check", "--head", found[1])
    assert status == 3
    assert said.startswith("The end was cut off: 1 entry is missing after entry 2. 3 were recorded. ")
    assert "The audit log isn't whole. Its head is 2:" in said


async def test_the_file_beside_the_ledger_is_used_by_itself(hub: Hub, tmp_path: Path) -> None:
    settings = with_ledger(hub, tmp_path / "ledger")
    await put_three(hub)
    await AnchorFile(tmp_path / "ledger.audit").keep(hub.worker)
    status, said = await logbook(settings, "audit-check")
    assert (status, said.count("\n")) == (0, 1)
    await hub.rows("DELETE FROM audit_entry")
    for more in ([], ["--heads", str(tmp_path / "ledger.audit")]):
        status, said = await logbook(settings, "audit-check", *more)
        assert status == 3
        assert "The end was cut off: 3 entries are missing after entry 0. 3 were recorded on 20" in said


async def test_what_is_wrong_is_named_and_a_long_list_is_cut(hub: Hub) -> None:
    await put_entries(hub, *({"action": "SIGNED_OUT"} for _ in range(30)))
    await hub.rows("UPDATE audit_entry SET action = 'ROLE_ADDED'")
    status, said = await logbook(hub.settings, "audit-check")
    assert status == 3
    lines = said.splitlines()
    assert lines[0].startswith("Entry 1 was changed or forged, or the one before it was. Its id is ")
    assert lines[20] == "That's not all: there are 10 more problems."


async def test_entries_under_another_key_are_told_from_changed_ones(hub: Hub) -> None:
    await put_three(hub)
    other = Settings(**dict(hub.settings) | {"secret_key": "another-key-also-of-32-characters"})
    status, said = await logbook(other, "audit-check")
    assert status == 3
    key = hub.settings.secret_key.get_secret_value()
    of = key_id(key.encode()).hex()
    assert said.startswith(
        f"Entry 1 can't be checked: it was written with a key ({of}) that isn't in SECRET_KEYS_BEFORE, or changed.\n"
    )
    status, said = await logbook(Settings(**dict(other) | {"secret_keys_before": key}), "audit-check")
    assert (status, said.count("The audit log is whole.")) == (0, 1)


async def test_a_head_or_a_file_that_cannot_be_read_is_refused_in_one_line(hub: Hub, tmp_path: Path) -> None:
    wrong = "--head is wrong: give the length and the MAC, such as 120:5e2f...\n"
    for head in ("", "3", "three:ab", "3:xyz"):
        assert await logbook(hub.settings, "audit-check", "--head", head) == (1, wrong)
    path = tmp_path / "heads"
    path.write_bytes(b"\xff\xfe")
    assert await logbook(hub.settings, "audit-check", "--heads", str(path)) == (1, "--heads cannot be read: not text\n")


async def test_what_operators_do_is_in_the_log_without_an_actor(hub: Hub) -> None:
    ann = await hub.mediator()
    await hub.rows("INSERT INTO second_factor (account_id, sealed) VALUES ($1, 'x')", ann.id)
    await logbook(hub.settings, "create-admin", "--email", ann.email, "--name", "A", "--password", "a good password!")
    await logbook(hub.settings, "create-admin", "--email", ann.email, "--name", "A", "--password", "a good password!")
    await logbook(hub.settings, "remove-second-factor", "--email", ann.email)
    await logbook(hub.settings, "remove-second-factor", "--email", ann.email)
    rows = await hub.rows("SELECT action, actor_id, subject_id FROM audit_entry ORDER BY sequence")
    assert [tuple(row) for row in rows] == [("ROLE_ADDED", None, ann.id), ("SECOND_FACTOR_REMOVED", None, ann.id)]
