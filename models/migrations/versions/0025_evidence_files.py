"""Evidence files."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "deleted_file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "deleted_on", sa.Date(), server_default=sa.text("((clock() AT TIME ZONE 'UTC')::date)"), nullable=False
        ),
        sa.Column("swept", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("deleted_file_by_day", "deleted_file", ["deleted_on", "id"], unique=False)
    op.create_index("deleted_file_unswept", "deleted_file", ["id"], unique=False, postgresql_where=sa.text("NOT swept"))
    op.create_table(
        "evidence_file",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('CERTIFICATE', 'OTHER')", name="kind_known"),
        sa.CheckConstraint("media_type IN ('application/pdf', 'image/jpeg', 'image/png')", name="media_type_known"),
        sa.CheckConstraint("bytes > 0", name="bytes_bounds"),
        sa.ForeignKeyConstraint(["entry_id"], ["cpd_entry.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_evidence_file_entry_id"), "evidence_file", ["entry_id"], unique=False)
    op.create_index(op.f("ix_evidence_file_mediator_id"), "evidence_file", ["mediator_id"], unique=False)
    op.add_column(
        "cpd_entry", sa.Column("has_certificate", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.execute("""
    CREATE OR REPLACE FUNCTION public.ids_of(owner uuid)
     RETURNS SETOF uuid
     LANGUAGE sql
     STABLE SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     SELECT theirs.id
        FROM ( SELECT account.id
                FROM account
               WHERE (account.id = ids_of.owner)
             UNION ALL
              SELECT feedback.id
                FROM feedback
               WHERE (feedback.mediator_id = ids_of.owner)
             UNION ALL
              SELECT feedback_request.id
                FROM feedback_request
               WHERE (feedback_request.mediator_id = ids_of.owner)
             UNION ALL
              SELECT reviewer_invitation.id
                FROM reviewer_invitation
               WHERE (reviewer_invitation.mediator_id = ids_of.owner)
             UNION ALL
              SELECT account_link.id
                FROM account_link
               WHERE (account_link.account_id = ids_of.owner)
             UNION ALL
              SELECT data_export.id
                FROM data_export
               WHERE (data_export.account_id = ids_of.owner)
             UNION ALL
              SELECT api_token.id
                FROM api_token
               WHERE (api_token.account_id = ids_of.owner)
             UNION ALL
              SELECT logbook_entry.id
                FROM logbook_entry
               WHERE (logbook_entry.mediator_id = ids_of.owner)
             UNION ALL
              SELECT case_session.id
                FROM case_session
               WHERE (case_session.mediator_id = ids_of.owner)
             UNION ALL
              SELECT cpd_entry.id
                FROM cpd_entry
               WHERE (cpd_entry.mediator_id = ids_of.owner)
             UNION ALL
              SELECT opening_balance.id
                FROM opening_balance
               WHERE (opening_balance.mediator_id = ids_of.owner)
             UNION ALL
              SELECT evidence_file.id
                FROM evidence_file
               WHERE (evidence_file.mediator_id = ids_of.owner)) theirs
       WHERE (((ids_of.owner = viewer()) OR stands_as(8)) AND (NOT by_token()));
    END
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.file_key_ids()
     RETURNS SETOF bytea
     LANGUAGE sql
     STABLE SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     SELECT DISTINCT SUBSTRING(evidence_file.sealed FROM 1 FOR 4) AS "substring"
        FROM evidence_file;
    END
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.known_files(ids uuid[])
     RETURNS SETOF uuid
     LANGUAGE sql
     STABLE SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     SELECT evidence_file.id
        FROM evidence_file
       WHERE (evidence_file.id = ANY (known_files.ids));
    END
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.note_deleted_file()
     RETURNS trigger
     LANGUAGE plpgsql
     SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    AS $function$
    BEGIN
        INSERT INTO public.deleted_file (id) VALUES (OLD.id) ON CONFLICT (id) DO UPDATE SET swept = false;
        RETURN NULL;
    END
    $function$
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.keep_has_certificate()
     RETURNS trigger
     LANGUAGE plpgsql
     SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    AS $function$
    DECLARE
        entry uuid := coalesce(NEW.entry_id, OLD.entry_id);
        certified boolean := EXISTS (SELECT FROM public.evidence_file WHERE entry_id = entry AND kind = 'CERTIFICATE');
    BEGIN
        UPDATE public.cpd_entry SET has_certificate = certified WHERE id = entry AND has_certificate <> certified;
        RETURN NULL;
    END
    $function$
    """)
    op.execute("REVOKE EXECUTE ON ROUTINE file_key_ids() FROM PUBLIC")
    op.execute("REVOKE EXECUTE ON ROUTINE keep_has_certificate() FROM PUBLIC")
    op.execute("REVOKE EXECUTE ON ROUTINE known_files(uuid[]) FROM PUBLIC")
    op.execute("REVOKE EXECUTE ON ROUTINE note_deleted_file() FROM PUBLIC")
    op.execute("ALTER TABLE evidence_file SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)")
    op.execute("ALTER TABLE deleted_file ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE evidence_file ENABLE ROW LEVEL SECURITY")
    op.execute("""
    CREATE POLICY work_records ON deleted_file FOR SELECT TO CURRENT_USER
    USING (( SELECT at_work() AS at_work))
    """)
    op.execute("""
    CREATE POLICY work_sweeps ON deleted_file FOR UPDATE TO CURRENT_USER
    USING (( SELECT at_work() AS at_work))
    """)
    op.execute("""
    CREATE POLICY own ON evidence_file FOR SELECT TO PUBLIC
    USING ((mediator_id IN ( SELECT own_record() AS own_record)))
    """)
    op.execute("""
    CREATE POLICY own_is_attached ON evidence_file FOR INSERT TO PUBLIC
    WITH CHECK (((mediator_id = ( SELECT own_record() AS own_record)) AND (entry_id IN ( SELECT cpd_entry.id
       FROM cpd_entry
      WHERE (cpd_entry.mediator_id = ( SELECT own_record() AS own_record))))))
    """)
    op.execute("""
    CREATE POLICY own_is_detached ON evidence_file FOR DELETE TO PUBLIC
    USING ((mediator_id IN ( SELECT own_record() AS own_record)))
    """)
    op.execute("""
    CREATE TRIGGER nothing_begins_certified BEFORE INSERT ON public.cpd_entry FOR EACH ROW WHEN (new.has_certificate) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER only_files_certify BEFORE UPDATE OF has_certificate ON public.cpd_entry FOR EACH ROW WHEN ((new.has_certificate <> old.has_certificate)) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER keeps_has_certificate AFTER INSERT OR DELETE ON public.evidence_file FOR EACH ROW EXECUTE FUNCTION keep_has_certificate()
    """)
    op.execute("""
    CREATE TRIGGER notes_deleted_file AFTER DELETE ON public.evidence_file FOR EACH ROW EXECUTE FUNCTION note_deleted_file()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER notes_deleted_file ON evidence_file")
    op.execute("DROP TRIGGER keeps_has_certificate ON evidence_file")
    op.execute("DROP TRIGGER only_files_certify ON cpd_entry")
    op.execute("DROP TRIGGER nothing_begins_certified ON cpd_entry")
    op.execute("DROP POLICY own_is_detached ON evidence_file")
    op.execute("DROP POLICY own_is_attached ON evidence_file")
    op.execute("DROP POLICY own ON evidence_file")
    op.execute("DROP POLICY work_sweeps ON deleted_file")
    op.execute("DROP POLICY work_records ON deleted_file")
    op.execute("ALTER TABLE evidence_file DISABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE deleted_file DISABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE evidence_file RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("""
    CREATE OR REPLACE FUNCTION public.ids_of(owner uuid)
     RETURNS SETOF uuid
     LANGUAGE sql
     STABLE SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     SELECT theirs.id
        FROM ( SELECT account.id
                FROM account
               WHERE (account.id = ids_of.owner)
             UNION ALL
              SELECT feedback.id
                FROM feedback
               WHERE (feedback.mediator_id = ids_of.owner)
             UNION ALL
              SELECT feedback_request.id
                FROM feedback_request
               WHERE (feedback_request.mediator_id = ids_of.owner)
             UNION ALL
              SELECT reviewer_invitation.id
                FROM reviewer_invitation
               WHERE (reviewer_invitation.mediator_id = ids_of.owner)
             UNION ALL
              SELECT account_link.id
                FROM account_link
               WHERE (account_link.account_id = ids_of.owner)
             UNION ALL
              SELECT data_export.id
                FROM data_export
               WHERE (data_export.account_id = ids_of.owner)
             UNION ALL
              SELECT api_token.id
                FROM api_token
               WHERE (api_token.account_id = ids_of.owner)
             UNION ALL
              SELECT logbook_entry.id
                FROM logbook_entry
               WHERE (logbook_entry.mediator_id = ids_of.owner)
             UNION ALL
              SELECT case_session.id
                FROM case_session
               WHERE (case_session.mediator_id = ids_of.owner)
             UNION ALL
              SELECT cpd_entry.id
                FROM cpd_entry
               WHERE (cpd_entry.mediator_id = ids_of.owner)
             UNION ALL
              SELECT opening_balance.id
                FROM opening_balance
               WHERE (opening_balance.mediator_id = ids_of.owner)) theirs
       WHERE (((ids_of.owner = viewer()) OR stands_as(8)) AND (NOT by_token()));
    END
    """)
    op.execute("DROP ROUTINE keep_has_certificate()")
    op.execute("DROP ROUTINE note_deleted_file()")
    op.execute("DROP ROUTINE known_files(uuid[])")
    op.execute("DROP ROUTINE file_key_ids()")
    op.drop_column("cpd_entry", "has_certificate")
    op.drop_index(op.f("ix_evidence_file_mediator_id"), table_name="evidence_file")
    op.drop_index(op.f("ix_evidence_file_entry_id"), table_name="evidence_file")
    op.drop_table("evidence_file")
    op.drop_index("deleted_file_unswept", table_name="deleted_file", postgresql_where=sa.text("NOT swept"))
    op.drop_index("deleted_file_by_day", table_name="deleted_file")
    op.drop_table("deleted_file")
