"""Changes: everything in a payload is asked for, and somebody else's id gets the same answer as an unknown one."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any
from uuid import uuid4

from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_required_input_field,
)
from sqlmodel import SQLModel

from models.account import Role
from permissions.viewer import Standing
from schema.build import projection
from schema.executor.tests.values import value_of
from tests.privacy.oracle import Watcher
from tests.privacy.overheard import empty_redis
from tests.privacy.place import Place
from tests.privacy.walk import selection
from tests.web.reading import everything
from tests.world import statements

A_PAIR = {Role.MEDIATOR, Role.REVIEWER}
PAIRS = [set(pair) for pair in combinations(Role, 2)]


def who_change(place: Place) -> list[Watcher]:
    """Each role, a pair, a reviewer whose reviews have ended, somebody with all roles, and a token."""
    return [
        one
        for one in place.world.watchers
        if not one.over
        and (one.roles == A_PAIR or len(one.roles) in {0, 1} or len(one.roles) == 4)
        and (not one.token or one.roles == {Role.MEDIATOR})
    ]


def _schema(watcher: Watcher) -> GraphQLSchema:
    return projection(watcher.could, by_token=bool(watcher.token))


def _input(schema: GraphQLSchema, mutation: str) -> GraphQLInputObjectType | None:
    assert schema.mutation_type
    argument = schema.mutation_type.fields[mutation].args.get("input")
    kind = get_named_type(argument.type) if argument else None
    return kind if isinstance(kind, GraphQLInputObjectType) else None


def _document(schema: GraphQLSchema, mutation: str) -> str:
    """A change with everything in its payload selected."""
    assert schema.mutation_type
    field = schema.mutation_type.fields[mutation]
    payload = get_named_type(field.type)
    assert isinstance(payload, GraphQLObjectType)
    kind = _input(schema, mutation)
    if kind is None:
        return f"mutation {{ {mutation} {selection(payload)} }}"
    return f"mutation($input: {kind.name}!) {{ {mutation}(input: $input) {selection(payload)} }}"


def _taking_ids(schema: GraphQLSchema) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every change with each field that takes an id, and what else its input needs."""
    for mutation in schema.mutation_type.fields if schema.mutation_type else ():
        kind = _input(schema, mutation)
        for name, field in kind.fields.items() if kind else ():
            if get_named_type(field.type).name == "ID":
                assert kind
                needed = {
                    n: value_of(one.type, every=False) for n, one in kind.fields.items() if is_required_input_field(one)
                }
                if "answers" in needed:
                    needed["answers"] = [{"question": "listening", "rating": 4}]
                yield mutation, name, needed


def _ids_not_for(place: Place, watcher: Watcher) -> list[str]:
    """From every table, ids of rows that somebody may not know about."""
    visible, ids = place.world.facts.visible(watcher), dict[str, list[str]]()
    for table, row in place.world.rows:
        if "id" in row and str(row["id"]) not in visible:
            ids.setdefault(table.name, []).append(str(row["id"]))
    return [one for each in ids.values() for one in (each[0], each[-1])]


async def test_a_change_answers_the_same_to_somebody_elses_id_as_to_an_unknown_one(place: Place) -> None:
    tried = set()
    before = await everything(place.hub)
    for watcher in who_change(place):
        schema, foreign = _schema(watcher), _ids_not_for(place, watcher)
        assert len(foreign) > 8
        for mutation, name, needed in _taking_ids(schema):
            document = _document(schema, mutation)

            async def answer(id: str) -> tuple[int, str]:
                response = await place.ask_as(watcher, document, {"input": needed | {name: id}})  # noqa: B023 - used at once
                return response.status_code, response.text

            never = await answer(str(uuid4()))
            assert "NOT_FOUND" in never[1] or not watcher.verified, (watcher.name, mutation, never)
            for number, one in enumerate(foreign):
                if number % 10 == 0:
                    await empty_redis(place.hub)  # so that no limit comes before the answer
                assert await answer(one) == never, (watcher.name, mutation, name, one)
            tried.add(mutation)
    assert await everything(place.hub) == before
    assert tried == {mutation for mutation, _, _ in _taking_ids(projection(Standing(31)))}


async def test_a_query_answers_the_same_to_somebody_elses_id_as_to_an_unknown_one(place: Place) -> None:
    for watcher in place.world.watchers:
        if watcher.over or watcher.token:
            continue
        schema, foreign = _schema(watcher), _ids_not_for(place, watcher)
        assert schema.query_type
        for name, field in schema.query_type.fields.items():
            for argument, one in field.args.items():
                if get_named_type(one.type).name != "ID":
                    continue
                kind = get_named_type(field.type)
                selected = selection(kind) if isinstance(kind, GraphQLObjectType) else ""
                document = f"query($id: ID!) {{ {name}({argument}: $id) {selected} }}"
                never = await place.ask_as(watcher, document, {"id": str(uuid4())})
                for other in foreign:
                    answer = await place.ask_as(watcher, document, {"id": other})
                    assert (answer.status_code, answer.text) == (never.status_code, never.text), (watcher.name, name)


async def test_somebody_elses_entry_looks_like_an_unknown_one_under_every_mediator(place: Place) -> None:
    tried = 0
    for watcher in place.world.watchers:
        mediator = _schema(watcher).type_map.get("Mediator")
        if watcher.over or watcher.token or not isinstance(mediator, GraphQLObjectType):
            continue
        for name, field in mediator.fields.items():
            for argument, one in field.args.items():
                kind = get_named_type(field.type)
                if get_named_type(one.type).name != "ID" or not isinstance(kind, GraphQLObjectType):
                    continue
                wanted = f"{name}({argument}: $id) {selection(kind)}"
                document = f"query($id: ID!) {{ mediators {{ nodes {{ id {wanted} }} }} }}"
                never = (await place.ask_as(watcher, document, {"id": str(uuid4())})).json()
                for other in _ids_not_for(place, watcher):
                    found = (await place.ask_as(watcher, document, {"id": other})).json()
                    assert _in_any_order(found) == _in_any_order(never), (watcher.name, name)
                    tried += 1
    assert tried > 100


def _in_any_order(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer with its errors sorted: fields that fail side by side fail in any order."""
    return answer | {"errors": sorted(answer.get("errors", []), key=str)}


def _noun(place: Place, watcher: Watcher, mutation: str) -> str:
    """Somebody else's id, from the table that the change is about."""
    visible = place.world.facts.visible(watcher)
    names = [name for name in SQLModel.metadata.tables if name.replace("_", "") in mutation.lower()]
    wanted = names[0] if names else {"retryMail": "outbox"}.get(mutation, "account")
    ids = [str(row["id"]) for table, row in place.world.rows if table.name == wanted and str(row["id"]) not in visible]
    return ids[0] if ids else str(uuid4())  # an administrator knows every account


async def test_a_change_runs_the_same_statements_whether_or_not_an_id_exists(place: Place) -> None:
    for role in (Role.MEDIATOR, Role.ADMIN):
        watcher = next(one for one in place.world.watchers if one.roles == {role} and one.cookie)
        schema = _schema(watcher)
        for mutation, name, needed in _taking_ids(schema):
            document, foreign = _document(schema, mutation), _noun(place, watcher, mutation)
            ran = []
            for one in (foreign, str(uuid4())):
                await empty_redis(place.hub)
                async with statements(place.hub) as run:
                    await place.ask_as(watcher, document, {"input": needed | {name: one}})
                ran.append(run)
            assert ran[0] == ran[1], mutation


# What is accepted with values that exist. The others need a secret of the right kind, or a row in a certain state.
ACCEPTED = {
    *("changeEmail", "changePassword", "updateAccount", "exportMyData", "deleteMyAccount", "signUp", "signOut"),
    *("requestPasswordReset", "endSession", "revokeApiToken", "addRole", "removeRole", "signOutAccount"),
    *("setPaidAccess", "endPaidAccess", "deleteAccount", "deleteLogbookEntry", "deleteCpdEntry"),
    *("addOpeningBalance", "deleteOpeningBalance"),
    *("importLogbookEntries", "giveFeedback", "inviteReviewer", "requestFeedback", "withdrawFeedbackRequest"),
}
_TABLES = {
    "LogbookEntry": "logbook_entry",
    "CpdEntry": "cpd_entry",
    "OpeningBalance": "opening_balance",
    "FeedbackRequest": "feedback_request",
    "Session": "session",
    "Token": "api_token",
}


def _ids(place: Place, watcher: Watcher, mutation: str) -> list[str]:
    """The ids that somebody may know, of what a mutation is about: accounts, unless its name says another noun."""
    about = next((table for noun, table in _TABLES.items() if mutation.endswith(noun)), "account")
    those = {str(row["id"]) for table, row in place.world.rows if table.name == about}
    known = {one for one in place.world.facts.visible(watcher) if one.count("-") == 4}
    return sorted(known & those) or sorted(known)


def _value(place: Place, watcher: Watcher, pools: dict[str, list[str]], mutation: str, name: str, type_: Any) -> Any:
    """A value for an input field: one that exists if there are any for its name, or an id that the viewer knows."""
    kind = get_named_type(type_)
    if isinstance(kind, GraphQLInputObjectType):
        made = {
            n: _value(place, watcher, pools, mutation, n, one.type)
            for n, one in kind.fields.items()
            if n != "notApplicable"
        }
        if "rating" in made:  # one answer, in words
            made = {"question": "impressed", "text": made["text"]}
        return [made] if "[" in str(type_) else made
    if kind.name == "ID":
        return place.dice.choice(_ids(place, watcher, mutation))
    pool = pools.get(name)
    if pool and get_nullable_type(type_) is kind:
        chosen = place.dice.choice(pool)
        return int(chosen) if kind.name == "Int" else chosen
    return value_of(type_, every=True)


def _fitting(place: Place, mutation: str) -> dict[str, Any]:
    """Values that only fit together: somebody's id with their own address, or with a role that they have or lack."""
    there = [one for one in place.world.accounts.values() if one.account_id != place.gone.account_id]
    somebody = place.dice.choice([one for one in there if one.roles in PAIRS])
    assert somebody.account_id
    if mutation == "deleteAccount":
        return {"id": str(somebody.account_id), "email": place.world.emails[somebody.account_id]}
    if mutation in {"addRole", "removeRole"}:
        has = mutation == "removeRole"
        fitting = [role for role in Role if (role in somebody.roles) is has]
        return {"accountId": str(somebody.account_id), "role": place.dice.choice(fitting)}
    return {}


async def test_no_payload_shows_more_than_the_table_grants(place: Place) -> None:
    accepted = set()
    pools = place.pools()
    for watcher in who_change(place):
        schema, granted = _schema(watcher), place.world.facts.visible(watcher, place.world.facts.told_by)
        assert schema.mutation_type
        await empty_redis(place.hub)
        for mutation in schema.mutation_type.fields:
            document, kind = _document(schema, mutation), _input(schema, mutation)
            for _attempt in range(2):
                given = _value(place, watcher, pools, mutation, "input", kind) if kind else None
                if given and mutation == "giveFeedback":
                    given = {n: v for n, v in given.items() if n not in {"link", "token"}}
                if given:
                    given |= _fitting(place, mutation)
                response = await place.ask_as(watcher, document, {"input": given} if kind else None)
                leaked = place.found(response) - granted - place.world.known.found_in(str(given))
                assert not leaked, (watcher.name, mutation, given, response.text)
                body = response.json()
                assert "INTERNAL_SERVER_ERROR" not in response.text, (mutation, given)
                if "errors" not in body and not body["data"][mutation]["userErrors"]:
                    accepted.add(mutation)
                    await place.put_back()
    assert accepted >= ACCEPTED
