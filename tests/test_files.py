"""Reading and writing files."""

import os

import pytest

from kins import KinsError
from kins.files import inside, read_bytes, temporary_name, write_atomic


def test_what_is_no_file(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    for name, message in (("missing", "no such file"), ("", "is a folder"), ("empty", "is empty"), ("a\0b", "can't")):
        with pytest.raises(KinsError, match=message):
            read_bytes(str(tmp_path / name) if name else tmp_path)


def test_pipes_and_devices_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(KinsError, match="is a pipe, a device or a socket"):
            read_bytes(path)


def test_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "out.json"
    write_atomic(path, "one")
    write_atomic(path, [b"t", b"wo"])
    assert path.read_text() == "two"

    def broken():
        yield b"half"
        raise KinsError("stop")

    with pytest.raises(KinsError, match="stop"):
        write_atomic(path, broken())
    assert path.read_text() == "two"
    assert os.listdir(path.parent) == ["out.json"]


def test_written_files_can_be_read_by_others(tmp_path):
    write_atomic(tmp_path / "out", b"x")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o666 & ~mask


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    for target in (tmp_path, tmp_path / "file" / "out.json"):
        with pytest.raises(KinsError):
            write_atomic(target, b"x")


def test_temporary_name_keeps_the_suffix(tmp_path):
    with temporary_name(tmp_path / "a.png") as name:
        assert name.suffix == ".png"
        assert name.parent == tmp_path


def test_names_from_files_stay_inside(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "pictures" / "link").symlink_to(tmp_path / "secret")
    folder = tmp_path / "pictures"
    assert inside(folder, "a/b.png") == folder.resolve() / "a" / "b.png"
    for name in ("../secret", "a/../../secret", "/etc/passwd", "..\\secret", "link", "", "a\0b", str(folder / "x")):
        with pytest.raises(KinsError):
            inside(folder, name)
