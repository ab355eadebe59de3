"""The profile, and the list of mediators."""

from typing import Any

from models.account import Role
from models.mediator import Visibility
from tests.hub import Hub, Person, payload, problems


async def names(hub: Hub, by: Person, arguments: str = "") -> list[str]:
    answer = await hub.ask(f"{{ mediators{arguments} {{ totalCount nodes {{ name }} }} }}", by=by)
    page = answer.data["mediators"]
    assert page["totalCount"] == len(page["nodes"])
    return [node["name"] for node in page["nodes"]]


async def test_each_word_of_a_search_must_begin_a_word_of_the_name(hub: Hub) -> None:
    directory = await hub.person(Role.DIRECTORY)
    for name in ("Zoë Müller-Lüdenscheidt", "Anna Zoellner", "Anna  O'Neill", "李 小龙", "Ⅷ Roman"):
        await hub.mediator(name=name)
    await hub.mediator(name="Zoe Hidden", visibility=Visibility.PRIVATE)
    for search, found in (
        ("zoe", ["Anna Zoellner", "Zoë Müller-Lüdenscheidt"]),
        ("ZOË mul", ["Zoë Müller-Lüdenscheidt"]),
        ("ludens", ["Zoë Müller-Lüdenscheidt"]),
        ("neill anna", ["Anna  O'Neill"]),
        ("O'Neill", ["Anna  O'Neill"]),
        ("ann zo", ["Anna Zoellner"]),
        ("nna", []),
        ("hidden", []),
        ("李", ["李 小龙"]),
        ("viii", ["Ⅷ Roman"]),
    ):
        assert await names(hub, directory, f'(search: "{search}")') == found, search
    for search in ("", "   "):
        assert len(await names(hub, directory, f'(search: "{search}")')) == 5


async def test_a_search_is_only_ever_taken_as_words(hub: Hub) -> None:
    directory = await hub.person(Role.DIRECTORY)
    await hub.mediator(name="Ann Bee")
    signs = ["!", "' | 'ann", "ann:* | c", "ann & !c", "\\", "'':*", "(", "<->", "%", "\N{COMBINING ACUTE ACCENT}"]
    for search in [*signs, "ann' --", "x" * 5000, "x " * 20_000]:
        answer = await hub.ask(
            "query($search: String) { mediators(search: $search) { totalCount nodes { name } } }",
            {"search": search},
            by=directory,
        )
        ann = search in {"' | 'ann", "ann' --"}
        assert answer.data["mediators"]["totalCount"] == len(answer.data["mediators"]["nodes"]) == ann, search


async def test_filtering_by_standing_keeps_the_mediators_seen_with_it(hub: Hub) -> None:
    everything = await hub.person(Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY, Role.ADMIN, name="Me")
    ann, bea = await hub.mediator(name="Ann"), await hub.mediator(name="Bea", visibility=Visibility.PRIVATE)
    await hub.mediator(name="Cid", visibility=Visibility.PRIVATE)
    await hub.mediator(name="Dee")
    for mediator in (ann, bea):
        await hub.appointed(mediator, everything)
    for standing, found in (
        ("SELF", ["Me"]),
        ("REVIEWER", ["Ann", "Bea"]),
        ("DIRECTORY", ["Ann", "Dee"]),
        ("ADMIN", ["Ann", "Bea", "Cid", "Dee"]),
    ):
        assert await names(hub, everything, f"(standing: {standing})") == found
    assert await names(hub, everything) == ["Ann", "Bea", "Cid", "Dee", "Me"]
    assert await names(hub, everything, '(standing: REVIEWER, search: "b")') == ["Bea"]
    assert await names(hub, await hub.mediator(name="Only Me"), "") == ["Only Me"]


async def test_a_mediator_is_found_only_with_the_standing_asked_for(hub: Hub) -> None:
    everything = await hub.person(Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY, Role.ADMIN)
    ann, bea = await hub.mediator(), await hub.mediator(visibility=Visibility.PRIVATE)
    cid = await hub.mediator(visibility=Visibility.PRIVATE)
    await hub.appointed(bea, everything)
    document = "query($id: ID!, $standing: Standing) { mediator(id: $id, standing: $standing) { email } }"
    for standing, found in (
        ("SELF", [everything]),
        ("REVIEWER", [bea]),
        ("DIRECTORY", [ann]),
        ("ADMIN", [ann, bea, cid]),
        (None, [ann, bea, cid, everything]),
    ):
        for whose in (ann, bea, cid, everything):
            answer = await hub.ask(document, {"id": str(whose.id), "standing": standing}, by=everything)
            if whose in found:
                # What may be read doesn't depend on the standing asked for: standings add up.
                assert answer.data["mediator"] == {"email": whose.email}, standing
            else:
                assert answer.codes == ["NOT_FOUND"], standing
    for role, foreign in ((Role.DIRECTORY, "ADMIN"), (Role.MEDIATOR, "REVIEWER")):
        answer = await hub.ask(document, {"id": str(ann.id), "standing": foreign}, by=await hub.person(role))
        assert answer.status == 400
        assert "data" not in answer.body


async def profile(hub: Hub, mediator: Person) -> Any:
    document = "{ me { mediator { about profileUrl visibility } } }"
    return (await hub.ask(document, by=mediator)).data["me"]["mediator"]


async def test_updating_a_profile_changes_what_is_given_and_keeps_the_rest(hub: Hub) -> None:
    ann = await hub.mediator(visibility=Visibility.PRIVATE)
    fields = "mediator { about profileUrl visibility }"
    made = payload(await hub.change("updateProfile", {"about": " I listen\n"}, fields, by=ann))
    assert made["mediator"] == {"about": "I listen", "profileUrl": None, "visibility": "PRIVATE"}
    payload(
        await hub.change("updateProfile", {"profileUrl": "https://demo.example/a", "visibility": "DIRECTORIES"}, by=ann)
    )
    payload(await hub.change("updateProfile", {}, by=ann))
    assert await profile(hub, ann) == {
        "about": "I listen",
        "profileUrl": "https://demo.example/a",
        "visibility": "DIRECTORIES",
    }
    payload(await hub.change("updateProfile", {"about": None, "profileUrl": " "}, by=ann))
    assert await profile(hub, ann) == {"about": None, "profileUrl": None, "visibility": "DIRECTORIES"}


async def test_a_profile_with_something_to_fix_changes_nothing(hub: Hub) -> None:
    ann = await hub.mediator()
    before = await profile(hub, ann)
    for bad, problem in (
        ({"visibility": None}, ("visibility", "REQUIRED")),
        ({"profileUrl": "javascript:alert(1)"}, ("profileUrl", "INVALID")),
        ({"profileUrl": "https://"}, ("profileUrl", "INVALID")),
        ({"profileUrl": "https://[x"}, ("profileUrl", "INVALID")),
        ({"about": "x" * 10_001}, ("about", "TOO_LONG")),
    ):
        answer = await hub.change("updateProfile", {"about": "changed"} | bad, "mediator { id }", by=ann)
        assert problems(answer) == [problem]
        assert answer.data["updateProfile"]["mediator"] is None
        assert await profile(hub, ann) == before
