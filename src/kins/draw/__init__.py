"""Pictures of scenes, and of who hides whom."""

import kins
from kins.draw.palette import COLORS as COLORS
from kins.draw.palette import Color as Color
from kins.draw.palette import Rgb as Rgb
from kins.draw.scene import WHAT as WHAT
from kins.draw.scene import colors_of as colors_of
from kins.draw.scene import draw as draw
from kins.draw.scene import side_by_side as side_by_side
from kins.draw.scene import write_picture as write_picture

kins.can_be_called("draw")
