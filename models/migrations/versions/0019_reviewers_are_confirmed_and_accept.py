"""Reviewers are confirmed, and accept."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("DROP TRIGGER only_administrators_approve ON appointment")
    op.execute("ALTER TABLE audit_entry DROP CONSTRAINT action_known")
    op.add_column("account", sa.Column("reviewer_confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("appointment", sa.Column("in_force", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("appointment", sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("appointment", sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("appointment", sa.Column("approval", sa.String(), server_default=sa.text("'each'"), nullable=False))
    op.add_column("appointment", sa.Column("relation", sa.Text(), nullable=True))
    op.add_column("appointment", sa.Column("relation_details", sa.Text(), nullable=True))
    # Who reviews somebody now has accepted and is confirmed; how they know each other was never asked.
    op.execute("UPDATE appointment SET in_force = true, accepted_at = since, approval = 'new' WHERE approved")
    op.execute("""
    UPDATE account SET reviewer_confirmed_at = clock()
     WHERE roles @> ARRAY['REVIEWER'] AND id IN (SELECT reviewer_id FROM appointment WHERE in_force)
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.reviewed()
     RETURNS SETOF uuid
     LANGUAGE sql
     STABLE PARALLEL SAFE
    BEGIN ATOMIC
     SELECT appointment.mediator_id
        FROM (appointment
          JOIN account ON ((account.id = appointment.mediator_id)))
       WHERE ((appointment.reviewer_id = viewer()) AND appointment.in_force AND stands_as(2) AND (account.roles @> ARRAY['MEDIATOR'::text]));
    END
    """)
    op.drop_column("appointment", "approved")
    op.create_index(
        "appointment_current", "appointment", ["mediator_id"], unique=True, postgresql_where=sa.text("in_force")
    )
    op.create_index(
        "appointment_waiting", "appointment", ["mediator_id"], unique=True, postgresql_where=sa.text("NOT in_force")
    )
    op.execute("""
    CREATE OR REPLACE FUNCTION public.has_every_yes(reviewer uuid, accepted_at timestamp with time zone, approval text, approved_at timestamp with time zone)
     RETURNS boolean
     LANGUAGE sql
     STABLE PARALLEL SAFE
    RETURN ((accepted_at IS NOT NULL) AND ((approval = 'none'::text) OR (((approval = 'new'::text) OR (approved_at IS NOT NULL)) AND (EXISTS (SELECT FROM account WHERE ((account.id = has_every_yes.reviewer) AND (account.reviewer_confirmed_at IS NOT NULL)))))))
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.erase_invitations(invited uuid)
     RETURNS void
     LANGUAGE sql
     SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     DELETE FROM reviewer_invitation
       WHERE ((reviewer_invitation.email_key = (( SELECT account.email_key
                FROM account
               WHERE ((account.id = erase_invitations.invited) AND (account.email_verified_at IS NOT NULL))))::text) AND ((erase_invitations.invited = viewer()) OR stands_as(8)) AND (NOT by_token()));
    END
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.end_invitations()
     RETURNS bigint
     LANGUAGE sql
     SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     WITH ended AS (
              DELETE FROM reviewer_invitation
               WHERE (reviewer_invitation.mediator_id IN ( SELECT reviewer_invitation_1.mediator_id
                        FROM reviewer_invitation reviewer_invitation_1
                       WHERE (reviewer_invitation_1.secret_hash = held_link())))
               RETURNING reviewer_invitation.id
             )
      SELECT count(*) AS count
        FROM ended;
    END
    """)
    op.execute("REVOKE EXECUTE ON ROUTINE end_invitations() FROM PUBLIC")
    op.execute("REVOKE EXECUTE ON ROUTINE erase_invitations(uuid) FROM PUBLIC")
    op.execute("""
    ALTER TABLE account ADD CONSTRAINT confirmed_is_reviewer CHECK (reviewer_confirmed_at IS NULL OR roles @> ARRAY['REVIEWER'])
    """)
    op.execute("ALTER TABLE appointment ADD CONSTRAINT approval_known CHECK (approval IN ('new', 'each', 'none'))")
    op.execute("""
    ALTER TABLE appointment ADD CONSTRAINT other_explained CHECK (relation <> 'OTHER' OR relation_details IS NOT NULL)
    """)
    op.execute("""
    ALTER TABLE appointment ADD CONSTRAINT relation_allowed CHECK (relation IN ('NO_RELATION', 'COLLEAGUE', 'SAME_PROVIDER', 'OTHER'))
    """)
    op.execute("""
    ALTER TABLE audit_entry ADD CONSTRAINT action_known CHECK (action IN ('ORIGIN_READ', 'ACCOUNT_DELETED', 'ROLES_CHANGED', 'DIRECTORY_CREATED', 'APPOINTMENT_APPROVED', 'PAID_ACCESS_CHANGED', 'SIGNED_OUT', 'ROLE_ADDED', 'ROLE_REMOVED', 'APPOINTMENT_DECLINED', 'REVIEWER_CONFIRMED', 'PAID_ACCESS_ENDED'))
    """)
    op.execute("ALTER TABLE reviewer_invitation ENABLE ROW LEVEL SECURITY")
    op.execute("""
    CREATE POLICY link_shows ON reviewer_invitation FOR SELECT TO PUBLIC
    USING ((secret_hash = ( SELECT held_link() AS held_link)))
    """)
    op.execute("""
    CREATE POLICY own ON reviewer_invitation FOR ALL TO PUBLIC
    USING ((mediator_id = ( SELECT own_record() AS own_record)))
    """)
    op.execute("""
    CREATE POLICY work_erases ON reviewer_invitation FOR DELETE TO CURRENT_USER
    USING (( SELECT at_work() AS at_work))
    """)
    op.execute("""
    CREATE POLICY work_mails ON reviewer_invitation FOR SELECT TO CURRENT_USER
    USING (( SELECT at_work() AS at_work))
    """)
    op.execute("""
    CREATE TRIGGER nobody_begins_confirmed BEFORE INSERT ON public.account FOR EACH ROW WHEN ((new.reviewer_confirmed_at IS NOT NULL)) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER only_administrators_confirm BEFORE UPDATE OF reviewer_confirmed_at ON public.account FOR EACH ROW WHEN (((new.reviewer_confirmed_at IS DISTINCT FROM old.reviewer_confirmed_at) AND ((stands_as(8) AND (NOT by_token()) AND ((new.id <> viewer()) OR (new.reviewer_confirmed_at IS NULL))) IS NOT TRUE))) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER begins_without_a_yes BEFORE INSERT ON public.appointment FOR EACH ROW WHEN ((new.in_force OR (new.accepted_at IS NOT NULL) OR (new.approved_at IS NOT NULL) OR (new.relation IS NOT NULL) OR (new.relation_details IS NOT NULL))) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER in_force_only_with_every_yes BEFORE UPDATE OF in_force ON public.appointment FOR EACH ROW WHEN ((new.in_force AND (NOT old.in_force) AND (NOT has_every_yes(new.reviewer_id, new.accepted_at, (new.approval)::text, new.approved_at)))) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER needs_no_less_than_before BEFORE UPDATE OF approval ON public.appointment FOR EACH ROW WHEN ((array_position(ARRAY['none'::text, 'new'::text, 'each'::text], (new.approval)::text) < array_position(ARRAY['none'::text, 'new'::text, 'each'::text], (old.approval)::text))) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER only_administrators_approve BEFORE UPDATE OF approved_at ON public.appointment FOR EACH ROW WHEN (((new.approved_at IS DISTINCT FROM old.approved_at) AND ((stands_as(8) AND ((viewer() <> new.mediator_id) AND (viewer() <> new.reviewer_id))) IS NOT TRUE))) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER only_the_reviewer_accepts BEFORE UPDATE OF accepted_at, relation, relation_details ON public.appointment FOR EACH ROW WHEN ((((new.accepted_at IS DISTINCT FROM old.accepted_at) OR (new.relation IS DISTINCT FROM old.relation) OR (new.relation_details IS DISTINCT FROM old.relation_details)) AND (((new.reviewer_id = viewer()) AND (NOT by_token())) IS NOT TRUE))) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER stays_between_two BEFORE UPDATE OF mediator_id, reviewer_id ON public.appointment FOR EACH ROW WHEN (((new.mediator_id <> old.mediator_id) OR (new.reviewer_id <> old.reviewer_id))) EXECUTE FUNCTION refuse_change()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER stays_between_two ON appointment")
    op.execute("DROP TRIGGER only_the_reviewer_accepts ON appointment")
    op.execute("DROP TRIGGER only_administrators_approve ON appointment")
    op.execute("DROP TRIGGER needs_no_less_than_before ON appointment")
    op.execute("DROP TRIGGER in_force_only_with_every_yes ON appointment")
    op.execute("DROP TRIGGER begins_without_a_yes ON appointment")
    op.execute("DROP TRIGGER only_administrators_confirm ON account")
    op.execute("DROP TRIGGER nobody_begins_confirmed ON account")
    op.execute("DROP POLICY work_mails ON reviewer_invitation")
    op.execute("DROP POLICY work_erases ON reviewer_invitation")
    op.execute("DROP POLICY own ON reviewer_invitation")
    op.execute("DROP POLICY link_shows ON reviewer_invitation")
    op.execute("ALTER TABLE reviewer_invitation DISABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE audit_entry DROP CONSTRAINT action_known")
    op.execute("ALTER TABLE appointment DROP CONSTRAINT relation_allowed")
    op.execute("ALTER TABLE appointment DROP CONSTRAINT other_explained")
    op.execute("ALTER TABLE appointment DROP CONSTRAINT approval_known")
    op.execute("ALTER TABLE account DROP CONSTRAINT confirmed_is_reviewer")
    op.execute("DROP ROUTINE end_invitations()")
    op.execute("DROP ROUTINE erase_invitations(uuid)")
    op.execute("DROP ROUTINE has_every_yes(uuid,timestamp with time zone,text,timestamp with time zone)")
    op.add_column("appointment", sa.Column("approved", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.execute("UPDATE appointment SET approved = in_force")
    op.execute("""
    CREATE OR REPLACE FUNCTION public.reviewed()
     RETURNS SETOF uuid
     LANGUAGE sql
     STABLE PARALLEL SAFE
    BEGIN ATOMIC
     SELECT appointment.mediator_id
        FROM (appointment
          JOIN account ON ((account.id = appointment.mediator_id)))
       WHERE ((appointment.reviewer_id = viewer()) AND appointment.approved AND stands_as(2) AND (account.roles @> ARRAY['MEDIATOR'::text]));
    END
    """)
    op.drop_column("appointment", "in_force")
    op.create_index(
        "appointment_current", "appointment", ["mediator_id"], unique=True, postgresql_where=sa.text("approved")
    )
    op.create_index(
        "appointment_waiting", "appointment", ["mediator_id"], unique=True, postgresql_where=sa.text("NOT approved")
    )
    op.drop_column("appointment", "relation_details")
    op.drop_column("appointment", "relation")
    op.drop_column("appointment", "approval")
    op.drop_column("appointment", "approved_at")
    op.drop_column("appointment", "accepted_at")
    op.drop_column("account", "reviewer_confirmed_at")
    op.execute("""
    ALTER TABLE audit_entry ADD CONSTRAINT action_known CHECK ((action = ANY (ARRAY['ORIGIN_READ'::text, 'ACCOUNT_DELETED'::text, 'ROLES_CHANGED'::text, 'DIRECTORY_CREATED'::text, 'APPOINTMENT_APPROVED'::text, 'PAID_ACCESS_CHANGED'::text, 'SIGNED_OUT'::text, 'ROLE_ADDED'::text, 'ROLE_REMOVED'::text, 'APPOINTMENT_DECLINED'::text, 'PAID_ACCESS_ENDED'::text]))) NOT VALID
    """)
    op.execute("""
    CREATE TRIGGER only_administrators_approve BEFORE UPDATE OF approved ON public.appointment FOR EACH ROW WHEN (((new.approved IS DISTINCT FROM old.approved) AND (NOT stands_as(8)))) EXECUTE FUNCTION refuse_change()
    """)
