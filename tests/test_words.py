"""One word for one thing: nothing that people read contains a word that docs/glossary.md says not to use."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from graphql import Node, StringValueNode, Visitor, parse, visit

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
HEADING = "## Say, don't say"
MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
# Code isn't prose: identifiers, addresses and the names of tests have words of their own.
NOT_PROSE = {
    ".md": re.compile(r"^ *```.*?^ *```|`[^`\n]*`|(?<=\])\([^)\s]*\)|<!--.*?-->", re.DOTALL | re.MULTILINE),
    ".html": re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", re.DOTALL),
    ".txt": re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL),
}


def pattern(words: str) -> re.Pattern[str]:
    """What these words look like in a text: with any number for a number, any month for May, and across line ends."""
    parts = [re.sub("[0-9]+", "[0-9]+", re.escape(word)) for word in words.split()]
    whole = r"\s+".join(MONTH if part == "May" else part for part in parts)
    return re.compile(rf"\b{whole}\b", re.IGNORECASE)


def rules(glossary: str) -> list[tuple[str, re.Pattern[str]]]:
    """The glossary's table: what to say, and each of the words it's for."""
    rows = re.findall(r"^\| (.+) \| (.+) \|$", glossary.partition(HEADING)[2], re.MULTILINE)[2:]
    return [(say, pattern(words)) for say, unsaid in rows for words in unsaid.split(";")]


RULES = rules(GLOSSARY.read_text(encoding="utf-8"))


def found(text: str) -> list[str]:
    """Each word in a text that the product doesn't use, and what to say instead."""
    return [f"{match[0]!r}: say {say}" for say, words in RULES for match in words.finditer(text)]


def catalogue() -> str:
    """Each text of the catalogue."""
    with (ROOT / "i18n" / "locale" / "messages.pot").open("rb") as file:
        ids = [message.id for message in read_po(file)]
    return "\n\n".join(text for each in ids for text in ([each] if isinstance(each, str) else each))


def descriptions() -> str:
    """Each description of the schema."""
    texts: list[str] = []

    class Descriptions(Visitor):
        def enter(self, node: Node, *_: object) -> None:
            if isinstance(text := getattr(node, "description", None), StringValueNode):
                texts.append(text.value)

    visit(parse((ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8")), Descriptions())
    return NOT_PROSE[".md"].sub(" ", "\n\n".join(texts))


def prose(path: Path) -> str:
    """What people read in a page, a mail or a document, without the glossary's table, which has the words we avoid."""
    text = path.read_text(encoding="utf-8")
    return NOT_PROSE[path.suffix].sub(" ", text.partition(HEADING)[0] if path == GLOSSARY else text)


FILES = sorted(
    path
    for folder in ("*.md", "docs/**/*.md", "web/templates/**/*.html", "jobs/mail/templates/**/body.*")
    for path in ROOT.glob(folder)
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_pages_mails_and_docs_use_the_words_of_the_glossary(path: Path) -> None:
    assert found(prose(path)) == []


def test_the_catalogue_uses_the_words_of_the_glossary() -> None:
    assert found(catalogue()) == []


def test_the_descriptions_of_the_schema_use_the_words_of_the_glossary() -> None:
    assert found(descriptions()) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Please log in first.", "log in"),
        ("Then it is sent\nANEW.", "ANEW"),
        ("You can throw\n  it away.", "throw\n  it away"),
        ("Until December 3, 2027.", "December 3, 2027"),
        ("On the 2nd of it, or 22nd March", "22nd March"),
    ],
)
def test_a_planted_word_is_found(text: str, word: str) -> None:
    assert any(repr(word) in line for line in found(text))


@pytest.mark.parametrize("text", ["A blog in English", "amendment", "31 May 2026", "the 99th percentile", "a logbook"])
def test_words_that_only_look_like_one_are_not_found(text: str) -> None:
    assert found(text) == []


def test_every_searched_text_contains_words() -> None:
    assert len(FILES) > 100
    assert "Sign in" in catalogue()
    assert "Feedback Digest" in descriptions()
    assert "Send the request" in catalogue()
    assert "Please confirm that this is your email address." in " ".join(
        prose(ROOT / "jobs" / "mail" / "templates" / "verify_email" / "body.txt").split()
    )
    assert "An online logbook for mediators" in prose(ROOT / "README.md")
