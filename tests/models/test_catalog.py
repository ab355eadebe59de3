import pytest
from sqlalchemy import Connection

from demo.embedded import Services
from models import catalog
from tests.hub import settings_for
from tests.models.test_migrations import in_database

Said = list[str]


@pytest.mark.parametrize(
    ("statement", "differ"),
    [
        ("CREATE TABLE award (id int)", ["relation award", "column award.id"]),
        ("CREATE VIEW names AS SELECT name FROM account", ["relation names", "column names.name"]),
        ("CREATE SEQUENCE numbers", ["relation numbers"]),
        ("CREATE TYPE colour AS ENUM ('RED')", ["type colour"]),
        ("CREATE DOMAIN year AS int CHECK (value > 1900)", ["type year"]),
        ("ALTER TABLE mediator ADD story text", ["column mediator.story"]),
        ("ALTER TABLE mediator ALTER about TYPE varchar(9)", ["column mediator.about"]),
        ("ALTER TABLE mediator ALTER about SET DEFAULT ''", ["default mediator.about"]),
        ("ALTER TABLE mediator ADD CHECK (about <> '')", ["check mediator.mediator_about_check"]),
        ("ALTER TABLE mediator ADD UNIQUE (about)", ["constraint mediator.mediator_about_key"]),
        (
            "ALTER TABLE mediator ALTER about SET NOT NULL",
            ["column mediator.about", "constraint mediator.mediator_about_not_null"],
        ),
        ("CREATE INDEX mine ON mediator (about)", ["index mine"]),
        ("CREATE STATISTICS mine ON id, about FROM mediator", ["statistics mine"]),
        ("CREATE OR REPLACE FUNCTION viewer() RETURNS uuid STABLE RETURN NULL::uuid", ["function viewer()"]),
        ("ALTER FUNCTION viewer() VOLATILE", ["function viewer()"]),
        ("ALTER FUNCTION viewer() SECURITY DEFINER", ["function viewer()"]),
        (
            "REVOKE EXECUTE ON FUNCTION viewer() FROM PUBLIC",
            ["closed function viewer()", "rights PUBLIC on viewer()"],
        ),
        ("ALTER POLICY readable ON feedback USING (true)", ["policy feedback.readable"]),
        ("ALTER POLICY work_mails ON feedback TO PUBLIC", ["policy feedback.work_mails"]),
        ("DROP POLICY given ON feedback_origin", ["policy feedback_origin.given"]),
        ("ALTER TABLE feedback DISABLE ROW LEVEL SECURITY", ["row security feedback"]),
        ("ALTER TABLE feedback FORCE ROW LEVEL SECURITY", ["forced row security feedback"]),
        (
            "CREATE TRIGGER mine BEFORE UPDATE ON account EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            ["trigger account.mine"],
        ),
        ("CREATE RULE mine AS ON DELETE TO account DO INSTEAD NOTHING", ["rule account.mine"]),
        ("GRANT UPDATE ON audit_entry TO logbook_app", ["rights logbook_app on audit_entry"]),
        ("GRANT UPDATE (actor_id) ON audit_entry TO logbook_app", ["rights logbook_app on audit_entry.actor_id"]),
        ("REVOKE USAGE ON SCHEMA public FROM PUBLIC", ["rights PUBLIC on the schema"]),
        (
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO logbook_app",
            ["rights logbook_app on what logbook_owner makes, of kind r"],
        ),
    ],
)
async def test_every_change_to_a_database_shows_as_a_difference(
    services: Services, statement: str, differ: Said
) -> None:
    def change(connection: Connection) -> tuple[Said, Said]:
        before = catalog.read_catalog(connection)
        with connection.begin_nested() as change:
            connection.exec_driver_sql(statement)
            after = catalog.read_catalog(connection)
            change.rollback()
        return catalog.differences(before, after), catalog.differences(before, catalog.read_catalog(connection))

    said, afterwards = await in_database(settings_for(services), change)
    assert {line.partition(": ")[0] for line in said} == set(differ)
    assert afterwards == []
