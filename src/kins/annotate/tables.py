"""The tables of the database. Operations are the truth; objects, pairs and exceptions are derived from them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA = "0002"
"""The newest revision in migrations/versions; a database of an older one is migrated when it is opened."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def now() -> datetime:
    """The time in UTC, without a zone, as databases keep it."""
    return datetime.now(UTC).replace(tzinfo=None)


def _created() -> Column[datetime]:
    return Column("created", DateTime, nullable=False, default=now)


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _to(table: str, nullable: bool = False, index: bool = False) -> Column[int]:
    return Column(table, ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=nullable, index=index)


user = Table(
    "user",
    metadata,
    _id(),
    _created(),
    Column("name", String(100), nullable=False, unique=True),
    Column("password", Text),
    Column("admin", Boolean, nullable=False, default=False),
    Column("active", Boolean, nullable=False, default=True),
)

session = Table(
    "session",
    metadata,
    _id(),
    _created(),
    Column("token", String(64), nullable=False, unique=True),
    _to("user", index=True),
    Column("csrf", String(64), nullable=False),
    Column("seen", DateTime, nullable=False, default=now),
    Column("address", String(100), nullable=False, default=""),
)

project = Table(
    "project",
    metadata,
    _id(),
    _created(),
    Column("name", String(200), nullable=False),
    Column("guidelines", Text, nullable=False, default=""),
    Column("settings", JSON, nullable=False, default=dict),
    Column("root", Text, nullable=False),
)

member = Table(
    "member",
    metadata,
    _id(),
    _created(),
    _to("project"),
    _to("user", index=True),
    Column("role", String(20), nullable=False),
    UniqueConstraint("project", "user"),
)

category = Table(
    "category",
    metadata,
    _id(),
    _created(),
    _to("project", index=True),
    Column("name", String(200), nullable=False),
    Column("key", String(20)),
    Column("colour", String(20)),
    Column("external", Integer),
    Column("is_occluder", Boolean, nullable=False, default=False),
    Column("gone", Integer),
    UniqueConstraint("project", "name"),
)
"""`gone` is empty while a category is in use, 0 once it was removed, or the id of the one that took its place.
Operations may name it for ever."""

image = Table(
    "image",
    metadata,
    _id(),
    _created(),
    _to("project"),
    Column("file", String(1000), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("sha256", String(64)),
    Column("external", Integer),
    Column("priority", Integer, nullable=False, default=0),
    Column("state", String(20), nullable=False, default="to do", index=True),
    UniqueConstraint("project", "file"),
)

assignment = Table(
    "assignment",
    metadata,
    _id(),
    _created(),
    _to("image"),
    _to("user", index=True),
    Column("due", DateTime),
    UniqueConstraint("image", "user"),
)

layer = Table(
    "layer",
    metadata,
    _id(),
    _created(),
    _to("image"),
    _to("user", nullable=True, index=True),
    Column("kind", String(20), nullable=False, default="person"),
    Column("revision", Integer, nullable=False, default=0),
    Column("state", String(20), nullable=False, default="open"),
    Column("reason", Text),
    Column("done", DateTime),
    UniqueConstraint("image", "user", "kind"),
)

operation = Table(
    "operation",
    metadata,
    Column("id", String(36), primary_key=True),
    _created(),
    _to("layer"),
    Column("revision", Integer, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("time", BigInteger, nullable=False, default=0),
    Column("pause", BigInteger, nullable=False, default=0),
    UniqueConstraint("layer", "revision"),
)

object_ = Table(
    "object",
    metadata,
    _to("layer"),
    Column("id", String(36), nullable=False),
    Column("place", Integer, nullable=False),
    _to("category", nullable=True),
    Column("rings", JSON, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("origin", JSON, nullable=False),
    UniqueConstraint("layer", "id"),
)

pair = Table(
    "pair",
    metadata,
    _to("layer"),
    Column("nearer", String(36), nullable=False),
    Column("farther", String(36), nullable=False),
    UniqueConstraint("layer", "nearer", "farther"),
)

exception = Table(
    "exception",
    metadata,
    _to("layer"),
    Column("id", String(36), nullable=False),
    Column("nearer", String(36), nullable=False),
    Column("farther", String(36), nullable=False),
    Column("points", JSON, nullable=False),
    UniqueConstraint("layer", "id"),
)

proposal = Table(
    "proposal",
    metadata,
    _id(),
    _created(),
    _to("image", index=True),
    Column("source", String(200), nullable=False),
    Column("category_name", String(200), nullable=False),
    Column("score", Float),
    Column("amodal", JSON),
    Column("inmodal", JSON),
    Column("number", Integer),
    Column("farther", JSON),
)
"""`number` is the place among the proposals of an image and a source, `farther` the numbers of those that it is in
front of, by the file's order."""

comment = Table(
    "comment",
    metadata,
    _id(),
    _created(),
    _to("image", index=True),
    _to("user"),
    Column("object", String(36)),
    Column("x", Integer),
    Column("y", Integer),
    Column("text", Text, nullable=False),
    Column("resolved", Boolean, nullable=False, default=False),
)

review = Table(
    "review",
    metadata,
    _id(),
    _created(),
    _to("image", index=True),
    _to("layer"),
    _to("user"),
    Column("verdict", String(20), nullable=False),
    Column("text", Text, nullable=False, default=""),
)

export = Table(
    "export",
    metadata,
    _id(),
    _created(),
    _to("project", index=True),
    _to("user"),
    Column("format", String(20), nullable=False),
    Column("options", JSON, nullable=False),
    Column("state", String(20), nullable=False),
    Column("file", Text),
    Column("losses", JSON, nullable=False, default=list),
    Column("error", Text),
)

event = Table(
    "event",
    metadata,
    _id(),
    _created(),
    _to("user", nullable=True),
    Column("kind", String(40), nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Column("address", String(100), nullable=False, default=""),
)
