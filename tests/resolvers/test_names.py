"""Names are found however they're written and typed, and lists are in the order of their folds."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from models.account import Role
from models.folding import fold, words
from models.folds import fold_columns
from resolvers.names import search_words
from tests.hub import Hub, Person, payload
from tests.models.test_folding import NAMES, TYPED, finds
from tests.resolvers.test_paging import assert_pages_make_the_list, at_root, fetcher, own
from tests.world import put_cases, put_cpd

ROOT = Path(__file__).parents[2]
HARD = [
    "O’Brien Example",
    "Jean-Luc d’Essai",
    "Anna–Lena Probe",
    "Jean‑Luc Essai",
    "Marcel·la Mostra",
    "J.Sample",
    "Dr.phil.Vorbild",
    "Mary-Ann.Probe",
    "प्रिया नमूना",
    "สมชาย ใจดี",
    "Işık Yıldız",
    "李娜",
    "김민준",
    "Łukasz Øster-Đak",
]
FOUND = {
    "Isik": "Işık Yıldız",
    "ışık": "Işık Yıldız",
    "YILDIZ": "Işık Yıldız",
    "obrien": "O’Brien Example",
    "o'brien": "O’Brien Example",
    "O brien": "O’Brien Example",
    "marcella": "Marcel·la Mostra",
    "sample": "J.Sample",
    "नमूना": "प्रिया नमूना",
    "ใจดี": "สมชาย ใจดี",
    "ชาย": "สมชาย ใจดี",
    "민준": "김민준",
    "lukasz oster": "Łukasz Øster-Đak",
}


async def found(hub: Hub, field: str, search: str, by: Person | None) -> list[str]:
    frame = "{ name }" if field == "feedbackSubjects" else "{ nodes { name } }"
    document = f"query($search: String!) {{ {field}(search: $search) {frame} }}"
    listed: Any = (await hub.ask(document, {"search": search}, by=by)).data[field]
    return [one["name"] for one in (listed if isinstance(listed, list) else listed["nodes"])]


async def test_every_hard_name_is_found_by_itself_and_by_its_parts_in_every_list(hub: Hub) -> None:
    directory, admin = await hub.person(Role.DIRECTORY, name="Zz"), await hub.person(Role.ADMIN, name="Yy")
    for name in HARD:
        await hub.person(Role.MEDIATOR, Role.REVIEWER, name=name)
    lists = (("mediators", directory), ("accounts", admin), ("reviewers", admin), ("feedbackSubjects", None))
    for field, by in lists:
        for name in HARD:
            assert name in await found(hub, field, name, by), field
        for search, name in FOUND.items():
            assert await found(hub, field, search, by) == [name], (field, search)
        assert await found(hub, field, "nobody", by) == []


async def test_a_changed_name_is_found_and_its_old_one_is_not(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN, name="Yy"), await hub.mediator(name="Ann O’Old")
    await hub.change("updateAccount", {"name": "Ann O’New"}, by=ann)
    assert await found(hub, "accounts", "onew", admin) == ["Ann O’New"]
    assert await found(hub, "accounts", "oold", admin) == []
    new = {"name": "Łist", "email": "l@demo.example"}
    made = payload(await hub.change("createDirectory", new, "directory { id }", by=admin))["directory"]
    payload(await hub.change("updateDirectory", {"id": made["id"], "name": "Ørder"}, by=admin))
    assert await found(hub, "accounts", "order", admin) == ["Ørder"]
    assert await found(hub, "accounts", "list", admin) == []


async def test_no_locale_of_a_database_says_what_is_found_or_in_which_order(hub: Hub) -> None:
    collations = """
        SELECT a.attname, c.collname FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation
         WHERE a.attrelid = $1::text::regclass AND a.attname = ANY ($2)"""
    for table in SQLModel.metadata.sorted_tables:
        columns = fold_columns(table)
        found = dict(map(tuple, await hub.rows(collations, table.name, list(columns))))
        assert found == {name: None if name == "name_words" else "C" for name in columns}
    by_locale = re.compile(r"func\.(lower|upper|to_tsvector|to_tsquery)\(|\.ilike\(")
    sources = [path for folder in ("models", "resolvers", "jobs", "web") for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in sources if "versions" not in path.parts and by_locale.search(path.read_text())] == []


async def test_people_are_listed_in_the_order_of_their_folds(hub: Hub) -> None:
    directory = await hub.person(Role.DIRECTORY)
    for name in ("Zoe", "Ärmel", "Łódz", "lima", "O’Hara", "Oz", "Mira", "Åse", "Arno"):
        await hub.mediator(name=name)
    whole = (await hub.ask("{ mediators { nodes { id name } } }", by=directory)).data["mediators"]["nodes"]
    fetch = fetcher(hub, at_root("mediators"), directory)
    await assert_pages_make_the_list(fetch, [one["id"] for one in whole], size=2)
    assert [one["name"] for one in whole] == ["Ärmel", "Arno", "Åse", "lima", "Łódz", "Mira", "O’Hara", "Oz", "Zoe"]


effort = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # it stays empty

MATCHES = "SELECT array_to_tsvector($1::text[]) @@ $2::text::tsquery"


async def matches(hub: Hub, name: str, search: str) -> bool:
    ((found,),) = await hub.rows(MATCHES, words(name), search_words(search)["words"])
    return bool(found)


@effort
@given(name=NAMES)
async def test_postgresql_finds_every_name_by_itself_its_writtenand_its_fold(hub: Hub, name: str) -> None:
    for search in (name, fold(name), *words(name)[:5]):
        assert await matches(hub, name, search), search


@effort
@given(text=(st.text() | TYPED | st.text("'\\&|!:*()<-> ze\"")).filter(str.strip))
async def test_whatever_is_typed_is_a_search_and_never_an_operator(hub: Hub, text: str) -> None:
    assert await matches(hub, "Ze Zebra", text) is finds(text, "Ze Zebra")


TEXTS = {
    "strasse": "Straße nach Köln",
    "KOLN": "Straße nach Köln",
    "cafe": "Café Rôle",
    "rôle": "Cafe\u0301 Role",
    "o'brien": "O’Brien v Sample",
    "O‘BRIEN": "O'Brien v Sample",
    "οδος": "ΟΔΟΣ Σάμου",
    "lodz": "Łódź lease",
    "two spaces": "two  spaces here",
    "TWO\u00a0 spaces": "two\nspaces here",
    "李娜": "王李娜 v 小明",
    "50%_": "at 50%_ each",
}
ON_ONE_LINE = [("logbook", "country"), ("cpd", "title"), ("cpd", "provider")]
PRIVATE = [
    *(("logbook", name) for name in ("reference", "parties", "didWell", "foundChallenging", "notes")),
    ("cpd", "takeaways"),
]
_LEAST = {"startedOn": "2024-01-01", "endedOn": "2024-01-01", "minutes": 5}
KINDS = {
    "logbook": ("LogbookEntry", "logbookEntry", _LEAST | {"role": "OBSERVER", "medium": "ONLINE"}),
    "cpd": ("CpdEntry", "cpdEntry", _LEAST | {"kind": "OTHER", "title": "Talk"}),
}


async def counted(hub: Hub, field: str, mediator: Person, text: str, by: Person) -> int:
    """How many entries a search for a text finds."""
    asked = f"{field}(filter: {{ text: $text }}) {{ totalCount }}"
    document = f"query($id: ID!, $text: String) {{ mediator(id: $id) {{ {asked} }} }}"
    answer = await hub.ask(document, {"id": str(mediator.id), "text": text}, by=by)
    return int(answer.data["mediator"][field]["totalCount"])


@pytest.mark.parametrize(("field", "name"), [*ON_ONE_LINE, *PRIVATE])
async def test_what_somebody_wrote_is_found_however_it_is_typed_by_those_who_may_read_it(
    hub: Hub, field: str, name: str
) -> None:
    ann, admin = await hub.mediator(), await hub.person(Role.ADMIN)
    noun, entry, least = KINDS[field]
    made = payload(await hub.change(f"add{noun}", least | {name: "Before"}, f"{entry} {{ id version }}", by=ann))
    for search, text in TEXTS.items():
        if "\n" in text and (field, name) in ON_ONE_LINE:
            continue
        assert await counted(hub, field, ann, search, ann) == 0
        changes = made[entry] | {name: text}
        made = payload(await hub.change(f"update{noun}", changes, f"{entry} {{ id version }}", by=ann))
        assert await counted(hub, field, ann, search, ann) == 1, search
        assert await counted(hub, field, ann, search, admin) == ((field, name) in ON_ONE_LINE), search
        assert await counted(hub, field, ann, f"{search}?", ann) == await counted(hub, field, ann, "before", ann) == 0
        made = payload(
            await hub.change(f"update{noun}", made[entry] | {name: "x"}, f"{entry} {{ id version }}", by=ann)
        )


async def test_learnings_are_searched_alike(hub: Hub) -> None:
    ann = await hub.mediator()
    texts = dict.fromkeys(TEXTS.values())
    await put_cases(hub, ann, *({"did_well": text} for text in texts))
    await put_cpd(hub, ann, *({"takeaways": text} for text in texts))
    document = "query($text: String) { me { mediator { learnings(filter: { text: $text }) { nodes { text } } } } }"
    for search, text in TEXTS.items():
        nodes = (await hub.ask(document, {"text": search}, by=ann)).data["me"]["mediator"]["learnings"]["nodes"]
        assert [one["text"] for one in nodes].count(text) == 2


async def test_a_text_that_shows_nothing_filters_nothing(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, {}, {"notes": "x"})
    document = "query($text: String) { me { mediator { logbook(filter: { text: $text }) { totalCount } } } }"
    for text in (None, "", " \n", "\u00ad", "\u0301"):
        assert (await hub.ask(document, {"text": text}, by=ann)).data["me"]["mediator"]["logbook"]["totalCount"] == 2


async def test_entries_and_facets_are_in_the_order_of_their_folds(hub: Hub) -> None:
    ann = await hub.mediator()
    written = ["Zoning", "Ärger", "ångström", "O’Hara", "Oz", "Łódź", "lima", None]
    ids = [str(one) for one in await put_cases(hub, ann, *({"country": one, "reference": one} for one in written))]
    await put_cpd(hub, ann, *({"title": one} for one in written if one))
    expected = ["ångström", "Ärger", "lima", "Łódź", "O’Hara", "Oz", "Zoning"]
    in_order = [ids[written.index(one)] for one in [*expected, None]]
    for field in ("COUNTRY", "REFERENCE"):
        fetch = fetcher(hub, own("logbook", f"orderBy: {{ field: {field} }}"), ann)
        await assert_pages_make_the_list(fetch, in_order, size=2)
    document = "{ me { mediator { logbookFacets { countries } cpd(orderBy: { field: TITLE }) { nodes { title } } } } }"
    found = (await hub.ask(document, by=ann)).data["me"]["mediator"]
    assert found["logbookFacets"]["countries"] == expected
    assert [one["title"] for one in found["cpd"]["nodes"]] == expected


async def test_a_search_of_signs_alone_finds_only_names_of_signs(hub: Hub) -> None:
    for signs in ("!", "'", "\\", "\\'", "'':*", "& | !", "<->", "()", "\N{HEAVY BLACK HEART}"):
        assert await matches(hub, signs, signs), signs
        assert not await matches(hub, "Ann", signs), signs
