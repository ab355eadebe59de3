"""The second wall: rules in the database itself about who reaches a private row.

They say once more what `permissions/scopes.py` says. A policy's sub-selects without a column are worked out once for
each statement, not for each row; its other conditions are on columns that the row holds.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

# In order: a function stands below those that it calls. Bodies in SQL are read here and now, so that no search path can
# turn a name in them into another's. What `ask` was not told reads as null, none and no.
FUNCTIONS = {
    # True, always: it is asked for what it does. STABLE, so that a statement can begin with it (`models/wall.py`).
    # Settings must not change while there are parallel workers, hence PARALLEL UNSAFE.
    "ask": """(viewer uuid, standings int, by_token boolean, link bytea, at_work boolean) RETURNS boolean
        LANGUAGE plpgsql STABLE PARALLEL UNSAFE AS $$
        BEGIN
            RETURN (
                pg_catalog.set_config('logbook.viewer', coalesce(viewer::text, ''), true),
                pg_catalog.set_config('logbook.standings', standings::text, true),
                pg_catalog.set_config('logbook.by_token', by_token::text, true),
                pg_catalog.set_config('logbook.link', coalesce(pg_catalog.encode(link, 'hex'), ''), true),
                pg_catalog.set_config('logbook.at_work', at_work::text, true)
            ) IS NOT NULL;
        END
        $$""",
    "viewer": """() RETURNS uuid STABLE PARALLEL SAFE
        RETURN nullif(current_setting('logbook.viewer', true), '')::uuid""",
    # The bits are those of `permissions.viewer.Standing`: 1 SELF, 2 REVIEWER, 8 ADMIN.
    "stands_as": """(standing int) RETURNS boolean STABLE PARALLEL SAFE
        RETURN coalesce(nullif(current_setting('logbook.standings', true), '')::int & standing, 0) <> 0""",
    "by_token": """() RETURNS boolean STABLE PARALLEL SAFE
        RETURN coalesce(current_setting('logbook.by_token', true) = 'true', false)""",
    "held_link": """() RETURNS bytea STABLE PARALLEL SAFE
        RETURN decode(nullif(current_setting('logbook.link', true), ''), 'hex')""",
    "at_work": """() RETURNS boolean STABLE PARALLEL SAFE
        RETURN coalesce(current_setting('logbook.at_work', true) = 'true', false)""",
    "own_record": """() RETURNS uuid STABLE PARALLEL SAFE
        RETURN CASE WHEN stands_as(1) THEN viewer() END""",
    "reviewed": """() RETURNS SETOF uuid STABLE PARALLEL SAFE
        BEGIN ATOMIC
            SELECT appointment.mediator_id FROM appointment JOIN account ON account.id = appointment.mediator_id
             WHERE appointment.reviewer_id = viewer() AND appointment.approved AND stands_as(2)
               AND account.roles @> ARRAY['MEDIATOR'];
        END""",
    # Who deletes an account takes its owner's name and address from what they gave, which they may not read.
    "erase_origins": """(giver uuid) RETURNS void SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        BEGIN ATOMIC
            DELETE FROM feedback_origin
             WHERE email_key = (SELECT email_key FROM account WHERE id = giver)
               AND (giver = viewer() OR stands_as(8)) AND NOT by_token();
        END""",
}

OWN = "mediator_id = (SELECT own_record())"
# The same for rows that are looked up by their ids. Of this the planner cannot tell that it picks few rows: else it would
# gather all that somebody ever wrote, for a page of 25.
OWN_BY_ID = "mediator_id IN (SELECT own_record())"
SHARED = f"SELECT id FROM feedback WHERE {OWN} AND shared AND released"  # noqa: S608
OTHERS = (
    "(mediator_id <> (SELECT viewer()) AND ((SELECT stands_as(8)) OR mediator_id IN (SELECT reviewed FROM reviewed())))"
)
ABOUT_ANOTHER = (
    "SELECT FROM feedback WHERE feedback.id = feedback_origin.id AND feedback.mediator_id <> (SELECT viewer())"
)
HELD = "secret_hash = (SELECT held_link())"
AT_WORK = "(SELECT at_work())"

# Table, policy, command, which rows. What no policy names for a table, nobody does but its owner (and a cascade, which
# runs as its owner). `work_...` are the worker's alone: `logbook migrate` gives them to its role.
POLICIES = (
    ("logbook_private", "own", "ALL", OWN_BY_ID),
    ("cpd_private", "own", "ALL", OWN_BY_ID),
    (
        "feedback_request_details",
        "own_for_five_days",
        "SELECT",
        f"{OWN} AND made_at > (SELECT clock() - interval '120 hours')",
    ),
    ("feedback_request_details", "own_is_made", "INSERT", OWN),
    ("feedback_request_details", "own_is_withdrawn", "DELETE", OWN),
    ("feedback_request_details", "work_mails", "SELECT", AT_WORK),
    ("feedback_request_details", "work_erases", "DELETE", AT_WORK),
    ("feedback_request", "own", "SELECT", OWN),
    ("feedback_request", "own_is_made", "INSERT", OWN),
    ("feedback_request", "own_is_withdrawn", "UPDATE", OWN),
    ("feedback_request", "link_shows", "SELECT", HELD),
    ("feedback_request", "link_is_spent", "UPDATE", HELD),
    ("feedback_request", "work_mails", "SELECT", AT_WORK),
    ("feedback", "readable", "SELECT", f"({OWN} AND shared AND released) OR {OTHERS}"),
    ("feedback", "given_about_another", "INSERT", "mediator_id IS DISTINCT FROM (SELECT viewer())"),
    ("feedback", "work_mails", "SELECT", AT_WORK),
    ("feedback", "work_releases", "UPDATE", AT_WORK),
    (
        "feedback_answer",
        "readable",
        "SELECT",
        f"({OWN} AND NOT reviewer_only AND feedback_id IN ({SHARED})) OR {OTHERS}",
    ),
    ("feedback_answer", "given_about_another", "INSERT", "mediator_id IS DISTINCT FROM (SELECT viewer())"),
    (
        "feedback_origin",
        "readable",
        "SELECT",
        f"(SELECT stands_as(8) AND NOT by_token()) AND EXISTS ({ABOUT_ANOTHER})",
    ),
    ("feedback_origin", "given", "INSERT", "true"),
    ("feedback_origin", "work_mails", "SELECT", AT_WORK),
    ("data_export", "own", "SELECT", "account_id = (SELECT viewer()) AND NOT (SELECT by_token())"),
    ("data_export", "own_is_asked_for", "INSERT", "account_id = (SELECT viewer()) AND NOT (SELECT by_token())"),
    ("data_export", "link_opens", "SELECT", HELD),
    ("data_export", "work_reads", "SELECT", AT_WORK),
    ("data_export", "work_makes", "UPDATE", AT_WORK),
    ("data_export", "work_erases", "DELETE", AT_WORK),
)
TABLES = sorted({table for table, *_ in POLICIES})


def upgrade() -> None:
    for name, definition in FUNCTIONS.items():
        op.execute(f"CREATE FUNCTION {name}{definition}")
    op.execute("REVOKE EXECUTE ON FUNCTION erase_origins FROM PUBLIC")
    for table, name, command, rows in POLICIES:
        kind = "WITH CHECK" if command == "INSERT" else "USING"
        whose = "CURRENT_USER" if name.startswith("work_") else "PUBLIC"
        op.execute(f"CREATE POLICY {name} ON {table} FOR {command} TO {whose} {kind} ({rows})")
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for table, name, _, _ in POLICIES:
        op.execute(f"DROP POLICY {name} ON {table}")
    for name in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {name}")
