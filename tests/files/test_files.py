"""Reading and writing files."""

import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import pytest
import yaml

from kins import KinsError
from kins.draw.scene import write_picture
from kins.files import (
    check_output,
    inside,
    made_by_kins,
    only_one,
    read_bytes,
    temporary_name,
    write_atomic,
    write_json,
    write_markup,
)


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


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "there").write_text("old")
    for name in ("there", "new"):
        link = tmp_path / f"{name}.json"
        link.symlink_to(tmp_path / "real" / name)
        write_atomic(link, "content")
        assert link.is_symlink()
        assert (tmp_path / "real" / name).read_text() == "content"
    assert sorted(os.listdir(tmp_path)) == ["new.json", "real", "there.json"]


def test_what_is_no_regular_file_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    (tmp_path / "to pipe").symlink_to("pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing" / "file")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "folder").symlink_to(tmp_path)
    messages = {"pipe": "a pipe", "socket": "a socket", "to pipe": "a pipe", "nowhere": "leads nowhere"}
    messages |= {"circle": "leads nowhere", "folder": "is a folder"}
    before = {name: os.lstat(tmp_path / name) for name in messages}
    for name, message in messages.items():
        for write in (lambda path: write_atomic(path, "x"), check_output):
            with pytest.raises(KinsError, match=message):
                write(tmp_path / name)
    for write in (lambda path: write_atomic(path, "x"), check_output):
        with pytest.raises(KinsError, match="a device"):
            write("/dev/null")
    assert {name: os.lstat(tmp_path / name) for name in messages} == before
    assert sorted(os.listdir(tmp_path)) == sorted(messages)


def test_marks_are_found_and_disturb_nobody(tmp_path):
    write_json(tmp_path / "a.json", '{"a": 1}\n')
    write_json(tmp_path / "pieces.json", iter([b"[1,\n", b"2]\n"]))
    write_markup(tmp_path / "a.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>\n')
    pixels = np.random.default_rng(0).integers(0, 255, (300, 200, 3), np.uint8)
    for name in ("a.png", "a.jpg", "a.webp"):
        write_picture(pixels, tmp_path / name)
    assert all(made_by_kins(path) for path in tmp_path.iterdir())
    assert json.loads((tmp_path / "a.json").read_bytes()) == yaml.safe_load((tmp_path / "a.json").read_text())
    assert json.loads((tmp_path / "pieces.json").read_bytes()) == [1, 2]
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    for name in ("a.png", "a.jpg", "a.webp"):
        with PIL.Image.open(tmp_path / name) as picture:
            picture.load()
            assert dict(picture.getexif()) == {0x131: "kins"}
    with PIL.Image.open(tmp_path / "a.png") as picture:
        assert np.array_equal(picture, pixels)


def test_what_others_made_is_not_taken_for_ours(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}\n')
    (tmp_path / "kins.json").write_text('{"info":{"made by": "kins"}}\n')
    (tmp_path / "log.csv").write_text("step\n1\n")
    (tmp_path / "text.svg").write_text("<svg>made by kins</svg>\n")
    PIL.Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a/extra/b", "")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:20])
    header = b'{"__metadata__":{"config":"{}"},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (tmp_path / "nested.safetensors").write_bytes((200_000).to_bytes(8, "little") + b'{"a":' * 40_000)
    (tmp_path / "long.safetensors").write_bytes(b"\xff" * 8 + b"{")
    for path in sorted(tmp_path.iterdir()):
        assert not made_by_kins(path), path
        with pytest.raises(KinsError, match="exists and was not written by kins; choose another name, or remove it"):
            check_output(path)
    os.mkfifo(tmp_path / "config.json")
    for name in ("config.json", "log.csv", "missing"):
        assert not made_by_kins(tmp_path / name)


def test_an_input_is_no_output_by_whatever_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json("in.json", "{}\n")
    Path("link.json").symlink_to("in.json")
    os.link("in.json", "hard.json")
    Path("folder").mkdir()
    for name in ("in.json", "./in.json", "folder/../in.json", tmp_path / "in.json", "link.json", "hard.json"):
        with pytest.raises(KinsError, match=r"json: is the input; choose another name"):
            check_output(name, ["missing.json", None, "in.json"])
        check_output(name, ["missing.json", "folder"])
    Path("empty.json").touch()
    check_output(["new.json", "empty.json"], ["in.json"])
    with pytest.raises(KinsError, match="is the input"):
        check_output("empty.json", ["empty.json"])


def test_pictures_of_an_input_folder_are_inputs(tmp_path):
    write_picture(np.zeros((4, 4, 3), np.uint8), tmp_path / "a.png")
    write_json(tmp_path / "a.json", "{}\n")
    check_output([tmp_path / "a.json", tmp_path / "new.png"], [tmp_path])
    with pytest.raises(KinsError, match=r"a\.png: is one of the input pictures"):
        check_output(tmp_path / "a.png", [tmp_path])


def test_a_folder_is_held_by_one_process_until_that_is_killed(tmp_path):
    script = "import sys, time; from kins.files import only_one\n"
    script += "with only_one(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(KinsError, match="run: another training is writing there"), only_one(tmp_path / "run"):
            pass
        holder.kill()
    with only_one(tmp_path / "run"):
        pass
    with only_one(tmp_path / "run"):
        pass
