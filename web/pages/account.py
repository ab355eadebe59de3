"""Account Settings: your name, address and password, what else opens the account, a copy of its data, and deleting it.

The page itself only shows things and links to forms. Each form has a page of its own, so that problems appear next to
that form alone, and a page that refreshes by itself never discards what somebody is typing.
"""

from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from web.client import mutate, nothing_here, query, to_fix
from web.form_body import read_form
from web.forms import read_day, read_fields, read_text
from web.menu import MenuItem
from web.page import FOR_SIGNED_IN, FORM, POST, page
from web.proofs import accepted
from web.rendering import render


@dataclass(frozen=True)
class AccountForm:
    """A form about your own account.

    Its address and template are called `name`; `after` is where it leads when accepted. `boxes` are ticked until
    somebody unticks them.
    """

    name: str
    operation: str
    fields: tuple[str, ...]
    after: str
    boxes: tuple[str, ...] = ()


FORMS = (
    AccountForm("name", "UpdateAccount", ("name",), "/account?done=saved"),
    AccountForm("email", "ChangeEmail", ("email", "password"), "/account?done=mailed"),
    AccountForm(
        "password", "ChangePassword", ("currentPassword", "newPassword"), "/account?done=password", ("endOthers",)
    ),
    AccountForm("delete", "DeleteMyAccount", ("password",), "/done/deleted"),
)


@page(
    "/account",
    FOR_SIGNED_IN,
    document="account",
    unverified=True,
    menu=MenuItem(_("Account Settings"), 10, account=True),
)
async def settings(request: Request) -> Response:
    """Show your account, with a section for each thing you can do."""
    found = await query(request, "Settings")
    return render(request, "account/settings.html", me=found["me"])


async def _own(request: Request, *, form: AccountForm) -> Response:
    """Show one form about your own account, or do what it's for."""
    me = (await query(request, "Own"))["me"]
    template = f"account/{form.name}.html"
    if request.method != "POST":
        return render(request, template, typed={"name": me["name"]} | dict.fromkeys(form.boxes, "yes"), me=me)
    typed = await read_form(request)
    values = {field: typed.get(field, "") for field in form.fields}
    ticks = {box: typed.get(box) != "no" for box in form.boxes}
    outcome = await mutate(request, form.operation, **values, **ticks)
    if outcome.problems:
        return render(request, template, outcome=outcome, typed=typed, me=me)
    return accepted(request, form.after)


async def _take_away(request: Request, *, operation: str, done: str) -> Response:
    """End one session, or revoke one token."""
    outcome = await mutate(request, operation, id=request.path_params["id"])
    if outcome.problems:
        raise nothing_here()
    return accepted(request, f"/account?done={done}")


def _end_of_day(typed: str) -> str:
    """Read a day; give its last moment."""
    return f"{read_day(typed)}T23:59:59Z"


@page("/account/tokens/new", FOR_SIGNED_IN, document="account", methods=FORM)
async def new_token(request: Request) -> Response:
    """Make an API token. The answer itself shows it, because it isn't stored anywhere and mustn't be in an address."""
    me = (await query(request, "Own"))["me"]
    if request.method != "POST":
        return render(request, "account/token.html", me=me)
    typed = await read_form(request)
    values, problems = read_fields(typed, {"name": read_text, "expiresAt": _end_of_day, "code": read_text}, {"name"})
    values["password"] = typed.get("password")  # as it was typed: it may consist of spaces
    outcome = (
        to_fix(problems)
        if problems
        else await mutate(request, "CreateApiToken", **values, requestKey=typed.get("requestKey"))
    )
    if outcome.problems:
        return render(request, "account/token.html", outcome=outcome, typed=typed, me=me)
    return render(request, "account/token_made.html", made=outcome.payload)


forms = tuple(
    page(f"/account/{form.name}", FOR_SIGNED_IN, document="account", methods=FORM, unverified=True)(
        partial(_own, form=form)
    )
    for form in FORMS
)
end_session = page("/account/sessions/{id}/end", FOR_SIGNED_IN, document="account", methods=POST, unverified=True)(
    partial(_take_away, operation="EndSession", done="browser")
)
revoke_token = page("/account/tokens/{id}/revoke", FOR_SIGNED_IN, document="account", methods=POST)(
    partial(_take_away, operation="RevokeApiToken", done="revoked")
)
