"""What a request key came with, as a keyed hash: the same key with other content is no repeat."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("request_key", sa.Column("content_hash", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("request_key", "content_hash")
