"""The pages: one module for what belongs together, each giving its routes. All that they show comes by GraphQL."""

from starlette.routing import BaseRoute

from web.pages import (
    account,
    account_sign_up,
    cpd,
    directory,
    feedback,
    feedback_giving,
    home,
    learning,
    links,
    logbook,
    logbook_import,
    mediator,
    reviewer,
    second_factor,
    sign_in,
)

routes: list[BaseRoute] = [
    *home.routes,
    *sign_in.routes,
    *account_sign_up.routes,
    *account.routes,
    *second_factor.routes,
    *links.routes,
    *feedback_giving.routes,
    *logbook_import.routes,  # before the logbook's, which would take it for an entry
    *logbook.routes,
    *cpd.routes,
    *learning.routes,
    *feedback.routes,
    *mediator.routes,
    *reviewer.routes,
    *directory.routes,
]
