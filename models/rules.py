"""The rules that the database itself enforces (`rules.sql`), and how they're put into a database."""

import re
from pathlib import Path

from sqlalchemy import AdaptedConnection, Connection, MetaData

RULES = Path(__file__).with_name("rules.sql").read_text()


def parts(rules: str) -> tuple[str, str, str, str]:
    """Split the rules into the clock, the functions, the policies, and the rights of a role."""
    _, clock, functions, policies, rights = re.split(r"(?m)^(?=-- Part \d)", rules)
    return clock, functions, policies, rights


def create(connection: Connection, metadata: MetaData, rules: str = RULES, worker: str = "CURRENT_USER") -> None:
    """Make all tables of `metadata` and the rules, in a database that has neither.

    `worker` is the role that the policies for the worker name, quoted for SQL.
    """
    clock, functions, policies, _ = parts(rules)
    _run(connection, clock)
    metadata.create_all(connection)
    _run(connection, functions)
    _run(connection, policies.replace(':"worker"', worker))


def give_rights(connection: Connection, role: str, rules: str = RULES) -> None:
    """Give a role, quoted for SQL, the rights that the rules name, in a database that migrations have made."""
    *_, rights = parts(rules)
    _run(connection, rights.replace(':"role"', role))


def _run(connection: Connection, script: str) -> None:
    """Run several statements at once. SQLAlchemy's own `execute` can't do that with asyncpg."""
    connection.exec_driver_sql("SELECT")  # the driver begins its transaction with its first statement
    driver = connection.connection.dbapi_connection
    if not isinstance(driver, AdaptedConnection):
        raise TypeError("The rules are put in by asyncpg, through SQLAlchemy's asynchronous engine")
    driver.run_async(lambda raw: raw.execute(script))
