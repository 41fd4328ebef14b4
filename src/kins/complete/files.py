"""`kins complete` for files: anything with visible masks in, a prediction file out, image by image."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from kins.complete.completer import Completer
from kins.errors import KinsError
from kins.formats import folders, load, parquet, recognise
from kins.formats.document import read_document
from kins.formats.prediction_writer import PredictionWriter
from kins.formats.results import load_results
from kins.records import Dataset, Scene
from kins.work import progress


@dataclasses.dataclass(frozen=True)
class Summary:
    """What was done: images and instances written, and how many of these grew."""

    images: int
    instances: int
    completed: int


def open_masks(
    source: str | Path,
    images: str | Path | None = None,
    categories: Sequence[str] | None = None,
    like: str | Path | None = None,
) -> Dataset:
    """Visible masks or boxes of a data set, of predictions, or of another system's results.

    The latter are in `kins.formats.results`.

    Args:
        images: folder of the pictures.
        categories: class names of results that have numbers alone, the first with the number 0.
        like: annotation file whose images and categories results are about.

    Raises:
        KinsError: nothing that holds masks.
    """
    if like is None and categories is None and (parquet.matches(Path(source)) or folders.find(Path(source))):
        return load(source, images=images, masks="inmodal")
    truth = None if like is None else load(like, images=images, masks="inmodal")
    if Path(source).is_dir() or like is not None or categories is not None or not _is_data_set(Path(source)):
        return load_results(source, images, categories, truth)
    return load(source, images=images, masks="inmodal")


def _is_data_set(path: Path) -> bool:
    """Whether a file is in one of the formats and lists its images: then it needs no help to be read."""
    if path.suffix != ".json":
        return False
    document = read_document(path)
    try:
        return recognise(document) != "predictions" or document.images is not None
    except KinsError:
        return False


def complete_files(
    dataset: Dataset, out: str | Path, completer: Completer, show: str | Path | None = None, name: str = ""
) -> Summary:
    """Complete every image and write the prediction file; what was interrupted goes on with the same call.

    Scores, classes and ids stay. Instances without a score, as those of annotations are, get 1 and the id of their
    annotation as `annotation_id`.

    Args:
        completer: see Completer.
        show: folder to draw each image into.
        name: of the method, which the file states.

    Raises:
        KinsError: an instance without an inmodal mask, a damaged mask, a picture that is needed and can't be read.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> from kins.complete.files import complete_files
        >>> summary = complete_files(write_shapes("pictures", 2), "whole.json", kins.Completer.load("convex-order"))
        >>> summary.images, summary.instances
        (2, 8)
        >>> kins.load("whole.json")
        Dataset(whole.json: 2 images, 3 categories: disc, box, triangle)
    """
    images = instances = completed = 0
    info = {"completed by": name, "from": str(dataset.path or "")}
    with PredictionWriter(out, dataset.categories, info, resume=True) as writer:
        for image in progress(list(dataset.images.values()), "completing"):
            images += 1
            if image.id in writer.done:
                continue
            scene = complete_image(dataset, image.id, completer)
            writer.add(scene)
            instances += len(scene)
            completed += sum(instance.occlusion_rate > 0 for instance in scene)
            if show is not None:
                _draw(scene, Path(show))
    return Summary(images, instances, completed)


def complete_image(dataset: Dataset, image_id: int, completer: Completer) -> Scene:
    """One image, as predictions hold it. Raises KinsError, naming the data set's file."""
    scene = dataset[image_id]
    try:
        done = completer.scene(scene)
    except KinsError as error:
        said = str(error)
        boxes = any(i.inmodal is None and (i.inmodal_box or i.amodal_box) for i in scene)
        if boxes and said.endswith("has no inmodal mask, which is needed here"):
            said += "; --with boxes finds the masks of boxes, in the pictures"
        if dataset.path is None or str(dataset.path) in said:
            raise KinsError(said) from None
        raise KinsError(f"{dataset.path}: {said}") from None
    scored = (
        i if i.score is not None else i.replace(score=1.0, extra={**i.extra, "annotation_id": i.id}) for i in done
    )
    return done.replace(instances=tuple(scored))


def _draw(scene: Scene, folder: Path) -> None:
    from kins.draw.scene import draw, write_picture

    write_picture(draw(scene), folder / f"{scene.image.id}-{Path(scene.image.file_name).stem}.png")
