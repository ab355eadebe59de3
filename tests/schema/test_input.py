"""Hostile input: whatever is sent in any place of any argument, the answer is a clear error and never a crash."""

from copy import deepcopy
from typing import Any

import pytest

from permissions.viewer import Standing
from schema.build import projection
from tests.hub import Hub, problems
from tests.permissions.expected import LETTERS, ROLES
from tests.schema.samples import places, samples
from tests.world import put_cases

HOSTILE: dict[str, list[object]] = {
    "String": ["a\0b", "", "\N{GRINNING FACE}" * 12_000, "\u202e\ufeff", 5, None],
    "ID": ["\0", "x" * 5000, 5.5, None],
    "Int": [2**31, 2**63, -(2**31), 5.5, "5", None],
    "Boolean": ["true", None],
    "Decimal": ["", "NaN", "1e99999", "-Infinity", "9" * 400, 2**70, 1e300, True, None],
    "Date": ["2024-02-30", "0001-01-01", "9999-12-31", "\0", 5, None],
    "DateTime": ["", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-01-02", 5, None],
    "Base64": ["", "%", "YQ", "Y\0Q==", "YQ==" * 20_000, 5, None],
    "Enum": ["NO_SUCH_WORD", 5, None],
    "Object": [None, "x", {"noSuchField": 1}],
    "List": [None, [], [None]],
}
# These hash passwords: hostile values for them would take most of this module's time.
SLOW = {"signUp", "resetPassword", "acceptInvitation", "changePassword", "changeEmail", "deleteMyAccount", "signIn"}


def hostile(type_: Any) -> list[object]:
    name = type(type_).__name__
    for kind in ("List", "Enum"):
        if kind in name:
            return HOSTILE[kind]
    return HOSTILE["Object"] if "InputObject" in name else HOSTILE[type_.name]


def replaced(variables: dict[str, Any], path: list[Any], value: object) -> dict[str, Any]:
    """The same variables with another value in one place."""
    changed: Any = deepcopy(variables)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return dict(changed)


@pytest.mark.parametrize("who", ["", "S", "R", "D", "A"])
async def test_no_value_in_any_place_causes_a_crash(hub: Hub, who: str) -> None:
    by = await hub.person(ROLES[who]) if who else None
    signed_out = {sample.name for sample in samples(projection(Standing.PUBLIC))} if who else set()
    for sample in samples(projection(Standing.PUBLIC | LETTERS.get(who, Standing.PUBLIC)), every=True):
        if sample.name in signed_out | SLOW:
            continue
        for argument, of in sample.arguments.items():
            for path, type_ in places(of.type, sample.variables[argument]):
                for value in hostile(type_):
                    variables = replaced(sample.variables, [argument, *path], value)
                    answer = await hub.ask(sample.document, variables, by=by)
                    where = (sample.name, argument, path, value)
                    assert "INTERNAL_SERVER_ERROR" not in answer.codes, where
                    assert "Did you mean" not in str(answer.body), where
                    assert answer.status in {200, 400}, where


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("String", "a\0b", "BAD_USER_INPUT"),
        ("Int", 2**31, "BAD_USER_INPUT"),
        ("Int", 2**64, "BAD_USER_INPUT"),
        ("Date", "2024-02-30", "BAD_USER_INPUT"),
        ("Enum", "BYSTANDER", "BAD_USER_INPUT"),
    ],
)
async def test_a_value_that_nobody_would_type_is_bad_input_and_changes_nothing(
    hub: Hub, kind: str, value: object, code: str
) -> None:
    ann = await hub.mediator()
    field = {"String": "notes", "Int": "minutes", "Date": "endedOn", "Enum": "role"}[kind]
    case = {"role": "OBSERVER", "medium": "ONLINE", "startedOn": "2024-01-02", "endedOn": "2024-01-03", "minutes": 90}
    answer = await hub.change("addLogbookEntry", case | {field: value}, by=ann)
    assert answer.codes == [code]
    assert await hub.rows("SELECT 1 FROM logbook_entry") == []


async def test_a_lone_surrogate_is_refused_however_it_is_written(hub: Hub) -> None:
    ann = await hub.mediator()
    for text in (r'{"query": "{ mediators(search: \"\ud800\") { totalCount } }"}', r'{"query": "{ me { id } }\ud800"}'):
        response = await hub.client.post(
            "/graphql",
            content=text,
            headers={"cookie": f"session={ann.cookie}", "content-type": "application/json"},
        )
        assert response.status_code == 400
        assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    answer = await hub.ask(r'{ mediators(search: "\ud800") { totalCount } }', by=ann)
    assert answer.codes == ["GRAPHQL_PARSE_FAILED"]


async def test_text_in_any_language_is_kept_as_it_was_typed(hub: Hub) -> None:
    ann = await hub.mediator()
    text = "\u65e5\u672c \u05e2\u05d1 \N{GRINNING FACE} \u202ex ' \" ; -- <b> {{7*7}} %s"
    made = await hub.change("updateProfile", {"about": text}, "mediator { about }", by=ann)
    assert problems(made) == []
    assert made.data["updateProfile"]["mediator"]["about"] == text


async def test_people_who_send_the_same_document_each_say_their_own_with_a_variable_inside_its_input(hub: Hub) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    document = "mutation($name: String!) { updateAccount(input: { name: $name }) { account { id name } } }"
    for person, name in ((ann, "Ann"), (bob, "Bob"), (ann, "Anna")):
        answer = await hub.ask(document, {"name": name}, by=person)
        assert answer.data["updateAccount"]["account"] == {"id": str(person.id), "name": name}
    document = "query($text: String!) { me { mediator { logbook(filter: { text: $text }) { nodes { reference } } } } }"
    await put_cases(hub, ann, {"reference": "Fences"}, {"reference": "Roofs"})
    for kind in ("Fences", "Roofs"):
        found = (await hub.ask(document, {"text": kind.lower()}, by=ann)).data["me"]["mediator"]["logbook"]
        assert found == {"nodes": [{"reference": kind}]}
