"""Who hides whom: relations within an image, order, and both for whole data sets."""

from kins.occlusion.relations import HEAVY as HEAVY
from kins.occlusion.relations import LEVELS as LEVELS
from kins.occlusion.relations import OCCLUDED as OCCLUDED
from kins.occlusion.relations import PARTIAL as PARTIAL
from kins.occlusion.relations import ROUNDING as ROUNDING
from kins.occlusion.relations import SAME_OBJECT as SAME_OBJECT
from kins.occlusion.relations import Cycle as Cycle
from kins.occlusion.relations import Disagreement as Disagreement
from kins.occlusion.relations import Edge as Edge
from kins.occlusion.relations import Occlusion as Occlusion
from kins.occlusion.relations import Slivers as Slivers
from kins.occlusion.relations import disagreements as disagreements
from kins.occlusion.relations import level as level
from kins.occlusion.relations import occlusion as occlusion
from kins.occlusion.relations import occlusion_from_depth as occlusion_from_depth
from kins.occlusion.relations import occlusion_from_order as occlusion_from_order
from kins.occlusion.relations import relations_of as relations_of
from kins.occlusion.relations import with_order as with_order
