"""CVAT's XML, made by hand from its description."""

import json
import zipfile

import numpy as np
import pytest
from tests.commands.test_formats import run

import kins
from kins import KinsError

SQUARE = 'points="2.00,2.00;12.00,2.00;12.00,12.00;2.00,12.00"'
RIGHT = 'points="8,4;18,4;18,10;8,10"'


def polygon(label, points, attributes="", inside=""):
    return f'<polygon label="{label}" source="manual" occluded="0" {points} {attributes}>{inside}</polygon>'


def text(*elements, images="", meta=""):
    image = f'<image id="0" name="s/a.jpg" width="20" height="15">{"".join(elements)}</image>{images}'
    start = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>'
    return f"{start}<meta>{meta}</meta>{image}</annotations>"


@pytest.fixture
def load(tmp_path):
    def read(content, **options):
        (tmp_path / "a.xml").write_text(content)
        return kins.load(tmp_path / "a.xml", **{"masks": "amodal"} | options)

    return read


def areas(scene):
    return [(i.category, i.amodal.area, i.inmodal.area) for i in scene]


def pixels(dataset):
    return [np.argwhere(i.amodal.to_array()).tolist() for i in dataset[0]]


def test_every_element(load):
    elements = [
        '<box label="box" occluded="0" xtl="2.5" ytl="3" xbr="6.5" ybr="5" z_order="0"></box>',
        '<box label="turned" occluded="0" xtl="4" ytl="6" xbr="12" ybr="10" rotation="90.00"/>',
        '<ellipse label="ellipse" cx="10" cy="7" rx="6" ry="3" rotation="90"/>',
        *(f'<mask label="mask" left="10" top="5" width="3" height="2" rle="{rle}"/>' for rle in ("1, 3, 2", "1,3,2")),
        '<mask label="beyond" left="-1" top="14" width="3" height="2" rle="1, 3, 2"/>',
        '<mask label="empty" left="1" top="1" width="3" height="2" rle=""/>',
        *(f'<{tag} label="x" points="1,1;2,2"/>' for tag in ("polyline", "points", "cuboid", "skeleton", "tag")),
    ]
    dataset = load(text(*elements))
    box, turned, ellipse, mask, spaceless, beyond = pixels(dataset)
    assert [list(map(min, zip(*p, strict=True))) for p in (turned,)] == [[4, 6]]
    assert (len(box), len(turned)) == (8, 32)
    y, x = np.mgrid[:15, :20] + 0.5
    assert ellipse == np.argwhere(((x - 10) / 3) ** 2 + ((y - 7) / 6) ** 2 <= 1).tolist()
    assert mask == spaceless == [[5, 11], [5, 12], [6, 10]]
    assert beyond == [[14, 0], [14, 1]]
    assert dataset.left_out[:2] == (
        "1 masks without pixels",
        "5 lines, points, cuboids, skeletons and tags, which have no area",
    )


def test_order_groups_and_attributes(load):
    part = '<attribute name="part">{}</attribute>'
    elements = [
        polygon(
            "car",
            RIGHT,
            'z_order="5" group_id="3"',
            part.format("amodal") + '<attribute name="c">a &lt;&amp; b</attribute>',
        ),
        polygon("van", SQUARE, 'z_order="2" group_id="3"', '<attribute name="kins">kins:12</attribute>'),
        polygon("car", 'points="14,11;16,11;16,13;14,13"', 'z_order="1" group_id="3"'),
        polygon("car", 'points="8,4;9,4;9,10;8,10"', 'group_id="3"', part.format("visible")),
        polygon("occluder", 'points="0,0;3,0;3,15;0,15"', 'z_order="9"'),
    ]
    meta = "<task><labels><label><name>bus</name></label><label><name>car</name></label></labels></task>"
    dataset = load(text(*elements, meta=meta), masks=None)
    assert areas(dataset[0]) == [("car", 64, 6), ("van", 100, 66)]
    assert [(i.id, i.order) for i in dataset[0]] == [(13, 2), (12, 3)]
    assert dataset[0][0].extra == {"attributes": {"c": "a <& b"}}
    assert dataset.categories == {1: "bus", 2: "car", 3: "van"}
    assert dataset[0].image.file_name == "s/a.jpg"
    assert len(dataset.images[0].extra["occluders"]) == 1
    assert dataset.left_out == ()


def test_nobody_touched_the_order(load):
    dataset = load(text(polygon("car", SQUARE), polygon("van", RIGHT, 'z_order="0"')))
    assert areas(dataset[0]) == [("car", 100, 100), ("van", 60, 60)]
    assert dataset.left_out == ("1 pairs of objects that overlap on one layer, of which neither hides the other",)
    with pytest.raises(KinsError, match="say with --as"):
        load(text(polygon("car", SQUARE)), masks=None)


def test_archives_and_pictures(tmp_path):
    more = '<image id="4" name="b.jpg" width="20" height="15" subset="train"/>'
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("annotations.xml", text(polygon("car", SQUARE), images=more))
        archive.writestr("images/s/a.jpg", b"x")
    dataset = kins.load(tmp_path / "in.zip", masks="amodal")
    assert [(s.image.id, s.image.file_name, len(s), s.image.extra) for s in dataset] == [
        (0, "s/a.jpg", 1, {}),
        (4, "b.jpg", 0, {"subset": "train"}),
    ]


def test_what_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mask = kins.Mask.from_polygons([[1.5, 1, 6, 1, 6, 4]], 15, 20)
    patch = kins.Mask.from_array(np.eye(15, 20, dtype=bool))
    extra = {"attributes": {"c": '<&\n"\x01'}, "occluded": True}
    objects = (
        kins.Instance(1, 2, "é<", mask, mask, cluster=0, order=2, extra=extra),
        kins.Instance(2, 1, "b", patch, patch, cluster=0, order=1),
    )
    dataset = kins.Dataset.from_scenes([kins.Scene(kins.Image(0, 'a".jpg', 15, 20), objects)], {1: "b", 2: "é<"})
    assert dataset.save("out.xml", format="cvat") == []
    written = (tmp_path / "out.xml").read_text()
    assert '<polygon label="é&lt;" source="file" occluded="1" points="1.5,1;6,1;6,4" z_order="1">' in written
    again = kins.load("out.xml")
    assert [(i.amodal, i.inmodal) for i in again[0]] == [(i.amodal, i.inmodal) for i in objects]
    assert again[0][0].extra == {"attributes": {"c": '<&\n"'}, "occluded": True}
    assert again.categories == {1: "b", 2: "é<"}
    dataset.save("in.json")
    for _ in range(2):
        _, said = run("convert", "in.json", "out.xml", "--to", "cvat")
    (line,) = (line for line in said.splitlines() if line.startswith("labels for CVAT"))
    labels = json.loads(line.partition("(raw): ")[2])
    assert [label["name"] for label in labels] == ["b", "é<", "occluder"]
    assert [a["name"] for a in labels[0]["attributes"]] == ["part", "kins"]


def test_the_declared_encoding_is_not_looked_for(load):
    for name in ("no-such", "utf-7", "idna", "utf-8"):
        assert len(load(text(polygon("é", SQUARE)).replace('"utf-8"', f'"{name}"'))[0]) == 1


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]>'
BAD = {
    "entities": (
        f"<?xml version='1.0'?>{BOMB}<annotations><version>1.1</version>&y;</annotations>",
        "defines a document",
    ),
    "not closed": (text(polygon("car", SQUARE))[:-20], r"a\.xml: is not valid XML"),
    "tracks": (text(images='<track id="0" label="car"></track>'), r"a\.xml: holds tracks \(CVAT for video\)"),
    "size": (
        text().replace('width="20"', 'width="many"'),
        r"image 0 \(s/a\.jpg\)\.width: 'many' is not a whole number",
    ),
    "large": (text().replace('width="20"', 'width="99999999"'), r"image 0 \(s/a\.jpg\): image size"),
    "label": (text(f"<polygon {SQUARE}/>"), r"image 0 \(s/a\.jpg\), polygon\[0\]: has no label"),
    "points": (text(polygon("car", 'points="1,2;3,4"')), r"polygon\[0\]\.points: are not three or more"),
    "number": (text(polygon("car", 'points="1,2;3,4;nan,3"')), r"polygon\[0\]\.points: 'nan' is not a number"),
    "infinite": (text(polygon("car", 'points="1,2;3,4;1e999,3"')), r"points\[0\]: has a coordinate that is not finite"),
    "side": (text('<box label="c" xtl="1" ytl="1" xbr="3"/>'), r"box\[0\]\.ybr: '' is not a number"),
    "z": (text(polygon("car", SQUARE, 'z_order="top"')), r"polygon\[0\]\.z_order: 'top' is not a whole number"),
    "runs": (text('<mask label="c" left="1" top="1" width="3" height="2" rle="1, 3"/>'), r"add up to 4, its box has 6"),
    "no runs": (
        text('<mask label="c" left="1" top="1" width="3" height="2" rle="1, x"/>'),
        r"mask\[0\]\.rle: is not a",
    ),
    "box": (text('<mask label="c" left="1" top="1" width="99999" height="99999" rle="1, 3"/>'), "a box of 99999 x"),
    "element": (text('<blob label="c"/>'), r"blob\[0\]: is no shape that kins knows"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(load, name):
    content, message = BAD[name]
    with pytest.raises(KinsError, match=message) as error:
        load(content)[0][0].amodal.area  # noqa: B018
    assert "a.xml" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_documented_run_lengths_add_up():
    """13 x 15 pixels, of which 149 are on, by the same reading as CVAT's description."""
    from kins.formats.tools.cvat import _patch

    rng = np.random.default_rng(0)
    array = rng.random((15, 13)) < 0.75
    flat = array.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [not flat[-1]]]).astype(int)))
    rle = ", ".join(map(str, np.diff(np.concatenate([[0], edges]))))
    fields = {"left": "2", "top": "1", "width": "13", "height": "15", "rle": rle}
    assert (_patch(fields, 20, 20, "x").to_array()[1:16, 2:15] == array).all()
