"""GraphQL over HTTP: methods, media types, status codes, and requests that can't be run."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from models.account import Role
from resolvers import limits
from tests.hub import PASSWORD, Hub, Person, payload
from tests.web.reading import exhausted
from tests.world import put_token
from web.graphql import MAX_BODY

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
UTF8 = "; charset=utf-8"
HELLO = {"query": "{ __typename }"}
RENAME = """mutation { updateAccount(input: { name: "Changed" }) { userErrors { code } } }"""


async def send_body(hub: Hub, content: bytes | str | dict[str, Any], **headers: str) -> httpx.Response:
    """Send a body as it is; header names are written with underscores."""
    sent = {"content-type": JSON} | {name.replace("_", "-"): value for name, value in headers.items()}
    body = orjson.dumps(content) if isinstance(content, dict) else content
    return await hub.client.post("/graphql", content=body, headers=sent)


def codes(response: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json()["errors"]]


def signed_in(person: Person) -> str:
    return f"session={person.cookie}"


# Methods and media types.


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
async def test_only_post_is_answered_and_other_methods_change_nothing(hub: Hub, method: str) -> None:
    ann = await hub.mediator()
    headers = {"cookie": signed_in(ann), "content-type": JSON}
    for query in ({"query": "{ me { id } }"}, {"query": RENAME}):
        response = await hub.client.request(method, "/graphql", params=query, headers=headers)
        assert response.status_code == 405
        assert response.headers["allow"] == "POST"
    assert await hub.rows("SELECT 1 FROM account WHERE name = 'Changed'") == []


async def test_the_answer_has_the_requested_media_type(hub: Hub) -> None:
    del hub.client.headers["accept"]
    for accept, answered in (
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        ("application/json; charset=utf-8", JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"text/html, {GRAPHQL};charset=utf-8, */*", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),
        ("APPLICATION/GRAPHQL-RESPONSE+JSON", GRAPHQL),
    ):
        response = await send_body(hub, HELLO, **({"accept": accept} if accept else {}))
        assert response.status_code == 200
        assert response.headers["content-type"] == answered + UTF8, accept
        assert response.json() == {"data": {"__typename": "Query"}}


async def test_a_request_that_accepts_none_of_our_types_gets_a_406(hub: Hub) -> None:
    for accept in ("text/html", "application/xml", "image/*", "application/jsonx"):
        assert (await send_body(hub, HELLO, accept=accept)).status_code == 406


async def test_a_body_of_another_type_is_refused_and_changes_nothing(hub: Hub) -> None:
    ann = await hub.mediator()
    for content_type in (
        "",
        "text/plain",
        "application/jsonx",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "application/json; charset=latin-1",
        "application/json; x=y; charset=utf-16",
    ):
        response = await send_body(hub, {"query": RENAME}, content_type=content_type, cookie=signed_in(ann))
        assert response.status_code == 415, content_type
        assert codes(response) == ["BAD_USER_INPUT"]
    assert await hub.rows("SELECT 1 FROM account WHERE name = 'Changed'") == []


async def test_json_in_utf8_is_accepted_however_it_is_spelt(hub: Hub) -> None:
    for content_type in (JSON, "Application/JSON", f'{JSON};charset="UTF-8"; x=y', f"{JSON} ; charset=utf8"):
        response = await send_body(hub, HELLO, content_type=content_type)
        assert response.json() == {"data": {"__typename": "Query"}}, content_type


# Status codes.

COULD_NOT_START: list[tuple[dict[str, Any], str]] = [
    ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
    ({"query": "{ __typename\0 }"}, "GRAPHQL_PARSE_FAILED"),
    ({"query": "\0"}, "GRAPHQL_PARSE_FAILED"),
    ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
    ({"query": "{ survey }"}, "GRAPHQL_VALIDATION_FAILED"),
    ({"query": "subscription { x }"}, "GRAPHQL_VALIDATION_FAILED"),
    ({"query": "query($n: ID!) { feedbackSubject(id: $n) { id } }"}, "BAD_USER_INPUT"),
    ({"query": "query($n: ID!) { feedbackSubject(id: $n) { id } }", "variables": {"n": {}}}, "BAD_USER_INPUT"),
    ({"query": "{ feedbackSubject(id: true) { id } }"}, "BAD_USER_INPUT"),
    ({"query": "query A { __typename } query B { __typename }"}, "BAD_USER_INPUT"),
    ({"query": "query A { __typename }", "operationName": "B"}, "BAD_USER_INPUT"),
]


async def test_an_operation_that_could_not_start_is_400_but_200_for_clients_of_plain_json(hub: Hub) -> None:
    for body, code in COULD_NOT_START:
        for accept, status in ((GRAPHQL, 400), (JSON, 200), ("*/*", 200)):
            response = await send_body(hub, body, accept=accept)
            assert response.status_code == status, (body, accept)
            assert codes(response)[:1] == [code], body
            assert "data" not in response.json()


async def test_an_operation_that_ran_is_200_with_its_data_and_errors(hub: Hub) -> None:
    ann = await hub.mediator()
    body = {"query": "query($id: ID!) { me { id } mediator(id: $id) { id } }", "variables": {"id": str(uuid4())}}
    response = await send_body(hub, body, accept=GRAPHQL, cookie=signed_in(ann))
    assert response.status_code == 200
    assert response.json()["data"] == {"me": {"id": str(ann.id)}, "mediator": None}
    (error,) = response.json()["errors"]
    assert error == {
        "message": "Not found.",
        "path": ["mediator"],
        "locations": [{"line": 1, "column": 29}],
        "extensions": {"code": "NOT_FOUND"},
    }


NO_REQUESTS = [
    b"", b"{", b"nonsense", b"null", b"5", b'"{ __typename }"', b"[]", b"{}",
    b'{"query": null}', b'{"query": 5}', b'{"query": ""}', b'{"query": "  "}', b'{"query": ["{ __typename }"]}',
    b'{"query": "{ __typename }", "variables": []}', b'{"query": "{ __typename }", "variables": "{}"}',
    b'{"query": "{ __typename }", "operationName": 5}', b'{"query": "{ __typename }", "extensions": []}',
    b'{"query": "{ __typename }", "variables": {"a": NaN}}', b'{"query": "{ __typename }"} {}',
    b'{"query": "\xff\xfe"}', b"\xff\xfe{\x00}\x00", b'{"query": "\\ud800"}',
    b'{"id": "a persisted document"}',
]  # fmt: skip


async def test_a_body_that_is_not_a_graphql_request_is_400(hub: Hub) -> None:
    for body in NO_REQUESTS:
        for accept in (GRAPHQL, JSON):
            response = await send_body(hub, body, accept=accept)
            assert response.status_code == 400, body
            assert codes(response) == ["BAD_USER_INPUT"]


async def test_anything_that_may_be_left_out_may_be_null(hub: Hub) -> None:
    body = HELLO | {"variables": None, "operationName": None, "extensions": None, "anything": 5}
    assert (await send_body(hub, body)).json() == {"data": {"__typename": "Query"}}


async def test_a_batch_is_refused_and_none_of_it_runs(hub: Hub) -> None:
    ann = await hub.mediator()
    response = await send_body(hub, orjson.dumps([{"query": RENAME}, HELLO]), cookie=signed_in(ann))
    assert response.status_code == 400
    assert codes(response) == ["BAD_USER_INPUT"]
    assert await hub.rows("SELECT 1 FROM account WHERE name = 'Changed'") == []


async def test_a_body_may_have_at_most_256_kilobytes(hub: Hub) -> None:
    assert MAX_BODY == 262_144
    padding = MAX_BODY - len(orjson.dumps(HELLO))
    fits = orjson.dumps({"query": HELLO["query"] + " " * padding})
    assert len(fits) == MAX_BODY
    assert (await send_body(hub, fits)).json() == {"data": {"__typename": "Query"}}
    response = await send_body(hub, fits + b" ")
    assert response.status_code == 413
    assert codes(response) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("depth", [10, 500, 1000, 1100, 20_000, 100_000])
async def test_nesting_is_never_a_fault(hub: Hub, depth: int) -> None:
    ann = await hub.mediator()
    nested, objects = b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth
    query = b"""{"query": "query($x: String, $f: LogbookFilter) { mediators(search: $x) { nodes {
        logbook(filter: $f) { totalCount } } } }", "variables": {"%s": %s}}""".replace(b"\n", b" ")
    bodies = [query % (name, value) for name in (b"x", b"f", b"unknown") for value in (nested, objects)]
    if depth <= 20_000:
        deep = {
            "selections": "{ a" * depth + "}" * depth,
            "fragments": "{ ... " * depth + "{ __typename }" + "}" * depth,
            "lists": f"{{ mediators(search: {'[' * depth}{']' * depth}) {{ totalCount }} }}",
            "objects": f"{{ mediators(search: {'{a:' * depth}1{'}' * depth}) {{ totalCount }} }}",
            "types": f"query($x: {'[' * depth}String{']' * depth}) {{ __typename }}",
        }
        bodies += [orjson.dumps({"query": text}) for text in deep.values()]
    for body in bodies:
        response = await send_body(hub, body, cookie=signed_in(ann), accept=GRAPHQL)
        assert response.status_code in {200, 400, 413}
        assert "INTERNAL_SERVER_ERROR" not in response.text


# Who's asking.


async def test_another_site_is_forbidden_and_changes_nothing(hub: Hub) -> None:
    ann = await hub.mediator()
    foreign: list[dict[str, str]] = [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8001"},
        {"origin": "https://127.0.0.1:8000"},
        {"origin": "http://127.0.0.1:8000.evil.example"},
        {"origin": ""},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example", "sec_fetch_site": "same-origin"},
    ]
    for headers in foreign:
        response = await send_body(hub, {"query": RENAME}, cookie=signed_in(ann), **headers)
        assert response.status_code == 403, headers
        assert codes(response) == ["FORBIDDEN"]
        assert "set-cookie" not in response.headers
    assert await hub.rows("SELECT 1 FROM account WHERE name = 'Changed'") == []


async def test_our_own_pages_and_programs_are_let_in(hub: Hub) -> None:
    ann = await hub.mediator()
    own: list[dict[str, str]] = [
        {},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "http://127.0.0.1:8000", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
    ]
    for headers in own:
        response = await send_body(hub, {"query": RENAME}, cookie=signed_in(ann), **headers)
        assert response.json() == {"data": {"updateAccount": {"userErrors": []}}}, headers


async def test_a_bad_token_is_unauthenticated_whatever_else_is_sent(hub: Hub) -> None:
    ann = await hub.mediator()
    for authorization in (b"Bearer", b"Bearer ", b"Bearer x", b"Basic YTpi", b"x", b"Bearer \xe9"):
        for body in ({"query": "{ me { id } }"}, HELLO, {"query": "{"}):
            headers = {b"authorization": authorization, b"cookie": signed_in(ann).encode()}
            response = await hub.client.post("/graphql", json=body, headers=headers)
            assert response.status_code == 401, authorization
            assert codes(response) == ["UNAUTHENTICATED"]


async def test_a_token_ends_when_it_is_revoked_expires_or_its_owner_is_deleted(hub: Hub) -> None:
    for ending in (
        "UPDATE api_token SET revoked_at = clock()",
        "UPDATE api_token SET expires_at = clock()",
        "DELETE FROM account",
    ):
        token = await put_token(hub, await hub.mediator())
        assert (await hub.ask("{ me { id } }", token=token)).status == 200
        await hub.rows(ending)
        ended = await hub.ask("{ me { id } }", token=token)
        assert (ended.status, ended.codes) == (401, ["UNAUTHENTICATED"])


async def test_an_ended_session_is_unauthenticated_and_its_cookie_is_taken_away(hub: Hub) -> None:
    ann = await hub.mediator()
    await hub.rows("DELETE FROM session")
    for body in ({"query": "{ me { id } }"}, {"query": "{ survey { leastMinutes } }"}):
        response = await send_body(hub, body, cookie=signed_in(ann))
        assert response.status_code == 401
        assert codes(response) == ["UNAUTHENTICATED"]
        assert response.headers["set-cookie"].startswith('session="";')
        assert "Max-Age=0" in response.headers["set-cookie"]


async def test_answers_are_not_cached_and_their_type_is_not_guessed(hub: Hub) -> None:
    response = await send_body(hub, HELLO)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_fault_of_ours_reveals_only_a_reference(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    ann, admin = await hub.mediator(), await hub.person(Role.ADMIN)
    document = "{ me { name mediator { cpd { totalCount } logbook { totalCount } } } }"
    await hub.rows("ALTER TABLE logbook_entry RENAME COLUMN minutes TO hours")
    try:
        answer = await hub.ask(document, by=ann)
    finally:  # the next test has the same tables
        await hub.rows("ALTER TABLE logbook_entry RENAME COLUMN hours TO minutes")
    assert answer.status == 200
    assert answer.body["data"]["me"]["name"] == ann.name
    assert answer.body["data"]["me"]["mediator"] == {"cpd": {"totalCount": 0}, "logbook": None}
    (error,) = answer.body["errors"]
    reference = error["extensions"]["reference"]
    assert UUID(reference).version == 4
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert error["message"] == f"Something went wrong. Reference: {reference}"
    assert reference in capsys.readouterr().out
    for leak in ("minutes", "hours", "SELECT", "asyncpg", ".py"):
        assert leak not in str(answer.body)
    made = await hub.change("addLogbookEntry", {}, by=ann)
    assert made.codes[0] == "BAD_USER_INPUT"
    payload(await hub.change("updateAccount", {"name": "Still Works"}, by=admin))


# A program sends a token on purpose, and a browser never does so by itself: such requests may come from any site.

ORIGINS: list[dict[str, str]] = [
    {"origin": "https://app.example"},
    {"origin": "null"},
    {"origin": "https://app.example", "sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"origin": "http://127.0.0.1:8000"},
    {},
]


def readable_anywhere(response: httpx.Response) -> bool:
    """Whether a script on any site, if it sent no cookie, may read the answer."""
    exposed = response.headers.get("access-control-expose-headers", "").lower()
    assert "access-control-allow-credentials" not in response.headers
    return response.headers.get("access-control-allow-origin") == "*" and {*exposed.split(", ")} >= {
        "retry-after",
        "www-authenticate",
    }


@pytest.mark.parametrize("headers", ORIGINS)
async def test_a_token_may_call_from_any_site_and_touches_no_cookie(hub: Hub, headers: dict[str, str]) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    token = await put_token(hub, ann)
    cookies = {"cookie": f"{signed_in(bob)}; device=known"}
    for more in ({}, cookies, {"cookie": "session=ended"}):
        sent = {"authorization": f"Bearer {token}"} | headers | more
        for body, status in (({"query": "{ me { id } }"}, 200), ({"query": "{"}, 400), ("nonsense", 400)):
            response = await send_body(hub, body, accept=GRAPHQL, **sent)
            assert response.status_code == status
            assert readable_anywhere(response)
            assert "set-cookie" not in response.headers
        asked = await send_body(hub, {"query": "{ me { id } }"}, **sent)
        assert asked.json() == {"data": {"me": {"id": str(ann.id)}}}


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Bearer x", "bearer x", "Basic YTpi", "x", ""])
async def test_a_bad_token_neither_ends_nor_uses_a_good_session(hub: Hub, authorization: str) -> None:
    ann = await hub.mediator()
    for headers in ORIGINS:
        for cookie in (signed_in(ann), "session=ended", f"{signed_in(ann)}; device=known"):
            for body in ({"query": RENAME}, HELLO):
                response = await send_body(hub, body, authorization=authorization, cookie=cookie, **headers)
                assert (response.status_code, codes(response)) == (401, ["UNAUTHENTICATED"])
                assert response.headers["www-authenticate"] == 'Bearer realm="api", error="invalid_token"'
                assert readable_anywhere(response)
                assert "set-cookie" not in response.headers
    page = await hub.client.get("/account", headers={"authorization": authorization, "cookie": signed_in(ann)})
    assert page.status_code == 401
    assert "set-cookie" not in page.headers
    assert not await hub.rows("SELECT 1 FROM account WHERE name = 'Changed'")
    assert (await hub.ask("{ me { id } }", by=ann)).data["me"]["id"] == str(ann.id)


async def test_nobody_gets_past_the_guard_of_signing_in_or_up_by_sending_a_token(hub: Hub) -> None:
    ann = await hub.mediator()
    token = await put_token(hub, ann)
    before = await hub.rows("SELECT id FROM session")
    documents = {
        "signIn": {"email": ann.email, "password": PASSWORD},
        "signUp": {"name": "N", "email": "new@demo.example", "password": PASSWORD},
        "requestPasswordReset": {"email": ann.email},
    }
    for sent, expected in ((token, "GRAPHQL_VALIDATION_FAILED"), ("x", "UNAUTHENTICATED")):
        for name, given in documents.items():
            answer = await hub.change(name, given, token=sent, headers={"origin": "https://evil.example"})
            assert answer.codes[0] == expected
            assert "set-cookie" not in answer.headers
    for path, form in (("/signin", documents["signIn"]), ("/signup", documents["signUp"]), ("/signout", {})):
        for sent in (token, "x"):
            headers = {"authorization": f"Bearer {sent}", "origin": "https://evil.example", "cookie": signed_in(ann)}
            response = await hub.client.post(path, data=form, headers=headers)
            assert response.status_code in {401, 403}
            assert "set-cookie" not in response.headers
    assert await hub.rows("SELECT id FROM session") == before
    assert len(await hub.rows("SELECT 1 FROM account")) == 1


@pytest.mark.parametrize("cookie", [None, "session=ended", "good"])
async def test_a_preflight_is_answered_without_credentials(hub: Hub, cookie: str | None) -> None:
    ann = await hub.mediator()
    headers = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    } | ({"cookie": signed_in(ann) if cookie == "good" else cookie} if cookie else {})
    response = await hub.client.options("/graphql", headers=headers)
    assert (response.status_code, response.content) == (204, b"")
    assert readable_anywhere(response)
    assert response.headers["access-control-allow-methods"] == "POST"
    assert response.headers["access-control-allow-headers"].lower() == "authorization, content-type"
    assert int(response.headers["access-control-max-age"]) > 0
    assert "set-cookie" not in response.headers
    for path in ("/", "/account", f"/export/{'x' * 43}"):
        other = await hub.client.options(path, headers=headers)
        assert "access-control-allow-origin" not in other.headers


async def test_no_other_site_can_read_an_answer_to_a_request_without_a_token(hub: Hub) -> None:
    ann = await hub.mediator()
    for cookie in (signed_in(ann), "session=ended", ""):
        for headers in ORIGINS:
            response = await send_body(hub, {"query": "{ __typename }"}, cookie=cookie, **headers)
            assert not [name for name in response.headers if name.startswith("access-control")]


async def test_401_says_how_to_sign_in(hub: Hub) -> None:
    ann = await hub.mediator()
    await hub.rows("DELETE FROM session")
    answer = await hub.ask("{ me { id } }", by=ann)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="api"')
    page = await hub.client.post("/account/name", data={"name": "N"})
    assert (page.status_code, page.headers["www-authenticate"]) == (401, 'Bearer realm="api"')
    assert "www-authenticate" not in (await hub.client.get("/")).headers


async def test_after_too_many_requests_a_header_says_when_to_try_again(hub: Hub) -> None:
    ann = await hub.mediator()
    token = await put_token(hub, ann)
    await exhausted(hub, limits.SEARCH, 120, "127.0.0.1")
    found = '{s}: feedbackSubjects(search: "ann") {{ id }}'
    search = f"{{ {found.format(s='a')} survey {{ leastMinutes }} {found.format(s='b')} }}"
    for who in ({}, {"by": ann}, {"token": token}):
        for accept in (GRAPHQL, JSON):
            answer = await hub.ask(search, headers={"accept": accept}, **who)
            assert (answer.status, {*answer.codes}) == (200, {"RATE_LIMITED"})
            waits = [error["extensions"]["retryAfter"] for error in answer.body["errors"]]
            assert answer.headers["retry-after"] == str(max(waits))
    assert "retry-after" not in (await hub.ask("{ survey { leastMinutes } }")).headers


async def test_a_script_on_any_site_can_read_that_we_failed(hub: Hub) -> None:
    token = await put_token(hub, await hub.mediator())
    transport = httpx.ASGITransport(hub.app, raise_app_exceptions=False)
    await hub.rows("ALTER TABLE api_token RENAME TO api_token_away")
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            headers = {"authorization": f"Bearer {token}", "origin": "https://app.example"}
            response = await client.post("/graphql", json=HELLO, headers=headers)
    finally:  # the next test has the same tables
        await hub.rows("ALTER TABLE api_token_away RENAME TO api_token")
    assert response.status_code == 500
    assert readable_anywhere(response)
