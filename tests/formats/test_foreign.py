"""Files of other tools, folders and archives: what they are is said in one line."""

import json
import pickle
import zipfile

import pytest

import kins
from kins import KinsError
from kins.demo.toys import write_shapes
from kins.validate import validate

CVAT = "<?xml version='1.0' encoding='utf-8'?>\n<annotations>\n  <version>1.0</version>\n</annotations>\n"
FILES = {
    "cvat": (CVAT, "holds CVAT's annotations in XML"),
    "label-studio": ([{"image": "1.jpg", "annotation_id": 1, "annotator": 1}], "holds Label Studio's JSON-MIN"),
    "via": ({"_via_img_metadata": {}}, "holds a project of VGG"),
    "mmdetection": (
        {"labels": [0], "scores": [0.5], "bboxes": [[0, 0, 1, 1]]},
        "holds MMDetection's results.*complete",
    ),
    "ultralytics": (
        [{"name": "car", "class": 2, "confidence": 0.5, "box": {}}],
        "holds Ultralytics' results.*complete",
    ),
    "sam": ([{"segmentation": {}, "predicted_iou": 0.9}], "holds masks of Segment Anything.*complete"),
    "pickle": (pickle.dumps([{"bboxes": 1}]), "is a Python pickle"),
    "no text": (b'{"shapes\x80": 1}', "is not UTF-8 text"),
    "text": ("once upon a time", "is not a JSON file"),
    "list": ([1, 2], "is in none of the formats"),
}


def write(path, value):
    path.write_bytes(
        value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
    )
    return path


def refused(path, message):
    """By everything that reads annotations."""
    with pytest.raises(KinsError, match=message) as error:
        kins.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    report = validate(path)
    assert not report.valid
    (place,) = report.found["unreadable"].places
    assert place[1] == str(error.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_tools(tmp_path, name):
    value, message = FILES[name]
    refused(write(tmp_path / "in.json", value), message)


@pytest.mark.parametrize("name", ["cvat", "via"])
def test_folders_of_other_tools(tmp_path, name):
    value, message = FILES[name]
    suffix = ".xml" if name == "cvat" else ".json"
    for number in range(3):
        write(tmp_path / f"{number}{suffix}", value)
        (tmp_path / f"{number}.jpg").write_bytes(b"\xff")
    refused(tmp_path, rf"is a folder with 3 \*\{suffix}; 0\{suffix} {message}")


def test_folders(tmp_path):
    refused(tmp_path, "is a folder without annotation files")
    dataset = write_shapes(tmp_path / "pictures", 1)
    refused(tmp_path / "pictures", "is a folder of pictures; name an annotation file, and this folder with --images")
    dataset.save(tmp_path / "annotations" / "train.json")
    refused(tmp_path, "is a folder; name the annotation file in it, such as annotations/train.json")
    refused(tmp_path / "annotations", "such as train.json")


def test_archives(tmp_path):
    for names, message in (
        (["1.jpg", "annotations/train.json"], "is an archive; unpack it.*such as annotations/train.json"),
        ([], "is an archive; unpack it"),
    ):
        with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
            for name in names:
                archive.writestr(name, "{}")
            archive.writestr("é.bin", bytes(range(256)))
        refused(tmp_path / "in.zip", message)
    refused(write(tmp_path / "in.gz", b"\x1f\x8b\x08\x00\xff"), "is an archive")
