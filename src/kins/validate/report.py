"""What validation finds: each kind of fault with its severity and what to do, and where it occurs."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

from kins.files.terminal import shown

Severity = Literal["error", "warning", "info"]


class Kind(NamedTuple):
    """A kind of fault: an error breaks tools or figures, a warning may, an info is worth knowing."""

    severity: Severity
    what: str
    advice: str


KINDS: dict[str, Kind] = {
    "unreadable": Kind("error", "the file can't be read as annotations", "export or download it again"),
    "shape-unusable": Kind("error", "a shape can't be drawn", "draw it again in the tool, or remove it there"),
    "drawn-in-doubt": Kind("warning", "something drawn is left out, or in doubt", "see docs/formats.md on the format"),
    "nan": Kind("error", "NaN or Infinity, which JSON does not have", "--fix writes null in its place"),
    "no-list": Kind("error", "a top-level list is missing", "add it, empty if there is nothing in it"),
    "image-entry": Kind("error", "an image entry is unusable", "give it id, file_name, height and width"),
    "image-id-twice": Kind("error", "two images have the same id", "number them anew, with their annotations"),
    "image-size": Kind("error", "an image size is not one", "take it from the picture: --fix --images DIR does"),
    "size-unknown": Kind(
        "error", "an image's size is nowhere in the file", "name the folder of pictures: --images DIR"
    ),
    "file-name-unsafe": Kind("error", "a file name leads out of the image folder", "make it relative to the folder"),
    "file-name-twice": Kind("warning", "two images have the same file name", "keep one, unless annotators differ"),
    "image-missing": Kind(
        "error", "a picture is not in the image folder", "name the right folder, or remove the image"
    ),
    "image-unreadable": Kind("error", "a picture can't be read", "download or convert it again"),
    "image-size-differs": Kind("error", "a picture has another size than its entry", "use the pictures annotated"),
    "image-without-annotations": Kind(
        "info", "an image has no annotations", "nothing: it is a picture without objects"
    ),
    "category-entry": Kind("error", "a category is unusable", "give it id and name"),
    "category-id-twice": Kind("error", "two categories have the same id", "number them anew, with their annotations"),
    "category-id-negative": Kind(
        "warning", "a category id is below 0", "number them from 0 or 1; kins train asks for it"
    ),
    "category-name-twice": Kind("warning", "two categories have the same name", "join them, or tell them apart"),
    "category-unused": Kind("info", "a category has no instance", "nothing: KINS itself has no rider"),
    "beyond-limits": Kind("error", "more than kins works on", "cut the image up, or raise the limit that is named"),
    "annotation-entry": Kind("error", "an annotation is unusable", "give it whole numbers id, image_id, category_id"),
    "id-as-text": Kind("error", "a number is written as text", "write it as a number: --fix does"),
    "annotation-id-twice": Kind("error", "two annotations have the same id", "number them anew: --fix does"),
    "unknown-image": Kind("error", "an annotation of an image that is not listed", "list it, or --fix removes these"),
    "unknown-category": Kind("error", "an annotation of a category that is not listed", "list the category"),
    "same-object-twice": Kind("warning", "an image has the same mask twice in one category", "remove one of them"),
    "mask-missing": Kind("error", "a mask is missing", "add it; kins convert reads single masks as plain COCO"),
    "mask-kind-missing": Kind(
        "info", "no annotation has a mask of this kind", "nothing, if one kind is all that is needed"
    ),
    "regions-ignored": Kind("info", "regions are marked as no objects", "nothing: kins keeps their boxes"),
    "box-alone": Kind(
        "info", "objects have a box and no mask", "nothing, or kins complete --with boxes, which finds both masks"
    ),
    "mask-unusable": Kind("error", "a mask is neither polygons nor RLE", "annotate again; --fix removes the instance"),
    "polygons-empty": Kind("error", "a mask has no polygon", "annotate again; --fix removes amodal ones"),
    "polygon-short": Kind("error", "a polygon has fewer than three points", "remove it: --fix does"),
    "polygon-unusable": Kind("error", "a polygon has unusable coordinates", "--fix removes the instance"),
    "polygon-outside": Kind("warning", "a polygon lies outside of the image", "clip it; kins does so when drawing"),
    "rle-unusable": Kind("error", "a run-length mask is unusable", "encode it again; --fix removes the instance"),
    "mask-empty": Kind("error", "a mask covers no pixel", "remove the instance: --fix does if it is the amodal mask"),
    "box-unusable": Kind("error", "a box is not four usable numbers", "[x, y, width, height]: --fix computes it"),
    "box-outside": Kind("error", "a box reaches outside of the image", "clip it: --fix computes it from the mask"),
    "box-differs": Kind("warning", "a box is not that of its mask", "[x, y, width, height]: --fix computes it"),
    "area-unusable": Kind("error", "an area is not a usable number", "--fix computes it from the mask"),
    "area-differs": Kind("warning", "an area is not that of its mask", "--fix computes it from the mask"),
    "inmodal-leaks": Kind("error", "an inmodal mask reaches outside of its amodal mask", "redraw one of them"),
    "inmodal-leaks-a-little": Kind("warning", "an inmodal mask reaches slightly outside of its amodal mask", "redraw"),
    "parts-differ": Kind("warning", "visible and invisible mask together are not the amodal one", "encode them again"),
    "rate-differs": Kind("warning", "occlude_rate is not that of the masks", "compute it again: kins convert does"),
    "field-type": Kind("error", "a field has a value of the wrong type", "see the format's description"),
    "crowd": Kind("warning", "iscrowd is neither 0 nor 1", "write 0 for a single object"),
    "order-missing": Kind("warning", "an instance has no oco_id or ico_id", "kins order derives them"),
    "order-twice": Kind("warning", "two regions have the same order", "kins order derives it"),
    "order-unusable": Kind("warning", "a depth constraint is no pair of regions", "write it like 1-2,1-3"),
    "order-disagrees": Kind("warning", "the stored order is not that of the masks", "look at it, or use kins order"),
}


@dataclasses.dataclass
class Problem:
    """All faults of one kind.

    Attributes:
        code: key in KINDS.
        places: (place in the JSON, what is there) of each.
    """

    code: str
    places: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    @property
    def kind(self) -> Kind:
        """Severity, description and advice."""
        return KINDS[self.code]

    @property
    def count(self) -> int:
        """How often it occurs."""
        return len(self.places)


@dataclasses.dataclass
class Report:
    """All that was found in a file.

    Attributes:
        path: the file.
        format: its format, or None if that could not be told.
        images, instances: how many the file has.
        repairs: (place, what was done), in a repaired copy.
    """

    path: str
    format: str | None = None
    images: int = 0
    instances: int = 0
    found: dict[str, Problem] = dataclasses.field(default_factory=dict)
    repairs: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def add(self, code: str, place: str, detail: str = "") -> None:
        """Note a fault."""
        self.found.setdefault(code, Problem(code)).places.append((place, detail))

    def merge(self, other: Report) -> None:
        """Take over what was found in another part of the file."""
        for code, problem in other.found.items():
            self.found.setdefault(code, Problem(code)).places.extend(problem.places)
        self.instances += other.instances
        self.repairs += other.repairs

    @property
    def problems(self) -> list[Problem]:
        """Errors first, then the most frequent ones."""
        rank = ("error", "warning", "info")
        return sorted(self.found.values(), key=lambda p: (rank.index(p.kind.severity), -p.count, p.code))

    def count(self, severity: Severity) -> int:
        """Number of faults of this severity."""
        return sum(problem.count for problem in self.found.values() if problem.kind.severity == severity)

    @property
    def valid(self) -> bool:
        """No errors; there may be warnings."""
        return not self.count("error")

    def as_json(self) -> dict[str, Any]:
        """For `--json`: every place of every fault."""
        return {
            "file": self.path,
            "format": self.format,
            "valid": self.valid,
            "images": self.images,
            "instances": self.instances,
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "problems": [
                {
                    "code": problem.code,
                    "severity": problem.kind.severity,
                    "count": problem.count,
                    "what": problem.kind.what,
                    "advice": problem.kind.advice,
                    "places": [{"place": place, "detail": detail} for place, detail in problem.places],
                }
                for problem in self.problems
            ],
            "repairs": [{"place": place, "done": done} for place, done in self.repairs],
        }

    def as_text(self, limit: int = 3) -> str:
        """For people: each kind with its count, its first places, and what to do."""
        head = (
            f"{shown(self.path)}: {self.format or 'unknown format'}, {self.images} images, {self.instances} instances"
        )
        lines = [head]
        for problem in self.problems:
            severity, what, advice = problem.kind
            lines += ["", f"{severity}: {what} ({problem.count}x, {problem.code})"]
            lines += [
                f"    {shown(place)}: {shown(detail)}".removesuffix(": ") for place, detail in problem.places[:limit]
            ]
            if problem.count > limit:
                lines.append(f"    ... and {problem.count - limit} more; --json lists all")
            lines.append(f"    to do: {advice}")
        if self.repairs:
            lines += ["", f"repaired ({len(self.repairs)}):"]
            lines += [f"    {shown(place)}: {shown(done)}" for place, done in self.repairs[: 10 * limit]]
            if len(self.repairs) > 10 * limit:
                lines.append(f"    ... and {len(self.repairs) - 10 * limit} more; --json lists all")
        verdict = "valid" if self.valid else "not valid"
        lines += ["", f"{verdict}: {self.count('error')} errors, {self.count('warning')} warnings"]
        return "\n".join(lines)
