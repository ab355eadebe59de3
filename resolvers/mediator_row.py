"""Rows of mediators."""

from resolvers.paging import ListedRow


class MediatorRow(ListedRow):
    """A mediator, with the standings that the viewer has towards them (the bits of `Standing`)."""

    name: str
    email: str
    about: str | None
    profile_url: str | None
    visibility: str
    standing: int


class SummedMediatorRow(MediatorRow):
    """A mediator, with the totals of all their cases as mediator."""

    minutes: int
    contact_minutes: int
    cases: int
    simulated: int
