"""Mail lasts: each path that any version ever wrote into a mail leads to a page."""

import re
from pathlib import Path

from starlette.routing import Match

from tests.hub import Hub

# Never removed: ninety days after a version stopped writing one, somebody may still open it.
EVER_MAILED = ("/", "/verify/{}", "/password/{}", "/invitation/{}", "/feedback/{}", "/stop/{}", "/export/{}")
# Not mailed by us: mediators hand these out and print them.
HANDED_OUT = ("/give/{}",)
SECRET = "s" * 43
MAILS = Path(__file__).parents[2] / "jobs" / "mail"


async def test_every_path_ever_mailed_leads_to_a_page(hub: Hub) -> None:
    for path in EVER_MAILED + HANDED_OUT:
        scope = {"type": "http", "method": "GET", "path": path.format(SECRET)}
        found = [route for route in hub.app.routes if route.matches(scope)[0] is Match.FULL]
        assert found, path
        answer = await hub.client.get(path.format(SECRET))
        answer = await hub.client.get(path.format(SECRET))
        # For a secret that never existed: the page that says so, or the way to sign in.
        assert answer.status_code == 303 or "html" in answer.headers["content-type"], path


def test_mails_contain_no_other_path() -> None:
    written = {f"/{name}/{{}}" for name in written_names()}
    assert len(written) == 6
    assert written <= set(EVER_MAILED)


def written_names() -> set[str]:
    """The first part of each path that a mail is given."""
    source = "".join(path.read_text(encoding="utf-8") for path in MAILS.glob("*.py"))
    return set(re.findall(r'(?:_link\(settings, |account_link\(LinkPurpose\.\w+, )"(\w+)"', source))
