"""Receipts of feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

VACUUMED = (
    *("appointment", "cpd_entry", "cpd_private", "data_export", "logbook_entry", "logbook_private", "mediator"),
    "request_key",
)


def upgrade() -> None:
    for table in VACUUMED:
        op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)")
    op.execute("DROP POLICY readable ON feedback_answer")
    op.execute("DROP POLICY readable ON feedback")
    op.execute("ALTER TABLE audit_entry DROP CONSTRAINT action_known")
    op.add_column("feedback", sa.Column("admission", sa.String(), server_default=sa.text("'ADMITTED'"), nullable=False))
    op.add_column("feedback", sa.Column("receipt_hash", sa.LargeBinary(), nullable=True))
    op.create_unique_constraint("feedback_admission", "feedback", ["id", "admission"])
    op.create_unique_constraint("feedback_receipt_hash_key", "feedback", ["receipt_hash"])
    op.add_column(
        "feedback_answer", sa.Column("admission", sa.String(), server_default=sa.text("'ADMITTED'"), nullable=False)
    )
    op.drop_constraint(op.f("feedback_answer_feedback_id_fkey"), "feedback_answer", type_="foreignkey")
    op.create_foreign_key(
        "feedback_answer_of_admission",
        "feedback_answer",
        "feedback",
        ["feedback_id", "admission"],
        ["id", "admission"],
        onupdate="CASCADE",
        ondelete="CASCADE",
    )
    op.add_column(
        "feedback_request",
        sa.Column(
            "agreed_on", sa.Date(), server_default=sa.text("((clock() AT TIME ZONE 'UTC')::date)"), nullable=False
        ),
    )
    # Requests made before were agreed to when they were made.
    op.execute("UPDATE feedback_request SET agreed_on = (made_at AT TIME ZONE 'UTC')::date")
    op.execute("""
    CREATE OR REPLACE FUNCTION public.held_receipt()
     RETURNS SETOF uuid
     LANGUAGE sql
     STABLE PARALLEL SAFE
    BEGIN ATOMIC
     SELECT feedback.id
        FROM feedback
       WHERE ((feedback.receipt_hash = held_link()) AND (feedback.mediator_id IS DISTINCT FROM viewer()));
    END
    """)
    op.execute("""
    ALTER TABLE audit_entry ADD CONSTRAINT action_known CHECK (action IN ('ORIGIN_READ', 'ACCOUNT_DELETED', 'ROLES_CHANGED', 'DIRECTORY_CREATED', 'APPOINTMENT_APPROVED', 'PAID_ACCESS_CHANGED', 'SIGNED_OUT', 'ROLE_ADDED', 'ROLE_REMOVED', 'APPOINTMENT_DECLINED', 'REVIEWER_CONFIRMED', 'PAID_ACCESS_ENDED', 'ANSWERS_READ', 'DIRECTORY_CHANGED', 'API_TOKEN_CREATED', 'API_TOKEN_REVOKED', 'MAIL_RETRIED', 'SECOND_FACTOR_REMOVED', 'BACKUP_RESTORED', 'WRONG_PASSWORD', 'WRONG_CODE', 'LOCKED_OUT', 'FEEDBACK_ADMITTED', 'FEEDBACK_REMOVED', 'ACCOUNT_READ'))
    """)
    op.execute("""
    ALTER TABLE feedback ADD CONSTRAINT admission_known CHECK (admission IN ('ADMITTED', 'HELD', 'DISCARDED'))
    """)
    op.execute("""
    CREATE POLICY administrators_admit ON feedback FOR UPDATE TO PUBLIC
    USING ((( SELECT stands_as(8) AS stands_as) AND (mediator_id <> ( SELECT viewer() AS viewer)) AND ((admission)::text = 'HELD'::text)))
    WITH CHECK (((admission)::text = 'ADMITTED'::text))
    """)
    op.execute("""
    CREATE POLICY administrators_remove ON feedback FOR DELETE TO PUBLIC
    USING ((( SELECT (stands_as(8) AND (NOT by_token()))) AND (mediator_id <> ( SELECT viewer() AS viewer)) AND ((admission)::text <> 'DISCARDED'::text)))
    """)
    op.execute("""
    CREATE POLICY readable ON feedback FOR SELECT TO PUBLIC
    USING ((((mediator_id = ( SELECT own_record() AS own_record)) AND shared AND released AND ((admission)::text = 'ADMITTED'::text)) OR ((mediator_id <> ( SELECT viewer() AS viewer)) AND ((( SELECT stands_as(8) AS stands_as) AND ((admission)::text <> 'DISCARDED'::text)) OR (((admission)::text = 'ADMITTED'::text) AND (mediator_id IN ( SELECT reviewed.reviewed
       FROM reviewed() reviewed(reviewed))))))))
    """)
    op.execute("""
    CREATE POLICY receipt_erases ON feedback FOR DELETE TO PUBLIC
    USING (((receipt_hash = ( SELECT held_link() AS held_link)) AND (mediator_id IS DISTINCT FROM ( SELECT viewer() AS viewer))))
    """)
    op.execute("""
    CREATE POLICY receipt_shares ON feedback FOR UPDATE TO PUBLIC
    USING (((receipt_hash = ( SELECT held_link() AS held_link)) AND (mediator_id IS DISTINCT FROM ( SELECT viewer() AS viewer)) AND (NOT released)))
    """)
    op.execute("""
    CREATE POLICY receipt_shows ON feedback FOR SELECT TO PUBLIC
    USING (((receipt_hash = ( SELECT held_link() AS held_link)) AND (mediator_id IS DISTINCT FROM ( SELECT viewer() AS viewer))))
    """)
    op.execute("""
    CREATE POLICY readable ON feedback_answer FOR SELECT TO PUBLIC
    USING ((((mediator_id = ( SELECT own_record() AS own_record)) AND (NOT reviewer_only) AND (feedback_id IN ( SELECT feedback.id
       FROM feedback
      WHERE ((feedback.mediator_id = ( SELECT own_record() AS own_record)) AND feedback.shared AND feedback.released AND ((feedback.admission)::text = 'ADMITTED'::text))))) OR ((mediator_id <> ( SELECT viewer() AS viewer)) AND ((( SELECT stands_as(8) AS stands_as) AND ((admission)::text <> 'DISCARDED'::text)) OR (((admission)::text = 'ADMITTED'::text) AND (mediator_id IN ( SELECT reviewed.reviewed
       FROM reviewed() reviewed(reviewed))))))))
    """)
    op.execute("""
    CREATE POLICY receipt_shows ON feedback_answer FOR SELECT TO PUBLIC
    USING ((feedback_id IN ( SELECT held_receipt.held_receipt
       FROM held_receipt() held_receipt(held_receipt))))
    """)
    op.execute("""
    CREATE POLICY work_erases ON feedback_origin FOR DELETE TO CURRENT_USER
    USING (( SELECT at_work() AS at_work))
    """)
    op.execute("""
    CREATE TRIGGER only_administrators_admit BEFORE UPDATE OF admission ON public.feedback FOR EACH ROW WHEN ((((new.admission)::text <> (old.admission)::text) AND (NOT (stands_as(8) AND ((old.admission)::text = 'HELD'::text) AND ((new.admission)::text = 'ADMITTED'::text))))) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER only_givers_share BEFORE UPDATE OF shared, share_alone ON public.feedback FOR EACH ROW WHEN ((((new.shared IS DISTINCT FROM old.shared) OR (new.share_alone IS DISTINCT FROM old.share_alone)) AND (((old.receipt_hash = held_link()) AND (NOT old.released)) IS NOT TRUE))) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
    CREATE TRIGGER only_work_releases BEFORE UPDATE OF released, release_at ON public.feedback FOR EACH ROW WHEN ((((new.released IS DISTINCT FROM old.released) OR (new.release_at IS DISTINCT FROM old.release_at)) AND (NOT at_work()) AND ((new.admission)::text = (old.admission)::text))) EXECUTE FUNCTION refuse_change()
    """)


def downgrade() -> None:
    for table in VACUUMED:
        op.execute(f"ALTER TABLE {table} RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("DROP TRIGGER only_work_releases ON feedback")
    op.execute("DROP TRIGGER only_givers_share ON feedback")
    op.execute("DROP TRIGGER only_administrators_admit ON feedback")
    op.execute("DROP POLICY work_erases ON feedback_origin")
    op.execute("DROP POLICY receipt_shows ON feedback_answer")
    op.execute("DROP POLICY readable ON feedback_answer")
    op.execute("DROP POLICY receipt_shows ON feedback")
    op.execute("DROP POLICY receipt_shares ON feedback")
    op.execute("DROP POLICY receipt_erases ON feedback")
    op.execute("DROP POLICY readable ON feedback")
    op.execute("DROP POLICY administrators_remove ON feedback")
    op.execute("DROP POLICY administrators_admit ON feedback")
    op.execute("ALTER TABLE feedback DROP CONSTRAINT admission_known")
    op.execute("ALTER TABLE audit_entry DROP CONSTRAINT action_known")
    op.execute("DROP ROUTINE held_receipt()")
    op.drop_column("feedback_request", "agreed_on")
    op.drop_constraint("feedback_answer_of_admission", "feedback_answer", type_="foreignkey")
    op.create_foreign_key(
        op.f("feedback_answer_feedback_id_fkey"),
        "feedback_answer",
        "feedback",
        ["feedback_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.drop_column("feedback_answer", "admission")
    op.drop_constraint("feedback_receipt_hash_key", "feedback", type_="unique")
    op.drop_constraint("feedback_admission", "feedback", type_="unique")
    op.drop_column("feedback", "receipt_hash")
    op.drop_column("feedback", "admission")
    op.execute("""
    ALTER TABLE audit_entry ADD CONSTRAINT action_known CHECK ((action = ANY (ARRAY['ORIGIN_READ'::text, 'ACCOUNT_DELETED'::text, 'ROLES_CHANGED'::text, 'DIRECTORY_CREATED'::text, 'APPOINTMENT_APPROVED'::text, 'PAID_ACCESS_CHANGED'::text, 'SIGNED_OUT'::text, 'ROLE_ADDED'::text, 'ROLE_REMOVED'::text, 'APPOINTMENT_DECLINED'::text, 'REVIEWER_CONFIRMED'::text, 'PAID_ACCESS_ENDED'::text, 'ANSWERS_READ'::text, 'DIRECTORY_CHANGED'::text, 'API_TOKEN_CREATED'::text, 'API_TOKEN_REVOKED'::text, 'MAIL_RETRIED'::text, 'SECOND_FACTOR_REMOVED'::text, 'BACKUP_RESTORED'::text, 'WRONG_PASSWORD'::text, 'WRONG_CODE'::text, 'LOCKED_OUT'::text]))) NOT VALID
    """)
    op.execute("""
    CREATE POLICY readable ON feedback FOR SELECT TO PUBLIC
    USING ((((mediator_id = ( SELECT own_record() AS own_record)) AND shared AND released) OR ((mediator_id <> ( SELECT viewer() AS viewer)) AND (( SELECT stands_as(8) AS stands_as) OR (mediator_id IN ( SELECT reviewed.reviewed
       FROM reviewed() reviewed(reviewed)))))))
    """)
    op.execute("""
    CREATE POLICY readable ON feedback_answer FOR SELECT TO PUBLIC
    USING ((((mediator_id = ( SELECT own_record() AS own_record)) AND (NOT reviewer_only) AND (feedback_id IN ( SELECT feedback.id
       FROM feedback
      WHERE ((feedback.mediator_id = ( SELECT own_record() AS own_record)) AND feedback.shared AND feedback.released)))) OR ((mediator_id <> ( SELECT viewer() AS viewer)) AND (( SELECT stands_as(8) AS stands_as) OR (mediator_id IN ( SELECT reviewed.reviewed
       FROM reviewed() reviewed(reviewed)))))))
    """)
