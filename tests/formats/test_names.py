"""Which of COCO's categories a free name means."""

import pytest

from kins.formats.names import COCO, coco_category


def test_the_eighty_are_those_of_torchvision():
    from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights as Weights

    listed = Weights.COCO_V1.meta["categories"]
    assert {key: listed[key] for key in COCO} == COCO
    assert sum(name not in ("N/A", "__background__") for name in listed) == len(COCO) == 80


@pytest.mark.parametrize("name", COCO.values())
def test_each_means_itself_and_so_does_its_plural(name):
    assert COCO[coco_category(name)] == name
    assert COCO[coco_category(name.upper() + " 3")] == name
    plural = {"knife": "knives", "mouse": "mouse"}.get(name, name + ("es" if name.endswith(("s", "ch")) else "s"))
    assert COCO[coco_category(plural)] == name


@pytest.mark.parametrize(
    ("free", "name"),
    [
        ("woman with a dog", "person"),
        ("big brown dog", "dog"),
        ("tennis player", "person"),
        ("hot dog", "hot dog"),
        ("coffee cup", "cup"),
        ("dining table 2", "dining table"),
        ("toy car", "car"),
        ("car door", None),
        ("sky", None),
        ("", None),
        ("in", None),
        ("ss", None),
    ],
)
def test_names_as_people_write_them(free, name):
    assert COCO.get(coco_category(free)) == name
