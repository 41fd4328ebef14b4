"""Amodal data from modal data: cut-out instances pasted over others, so that what they hide is known.

The visible mask that an instance has before pasting becomes its amodal mask; what later pastes leave of it, its inmodal
mask. So the truth is exact with respect to the input's masks: parts that were hidden in the photograph already are
not invented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from kins.draw.scene import write_picture
from kins.errors import KinsError
from kins.files.pictures import read_picture
from kins.occlusion import with_order
from kins.records import Dataset, Image, Instance, Scene
from kins.synth_occlude.paste import Cutout, Pixels, can_be_cut_out, cut_out, paste_over
from kins.work import progress

MIN_SIDE = 24
"""Cut-outs are taken from instances of at least so many pixels in width and height, away from the border."""


def synth_occlude(dataset: Dataset, out: str | Path, pastes: int = 3, seed: int = 0) -> Dataset:
    """Writes OUT/images/*.png and OUT/annotations.json (KINS 2020) with up to `pastes` cut-outs a picture.

    Args:
        dataset: instances with inmodal masks (or amodal ones, used where there is no inmodal one) and an image folder.
        seed: the same seed gives the same pictures.

    Raises:
        KinsError: no image folder, an unreadable picture, or `out` is not empty.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> photographs = write_shapes("pictures", 2)
        >>> made = kins.synth_occlude.synth_occlude(photographs, "pasted", pastes=3, seed=1)
        >>> [len(scene) for scene in photographs], [len(scene) for scene in made]
        ([3, 5], [6, 8])
        >>> made[0].image.extra
        {'source': '000000.png'}
    """
    out = Path(out)
    if dataset.images_dir is None:
        raise KinsError("synth-occlude needs the pictures; name their folder with --images")
    check_empty(out)
    donors = [(s.image.id, n) for s in dataset for n, i in enumerate(s) if can_be_cut_out(i, MIN_SIDE)]
    if not donors:
        raise KinsError(f"no instance is {MIN_SIDE} pixels wide and high and away from the border: nothing to paste")
    read = lru_cache(maxsize=16)(read_picture)
    scenes = []
    images = progress(list(dataset.images.values()), "pasting")
    for number, image in enumerate(images):
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number])))
        scene = dataset[image.id]
        if scene.image_path is None:
            continue
        picture = read(scene.image_path)
        if picture.shape[:2] != (image.height, image.width):
            raise KinsError(f"{scene.image_path}: is not {image.width} x {image.height} pixels as annotated")
        cutouts = _cutouts(dataset, donors, rng, read)
        made, pixels = pasted_over(scene, picture, cutouts, pastes, rng)
        name = f"{number:06d}.png"
        write_picture(pixels, out / "images" / name)
        extra = {**image.extra, "source": image.file_name}
        scenes.append(made.replace(image=Image(image.id, name, image.height, image.width, extra), image_path=None))
    result = Dataset.from_scenes(_renumbered(scenes), dataset.categories, images_dir=out / "images")
    result.save(out / "annotations.json")
    return result


def check_empty(out: Path) -> None:
    """Raises KinsError if there is something else than an empty folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise KinsError(f"{out}: exists; choose a new or empty folder")


def pasted_over(
    scene: Scene, picture: Pixels, cutouts: Iterator[Cutout], pastes: int, rng: np.random.Generator
) -> tuple[Scene, Pixels]:
    """The scene and its picture (height, width, 3) with up to `pastes` cut-outs over its instances.

    Later pastes lie over earlier ones. Masks of the result: see the module. Where an instance has both masks, its own
    amodal mask stays.
    """
    known = [i for i in scene if not i.crowd and i.whole is not None and i.seen]
    bare = (Instance(n, i.category_id, i.category, i.whole, i.seen, crowd=False) for n, i in enumerate(known))
    made = scene.replace(instances=tuple(bare))
    for _ in range(pastes):
        made, picture = paste_over(made, picture, cutouts, rng)
    return with_order(made), picture


def _cutouts(
    dataset: Dataset, donors: list[tuple[int, int]], rng: np.random.Generator, read: Callable[[Path], Pixels]
) -> Iterator[Cutout]:
    """Without end: one of the donors, (image id, index in the scene), at random."""
    while True:
        image_id, index = donors[int(rng.integers(len(donors)))]
        scene = dataset[image_id]
        assert scene.image_path is not None
        yield cut_out(scene[index], read(scene.image_path))


def _renumbered(scenes: list[Scene]) -> list[Scene]:
    """With annotation ids that count up from 1 over the whole set."""
    start = 1
    result = []
    for scene in scenes:
        result.append(scene.replace(instances=tuple(i.replace(id=start + n, position=n) for n, i in enumerate(scene))))
        start += len(scene)
    return result
