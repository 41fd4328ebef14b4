"""Training: one loop, its samples, its logs."""

from kins.train.loop import Progress as Progress
from kins.train.loop import train as train
