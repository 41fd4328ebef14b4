"""Every reader of kins by the file of the corpus that it reads: all that is done with such a file in earnest.

Bad content raises KinsError, in one line, or does no harm; nothing else comes out, and no other file appears.
"""

import contextlib
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import kins
from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.draw import colors_of
from kins.draw.graph import graph_svg
from kins.files import check_output, made_by_kins
from kins.files.pictures import picture_size, read_picture
from kins.formats.results import load_results
from kins.formats.tools import SINGLE
from kins.occlusion import relations_of
from kins.statistics import compare, statistics
from kins.streets.generate import Settings, _claim
from kins.train.log import _cut
from kins.validate import examine, validate

CORPUS = Path(__file__).parent / "corpus"


@cache
def truth(folder: Path) -> kins.Dataset:
    """What predictions in the corpus are about."""
    return write_shapes(folder / "shapes", 2, size=(12, 16))


def annotations(path: Path, out: Path) -> None:
    for masks in ("amodal", None):
        with contextlib.suppress(kins.KinsError):
            use(kins.load(path, masks=masks), out)
    with contextlib.suppress(kins.KinsError):
        report = validate(path, repaired=out / "fixed.json", workers=1)
        json.dumps(report.as_json())
        report.as_text()
    for line in examine(path.parent):
        assert "\n" not in line.said


def use(dataset: kins.Dataset, out: Path) -> None:
    """All wings, each on its own: what one refuses another may take."""
    for scene in dataset:
        for attempt in (lambda s: draw(s), lambda s: relations_of(s), lambda s: s.unclipped().clipped()):
            with contextlib.suppress(kins.KinsError):
                attempt(scene)
        for mask in (mask for i in scene for mask in (i.amodal, i.inmodal) if mask is not None):
            with contextlib.suppress(kins.KinsError):
                assert 0 <= mask.area == mask.to_array().sum() <= mask.height * mask.width
    scored = dataset.map(lambda s: s.replace(instances=tuple(i.replace(score=0.5) for i in s)))
    for attempt in (
        lambda: statistics(dataset, workers=1).as_json(),
        lambda: compare(dataset, dataset),
        lambda: json.dumps(kins.evaluate(dataset, scored).to_dict()),
        lambda: dataset.merge(dataset),
        lambda: dataset.find("0"),
    ):
        with contextlib.suppress(kins.KinsError):
            attempt()
    for name in ("kins2020", "cocoa", "coco"):
        with contextlib.suppress(kins.KinsError):
            dataset.save(out / "saved.json", format=name, masks="amodal")
            kins.load(out / "saved.json", masks="amodal")


def draw(scene: kins.Scene) -> None:
    kins.draw.draw(scene, scale=1)
    graph_svg(scene, colors_of(scene))


def labels(place: str, *others: str) -> Callable[[Path, Path], None]:
    """A reader of a data set that is a folder, with the file at this place, and what else has to be there."""

    def read(path: Path, out: Path) -> None:
        with TemporaryDirectory(dir=out) as folder:
            root = Path(folder, "set")
            for source, target in (
                (path, place),
                *((CORPUS / name.partition(" ")[0], name.partition(" ")[2]) for name in others),
            ):
                (root / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, root / target)
            for masks in ("amodal", None):
                with contextlib.suppress(kins.KinsError):
                    dataset = kins.load(root, masks=masks)
                    for scene in dataset:
                        assert all(i.whole is None or i.whole.to_array().sum() == i.whole.area for i in scene)
                    dataset.save(out / "saved.json")
            validate(root, workers=1).as_text()
            for line in examine(root):
                assert "\n" not in line.said

    return read


def predictions(path: Path, out: Path) -> None:
    dataset = truth(out)
    for masks in ("amodal", None):
        with contextlib.suppress(kins.KinsError):
            json.dumps(kins.evaluate(dataset, kins.load_predictions(path, dataset, masks=masks)).to_dict())
    annotations(path, out)


def results(path: Path, out: Path) -> None:
    dataset = truth(out)
    for like in (None, dataset):
        with contextlib.suppress(kins.KinsError):
            found = load_results(path, like=like)
            for scene in found:
                for instance in scene:
                    assert instance.inmodal is None or instance.inmodal.area >= 0
    with contextlib.suppress(kins.KinsError):
        kins.load_predictions(path, dataset, masks="inmodal")


def configuration(path: Path, out: Path) -> None:
    load_config(path, ["train.steps=5"]).model_dump_json()


def weights(path: Path, out: Path) -> None:
    from kins.models.weights import RUN_STATE, load, load_network

    for attempt in (lambda: load(path, RUN_STATE), lambda: load_network(path)):
        with contextlib.suppress(kins.KinsError):
            attempt()


def picture(path: Path, out: Path) -> None:
    assert read_picture(path).shape[:2] == picture_size(path)


def log(path: Path, out: Path) -> None:
    _cut(path, 5)


def streets(path: Path, out: Path) -> None:
    _claim(path.parent, Settings(seed=1))


def marked(path: Path) -> None:
    """Whose a file is, which commands ask before they replace it."""
    with contextlib.suppress(kins.KinsError):
        made_by_kins(path)
        check_output(path)


READERS: dict[str, Callable[[Path, Path], None]] = {
    **{f"{name}{SINGLE.get(name, '.json')}": annotations for name in kins.formats.FORMATS},
    "table.parquet": annotations,
    "yolo.txt": labels("labels/a.txt", "picture.png images/a.png"),
    "voc.xml": labels("Annotations/a.xml", "picture.png JPEGImages/a.png", "voc.png SegmentationObject/a.png"),
    "voc.png": labels("SegmentationObject/a.png", "voc.xml Annotations/a.xml", "voc.png SegmentationClass/a.png"),
    "cityscapes.json": labels("gtFine/a_gtFine_polygons.json"),
    "cityscapes.png": labels("gtFine/a_gtFine_instanceIds.png"),
    "amodalsynthdrive.json": labels("x/a_ampano.json", "amodalsynthdrive.png x/a_ampano.png"),
    "amodalsynthdrive.png": labels("x/a_ampano.png", "amodalsynthdrive.json x/a_ampano.json"),
    "kitti.txt": labels("label_2/a.txt", "picture.png image_2/a.png"),
    "yolo.yaml": labels("data.yaml", "yolo.txt labels/a.txt", "picture.png images/a.png"),
    **dict.fromkeys(("predictions.json", "unfinished.part"), predictions),
    **dict.fromkeys((f"results_{name}.json" for name in ("coco", "sam", "inferencer", "ultralytics")), results),
    **dict.fromkeys(("settings.yaml", "config.json"), configuration),
    **dict.fromkeys((f"picture.{suffix}" for suffix in ("png", "jpg", "webp", "tif", "bmp", "gif")), picture),
    "grey.png": picture,
    "log.csv": log,
    "streets.json": streets,
    "small.safetensors": weights,
}
"""By file of the corpus."""


def survives(name: str, content: bytes, folder: Path, out: Path) -> None:
    """Fails if anything but a KinsError of one line comes out of the reader, or a file appears beside the input."""
    path = folder / name
    path.write_bytes(content)
    said = ""
    try:
        marked(path)
        READERS[name](path, out)
    except kins.KinsError as error:
        said = str(error)
    assert "\n" not in said
    assert [p.name for p in folder.iterdir()] == [name]
