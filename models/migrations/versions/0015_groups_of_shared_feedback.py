"""Groups of shared feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("feedback", sa.Column("share_alone", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("feedback", sa.Column("release_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("feedback", sa.Column("network_hash", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("feedback", "network_hash")
    op.drop_column("feedback", "release_at")
    op.drop_column("feedback", "share_alone")
