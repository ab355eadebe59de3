"""Indexes for a reviewer's summary and for the list of reviewers, whatever there is of everything else."""

from alembic import op
from sqlalchemy import text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("feedback_answer_of_feedback", "feedback_answer", ["mediator_id", "feedback_id"])
    op.drop_index("ix_feedback_answer_mediator_id", "feedback_answer")
    op.create_index(
        "account_reviewers", "account", ["name_key", "id"], postgresql_where=text("roles @> ARRAY['REVIEWER']")
    )


def downgrade() -> None:
    op.drop_index("account_reviewers", "account")
    op.create_index("ix_feedback_answer_mediator_id", "feedback_answer", ["mediator_id"])
    op.drop_index("feedback_answer_of_feedback", "feedback_answer")
