"""Finds text that people see and that doesn't go through the catalogue, in templates and in Python."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser

from jinja2 import Environment, nodes

import i18n

ATTRIBUTES = {"alt", "aria-description", "aria-label", "label", "placeholder", "title"}
# Ours: what the stylesheet shows, and what the script adds.
ATTRIBUTES |= {"data-busy", "data-copied", "data-label", "data-told"}
CATALOGUED = {"_", "gettext", "ngettext", "lazy_gettext"}

# Text for programs, or for people who run the service: SQL, patterns, operations, metrics, faults of ours.
NOT_FOR_READERS = {
    *("text", "compile", "literal_column", "query", "mutate", "send", "TypeVar", "Counter", "Gauge", "Histogram"),
    *(
        "CheckConstraint",
        "ValueError",
        "LookupError",
        "TypeError",
        "RuntimeError",
        "PolicyError",
        "SettingsError",
        "StartError",
        "ExportError",
    ),
    *("debug", "info", "warning", "error", "exception"),
}
KEYWORDS_NOT_FOR_READERS = {"description", "deprecation_reason", "help"}

_LETTER = re.compile(r"[^\W\d_]")
_SENTENCE = re.compile(r"[^\W\d_]{2,}[,.:;!?]? [^\W\d_]+|^[A-Z][a-z]+[.!?]$")
# Headers, markup, addresses with a query; SQL.
_FOR_PROGRAMS = re.compile(r"=|\b[A-Z][a-z]+-[A-Z][a-z]+|\b(?:SELECT|SAVEPOINT|BETWEEN)\b")
_MARKUP = re.compile(r"</?[a-z]+[ >]")
_UNCLOSED = re.compile(r"<[^>]*$")
_ATTRIBUTE = re.compile(r'[\w-]+="[^"]*"')  # in a macro that writes the attributes of a tag
_WORD = re.compile(r"[A-Z][a-z]{2,}$")

_environment = Environment(autoescape=True)
i18n.install(_environment)


def in_template(source: str, *, html: bool = True) -> list[str]:
    """Return each text that a template shows to readers as it is, and each text in an expression."""
    literal = "".join(_data(source))
    seen = _Visible(literal).texts if html else literal.split("\n")
    found = [" ".join(text.split()) for text in seen if _LETTER.search(text)]
    return [*found, *_constants(_environment.parse(source))]


def _data(source: str) -> Iterator[str]:
    """Return what is outside tags and outside `{% trans %}`."""
    previous, translated = "", False
    for _line, kind, value in _environment.lex(source):
        if kind == "whitespace":
            continue
        if previous == "block_begin" and value in {"trans", "endtrans"}:
            translated = value == "trans"
        if kind == "data" and not translated:
            yield value
        previous = kind


class _Visible(HTMLParser):
    """The texts in a document that readers see, in elements and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in {"script", "style", "code"}
        shown = ATTRIBUTES | ({"value"} if dict(attrs).get("type") in {"submit", "button", "reset"} else set())
        self.texts += [value or "" for name, value in attrs if name in shown]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style", "code"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.texts.append(_ATTRIBUTE.sub("", data))


def _constants(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in CATALOGUED:
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and _is_prose(node.value, words=True):
        yield node.value
    for child in node.iter_child_nodes():
        yield from _constants(child)


def in_python(source: str, *, words: bool) -> list[str]:
    """Return each sentence for readers in a module; `words`: also capitalised single words, such as labels."""
    return list(_strings(ast.parse(source), words))


def not_literal(source: str) -> list[str]:
    """Return each message that's put together before it's looked up, so that no catalogue can have it."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and _name(node.func) in CATALOGUED
        and not all(_is_text(one) for one in node.args[: 2 if _name(node.func) == "ngettext" else 1])
    ]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _strings(node: ast.AST, words: bool) -> Iterator[str]:
    if isinstance(node, ast.Call) and _name(node.func) in CATALOGUED | NOT_FOR_READERS:
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.keyword) and node.arg in KEYWORDS_NOT_FOR_READERS:
        return
    whole = None
    if isinstance(node, ast.JoinedStr):
        whole = "".join(str(one.value) if isinstance(one, ast.Constant) else "1" for one in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        whole = node.value
    if whole is not None:
        if _MARKUP.search(whole):
            yield from (
                " ".join(text.split()) for text in _Visible(_UNCLOSED.sub("", whole)).texts if _LETTER.search(text)
            )
        elif _is_prose(whole, words):
            yield whole
        return
    annotations = {id(getattr(node, name, None)) for name in ("annotation", "returns")}
    for child in ast.iter_child_nodes(node):
        if id(child) not in annotations:
            yield from _strings(child, words)


def _is_prose(text: str, words: bool) -> bool:
    if _FOR_PROGRAMS.search(text):
        return False
    return bool(_SENTENCE.search(text) or (words and _WORD.match(text)))
