"""The survey: what it has to ask, and that everybody gets all of it."""

from resolvers.survey import Question, QuestionKind, QuestionReader, position, question, survey
from tests.hub import Hub

COVERED = {
    "preparation",
    "explaining_process",
    "understanding_dispute",
    "listening",
    "neutrality",
    "safety",
    "managing_process",
    "creating_options",
    "overall_satisfaction",
    "recommendation",
    "impressed",
    "could_be_better",
    "for_reviewer",
}


def test_the_survey_covers_what_it_has_to_and_keeps_its_keys() -> None:
    assert {one.key for one in survey().questions} >= COVERED
    assert len({one.key for one in survey().questions}) == len(survey().questions)


def test_only_the_last_question_is_kept_from_the_mediator() -> None:
    hidden = [one.key for one in survey().questions if one.reviewer_only]
    assert hidden == [survey().questions[-1].key] == ["for_reviewer"]


def test_the_reviewer_reads_every_answer() -> None:
    assert all(QuestionReader.REVIEWER in one.readers for one in survey().questions)


def test_the_scale_has_five_steps_and_not_applicable() -> None:
    assert [step.rating for step in survey().scale] == [1, 2, 3, 4, 5, None]
    assert all(step.label for step in survey().scale)


def test_every_question_is_asked_in_words_and_answered_in_one_way() -> None:
    assert all(one.text and one.kind in QuestionKind for one in survey().questions)
    assert [one.kind for one in survey().questions[-3:]] == [QuestionKind.TEXT] * 3


def test_a_question_that_is_no_longer_asked_comes_last() -> None:
    assert question("asked_no_more") is None
    assert position("asked_no_more") == len(survey().questions) > position("for_reviewer")


async def test_somebody_signed_out_gets_the_whole_survey(hub: Hub) -> None:
    query = "{ survey { leastMinutes mostMinutes scale { rating label } questions { key text kind readers help } } }"
    found = (await hub.ask(query)).data["survey"]
    assert (found["leastMinutes"], found["mostMinutes"]) == (5, 8)
    assert len(found["scale"]) == len(survey().scale)
    assert [(one["key"], one["text"]) for one in found["questions"]] == [_shown(one) for one in survey().questions]


def _shown(one: Question) -> tuple[str, str]:
    return one.key, one.text
