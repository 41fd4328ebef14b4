"""Pictures of scenes, and of who hides whom."""

import kins
from kins.draw.scene import COLORS as COLORS
from kins.draw.scene import WHAT as WHAT
from kins.draw.scene import Color as Color
from kins.draw.scene import Rgb as Rgb
from kins.draw.scene import colors as colors
from kins.draw.scene import draw as draw
from kins.draw.scene import side_by_side as side_by_side
from kins.draw.scene import write_picture as write_picture

kins.can_be_called("draw")
