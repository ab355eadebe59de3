"""Whoever deletes an account erases the origins under its address only where the address is known to be theirs."""

from alembic import op

revision = "0006"
down_revision = "0005"


def _erase_origins(whose: str) -> str:
    return f"""
        CREATE OR REPLACE FUNCTION erase_origins(giver uuid) RETURNS void
        SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        BEGIN ATOMIC
            DELETE FROM public.feedback_origin
             WHERE email_key = (SELECT email_key FROM public.account WHERE {whose})
               AND (giver = public.viewer() OR public.stands_as(8)) AND NOT public.by_token();
        END"""  # noqa: S608 - our own words


def upgrade() -> None:
    op.execute(_erase_origins("id = giver AND email_verified_at IS NOT NULL"))


def downgrade() -> None:
    op.execute(_erase_origins("id = giver"))
