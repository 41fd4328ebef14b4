"""Categories that were removed, and the order of proposals."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Columns that may be empty, so that no row has to be written anew."""
    op.add_column("category", sa.Column("gone", sa.Integer()))
    op.add_column("proposal", sa.Column("number", sa.Integer()))
    op.add_column("proposal", sa.Column("farther", sa.JSON()))
