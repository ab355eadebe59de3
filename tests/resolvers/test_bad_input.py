"""Every change in the schema, tried with what nobody should send: it's refused by name, and none of it is kept."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pyotp
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    get_nullable_type,
)
from redis.asyncio import Redis

from models.account import Role
from models.cpd import CPD_FIELDS
from models.fields import LISTS
from models.logbook import LOGBOOK_FIELDS
from models.mediator import Visibility
from permissions.sealing import seal_factor
from permissions.secrets import Opens, hash_secret, link_secret, stop_token
from permissions.viewer import EVERYBODY
from schema.build import projection
from tests.entry_values import filled_in, filled_in_otherwise
from tests.hub import PASSWORD, Answer, Hub, Person, opened, payload, problems
from tests.samples import pdf, picture
from tests.world import put_cases, put_cpd, put_feedback, put_file, put_sessions

_mutations = projection(EVERYBODY).mutation_type
assert _mutations is not None
MUTATIONS = _mutations.fields

NUL, SURROGATE, LONG = "a\0b", "a\ud800b", "x" * 10_001
BAD: dict[str, list[Any]] = {
    "String": [NUL, SURROGATE, LONG, 5, True, ["a", "b"], {"a": "b"}],
    "ID": [NUL, SURROGATE, LONG, "", "nothing", "0" * 32, 2**70, True, ["a", "b"], {}],
    "Int": [0, -1, 2**31, -(2**31) - 1, 2**63, 10**30, 1.5, "5", True, [1, 2], {}],
    "Boolean": ["yes", 1, "", [], {}],
    "Date": ["", "yesterday", "2024-13-01", "2023-02-29", "1949-12-31", "9999-12-31", "0001-01-01", NUL, 5, True],
    "DateTime": ["", "soon", "2030-01-01", "2999-01-01T00:00:00", "9999-12-31T23:59:59-12:00", NUL, 5, {}],
}
BAD["Base64"] = ["", "%%%", "YQ", "YWI=", NUL, SURROGATE, 5, True, ["a"], {}]
BLANK = ["", "  \n"]
# Lists that may be empty.
CODES = {field.graphql_name for field in LOGBOOK_FIELDS + CPD_FIELDS if field.kind in LISTS}
FACTOR, RECOVERY, PENDING = "A" * 32, "abcd" * 6, "p" * 43
MANY_LEFT = -1000  # a pending sign-in has ten tries, and these tests take more

GIVEN = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "listening", "rating": 4}]}
CASE, CPD = filled_in(LOGBOOK_FIELDS), filled_in(CPD_FIELDS)
SESSION = {"heldOn": "2024-05-07", "minutes": 60, "kind": "DRAFTING", "medium": "HYBRID", "confirmImplausible": False}
BALANCE = {"role": "OTHER", "minutes": 60, "cases": 2, "before": "2020-01-01"}
FILE = {"kind": "CERTIFICATE", "name": "a.pdf", "content": b64encode(pdf()).decode()}
REQUEST = {
    "partyName": "A party",
    "partyEmail": "party@demo.example",
    "mediationEndedOn": "2024-01-02",
    "partyAgreed": True,
    "reference": "R",
}
# In an update, leaving a field out keeps it; null isn't allowed where an entry must have a value.
NOT_NULL = {
    "updateLogbookEntry": {field.graphql_name for field in LOGBOOK_FIELDS if not field.is_optional},
    "updateCpdEntry": {field.graphql_name for field in CPD_FIELDS if not field.is_optional},
    "updateCaseSession": {"heldOn", "minutes", "kind", "medium"},
    "updateOpeningBalance": {"role", "minutes", "before"},
    "updateDirectory": {"name"},
    "updateProfile": {"visibility"},
}

SELF, REVIEWER, DIRECTORY, ADMIN = Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY, Role.ADMIN
PUBLIC, SIGNED_IN = frozenset[Role](), frozenset(Role)
ALLOWED: dict[str, frozenset[Role]] = {
    **dict.fromkeys(
        (
            "signUp",
            "verifyEmail",
            "signIn",
            "finishSignIn",
            "requestPasswordReset",
            "resetPassword",
            "acceptInvitation",
            "giveFeedback",
            "changeFeedbackSharing",
            "eraseFeedback",
            "stopRequests",
        ),
        PUBLIC,
    ),
    **dict.fromkeys(
        (
            "signOut",
            "updateAccount",
            "changeEmail",
            "changePassword",
            "endSession",
            "createApiToken",
            "revokeApiToken",
            "exportMyData",
            "deleteMyAccount",
            "setUpSecondFactor",
            "confirmSecondFactor",
            "removeSecondFactor",
            "renewRecoveryCodes",
        ),
        SIGNED_IN,
    ),
    **dict.fromkeys(
        (
            "updateProfile",
            "addLogbookEntry",
            "importLogbookEntries",
            "updateLogbookEntry",
            "deleteLogbookEntry",
            "addCaseSession",
            "updateCaseSession",
            "deleteCaseSession",
            "addCpdEntry",
            "updateCpdEntry",
            "deleteCpdEntry",
            "addOpeningBalance",
            "updateOpeningBalance",
            "deleteOpeningBalance",
            "attachFile",
            "detachFile",
            "requestFeedback",
            "withdrawFeedbackRequest",
            "appointReviewer",
            "inviteReviewer",
            "resendInvitation",
            "revokeInvitation",
        ),
        frozenset({SELF}),
    ),
    "endReview": frozenset({SELF, REVIEWER}),
    "acceptAppointment": frozenset({REVIEWER}),
    "declareRelation": frozenset({REVIEWER}),
    "declineAppointment": frozenset({REVIEWER, ADMIN}),
    **dict.fromkeys(
        (
            "createDirectory",
            "updateDirectory",
            "addRole",
            "removeRole",
            "setPaidAccess",
            "endPaidAccess",
            "signOutAccount",
            "deleteAccount",
            "retryMail",
            "approveAppointment",
            "confirmReviewer",
            "admitFeedback",
            "removeFeedback",
        ),
        frozenset({ADMIN}),
    ),
}


@dataclass
class World:
    """A hub where every change can be made.

    `sound`: an accepted input for each change. `foreign`: one of its fields, and an id that isn't its actor's.
    """

    hub: Hub
    mediator: Person
    admin: Person
    others: dict[str, Person]
    sound: dict[str, dict[str, Any]]
    foreign: dict[str, tuple[str, UUID]]

    def actor(self, mutation: str) -> Person | None:
        """The person who makes the change."""
        allowed = ALLOWED[mutation]
        if mutation in self.others:
            return self.others[mutation]
        return None if not allowed else self.admin if allowed == {ADMIN} else self.mediator


async def give_recovery_code(hub: Hub, person: Person) -> None:
    added = "INSERT INTO recovery_code (account_id, secret_hash) VALUES ($1, $2)"
    await hub.rows(added, person.id, hash_secret(RECOVERY))


async def begin_sign_in(hub: Hub, person: Person) -> None:
    begun = "INSERT INTO pending_sign_in (account_id, secret_hash, tries) VALUES ($1, $2, $3)"
    await hub.rows(begun, person.id, hash_secret(PENDING), MANY_LEFT)


@pytest.fixture
async def world(hub: Hub) -> World:
    """What everybody has, and an accepted input for each change."""
    mediator, other, admin = await hub.mediator(), await hub.mediator(), await hub.person(ADMIN)
    reviewer, directory = await hub.person(REVIEWER), await hub.person(DIRECTORY)
    private, paying = await hub.mediator(visibility=Visibility.PRIVATE), await hub.mediator()
    await hub.rows("UPDATE account SET paid_until = clock() + interval '1 day' WHERE id = $1", paying.id)
    await hub.appointed(mediator, reviewer)
    await hub.appointed(other, reviewer)
    (case, whole_case), (others_case,) = await put_cases(hub, mediator, {}, {}), await put_cases(hub, other, {})
    session, _ = await put_sessions(hub, case, {}, {})
    others_session, _ = await put_sessions(hub, others_case, {}, {})
    (cpd,), (others_cpd,) = await put_cpd(hub, mediator, {}), await put_cpd(hub, other, {})

    guarded, halfway = await hub.mediator(), await hub.mediator()
    for person, confirmed in ((guarded, "clock()"), (halfway, "NULL")):
        sealed = seal_factor(hub.settings, person.id, FACTOR)
        columns = "account_id, sealed, confirmed_at, wrong_code_told_at"
        # They've just been told about a wrong code, so another one leaves no trace.
        await hub.rows(
            f"INSERT INTO second_factor ({columns}) VALUES ($1, $2, {confirmed}, clock())", person.id, sealed
        )
    # Their last sign-in is long ago, so changes that may ask for the password do.
    await hub.rows("UPDATE session SET created_at = clock() - interval '1 hour' WHERE account_id = $1", guarded.id)
    await give_recovery_code(hub, guarded)
    await begin_sign_in(hub, guarded)

    async def made(mutation: str, values: dict[str, Any], by: Person | None, sql: str) -> UUID:
        payload(await hub.change(mutation, values, by=by))
        found = await hub.rows(sql)
        return UUID(str(found[-1][0]))

    token_sql, request_sql = (
        "SELECT id FROM api_token ORDER BY created_at",
        "SELECT id FROM feedback_request ORDER BY made_at",
    )
    token = await made("createApiToken", {"name": "T"}, mediator, token_sql)
    others_token = await made("createApiToken", {"name": "T"}, other, token_sql)
    request = await made("requestFeedback", REQUEST, mediator, request_sql)
    others_request = await made("requestFeedback", REQUEST, other, request_sql)
    balance_sql = "SELECT id FROM opening_balance ORDER BY created_at"
    balance = await made("addOpeningBalance", BALANCE, mediator, balance_sql)
    others_balance = await made("addOpeningBalance", BALANCE, other, balance_sql)
    sign_up = {"name": "N", "email": "new@demo.example", "password": PASSWORD}
    verification = await made("signUp", sign_up, None, "SELECT id FROM account_link")
    reset_sql = "SELECT id FROM account_link WHERE purpose = 'RESET_PASSWORD'"
    reset = await made("requestPasswordReset", {"email": other.email}, None, reset_sql)
    invited_sql = "SELECT id FROM reviewer_invitation ORDER BY expires_at"
    invitation = await made("inviteReviewer", {"email": "friend@demo.example"}, other, invited_sql)
    own_invitation = await made("inviteReviewer", {"email": "kin@demo.example"}, mediator, invited_sql)
    waiting = await hub.waiting(private, reviewer)
    (dead,) = await hub.rows(
        "INSERT INTO outbox (kind, subject_id, dedupe_key, state) VALUES ('verify_email', $1, 'd', 'DEAD')"
        " RETURNING id",
        verification,
    )
    receipt = (await hub.change("giveFeedback", GIVEN | {"mediatorId": str(other.id)}, "receipt")).data["giveFeedback"]
    held = await put_feedback(hub, mediator, admission="HELD")
    admitted = await put_feedback(hub, mediator)
    (queued,) = await hub.rows("SELECT id FROM outbox WHERE state = 'QUEUED' LIMIT 1")
    (appointment,) = await hub.rows("SELECT id FROM appointment WHERE mediator_id = $1", other.id)
    sessions = {row["account_id"]: row["id"] for row in await hub.rows("SELECT id, account_id FROM session")}

    def secret(opens: Opens, of: UUID) -> str:
        return link_secret(hub.settings, opens, of)

    sound: dict[str, dict[str, Any]] = {
        "signUp": {
            "name": "N",
            "email": "n@demo.example",
            "password": PASSWORD,
            "visibility": "PRIVATE",
            "requestKey": "k",
        },
        "verifyEmail": {"token": secret(Opens.ACCOUNT_LINK, verification)},
        "signIn": {"email": guarded.email, "password": PASSWORD, "code": RECOVERY},
        "finishSignIn": {"pendingSignIn": PENDING, "code": RECOVERY},
        "setUpSecondFactor": {"password": PASSWORD},
        "confirmSecondFactor": {"code": pyotp.TOTP(FACTOR).at(hub.database.now(), counter_offset=1)},
        "removeSecondFactor": {"password": PASSWORD, "code": RECOVERY},
        "renewRecoveryCodes": {"password": PASSWORD, "code": RECOVERY},
        "requestPasswordReset": {"email": mediator.email},
        "resetPassword": {"token": secret(Opens.ACCOUNT_LINK, reset), "password": PASSWORD},
        "acceptInvitation": {
            "token": secret(Opens.INVITATION, invitation),
            "relation": "OTHER",
            "relationDetails": "We met once",
            "name": "N",
            "password": PASSWORD,
        },
        "giveFeedback": GIVEN
        | {"mediatorId": str(other.id), "share": True, "name": "N", "email": "g@demo.example", "requestKey": "k"},
        "changeFeedbackSharing": {"code": receipt["receipt"], "share": True, "shareAlone": True},
        "eraseFeedback": {"code": receipt["receipt"]},
        "stopRequests": {"token": stop_token(hub.settings, "party@demo.example")},
        "signOut": {},
        "updateAccount": {"name": "N"},
        "changeEmail": {"email": "next@demo.example", "password": PASSWORD},
        "changePassword": {"currentPassword": PASSWORD, "newPassword": "another good one", "endOthers": True},
        "endSession": {"id": str(sessions[mediator.id])},
        "createApiToken": {
            "name": "T",
            "expiresAt": (hub.database.now() + timedelta(days=300)).isoformat(),
            "password": PASSWORD,
            "code": RECOVERY,
            "requestKey": "k",
        },
        "revokeApiToken": {"id": str(token)},
        "exportMyData": {"requestKey": "k"},
        "deleteMyAccount": {"password": PASSWORD},
        "updateProfile": {"about": "A", "profileUrl": "https://demo.example", "visibility": "PRIVATE"},
        "addLogbookEntry": CASE | {"confirmImplausible": False, "requestKey": "k"},
        "importLogbookEntries": {
            "entries": [CASE],
            "allOrNothing": True,
            "dryRun": False,
            "confirmImplausible": False,
            "requestKey": "k",
        },
        "updateLogbookEntry": CASE | {"id": str(whole_case), "version": 1, "confirmImplausible": False},
        "deleteLogbookEntry": {"id": str(case)},
        "addCaseSession": SESSION | {"entryId": str(case), "requestKey": "k"},
        "updateCaseSession": SESSION | {"id": str(session), "version": 1},
        "deleteCaseSession": {"id": str(session)},
        "addCpdEntry": CPD | {"supervisedCaseId": str(case), "requestKey": "k"},
        "updateCpdEntry": CPD | {"id": str(cpd), "version": 1},
        "deleteCpdEntry": {"id": str(cpd)},
        "addOpeningBalance": BALANCE | {"requestKey": "k"},
        "updateOpeningBalance": BALANCE | {"id": str(balance), "version": 1, "minutes": 61},
        "deleteOpeningBalance": {"id": str(balance)},
        "attachFile": FILE | {"entryId": str(cpd), "requestKey": "k"},
        "detachFile": {"id": str(await put_file(hub, mediator, cpd))},
        "requestFeedback": REQUEST | {"requestKey": "k"},
        "withdrawFeedbackRequest": {"id": str(request)},
        "appointReviewer": {"reviewerId": str((await hub.person(REVIEWER)).id)},
        "inviteReviewer": {"email": "i@demo.example", "requestKey": "k"},
        "resendInvitation": {"id": str(own_invitation)},
        "revokeInvitation": {"id": str(own_invitation)},
        "acceptAppointment": {"mediatorId": str(private.id), "relation": "OTHER", "relationDetails": "We met once"},
        "declareRelation": {"mediatorId": str(mediator.id), "relation": "OTHER", "relationDetails": "We met once"},
        "endReview": {"mediatorId": str(mediator.id), "reviewerId": str(reviewer.id)},
        "createDirectory": {
            "name": "D",
            "email": "d@demo.example",
            "website": "https://demo.example",
            "requestKey": "k",
        },
        "updateDirectory": {"id": str(directory.id), "name": "D", "website": "https://demo.example"},
        "addRole": {"accountId": str(mediator.id), "role": "REVIEWER"},
        "removeRole": {"accountId": str((await hub.person(REVIEWER, DIRECTORY)).id), "role": "DIRECTORY"},
        "setPaidAccess": {"accountId": str(mediator.id), "paidUntil": "2999-01-01T00:00:00Z"},
        "endPaidAccess": {"accountId": str(paying.id)},
        "signOutAccount": {"accountId": str(mediator.id)},
        "deleteAccount": {"id": str(other.id), "email": other.email},
        "retryMail": {"id": str(dead["id"])},
        "confirmReviewer": {"accountId": str((await hub.person(REVIEWER)).id)},
        "approveAppointment": {"id": str(waiting)},
        "declineAppointment": {"id": str(waiting)},
        "admitFeedback": {"id": str(held)},
        "removeFeedback": {"id": str(admitted), "reason": "SPAM"},
    }
    foreign = {
        "giveFeedback": ("mediatorId", private.id),
        "endSession": ("id", sessions[other.id]),
        "revokeApiToken": ("id", others_token),
        "updateLogbookEntry": ("id", others_case),
        "deleteLogbookEntry": ("id", others_case),
        "addCaseSession": ("entryId", others_case),
        "updateCaseSession": ("id", others_session),
        "deleteCaseSession": ("id", others_session),
        "addCpdEntry": ("supervisedCaseId", others_case),
        "updateCpdEntry": ("id", others_cpd),
        "deleteCpdEntry": ("id", others_cpd),
        "updateOpeningBalance": ("id", others_balance),
        "deleteOpeningBalance": ("id", others_balance),
        "attachFile": ("entryId", others_cpd),
        "detachFile": ("id", await put_file(hub, other, others_cpd)),
        "withdrawFeedbackRequest": ("id", others_request),
        "appointReviewer": ("reviewerId", other.id),
        "resendInvitation": ("id", invitation),
        "revokeInvitation": ("id", invitation),
        "acceptAppointment": ("mediatorId", other.id),
        "declareRelation": ("mediatorId", private.id),
        "endReview": ("mediatorId", other.id),
        "updateDirectory": ("id", mediator.id),
        "addRole": ("accountId", others_case),
        "removeRole": ("accountId", others_case),
        "setPaidAccess": ("accountId", others_case),
        "endPaidAccess": ("accountId", others_case),
        "signOutAccount": ("accountId", others_case),
        "deleteAccount": ("id", others_case),
        "retryMail": ("id", queued["id"]),
        "confirmReviewer": ("accountId", others_case),
        "approveAppointment": ("id", appointment["id"]),
        "declineAppointment": ("id", appointment["id"]),
        "admitFeedback": ("id", admitted),
        "removeFeedback": ("id", others_case),
    }
    others = dict.fromkeys(("removeSecondFactor", "renewRecoveryCodes", "createApiToken"), guarded)
    others |= dict.fromkeys(("acceptAppointment", "declareRelation"), reviewer)
    others |= {"confirmSecondFactor": halfway, "declineAppointment": admin}
    return World(hub, mediator, admin, others, sound, foreign)


async def everything(hub: Hub) -> dict[str, list[str]]:
    """Every row of every table as text, except the counts of what went wrong while somebody signed in."""
    tables = await hub.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'sign_in_trouble'"
    )
    return {
        table["tablename"]: sorted(row[0] for row in await hub.rows(f"SELECT t::text FROM {table['tablename']} t"))
        for table in tables
    }


async def forget_limits(hub: Hub) -> None:
    """Start counting again: no other test uses this process's Valkey."""
    client = Redis.from_url(hub.services.redis_url)
    await client.flushall()
    await client.aclose()
    await hub.rows("UPDATE pending_sign_in SET tries = $1", MANY_LEFT)


async def attempt(hub: Hub, mutation: str, values: Any, by: Person | None) -> Answer:
    """Try a change with any input, even lone surrogates."""
    if "input" in MUTATIONS[mutation].args:
        answer = await hub.change(mutation, values, by=by)
    else:
        answer = await hub.ask(f"mutation {{ {mutation} {{ userErrors {{ field code }} }} }}", by=by)
    hub.client.cookies.clear()
    return answer


def errors(answer: Answer, mutation: str) -> list[tuple[str | None, str]]:
    """What was refused: the field and the code of each error, of either kind."""
    found = (answer.body.get("data") or {}).get(mutation) or {"userErrors": []}
    return [(error["field"], error["code"]) for error in found["userErrors"]] + [(None, c) for c in answer.codes]


FITTING = {
    *("REQUIRED", "TOO_SHORT", "TOO_LONG", "INVALID", "OUT_OF_RANGE", "NOT_FOUND", "CONFLICT", "WRONG_CREDENTIALS"),
    *("EXPIRED", "BAD_USER_INPUT"),
}


def bad_values(mutation: str, name: str, field: GraphQLInputField) -> list[Any]:
    """Values that a field mustn't accept."""
    kind, required = get_named_type(field.type), isinstance(field.type, GraphQLNonNull)
    if isinstance(get_nullable_type(field.type), GraphQLList):
        bad: list[Any] = ["nothing", 5, {}, [None], [[]], *([["zz"], [SURROGATE]] if name in CODES else [[]])]
    elif isinstance(kind, GraphQLEnumType):
        bad = ["NOTHING", "", next(iter(kind.values)).lower(), 5, NUL, SURROGATE, [], {}]
    else:
        bad = list(BAD[kind.name])
    if isinstance(field.type, GraphQLNonNull) and kind.name == "String":
        bad += BLANK
    if name in NOT_NULL.get(mutation, ()):
        bad += [None, *(BLANK if kind.name == "String" else [])]
    return [*bad, None] if required and field.default_value is None else bad


def input_fields(mutation: str) -> dict[str, GraphQLInputField]:
    """The fields of a change's input."""
    argument = MUTATIONS[mutation].args.get("input")
    kind = get_named_type(argument.type) if argument else None
    return kind.fields if isinstance(kind, GraphQLInputObjectType) else {}


WITH_ID = sorted(
    mutation
    for mutation in MUTATIONS
    if any(get_named_type(field.type).name == "ID" for field in input_fields(mutation).values())
)


async def test_every_change_in_the_schema_is_tried(world: World) -> None:
    assert set(world.sound) == set(ALLOWED) == set(MUTATIONS)
    assert sorted(world.foreign) == WITH_ID


@pytest.mark.parametrize("mutation", sorted(MUTATIONS))
async def test_a_bad_value_is_refused_and_changes_nothing(world: World, mutation: str) -> None:
    hub, by, sound = world.hub, world.actor(mutation), world.sound[mutation]
    before = await everything(hub)
    for name, field in input_fields(mutation).items():
        await forget_limits(hub)
        for bad in bad_values(mutation, name, field):
            answer = await attempt(hub, mutation, sound | {name: bad}, by)
            tried = f"{mutation}({name}: {bad!r:.40}): {answer.status} {str(answer.body)[:300]}"
            found = errors(answer, mutation)
            assert found, tried
            assert {code for _, code in found} <= FITTING, tried
            assert {one and one.split(".")[0] for one, _ in found} <= {name, None, "endedOn"}, tried
    shapeless: list[Any] = [5, "input", [], {"noSuchField": 1}]
    for bad in shapeless if input_fields(mutation) else []:
        answer = await attempt(hub, mutation, bad, by)
        assert set(answer.codes) == {"BAD_USER_INPUT"}, (bad, answer.body)
    await forget_limits(hub)
    assert await everything(hub) == before
    answer = await attempt(hub, mutation, sound, by)
    assert errors(answer, mutation) == [], "it's accepted with sound values"
    assert await everything(hub) != before


@pytest.mark.parametrize("mutation", WITH_ID)
async def test_somebody_elses_id_gets_the_same_answer_as_an_unknown_one(world: World, mutation: str) -> None:
    hub, by = world.hub, world.actor(mutation)
    name, foreign = world.foreign[mutation]
    before = await everything(hub)
    answers = [
        await attempt(hub, mutation, world.sound[mutation] | {name: one}, by)
        for one in (str(foreign), str(uuid4()), "nothing")
    ]
    assert {code for _, code in errors(answers[0], mutation)} == {"NOT_FOUND"}
    assert [(one.status, one.body) for one in answers[1:]] == [(answers[0].status, answers[0].body)] * 2
    assert await everything(hub) == before


async def test_a_change_does_not_exist_for_those_who_may_not_make_it(world: World) -> None:
    hub = world.hub
    people = {role: await hub.person(role) for role in Role}
    before = await everything(hub)
    for mutation, allowed in ALLOWED.items():
        strangers = [people[role] for role in Role if allowed and role not in allowed]
        for by in [*strangers, *([None] if allowed else [])]:
            answer = await attempt(hub, mutation, world.sound[mutation], by)
            assert set(answer.codes) == {"GRAPHQL_VALIDATION_FAILED"}, (mutation, by)
            assert "data" not in answer.body
    assert await everything(hub) == before


@pytest.mark.parametrize(
    ("literal", "code"),
    [
        (r'"a\uD800b"', "GRAPHQL_PARSE_FAILED"),
        (r'"a\u{110000}b"', "GRAPHQL_PARSE_FAILED"),
        (r'"a\u0000b"', "BAD_USER_INPUT"),
        ("5", "BAD_USER_INPUT"),
        ("null", "BAD_USER_INPUT"),
        ("NAME", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_a_bad_value_written_in_the_document_is_refused_too(hub: Hub, literal: str, code: str) -> None:
    person = await hub.mediator()
    answer = await hub.ask(
        f"mutation {{ updateAccount(input: {{ name: {literal} }}) {{ account {{ id }} }} }}", by=person
    )
    assert answer.codes == [code]
    rows = await hub.rows("SELECT name FROM account")
    assert [row["name"] for row in rows] == [person.name]


async def test_errors_do_not_repeat_what_was_typed(hub: Hub) -> None:
    person = await hub.mediator()
    typed = {"partyName": "Philippa\nParty", "partyEmail": "philippa at demo", "reference": "R" * 201}
    answer = await hub.change("requestFeedback", REQUEST | typed, by=person)
    assert len(errors(answer, "requestFeedback")) == 3
    assert "hilippa" not in str(answer.body)


WITH_KEY = sorted(mutation for mutation in MUTATIONS if "requestKey" in input_fields(mutation))
WHOM = {"token", "link", "mediatorId", "entryId"}  # for somebody signed out, a key counts for one link or mediator
ANOTHER: dict[str, Any] = {
    **filled_in_otherwise(LOGBOOK_FIELDS),
    **filled_in_otherwise(CPD_FIELDS),
    **dict.fromkeys(("name", "partyName"), "Another"),
    **dict.fromkeys(("email", "partyEmail"), "another@demo.example"),
    "cases": 3,
    "before": "2019-01-01",
    "website": "https://another.example",
    "mediationEndedOn": "2024-01-01",
    "expiresAt": (datetime.now(UTC) + timedelta(days=100)).isoformat(),
    "password": "quite another good one",
    "visibility": "DIRECTORIES",
    "capacity": "OTHER",
    "actedAs": "ADVOCATE",
    "share": False,
    "shareAlone": True,
    "allOrNothing": False,
    "entries": [CASE, CASE],
    "heldOn": "2024-05-06",
    "confirmImplausible": True,
    "answers": [{"question": "listening", "rating": 5}],
    "entryId": str(uuid4()),
    "content": b64encode(picture("PNG")).decode(),
}
# A word of another enumeration under the same name.
OF_MUTATION: dict[str, dict[str, Any]] = {"attachFile": {"kind": "OTHER"}, "addCaseSession": {"kind": "TRAVEL"}}
# A box that has to be ticked is refused by itself, and a dry run needs no key.
ALWAYS = {"partyAgreed", "dryRun"}
PROOF = {"createApiToken": {"password", "code"}}  # proves who asks, and isn't content


@pytest.mark.parametrize("mutation", WITH_KEY)
async def test_a_key_used_again_repeats_the_same_content_and_is_refused_with_other_content(
    world: World, mutation: str
) -> None:
    hub, by, sound = world.hub, world.actor(mutation), world.sound[mutation]
    another = ANOTHER | OF_MUTATION.get(mutation, {})
    payload(await attempt(hub, mutation, sound, by))
    done = await everything(hub)
    # As another client might write it: in another order, with nulls left out or not.
    for again in (sound, dict(reversed(sound.items())), {**dict.fromkeys(optional(mutation)), **sound}):
        await forget_limits(hub)
        payload(await attempt(hub, mutation, again, by))
        assert await everything(hub) == done
    for name in set(input_fields(mutation)) - WHOM - ALWAYS - PROOF.get(mutation, set()) - {"requestKey"}:
        await forget_limits(hub)
        assert sound.get(name) != another[name], name
        answer = await attempt(hub, mutation, sound | {name: another[name]}, by)
        assert errors(answer, mutation) == [("requestKey", "REPEATED_KEY")], name
        assert await everything(hub) == done, name
        await forget_limits(hub)
        (refused,) = (await hub.change(mutation, sound | {name: another[name]}, by=by)).data.values()
        assert str(another[name]) not in str(refused), name
    await forget_limits(hub)
    if sound.get("code") == RECOVERY:  # a recovery code works once
        assert by is not None
        await give_recovery_code(hub, by)
        done = await everything(hub)
    other = await attempt(hub, mutation, sound | {"requestKey": "another"}, by)
    # An address can have only one account; everything else is done once more.
    assert errors(other, mutation) == ([("email", "TAKEN")] if mutation == "createDirectory" else [])
    assert (await everything(hub) == done) == (mutation == "createDirectory")


def optional(mutation: str) -> list[str]:
    """The fields of a change's input that may be null and have no other default."""
    fields = input_fields(mutation).items()
    return [name for name, field in fields if not isinstance(field.type, GraphQLNonNull) and name not in WHOM]


async def test_what_a_key_came_with_cannot_be_guessed_from_what_is_kept(hub: Hub) -> None:
    """The same content under two keys, or in two hubs with their own secrets, leaves nothing in common."""
    person = await hub.mediator()
    for key in ("one", "two"):
        payload(await hub.change("addCpdEntry", CPD | {"requestKey": key}, by=person))
    async with opened(hub.services) as other:  # it has its own secret key
        payload(await other.change("addCpdEntry", CPD | {"requestKey": "one"}, by=person))
    rows = await hub.rows("SELECT key_hash, content_hash FROM request_key")
    kept = {part for row in rows for part in row.values()}
    assert len(kept) == 2 * len(rows) == 6
    assert {len(part) for part in kept} == {32}


async def test_a_givers_key_counts_only_for_the_link_they_came_by(world: World) -> None:
    hub, given = world.hub, GIVEN | {"requestKey": "k"}
    someone = await hub.mediator()
    found = await hub.ask("{ me { mediator { feedbackLink } } }", by=someone)
    link = found.data["me"]["mediator"]["feedbackLink"]
    for whom in ({"mediatorId": str(someone.id)}, {"link": link}):
        for rating in (4, 4, 5):
            answers = [{"question": "listening", "rating": rating}]
            answer = await hub.change("giveFeedback", given | whom | {"answers": answers})
            assert problems(answer) == ([] if rating == 4 else [("requestKey", "REPEATED_KEY")])
    assert len(await hub.rows("SELECT 1 FROM feedback WHERE mediator_id = $1", someone.id)) == 2
