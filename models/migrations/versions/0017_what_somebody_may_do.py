"""Only administrators change what somebody may do."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("ALTER TABLE audit_entry DROP CONSTRAINT action_known")
    op.execute("""
    CREATE OR REPLACE FUNCTION public.refuse_change()
     RETURNS trigger
     LANGUAGE plpgsql
     SET search_path TO 'pg_catalog', 'pg_temp'
    AS $function$
    BEGIN
        IF pg_has_role((SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER') THEN
            RETURN coalesce(NEW, OLD);
        END IF;
        RAISE insufficient_privilege USING MESSAGE = format('%s on %s', TG_NAME, TG_TABLE_NAME);
    END
    $function$
    """)
    op.execute("""
    ALTER TABLE audit_entry ADD CONSTRAINT action_known CHECK (action IN ('ORIGIN_READ', 'ACCOUNT_DELETED', 'ROLES_CHANGED', 'DIRECTORY_CREATED', 'APPOINTMENT_APPROVED', 'PAID_ACCESS_CHANGED', 'SIGNED_OUT', 'ROLE_ADDED', 'ROLE_REMOVED', 'APPOINTMENT_DECLINED', 'PAID_ACCESS_ENDED'))
    """)
    op.execute("""
    CREATE TRIGGER only_administrators_change_paid_access BEFORE UPDATE OF paid_until ON public.account FOR EACH ROW WHEN (((new.paid_until IS DISTINCT FROM old.paid_until) AND (NOT stands_as(8)))) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER only_administrators_change_roles BEFORE UPDATE OF roles ON public.account FOR EACH ROW WHEN (((new.roles IS DISTINCT FROM old.roles) AND (NOT (stands_as(8) AND (NOT by_token()))) AND (((new.id = viewer()) AND (new.roles @> old.roles) AND (new.roles <@ (old.roles || ARRAY['REVIEWER'::text]))) IS NOT TRUE))) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER only_owners_and_administrators_delete BEFORE DELETE ON public.account FOR EACH ROW WHEN (((old.email_verified_at IS NOT NULL) AND ((((old.id = viewer()) OR stands_as(8)) AND (NOT by_token())) IS NOT TRUE))) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER only_administrators_approve BEFORE UPDATE OF approved ON public.appointment FOR EACH ROW WHEN (((new.approved IS DISTINCT FROM old.approved) AND (NOT stands_as(8)))) EXECUTE FUNCTION refuse_change()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER only_administrators_approve ON appointment")
    op.execute("DROP TRIGGER only_owners_and_administrators_delete ON account")
    op.execute("DROP TRIGGER only_administrators_change_roles ON account")
    op.execute("DROP TRIGGER only_administrators_change_paid_access ON account")
    op.execute("ALTER TABLE audit_entry DROP CONSTRAINT action_known")
    op.execute("DROP ROUTINE refuse_change()")
    op.execute("""
    ALTER TABLE audit_entry ADD CONSTRAINT action_known CHECK ((action = ANY (ARRAY['ORIGIN_READ'::text, 'ACCOUNT_DELETED'::text, 'ROLES_CHANGED'::text, 'DIRECTORY_CREATED'::text, 'APPOINTMENT_APPROVED'::text, 'PAID_ACCESS_CHANGED'::text, 'SIGNED_OUT'::text]))) NOT VALID
    """)
