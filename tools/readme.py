"""Writes the parts of the docs that come from the source: the tables of settings, permissions and what's kept.

`python -m tools.readme` writes them again between their markers, such as `<!-- settings -->` and `<!-- /settings -->`.
"""

from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from pydantic.fields import FieldInfo

from permissions.policy import SECTIONS, PolicyRow
from permissions.viewer import Standing
from settings import Settings
from tools.kept import KEPT

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {"settings": DOCS / "settings.md", "privacy": DOCS / "permissions.md", "kept": DOCS / "privacy.md"}


def main() -> None:
    """Write all tables again."""
    for name, page in PAGES.items():
        page.write_text(written(name, page.read_text(encoding="utf-8")), encoding="utf-8")


def written(name: str, page: str) -> str:
    """Give a page with its table as the source has it; ValueError if it has no place for one."""
    return placed(page, name, {"settings": _settings, "privacy": _privacy, "kept": _kept}[name]())


def placed(page: str, name: str, content: str) -> str:
    """Put a table into its place; ValueError if there's no place for it."""
    before, begins, rest = page.partition(f"<!-- {name} -->\n")
    _, ends, after = rest.partition(f"<!-- /{name} -->\n")
    if not ends:
        raise ValueError(f"no place for the table of {name}")
    return f"{before}{begins}\n{content}\n{ends}{after}"


def markdown_table(*rows: Iterable[str]) -> str:
    """Write a table; the first row is its head."""
    lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    lines.insert(1, " | ".join("---" for _ in rows[0]))
    return "".join(f"| {line} |\n" for line in lines)


def _settings() -> str:
    fields = sorted(Settings.model_fields.items(), key=lambda field: field[0] not in vars(Settings)["__annotations__"])
    return markdown_table(
        ("setting", "default", "what it is"),
        *((f"`{name.upper()}`", _default(field), field.description or "") for name, field in fields),
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default.value if isinstance(field.default, Enum) else field.default
    if value is None:
        return "not set"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _privacy() -> str:
    rows: list[list[str]] = [["what", *(str(standing.name) for standing in Standing)]]
    for section, in_section in SECTIONS.items():
        rows.append([f"**{section}**", *("" for _ in Standing)])
        rows += ([_what(row), *("yes" if one in row.standings else "" for one in Standing)] for row in in_section)
    return markdown_table(*rows)


def _kept() -> str:
    head = ("table", "what", "about whom", "who reads it", "how long")
    return markdown_table(head, *((f"`{one.table}`", one.what, one.whose, one.readers, one.how_long) for one in KEPT))


def _what(row: PolicyRow) -> str:
    return row.what if row.tokens else f"{row.what} (not by API token)"


if __name__ == "__main__":
    main()
