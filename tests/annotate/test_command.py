"""The command line of `kins annotate`: accounts, rebuilding, and what it refuses."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.annotate.helpers import pictures, quick_passwords
from typer.testing import CliRunner

from kins.annotate import security, tables
from kins.annotate.server import Listening, _address, _bound, _options, open_folder
from kins.commands.cli import app
from kins.demo.toys import write_shapes
from kins.errors import KinsError


def run(*words: object, password: str = "") -> str:
    """What a command prints. Raises what it raises."""
    done = CliRunner().invoke(app, ["annotate", *map(str, words)], input=password)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.fixture(autouse=True, scope="module")
def quick() -> None:
    """Passwords take no time."""
    quick_passwords()


def test_accounts_and_rebuilding_by_command(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures")
    assert "Ann is owner and admin" in run("user", "add", "Ann", folder, password="a long one\n")
    assert "Bob is reviewer" in run("user", "add", "Bob", folder, "--role", "reviewer", password="a long one\n")
    opened = open_folder(folder)
    with opened.shop.store.read() as connection:
        kept = dict(iter(connection.execute(sa.select(tables.user.c.name, tables.user.c.password))))
    assert kept["Ann"].startswith("$argon2id$")
    assert security.verify_password(kept["Ann"], "a long one")
    assert not security.verify_password(kept["Ann"], "a long one\n")
    assert not security.verify_password(None, "a long one")
    assert "0 layers from 0 operations" in run("rebuild", folder)
    with pytest.raises(KinsError, match="8 to 200"):
        run("user", "add", "Eve", folder, password="\n")


@pytest.mark.parametrize("words", [["user"], ["user", "remove", "Ann", "."], ["rebuild", "a", "b"], ["a", "b"]])
def test_other_words_are_refused(words: list[str]) -> None:
    assert CliRunner().invoke(app, ["annotate", *words]).exit_code == 2


def test_a_folder_that_is_none_or_has_no_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KinsError, match="no such folder"):
        run(tmp_path / "nowhere")
    with pytest.raises(KinsError, match="has no pictures"):
        run(tmp_path)
    assert "rebuild" in run("--help")


def test_accounts_need_no_token_and_annotations_need_a_name(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures")
    run("user", "add", "Ann", folder, password="a long one\n")
    opened = open_folder(folder)
    where = Listening("127.0.0.1", 0, certificate=tmp_path / "chain.pem", key=tmp_path / "key.pem")
    bound = _bound(where, opened.shop)
    assert _address(where, bound, opened.shop) == f"https://127.0.0.1:{bound.getsockname()[1]}/"
    assert opened.shop.token is None
    with pytest.raises(KinsError, match="can't listen"):
        _bound(Listening("127.0.0.1", bound.getsockname()[1]), opened.shop)
    bound.close()
    assert _options(Listening(proxy="10.0.0.1"))["forwarded_allow_ips"] == "10.0.0.1"
    assert not _options(Listening())["proxy_headers"]
    write_shapes(tmp_path / "shapes", 1).save(tmp_path / "truth.json")
    run("user", "add", "Ann", tmp_path / "shapes", password="a long one\n")
    with pytest.raises(KinsError, match="--user NAME"):
        open_folder(tmp_path / "shapes", annotations=tmp_path / "truth.json")
    opened = open_folder(tmp_path / "shapes", annotations=tmp_path / "truth.json", user="Ann")
    assert opened.lines[0].endswith("in 1 images")
