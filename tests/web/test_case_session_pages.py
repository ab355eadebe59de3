"""The pages of a case's sessions, and what the case's own page says of them."""

from datetime import date
from uuid import uuid4

from models.account import Role
from tests.hub import Hub
from tests.web.reading import cells, cookie, everything, followed, is_a_page, opened, plain, post, problems, sheet
from tests.world import put_cases, put_sessions, statements

SESSION = {"heldOn": "2024-06-03", "minutes": "1:30", "kind": "DRAFTING", "medium": "TELEPHONE"}


async def test_a_session_is_added_in_one_step_and_then_listed_with_the_case(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {"minutes": 90})
    page = await opened(hub, ann, f"/logbook/{case}")
    assert "the case counts as one mediation session of 1:30 hours on 7 May 2024" in plain(page.text)
    form = await opened(hub, ann, f"/logbook/{case}/sessions/new")
    assert is_a_page(form)
    today = hub.database.now().date().isoformat()
    assert f'name="heldOn" type="date" autocomplete="off" maxlength="30" value="{today}"' in form.text
    assert '<option value="MEDIATION" selected>' in form.text
    assert '<option value="ONLINE" selected>' in form.text
    assert "Its 1:30 hours so far become one mediation session on 7 May 2024." in plain(form.text)
    shown = await followed(hub, await post(hub, ann, f"/logbook/{case}/sessions/new", **SESSION, back="/logbook"), ann)
    assert is_a_page(shown)
    assert "3:00 hours, of which 1:30 contact hours." in plain(shown.text)
    assert cells(shown, "Kind") == ["Mediation session", "Drafting"]
    assert cells(shown, "Medium") == ["Online", "Telephone"]


async def test_save_and_add_another_opens_the_form_again(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    again = await post(hub, ann, f"/logbook/{case}/sessions/new", **SESSION, then="another", back="/logbook")
    assert is_a_page(await followed(hub, again, ann))
    assert again.headers["location"].startswith(f"/logbook/{case}/sessions/new?")


async def test_a_session_is_changed_and_deleted(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    one, other = await put_sessions(hub, case, {}, {"held_on": date(2024, 5, 6)})
    path = f"/logbook/{case}/sessions/{one}"
    assert 'value="1:00"' in (await opened(hub, ann, f"{path}/edit")).text
    saved = await post(hub, ann, f"{path}/edit", **SESSION, version="1")
    assert cells(await followed(hub, saved, ann), "Kind") == ["Mediation session", "Drafting"]
    deleted = await post(hub, ann, f"{path}/delete")
    assert cells(await followed(hub, deleted, ann), "Kind") == ["Mediation session"]
    last = await post(hub, ann, f"/logbook/{case}/sessions/{other}/delete")
    assert is_a_page(last, 422)
    assert "This is the case's only session." in plain(last.text)


async def test_a_conflict_shows_what_is_saved_now(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    (one,) = await put_sessions(hub, case, {})
    path = f"/logbook/{case}/sessions/{one}/edit"
    await post(hub, ann, path, **SESSION, version="1")
    late = await post(hub, ann, path, **(SESSION | {"minutes": "2:00"}), version="1")
    assert is_a_page(late, 422)
    assert "Duration in hours 2:00 1:30" in plain(late.text)
    assert cells(await followed(hub, await post(hub, ann, path, **SESSION, version="2"), ann), "Hours") == ["1:30"]


async def test_what_cannot_be_read_or_is_not_plausible_comes_back_with_what_was_typed(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    before = await everything(hub)
    path = f"/logbook/{case}/sessions/new"
    wrong = await post(hub, ann, path, **(SESSION | {"minutes": "long", "kind": ""}))
    assert is_a_page(wrong, 422)
    assert [field for field, _ in problems(wrong)] == ["minutes", "kind"]
    assert 'value="long"' in wrong.text
    assert "confirmImplausible" not in wrong.text
    asked = await post(hub, ann, path, **(SESSION | {"minutes": "15:00"}))
    assert is_a_page(asked, 422)
    assert [field for field, _ in problems(asked)] == ["minutes"]
    assert 'name="confirmImplausible"' in asked.text
    assert await everything(hub) == before
    meant = await post(hub, ann, path, **(SESSION | {"minutes": "15:00", "confirmImplausible": "yes"}))
    assert cells(await followed(hub, meant, ann), "Hours") == ["1:30", "15:00"]


async def test_a_case_with_very_long_days_is_asked_about_once(hub: Hub) -> None:
    ann = await hub.mediator()
    form = {"role": "LEAD_MEDIATOR", "medium": "ONLINE", "startedOn": "2024-05-06", "endedOn": "2024-05-06"}
    form |= {"outcome": "SETTLED", "minutes": "15:00"}
    asked = await post(hub, ann, "/logbook/new", **form)
    assert is_a_page(asked, 422)
    assert 'name="confirmImplausible"' in asked.text
    assert await hub.rows("SELECT FROM logbook_entry") == []
    await post(hub, ann, "/logbook/new", **form, confirmImplausible="yes")
    [case] = await hub.rows("SELECT id, minutes FROM logbook_entry")
    assert case["minutes"] == 900
    # What was confirmed once isn't asked about again.
    changed = await post(hub, ann, f"/logbook/{case['id']}/edit", **form, notes="Long", version="1")
    assert is_a_page(await followed(hub, changed, ann))


async def test_the_export_of_sessions_adds_up_to_the_totals_of_each_year(hub: Hub) -> None:
    ann, directory = await hub.mediator(), await hub.person(Role.DIRECTORY)
    one, _, _ = await put_cases(
        hub, ann, {"reference": "R1"}, {"minutes": 75, "simulated": True}, {"minutes": 45, "role": "OBSERVER"}
    )
    days = ({"held_on": date(2023, 12, 31), "minutes": 30}, {"held_on": date(2024, 1, 1), "kind": "TRAVEL"})
    await put_sessions(hub, one, *days)
    rows = await sheet(hub, ann, "/sessions.csv?sort=minutes")
    headings = ["Day", "Hours", "Kind", "Medium", "Role", "Kind of dispute", "Simulated", "Reference"]
    assert list(rows[0]) == headings
    assert sorted(list(row.values()) for row in rows) == [
        ["2023-12-31", "0.5", "Mediation session", "Online", "Lead mediator", "", "No", "R1"],
        ["2024-01-01", "1.0", "Travel", "Online", "Lead mediator", "", "No", "R1"],
        ["2024-05-07", "0.75", "Mediation session", "Online", "Observer", "", "No", ""],
        ["2024-05-07", "1.25", "Mediation session", "Online", "Lead mediator", "", "Yes", ""],
    ]
    assert len(await sheet(hub, ann, "/sessions.csv?role=OBSERVER")) == 1
    theirs = await sheet(hub, directory, f"/mediators/{ann.id}/sessions.csv")
    assert list(theirs[0]) == ["Month", *headings[1:-1]]
    assert sorted(row["Month"] for row in theirs) == ["2023-12", "2024-01", "2024-05", "2024-05"]
    counted = [row for row in rows if row["Role"] == "Lead mediator" and row["Simulated"] == "No"]
    document = "{ me { mediator { experience { byYear { year minutes } } } } }"
    for year in (await hub.ask(document, by=ann)).data["me"]["mediator"]["experience"]["byYear"]:
        hours = sum(float(row["Hours"]) for row in counted if row["Day"].startswith(str(year["year"])))
        assert hours * 60 == year["minutes"]


async def test_the_logbooks_page_runs_the_same_statements_whether_or_not_cases_have_sessions(hub: Hub) -> None:
    ann = await hub.mediator()
    cases = await put_cases(hub, ann, *({} for _ in range(25)))
    async with statements(hub) as without:
        await opened(hub, ann, "/logbook")
    for case in cases:
        await put_sessions(hub, case, {}, {"kind": "DRAFTING"}, {"kind": "TRAVEL"})
    async with statements(hub) as with_them:
        await opened(hub, ann, "/logbook")
    assert len(with_them) == len(without)


async def test_sessions_of_others_do_not_exist(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    (own,) = await put_cases(hub, bea, {})
    (one,) = await put_sessions(hub, case, {})
    before = await everything(hub)
    for of, session in ((case, one), (own, one), (own, uuid4())):
        page = await hub.client.get(f"/logbook/{of}/sessions/{session}/edit", headers=cookie(bea))
        assert is_a_page(page, 404)
        for what in ("edit", "delete"):
            answer = await post(hub, bea, f"/logbook/{of}/sessions/{session}/{what}", **SESSION, version="1")
            assert is_a_page(answer, 404)
    assert is_a_page(await post(hub, bea, f"/logbook/{case}/sessions/new", **SESSION), 404)
    assert await everything(hub) == before
