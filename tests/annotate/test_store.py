"""The database: operations are the truth, whatever happens to what is derived from them."""

import random
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.annotate.helpers import add, new, operation, pictures, rectangle, team

from kins.annotate import folders, layers, manage, store, tables
from kins.annotate.contents import categories
from kins.annotate.layers import Layers, StaleError, derived, operations, rebuild
from kins.annotate.operations import Frame, History, Operation, RefusedError
from kins.annotate.store import Store, upgrade
from kins.errors import KinsError

FRAME = Frame(80, 60, {1: False, 2: False})


def filled(address: str, folder: Path, people: int = 1) -> Store:
    """A database with a project of one picture, two categories, and a layer of each user."""
    kept = Store(address)
    project, _ = folders.open_project(kept, pictures(folder, 1))
    with kept.write() as connection:
        for name in ("car", "van"):
            connection.execute(sa.insert(tables.category), {"project": project, "name": name})
        for number in range(1, people + 1):
            connection.execute(sa.insert(tables.user), {"name": f"user {number}"})
            connection.execute(sa.insert(tables.layer), {"image": 1, "user": number})
    return kept


def append(kept: Store, known: Layers, layer: int, base: int, *batch: dict[str, Any]) -> History:
    with kept.write() as connection:
        row = connection.execute(sa.select(tables.layer).where(tables.layer.c.id == layer).with_for_update()).one()
        done = known.append(connection, row, FRAME, base, [Operation(**one) for one in batch]).history
    known.keep(layer, done)
    return done


def anything(chance: random.Random, history: History) -> dict[str, Any]:
    """An operation that may be possible."""
    there = list(history.state.objects) or [new()]
    one, two = chance.choice(there), chance.choice(there)
    box = [chance.randrange(0, 50) for _ in range(2)] + [chance.randrange(3, 40) for _ in range(2)]
    return chance.choice(
        [
            add(chance.choice([1, 2, None]), *box),
            add(1, *box),
            operation("outline", object=one, rings=rectangle(*box)),
            operation("class", object=one, category=2),
            operation("flag", object=one, name="guess", value=chance.random() < 0.5),
            operation("delete", object=one),
            operation("pair", nearer=one, farther=two),
            operation("exception", exception=new(), nearer=one, farther=two, points=rectangle(*box)[0]["points"]),
            operation("undo", of=history.undo or one),
            operation("undo", of=history.redo or history.undo or one),
        ]
    )


def rows(kept: Store) -> list[Any]:
    with kept.read() as connection:
        return [
            sorted(map(repr, connection.execute(sa.select(table)).all()))
            for table in (tables.object_, tables.pair, tables.exception)
        ]


def test_derived_tables_follow_the_operations_and_are_rebuilt_from_them(database: str, tmp_path: Path) -> None:
    kept, known, chance = filled(database, tmp_path / "pictures"), Layers(), random.Random(5)
    history, sent = History(), 0
    for _ in range(120):
        try:
            history = append(kept, known, 1, history.revision, anything(chance, history))
            sent += 1
        except RefusedError:
            pass
    assert sent > 60
    with kept.read() as connection:
        told = operations(connection, 1)
        assert History.of(told).state == history.state == derived(connection, 1)
        assert Layers().history(connection, 1).undo == history.undo
    before = rows(kept)
    assert all(before)
    with kept.write() as connection:
        for table in (tables.object_, tables.pair, tables.exception):
            connection.execute(sa.delete(table))
        connection.execute(sa.insert(tables.pair), {"layer": 1, "nearer": "nobody", "farther": "nothing"})
    with kept.write() as connection:
        assert rebuild(connection) == 1
    assert rows(kept) == before
    kept.close()


def test_writers_at_once_lose_nothing(database: str, tmp_path: Path) -> None:
    kept, known = filled(database, tmp_path / "pictures", people=4), Layers()
    acknowledged: dict[int, list[str]] = {number: [] for number in range(1, 5)}

    def write(layer: int, seed: int) -> None:
        base = 0
        for number in range(8):
            one = add(1, number, seed, 9, 9)
            while True:
                try:
                    base = append(kept, known, layer, base, one).revision
                    break
                except StaleError as stale:
                    base = stale.revision
            acknowledged[layer].append(one["id"])

    threads = [threading.Thread(target=write, args=(layer, seed)) for layer in range(1, 5) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with kept.read() as connection:
        for layer, ids in acknowledged.items():
            told = operations(connection, layer)
            assert sorted(one.id for one in told) == sorted(ids)
            assert History.of(told).state == derived(connection, layer)
    kept.close()


def test_another_process_may_write_the_same_layer(tmp_path: Path) -> None:
    kept = filled(f"sqlite:///{tmp_path}/kept.sqlite", tmp_path / "pictures")
    mine, theirs = Layers(), Layers()
    append(kept, mine, 1, 0, add(1, 0, 0, 9, 9))
    append(kept, theirs, 1, 1, add(1, 20, 0, 9, 9))
    assert len(append(kept, mine, 1, 2, add(1, 40, 0, 9, 9)).state.objects) == 3
    kept.close()


def test_nothing_is_left_of_a_transaction_that_fails(database: str, tmp_path: Path) -> None:
    kept, known = filled(database, tmp_path / "pictures"), Layers()
    with pytest.raises(RefusedError):
        append(kept, known, 1, 0, add(1, 0, 0, 9, 9), operation("delete", object=new()))
    with kept.read() as connection:
        assert not operations(connection, 1)
        assert known.history(connection, 1).revision == 0
    kept.close()


def test_the_whole_server_runs_on_it(database: str, tmp_path: Path) -> None:
    from tests.annotate.helpers import Person

    with team(tmp_path / "pictures", database) as (address, opened):
        with Person(address, "owner") as owner, Person(address, "annotator") as annotator:
            car = owner.post("/projects/1/categories", json={"name": "car"}).json()["id"]
            layer = annotator.layer(1)["id"]
            assert annotator.do(layer, 0, add(car, 1, 1, 30, 30), add(car, 20, 20, 30, 30)).json()["revision"] == 2
            assert annotator.do(layer, 0, add(car, 1, 1, 30, 30)).status_code == 409
            assert owner.post("/projects/1/assign", json={"users": [3]}).json()["assigned"] == 2
            assert len(annotator.get("/projects/1/images").json()["images"]) == 3
            assert owner.get("/projects/1/statistics").json()["annotators"][0]["objects"] == 2
            for number in (2**31, 2**63, 10**30):
                found = owner.post("/projects/1/members", json={"user": number, "role": "viewer"})
                assert found.status_code == 422
                found = owner.post("/images/1/review", json={"layer": number, "verdict": "accept"})
                assert found.status_code in (404, 422)
                assert owner.post("/projects/1/assign", json={"users": [3], "images": [number]}).status_code == 404
            assert owner.post("/images/1/comments", json={"text": "a\0b"}).status_code in (200, 422)
            assert owner.post("/login", json={"name": "a\0b", "password": "c\0d"}).status_code in (403, 422)
        opened.shop.store.close()


def test_migrations_lead_to_the_tables_as_they_are(database: str) -> None:
    engine = sa.create_engine(database)
    with engine.connect() as connection, connection.begin():
        upgrade(connection, None, tables.SCHEMA)
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables.metadata) == []
        assert context.get_current_revision() == tables.SCHEMA
        if engine.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA application_id = {store.APPLICATION}")
    engine.dispose()
    Store(database).close()


def test_an_older_database_is_copied_and_migrated(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(database, tmp_path / "pictures").close()
    migrations = shutil.copytree(store.MIGRATIONS, tmp_path / "migrations")
    (migrations / "versions" / "9999_next.py").write_text(
        f'import sqlalchemy as sa\nfrom alembic import op\nrevision, down_revision = "9999", "{tables.SCHEMA}"\n'
        'def upgrade():\n    op.add_column("user", sa.Column("mail", sa.Text))\n'
    )
    monkeypatch.setattr(store, "MIGRATIONS", migrations)
    before = tables.SCHEMA
    monkeypatch.setattr(tables, "SCHEMA", "9999")
    newer = Store(database)
    with newer.read() as connection:
        assert connection.exec_driver_sql('SELECT name, mail FROM "user"').all() == [("user 1", None)]
    newer.close()
    copies = [path.name for path in tmp_path.glob("backups/*")]
    assert copies == ([f"kept-schema-{before}.sqlite"] if "sqlite" in database else [])
    monkeypatch.undo()
    with pytest.raises(KinsError, match="newer kins"):
        Store(database)


def test_what_is_in_a_database_of_the_first_schema_is_kept(database: str) -> None:
    engine = sa.create_engine(database)
    with engine.connect() as connection, connection.begin():
        upgrade(connection, None, "0001")
        now = "2026-01-01 00:00:00"
        connection.exec_driver_sql(
            "INSERT INTO project (created, name, guidelines, settings, root) "
            f"VALUES ('{now}', 'streets', '', '{{}}', '.')"
        )
        connection.exec_driver_sql(
            f"INSERT INTO category (created, project, name, is_occluder) VALUES ('{now}', 1, 'car', false)"
        )
        if engine.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA application_id = {store.APPLICATION}")
    engine.dispose()
    kept = Store(database)
    with kept.read() as connection:
        assert [row.name for row in categories(connection, 1).values()] == ["car"]
    kept.close()


def test_the_daily_copy_can_be_opened_and_few_are_kept(tmp_path: Path) -> None:
    kept = filled(f"sqlite:///{tmp_path}/kept.sqlite", tmp_path / "pictures")
    append(kept, Layers(), 1, 0, add(1, 0, 0, 9, 9))
    for day in range(1, 20):
        (tmp_path / "backups").mkdir(exist_ok=True)
        (tmp_path / "backups" / f"kept-2020-01-{day:02}.sqlite").touch()
    copy = kept.backup()
    assert copy is not None
    assert kept.backup() is None
    assert len(list((tmp_path / "backups").iterdir())) == store.BACKUPS
    again = Store(f"sqlite:///{copy}")
    with again.read() as connection:
        assert len(operations(connection, 1)) == 1
    again.close()
    kept.close()


def test_databases_of_other_things_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE things (name)")
    before = other.read_bytes()
    (tmp_path / "text.sqlite").write_text("no database at all, but long enough to look at" * 50)
    for address, says in [
        (f"sqlite:///{other}", "something else"),
        (f"sqlite:///{tmp_path}/text.sqlite", "database"),
        (f"sqlite:///{tmp_path}", "database"),
        ("sqlite://", "names no file"),
        ("mysql://root@localhost/x", "mysql"),
        ("nonsense", "no address"),
        ("postgresql://nobody:secret@127.0.0.1:1/x", "can't be opened"),
    ]:
        with pytest.raises(KinsError, match=says) as caught:
            Store(address)
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)
    assert other.read_bytes() == before


def test_the_first_account_takes_over_what_was_annotated_without(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures")
    assert "owner and admin" in manage.add_user(folder, None, "Ann", "long enough")
    assert "is viewer" in manage.add_user(folder, None, "Bob", "long enough", "viewer")
    with pytest.raises(KinsError, match="already"):
        manage.add_user(folder, None, "Bob", "long enough")
    with pytest.raises(KinsError, match="8 to 200"):
        manage.add_user(folder, None, "Eve", "short")
    assert manage.rebuild(folder, None).endswith("0 layers from 0 operations")
    assert layers.KEPT > 0
