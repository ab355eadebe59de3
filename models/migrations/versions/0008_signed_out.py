"""The audit log remembers that an administrator signed somebody out."""

from alembic import op

revision = "0008"
down_revision = "0007"

_BEFORE = (
    "ORIGIN_READ",
    "ACCOUNT_DELETED",
    "ROLES_CHANGED",
    "DIRECTORY_CREATED",
    "APPOINTMENT_APPROVED",
    "PAID_ACCESS_CHANGED",
)


def _known(actions: tuple[str, ...], how: str = "") -> None:
    listed = ", ".join(f"'{action}'" for action in actions)
    op.execute("ALTER TABLE audit_entry DROP CONSTRAINT action_known")
    op.execute(f"ALTER TABLE audit_entry ADD CONSTRAINT action_known CHECK (action IN ({listed})) {how}")


def upgrade() -> None:
    _known((*_BEFORE, "SIGNED_OUT"))


def downgrade() -> None:
    _known(_BEFORE, "NOT VALID")  # what was remembered stays remembered
