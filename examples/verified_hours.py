#!/usr/bin/env python3
"""Prints mediators and their hours in each role, as a directory sees them with its API token.

    python examples/verified_hours.py BASE_URL TOKEN [SEARCH]

SEARCH is words of a name. It needs httpx, and nothing of this project.
"""

import sys
from collections.abc import Iterator
from typing import Any

import httpx

MEDIATORS = """
query Mediators($search: String, $after: String) {
  mediators(standing: DIRECTORY, search: $search, first: 50, after: $after) {
    nodes { name experience { minutes byRole { role minutes } } }
    pageInfo { hasNextPage endCursor }
  }
}
"""


def ask(client: httpx.Client, document: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Send one query and give its data; end with the service's own words if it has none."""
    response = client.post("/graphql", json={"query": document, "variables": variables})
    if "json" not in response.headers.get("content-type", ""):
        sys.exit(f"{response.url} answered with status {response.status_code}, which is no GraphQL")
    answer: dict[str, Any] = response.json()
    if errors := answer.get("errors"):
        sys.exit(f"{errors[0]['extensions']['code']}: {errors[0]['message']}")
    data: dict[str, Any] = answer["data"]
    return data


def mediators(client: httpx.Client, search: str | None) -> Iterator[dict[str, Any]]:
    """Walk the whole list, page by page."""
    more, after = True, None
    while more:
        page = ask(client, MEDIATORS, {"search": search, "after": after})["mediators"]
        yield from page["nodes"]
        more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]


def main(base_url: str, token: str, search: str | None = None) -> None:
    """Print each mediator with the hours of each role."""
    with httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}) as client:
        for mediator in mediators(client, search):
            experience = mediator["experience"]
            print(f"{mediator['name']}: {experience['minutes'] / 60:.1f} hours")  # noqa: T201 - what it is for
            for role in experience["byRole"]:
                print(f"  {role['role']}: {role['minutes'] / 60:.1f}")  # noqa: T201


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit("Usage: python examples/verified_hours.py BASE_URL TOKEN [SEARCH]")
    try:
        main(*sys.argv[1:])
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sys.exit(f"{sys.argv[1]} cannot be reached: {error}")
