"""The survey as a party meets it: from a mailed request, a personal link, or the open page."""

import re
from html import unescape
from itertools import permutations
from uuid import uuid4

import httpx
import pytest

from models.account import Role
from models.feedback import ActedAs, Capacity
from models.mediator import Visibility
from permissions.secrets import seal
from resolvers import limits
from resolvers.feedback_giving_subject import LinkState
from resolvers.survey import survey
from settings import Notice
from tests.hub import Hub, Person, opened, payload
from tests.web.reading import (
    HOSTILE,
    cookie,
    everything,
    exhausted,
    followed,
    handed_out,
    is_a_page,
    led_to,
    link,
    problems,
)
from web.client import SENT_BEFORE
from web.pages.feedback_giving import ACTED_AS_CHOICES, CAPACITY_CHOICES, CHANGED, CLOSED, TRAP

PAT = "pat@demo.example"
FORM = {"requestKey": "one", "capacity": "PARTY", "actedAs": "MEDIATOR", "share": "no", "answer-listening": "5"}


def form(hub: Hub) -> dict[str, str]:
    """What a person sends."""
    return FORM | {"begun": handed_out(hub), TRAP: ""}


async def requested(hub: Hub, ann: Person) -> str:
    """Ask a party for feedback, and return the path of the mailed link."""
    request = {"partyName": "Pat", "partyEmail": PAT, "mediationEndedOn": "2024-05-06", "partyAgreed": True}
    payload(await hub.change("requestFeedback", request, by=ann))
    return await link(hub, PAT)


async def doors(hub: Hub, ann: Person) -> list[str]:
    """The three ways to the survey about a mediator."""
    own = await hub.ask("{ me { mediator { feedbackLink } } }", by=ann)
    personal = httpx.URL(own.data["me"]["mediator"]["feedbackLink"]).path
    return [await requested(hub, ann), personal, f"/give/to/{ann.id}"]


def plain(response: httpx.Response) -> str:
    """The words of a page, without its tags."""
    return " ".join(unescape(re.sub("<[^>]*>", "", response.text)).split())


def test_the_page_has_words_for_each_choice() -> None:
    assert set(CAPACITY_CHOICES) == set(Capacity)
    assert set(ACTED_AS_CHOICES) == set(ActedAs)
    assert set(CLOSED) == set(LinkState) - {LinkState.OPEN}


def test_the_last_question_is_the_one_that_never_reaches_the_mediator() -> None:
    assert [question.reviewer_only for question in survey().questions].index(True) == len(survey().questions) - 1


async def test_the_way_from_a_request_to_thanks_to_a_used_link(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann")
    path = await requested(hub, ann)
    page = await hub.client.get(path)
    assert is_a_page(page)
    filled = dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', page.text))
    filled |= {"capacity": "PARTY_ADVISER", "actedAs": "MEDIATOR", "share": "yes", "name": "Pat", "email": PAT}
    filled |= {
        "answer-listening": "5",
        "answer-safety": "na",
        "answer-impressed": "Calm.\r\nKind.",
        "answer-neutrality": "",
    }
    given = await hub.client.post(path, data=filled)
    assert led_to(given) == "/done/feedback"
    thanks = await followed(hub, given)
    assert "Thank you" in thanks.text
    spent = await hub.client.get(path)
    assert is_a_page(spent, 410)
    assert "we have your feedback" in spent.text
    assert "Ann" not in spent.text
    (row,) = await hub.rows("SELECT * FROM feedback")
    assert (row["capacity"], row["acted_as"], row["shared"], row["by_invitation"]) == (
        "PARTY_ADVISER",
        "MEDIATOR",
        True,
        True,
    )
    origin = (await hub.origins())[row["id"]]
    assert (origin.name, origin.email) == ("Pat", PAT)
    answers = await hub.rows("SELECT question, rating, text FROM feedback_answer ORDER BY question")
    assert [tuple(answer) for answer in answers] == [
        ("impressed", None, "Calm.\nKind."),
        ("listening", 5, None),
        ("safety", None, None),
    ]


async def test_all_three_ways_lead_to_the_same_survey_and_save_an_answer(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann")
    for path in await doors(hub, ann):
        assert "Your feedback about Ann" in (await hub.client.get(path)).text
        assert led_to(await hub.client.post(path, data=form(hub))) == "/done/feedback"
    rows = await hub.rows("SELECT mediator_id, by_invitation, shared FROM feedback ORDER BY by_invitation")
    assert [tuple(row) for row in rows] == [(ann.id, False, False), (ann.id, False, False), (ann.id, True, False)]


async def test_the_survey_says_who_will_read_it_before_the_first_question(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann")
    rev = await hub.person(Role.REVIEWER, name="Rev")
    none = [plain(await hub.client.get(path)) for path in await doors(hub, ann)]
    await hub.appointed(ann, rev)
    someone = [plain(await hub.client.get(path)) for path in await doors(hub, ann)]
    first_question = survey().questions[0].text
    for text in none + someone:
        before = text[: text.index(first_question)]
        assert "It takes 5 to 8 minutes" in before
        assert "any reviewer who takes over" in before
        assert "Ann never sees your answer to the last question" in before
        assert "privacy policy" in before
        assert "support@demo.example" in before
    assert all("No reviewer has been appointed yet." in text for text in none)
    assert all("Rev, the reviewer for Ann" in text for text in someone)
    assert all("They haven't said how they know Ann." in text[: text.index(first_question)] for text in someone)


@pytest.mark.parametrize(
    ("relation", "details", "said"),
    [
        ("NO_RELATION", None, "They say that they don't know each other from anywhere else."),
        ("COLLEAGUE", None, "They say that they are colleagues."),
        ("SAME_PROVIDER", "Both at one court", "for the same provider. They add: “Both at one court”"),
        ("OTHER", HOSTILE, f"They say how they know each other: “{HOSTILE}”"),
    ],
)
async def test_the_survey_says_how_the_reviewer_knows_the_mediator(
    hub: Hub, relation: str, details: str | None, said: str
) -> None:
    ann, rev = await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rev, relation=relation, relation_details=details)
    for path in await doors(hub, ann):
        page = await hub.client.get(path)
        assert is_a_page(page)
        assert said in plain(page)


TOLD = {
    Notice.NAMED: [
        "Soon after you send this, we email Ann that feedback came.",
        "The email says the name you give below, or “a party” if you give none, and whether you share your answers.",
        "Because of the email, Ann may be able to tell which answers are yours.",
    ],
    Notice.DISCREET: [
        "Within two days, at a random time, we email Ann that there may be new feedback.",
        "at most one email a day, which doesn't say who gave feedback, how many people did, or whether they share it.",
        "If Ann asked only you, they can still guess.",
        "If Ann asked only a few people, they may be able to guess which answers are yours.",
    ],
    Notice.OFF: [
        "We don't tell Ann that you gave feedback.",
        "If Ann asked only a few people, they may be able to guess which answers are yours.",
    ],
}
READ = {
    0: "If you share your answers, Ann gets them at once, without a name or a date.",
    4: "If you share your answers, Ann gets them without a name or a date, once at least 4 people have shared theirs.",
}
NAME_IS_TOLD = "We'll tell Ann this name"


@pytest.mark.parametrize("least", READ)
@pytest.mark.parametrize("notice", Notice)
async def test_the_survey_says_what_the_mediator_is_told_and_when_before_the_first_question(
    hub: Hub, notice: Notice, least: int
) -> None:
    async with opened(hub.services, settings=hub.settings, feedback_notice=notice, release_least=least) as now:
        ann = await now.mediator(name="Ann")
        pages = [plain(await now.client.get(path)) for path in await doors(now, ann)]
    others = {text for texts in TOLD.values() for text in texts} | set(READ.values())
    said = {*TOLD[notice], READ[least]}
    for page in pages:
        before = page[: page.index(survey().questions[0].text)]
        assert "What Ann is told, and when" in before
        assert {text for text in others if text in before} == said
        assert not re.search(r"[a-z][.,:][A-Z]", before), "sentences are apart"
        assert (NAME_IS_TOLD in page) == (notice is Notice.NAMED)
        assert page.count("Only administrators of Mediation Logbook can see it.") == (
            1 if notice is Notice.NAMED else 2
        )


@pytest.mark.parametrize(("before", "after"), [*permutations(Notice, 2)])
async def test_a_form_that_promised_something_else_comes_back_and_is_sent_only_once_it_has_been_read_again(
    hub: Hub, before: Notice, after: Notice
) -> None:
    async with opened(hub.services, settings=hub.settings, feedback_notice=before) as then:
        ann = await then.mediator(name="Ann")
        for path in await doors(then, ann):
            page = (await then.client.get(path)).text
            filled = FORM | dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', page))
            filled |= {"begun": handed_out(then), "answer-impressed": "Patience"}
            async with opened(hub.services, settings=hub.settings, feedback_notice=after) as now:
                kept = await everything(now)
                returned = await now.client.post(path, data=filled)
                assert is_a_page(returned, 422)
                assert problems(returned) == [(None, str(CHANGED))]
                assert "Patience</textarea>" in returned.text
                assert TOLD[after][0] in plain(returned)
                assert await everything(now) == kept
                again = dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', returned.text))
                assert led_to(await now.client.post(path, data=filled | again)) == "/done/feedback"
    assert len(await hub.rows("SELECT 1 FROM feedback")) == 3


async def test_every_question_is_asked_with_its_scale(hub: Hub) -> None:
    ann = await hub.mediator()
    text = unescape((await hub.client.get(f"/give/to/{ann.id}")).text)
    for question in survey().questions:
        assert question.text in text
        controls = re.findall(rf'<(input|textarea)[^>]*name="answer-{question.key}"[^>]*>', text)
        assert controls == (["input"] * 6 if question.kind == "RATING" else ["textarea"])
    assert text.count("<legend>") == 3 + sum(question.kind == "RATING" for question in survey().questions)
    assert text.count(">Not applicable<") == sum(question.kind == "RATING" for question in survey().questions)


async def test_nothing_is_filled_in_or_shared_beforehand(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann")
    for path in await doors(hub, ann):
        page = await hub.client.get(path)
        assert re.findall(r'name="(\w+)" value="(\w+)"[^>]* checked', page.text) == [("share", "no")]
        assert PAT not in page.text
        assert not re.findall(r'id="(?:name|email)"[^>]* value="[^"]', page.text)
        assert "We'll tell Ann this name, even if you don't share your answers." in plain(page)


async def test_the_survey_says_how_shared_answers_arrive_and_asks_whether_alone(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, release_least=4, release_after=21) as grouped:
        ann = await grouped.mediator(name="Ann")
        for path in await doors(grouped, ann):
            page = plain(await grouped.client.get(path))
            assert "once those of at least 4 people are waiting, all at once, at a random time of the day" in page
            assert "If there aren't enough others within 21 days, Ann gets yours without them" in page
            assert "demo" not in page.partition("Sharing")[2].partition("About you")[0]
        path = (await doors(grouped, ann))[1]
        sent = form(grouped) | {"share": "yes", "shareAlone": "yes"}
        assert led_to(await grouped.client.post(path, data=sent)) == "/done/feedback"
        refused = await grouped.client.post(path, data=sent | {"requestKey": "two", "capacity": ""})
        assert re.search(r'name="shareAlone"[^>]* checked', refused.text)
    rows = await hub.rows("SELECT shared, share_alone, released FROM feedback")
    assert [tuple(row) for row in rows] == [(True, True, False)]


async def test_in_the_demo_the_survey_says_that_shared_answers_arrive_at_once(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann")
    for path in await doors(hub, ann):
        page = await hub.client.get(path)
        assert "This is a demo: Ann gets shared answers at once." in plain(page)
        assert "shareAlone" not in page.text


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"capacity": ""}, ["capacity"]),
        ({"capacity": "KING", "actedAs": ""}, ["capacity", "actedAs"]),
        ({"email": "nope"}, ["email"]),
        ({"name": "x" * 201}, ["name"]),
        ({"name": "two\nlines"}, ["name"]),
        ({"answer-could_be_better": "x" * 10_001}, ["answer-could_be_better"]),
        ({"answer-listening": ""}, ["answer-preparation"]),
    ],
)
async def test_a_problem_is_named_and_what_was_typed_is_kept(
    hub: Hub, change: dict[str, str], fields: list[str]
) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    typed = form(hub) | {"answer-for_reviewer": f"\n{HOSTILE}", "share": "yes"} | change
    if not change.get("answer-listening", "5"):
        del typed["answer-for_reviewer"]
    response = await hub.client.post(f"/give/to/{ann.id}", data=typed)
    assert is_a_page(response, 422)
    assert [field for field, _ in problems(response)] == fields
    for field in fields:
        assert f'id="{field}-problem"' in response.text
    assert 'name="requestKey" value="one"' in response.text
    assert re.findall(r'name="share" value="(\w+)"[^>]* checked', response.text) == ["yes"]
    if "answer-for_reviewer" in typed:
        kept = re.findall(r'<textarea id="answer-for_reviewer"[^>]*>\n(.*?)</textarea>', response.text, re.DOTALL)
        assert unescape(kept[0]) == f"\n{HOSTILE}"
    assert await everything(hub) == before


@pytest.mark.parametrize("change", [{"answer-listening": "6"}, {"answer-listening": "x"}, {"requestKey": "x" * 201}])
async def test_input_that_nobody_would_type_is_refused(hub: Hub, change: dict[str, str]) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    assert is_a_page(await hub.client.post(f"/give/to/{ann.id}", data=form(hub) | change), 400)
    assert await everything(hub) == before


async def test_a_form_sent_twice_counts_once(hub: Hub) -> None:
    ann = await hub.mediator()
    for path in await doors(hub, ann):
        for _ in range(2):
            assert led_to(await hub.client.post(path, data=form(hub))) == "/done/feedback"
    assert len(await hub.rows("SELECT 1 FROM feedback")) == 3
    pages = [(await hub.client.get(f"/give/to/{ann.id}")).text for _ in range(2)]
    keys = [re.findall(r'name="requestKey" value="(.+?)"', page)[0] for page in pages]
    assert keys[0] != keys[1]


async def test_long_answers_in_any_script_fit(hub: Hub) -> None:
    ann = await hub.mediator()
    long = {f"answer-{key}": "調" * 10_000 for key in ("impressed", "could_be_better", "for_reviewer")}
    assert 'enctype="multipart/form-data"' in (await hub.client.get(f"/give/to/{ann.id}")).text
    parts = {name: (None, value) for name, value in (form(hub) | long).items()}
    response = await hub.client.post(f"/give/to/{ann.id}", files=parts)
    assert response.status_code == 303
    (row,) = await hub.rows("SELECT min(length(text)) FROM feedback_answer WHERE text IS NOT NULL")
    assert row["min"] == 10_000


@pytest.mark.parametrize(
    ("charset", "disposition"),
    [("utf-8", 'name="answer-impressed"; filename="x.txt"'), ("unicode_escape", 'name="answer-impressed"'), ("", "")],
    ids=["a file", "another charset", "no name"],
)
async def test_a_form_that_no_page_of_ours_sends_is_refused(hub: Hub, charset: str, disposition: str) -> None:
    ann = await hub.mediator()
    body = f"--x\r\nContent-Disposition: form-data; {disposition}\r\n\r\n\\ud800\r\n--x--\r\n"
    kind = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
    response = await hub.client.post(f"/give/to/{ann.id}", content=body, headers=kind)
    assert is_a_page(response, 400)


async def test_withdrawn_and_expired_requests_say_so_and_accept_no_answer(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann Archer")
    withdrawn = await requested(hub, ann)
    asked = await hub.rows("SELECT id FROM feedback_request")
    payload(await hub.change("withdrawFeedbackRequest", {"id": str(asked[0]["id"])}, by=ann))
    for response in (await hub.client.get(withdrawn), await hub.client.post(withdrawn, data=form(hub))):
        assert is_a_page(response, 410)
        assert "has been withdrawn" in response.text
        assert "Ann Archer" not in response.text
    expired = await requested(hub, ann)
    async with hub.later(days=91) as then:
        for response in (await then.client.get(expired), await then.client.post(expired, data=form(then))):
            assert is_a_page(response, 410)
            assert "90 days" in response.text
            assert "Ann Archer" not in response.text
    assert not await hub.rows("SELECT 1 FROM feedback")


async def test_a_private_mediator_is_only_reached_by_their_own_link(hub: Hub) -> None:
    ann = await hub.mediator(name="Annabel", visibility=Visibility.PRIVATE)
    _, personal, by_choice = await doors(hub, ann)
    assert is_a_page(await hub.client.get(personal))
    unknown = await hub.client.get(f"/give/to/{uuid4()}")
    for response in (await hub.client.get(by_choice), await hub.client.post(by_choice, data=form(hub))):
        assert is_a_page(response, 404)
        assert response.text == unknown.text
    found = await hub.client.post("/give", data={"search": "Annabel"})
    assert "/give/to/" not in found.text
    assert not await hub.rows("SELECT 1 FROM feedback")


async def test_a_mediator_is_found_by_name(hub: Hub) -> None:
    for number in range(11):
        await hub.mediator(name=f"Anna {number}")
    hostile = await hub.mediator(name=HOSTILE)
    found = await hub.client.post("/give", data={"search": " anna"})
    assert is_a_page(found)
    assert found.text.count('href="/give/to/') == 10
    assert "There may be more" in found.text
    assert 'value=" anna"' in found.text
    one = await hub.client.post("/give", data={"search": "Sons"})
    assert is_a_page(one)
    assert re.findall(r'href="(/give/to/.*?)"', one.text) == [f"/give/to/{hostile.id}"]
    none = await hub.client.post("/give", data={"search": "<b>nobody"})
    assert is_a_page(none)
    assert "Nobody found." in none.text


@pytest.mark.parametrize("search", ["", "an", "<b>", "a b", "%_*"])
async def test_a_search_needs_three_letters(hub: Hub, search: str) -> None:
    response = await hub.client.post("/give", data={"search": search})
    assert is_a_page(response, 400)
    assert [field for field, _ in problems(response)] == ["search"]


async def test_after_too_many_searches_the_page_says_when_to_try_again(hub: Hub) -> None:
    await exhausted(hub, limits.SEARCH, 120, "127.0.0.1")
    response = await hub.client.post("/give", data={"search": "Anna"})
    assert is_a_page(response, 429)
    assert int(response.headers["retry-after"]) >= 1
    assert 'value="Anna"' in response.text


async def test_after_too_many_answers_the_page_says_when_to_try_again_and_loses_nothing(hub: Hub) -> None:
    ann = await hub.mediator()
    await exhausted(hub, limits.OPEN_FEEDBACK, 60, "127.0.0.1")
    response = await hub.client.post(f"/give/to/{ann.id}", data=form(hub) | {"answer-impressed": "Patience"})
    assert is_a_page(response, 429)
    assert int(response.headers["retry-after"]) > 600
    assert "Patience</textarea>" in response.text
    assert ann.name in response.text
    assert not await hub.rows("SELECT 1 FROM feedback")


async def test_what_was_typed_comes_back_even_if_too_many_links_were_tried(hub: Hub) -> None:
    ann = await hub.mediator()
    path = await requested(hub, ann)
    await exhausted(hub, limits.LINK_TRIES, 100, "127.0.0.1")
    response = await hub.client.post(path, data=form(hub) | {"answer-impressed": "Patience"})
    assert is_a_page(response, 429)
    assert "Patience</textarea>" in response.text
    assert "Your feedback about the mediator" in response.text
    assert ann.name not in response.text


async def test_hostile_names_are_shown_as_text(hub: Hub) -> None:
    ann = await hub.mediator(name=HOSTILE)
    await hub.appointed(ann, await hub.person(Role.REVIEWER, name=HOSTILE))
    for path in await doors(hub, ann):
        page = await hub.client.get(path)
        assert is_a_page(page)
        assert f"{HOSTILE}, the reviewer for {HOSTILE}" in " ".join(
            unescape(re.sub(r"</?strong>", "", page.text)).split()
        )


async def test_nobody_gives_feedback_about_themselves(hub: Hub) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    response = await hub.client.post(f"/give/to/{ann.id}", data=form(hub), headers=cookie(ann))
    assert is_a_page(response, 422)
    assert problems(response) == [(None, "You can't give feedback about yourself.")]
    assert await everything(hub) == before


async def test_an_open_form_that_a_program_filled_in_comes_back_with_what_was_typed(hub: Hub) -> None:
    ann = await hub.mediator()
    _, *open_doors = await doors(hub, ann)
    before = await everything(hub)
    automatic: list[tuple[dict[str, str], str | None, str]] = [
        ({"begun": handed_out(hub, seconds=1)}, None, "as soon as you opened the page"),
        ({"begun": handed_out(hub, days=2)}, None, "open for more than a day"),
        ({"begun": handed_out(hub, seconds=-60)}, None, "as soon as you opened the page"),
        ({"begun": ""}, None, "can't tell when"),
        ({"begun": "x"}, None, "can't tell when"),
        ({TRAP: "https://evil.example"}, TRAP, "password manager"),
    ]
    for path in open_doors:
        for change, field, why in automatic:
            response = await hub.client.post(path, data=form(hub) | change | {"answer-impressed": "Patience"})
            assert is_a_page(response, 422)
            ((told_at, told),) = problems(response)
            assert (told_at, why in told) == (field, True), told
            assert "again." in told
            assert "Patience</textarea>" in response.text
            assert "evil.example" not in response.text
    assert await everything(hub) == before


async def test_anyone_who_fell_into_the_trap_is_shown_it_and_gets_through(hub: Hub) -> None:
    ann = await hub.mediator()
    path = f"/give/to/{ann.id}"
    page = (await hub.client.get(path)).text
    hidden = re.search(rf'<div class="unseen" aria-hidden="true">[^<]*<label for="{TRAP}">.*?</div>', page, re.DOTALL)
    assert hidden
    for asked in ('autocomplete="off"', "data-1p-ignore", "data-bwignore", 'data-lpignore="true"', 'tabindex="-1"'):
        assert asked in hidden[0]
    filled = form(hub) | {TRAP: "Pat"}
    refused = await hub.client.post(path, data=filled)
    shown = re.search(rf'<div class="field">\s*<label for="{TRAP}">.*?</div>', refused.text, re.DOTALL)
    assert shown
    assert "tabindex" not in shown[0]
    assert "value=" not in shown[0]
    assert f'id="{TRAP}-problem"' in shown[0]
    assert not await hub.rows("SELECT 1 FROM feedback")
    filled |= dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', refused.text)) | {TRAP: ""}
    assert led_to(await hub.client.post(path, data=filled)) == "/done/feedback"


async def test_a_form_sent_again_with_other_content_comes_back_with_a_new_key(hub: Hub) -> None:
    """Without a script, the back button brings back the form that the last party at this tablet sent."""
    ann = await hub.mediator()
    by_mail, *open_doors = await doors(hub, ann)
    for path in open_doors:
        filled = form(hub)
        assert (await hub.client.post(path, data=filled)).status_code == 303
        filled |= {"answer-listening": "2", "answer-impressed": "Patience", "name": "Next"}
        refused = await hub.client.post(path, data=filled)
        assert is_a_page(refused, 422)
        assert problems(refused) == [(None, str(SENT_BEFORE))]
        assert "Patience</textarea>" in refused.text
        filled |= dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', refused.text))
        for _ in range(2):
            assert led_to(await hub.client.post(path, data=filled)) == "/done/feedback"
    assert len(await hub.rows("SELECT 1 FROM feedback")) == 4
    assert (await hub.client.post(by_mail, data=form(hub))).status_code == 303
    spent = await hub.client.post(by_mail, data=form(hub) | {"answer-listening": "1"})
    assert is_a_page(spent, 410)
    assert "What you changed since then" in spent.text
    assert len(await hub.rows("SELECT 1 FROM feedback")) == 5


async def test_a_draft_is_not_offered_to_anyone_signed_in_and_does_not_name_the_link(hub: Hub) -> None:
    ann = await hub.mediator()
    names = set()
    for path in await doors(hub, ann):
        page = (await hub.client.get(path)).text
        assert "data-kept" in page
        assert "data-keep" in page
        (name,) = re.findall(r'data-survey="(.*?)"', page)
        assert name not in path
        names.add(name)
        for somebody in (ann, await hub.person(Role.REVIEWER)):
            signed_in = (await hub.client.get(path, headers=cookie(somebody))).text
            assert "data-kept" not in signed_in
            assert "data-keep" not in signed_in
    assert len(names) == 3


async def test_anyone_who_was_too_slow_only_has_to_send_it_again(hub: Hub) -> None:
    ann = await hub.mediator()
    path = f"/give/to/{ann.id}"
    first = await hub.client.get(path)
    filled = FORM | dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', first.text))
    async with hub.later(hours=30) as then:
        late = await then.client.post(path, data=filled)
        assert is_a_page(late, 422)
        filled |= dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', late.text))
        assert filled["begun"] != ""
    async with hub.later(hours=31) as then:
        again = await then.client.post(path, data=filled)
    assert led_to(again) == "/done/feedback"
    assert len(await hub.rows("SELECT 1 FROM feedback")) == 1


async def test_nobody_can_forge_when_a_form_was_handed_out(hub: Hub) -> None:
    ann = await hub.mediator()
    for begun in ("1700000000", seal(hub.settings, "other", "1700000000.0"), "é"):
        response = await hub.client.post(f"/give/to/{ann.id}", data=form(hub) | {"begun": begun})
        assert is_a_page(response, 422)


async def test_a_party_asked_by_mail_is_never_taken_for_a_program(hub: Hub) -> None:
    path = await requested(hub, await hub.mediator())
    assert led_to(await hub.client.post(path, data=FORM)) == "/done/feedback"
