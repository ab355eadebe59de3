"""What a request without errors leaves behind: nothing that only the garbage collector could clear.

Such leftovers would keep all rows of their request, and clearing them holds up every request that is under way.
"""

import gc
from typing import Any

import pytest

from models.account import Role
from resolvers.access import viewer_of_session
from resolvers.context import Context
from schema import execution
from tests.hub import Hub, Person
from tests.world import put_cases, put_feedback

DOCUMENTS = [
    "{ me { name mediator { experience { minutes byRole { cases } } logbook { totalCount nodes { id notes } } } } }",
    "{ me { mediator { feedback(first: 3) { nodes { answers { question rating } } pageInfo { endCursor } } } } }",
]


async def context_of(hub: Hub, person: Person) -> Context:
    state = hub.app.state
    viewer = await viewer_of_session(state.database, state.settings, person.cookie, "")
    return Context(viewer, state.database, state.settings, state.limiter, state.waker.wake)


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_a_request_leaves_nothing_for_the_garbage_collector(hub: Hub, document: str) -> None:
    ann = await hub.person(Role.MEDIATOR)
    await put_cases(hub, ann, {"notes": "a note"}, {})
    await put_feedback(hub, ann)
    for _ in range(3):  # now everything that's made once and kept exists
        await execution.run(await context_of(hub, ann), document, None, None)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(5):
            await execution.run(await context_of(hub, ann), document, None, None)
        gc.collect()
        left: list[Any] = [*gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert [one for one in left if isinstance(one, Context) or "Executor" in type(one).__name__] == []
