"""Reading the parts of an input."""

from uuid import UUID

from strawberry import UNSET

from models.statement import Values

_NOBODYS_ID = UUID(int=0)


def read_id(given: str) -> UUID:
    """Read an id. Any other text reads as an id that nothing has, so it simply isn't found."""
    try:
        return UUID(given)
    except ValueError:
        return _NOBODYS_ID


def given(input: object) -> Values:
    """Give the fields that an input was sent with, except those that are about the change itself."""
    return {
        name: value
        for name, value in vars(input).items()
        if value is not UNSET and name not in {"id", "version", "request_key", "confirm_implausible"}
    }
