"""Asked for by Alembic's own command, which kins does not use: see kins.annotate.store.upgrade."""
