"""Each viewer's schema against the privacy table: the comparison is exact, in both directions."""

import re
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema, get_introspection_query, graphql_sync, print_schema

from models.account import Role
from permissions.policy import allows, rule
from permissions.viewer import EVERYBODY, Standing, Viewer
from schema.build import projection
from schema.sdl import sdl
from tests.hub import Hub
from tests.permissions.expected import LETTERS, ROLES, expected, lacking, named, whole
from tests.permissions.test_scopes import OPEN_TO_UNVERIFIED
from tests.world import put_token


def present(introspection: dict[str, Any]) -> set[str]:
    """What an introspection shows, apart from GraphQL's own types."""
    found = set()
    for type_ in introspection["__schema"]["types"]:
        if type_["name"].startswith("__"):
            continue
        for member in (type_["fields"] or []) + (type_["inputFields"] or []) + (type_["enumValues"] or []):
            found.add(f"{type_['name']}.{member['name']}")
            found |= {f"{type_['name']}.{member['name']}({one['name']})" for one in member.get("args", [])}
    return found


def introspected(schema: GraphQLSchema) -> set[str]:
    result = graphql_sync(schema, get_introspection_query())
    assert result.data is not None
    return present(result.data)


def test_every_element_of_the_api_is_in_the_table() -> None:
    assert introspected(whole()) == expected("SRDA")


@pytest.mark.parametrize("by_token", [False, True])
@pytest.mark.parametrize(
    "who", ["S", "R", "D", "A", "SR", "SD", "SA", "RD", "RA", "DA", "SRD", "SRA", "SDA", "RDA", "SRDA"]
)
def test_several_roles_together_have_exactly_what_each_of_them_has(who: str, by_token: bool) -> None:
    standings = Standing.PUBLIC
    for letter in who:
        standings |= LETTERS[letter]
    assert introspected(projection(standings, by_token=by_token)) == expected(who, by_token=by_token)


# The table gives these to everybody, though nothing that somebody signed out can ask for leads there.
LED_TO_BY_NOTHING = {("PageInfo", ""), ("OrderDirection", "")}


def test_the_table_grants_what_it_should_even_where_nothing_leads() -> None:
    differing = set()
    for element in expected("SRDA"):
        type_name, _, name = element.partition(".")
        for letter in ("", *LETTERS) if name.isidentifier() else ():
            granted = allows(LETTERS.get(letter, Standing.PUBLIC), type_name, name)
            if granted != (element in expected(letter)):
                differing.add((type_name, letter))
    assert differing == LED_TO_BY_NOTHING


def test_somebody_signed_out_has_what_everybody_has() -> None:
    assert introspected(projection(Standing.PUBLIC)) == expected("")


def test_each_role_has_its_own_standing_and_the_public_one() -> None:
    for letter, role in ROLES.items():
        assert Viewer(roles=frozenset({role})).standings == LETTERS[letter] | Standing.PUBLIC
    assert Viewer(roles=frozenset(Role)).standings == EVERYBODY
    assert Viewer().standings == Standing.PUBLIC


def test_only_public_parts_and_ones_own_account_work_before_an_address_is_verified() -> None:
    entrances = [
        name.split(".") for name in expected("SRDA") if re.fullmatch(r"(Query|Mutation|OwnAccount)\.\w+", name)
    ]
    works = {name for type_name, name in entrances if rule(type_name, name).unverified}
    own = {name for type_name, name in entrances if type_name == "OwnAccount"}
    assert works == OPEN_TO_UNVERIFIED | own


async def test_each_role_is_served_exactly_its_own_schema_by_session_and_by_token(hub: Hub) -> None:
    query = get_introspection_query()
    assert introspected(projection(Standing.PUBLIC)) == expected("")
    assert (await hub.ask(query)).codes == ["GRAPHQL_VALIDATION_FAILED"]  # served by it, but not shown it
    for letter, role in ROLES.items():
        person = await hub.person(role)
        by_session = await hub.ask(query, by=person)
        assert present(by_session.data) == expected(letter)
        by_token = await hub.ask(query, token=await put_token(hub, person))
        assert present(by_token.data) == expected(letter, by_token=True)


async def test_a_role_takes_its_schema_with_it_when_it_is_taken_away(hub: Hub) -> None:
    both = await hub.person(Role.MEDIATOR, Role.REVIEWER)
    assert present((await hub.ask(get_introspection_query(), by=both)).data) == expected("SR")
    await hub.rows("UPDATE account SET roles = '{MEDIATOR}' WHERE id = $1", both.id)
    assert present((await hub.ask(get_introspection_query(), by=both)).data) == expected("S")


@pytest.mark.parametrize("who", ["", "S", "R", "D", "A"])
def test_the_descriptions_in_a_schema_name_nothing_that_it_lacks(who: str) -> None:
    standings = Standing.PUBLIC | LETTERS.get(who, Standing.PUBLIC)
    texts = " ".join(re.findall(r'''""".*?"""|"[^"]*"''', print_schema(projection(standings)), re.DOTALL))
    assert named(texts) & lacking(who) == set()


def test_the_committed_schema_marks_each_element_with_who_has_it() -> None:
    marked = build_schema(sdl())
    for type_name, name, letters in (
        ("LogbookEntry", "country", ["SELF", "ADMIN"]),
        ("FeedbackOrigin", "email", ["ADMIN"]),
        ("Query", "survey", ["PUBLIC"]),
        ("CreateApiTokenPayload", "token", ["SELF", "REVIEWER", "DIRECTORY", "ADMIN"]),
        ("UpdateLogbookEntryPayload", "current", ["SELF"]),
        ("FeedbackConnection", "totalCount", ["SELF", "REVIEWER", "ADMIN"]),
        ("DeadMailEdge", "node", ["ADMIN"]),
    ):
        node = marked.type_map[type_name].fields[name].ast_node  # type: ignore[attr-defined]
        (directive,) = node.directives
        assert [value.value for value in directive.arguments[0].value.values] == letters
