"""Who hides whom: relations within an image, order, and both for whole data sets."""

from kins.occlusion.contact import ROUNDING as ROUNDING
from kins.occlusion.contact import Slivers as Slivers
from kins.occlusion.graph import HEAVY as HEAVY
from kins.occlusion.graph import LEVELS as LEVELS
from kins.occlusion.graph import OCCLUDED as OCCLUDED
from kins.occlusion.graph import PARTIAL as PARTIAL
from kins.occlusion.graph import Occlusion as Occlusion
from kins.occlusion.graph import level as level
from kins.occlusion.ranking import Cycle as Cycle
from kins.occlusion.ranking import Edge as Edge
from kins.occlusion.relations import SAME_OBJECT as SAME_OBJECT
from kins.occlusion.relations import occlusion as occlusion
from kins.occlusion.stated import Disagreement as Disagreement
from kins.occlusion.stated import disagreements as disagreements
from kins.occlusion.stated import occlusion_from_depth as occlusion_from_depth
from kins.occlusion.stated import occlusion_from_edges as occlusion_from_edges
from kins.occlusion.stated import occlusion_from_order as occlusion_from_order
from kins.occlusion.stated import relations_of as relations_of
from kins.occlusion.stated import with_order as with_order
