"""The addresses of all pages, read from the routes: with what could stand in their places, and a question behind."""

import re
from collections.abc import Iterator

from starlette.routing import Mount, Route

from tests.privacy.place import Place

# `/mailbox` is the demo's catcher of mail, there only where its folder is set, and shows all mail to whoever asks.
NOT_OURS = {"/mailbox", "/mailbox/{id}"}


def paths(place: Place) -> Iterator[tuple[str, list[str]]]:
    """Every address of every page, with what could stand in its places, and with a question behind it."""
    secrets = [link for links in place.world.links.values() for link in sorted(links)[:1]]
    ids = place.some_ids()[::4] + place.some_ids()[-20:]
    word = place.pools()["text"][0]
    question = f"?search={word}&text={word}&first=100&size=100&year=2001&sort=country"
    for route in place.hub.app.routes:
        if isinstance(route, Mount):
            assert route.path == "/static", "what is mounted is walked by nobody yet"
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
