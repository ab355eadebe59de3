"""A mail is two templates and one declaration: nothing else between the outbox and the mailbox knows about it."""

from pathlib import Path

import pytest
from jinja2 import FileSystemLoader

from i18n import lazy_gettext
from jobs import mail
from jobs.mail import MAILS, recipients
from jobs.mail.declaration import Mail
from jobs.mail.facts import NamedFacts
from jobs.mail.render import templates
from jobs.outbox import enqueue
from models.account import Role
from tests.hub import Hub, text_of

TEXT = """{% extends "layout/body.txt" %}
{% block body %}
{% trans %}Hello {{ name }}, {{ organisation_name }} has a new address.{% endtrans %}
{% endblock %}
"""
HTML = """{% extends "layout/body.html" %}
{% block body %}
<p>{% trans %}Hello {{ name }}, {{ organisation_name }} has a new address.{% endtrans %}</p>
{{ linked(base_url) }}
{% endblock %}
"""


async def test_a_new_mail_only_needs_two_templates_and_one_declaration(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "we_moved"
    folder.mkdir()
    (folder / "body.txt").write_text(TEXT, encoding="utf-8")
    (folder / "body.html").write_text(HTML, encoding="utf-8")
    we_moved = Mail(
        "we_moved", subject=lazy_gettext("%(name)s, we've moved"), facts=NamedFacts, find=recipients.account
    )
    assert isinstance(templates.loader, FileSystemLoader)
    monkeypatch.setattr(templates.loader, "searchpath", [*templates.loader.searchpath, str(tmp_path)])
    monkeypatch.setitem(MAILS, we_moved.name, we_moved)

    person = await hub.person(Role.REVIEWER, name="Ada http://evil.example <b>Account</b>")
    async with hub.worker.transaction() as transaction:
        await enqueue(transaction, we_moved, person.id)
    await hub.work()
    got = hub.mail(person.email)
    assert got["subject"] == "Ada <b>Account</b>, we've moved"
    assert f"Hello Ada <b>Account</b>, {hub.settings.organisation_name} has a new address." in text_of(got)
    assert "Hello Ada &lt;b&gt;Account&lt;/b&gt;," in got["html"]


def test_each_mail_has_a_name_of_its_own() -> None:
    declared = [one for one in vars(mail).values() if isinstance(one, Mail)]
    declared += [*mail.ROLE_ADDED.values(), *mail.ROLE_REMOVED.values()]
    assert sorted(MAILS) == sorted(one.name for one in declared)
