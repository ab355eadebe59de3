"""The survey, read from a file. Each question says who reads its answers."""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from models.feedback import RATINGS

_FILE = Path(__file__).with_name("survey.toml")


class QuestionKind(StrEnum):
    """How a question is answered: with a rating from 1 to 5, or in words."""

    RATING = "RATING"
    TEXT = "TEXT"


class QuestionReader(StrEnum):
    """A reader of the answers. The mediator reads only those shared with them."""

    REVIEWER = "REVIEWER"
    MEDIATOR = "MEDIATOR"


@dataclass(frozen=True)
class Question:
    """One question. Its `key` never changes."""

    key: str
    text: str
    kind: QuestionKind
    readers: tuple[QuestionReader, ...]
    help: str | None

    @property
    def reviewer_only(self) -> bool:
        """Whether its answer never reaches the mediator."""
        return QuestionReader.MEDIATOR not in self.readers


@dataclass(frozen=True)
class ScaleStep:
    """One step of the scale; `rating` is null for "not applicable"."""

    rating: int | None
    label: str


@dataclass(frozen=True)
class Survey:
    """The whole survey. `least_minutes` and `most_minutes` say how long it takes."""

    least_minutes: int
    most_minutes: int
    scale: tuple[ScaleStep, ...]
    questions: tuple[Question, ...]


@cache
def survey() -> Survey:
    """Read the survey."""
    read = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    least, most = read["minutes"]
    steps = [ScaleStep(rating, read["scale"][str(rating)]) for rating in RATINGS]
    questions = [
        Question(
            key=question["key"],
            text=question["text"],
            kind=QuestionKind(question["kind"]),
            readers=tuple(QuestionReader(reader) for reader in question["readers"]),
            help=question.get("help"),
        )
        for question in read["questions"]
    ]
    return Survey(least, most, (*steps, ScaleStep(None, read["scale"]["not_applicable"])), tuple(questions))


@cache
def _positions() -> dict[str, int]:
    return {one.key: place for place, one in enumerate(survey().questions)}


def question(key: str) -> Question | None:
    """Find a question by its key."""
    place = _positions().get(key)
    return None if place is None else survey().questions[place]


def position(key: str) -> int:
    """Give a question's place in the survey. Former questions come last."""
    return _positions().get(key, len(survey().questions))
