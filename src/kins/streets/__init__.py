"""Synthetic street scenes with exact truth: amodal and inmodal masks, order, KITTI labels."""

from kins.streets.generate import generate as generate
from kins.streets.picture import Picture as Picture
from kins.streets.picture import Settings as Settings
from kins.streets.picture import make_picture as make_picture
from kins.streets.world.site import Traffic as Traffic
