"""COCO's eighty categories, and which of them a free name (COCOA has about two thousand) means, where that is plain."""

from __future__ import annotations

import re

from kins.records import Dataset, Scene

_NAMES = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,,backpack,umbrella,,,handbag,tie,suitcase,frisbee,"
    "skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,,wine glass,"
    "cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,,dining table,,,toilet,,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
)
COCO = {key: name for key, name in enumerate(_NAMES.split(","), 1) if name}
"""Name by COCO's id."""

_SAME = {
    "person": "man,woman,boy,girl,child,kid,baby,people,lady,guy,human,men,women,children,player,pedestrian,skier,"
    "surfer,skateboarder,snowboarder,rider,cyclist,umpire,catcher,batter,pitcher,baseball player,tennis player",
    "bicycle": "bike",
    "car": "automobile,suv,sedan",
    "motorcycle": "motorbike",
    "airplane": "plane,aeroplane,jet,aircraft",
    "couch": "sofa",
    "tv": "television,tv monitor,monitor",
    "cell phone": "cellphone,mobile phone,phone,smartphone",
    "refrigerator": "fridge",
    "donut": "doughnut",
    "dining table": "table,dinner table,kitchen table",
    "laptop": "laptop computer,notebook computer",
    "remote": "remote control",
    "potted plant": "plant in pot,houseplant",
    "skis": "ski,pair of skis",
    "sports ball": "ball,tennis ball,baseball,soccer ball,football,basketball",
    "tennis racket": "racket,racquet,tennis racquet",
    "sheep": "lamb",
    "cow": "bull,cattle,calf",
    "cat": "kitten",
    "dog": "puppy",
    "handbag": "purse",
    "cup": "mug,coffee cup",
    "hair drier": "hair dryer,hairdryer",
    "teddy bear": "teddy",
    "truck": "pickup truck,pickup,lorry",
    "boat": "ship,sailboat",
    "wine glass": "wineglass",
    "traffic light": "stoplight,traffic signal",
    "fire hydrant": "hydrant",
    "mouse": "computer mouse",
}
_IDS = {name: key for key, name in COCO.items()}
_IDS |= {other: _IDS[name] for name, others in _SAME.items() for other in others.split(",") if other}
_AFTER = re.compile(r"\b(?:in|with|of|on|at|behind|wearing|holding|standing|sitting|riding|near|and)\b.*")


def coco_category(name: str) -> int | None:
    """COCO's id for a free name; None where it is none of the eighty, or not plain.

    Upper and lower case, plurals, numbers at the end and usual other words count as the same; of several words those
    before "in", "with" and the like count, then the last ones ("red car"), the longest that fit.

    Example:
        >>> from kins.formats.names import COCO, coco_category
        >>> [COCO.get(coco_category(name)) for name in ("Man in black 2", "red cars", "teddy bear", "sky")]
        ['person', 'car', 'teddy bear', None]
    """
    words = re.findall(r"[a-z]+", _AFTER.sub("", name.lower()) or name.lower())
    for first in range(len(words)):
        if (found := _known(" ".join(words[first:]))) is not None:
            return found
    return None


def _known(name: str) -> int | None:
    for ending, instead in (("", ""), ("es", ""), ("ves", "fe"), ("s", "")):
        if name.endswith(ending) and (found := _IDS.get(name.removesuffix(ending) + instead)):
            return found
    return None


def with_coco_names(dataset: Dataset) -> Dataset:
    """The data set with COCO's eighty categories; what is none of them is left out, and counted in `left_out`.

    Example:
        >>> from kins.formats.names import with_coco_names
        >>> from kins.demo.toys import write_shapes
        >>> toys = write_shapes("pictures", 1)
        >>> named = with_coco_names(toys)
        >>> len(named.categories), len(named["000001.png"]), named.left_out
        (80, 0, ("instances that are none of COCO's 80 categories (5 of 5)",))
    """
    meant = {name: coco_category(name) for name in set(dataset.categories.values())}
    total = kept = 0

    def change(scene: Scene) -> Scene:
        instances = [(i, meant.get(i.category)) for i in scene]
        return scene.replace(
            instances=tuple(i.replace(category_id=key, category=COCO[key]) for i, key in instances if key is not None)
        )

    for scene in dataset:
        total += len(scene)
        kept += sum(meant.get(i.category) is not None for i in scene)
    named = dataset.map(change)
    named.categories = dict(COCO)
    if kept < total:
        named.left_out += (f"instances that are none of COCO's 80 categories ({total - kept} of {total})",)
    return named
