"""Run-length masks: one (`Mask`), and many compared pair by pair."""

from kins.masks.mask import MAX_COORDINATE as MAX_COORDINATE
from kins.masks.mask import Box as Box
from kins.masks.mask import Mask as Mask
from kins.masks.mask import Polygons as Polygons
from kins.masks.mask import Rle as Rle
from kins.masks.mask import check_polygon as check_polygon
from kins.masks.mask import intersections as intersections
from kins.masks.mask import ious as ious
from kins.masks.mask import rasterise as rasterise
from kins.masks.mask import require_sound as require_sound
from kins.masks.mask import spans as spans
from kins.masks.mask import union as union
from kins.masks.shape import hull as hull
