"""The files that command lines of the documentation name, small ones."""

import json
import tarfile
from pathlib import Path

import numpy as np
import PIL.Image
from tests.helpers import random_detector

import kins
from kins.demo.toys import write_shapes
from kins.formats.kins2020 import CATEGORIES
from kins.masks import Mask


def make_data(folder: Path) -> None:
    """Write the files that the lines name, small ones, into a new folder."""
    for place in ("shared/tars", "coco/annotations", "runs/asn", "docs"):
        (folder / place).mkdir(parents=True)
    for root, names in (("streets", ("train", "test")), ("kins", ("update_train_2020", "update_test_2020"))):
        for part, name, count in zip(("training", "testing"), names, (3, 1), strict=True):
            _shapes(folder / root / part / "image_2", count).save(folder / root / f"{name}.json")
    for place in ("photos", "image_2", "testing/image_2", "DIR", "PHOTOS", "coco8-seg/images"):
        truth = _shapes(folder / place, 1)
    found = kins.Dataset.from_scenes(
        [scene.replace(instances=tuple(i.replace(score=0.9) for i in scene)) for scene in truth], truth.categories
    )
    for name in ("test", "truth", "TRUTH", "seen"):
        truth.save(folder / f"{name}.json" if name.islower() else folder / name, "kins2020")
    for name in ("predictions.json", "found.json", "PRED", "boxes.json"):
        found.save(folder / name, "predictions")
    truth.save(folder / "coco8-seg", "yolo", masks="inmodal")
    for name in ("coco.json", "coco/annotations/instances_train2017.json", "instances.json"):
        truth.save(folder / name, "coco", masks="inmodal")
    _write_orders(folder, truth)
    _write_annotators(folder)
    _write_labels(folder)
    with tarfile.open(folder / "shared" / "tars" / "0.tar", "w") as archive:
        archive.add(folder / "photos" / "000000.png", "000000.png")
    random_detector(folder / "runs" / "asn" / "best.safetensors")
    _write_streets(folder)


def _shapes(folder: Path, count: int) -> kins.Dataset:
    """Pictures of shapes that are called as KINS's classes."""
    scenes = write_shapes(folder, count, (64, 96))
    named = [
        scene.replace(instances=tuple(i.replace(category=CATEGORIES[i.category_id]) for i in scene)) for scene in scenes
    ]
    return kins.Dataset.from_scenes(named, CATEGORIES, images_dir=folder)


def _write_orders(folder: Path, truth: kins.Dataset) -> None:
    """InstaOrder's file, and COCO's beside it; results of a detector, as detectron2 writes them."""
    rows = json.loads((folder / "instances.json").read_text())["annotations"]
    order = [{"order": "0<1", "count": 2, "overlap": False}]
    entry = {"image_id": 0, "instance_ids": [row["id"] for row in rows], "occlusion": order, "depth": order}
    for orders, instances in (("orders", "instances"), ("InstaOrder_val2017", "instances_val2017")):
        (folder / f"{orders}.json").write_text(json.dumps({"annotations": [entry]}))
        truth.save(folder / f"{instances}.json", "coco", masks="inmodal")
    results = [{key: row[key] for key in ("image_id", "category_id", "bbox", "segmentation")} for row in rows]
    text = json.dumps([{**row, "score": 0.9} for row in results])
    (folder / "coco_instances_results.json").write_text(text)


def _write_annotators(folder: Path) -> None:
    """COCOA's files, one with two annotators."""
    squares = [[0, 0, 20, 0, 20, 20, 0, 20], [10, 0, 30, 0, 30, 20, 10, 20]]
    regions = [{"segmentation": square, "name": "car", "order": k + 1} for k, square in enumerate(squares)]
    images = [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}]
    for name, count in (("IN", 1), ("FILE", 2)):
        entries = [{"image_id": 1, "id": k + 1, "regions": regions} for k in range(count)]
        (folder / name).write_text(json.dumps({"images": images, "annotations": entries}))


def _write_labels(folder: Path) -> None:
    """A folder as Pascal VOC has it, one as KITTI's."""
    sides = "<xmin>5</xmin><ymin>5</ymin><xmax>60</xmax><ymax>50</ymax>"
    size = "<size><width>96</width><height>64</height><depth>3</depth></size>"
    dog = f"<object><name>dog</name><bndbox>{sides}</bndbox></object>"
    text = f"<annotation><filename>a.jpg</filename>{size}{dog}</annotation>"
    car = "Car 0.00 0 -1.57 10.00 10.00 70.00 50.00 1.50 1.60 3.90 1.00 1.50 8.00 -1.57"
    files = {"VOC2012/Annotations/a.xml": text, "training/label_2/000000.txt": car}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(content)
    for name in ("VOC2012/JPEGImages/a.jpg", "training/image_2/000000.png"):
        (folder / name).parent.mkdir(parents=True)
        PIL.Image.new("RGB", (96, 64), (90, 90, 90)).save(folder / name)


def _street(shift: float) -> kins.Dataset:
    """Two pictures of KITTI's size with four things each, ids from 10."""
    scenes = []
    for key in (10, 11):
        picture = kins.Image(key, f"{key:06}.png", 375, 1242)
        masks = [Mask.from_box((x + shift, 100, 150, 90), 375, 1242) for x in (300, 400, 700, 780)]
        seen = [mask - masks[k - 1] if k % 2 else mask for k, mask in enumerate(masks)]
        objects = [
            kins.Instance(
                10 * key + k, 4, "car", mask, visible, order=k % 2, cluster=k // 2, extra={"distance": 5.0 + k}
            )
            for k, (mask, visible) in enumerate(zip(masks, seen, strict=True))
        ]
        scenes.append(kins.Scene(picture, tuple(objects)))
    return kins.Dataset.from_scenes(scenes, {4: "car"})


def _write_streets(folder: Path) -> None:
    """Those of the pages on data and on occlusion: of KITTI's size, by several people, in several formats."""
    dataset = _street(0)
    for image in dataset.images.values():
        PIL.Image.fromarray(np.full((375, 1242, 3), 90, np.uint8)).save(folder / "image_2" / image.file_name)
    for name in ("update_train_2020", "update_test_2020", "first", "in", "out"):
        dataset.save(folder / f"{name}.json")
    for shift, name in enumerate(("second", "third"), 1):
        _street(3 * shift).save(folder / f"{name}.json")
    for name in ("monday", "tuesday"):
        scenes = [
            scene.replace(image=kins.Image(scene.image.id, f"{name}{scene.image.file_name}", 375, 1242))
            for scene in dataset
        ]
        kins.Dataset.from_scenes(scenes, dataset.categories).save(folder / f"{name}.json")
        for scene in dataset:
            (folder / "image_2" / f"{name}{scene.image.file_name}").symlink_to(scene.image.file_name)
    dataset.save(folder / "instances_train.json", format="kins2019")
    for kind, name in (("amodal", "amodal"), ("inmodal", "visible")):
        dataset.save(folder / f"{name}.json", format="coco", masks=kind)
