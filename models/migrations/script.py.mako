<%!
def own(lines):
    """Leave out Alembic's own comments."""
    return "\n".join(line for line in lines.splitlines() if not line.strip().startswith("# ###")).strip() or "pass"
%>\
"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades | own}


def downgrade() -> None:
    ${downgrades | own}
