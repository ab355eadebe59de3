"""The limit: a handler on asyncpg, with JSON made by PostgreSQL. It asks nobody who they are, and checks nothing.

`python -m tests.bench.bare <socket folder> <port>` serves it.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

A = """
SELECT json_build_object('data', json_build_object('mediator', json_build_object(
    'experience', (SELECT json_build_object(
            'minutes', coalesce(sum(minutes) FILTER (WHERE NOT simulated), 0),
            'cases', count(*) FILTER (WHERE NOT simulated))
        FROM logbook_entry WHERE mediator_id = mediator.id AND role IN ('LEAD_MEDIATOR', 'CO_MEDIATOR')),
    'logbook', json_build_object(
        'totalCount', (SELECT count(*) FROM logbook_entry WHERE mediator_id = mediator.id),
        'nodes', (SELECT json_agg(entry) FROM (
            SELECT id, role, medium, started_on AS "startedOn", ended_on AS "endedOn", minutes,
                   dispute_kind AS "disputeKind", outcome
              FROM logbook_entry WHERE mediator_id = mediator.id ORDER BY ended_on DESC, id DESC LIMIT 25) AS entry)))))
  FROM mediator WHERE id = $1::text::uuid
"""
B = """
SELECT json_build_object('data', json_build_object('mediators', json_build_object('nodes', json_agg(found)))) FROM (
    SELECT account.id, account.name, json_build_object('byRole', (
        SELECT json_agg(hours ORDER BY array_position(ARRAY['LEAD_MEDIATOR', 'CO_MEDIATOR', 'ASSISTANT_MEDIATOR',
                                                            'MEDIATION_ADVOCATE', 'OBSERVER', 'OTHER'], role))
          FROM (SELECT role, sum(minutes) AS minutes, count(*) AS cases
                  FROM logbook_entry
                 WHERE mediator_id = account.id AND NOT simulated AND role IN ('LEAD_MEDIATOR', 'CO_MEDIATOR')
                 GROUP BY role) AS hours
        )) AS experience
      FROM account JOIN mediator ON mediator.id = account.id
     WHERE name_words @@ $1::text::tsquery AND visibility = 'DIRECTORIES'
     ORDER BY name_key, account.id LIMIT 20) AS found
"""
C = """
SELECT json_build_object('data', json_build_object('mediator', json_build_object(
    'name', account.name,
    'feedback', json_build_object('nodes', (SELECT json_agg(piece) FROM (
        SELECT id, capacity, acted_as AS "actedAs", shared, received_on AS "receivedOn",
               by_invitation AS "byInvitation",
               (SELECT json_agg(json_build_object('question', question, 'rating', rating, 'text', text)
                                ORDER BY question = 'impressed')
                  FROM feedback_answer WHERE feedback_id = feedback.id) AS answers
          FROM feedback WHERE mediator_id = account.id ORDER BY received_on DESC, id DESC LIMIT 50) AS piece)))))
  FROM account WHERE id = $1::text::uuid
"""
STATEMENTS = {"a": A, "b": B, "c": C}


async def answer(request: Request) -> Response:
    asked = orjson.loads(await request.body())
    async with request.app.state.pool.acquire() as connection:
        found = await connection.fetchval(STATEMENTS[asked["case"]], asked["about"])
    return Response(found, media_type="application/json")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(
        host=sys.argv[1], port=5432, user="postgres", database="logbook", max_size=10
    ) as pool:
        app.state.pool = pool
        yield


if __name__ == "__main__":
    application = Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan)
    uvicorn.run(application, port=int(sys.argv[2]), access_log=False, log_level="warning", ws="none")
