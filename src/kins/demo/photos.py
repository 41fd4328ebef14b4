"""Where the demo ends if there are photographs: what the weights that come with kins find there, and its completion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from kins.complete import Completer
from kins.draw.scene import side_by_side, write_picture
from kins.errors import KinsError
from kins.evaluation.report.pictures import draw_pair
from kins.files import check_output
from kins.files.pictures import read_picture
from kins.files.sources import find_images
from kins.occlusion import PARTIAL, with_order
from kins.predict.files import drawings, load_predictor
from kins.records import Scene

DETECTOR, COMPLETION = "street", "completion"
LEAST_SCORE = 0.5


def photo_targets(photos: str | Path | None, folder: Path) -> dict[Path, Path]:
    """The photographs, a file's or a folder's, and the file in `folder` that each is drawn to.

    Raises KinsError where there is none, or where what no demo made would be replaced.
    """
    if photos is None:
        return {}
    targets = drawings(folder, find_images([photos]))
    check_output(list(targets.values()), list(targets))
    return targets


def show_photos(targets: Mapping[Path, Path], say: Callable[[str], None]) -> None:
    """Draws what the detector finds, and below or beside it its visible masks completed; a line for each photograph."""
    predictor, completer = load_predictor(DETECTOR, score_threshold=LEAST_SCORE), Completer.load(COMPLETION)
    titles = [f"{DETECTOR}: both masks", f"{COMPLETION}, from its visible masks"]
    for path, target in targets.items():
        try:
            pixels = read_picture(path)
        except KinsError as error:
            say(str(error))
            continue
        found = with_order(predictor(pixels)).replace(image_path=path)
        seen = tuple(i.replace(amodal=None, amodal_box=None) for i in found)
        completed = completer(pixels, found.replace(instances=seen))
        write_picture(side_by_side(draw_pair(found, completed), titles), target)
        say(f"{path.name}: {_summary(completed)}: {target}")


def _summary(scene: Scene) -> str:
    """ "2 car, 1 pedestrian, 1 of them partly hidden"."""
    if not len(scene):
        return "nothing that it is sure of"
    counts = Counter(instance.category for instance in scene)
    hidden = sum(instance.occlusion_rate >= PARTIAL for instance in scene)
    return f"{', '.join(f'{n} {name}' for name, n in counts.most_common())}, {hidden} of them partly hidden"
