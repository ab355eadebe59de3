"""How the parts of an input are read."""

from uuid import UUID

from strawberry import UNSET

from models.statement import Values

_NOBODYS_ID = UUID(int=0)


def read_id(given: str) -> UUID:
    """Read an id; any other text reads as an id that nothing has, so that it is simply not found."""
    try:
        return UUID(given)
    except ValueError:
        return _NOBODYS_ID


def given(input: object) -> Values:
    """Give the fields of an input that were sent, except `id`, `version` and `requestKey`."""
    return {
        name: value
        for name, value in vars(input).items()
        if value is not UNSET and name not in {"id", "version", "request_key"}
    }
