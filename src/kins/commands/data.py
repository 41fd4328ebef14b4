"""kins data: merge, split, filter and crop data sets."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kins.commands.options import As, From, Images

if TYPE_CHECKING:
    from kins.records import Dataset

app = typer.Typer(help="Merge, split, filter and crop data sets.", no_args_is_help=True)

In = Annotated[Path, typer.Argument(metavar="IN", help="Annotation or prediction file to read, of any format.")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="File to write.")]
To = Annotated[
    str | None,
    typer.Option(
        "--to", metavar="FORMAT", help="Format to write: see kins convert. KINS 2020, or predictions for predictions."
    ),
]


@app.command("merge")
def merge(
    sources: Annotated[list[Path], typer.Argument(metavar="IN...", help="Files to read, of any formats.")],
    target: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="File to write.")],
    to: To = None,
    from_: From = None,
    as_: As = None,
    images: Images = None,
) -> None:
    """Several data sets in one file: categories joined by name, new ids where several have one, and what clashed.

    Example: kins data merge monday.json tuesday.json -o both.json
    """
    from kins.files import check_output
    from kins.files.terminal import say
    from kins.formats import load

    check_output(target, [*sources, images])
    parts = [load(path, images=images, format=from_, masks=as_) for path in sources]
    clashes: list[str] = []
    merged = parts[0].merge(*parts[1:], clashes=clashes)
    for line in clashes:
        say(f"clash: {line}", err=True)
    _write(merged, target, to, as_)


@app.command("split")
def split(
    source: In,
    targets: Annotated[list[Path], typer.Argument(metavar="OUT...", help="Files to write, one for each part.")],
    shares: Annotated[
        str | None,
        typer.Option(
            "--shares", metavar="NUMBERS", help="In which proportion, such as 8,1,1; equal parts if not given."
        ),
    ] = None,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Give each part about its share of every class, rare ones first.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another number chooses other images.")] = 0,
    to: To = None,
    from_: From = None,
    as_: As = None,
    images: Images = None,
) -> None:
    """The images of a data set in several files, chosen at random, the same ones for the same seed.

    Example: kins data split all.json train.json val.json test.json --shares 8,1,1
    """
    from kins.errors import KinsError
    from kins.files import check_output
    from kins.formats import load
    from kins.records.dividing import divided

    try:
        numbers = [float(number) for number in shares.split(",")] if shares else [1.0] * len(targets)
    except ValueError:
        numbers = []
    if len(numbers) != len(targets):
        raise KinsError(f"--shares {shares}: give a number for each of the {len(targets)} files to write, as in 8,1,1")
    if len({path.resolve() for path in targets}) < len(targets):
        raise KinsError("two of the files to write have the same name")
    check_output(targets, [source, images])
    dataset = load(source, images=images, format=from_, masks=as_)
    parts = divided(dataset, numbers, seed, balanced)
    for number, (target, ids) in enumerate(zip(targets, parts, strict=True), 1):
        part = dataset.select(ids)
        if isinstance(info := part.extra.get("info", {}), dict):
            how = {"from": source.name, "part": number, "shares": numbers, "seed": seed, "balanced": balanced}
            part.extra = {**part.extra, "info": {**info, "split": how}}
        _write(part, target, to, as_)


@app.command("filter")
def filter_(
    source: In,
    target: Out,
    category: Annotated[
        list[str] | None, typer.Option("--category", metavar="NAME", help="Keep this class alone; again for more.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="PATTERN", help="Keep images whose file name is like this, as 0001*; again."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="LOW-HIGH", help="Keep instances with an occlusion rate in this range."),
    ] = None,
    area: Annotated[
        int, typer.Option("--area", min=0, help="Keep instances whose amodal mask has at least so many pixels.")
    ] = 0,
    score: Annotated[
        float, typer.Option("--score", min=0, max=1, help="Keep detections with at least this score.")
    ] = 0.0,
    occupied: Annotated[
        bool, typer.Option("--occupied", help="Leave out images in which no instance is left.")
    ] = False,
    to: To = None,
    from_: From = None,
    as_: As = None,
    images: Images = None,
) -> None:
    """Only some images and instances; all that is asked for must hold. The list of categories stays whole.

    Example: kins data filter all.json hidden.json --category car --rate 0.25-1 --occupied
    """
    from kins.files import check_output
    from kins.formats import load

    low, high = _range(rate)
    check_output(target, [source, images])
    dataset = load(source, images=images, format=from_, masks=as_)
    kept = dataset.filter(
        lambda i: (
            (not area or i.whole is None or i.whole.area >= area)
            and (i.score is None or i.score >= score)
            and (rate is None or low <= i.occlusion_rate <= high)
        ),
        images=lambda image: not name or any(fnmatch.fnmatch(image.file_name, pattern) for pattern in name),
        categories=category,
    )
    if occupied:
        kept = kept.select([image_id for image_id in kept.images if len(kept[image_id])])
    _write(kept, target, to, as_)


@app.command("crop")
def crop(
    source: In,
    target: Out,
    window: Annotated[
        str, typer.Option("--window", metavar="X,Y,W,H", help="Left, top, width and height of the window in pixels.")
    ],
    area: Annotated[
        int, typer.Option("--area", min=1, help="Leave out instances with fewer pixels of their amodal mask in it.")
    ] = 1,
    to: To = None,
    from_: From = None,
    as_: As = None,
    images: Images = None,
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", metavar="DIR", help="Also cut the pictures in --images, into PNG files here."),
    ] = None,
) -> None:
    """What a window shows of each image; masks end at the window, images that it misses are left out.

    Example: kins data crop all.json right.json --window 621,0,621,375 --images image_2 --pictures right
    """
    from kins.errors import KinsError
    from kins.files import check_output
    from kins.files.terminal import say
    from kins.formats import load

    try:
        x, y, width, height = (int(number) for number in window.split(","))
    except ValueError:
        raise KinsError(f"--window {window}: give x, y, width and height in pixels, as in 0,0,640,375") from None
    if pictures is not None and images is None:
        raise KinsError("--pictures needs --images, the folder of the pictures to cut")
    check_output(target, [source, images])
    dataset = load(source, images=images, format=from_, masks=as_)
    cut = dataset.crop((x, y, width, height), area, None if pictures is None else ".png")
    if missed := len(dataset) - len(cut):
        say(f"left out: {missed} images that the window misses", err=True)
    if dataset.contents and images is None:
        say(f"not kept: pictures that lie in the file itself ({len(dataset.contents)} images)", err=True)
    if pictures is not None:
        _cut_pictures(dataset, cut, (x, y, width, height), pictures)
    _write(cut, target, to, as_)


def _cut_pictures(dataset: Dataset, cut: Dataset, window: tuple[int, int, int, int], folder: Path) -> None:
    """Writes what the window shows of each picture."""
    from kins.draw.scene import write_picture
    from kins.files import check_output, inside
    from kins.records.cropping import window_in

    paths = {key: inside(folder, image.file_name) for key, image in cut.images.items()}
    check_output(paths.values(), [dataset.images_dir])
    for image_id, path in paths.items():
        place = window_in(dataset.images[image_id], window)
        assert place is not None
        x, y, width, height = place
        write_picture(dataset[image_id].read_image()[y : y + height, x : x + width], path)


def _range(text: str | None) -> tuple[float, float]:
    from kins.errors import KinsError

    try:
        low, high = (float(number) for number in (text or "0-1").split("-"))
    except ValueError:
        low, high = 1.0, 0.0
    if not 0 <= low <= high <= 1:
        raise KinsError(f"--rate {text}: give two numbers from 0 to 1, as in 0.25-1")
    return low, high


def _write(dataset: Dataset, target: Path, to: str | None, as_: str | None) -> None:
    """Write the file, and say how much is in it and what is not."""
    from kins.files.terminal import say

    counted = scored = 0
    for scene in dataset:
        counted += len(scene)
        scored += sum(instance.score is not None for instance in scene)
    format = to or ("predictions" if counted and scored == counted else "kins2020")
    for line in dataset.save(target, format=format, masks=as_):  # type: ignore[arg-type]
        say(f"not kept: {line}", err=True)
    say(f"{target}: {len(dataset)} images, {counted} instances, {len(dataset.categories)} categories")
