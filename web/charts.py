"""Charts, as a page draws them in SVG: for each row a label, its value in words, and lengths in percent of the width.

The templates in `charts.html` write the same figures as a table, for people who can't see the drawing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.logbook import AS_MEDIATOR
from web import labels


@dataclass(frozen=True)
class Bar:
    """One bar: its label, its value in words, the row's other figure, its length in percent of the longest bar."""

    label: str
    value: str
    cases: int
    percent: float


def _bars(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Bar]:
    longest = max((row["minutes"] for _, row in rows), default=0) or 1
    return [
        Bar(label, labels.hours(row["minutes"]), row["cases"], round(100 * row["minutes"] / longest, 2))
        for label, row in rows
    ]


def hours_by_role(experience: Mapping[str, Any]) -> list[Bar]:
    """Draw the hours in each role."""
    return _bars([(str(labels.ROLES[row["role"]]), row) for row in experience["byRole"]])


@dataclass(frozen=True)
class Hours:
    """What cases add up to."""

    minutes: int
    contact: int
    cases: int


def told_apart(experience: Mapping[str, Any]) -> tuple[Hours, Hours]:
    """Add up the hours as mediator, and those in other roles."""
    mediating = {role.value for role in AS_MEDIATOR}
    sides = [[row for row in experience["byRole"] if (row["role"] in mediating) is wanted] for wanted in (True, False)]
    as_mediator, otherwise = (
        Hours(*(sum(row[name] for row in rows) for name in ("minutes", "contactMinutes", "cases"))) for rows in sides
    )
    return as_mediator, otherwise


def hours_by_year(experience: Mapping[str, Any]) -> list[Bar]:
    """Draw the hours of each year, including the empty years in between."""
    by_year = {row["year"]: row for row in experience["byYear"]}
    if not by_year:
        return []
    none = {"minutes": 0, "cases": 0}
    years = range(max(by_year), min(by_year) - 1, -1)
    return _bars([(str(year), by_year.get(year, none)) for year in years])


@dataclass(frozen=True)
class Rating:
    """How one question was rated: mean and standard deviation, and their places between 1 (0 %) and 5 (100 %)."""

    label: str
    count: int
    average: str
    spread: str
    mean_at: float
    low_at: float
    width: float


def ratings(questions: Sequence[Mapping[str, Any]], texts: Mapping[str, str]) -> list[Rating]:
    """Draw each question's mean as a mark, and one standard deviation to either side as a band within the scale."""
    drawn = []
    for one in questions:
        low = max(1.0, one["average"] - one["spread"])
        high = min(5.0, one["average"] + one["spread"])
        drawn.append(
            Rating(
                texts.get(one["question"], one["question"]),
                one["count"],
                f"{one['average']:.1f}",
                f"{one['spread']:.1f}",
                round((one["average"] - 1) * 25, 2),
                round((low - 1) * 25, 2),
                round((high - low) * 25, 2),
            )
        )
    return drawn


def overall(questions: Sequence[Mapping[str, Any]]) -> str:
    """Write the mean of all ratings of all questions; nothing if there are no ratings."""
    count = sum(one["count"] for one in questions)
    return f"{sum(one['average'] * one['count'] for one in questions) / count:.1f}" if count else ""
