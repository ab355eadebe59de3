"""Sessions that end on their own, and API tokens."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from graphql import GraphQLObjectType

from models.account import Role
from permissions.secrets import hash_secret
from permissions.viewer import SIGNED_IN, Standing
from resolvers.tokens import MAX_API_TOKENS
from schema.build import projection
from tests.hub import Hub, Person, payload, problems

ME = "{ me { id } }"


async def token_of(hub: Hub, person: Person, **facts: object) -> tuple[str, str]:
    """Create an API token, and return its id and its secret."""
    made = payload(await hub.change("createApiToken", {"name": "Program", **facts}, "token apiToken { id }", by=person))
    return made["apiToken"]["id"], made["token"]


async def test_a_session_ends_when_it_has_not_been_used_for_two_weeks(hub: Hub) -> None:
    person = await hub.mediator()
    async with hub.later(days=13) as then:
        assert (await then.ask(ME, by=person)).status == 200
    async with hub.later(days=26) as then:
        assert (await then.ask(ME, by=person)).status == 200
    async with hub.later(days=26 + 15) as then:
        answer = await then.ask(ME, by=person)
        assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])
        assert "max-age=0" in answer.headers["set-cookie"].lower()
        await then.work()
    assert not await hub.rows("SELECT 1 FROM session")


async def test_a_session_ends_after_90_days_however_much_it_is_used(hub: Hub) -> None:
    person = await hub.mediator()
    for day in range(10, 90, 10):
        async with hub.later(days=day) as then:
            assert (await then.ask(ME, by=person)).status == 200
    async with hub.later(days=90, hours=1) as then:
        assert (await then.ask(ME, by=person)).codes == ["UNAUTHENTICATED"]


async def test_when_a_session_was_used_is_written_at_most_every_five_minutes(hub: Hub) -> None:
    person = await hub.mediator()
    (before,) = await hub.rows("SELECT used_at FROM session")
    await hub.ask(ME, by=person)
    assert await hub.rows("SELECT used_at FROM session") == [before]
    async with hub.later(hours=1) as then:
        await then.ask(ME, by=person)
    (after,) = await hub.rows("SELECT used_at FROM session")
    assert after["used_at"] > before["used_at"]


async def test_a_token_is_shown_once_stored_as_a_hash_and_acts_for_its_owner(hub: Hub) -> None:
    person = await hub.mediator()
    token_id, secret = await token_of(hub, person)
    assert (await hub.ask(ME, token=secret)).data["me"]["id"] == str(person.id)
    (row,) = await hub.rows("SELECT * FROM api_token")
    assert row["secret_hash"] == hash_secret(secret)
    assert secret not in str(row)
    listed = (await hub.ask("{ me { apiTokens { id name usedAt } } }", by=person)).data["me"]["apiTokens"]
    assert [one["id"] for one in listed] == [token_id]
    assert listed[0]["usedAt"] is not None


async def test_a_repeated_request_creates_one_token_and_does_not_show_it_again(hub: Hub) -> None:
    person = await hub.mediator()
    first, secret = await token_of(hub, person, requestKey="once")
    again = await hub.change(
        "createApiToken", {"name": "Program", "requestKey": "once"}, "token apiToken { id }", by=person
    )
    assert payload(again) == {"token": None, "apiToken": {"id": first}, "userErrors": []}
    assert (await hub.ask(ME, token=secret)).status == 200
    assert len(await hub.rows("SELECT 1 FROM api_token")) == 1


async def test_a_token_ends_when_its_owner_revokes_it_and_nobody_else_can(hub: Hub) -> None:
    person, other = await hub.mediator(), await hub.mediator()
    token_id, secret = await token_of(hub, person)
    assert problems(await hub.change("revokeApiToken", {"id": token_id}, by=other)) == [("id", "NOT_FOUND")]
    assert (await hub.ask(ME, token=secret)).status == 200
    revoked = payload(await hub.change("revokeApiToken", {"id": token_id}, "apiToken { revokedAt }", by=person))
    assert revoked["apiToken"]["revokedAt"] is not None
    again = payload(await hub.change("revokeApiToken", {"id": token_id}, "apiToken { revokedAt }", by=person))
    assert again == revoked
    assert len(await hub.rows("SELECT FROM audit_entry WHERE action = 'API_TOKEN_REVOKED'")) == 1
    answer = await hub.ask(ME, token=secret)
    assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])


async def test_a_token_ends_when_it_expires(hub: Hub) -> None:
    person = await hub.mediator()
    expires = hub.database.now() + timedelta(hours=10)
    _, secret = await token_of(hub, person, expiresAt=expires.isoformat())
    async with hub.later(hours=9) as then:
        assert (await then.ask(ME, token=secret)).status == 200
    async with hub.later(hours=11) as then:
        assert (await then.ask(ME, token=secret)).codes == ["UNAUTHENTICATED"]
        await then.work()
    assert not await hub.rows("SELECT 1 FROM api_token")


@pytest.mark.parametrize(
    "moment",
    ["2001-01-01T00:00:00Z", "2999-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"],
)
async def test_a_token_needs_an_end_that_is_in_the_future_and_has_a_time_zone(hub: Hub, moment: str) -> None:
    person = await hub.mediator()
    answer = await hub.change("createApiToken", {"name": "T", "expiresAt": moment}, by=person)
    assert [field for field, _ in problems(answer)] == ["expiresAt"]
    assert not await hub.rows("SELECT 1 FROM api_token")


async def test_an_account_can_have_only_so_many_tokens(hub: Hub) -> None:
    person = await hub.mediator()
    for _ in range(MAX_API_TOKENS):
        token_id, _ = await token_of(hub, person)
    assert problems(await hub.change("createApiToken", {"name": "T"}, by=person)) == [(None, "NOT_ALLOWED")]
    payload(await hub.change("revokeApiToken", {"id": token_id}, by=person))
    await token_of(hub, person)


async def test_no_token_reaches_credentials_roles_tokens_or_origins(hub: Hub) -> None:
    everything = projection(SIGNED_IN | Standing.PUBLIC, by_token=True)
    mutation, account = everything.mutation_type, everything.type_map["OwnAccount"]
    assert mutation is not None
    assert isinstance(account, GraphQLObjectType)
    forbidden = {
        "signUp",
        "signIn",
        "finishSignIn",
        "signOut",
        "verifyEmail",
        "requestPasswordReset",
        "resetPassword",
        "changeEmail",
        "changePassword",
        "updateAccount",
        "endSession",
        "createApiToken",
        "revokeApiToken",
        "exportMyData",
        "deleteMyAccount",
        "setUpSecondFactor",
        "confirmSecondFactor",
        "removeSecondFactor",
        "renewRecoveryCodes",
        "acceptInvitation",
        "createDirectory",
        "addRole",
        "removeRole",
        "declineAppointment",
        "deleteAccount",
    }
    assert not forbidden & set(mutation.fields)
    assert {"addLogbookEntry", "requestFeedback", "updateDirectory", "setPaidAccess"} <= set(mutation.fields)
    assert not {"sessions", "apiTokens", "exports"} & set(account.fields)
    assert "FeedbackOrigin" not in everything.type_map


async def test_what_a_token_may_not_use_does_not_exist_for_it(hub: Hub) -> None:
    admin, other = await hub.person(Role.ADMIN), await hub.mediator()
    _, secret = await token_of(hub, admin)
    asked = [
        await hub.change("addRole", {"accountId": str(other.id), "role": "ADMIN"}, token=secret),
        await hub.change("removeRole", {"accountId": str(other.id), "role": "MEDIATOR"}, token=secret),
        await hub.change("declineAppointment", {"id": str(other.id)}, token=secret),
        await hub.change("deleteAccount", {"id": str(other.id), "email": other.email}, token=secret),
        await hub.change("createApiToken", {"name": "More"}, token=secret),
        await hub.ask("{ mediators { nodes { feedback { nodes { origin { name } } } } } }", token=secret),
    ]
    assert [set(answer.codes) for answer in asked] == [{"GRAPHQL_VALIDATION_FAILED"}] * len(asked)
    assert [row["roles"] for row in await hub.rows("SELECT roles FROM account WHERE id = $1", other.id)] == [
        ["MEDIATOR"]
    ]
    assert len(await hub.rows("SELECT 1 FROM api_token")) == 1


async def test_a_token_loses_what_its_owner_loses(hub: Hub) -> None:
    admin, other = await hub.person(Role.ADMIN), await hub.person(Role.ADMIN, Role.MEDIATOR)
    _, secret = await token_of(hub, other)
    assert (await hub.ask("{ accounts { nodes { id } } }", token=secret)).data["accounts"]["nodes"]
    payload(await hub.change("removeRole", {"accountId": str(other.id), "role": "ADMIN"}, by=admin))
    answer = await hub.ask("{ accounts { nodes { id } } }", token=secret)
    assert answer.codes == ["GRAPHQL_VALIDATION_FAILED"]


async def test_an_unknown_cookie_or_token_is_refused_and_not_treated_as_signed_out(hub: Hub) -> None:
    nobody = Person(uuid4(), "Nobody", "nobody@demo.example", "no-such-session")
    for answer in (await hub.ask("{ survey { leastMinutes } }", by=nobody), await hub.ask(ME, token="no-such-token")):
        assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])


async def test_somebody_elses_token_id_gets_the_same_answer_as_an_unknown_one(hub: Hub) -> None:
    person, other = await hub.mediator(), await hub.mediator()
    token_id, _ = await token_of(hub, person)
    foreign = await hub.change("revokeApiToken", {"id": token_id}, "apiToken { id }", by=other)
    absent = await hub.change("revokeApiToken", {"id": str(UUID(int=7))}, "apiToken { id }", by=other)
    assert foreign.body == absent.body
