"""Whether a folder of data is as it should be: its annotation files, and the pictures that they name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kins.errors import KinsError
from kins.files.pictures import SUFFIXES
from kins.formats import Masks, folders, load, recognise
from kins.formats.document import read_document
from kins.formats.names import coco_category
from kins.records import Dataset
from kins.validate.parts import Line

MOST_ENTRIES = 1_000_000
"""Files that are looked at; KITTI's pictures are 15,000, COCO's 123,000."""
DEPTH = 5
MOST_FOLDERS = 100
"""Folders that are looked into for data sets with a file for each picture."""
PUBLISHED = {
    ("kins2020", 7474): (95311, "KINS 2020, training"),
    ("kins2020", 7517): (92492, "KINS 2020, test"),
    ("kins2019", 7474): (95311, "KINS 2019, training"),
    ("kins2019", 7517): (92492, "KINS 2019, test"),
    ("cocoa", 2500): (None, "COCOA, training"),
    ("cocoa", 1323): (None, "COCOA, validation"),
    ("cocoa", 1250): (None, "COCOA, test"),
}
"""Instances, as commonly reported, and name of a published file by its format and count of images."""
NAMED = {
    "update_train_2020.json": ("kins2020", 7474),
    "update_test_2020.json": ("kins2020", 7517),
    "COCO_amodal_train2014.json": ("cocoa", 2500),
    "COCO_amodal_val2014.json": ("cocoa", 1323),
    "COCO_amodal_test2014.json": ("cocoa", 1250),
}
"""What published files of these names are."""
SPLITS = ("train", "test", "val")
"""How names of files and of folders start, or what they have in them, that belong together."""
KITTI = {("training", "image_2"): 7481, ("testing", "image_2"): 7518}
"""Pictures of KITTI's object benchmark by folder."""
D2SA_CATEGORIES = 60


def examine(folder: str | Path, coco_names: bool = False) -> list[Line]:
    """What is in a folder of data, and whether it is whole.

    Args:
        folder: the folder; files up to five folders deep are looked at.
        coco_names: also count how many of the files' category names are one of COCO's eighty.

    Returns:
        Lines of what was found; `good` is False where something is missing or can't be read, None where it is
        merely unusual.

    Raises:
        KinsError: there is no such folder.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> write_shapes("data/pictures", 2).save("data/truth.json")
        []
        >>> for line in kins.validate.examine("data"):
        ...     print(line.of, "-", line.said)
        data/pictures - 2 pictures
        data/truth.json - kins2020, 2 images, 8 instances, 3 categories
        data/truth.json - all pictures are in data/pictures
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise KinsError(f"{folder}: no such folder; name the one that holds annotation files and pictures")
    pictures, files = _contents(folder)
    lines = [_pictures(path, len(names)) for path, names in pictures.items()]
    kinds = _kinds(folder)
    for path, kind in kinds.items():
        lines += _labels(path, kind, pictures)
    files = [path for path in files if not any(root in path.parents for root in kinds)]
    for path in files:
        lines += _file(path, pictures, coco_names)
    if not lines:
        lines.append(Line(str(folder), False, "holds neither pictures nor annotation files"))
    elif not files and not kinds:
        lines.append(Line(str(folder), None, "holds no annotation file (.json)"))
    return lines


def _contents(folder: Path) -> tuple[dict[Path, set[str]], list[Path]]:
    """The names of pictures by folder, and the JSON files."""
    pictures: dict[Path, set[str]] = {}
    files: list[Path] = []
    for place, name in _walk(folder):
        if name.lower().endswith(SUFFIXES):
            pictures.setdefault(place, set()).add(name)
        elif name.lower().endswith(".json"):
            files.append(place / name)
    return dict(sorted(pictures.items())), sorted(files)


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    seen = 0
    for place, below, names in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        below[:] = sorted(name for name in below if not name.startswith(".")) if depth < DEPTH else []
        for name in names:
            seen += 1
            if seen > MOST_ENTRIES:
                raise KinsError(f"{folder}: holds more than {MOST_ENTRIES} files; name a folder further inside")
            if not name.startswith("."):
                yield Path(place), name


def _kinds(folder: Path) -> dict[Path, str]:
    """The data sets with a file for each picture (YOLO, KITTI, ...) by folder: this one, or those directly in it."""
    if kind := folders.find(folder):
        return {folder: kind}
    below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return {path: kind for path in below[:MOST_FOLDERS] if (kind := folders.find(path))}


def _labels(path: Path, kind: str, pictures: dict[Path, set[str]]) -> list[Line]:
    used: Counter[str] = Counter()
    try:
        dataset = folders.read(path, kind, None, None)
        for scene in dataset:
            used.update(instance.category for instance in scene)
    except KinsError as error:
        return [Line(str(path), None, f"{kind}: {str(error).removeprefix(f'{path}: ')}")]
    lines = [_counts(path, dataset, kind, used)]
    if dataset.images_dir is not None:
        lines.append(_found(path, dataset, pictures))
    return lines + [Line(str(path), None, f"left out: {line}") for line in dataset.left_out]


def _pictures(path: Path, count: int) -> Line:
    wanted = KITTI.get((path.parent.name, path.name))
    said = f"{count} picture{'s' if count != 1 else ''}"
    if wanted is None or count == wanted:
        return Line(str(path), True, said + (", all of KITTI's" if wanted else ""))
    return Line(str(path), None, f"{said}; KITTI has {wanted} in a folder of this name")


def _file(path: Path, pictures: dict[Path, set[str]], coco_names: bool) -> list[Line]:
    used: Counter[str] = Counter()
    try:
        document = read_document(path)
        try:
            format = recognise(document)
        except KinsError as error:  # no annotations, perhaps settings of something
            return [Line(str(path), None, str(error).removeprefix(f"{path}: "))]
        lone = format == "cocoa" and document.content is not None  # their pictures tell their sizes
        masks: Masks | None = "amodal" if format in ("coco", "predictions") else None
        dataset = load(path, format=format, masks=masks, images=path.parent if lone else None)
        for scene in dataset:
            used.update(instance.category for instance in scene)
    except KinsError as error:
        return [Line(str(path), False, str(error).removeprefix(f"{path}: "))]
    lines = [_counts(path, dataset, format, used), _found(path, dataset, pictures)]
    lines += [Line(str(path), None, f"left out: {line}") for line in dataset.left_out]
    lines += _categories(path, dataset, format, used)
    return lines + ([_coco_names(path, used)] if coco_names else [])


def _counts(path: Path, dataset: Dataset, format: str, used: Counter[str]) -> Line:
    total = used.total()
    said = f"{format}, {len(dataset)} images, {total} instances, {len(dataset.categories)} categories"
    named = NAMED.get(path.name)
    if named and named != (format, len(dataset)):
        what = f"the published file of this name ({PUBLISHED[named][1]}) is {named[0]} with {named[1]} images"
        return Line(str(path), None, f"{said}; {what}")
    if (format, len(dataset)) not in PUBLISHED:
        return Line(str(path), True, said)
    instances, name = PUBLISHED[format, len(dataset)]
    if instances is None or instances == total:
        return Line(str(path), True, f"{said}: as published ({name})")
    return Line(str(path), None, f"{said}: {name} has {instances} instances, as commonly reported")


def _found(path: Path, dataset: Dataset, pictures: dict[Path, set[str]]) -> Line:
    """Where the pictures of a file are: in the folder that holds most of them, rather in one of its own split (KITTI's
    names are the same in both)."""
    names = {image.file_name for image in dataset.images.values()}
    held = {folder: sum((folder / name).is_file() for name in names) for folder in _roots(names, pictures)}
    split = next((word for word in SPLITS if word in path.name.lower()), None)

    def rank(folder: Path) -> tuple[bool, int]:
        own = split is not None and any(part.lower().startswith(split) for part in folder.parts)
        return own and 2 * held[folder] >= len(names), held[folder]

    best = max(held, key=rank, default=None)
    if best is None or not held[best]:
        return Line(str(path), False, f"none of its {len(names)} pictures is in this folder")
    absent = sorted(name for name in names if not (best / name).is_file())
    if not absent:
        return Line(str(path), True, f"all pictures are in {best}")
    shown = ", ".join(absent[:3]) + (", ..." if len(absent) > 3 else "")
    return Line(str(path), False, f"{len(absent)} of {len(names)} pictures are not in {best}: {shown}")


def _roots(names: set[str], pictures: dict[Path, set[str]]) -> list[Path]:
    """Folders that file names may start from: those of pictures, and those above them as deep as the names are."""
    depth = max((name.count("/") for name in names), default=0)
    return list(dict.fromkeys(root for path in pictures for root in (path, *list(path.parents)[:depth])))


def _categories(path: Path, dataset: Dataset, format: str, used: Counter[str]) -> list[Line]:
    lines = []
    listed = set(dataset.categories.values())
    if format.startswith("kins") and "rider" in listed:
        if used["rider"]:
            lines.append(Line(str(path), None, f"{used['rider']} instances of rider; KINS as published holds none"))
        else:
            lines.append(Line(str(path), True, "no instance of rider, as in KINS, which lists the class"))
    if format in ("cocoa-cls", "d2sa") and len(listed) == D2SA_CATEGORIES:
        lines.append(Line(str(path), True, f"{D2SA_CATEGORIES} categories, as D2SA has"))
    if unused := sorted(listed - set(used) - {"rider"}):
        shown = ", ".join(unused[:5]) + (", ..." if len(unused) > 5 else "")
        lines.append(Line(str(path), None, f"{len(unused)} categories without an instance: {shown}"))
    return lines


def _coco_names(path: Path, used: Counter[str]) -> Line:
    meant = {name for name in used if coco_category(name) is not None}
    instances = sum(used[name] for name in meant)
    said = (
        f"{len(meant)} of {len(used)} names, {instances} of {used.total()} instances, are one of COCO's 80 categories"
    )
    return Line(str(path), True, f"{said} (kins convert --coco-names)")
