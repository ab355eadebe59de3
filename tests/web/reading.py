"""Reads pages and mails as people do, and looks at the tables to see whether anything changed."""

import csv
import itertools
import re
from datetime import timedelta
from html import unescape
from io import StringIO
from typing import Any

import httpx

from permissions.secrets import seal
from resolvers.limits import Limit
from tests.hub import BASE_URL, Hub, Person

HOSTILE = """<script>alert("1")</script> O'Neil & <b>Sons</b>"""
FOREIGN = [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]


def cookie(person: Person) -> dict[str, str]:
    return {"cookie": f"session={person.cookie}"}


async def get(hub: Hub, by: Person, path: str, **query: str) -> httpx.Response:
    return await hub.client.get(path, params=query or None, headers=cookie(by))


async def post(hub: Hub, by: Person, path: str, **form: Any) -> httpx.Response:
    hub.client.cookies.clear()  # no session but the one that is named
    return await hub.client.post(path, data=form, headers=cookie(by))


def led_to(response: httpx.Response) -> str:
    """Where an accepted form leads, without the proof and what's sealed for its sender."""
    assert response.status_code == 303
    address, separator, _ = response.headers["location"].rpartition("proof=")
    assert separator
    return re.sub(r"[?&]shows=[^&]*$", "", str(address[:-1]))


def told(response: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """Everything that could tell two answers apart, except the proof: it differs only in when it was made."""
    place = {"location": led_to(response)} if response.status_code == 303 else {}
    return response.status_code, response.text, dict(response.headers) | place


async def followed(hub: Hub, response: httpx.Response, by: Person | None = None) -> httpx.Response:
    """The page that an accepted form leads to, opened with the session that its answer began, ended or kept."""
    assert response.status_code == 303
    kept = {one.name: one.value or "" for one in response.cookies.jar}
    cookies = ({"session": by.cookie} if by else {}) | kept
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items() if value)
    page = await hub.client.get(response.headers["location"], headers={"cookie": sent})
    assert is_a_page(page)
    return page


async def opened(hub: Hub, by: Person, path: str, **query: str) -> httpx.Response:
    """A page that exists."""
    response = await get(hub, by, path, **query)
    assert is_a_page(response)
    return response


async def sheet(hub: Hub, by: Person, path: str) -> list[dict[str, str]]:
    """The rows of a table that is exported."""
    response = await get(hub, by, path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    name = path.partition("?")[0].rpartition("/")[2]
    assert response.headers["content-disposition"] == f'attachment; filename="{name}"'
    return list(csv.DictReader(StringIO(response.content.decode("utf-8-sig"), newline="")))


def plain(text: str) -> str:
    """The words of a page, without its tags."""
    return " ".join(unescape(re.sub("<[^>]*>", " ", text)).split())


def cells(response: httpx.Response, heading: str) -> list[str]:
    """What is under a heading, row by row."""
    found = re.findall(rf'<td data-label="{heading}"[^>]*>(.*?)</td>', response.text, re.DOTALL)
    return [unescape(re.sub("<.*?>", "", cell)).strip() for cell in found]


def listed(response: httpx.Response) -> list[str]:
    """The names that a search found, in the order of the page."""
    return [unescape(name) for name in re.findall(r'<td data-label="Name"><a href="[^"]*">(.*?)</a>', response.text)]


def problems(response: httpx.Response) -> list[tuple[str | None, str]]:
    """Field and text of each problem in the list at the top of a page."""
    found = re.search(r'<section class="problems".*?</section>', response.text, re.DOTALL)
    items = re.findall(r"<li>(.*?)</li>", found.group()) if found else []
    fields = [re.search(r'href="#(.*?)"', item) for item in items]
    texts = [unescape(re.sub("<.*?>", "", item)) for item in items]
    return [(field and field.group(1), text) for field, text in zip(fields, texts, strict=True)]


def is_a_page(response: httpx.Response, status: int = 200) -> bool:
    """Whether this is a whole page of ours with that status, which runs nothing and loads nothing from elsewhere."""
    text = response.text
    assert response.status_code == status, text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert "'unsafe-inline'" not in response.headers["content-security-policy"]
    for part in ("Mediation Logbook", "https://demo.example/privacy", "mailto:support@demo.example", "</html>"):
        assert part in text
    # Without it, browsers send `Origin: null` with the forms of a page whose header says no-referrer.
    assert '<meta name="referrer" content="same-origin">' in text
    ours = re.sub(r'<script src="/static/pages\.js\?v=[0-9a-f]{12}" defer></script>', "", text)
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|\ssrc=", ours)
    named = re.findall(r' (?:for|aria-describedby|aria-labelledby)="([^"]*)"| href="#([^"]*)"', text)
    for name in " ".join(itertools.chain(*named)).split():
        assert f' id="{name}"' in text, name
    return True


async def link(hub: Hub, to: str) -> str:
    """The path of the first link in the one new mail to an address."""
    await hub.work()
    found = re.search(re.escape(BASE_URL) + r"(/\S+)", hub.mail(to)["text"])
    assert found
    return found.group(1)


async def everything(hub: Hub) -> dict[str, str]:
    """What all tables hold, as one text per table, except the counts of what went wrong while somebody signed in."""
    names = await hub.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'sign_in_trouble' ORDER BY 1"
    )
    return {
        name: (await hub.rows(f"SELECT string_agg(t::text, '|' ORDER BY t::text) AS text FROM \"{name}\" t"))[0]["text"]
        for (name,) in names
    }


def handed_out(hub: Hub, **ago: float) -> str:
    """What the form of a survey carries if it was handed out a while ago."""
    moment = hub.database.now() - timedelta(**(ago or {"minutes": 6}))
    return seal(hub.settings, "survey", str(moment.timestamp()))


async def exhausted(hub: Hub, limit: Limit, times: int, *by: object) -> None:
    """Use up a limit."""
    for _ in range(times):
        await hub.app.state.limiter.count(limit, *by)


async def only_id(hub: Hub, table: str, owner: Person) -> str:
    """The id of somebody's only row in a table."""
    (row,) = await hub.rows(f"SELECT id FROM {table} WHERE account_id = $1", owner.id)
    return str(row["id"])
