"""Proofs: how a page knows that what its address says was done really was done, by the person looking at it.

Anybody can make up an address and send it to others. So an accepted form leads to an address with a proof, sealed for
that page, its message, and the account that sent the form (for people who are signed out, their network address). It's
in the address because a new cookie would make browsers forget the form, and the back button should bring that back as
it was.
"""

from datetime import datetime, timedelta
from uuid import UUID

from starlette.datastructures import URL, QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from permissions.secrets import seal, unseal
from permissions.viewer import Viewer
from settings import Settings

PROOF_LASTS = timedelta(hours=1)  # long enough for going back and reloading
_PURPOSE = "proof"


def accepted(request: Request, address: str) -> Response:
    """Redirect after an accepted form: to a page under `/done`, or to another with its message's name as `done`.

    What only the sender may see is sealed in the address, as `shows`.
    """
    to = URL(address)
    # People who have just deleted their account or ended their own session see the page signed out.
    whom = _viewer(request).address if request.state.new_session == "" else _whom(request)
    until = request.app.state.database.now() + PROOF_LASTS
    made = proof(request.app.state.settings, until, to.path, _message(QueryParams(to.query)), whom)
    return RedirectResponse(f"{address}{'&' if '?' in address else '?'}proof={made}", 303)


def proof(settings: Settings, until: datetime, path: str, message: str, whom: UUID | str) -> str:
    """Make a proof; `message` is empty for a page with only one, `whom` is an account's id or a network address."""
    return seal(settings, _PURPOSE, f"{until.timestamp():.0f}", path, message, whom)


def is_proven(request: Request) -> bool:
    """Whether the address has a proof for its page, its message and this viewer that's still valid."""
    query, path = request.query_params, request.scope["path"]
    held, settings = query.get("proof", ""), request.app.state.settings
    until = unseal(settings, _PURPOSE, held, path, _message(query), _whom(request))
    return until is not None and float(until) > request.app.state.database.now().timestamp()


def _message(query: QueryParams) -> str:
    return query.get("done", "") + query.get("shows", "")


def _whom(request: Request) -> UUID | str:
    viewer = _viewer(request)
    return viewer.account_id or viewer.address


def _viewer(request: Request) -> Viewer:
    viewer: Viewer = getattr(request.state, "viewer", Viewer())  # finding out who's asking may be what failed
    return viewer
