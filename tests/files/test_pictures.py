"""Pictures of every kind come out as eight-bit RGB, upright; what is no picture is refused, and nothing else runs."""

import os
import shutil
import socket
import stat
import struct
import warnings

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kins import Dataset, Image, KinsError, Scene
from kins.files.pictures import FORMATS, picture_size, read_picture
from kins.validate import validate

RGB = np.random.default_rng(0).integers(0, 255, (6, 9, 3), np.uint8)
DEEP = np.linspace(0, 65535, 54).round().astype(np.uint16).reshape(6, 9)


def saved(path, picture, **options):
    if isinstance(picture, np.ndarray):
        picture = PIL.Image.fromarray(picture)
    picture.save(path, **options)
    return path


def tiff(path, values, bits, photometric=1):
    """A grey TIFF of 12 (packed; an even width) or 16 bits, which Pillow can't write."""
    numbers = values.ravel().tolist()
    packed = "".join(f"{n:012b}" for n in numbers) if bits == 12 else ""
    data = int(packed, 2).to_bytes(len(packed) // 8, "big") if packed else struct.pack(f"<{len(numbers)}H", *numbers)
    height, width = values.shape
    entries = [
        (256, width),
        (257, height),
        (258, bits),
        (259, 1),
        (262, photometric),
        (273, 0),
        (277, 1),
        (278, height),
    ]
    entries += [(279, len(data))]
    start = 8 + 2 + 12 * len(entries) + 4
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, start if tag == 273 else value) for tag, value in entries)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4) + data)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp"])
def test_what_is_written_without_loss_is_read(tmp_path, name):
    path = saved(tmp_path / name, RGB, **({"lossless": True} if name == "a.webp" else {}))
    assert (read_picture(path) == RGB).all()
    assert picture_size(path) == (6, 9)
    assert read_picture(path).dtype == np.uint8
    with pytest.raises(KinsError, match="9 x 6 pixels, its annotation says 6 x 9"):
        read_picture(path, (9, 6))


def test_grey_of_many_bits_is_scaled(tmp_path):
    wanted = np.round(DEEP / 65535 * 255).astype(np.uint8)
    made = [
        saved(tmp_path / "16.png", DEEP),
        saved(tmp_path / "16.tif", DEEP),
        saved(tmp_path / "big-endian.tif", PIL.Image.fromarray(DEEP.astype(">u2"))),
        saved(tmp_path / "32.tif", DEEP.astype(np.int32)),
        tiff(tmp_path / "own.tif", DEEP, 16),
        tiff(tmp_path / "inverted.tif", 65535 - DEEP, 16, photometric=0),
    ]
    for path in made:
        assert (read_picture(path) == wanted[..., None]).all(), path
    twelve = tiff(tmp_path / "12.tif", DEEP[:, :8] >> 4, 12)
    assert np.abs(read_picture(twelve).astype(int) - wanted[:, :8, None]).max() <= 1


@pytest.mark.parametrize("values", [np.full((4, 4), 0.5, np.float32), np.array([[0, -1]]), np.array([[0, 70000]])])
def test_numbers_without_a_stated_white_are_refused(tmp_path, values):
    path = saved(tmp_path / "a.tif", values if values.dtype == np.float32 else values.astype(np.int32))
    with pytest.raises(KinsError, match="white is unknown"):
        read_picture(path)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_pictures_are_upright(tmp_path, name, turn):
    exif = PIL.Image.Exif()
    exif[274] = turn
    quality = {"a.jpg": {"quality": 100}, "a.webp": {"lossless": True}}.get(name, {})
    path = saved(tmp_path / name, np.kron(RGB, np.ones((8, 8, 1), np.uint8)), exif=exif, **quality)
    with PIL.Image.open(path) as picture:
        upright = np.asarray(PIL.ImageOps.exif_transpose(picture).convert("RGB"))
    assert (read_picture(path) == upright).all()
    assert picture_size(path) == upright.shape[:2] == ((72, 48) if turn >= 5 else (48, 72))
    scene = Scene(Image(1, name, *upright.shape[:2]), image_path=path)
    assert scene.read_image().shape == upright.shape


def test_a_damaged_exif_does_not_matter(tmp_path):
    path = saved(tmp_path / "a.jpg", RGB, exif=b"Exif\0\0II*\0\xff\xff\xff\xffrubbish")
    assert read_picture(path).shape == (6, 9, 3)


def test_what_is_transparent_lies_on_white(tmp_path):
    alpha = np.zeros((6, 9, 1), np.uint8)
    alpha[:, :3], alpha[:, 3:6] = 255, 128
    rgba = np.concatenate([RGB, alpha], 2)
    mixed = np.round(255 + (RGB.astype(float) - 255) * (alpha / 255))
    grey = PIL.Image.fromarray(RGB[..., 0]).convert("LA")
    grey.putalpha(PIL.Image.fromarray(alpha[..., 0]))
    for path in (saved(tmp_path / "a.png", rgba), saved(tmp_path / "a.tif", rgba)):
        assert np.abs(read_picture(path) - mixed).max() <= 1
    assert np.abs(read_picture(saved(tmp_path / "la.png", grey)) - mixed[..., :1]).max() <= 1
    palette = PIL.Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    whole = np.array([[[255, 0, 0], [255] * 3], [[0, 0, 255], [255] * 3]])
    for path in (tmp_path / "p.png", tmp_path / "p.gif"):
        assert (read_picture(saved(path, palette, transparency=1)) == whole).all()
    assert (read_picture(saved(tmp_path / "half.png", palette, transparency=bytes([255, 0, 255]))) == whole).all()
    assert (read_picture(saved(tmp_path / "rgb.png", RGB, transparency=tuple(RGB[0, 0].tolist())))[0, 0] == 255).all()
    assert (read_picture(saved(tmp_path / "16.png", DEEP, transparency=0))[0, 0] == 255).all()


def test_other_colours_are_converted(tmp_path):
    red = PIL.Image.new("RGB", (16, 16), (200, 30, 30))
    assert np.abs(read_picture(saved(tmp_path / "a.jpg", red.convert("CMYK"))).astype(int) - [200, 30, 30]).max() < 12
    assert read_picture(saved(tmp_path / "1.png", PIL.Image.new("1", (3, 2), 1))).min() == 255


@pytest.mark.parametrize("name", ["a.tif", "a.gif", "a.webp"])
def test_the_first_frame_is_taken(tmp_path, name):
    first, second = PIL.Image.new("RGB", (9, 6), (0, 0, 255)), PIL.Image.new("RGB", (9, 6), (255, 0, 0))
    options = {"lossless": True} if name == "a.webp" else {}
    path = saved(tmp_path / name, first, save_all=True, append_images=[second], **options)
    assert (read_picture(path) == [0, 0, 255]).all()


def test_postscript_is_not_run(tmp_path, monkeypatch):
    """With a stand-in for Ghostscript on the search path, which would leave a trace."""
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert shutil.which("gs") == str(program)
    path = tmp_path / "x.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 6\n%%EndComments\nshowpage\n")
    for read in (read_picture, picture_size):
        with pytest.raises(KinsError, match=r"x\.png: can't be read as an image \(it is PostScript, not PNG, JPEG"):
            read(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%PDF-1.7\n", "it is PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "it is HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "it is AVIF"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "it is SVG"),
        (b"P6 1 1 255\nabc", "it is not PNG"),
        (b"", "it is not PNG"),
        (b"\x89PNG\r\n\x1a\n", "PNG, but damaged"),
        (b"cos\nsystem\n(S'touch ran'\ntR.", "it is not PNG"),
    ],
)
def test_other_kinds_are_named(tmp_path, content, message):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(KinsError, match=message) as caught:
        read_picture(tmp_path / "x.png")
    assert "\n" not in str(caught.value)
    dataset = Dataset.from_scenes([Scene(Image(1, "x.png", 6, 9))], {1: "car"})
    dataset.save(tmp_path / "a.json")
    places = validate(tmp_path / "a.json", images=tmp_path).found["image-unreadable"].places
    assert [place for place, detail in places if message in detail] == ["images[0].file_name"]


def test_a_bomb_is_refused_in_one_line(tmp_path):
    saved(tmp_path / "a.bmp", RGB)
    content = bytearray((tmp_path / "a.bmp").read_bytes())
    for side, message in ((60000, "more pixels than"), (12000, "can't be read")):
        content[18:26] = struct.pack("<ii", side, side)
        (tmp_path / "a.bmp").write_bytes(content)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with pytest.raises(KinsError, match=message):
                read_picture(tmp_path / "a.bmp")
        assert not warned


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.relpath(tmp_path / "socket.png"))
    for path in (tmp_path / "pipe.png", tmp_path / "socket.png", "/dev/zero"):
        for read in (read_picture, picture_size):
            with pytest.raises(KinsError, match="is a pipe, a device or a socket"):
                read(path)
    server.close()
    for path, message in ((tmp_path, "s a directory"), (tmp_path / "none.png", "no such image"), ("a\0b", "can't be")):
        with pytest.raises(KinsError, match=message):
            read_picture(path)
    Dataset.from_scenes([Scene(Image(1, "pipe.png", 6, 9))], {1: "car"}).save(tmp_path / "a.json")
    assert "image-unreadable" in validate(tmp_path / "a.json", images=tmp_path).found


@pytest.mark.parametrize("kind", FORMATS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_damage_raises_nothing_else(tmp_path_factory, kind, data):
    path = tmp_path_factory.getbasetemp() / "damaged"
    saved(path, RGB, format=kind)
    content = bytearray(path.read_bytes())
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)
    ):
        content[place] = value
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    for read in (picture_size, read_picture):
        try:
            found = read(path)
        except KinsError:
            continue
        assert len(found) == 2 or found.shape[2] == 3
