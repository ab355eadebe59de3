"""What a token may is fixed when it is made; the copy of one's data is its signed-in owner's; wrong codes are told."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

# A new password ends the links to the account's data, also where it is set by a mailed link: nobody is signed in then.
END_EXPORTS = """
CREATE FUNCTION end_exports(owner uuid) RETURNS void SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    DELETE FROM public.data_export WHERE account_id = owner AND NOT public.by_token();
END
"""


def upgrade() -> None:
    op.add_column(
        "api_token", sa.Column("roles", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column("second_factor", sa.Column("wrong_code_told_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(END_EXPORTS)
    op.execute("REVOKE EXECUTE ON FUNCTION end_exports FROM PUBLIC")
    op.execute("DROP POLICY link_opens ON data_export")


def downgrade() -> None:
    op.execute("CREATE POLICY link_opens ON data_export FOR SELECT USING (secret_hash = (SELECT held_link()))")
    op.execute("DROP FUNCTION end_exports")
    op.drop_column("second_factor", "wrong_code_told_at")
    op.drop_column("api_token", "roles")
