"""An index that finds the accounts of one mailbox, whatever tags their addresses bear."""

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index("account_mailbox", "account", [text("regexp_replace(email_key, '(?<=.)[+][^@]*(?=@)', '')")])


def downgrade() -> None:
    op.drop_index("account_mailbox", "account")
