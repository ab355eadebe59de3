"""Which rows a viewer reaches: anything outside their scope looks exactly like something that never existed."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from models.account import Role
from models.mediator import Visibility
from permissions.scopes import DETAILS_DAYS
from permissions.viewer import EVERYBODY, Standing
from schema.build import projection
from tests.hub import Answer, Hub, Person, opened, payload, problems
from tests.permissions.expected import LETTERS, ROLES
from tests.schema.samples import samples
from tests.world import put_cases, put_feedback, put_token

ONE = "query($id: ID!) { mediator(id: $id) { id name } }"


async def look(hub: Hub, mediator: Any, **who: Any) -> Answer:
    return await hub.ask(ONE, {"id": str(mediator)}, **who)


async def assert_never_was(hub: Hub, mediator: Person, by: Person) -> None:
    """The mediator can't be told from an id that never existed, and is in no list."""
    answer, unknown = await look(hub, mediator.id, by=by), await look(hub, uuid4(), by=by)
    assert answer.body == unknown.body
    assert answer.codes == ["NOT_FOUND"]
    assert answer.body["data"] == {"mediator": None}
    for arguments in ("", f'(search: "{mediator.name}")'):
        found = (await hub.ask(f"{{ mediators{arguments} {{ totalCount nodes {{ id }} }} }}", by=by)).data["mediators"]
        assert str(mediator.id) not in str(found)
        assert found["totalCount"] == len(found["nodes"])


async def assert_seen(hub: Hub, mediator: Person, by: Person) -> None:
    assert (await look(hub, mediator.id, by=by)).data["mediator"]["name"] == mediator.name
    found = (await hub.ask("{ mediators { nodes { id } } }", by=by)).data["mediators"]["nodes"]
    assert {"id": str(mediator.id)} in found


async def test_a_private_mediator_does_not_exist_for_directories(hub: Hub) -> None:
    directory = await hub.person(Role.DIRECTORY)
    ann = await hub.mediator(name="Ann Hidden", visibility=Visibility.PRIVATE)
    await hub.mediator(name="Bea Shown")
    await assert_never_was(hub, ann, directory)


async def test_a_mediator_who_becomes_private_is_gone_for_directories_at_once(hub: Hub) -> None:
    directory = await hub.person(Role.DIRECTORY)
    ann = await hub.mediator()
    await assert_seen(hub, ann, directory)
    payload(await hub.change("updateProfile", {"visibility": "PRIVATE"}, by=ann))
    await assert_never_was(hub, ann, directory)


async def test_a_mediator_whose_address_is_not_verified_does_not_exist_for_directories(hub: Hub) -> None:
    await assert_never_was(hub, await hub.mediator(verified=False), await hub.person(Role.DIRECTORY))


async def test_a_mediator_does_not_see_other_mediators(hub: Hub) -> None:
    await assert_never_was(hub, await hub.mediator(), await hub.mediator())


async def test_somebody_who_is_no_longer_a_mediator_does_not_exist_for_others(hub: Hub) -> None:
    ann = await hub.person(Role.MEDIATOR, Role.REVIEWER)
    admin, rob = await hub.person(Role.ADMIN), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rob)
    await assert_seen(hub, ann, rob)
    payload(await hub.change("removeRole", {"accountId": str(ann.id), "role": "MEDIATOR"}, by=admin))
    for by in (admin, rob, await hub.person(Role.DIRECTORY)):
        await assert_never_was(hub, ann, by)


async def test_a_reviewer_sees_only_mediators_who_appointed_them(hub: Hub) -> None:
    rob, ann, bea = await hub.person(Role.REVIEWER), await hub.mediator(), await hub.mediator()
    await hub.appointed(ann, rob)
    await hub.appointed(bea, await hub.person(Role.REVIEWER))
    await assert_seen(hub, ann, rob)
    await assert_never_was(hub, bea, rob)


async def test_a_mediator_who_reviews_sees_themselves_and_those_who_appointed_them(hub: Hub) -> None:
    peer, ann, bea, cleo = await hub.person(Role.MEDIATOR, Role.REVIEWER), *[await hub.mediator() for _ in range(3)]
    await hub.appointed(ann, peer)
    await hub.appointed(bea, await hub.person(Role.REVIEWER))
    await hub.waiting(cleo, peer)
    await assert_seen(hub, peer, peer)
    await assert_seen(hub, ann, peer)
    for mediator in (bea, cleo):
        await assert_never_was(hub, mediator, peer)


@pytest.mark.parametrize("ended_by", ["mediator", "reviewer"])
async def test_access_ends_the_moment_either_side_ends_the_review(hub: Hub, ended_by: str) -> None:
    rob, ann = await hub.person(Role.REVIEWER), await hub.mediator()
    await hub.appointed(ann, rob)
    await put_feedback(hub, ann)
    token = await put_token(hub, rob)
    sides = {"mediatorId": str(ann.id), "reviewerId": str(rob.id)}
    payload(await hub.change("endReview", sides, by=ann if ended_by == "mediator" else rob))
    await assert_never_was(hub, ann, rob)
    assert (await look(hub, ann.id, token=token)).codes == ["NOT_FOUND"]


async def test_a_new_reviewer_gets_all_feedback_and_the_old_one_nothing(hub: Hub) -> None:
    old, new, ann = await hub.person(Role.REVIEWER), await hub.person(Role.REVIEWER), await hub.mediator()
    await hub.appointed(ann, old)
    await put_feedback(hub, ann, shared=False)
    await hub.confirmed(new)
    payload(await hub.change("appointReviewer", {"reviewerId": str(new.id)}, by=ann))
    await assert_seen(hub, ann, old)
    await assert_never_was(hub, ann, new)
    payload(await hub.change("acceptAppointment", {"mediatorId": str(ann.id), "relation": "NO_RELATION"}, by=new))
    count = "query($id: ID!) { mediator(id: $id) { feedback { totalCount } } }"
    seen = await hub.ask(count, {"id": str(ann.id)}, by=new)
    assert seen.data["mediator"]["feedback"]["totalCount"] == 1
    await assert_never_was(hub, ann, old)


async def test_a_reviewer_whose_role_was_taken_away_no_longer_sees_anything(hub: Hub) -> None:
    rob, ann = await hub.person(Role.REVIEWER, Role.DIRECTORY), await hub.mediator(visibility=Visibility.PRIVATE)
    await hub.appointed(ann, rob)
    await assert_seen(hub, ann, rob)
    await hub.rows("UPDATE account SET roles = '{DIRECTORY}', reviewer_confirmed_at = NULL WHERE id = $1", rob.id)
    await assert_never_was(hub, ann, rob)


async def test_an_appointment_that_waits_gives_no_access(hub: Hub) -> None:
    rob, ann = await hub.person(Role.REVIEWER), await hub.mediator()
    await hub.waiting(ann, rob)
    await assert_never_was(hub, ann, rob)
    own = (await hub.ask("{ me { mediator { reviewer { id } waitingReviewer { id } } } }", by=ann)).data["me"][
        "mediator"
    ]
    assert own == {"reviewer": None, "waitingReviewer": {"id": str(rob.id)}}


async def test_a_directory_waiting_to_become_a_reviewer_sees_what_directories_see(hub: Hub) -> None:
    both, ann = await hub.person(Role.DIRECTORY, Role.REVIEWER), await hub.mediator()
    await put_cases(hub, ann, {"notes": "a note"})
    await put_feedback(hub, ann, shared=False)
    document = """query($id: ID!) { mediator(id: $id) { name feedback { totalCount nodes { id } }
        logbook { nodes { id minutes } } } }"""

    async def seen() -> Answer:
        return await hub.ask(document, {"id": str(ann.id)}, by=both)

    before = await seen()
    assert before.data["mediator"]["feedback"] is None
    await hub.waiting(ann, both)
    assert (await seen()).body == before.body
    await hub.rows("UPDATE appointment SET in_force = true WHERE mediator_id = $1", ann.id)
    assert (await seen()).data["mediator"]["feedback"]["totalCount"] == 1


async def test_malformed_ids_get_the_same_answer_as_unknown_ids(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    unknown = await look(hub, uuid4(), by=admin)
    for text in ("", "me", "1", "x" * 5000, "{" + str(uuid4()), "\N{FULLWIDTH DIGIT ONE}" * 32):
        assert (await look(hub, text, by=admin)).body == unknown.body


async def test_another_mediators_entry_cannot_be_changed_through_any_mutation(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    case = {"role": "OBSERVER", "medium": "ONLINE", "startedOn": "2024-01-02", "endedOn": "2024-01-02", "minutes": 5}
    made = payload(await hub.change("addLogbookEntry", case, "logbookEntry { id }", by=ann))["logbookEntry"]["id"]
    before = await hub.rows("SELECT * FROM logbook_entry JOIN logbook_private USING (id)")
    for mutation, facts in (
        ("updateLogbookEntry", {"version": 1, "minutes": 6}),
        ("deleteLogbookEntry", {}),
        ("updateCpdEntry", {"version": 1, "minutes": 6}),
        ("deleteCpdEntry", {}),
        ("withdrawFeedbackRequest", {}),
        ("revokeApiToken", {}),
        ("endSession", {}),
    ):
        theirs = await hub.change(mutation, facts | {"id": made}, by=bea)
        nobodys = await hub.change(mutation, facts | {"id": str(uuid4())}, by=bea)
        assert theirs.body == nobodys.body
        assert problems(theirs) == [("id", "NOT_FOUND")]
    assert await hub.rows("SELECT * FROM logbook_entry JOIN logbook_private USING (id)") == before


# Before an address is verified.

OPEN_TO_UNVERIFIED = {
    "me", "survey", "feedbackInvitation", "feedbackSubjects", "feedbackSubject", "giveFeedback", "stopRequests",
    "feedbackReceipt", "changeFeedbackSharing", "eraseFeedback",
    "signUp", "verifyEmail", "signIn", "finishSignIn", "requestPasswordReset", "resetPassword", "acceptInvitation",
    "signOut", "updateAccount", "changeEmail", "changePassword", "endSession", "deleteMyAccount",
}  # fmt: skip


@pytest.mark.parametrize("who", ["S", "R", "D", "A"])
async def test_an_unverified_account_is_forbidden_everything_but_its_own_account(hub: Hub, who: str) -> None:
    by = await hub.person(ROLES[who], verified=False)
    before = await hub.rows("SELECT * FROM account")
    for sample in samples(projection(Standing.PUBLIC | LETTERS[who])):
        if sample.name in OPEN_TO_UNVERIFIED:
            continue
        answer = await hub.ask(sample.document, sample.variables, by=by)
        assert answer.codes == ["FORBIDDEN"], sample.name
        assert answer.body["data"] == {sample.name: None}
    assert await hub.rows("SELECT * FROM account") == before
    assert await hub.rows("SELECT * FROM outbox") == []


async def test_an_unverified_account_reaches_itself_and_what_is_public(hub: Hub) -> None:
    by = await hub.person(Role.MEDIATOR, verified=False)
    own = "{ me { id mediator { id } sessions { current } apiTokens { id } exports { id } } survey { leastMinutes } }"
    assert (await hub.ask(own, by=by)).data["me"]["sessions"] == [{"current": True}]
    assert payload(await hub.change("updateAccount", {"name": "New Name"}, by=by)) == {"userErrors": []}


# Before an administrator has the second factor that a setting asks for.

OPEN_WITHOUT_FACTOR = OPEN_TO_UNVERIFIED | {
    "setUpSecondFactor", "confirmSecondFactor", "removeSecondFactor", "renewRecoveryCodes",
}  # fmt: skip


async def test_an_administrator_without_a_second_factor_is_forbidden_all_but_their_own_account(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, admin_second_factor=True) as strict:
        by = await strict.person(*Role)
        before = await hub.rows("SELECT * FROM account")
        forbidden = set()
        for sample in samples(projection(EVERYBODY)):
            if sample.name not in OPEN_WITHOUT_FACTOR:
                answer = await strict.ask(sample.document, sample.variables, by=by)
                assert answer.codes == ["FORBIDDEN"], sample.name
                assert answer.body["data"] == {sample.name: None}
                forbidden.add(sample.name)
        assert {"accounts", "auditLog", "removeRole", "mediators", "addLogbookEntry", "createApiToken"} <= forbidden
        assert await hub.rows("SELECT * FROM account") == before
        assert await hub.rows("SELECT * FROM outbox") == []


def test_the_databases_own_rule_hides_request_details_after_the_same_number_of_days() -> None:
    rules = Path("models/rules.sql").read_text(encoding="utf-8")
    assert f"made_at > (SELECT clock() - interval '{DETAILS_DAYS * 24} hours')" in rules


async def test_a_reviewer_finds_the_appointments_that_ask_for_them_and_an_administrator_all(hub: Hub) -> None:
    rob, ron, both = [await hub.person(Role.REVIEWER) for _ in range(2)] + [await hub.person(Role.REVIEWER, Role.ADMIN)]
    asked = {person: str(await hub.waiting(await hub.mediator(), person)) for person in (rob, ron, both)}
    await hub.appointed(await hub.mediator(), rob)

    async def found(by: Person, standing: str = "") -> set[str]:
        document = f"{{ waitingAppointments{standing} {{ totalCount nodes {{ id }} }} }}"
        listed = (await hub.ask(document, by=by)).data["waitingAppointments"]
        assert listed["totalCount"] == len(listed["nodes"])
        return {node["id"] for node in listed["nodes"]}

    assert await found(rob) == await found(rob, "(standing: REVIEWER)") == {asked[rob]}
    assert await found(await hub.person(Role.ADMIN)) == await found(both) == set(asked.values())
    assert await found(both, "(standing: REVIEWER)") == {asked[both]}
