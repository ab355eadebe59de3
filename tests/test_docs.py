"""The docs hold together: links and anchors lead somewhere, paths exist, drawings can be drawn, pictures are small."""

import re
from collections import Counter
from pathlib import Path
from textwrap import dedent, indent

import pytest

ROOT = Path(__file__).parents[1]
# Without `rglob`: the packages of npm and pip have thousands of pages of their own.
ROOMS = ("*.md", "docs/**/*.md", ".github/**/*.md", "[a-z]*/README.md", "[a-z]*/[a-z]*/README.md")
PAGES = sorted({path.relative_to(ROOT).as_posix() for pattern in ROOMS for path in ROOT.glob(pattern)})
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in PAGES}
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(\s*([^)\s]+)\s*\)")
WORD = re.compile(r"[\w.*/:-]*\w[\w.*/:-]*")
FILE = re.compile(r"[\w-]+\.(?:py|toml|txt|yaml|md)")
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()} - {".venv", ".demo", "build"}
DRAWINGS = [(name, block) for name, text in TEXTS.items() for kind, block in BLOCK.findall(text) if kind == "mermaid"]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE):
        plain = LINK.sub(lambda link: link[0][1 : link[0].index("]")], heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def links(text: str) -> list[str]:
    """Where a page's links and pictures lead inside this repository."""
    prose = re.sub(r"`[^`\n]*`", "", BLOCK.sub("", text))
    return [target for target in LINK.findall(prose) if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_and_anchor_leads_somewhere(name: str) -> None:
    for target in links(TEXTS[name]):
        path, _, anchor = target.partition("#")
        found = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert found.is_relative_to(ROOT), target
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found.read_text(encoding="utf-8")), target


def paths(text: str) -> list[str]:
    """What the code in a page names: paths in this repository's folders, and files at the top or next to the page."""
    text = LINK.sub("", text)
    code = [*(block for _, block in BLOCK.findall(text)), *re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))]
    words = [word.rstrip(".:") for word in WORD.findall("\n".join(code))]
    return [word for word in words if (word.partition("/")[0] in FOLDERS and ":" not in word) or FILE.fullmatch(word)]


@pytest.mark.parametrize("name", PAGES)
def test_every_path_named_in_the_docs_exists(name: str) -> None:
    for path in paths(TEXTS[name]):
        assert any(list(base.glob(path.rstrip("/"))) for base in (ROOT, (ROOT / name).parent)), path


def test_each_page_of_the_docs_can_be_reached_from_the_readme() -> None:
    reached, new = set[str](), {"README.md"}
    while new:
        reached |= new
        led = {((ROOT / name).parent / link.partition("#")[0]).resolve() for name in new for link in links(TEXTS[name])}
        new = {name for name in PAGES if ROOT / name in led} - reached
    assert {name for name in PAGES if name.startswith("docs/")} <= reached


def test_the_table_of_permissions_is_one_click_from_the_readme() -> None:
    assert "docs/permissions.md" in links(TEXTS["README.md"])


def test_pictures_are_small_and_shown() -> None:
    shown = {
        ((ROOT / name).parent / link).resolve()
        for name, text in TEXTS.items()
        for link in links(text)
        if "#" not in link
    }
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size < 150_000, picture.name
        assert picture in shown, picture.name


NODE = r"(\w+)"
BOX = re.compile(rf'^{NODE}(?:\(\[".+"\]\)|\[\(".+"\)\]|\[".+"\])$')
EDGE = re.compile(rf"^{NODE} (?:-- .+ -->|-->|-\. .+ \.->) {NODE}$")
SAID = re.compile(rf"^{NODE}(?:->>|-->>|--\)){NODE}: .+$")
NAMED = re.compile(rf"^(?:actor|participant) {NODE} as .+$")
BLOCKS = re.compile(r'^(?:subgraph \w+\[".+"\]|opt .+|alt .+|loop .+)$')


@pytest.mark.parametrize(("name", "drawing"), DRAWINGS)
def test_mermaid_can_draw_each_drawing(name: str, drawing: str) -> None:
    head, *lines = [line.strip() for line in drawing.splitlines() if line.strip()]
    assert head in {"flowchart TB", "flowchart LR", "sequenceDiagram"}, name
    named, used, depth = set(), set(), 0
    for line in lines:
        if begins := (NAMED if head == "sequenceDiagram" else BOX).match(line):
            named.add(begins[1])
        elif joins := (SAID if head == "sequenceDiagram" else EDGE).match(line):
            used |= {joins[1], joins[2]}
        elif note := re.match(r"^Note (?:over|left of|right of) (\w+): .+$", line):
            used.add(note[1])
        elif BLOCKS.match(line):
            depth += 1
        elif line == "end":
            depth -= 1
        else:
            assert line == "autonumber", line
    assert depth == 0
    assert used <= named


def test_the_table_of_folders_has_each_folder_at_the_top() -> None:
    rooms = re.findall(r"^\| `([^`/]+)/?`", TEXTS["docs/architecture.md"], re.MULTILINE)
    folders = {name for name in FOLDERS if not re.match(r"[._]|.*\.egg-info$", name)}
    assert set(rooms) == folders | {path.name for path in ROOT.glob("*.py")}


def test_there_are_drawings_of_the_context_and_of_a_request() -> None:
    assert [block.split()[0] for name, block in DRAWINGS if name == "docs/architecture.md"] == [
        "flowchart",
        "sequenceDiagram",
    ]


def test_the_declaration_that_the_docs_show_is_the_one_in_the_source() -> None:
    (shown,) = (block for kind, block in BLOCK.findall(TEXTS["docs/adding.md"]) if kind == "python")
    assert indent(dedent(shown), " " * 4) in (ROOT / "models/logbook.py").read_text(encoding="utf-8")
