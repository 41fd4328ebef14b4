"""Training: one loop, its samples, its logs."""

import kins
from kins.train.log import Progress as Progress
from kins.train.loop import train as train

kins.can_be_called("train")
