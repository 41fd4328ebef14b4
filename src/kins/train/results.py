"""Runs side by side: what each one finds on its test pictures, kept in a file together with its conditions."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean as mean
from typing import Any

from kins import __version__
from kins.config import AugmentConfig, Config
from kins.errors import KinsError
from kins.evaluation import Evaluator
from kins.evaluation.protocols import PROTOCOLS as KNOWN
from kins.evaluation.protocols import evaluate_protocol
from kins.evaluation.results import without_nan
from kins.files import read_bytes, write_json
from kins.models import weights
from kins.predict.predictor import Predictor, with_categories
from kins.records import Dataset, Scene
from kins.train.resume import fingerprint
from kins.train.samples import find_data
from kins.work import progress

COLUMNS = ("box AP", "amodal AP", "inmodal AP", "heavily hidden", "hidden IoU", "order right")
PROTOCOLS = tuple(name for name in KNOWN if name != "aisformer")
"""Whose figures are kept, too: all that can be had; AISFormer's program is VRSP's."""
BY_VISIBLE = ("c2f-seg", "pcnet", "deocclusion", "instaorder", "whdr")
"""Of these the ones that look for the prediction of an object by its visible mask."""
PAPERS = {
    "AP and AR by the names of papers": {
        "amodal AP, 15 % hidden (VRSP)": ("vrsp", "amodal mask", "AP_hidden15"),
        "25 % hidden": ("vrsp", "amodal mask", "AP_hidden25"),
        "40 % hidden": ("vrsp", "amodal mask", "AP_hidden40"),
        "amodal AR1 (VRSP)": ("vrsp", "amodal mask", "AR1"),
        "amodal AR10": ("vrsp", "amodal mask", "AR10"),
        "amodal AR100": ("vrsp", "amodal mask", "AR100"),
        "amodal APs (AIStron)": ("aistron", "amodal mask", "APs"),
        "amodal APm": ("aistron", "amodal mask", "APm"),
        "amodal APl": ("aistron", "amodal mask", "APl"),
        "AR none (amodalAPI)": ("amodalapi", "all", "AR_none"),
        "AR partial": ("amodalapi", "all", "AR_partial"),
        "AR heavy": ("amodalapi", "all", "AR_heavy"),
        "inmodal box AP (COCO)": ("coco", "inmodal box", "AP"),
        "hidden region AP (COCO)": ("coco", "hidden region", "AP"),
    },
    "Masks by the names of papers": {
        "whole mIoU, missed as zero (C2F-Seg)": ("c2f-seg", "missing as zero", "full"),
        "hidden mIoU, missed as zero": ("c2f-seg", "missing as zero", "occluded"),
        "whole mIoU of those found (C2F-Seg)": ("c2f-seg", "missing skipped", "full"),
        "with the visible mask added": ("c2f-seg", "missing skipped, visible added", "full"),
        "hidden mIoU of those found": ("c2f-seg", "missing skipped", "occluded"),
        "mIoU of all pixels (PCNet)": ("pcnet", "objects", "mIoU"),
        "pAcc": ("pcnet", "objects", "pAcc"),
        "amodal F (UOAIS)": ("uoais", "amodal pixels", "F"),
        "hidden F": ("uoais", "hidden pixels", "F"),
    },
    "Occlusion and order by the names of papers": {
        "occluded: precision (UOAIS)": ("uoais", "occluded or not", "precision"),
        "occluded: recall": ("uoais", "occluded or not", "recall"),
        "occluded: F": ("uoais", "occluded or not", "F"),
        "order precision (InstaOrder)": ("instaorder", "by masks", "precision"),
        "order recall": ("instaorder", "by masks", "recall"),
        "order F1": ("instaorder", "by masks", "F1"),
        "pairs right (deocclusion)": ("deocclusion", "by masks", "all"),
        "occluded pairs": ("deocclusion", "by masks", "occluded"),
        "bordering pairs": ("deocclusion", "by masks", "bordering"),
        "WHDR (InstaOrder)": ("whdr", "all", "WHDR"),
    },
}
"""Of these the figures that tables show: by title the columns."""
LOWER = ("WHDR (InstaOrder)",)
"""Of these the columns where less is better."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A run's figures.

    Attributes:
        method: the network's name, with its options.
        seed: of the run.
        conditions: what has to be equal for figures to be comparable, but for the seed: data, schedule, sizes, start.
        figures: in percent, by COLUMNS.
        protocols: figures under papers' names; see kins.evaluation.protocols.
        weights: digest of the weights that were measured.
        left_out: why a protocol's figures are not there, by its name.
    """

    method: str
    seed: int
    conditions: Mapping[str, Any]
    figures: Mapping[str, float]
    protocols: Mapping[str, Mapping[str, Mapping[str, float]]]
    weights: str
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)


def measured(run: str | Path, data: str | Path | None = None, device: str = "auto") -> Entry:
    """Predict the test pictures of a run's data and compare.

    Args:
        run: a run folder or a weights file.
        data: the data folder, if it is not where it was.

    Raises:
        KinsError: no such run or data, or data without test pictures.
    """
    path = weights.find(run)
    return compared(Predictor.load(path, device=device), path, data)


def compared(predictor: Predictor, path: Path, data: str | Path | None = None) -> Entry:
    """As `measured`, with a predictor of the weights file that is there already."""
    facts, config = weights.read_header(path).facts, predictor.config
    place = config.data if data is None else config.data.model_copy(update={"root": str(data)})
    _, test = find_data(place)
    if test is None:
        raise KinsError(f"{place.root}: has no test pictures to measure {path} on")
    scenes = []
    for scene in progress(test, "predicting"):
        prediction = predictor(scene.read_image()).replace(image=scene.image)
        scenes.append(with_categories(prediction, test.categories))
    return evaluated(path, facts, config, test, scenes)


def evaluated(path: Path, facts: Mapping[str, Any], config: Config, test: Dataset, scenes: Sequence[Scene]) -> Entry:
    """Of the scenes that a network found on all test pictures."""
    kept, left_out = protocols(test, Dataset.from_scenes(scenes, test.categories))
    return Entry(
        method(config),
        config.train.seed,
        conditions(config, facts, test),
        figures(test, scenes),
        kept,
        weights.digest(path),
        left_out,
    )


def method(config: Config) -> str:
    """The network's name, with what is set of its options.

    Example:
        >>> from kins.config import load_config
        >>> method(load_config("bcnet_r50", ["model.options.occluder='true'"]))
        'bcnet (occluder true)'
    """
    options = ", ".join(f"{name} {value}" for name, value in config.model.options.items())
    return f"{config.model.name} ({options})" if options else config.model.name


def conditions(config: Config, facts: Mapping[str, Any], test: Dataset) -> dict[str, Any]:
    """What figures depend on beside the method and the seed."""
    model, train, data = config.model, config.train, config.data
    held = facts.get("data") or {}
    return {
        "train": {"images": held.get("images"), "objects": held.get("objects"), "digest": short(held.get("digest"))},
        "test": {"images": len(test), "digest": short(fingerprint(test)["digest"])},
        "backbone": model.backbone,
        "weights": model.weights,
        "start": None if train.init is None else {Path(train.init).name: facts.get("start")},
        "frozen": list(train.frozen),
        "steps": facts.get("step"),
        "batch": train.batch,
        "optimizer": train.optimizer,
        "learning rate": train.lr,
        "schedule": train.schedule,
        "weight average": train.ema,
        "augmentation": augmentation(config.augment),
        "regions": model.regions,
        "short side": data.short_side,
        "occlusion labels": model.occlusion_labels,
        "targets": "binary" if model.binary_targets else "exact",
        "kins": __version__,
    }


def augmentation(settings: AugmentConfig) -> dict[str, Any]:
    """What changes training pictures of detectors, without what is switched off."""
    values = settings.model_dump(mode="json", exclude={"shapes"} | ({"crop_size"} if not settings.crop else set()))
    return {name: value for name, value in values.items() if value not in (0, None, [1, 1])}


def short(digest: object) -> str | None:
    """Enough of a digest to tell two apart."""
    return digest[:12] if isinstance(digest, str) else None


def figures(test: Dataset, found: Iterable[Scene]) -> dict[str, float]:
    """By COLUMNS, in percent; what is not defined is left out."""
    evaluator = Evaluator(test.categories)
    for scene, prediction in zip(test, found, strict=True):
        evaluator.update(scene, prediction)
    results = evaluator.results()
    values = {f"{kind} AP": precision["AP"] for kind, precision in results.kinds.items()}
    values["heavily hidden"] = results.amodal.slices.get("heavy", {}).get("AP", math.nan)
    if "inmodal" in results.kinds:
        values["hidden IoU"] = results.regions.get("hidden", math.nan)
        values["order right"] = results.order.get("accuracy", math.nan)
    return {name: values[name] for name in COLUMNS if not math.isnan(values.get(name, math.nan))}


def protocols(test: Dataset, found: Dataset) -> tuple[dict[str, Any], dict[str, str]]:
    """The figures of PROTOCOLS, in percent to four decimals, and of the others why there are none."""
    kept, left_out = {}, {}
    seen = all(instance.inmodal is not None for scene in found for instance in scene)
    for name in PROTOCOLS:
        if name in BY_VISIBLE and not seen:
            left_out[name] = "looks for objects by their visible masks, which are not predicted"
            continue
        try:
            rows = without_nan(evaluate_protocol(name, test, found))
        except KinsError as error:
            left_out[name] = str(error).removeprefix(f"{test.path}: ")
            continue
        kept[name] = {row: {key: _rounded(value) for key, value in part.items()} for row, part in rows.items()}
    return kept, left_out


def _rounded(value: float | None) -> float | None:
    return round(value, 4) if isinstance(value, float) else value


def read(path: str | Path) -> list[Entry]:
    """The entries of a file of results; none if there is no such file.

    Raises:
        KinsError: another kind of file.
    """
    if not Path(path).exists():
        return []
    try:
        values = json.loads(read_bytes(path))["results"]
        return [Entry(**value) for value in values]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise KinsError(f"{path}: no file of results; kins results add makes one") from None


def add(entries: Iterable[Entry], path: str | Path) -> list[Entry]:
    """Write entries to a file of results; those of the same weights are replaced.

    Returns:
        All that the file holds now.
    """
    kept = {entry.weights: entry for entry in [*read(path), *entries]}
    text = json.dumps({"results": [dataclasses.asdict(entry) for entry in kept.values()]}, indent=1)
    write_json(path, text + "\n")
    return list(kept.values())


def table(entries: Sequence[Entry], own: Collection[str] = (), best: bool = False) -> str:
    """Markdown: tables for each set of conditions; mean and half the range over the seeds.

    Args:
        own: conditions that are the methods' own, and so may differ within a table.
        best: the best mean of each column is bold.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        shared = {name: value for name, value in entry.conditions.items() if name not in own}
        entry = dataclasses.replace(entry, conditions=shared)
        groups.setdefault(json.dumps(shared, sort_keys=True), []).append(entry)
    return "\n\n".join(_group(group, best) for group in groups.values()) + "\n"


def _group(entries: Sequence[Entry], best: bool) -> str:
    told = ", ".join(
        f"{name} {_told(value)}" for name, value in entries[0].conditions.items() if value not in (None, [], {})
    )
    methods: dict[str, list[Entry]] = {}
    for entry in entries:
        methods.setdefault(entry.method, []).append(entry)
    tables = [_rows({name: [run.figures for run in runs] for name, runs in methods.items()}, COLUMNS, best)]
    for title, columns in PAPERS.items():
        papers = {name: [_papers(run, columns) for run in runs] for name, runs in methods.items()}
        known = [column for column in columns if any(column in run for runs in papers.values() for run in runs)]
        if known:
            rows = _rows({name: runs for name, runs in papers.items() if any(runs)}, known, best)
            tables += [f"{title}:", rows]
    return "\n\n".join([f"{told}:", *tables])


def _rows(methods: Mapping[str, Sequence[Mapping[str, float]]], columns: Sequence[str], best: bool) -> str:
    lines = [f"| method | seeds | {' | '.join(columns)} |", f"|---|---|{'---|' * len(columns)}"]
    cells = {
        name: [[run[column] for run in runs if column in run] for column in columns] for name, runs in methods.items()
    }
    for name, row in cells.items():
        shown = [spread(values) for values in row]
        for place, column in enumerate(columns):
            others = [mean(other[place]) for other in cells.values() if other[place]]
            if best and row[place] and mean(row[place]) == (min if column in LOWER else max)(others):
                shown[place] = f"**{shown[place]}**"
        lines.append(f"| {name} | {len(methods[name])} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _papers(run: Entry, columns: Mapping[str, tuple[str, str, str]]) -> dict[str, float]:
    found = {}
    for name, (protocol, part, figure) in columns.items():
        value = run.protocols.get(protocol, {}).get(part, {}).get(figure)
        if value is not None:
            found[name] = value
    return found


def _told(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{_told(part)} {name}" for name, part in value.items() if part is not None)
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value)


def spread(values: Sequence[float]) -> str:
    """Mean and half the range; nothing of no values.

    Example:
        >>> spread([12.0, 15.0])
        '13.5 ± 1.5'
    """
    if not values:
        return ""
    return f"{mean(values):.1f} ± {(max(values) - min(values)) / 2:.1f}" if len(values) > 1 else f"{values[0]:.1f}"
