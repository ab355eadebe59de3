"""The pages: one module for what belongs together, each giving its routes. All that they show comes by GraphQL."""

from starlette.routing import BaseRoute

from web.pages import (
    account,
    cpd,
    directory,
    feedback,
    home,
    importing,
    learning,
    links,
    logbook,
    mediator,
    review,
    second_factor,
    sign_in,
    sign_up,
    survey,
)

routes: list[BaseRoute] = [
    *home.routes,
    *sign_in.routes,
    *sign_up.routes,
    *account.routes,
    *second_factor.routes,
    *links.routes,
    *survey.routes,
    *importing.routes,  # before the logbook's, which would take it for an entry
    *logbook.routes,
    *cpd.routes,
    *learning.routes,
    *feedback.routes,
    *mediator.routes,
    *review.routes,
    *directory.routes,
]
