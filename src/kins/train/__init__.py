"""Training: one loop, its samples, its logs."""

from kins.train.log import Progress as Progress
from kins.train.loop import train as train
