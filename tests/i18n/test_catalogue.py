"""The catalogue has every text that people see, and values in a message are never read as messages."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from gettext import NullTranslations
from pathlib import Path
from typing import get_type_hints

import pytest
from jinja2 import Environment

import i18n
from i18n import gettext, lazy_gettext, ngettext
from jobs.mail import MAILS
from models.cpd import CPD_FIELDS
from models.logbook import LOGBOOK_FIELDS
from tests.i18n import finding
from tests.jobs.test_mail_render import SETTINGS, Document, example

ROOT = Path(__file__).parents[2]
LAYERS = ("models", "permissions", "jobs", "resolvers", "web")
# In these, single words are labels; elsewhere, they're names of types.
WITH_LABELS = ("web/pages/", "web/rendering.py", "web/labels.py")
# For people who run or show the service.
FOR_OPERATORS = {
    *("jobs/audit_check.py", "models/catalog.py", "models/make_migration.py", "models/migrate.py"),
    *("models/migration_steps.py", "permissions/policy.py", "web/archive.py", "web/logs.py", "web/metrics.py"),
    "web/preflight.py",
    "web/templates/graphiql_missing.html",
}
# Headings and words that an import knows, in any language that people keep their files in.
SYNONYMS = {field.headings for field in (*LOGBOOK_FIELDS, *CPD_FIELDS)} | {
    word.also for field in (*LOGBOOK_FIELDS, *CPD_FIELDS) for word in field.words or ()
}
NO_TEXT = {
    "models/fields.py": {"SET NULL"},  # what becomes of a reference
    "models/folding.py": {"LATIN SMALL LETTER ([A-Z]) WITH .+"},  # Unicode's names of characters
    "permissions/secrets.py": {"key id"},  # what a key is used for
    "resolvers/totp.py": {"second factor"},  # the purpose that a secret is sealed for
    "web/graphiql.py": {"{ me { name email } }"},  # a document
}


def sources() -> Iterator[tuple[str, Path]]:
    """What may contain text for readers, by name: modules and templates."""
    for layer in LAYERS:
        for path in (ROOT / layer).rglob("*"):
            name = str(path.relative_to(ROOT))
            is_source = path.suffix == ".py" and not {"versions", "npm"} & {*path.parts}
            if path.is_file() and (is_source or "templates" in path.parts) and name not in FOR_OPERATORS:
                yield name, path


def outside(name: str, path: Path) -> list[str]:
    """The text in a source that bypasses the catalogue."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return finding.in_template(source, html=path.suffix == ".html")
    found = finding.in_python(source, words=name.startswith(WITH_LABELS))
    return [text for text in found if text not in NO_TEXT.get(name, set()) | SYNONYMS]


def test_every_text_that_people_see_is_in_the_catalogue() -> None:
    found = {name: texts for name, path in sources() if (texts := outside(name, path))}
    assert found == {}


def test_every_message_is_a_literal() -> None:
    modules = [*ROOT.glob("*.py"), *(path for _, path in sources() if path.suffix == ".py")]
    assert [text for path in modules for text in finding.not_literal(path.read_text(encoding="utf-8"))] == []


def test_the_catalogue_template_matches_the_source(tmp_path: Path) -> None:
    recipe = re.search(r"^\t\$\(BIN\)/pybabel (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    command = recipe[1].split()
    place = command.index("-o") + 1
    committed, command[place] = ROOT / command[place], str(tmp_path / "messages.pot")
    subprocess.run([Path(sys.executable).parent / "pybabel", *command], cwd=ROOT, check=True)
    assert Path(command[place]).read_text() == committed.read_text(), "run `make messages`"


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ("<p>{{ name }} left it</p>", ["left it"]),
        ("<title>Home</title>", ["Home"]),
        ('<img alt="A table">', ["A table"]),
        ('<a title="{{ a }} of {{ b }}" href="https://demo.example">{{ c }}</a>', ["of"]),
        ('<input type="submit" value="Save">', ["Save"]),
        ('<input aria-label="{{ a }}" placeholder="Name">', ["Name"]),
        ("{% if a %}Yes{% else %}{% trans %}No{% endtrans %}{% endif %}", ["Yes"]),
        ("{%- trans -%}Hello{%- endtrans -%} there", ["there"]),
        ('{{ action(link, "Set a password") }}', ["Set a password"]),
        ('{% set title = "Home" %}', ["Home"]),
        ('{{ _("Home") if a else "Start" }}', ["Start"]),
        (
            "{% macro a(b) %}{% trans c=b %}{{ c }} day{% pluralize %}{{ c }} days{% endtrans %}{% endmacro %}",
            [],
        ),
        ('<script>const word = "Hello there";</script><style>p { color: red }</style><code>make demo</code>', []),
        ('<td data-label="Day">{{ a }}</td><button data-busy="{{ _("Saving") }}"></button>', ["Day"]),
        ('{% macro a() %} aria-invalid="true"{% endmacro %}', []),
        ('<p class="wide" id="top">&times; 5 &ndash; {{ a }}%</p>{# A word for us. #}', []),
        ('{% if role == "PARTY" %}{{ _("Party") }}{% endif %}<b title="{{ _("Party") }}"></b>', []),
    ],
)
def test_text_that_bypasses_the_catalogue_is_found_in_a_template(template: str, found: list[str]) -> None:
    assert finding.in_template(template) == found


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ('refuse("id", Code.NOT_FOUND, "There is no such entry.")', ["There is no such entry."]),
        ('check.add(field, code, f"At most {most} of them.")', ["At most 1 of them."]),
        ('LABELS = {"OTHER": "Other", "IN_PERSON": "In person"}', ["Other", "In person"]),
        ('def f() -> None:\n    """Do what it says."""\n    raise ValueError("no mail address")', []),
        ('refuse("id", Code.NOT_FOUND, _("There is no such entry."))', []),
        ('LABELS = {"OTHER": lazy_gettext("Other")}; reading.value(text("SELECT a FROM b"))', []),
        ('written = f"<td class=\\"a b\\"><a href=\\"{place}\\">Edit{one}</a></td>"', ["Edit1"]),
        ('written = f"<td>{text}</td>"; _("Edit<span> the entry</span>")', []),
        ('x: "Task[Some thing]" = field(description="What it is for."); headers = {"Content-Type": "a=b c"}', []),
    ],
)
def test_text_that_bypasses_the_catalogue_is_found_in_a_module(module: str, found: list[str]) -> None:
    assert finding.in_python(module, words=True) == found


@pytest.mark.parametrize("module", ['_(f"A {b}")', "gettext(name)", 'ngettext("a day", days, 2)', '_("a" + b)'])
def test_a_message_that_is_not_a_literal_is_found(module: str) -> None:
    assert finding.not_literal(module) == [ast.unparse(ast.parse(module))]


class Bracketed(NullTranslations):
    """A language in which every message is in brackets."""

    def gettext(self, message: str) -> str:
        return f"[{message}]"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"[{msgid1 if n == 1 else msgid2}]"


def without_brackets(text: str) -> str:
    """What is outside brackets, which may contain others."""
    while (less := re.sub(r"\[[^][]*\]", "", text)) != text:
        text = less
    return text


@pytest.mark.parametrize("kind", MAILS)
def test_no_text_in_a_mail_bypasses_the_catalogue(kind: str) -> None:
    optional = {name: None for name, of in get_type_hints(MAILS[kind].facts).items() if of == str | None}
    with i18n.using(Bracketed()):
        messages = [example(kind, "1"), example(kind, "1", shared=False, **optional)]
    for message in messages:
        for part in (message.subject, message.text, Document(message.html).text):
            assert "[" in part
            text = re.sub(r"https?://[^]\s]+", "", part.replace(SETTINGS.organisation_name, ""))
            assert not re.search(r"[^\W\d_]", without_brackets(text)), text


def test_a_language_ends_with_its_block() -> None:
    hello = lazy_gettext("Hello")
    with i18n.using(Bracketed()):
        assert (gettext("Hello"), str(hello), ngettext("%(num)s day", "%(num)s days", 1)) == (
            *("[Hello]", "[Hello]", "[1 day]"),
        )
    assert (gettext("Hello"), str(hello), ngettext("%(num)s day", "%(num)s days", 2)) == ("Hello", "Hello", "2 days")


def test_values_are_filled_in_and_never_read_as_messages() -> None:
    typed = "50% %(name)s {{ 7 * 7 }} <b>"
    assert gettext("Hello %(name)s, 100%%", name=typed) == f"Hello {typed}, 100%"
    assert lazy_gettext("Hello %(name)s") % {"name": typed} == f"Hello {typed}"
    assert ngettext("%(num)s of %(name)s", "%(num)s of %(name)s", 2, name=typed) == f"2 of {typed}"


@pytest.mark.parametrize(("escapes", "shown"), [(True, "50% %(name)s {{ 7 * 7 }} &lt;b&gt;"), (False, None)])
def test_values_in_templates_are_never_read_as_messages(escapes: bool, shown: str | None) -> None:
    typed = "50% %(name)s {{ 7 * 7 }} <b>"
    environment = Environment(autoescape=escapes)
    i18n.install(environment)
    templates = (
        "{% trans %}\n  Hello\n  {{ name }}, 100%\n{% endtrans %}",
        '{{ _("Hello %(name)s, 100%%", name=name) }}',
        '{{ ngettext("Hello %(name)s, 100%%", "no", 1, name=name) }}',
        "{% trans count=1 %}Hello {{ name }}, 100%{% pluralize %}no {{ count }}{% endtrans %}",
        "{% trans name=lazy % {'name': name} %}{{ name }}, 100%{% endtrans %}",
    )
    for template in templates:
        found = environment.from_string(template).render(name=typed, lazy=lazy_gettext("Hello %(name)s"))
        assert found == f"Hello {shown or typed}, 100%"
    alone = environment.from_string("{{ lazy }}").render(lazy=lazy_gettext("a & b"))
    assert alone == ("a &amp; b" if escapes else "a & b")


def test_days_and_numbers_are_always_written_the_same_way() -> None:
    assert [i18n.format_day(date(2026, month, 3)) for month in (3, 9)] == ["3 Mar 2026", "3 Sep 2026"]
    assert [i18n.number(number) for number in (7, 10_000)] == ["7", "10,000"]
