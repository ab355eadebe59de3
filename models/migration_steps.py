"""The steps of a generated migration that Alembic doesn't see, in an order in which they can be done and undone."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import CheckConstraint, MetaData

from models.catalog import Catalog, CatalogObject, ObjectKey, changed

_REPLACED = {"default", "function"}  # the statement that makes one also replaces it
_IN_A_TABLE = {"check", "default", "index"}  # made and dropped with their table, by Alembic's steps


class Sql(ops.MigrateOperation):
    """An SQL statement, written so that a person can read it."""

    def __init__(self, statement: str) -> None:
        self.statement = statement


@renderers.dispatch_for(Sql)
def _render(_context: AutogenContext, step: Sql) -> str:
    if '"""' in step.statement or "\\" in step.statement:
        return f"op.execute({step.statement!r})"
    if "\n" in step.statement or '"' in step.statement or len(step.statement) > 100:
        return f'op.execute("""\n{step.statement}\n""")'
    return f'op.execute("{step.statement}")'


@dataclass
class _Seen:
    """What Alembic's own steps cover."""

    tables: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)

    def covers(self, kind: str, name: str, thing: CatalogObject) -> bool:
        """Whether Alembic's steps make or drop this one too."""
        return (
            (kind in _IN_A_TABLE and thing.table in self.tables)
            or (kind == "default" and name in self.columns)
            or (kind == "index" and name in self.indexes)
        )


def complete(script: ops.MigrationScript, had: Catalog, wanted: Catalog, metadata: MetaData) -> None:
    """Add around Alembic's steps what turns the rest of `had` into `wanted`, and back."""
    if script.upgrade_ops is None or script.downgrade_ops is None:
        return
    upgrade, downgrade = script.upgrade_ops, script.downgrade_ops
    seen = _Seen()
    for step in _flat(upgrade.ops):
        _note(seen, step)
    upgrade.reverse_into(downgrade)  # again, because constraints have their names now
    dropped, functions, removed, made = _steps(had, wanted, seen, _checks(metadata))
    upgrade.ops[:] = [*dropped, *upgrade.ops, *functions, *made, *removed]
    dropped, functions, removed, made = _steps(wanted, had, seen, None)
    # A function must be replaced before what it reads is dropped.
    downgrade.ops[:] = [*dropped, *functions, *removed, *downgrade.ops, *made]


def _flat(steps: list[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    for step in steps:
        if isinstance(step, ops.OpContainer):
            yield from _flat(step.ops)
        else:
            yield step


def _note(seen: _Seen, step: ops.MigrateOperation) -> None:
    """Note what a step covers; name a constraint as PostgreSQL would, so that it can be dropped."""
    match step:
        case ops.CreateTableOp() | ops.DropTableOp():
            seen.tables.add(step.table_name)
        case ops.AddColumnOp():
            seen.columns.add(f"{step.table_name}.{step.column.name}")
        case ops.DropColumnOp():
            seen.columns.add(f"{step.table_name}.{step.column_name}")
        case ops.CreateIndexOp() | ops.DropIndexOp():
            seen.indexes.add(str(step.index_name))
        case ops.CreateUniqueConstraintOp() if step.constraint_name is None:
            columns = [getattr(column, "name", column) for column in step.columns]
            step.constraint_name = "_".join([step.table_name, *map(str, columns), "key"])
        case ops.CreateForeignKeyOp() if step.constraint_name is None:
            step.constraint_name = "_".join([step.source_table, *step.local_cols, "fkey"])


def _checks(metadata: MetaData) -> dict[ObjectKey, str]:
    """Give the statements of the models' checks, written as a person would."""
    return {
        ("check", f"{table.name}.{check.name}"): f"ALTER TABLE {table.name} ADD CONSTRAINT {check.name} "
        f"CHECK ({check.sqltext})"
        for table in metadata.tables.values()
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }


def _steps(old: Catalog, new: Catalog, seen: _Seen, checks: dict[ObjectKey, str] | None) -> tuple[list[Sql], ...]:
    """Give the steps that drop the old, make the functions, drop functions, and make the rest.

    Without `checks` it's the way back. Rows that a check forbids again may exist by then; they stay (NOT VALID).
    """
    keys = {key for key in changed(old, new) if not seen.covers(*key, old.get(key) or new[key])}
    dropped, functions, removed, made = list[Sql](), list[Sql](), list[Sql](), list[Sql]()
    for kind, name in reversed(old):
        key, thing = (kind, name), old[kind, name]
        if key not in keys or not thing.dropped or (key in new and kind in _REPLACED):
            continue
        if kind == "function":
            removed.append(Sql(thing.dropped))
        elif kind != "closed function" or ("function", name) in new:
            dropped.append(Sql(thing.dropped))
    for kind, name in new:
        key, thing = (kind, name), new[kind, name]
        if key not in keys or not thing.dropped:
            continue
        statement = thing.made
        if kind == "check":
            statement = f"{statement} NOT VALID" if checks is None else checks.get(key, statement)
        (functions if kind in {"function", "closed function"} else made).append(Sql(statement))
    return dropped, functions, removed, made


def contractions(upgrade: ops.UpgradeOps) -> list[str]:
    """Say where the previous version would fail while it's still running on the new schema."""
    return [
        f"It doesn't only expand, so it has to wait for a later release: {said}"
        for step in _flat(upgrade.ops)
        for said in _contractions(step)
    ]


def _contractions(step: ops.MigrateOperation) -> Iterator[str]:
    match step:
        case ops.DropTableOp():
            yield f"{step.table_name} is dropped"
        case ops.DropColumnOp():
            yield f"{step.table_name}.{step.column_name} is dropped"
        case ops.AddColumnOp() if not step.column.nullable and step.column.server_default is None:
            yield f"{step.table_name}.{step.column.name} is required and has no default"
        case ops.AlterColumnOp():
            if step.modify_type is not None:
                yield f"{step.table_name}.{step.column_name} has another type"
            if step.modify_nullable is False:
                yield f"{step.table_name}.{step.column_name} becomes required"
        case Sql() if step.statement.endswith(" DROP DEFAULT"):
            yield f"a column loses its default ({step.statement})"
