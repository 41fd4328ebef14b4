"""Makes the files of corpus/: small, sound and synthetic ones of every kind that kins reads.

usage: python -m tests.fuzz.make_corpus
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture
from safetensors.torch import save_file

import kins
from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.formats import PredictionWriter
from kins.formats.tools import SINGLE, TOOLS

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    CORPUS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_shapes(folder, 2, size=(12, 16))
        annotations(dataset)
        results(dataset)
    pictures()
    (CORPUS / "settings.yaml").write_text("model:\n  name: asn\n  channels: 64\ntrain:\n  steps: 10\n  drops: [0.5]\n")
    config = load_config("tiny")
    (CORPUS / "config.json").write_text(json.dumps(config.model_dump(mode="json")))
    (CORPUS / "log.csv").write_text("step,seconds,lr,loss\n1,0.5,0.01,3.25\n2,1.5,0.01,2.5\n")
    (CORPUS / "streets.json").write_text('{"generator": "kins streets", "version": 3, "seed": 1, "variety": "usual"}\n')
    weights()


def annotations(dataset: kins.Dataset) -> None:
    """One file for each format, of masks as polygons and as run lengths."""
    triangle = kins.Mask.from_polygons([[1, 1, 9, 1, 9, 9.5]], 12, 16)

    def mixed(scene: kins.Scene) -> kins.Scene:
        first, *others = (i.replace(score=0.5, occlusion_score=0.25, cluster=0, order=k) for k, i in enumerate(scene))
        return scene.replace(instances=(first.replace(amodal=triangle, inmodal=triangle & first.inmodal), *others))

    scored = dataset.map(mixed)
    for name in kins.formats.FORMATS:
        plain = scored.map(lambda s: s.replace(instances=tuple(i.replace(score=None, occlusion_score=None) for i in s)))
        target = CORPUS / f"{name}{SINGLE.get(name, '.json')}"
        if name in TOOLS and name not in SINGLE:  # a file a picture
            with tempfile.TemporaryDirectory() as folder:
                plain.save(folder, format=name)
                shutil.copy(sorted(Path(folder).glob("0*.json"))[0], target)
        else:
            (scored if name == "predictions" else plain).save(target, format=name, masks="amodal")
    plain.save(CORPUS / "table.parquet", format="parquet")
    folders()
    writer = PredictionWriter(CORPUS / "whole.json", dict(scored.categories))
    for scene in scored:
        writer.add(scene)
    shutil.copy(writer.part, CORPUS / "unfinished.part")
    writer.close()
    (CORPUS / "whole.json").unlink()


def folders() -> None:
    """Label files of the picture of 16 x 12 pixels."""
    (CORPUS / "yolo.txt").write_text("0 0.25 0.25 0.75 0.25 0.75 0.75\n1 0.5 0.5 0.25 0.5\n")
    (CORPUS / "yolo.yaml").write_text("path: .\ntrain: images\nval: [images]\nnames: {0: car, 1: van}\n")
    box = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
    thing = f"<object><name>dog</name><truncated>1</truncated>{box}</object>"
    size = "<size><width>16</width><height>12</height><depth>3</depth></size>"
    (CORPUS / "voc.xml").write_text(f"<annotation><filename>a.png</filename>{size}{thing}</annotation>\n")
    numbers = np.zeros((12, 16), np.uint8)
    numbers[2:8, 1:9] = 1
    numbers[9:11] = 255
    Picture.fromarray(numbers).save(CORPUS / "voc.png")
    Picture.fromarray(numbers.astype(np.uint16) * 26001).save(CORPUS / "cityscapes.png")
    Picture.fromarray((numbers == 1).astype(np.uint16) * 26001).save(CORPUS / "amodalsynthdrive.png")
    whole = {"size": [12, 16], "counts": kins.Mask.from_box((1, 2, 9, 6), 12, 16).counts}
    things = {"26001": {"occluded": True, "amodal_mask": whole, "occlusion_mask": []}, "27001": {"category_id": 27}}
    (CORPUS / "amodalsynthdrive.json").write_text(json.dumps(things))
    outlines = [
        ("car", [[1, 1], [9, 1], [9, 8]]),
        ("road", [[5, 0], [16, 0], [16, 12]]),
        ("cargroup", [[0, 9], [4, 9], [4, 12]]),
    ]
    objects = [{"label": label, "polygon": polygon} for label, polygon in outlines]
    (CORPUS / "cityscapes.json").write_text(json.dumps({"imgHeight": 12, "imgWidth": 16, "objects": objects}))
    numbers_of = "0.5 1 -1.5 {} 1.5 1.6 4 -1 1.7 20 -1.6\n"
    lines = ["Car " + numbers_of.format("1 2 9 8"), "DontCare " + numbers_of.format("0 0 3 3")]
    (CORPUS / "kitti.txt").write_text("".join(lines))


def results(dataset: kins.Dataset) -> None:
    """Results of other systems for the first image."""
    rle = {"size": [12, 16], "counts": dataset[0][0].amodal.counts}
    files = {
        "results_coco": [{"image_id": 0, "category_id": 1, "score": 0.5, "segmentation": rle, "bbox": [1, 2, 3, 4]}],
        "results_sam": [{"segmentation": rle, "bbox": [1, 2, 3, 4], "predicted_iou": 0.9, "area": 7}],
        "results_inferencer": {"labels": [1], "scores": [0.5], "bboxes": [[1, 2, 4, 6]], "masks": [rle]},
        "results_ultralytics": [
            {"name": "box", "class": 0, "confidence": 0.5, "box": {"x1": 1, "y1": 2, "x2": 9, "y2": 8}}
            | {"segments": {"x": [1, 9, 9], "y": [2, 2, 8]}}
        ],
    }
    for name, value in files.items():
        (CORPUS / f"{name}.json").write_text(json.dumps(value))


def pictures() -> None:
    pixels = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)
    for suffix in ("png", "jpg", "webp", "tif", "bmp", "gif"):
        Picture.fromarray(pixels).save(CORPUS / f"picture.{suffix}")
    Picture.fromarray(pixels[..., 0].astype(np.uint16) * 200).save(CORPUS / "grey.png")


def weights() -> None:
    """What the header of weights holds, of a network far too small."""
    facts = {"config": load_config("tiny").model_dump(mode="json"), "categories": {"1": "box"}, "step": 1}
    tensors = {"model.weight": torch.ones(2, 3), "model.bias": torch.ones(2, dtype=torch.float16)}
    told = {key: json.dumps(value) for key, value in (facts | {"seconds": 1.0, "best": 0.5}).items()}
    save_file(tensors, CORPUS / "small.safetensors", told)


if __name__ == "__main__":
    main()
