import asyncio
import json
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import typer
import uvicorn
from sqlmodel import SQLModel

import cli
from demo import seed
from models.account import Role
from models.mediator import Visibility
from resolvers.errors import Code
from schema.sdl import sdl
from settings import Settings
from tests.hub import PASSWORD, Hub
from tests.world import put_cases, put_token
from tools import readme
from tools.kept import IMPERSONAL, KEPT

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
API = (readme.DOCS / "api.md").read_text(encoding="utf-8")
PAGES = [README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")]
PAGES += [path.read_text(encoding="utf-8") for path in sorted(readme.DOCS.glob("*.md"))]
CODE = "\n".join(code for page in PAGES for code in re.findall(r"```sh\n.*?```|`[^`\n]+`", page, re.DOTALL))
REQUESTS = [json.loads(body) for body in re.findall(r"-d '(\{.*?\n\})'", API, re.DOTALL)]


def test_the_readme_takes_five_minutes_to_read() -> None:
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize(("name", "page"), readme.PAGES.items())
def test_the_tables_match_the_source(name: str, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert readme.written(name, text) == text, "run `make schema`"


def test_the_schema_matches_the_source() -> None:
    assert (ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8") == sdl(), "run `make schema`"


def test_outdated_tables_are_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = readme.PAGES
    stale = {name: tmp_path / page.name for name, page in pages.items()}
    for name, page in pages.items():
        text = page.read_text(encoding="utf-8").replace("| yes |", "| no |").replace("| required |", "| free |")
        stale[name].write_text(text, encoding="utf-8")
    monkeypatch.setattr(readme, "PAGES", stale)
    readme.main()
    for name, page in pages.items():
        assert stale[name].read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", readme.PAGES)
def test_a_table_without_its_place_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        readme.written(name, f"<!-- {name} -->\n")


def test_the_page_on_privacy_has_each_table_that_says_something_about_people() -> None:
    tables = [row.table for row in KEPT]
    assert len(tables) == len({*tables})
    assert {*tables} | IMPERSONAL == set(SQLModel.metadata.tables)
    assert not {*tables} & IMPERSONAL


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_documented(name: str) -> None:
    described = Settings.model_fields[name].description
    assert described
    page = readme.PAGES["settings"].read_text(encoding="utf-8")
    assert re.search(rf"^\| `{name.upper()}` \| \S.* \| {re.escape(described)} \|$", page, re.MULTILINE)


def test_each_make_target_and_variable_in_the_docs_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"\$\(([A-Z_]+)\)", makefile))
    named = set(re.findall(r"\bmake ([a-z-]+)", CODE))
    given = {one for words in re.findall(r"\bmake [a-z-]+((?: [A-Z_]+=\S+)+)", CODE) for one in words.split()}
    assert {"demo", "demo-reset", "test", "setup", "check", "schema"} <= named <= targets
    assert {"PORT", "DATA", "SECONDS", "DRILLS"} <= {one.partition("=")[0] for one in given} <= variables


def test_each_command_and_option_in_the_docs_exists() -> None:
    commands = typer.main.get_command(cli.main).commands  # type: ignore[attr-defined]  # of a group
    named = re.findall(r"\blogbook ([a-z-]+)((?: --[a-z]+ \S+)*)", CODE)
    assert {"serve", "worker", "migrate", "create-admin", "schema"} <= {name for name, _ in named} <= set(commands)
    for name, options in named:
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z]+", options)) <= known


def test_the_readme_names_the_accounts_of_the_demo() -> None:
    assert set(re.findall(r"`(\w+@demo\.example)`", README)) == {email for email, _ in seed.ACCOUNTS}
    assert f"the password `{seed.DEMO_PASSWORD}`" in README


def test_the_docs_name_each_code_of_a_user_error() -> None:
    assert {f"`{code}`" for code in Code} <= set(re.findall(r"`[A-Z_]+`", API))


async def test_the_requests_in_the_docs_create_a_token_and_read_with_it(hub: Hub) -> None:
    await hub.person(Role.DIRECTORY, email="directory@demo.example")
    ann = await hub.mediator(name="Demo Ann")
    await put_cases(hub, ann, {"minutes": 90})
    sign_in, create_token, read = REQUESTS
    sign_in["variables"]["input"]["password"] = PASSWORD
    signed_in = await hub.client.post("/graphql", json=sign_in)
    assert signed_in.json()["data"]["signIn"] == {"signedIn": True, "userErrors": []}
    made = (await hub.client.post("/graphql", json=create_token)).json()["data"]["createApiToken"]
    assert made["userErrors"] == []
    hub.client.cookies.clear()
    found = await hub.ask(read["query"], read["variables"], token=made["token"])
    hours = {"minutes": 90, "cases": 1, "byYear": [{"year": 2024, "minutes": 90}]}
    assert found.data["mediators"]["nodes"] == [{"name": "Demo Ann", "experience": hours}]


@asynccontextmanager
async def served(hub: Hub) -> AsyncIterator[str]:
    """Serve the hub on a port of the loopback."""
    server = uvicorn.Server(uvicorn.Config(hub.app, lifespan="off", ws="none", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve([listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


async def run_example(*arguments: str) -> tuple[int | None, str, str]:
    """Run the example as its own program; return its status, what it printed, and its errors."""
    command = (sys.executable, str(ROOT / "examples" / "verified_hours.py"), *arguments)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    printed, errors = await process.communicate()
    return process.returncode, printed.decode(), errors.decode()


async def test_the_example_prints_verified_hours_of_every_mediator_a_directory_can_find(hub: Hub) -> None:
    finder = await hub.person(Role.DIRECTORY)
    seen = [await hub.mediator(name=f"Mediator {number:02}") for number in range(53)]
    hidden = await hub.mediator(name="Hidden", visibility=Visibility.PRIVATE)
    await put_cases(hub, seen[52], {"minutes": 90}, {"minutes": 60, "role": "OBSERVER"}, {"simulated": True})
    await put_cases(hub, hidden, {"minutes": 90})
    token = await put_token(hub, finder)
    async with served(hub) as address:
        everybody = await run_example(address, token)
        found = await run_example(address, token, "mediator 07")
    none = [f"{mediator.name}: 0.0 hours" for mediator in seen[:52]]
    some = ["Mediator 52: 1.5 hours", "  LEAD_MEDIATOR: 1.5"]  # not the hours as observer
    assert everybody == (0, "\n".join([*none, *some, ""]), "")
    assert found == (0, "Mediator 07: 0.0 hours\n", "")


async def test_the_example_ends_with_one_line_if_it_cannot_read(hub: Hub) -> None:
    async with served(hub) as address:
        refused = await run_example(address, "no-token")
        elsewhere = await run_example(f"{address}/static", "no-token")
    gone = await run_example(address, "no-token")
    assert refused[0] == elsewhere[0] == gone[0] == 1
    assert refused[1:] == (
        "",
        "UNAUTHENTICATED: Your session or token isn't valid or has ended. Please sign in again.\n",
    )
    assert elsewhere[2].endswith("answered with status 405, which is no GraphQL\n")
    assert gone[2].startswith(f"{address} cannot be reached: ")
    assert (await run_example())[2].startswith("Usage: ")
