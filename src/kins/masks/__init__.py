"""Run-length masks: one (`Mask`), and many compared pair by pair."""

from kins.masks.many import intersections as intersections
from kins.masks.many import ious as ious
from kins.masks.many import rasterise as rasterise
from kins.masks.many import require_sound as require_sound
from kins.masks.many import spans as spans
from kins.masks.many import union as union
from kins.masks.mask import Box as Box
from kins.masks.mask import Mask as Mask
from kins.masks.reading import MAX_COORDINATE as MAX_COORDINATE
from kins.masks.reading import Polygons as Polygons
from kins.masks.reading import check_polygon as check_polygon
from kins.masks.runs import Rle as Rle
from kins.masks.shape import grown as grown
from kins.masks.shape import hull as hull
