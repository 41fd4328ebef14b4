"""Options that several commands have."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def completed(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """For the shell: which of some names start as a word does."""
    return lambda incomplete: [name for name in names() if name.startswith(incomplete)]


def _written() -> list[str]:
    from kins.formats import FORMATS, SEVERAL

    return list(dict.fromkeys((*FORMATS, "parquet", *SEVERAL)))


def _read() -> list[str]:
    from kins.formats.folders import FOLDERS

    return list(dict.fromkeys((*_written(), *FOLDERS)))


def _protocols() -> list[str]:
    from kins.evaluation import PROTOCOLS

    return list(PROTOCOLS)


WRITTEN_NAMES, READ_NAMES, PROTOCOL_NAMES = completed(_written), completed(_read), completed(_protocols)
Annotations = Annotated[
    Path, typer.Argument(metavar="ANN", help="Annotation file of any format, or folder of a tool's files.")
]
Images = Annotated[
    Path | None, typer.Option("--images", metavar="DIR", help="Folder that the images' file names start from.")
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FORMAT",
        autocompletion=READ_NAMES,
        help="Format of the file, if it is not recognised: one of kins convert --to, yolo, voc, cityscapes, kitti or "
        "amodalsynthdrive.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on standard output.")]
As = Annotated[
    Literal["amodal", "inmodal"] | None,
    typer.Option(
        "--as", help="What plain masks and outlines are: whole objects (amodal) or what is seen of them (inmodal)."
    ),
]
Predictions = Annotated[
    Path,
    typer.Option(
        "-o", "--out", metavar="PRED.json", help="The prediction file to write; NAME.parquet is a folder of shards."
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="ADDRESS", help="Work on a Ray cluster: HOST:PORT, or local to start one on this machine."
    ),
]
RayWorkers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="Workers on the cluster; one a GPU or processor if not given."),
]
Shard = Annotated[int, typer.Option("--shard", metavar="N", min=1, help="Pictures in a shard of NAME.parquet.")]
Show = Annotated[
    Path | None,
    typer.Option("--show", metavar="DIR", help="Also draw what is found in each picture, as PNG files in this folder."),
]
ImageIds = Annotated[
    Path | None,
    typer.Option("--annotations", metavar="ANN", help="Annotation file to take the ids of images and categories from."),
]
Order = Annotated[
    Path | None,
    typer.Option(
        "--order",
        metavar="WEIGHTS",
        help="Who hides whom is asked of this network (kins train ordernet), not of the masks.",
    ),
]


def width_and_height(size: str) -> tuple[int, int]:
    """The numbers of "WxH". Raises KinsError for other text."""
    from kins.errors import KinsError

    width, _, height = size.partition("x")
    if not all(re.fullmatch("[0-9]{1,9}", side) for side in (width, height)):
        raise KinsError(f"--size {size}: give width and height in pixels, as in 1242x375")
    return int(width), int(height)


def shards_asked(out: Path, ray: str | None, workers: int | None, show: Path | None = None) -> bool:
    """Whether the output is a folder of shards. Raises KinsError for options that do not go with it, or need it."""
    from kins.errors import KinsError

    if out.suffix == ".parquet":
        if show is not None:
            raise KinsError("--show goes with a prediction file, not with shards; kins show draws what they hold")
        if workers is not None and ray is None:
            raise KinsError("--workers goes with --ray: shards are made by one process, or on a cluster")
        return True
    if ray is not None or workers is not None:
        raise KinsError(f"{out}: --ray writes a folder of Parquet shards; name it NAME.parquet")
    return False


def say_shards(out: Path, done: Any, json_: bool) -> None:
    """Tell what a folder of shards holds (`kins.work.shards.Done`)."""
    import dataclasses
    import json

    from kins.files.terminal import say

    for line in done.left_out:
        say(f"not kept: {line}", err=True)
    for line in done.again:
        say(line, err=True)
    for line in done.failed:
        say(f"skipped: {line}", err=True)
    if json_:
        typer.echo(json.dumps(dataclasses.asdict(done)))
        return
    before = f", {done.before} of them done before" if done.before else ""
    say(f"{out}: {done.instances} instances in {done.images} images, {done.shards} shards{before}")
