"""The records that every part of kins takes and returns: Image, Instance, Scene, Dataset.

A Dataset has images; a Scene is one image with its instances; an Instance has two masks, the amodal one (the whole
object, seen or not) and the inmodal one (what is seen).

Example:
    >>> hidden = kins.Mask.from_box((0, 0, 4, 6), 6, 8)
    >>> car = kins.Instance(1, 4, "car", amodal=hidden, inmodal=kins.Mask.from_box((0, 0, 3, 6), 6, 8))
    >>> car.occlusion_rate, car.box
    (0.25, (0.0, 0.0, 4.0, 6.0))
    >>> scene = kins.Scene(kins.Image(7, "a.png", height=6, width=8), (car,))
    >>> scene
    Scene(a.png, 8 x 6 pixels, 1 car)
    >>> dataset = kins.Dataset.from_scenes([scene], {4: "car", 7: "van"})
    >>> dataset
    Dataset(in memory: 1 image, 2 categories: car, van)
    >>> dataset["a.png"][0].category
    'car'
"""

from kins.records.dataset import Dataset as Dataset
from kins.records.instance import Image as Image
from kins.records.instance import Instance as Instance
from kins.records.scene import Scene as Scene
from kins.records.scene import on_one_canvas as on_one_canvas
