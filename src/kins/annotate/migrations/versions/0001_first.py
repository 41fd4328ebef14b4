"""The first tables."""

from alembic import op

from kins.annotate import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them as they are now; the next migration changes this into what they were at first."""
    tables.metadata.create_all(op.get_bind())
