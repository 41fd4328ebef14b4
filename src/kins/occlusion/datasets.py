"""Cluster and order for whole data sets: what `kins order` does."""

from __future__ import annotations

import dataclasses
import math

from kins.errors import KinsError
from kins.occlusion import ROUNDING, Cycle, Occlusion, Slivers, occlusion, occlusion_from_depth, with_order
from kins.records import Dataset, Instance, Scene


@dataclasses.dataclass
class Summary:
    """What deriving the order of a data set found; cycles as (scene, cycle)."""

    images: int = 0
    instances: int = 0
    clusters: int = 0
    edges: int = 0
    both_ways: int = 0
    cycles: list[tuple[Scene, Cycle]] = dataclasses.field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Counts, and the cycles by annotation ids."""
        cycles = [
            {
                "image_id": scene.image.id,
                "file_name": scene.image.file_name,
                "members": [scene[k].id for k in cycle.members],
                "removed": [scene[cycle.removed.occluder].id, scene[cycle.removed.occluded].id],
                "pixels": cycle.removed.pixels,
            }
            for scene, cycle in self.cycles
        ]
        counts = {name: getattr(self, name) for name in ("images", "instances", "clusters", "edges", "both_ways")}
        return counts | {"cycles": cycles}


def derive_order(
    dataset: Dataset, depth_field: str | None = None, slivers: Slivers = ROUNDING, workers: int | None = None
) -> tuple[Dataset, Summary]:
    """The data set with cluster and order of every instance set, in memory, and what was found.

    Args:
        depth_field: name of an annotation field with the distance from the camera, to order by it instead of by the
            masks; only amodal masks are needed then.
        workers: most processes to use, one for each core if None; see kins.work.

    Raises:
        KinsError: an instance lacks a mask or the field, or a mask is damaged.
    """

    def relate(scene: Scene) -> Occlusion:
        if depth_field is None:
            relations = occlusion(scene, slivers)
        else:
            depths = [_depth(dataset, scene, instance, depth_field) for instance in scene]
            relations = occlusion_from_depth(scene, depths, slivers)
        return dataclasses.replace(relations, instances=())  # the masks need not travel between processes

    summary, scenes = Summary(), []
    for scene, relations in zip(dataset, dataset.each(relate, workers, "order"), strict=True):
        pairs = {(edge.occluder, edge.occluded) for edge in relations.edges}
        summary.images += 1
        summary.instances += len(scene)
        summary.clusters += len(set(relations.clusters.tolist()))
        summary.edges += len(pairs)
        summary.both_ways += sum(i < j and (j, i) in pairs for i, j in pairs)
        summary.cycles += [(scene, cycle) for cycle in relations.cycles]
        scenes.append(with_order(scene, relations))
    ordered = Dataset.from_scenes(scenes, dataset.categories, extra=dataset.extra, images_dir=dataset.images_dir)
    return ordered, summary


def pair_masks(amodal: Dataset, inmodal: Dataset) -> Dataset:
    """One data set from two that hold one mask an instance each, as plain COCO files do: joined by annotation id.

    Raises:
        KinsError: an annotation of `amodal` has no partner in the same image of `inmodal`.
    """
    scenes = []
    for scene in amodal:
        others = inmodal[scene.image.id].instances if scene.image.id in inmodal.images else ()
        visible = {other.id: other.inmodal for other in others}
        for instance in scene:
            if instance.id not in visible:
                raise KinsError(
                    f"{inmodal.path}: has no annotation {instance.id} in image {scene.image.id}, as {amodal.path} has; "
                    "the two are joined by annotation id"
                )
        scenes.append(scene.replace(instances=tuple(i.replace(inmodal=visible[i.id]) for i in scene)))
    return Dataset.from_scenes(scenes, amodal.categories, extra=amodal.extra, images_dir=amodal.images_dir)


def _depth(dataset: Dataset, scene: Scene, instance: Instance, field: str) -> float:
    value = instance.extra.get(field)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        found = "has no field" if field not in instance.extra else f"has no finite number in the field {field!r}:"
        shown = repr(field) if field not in instance.extra else repr(value)
        raise KinsError(f"{dataset.path}: annotation {instance.id} of image {scene.image.id} {found} {shown}")
    return float(value)
