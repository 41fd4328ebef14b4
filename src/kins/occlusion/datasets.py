"""Cluster and order for whole data sets: what `kins order` does."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.occlusion import ROUNDING, Cycle, Occlusion, Slivers, occlusion, occlusion_from_depth
from kins.records import Dataset, Instance, Scene


@dataclasses.dataclass
class Summary:
    """What deriving the order of a data set found; cycles as (scene, cycle), and `weight`, what their weights are."""

    images: int = 0
    instances: int = 0
    clusters: int = 0
    edges: int = 0
    both_ways: int = 0
    cycles: list[tuple[Scene, Cycle]] = dataclasses.field(default_factory=list)
    weight: str = "pixels"

    def as_json(self) -> dict[str, object]:
        """Counts, and the cycles by annotation ids."""
        cycles = [
            {
                "image_id": scene.image.id,
                "file_name": scene.image.file_name,
                "members": [scene[k].id for k in cycle.members],
                "removed": [scene[cycle.removed.occluder].id, scene[cycle.removed.occluded].id],
                self.weight: cycle.removed.pixels,
            }
            for scene, cycle in self.cycles
        ]
        counts = {name: getattr(self, name) for name in ("images", "instances", "clusters", "edges", "both_ways")}
        return counts | {"cycles": cycles}


def derive_order(
    dataset: Dataset,
    depth_field: str | None = None,
    slivers: Slivers = ROUNDING,
    workers: int | None = None,
    network: Callable[[Scene], Occlusion] | None = None,
) -> tuple[Dataset, Summary]:
    """The data set with cluster and order of every instance set, when a scene is asked for, and what was found.

    Args:
        depth_field: name of an annotation field with the distance from the camera, to order by it instead of by the
            masks; only amodal masks are needed then.
        workers: most processes to use, one for each core if None; see kins.work.
        network: what says who hides whom in the place of the masks (`kins.complete.PairOrder.scene`); in one process.

    Raises:
        KinsError: an instance lacks a mask or the field, or a mask is damaged.
    """

    def relate(scene: Scene) -> _Found:
        if network is not None:
            relations = network(scene)
        elif depth_field is None:
            relations = occlusion(scene, slivers)
        else:
            depths = [_depth(dataset, scene, instance, depth_field) for instance in scene]
            relations = occlusion_from_depth(scene, depths, slivers)
        return _found(relations)

    summary, places = Summary(weight="pixels" if network is None else "certainty"), {}
    workers = workers if network is None else 1
    for image_id, found in zip(dataset.images, dataset.each(relate, workers, "order"), strict=True):
        places[image_id] = found.places
        summary.images += 1
        summary.instances += found.places.shape[1]
        summary.clusters += len(set(found.places[0].tolist()))
        summary.edges += found.edges
        summary.both_ways += found.both_ways
        if found.cycles:
            scene = dataset[image_id]
            summary.cycles += [(scene, cycle) for cycle in found.cycles]

    def ordered(scene: Scene) -> Scene:
        pairs = zip(scene, *places[scene.image.id].tolist(), strict=True)
        return scene.replace(instances=tuple(i.replace(cluster=cluster, order=order) for i, cluster, order in pairs))

    return dataset.map(ordered), summary


class _Found(NamedTuple):
    """What is kept of an image: clusters and orders (2, n), and what the summary counts."""

    places: npt.NDArray[np.int32]
    edges: int
    both_ways: int
    cycles: tuple[Cycle, ...]


def _found(relations: Occlusion) -> _Found:
    pairs = {(edge.occluder, edge.occluded) for edge in relations.edges}
    both_ways = sum(i < j and (j, i) in pairs for i, j in pairs)
    places = np.stack([relations.clusters, relations.order]).astype(np.int32)
    return _Found(places, len(pairs), both_ways, relations.cycles)


def pair_masks(amodal: Dataset, inmodal: Dataset) -> Dataset:
    """One data set from two that hold one mask an instance each, as plain COCO files do: joined by annotation id.

    Raises:
        KinsError: an annotation of `amodal` has no partner in the same image of `inmodal`.
    """

    def paired(scene: Scene) -> Scene:
        others = inmodal[scene.image.id].instances if scene.image.id in inmodal.images else ()
        visible = {other.id: other.inmodal for other in others}
        for instance in scene:
            if instance.id not in visible:
                raise KinsError(
                    f"{inmodal.path}: has no annotation {instance.id} in image {scene.image.id}, as {amodal.path} has; "
                    "the two are joined by annotation id"
                )
        return scene.replace(instances=tuple(i.replace(inmodal=visible[i.id]) for i in scene))

    for scene in amodal:
        paired(scene)  # what is missing tells so now
    return amodal.map(paired)


def _depth(dataset: Dataset, scene: Scene, instance: Instance, field: str) -> float:
    value = instance.extra.get(field)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        found = "has no field" if field not in instance.extra else f"has no finite number in the field {field!r}:"
        shown = repr(field) if field not in instance.extra else repr(value)
        raise KinsError(f"{dataset.path}: annotation {instance.id} of image {scene.image.id} {found} {shown}")
    return float(value)
