"""The addresses of all pages, read from the routes, with values filled in and with a query string."""

import re
from collections.abc import Iterator

from starlette.routing import Mount, Route

from tests.privacy.place import Place

# `/mailbox` shows the mail that the demo catches, to anyone who asks. It's there only if its folder is set.
NOT_OURS = {"/mailbox", "/mailbox/{id}"}


def paths(place: Place) -> Iterator[tuple[str, list[str]]]:
    """Every address of every page, with values filled in and, where there are none, also with a query string."""
    secrets = [link for links in place.world.links.values() for link in sorted(links)[:1]]
    ids = place.some_ids()[::4] + place.some_ids()[-20:]
    word = place.pools()["text"][0]
    question = f"?search={word}&text={word}&first=100&size=100&year=2001&sort=country"
    for route in place.hub.app.routes:
        if isinstance(route, Mount):
            assert route.path == "/static", "nothing visits what's mounted there yet"
            continue
        assert isinstance(route, Route)
        if route.path in NOT_OURS or "GET" not in (route.methods or ()):
            continue
        places = re.findall(r"{(\w+)(?::\w+)?}", route.path)
        if not places:
            yield from ((route.path + asked, []) for asked in ("", question))
        for name in places:
            for value in ids if name.lower().endswith("id") else [*secrets, ids[0], "feedback"]:
                filled = dict.fromkeys(places, ids[0]) | {name: value}
                yield re.sub(r"{(\w+):\w+}", r"{\1}", route.path).format(**filled), [value]
