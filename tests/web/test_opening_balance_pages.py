"""Pages on which a mediator declares hours from before their logbook, and where others read them."""

import re

import httpx
import pytest

from models.account import Role
from tests.hub import Hub, Person
from tests.web.reading import followed, get, is_a_page, led_to, opened, post, problems

LEAD = {"role": "LEAD_MEDIATOR", "minutes": "120", "cases": "40", "before": "2020-01-01"}
LINE = "Before 2020 (self-declared): 120:00 hours as lead mediator, in 40 cases"


async def only(hub: Hub) -> str:
    (row,) = await hub.rows("SELECT id FROM opening_balance")
    return f"/opening-balances/{row['id']}"


async def declared(hub: Hub, by: Person, **form: str) -> httpx.Response:
    return await post(hub, by, "/opening-balances/new", **(LEAD | form))


async def test_earlier_hours_are_declared_shown_changed_and_deleted(hub: Hub) -> None:
    ann = await hub.mediator()
    assert 'href="/opening-balances/new"' in (await opened(hub, ann, "/logbook")).text
    assert "it belongs to no year" in (await opened(hub, ann, "/opening-balances/new")).text
    made = await declared(hub, ann)
    assert led_to(made) == "/logbook?done=added"
    assert LINE in (await followed(hub, made, ann)).text
    path = await only(hub)
    assert f'href="{path}/edit"' in (await opened(hub, ann, "/logbook")).text
    edit = await opened(hub, ann, f"{path}/edit")
    assert 'value="120:00"' in edit.text
    changed = LEAD | {"version": "1", "minutes": "1:30", "cases": "", "before": "3.3.2020"}
    assert led_to(await post(hub, ann, f"{path}/edit", **changed)) == "/logbook?done=saved"
    table = await opened(hub, ann, "/logbook")
    assert "Before 3 Mar 2020 (self-declared): 1:30 hours as lead mediator." in table.text
    assert led_to(await post(hub, ann, f"{path}/delete")) == "/logbook?done=deleted"
    assert "self-declared):" not in (await opened(hub, ann, "/logbook")).text


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"minutes": "many"}, "minutes"), ({"minutes": ""}, "minutes"), ({"role": "KING"}, "role"),
     ({"cases": "some"}, "cases"), ({"cases": "0"}, "cases"), ({"before": "soon"}, "before"),
     ({"before": "9999-01-01"}, "before"), ({"minutes": "100001"}, "minutes")],
)  # fmt: skip
async def test_what_is_wrong_is_told_beside_its_field_and_nothing_is_lost(
    hub: Hub, wrong: dict[str, str], field: str
) -> None:
    ann = await hub.mediator()
    page = await declared(hub, ann, **wrong)
    assert page.status_code == 422
    assert [name for name, _ in problems(page)] == [field]
    for name, text in (LEAD | wrong).items():
        assert f'value="{text}"' in page.text or (name == "role" and text == "KING")
    assert await hub.rows("SELECT 1 FROM opening_balance") == []


async def test_the_second_of_two_tabs_sees_what_the_first_saved(hub: Hub) -> None:
    ann = await hub.mediator()
    await declared(hub, ann)
    path = f"{await only(hub)}/edit"
    await post(hub, ann, path, **(LEAD | {"version": "1", "minutes": "7"}))
    second = await post(hub, ann, path, **(LEAD | {"version": "1", "minutes": "8"}))
    assert second.status_code == 422
    assert "Before 2020 (self-declared): 7:00 hours as lead mediator, in 40 cases" in second.text
    (version,) = re.findall(r'name="version" value="(\d+)"', second.text)
    assert led_to(await post(hub, ann, path, **(LEAD | {"version": version, "minutes": "8"}))) == "/logbook?done=saved"


async def test_somebody_elses_pages_do_not_exist(hub: Hub) -> None:
    ann, bea, directory = await hub.mediator(), await hub.mediator(), await hub.person(Role.DIRECTORY)
    await declared(hub, bea)
    path = await only(hub)
    for by in (ann, directory):
        assert is_a_page(await get(hub, by, f"{path}/edit"), 404)
        for action, form in (("edit", LEAD | {"version": "1"}), ("delete", {})):
            assert is_a_page(await post(hub, by, f"{path}/{action}", **form), 404)
    assert is_a_page(await get(hub, directory, "/opening-balances/new"), 404)
    assert (await hub.client.get(f"{path}/edit")).status_code == 303
    assert await only(hub) == path


async def test_a_directory_reads_them_marked_and_apart_from_the_cases(hub: Hub) -> None:
    ann, directory = await hub.mediator(), await hub.person(Role.DIRECTORY)
    await declared(hub, ann)
    page = await opened(hub, directory, f"/mediators/{ann.id}")
    assert LINE in page.text
    assert "There are no cases as lead mediator or co-mediator." in page.text
    assert "/opening-balances/" not in page.text
    assert LINE in (await opened(hub, directory, f"/mediators/{ann.id}", role="LEAD_MEDIATOR")).text
    assert "self-declared" not in (await opened(hub, directory, f"/mediators/{ann.id}", role="OBSERVER")).text
