"""Hypothesis strategies for annotation files, written from the formats' descriptions and not by the code under test."""

import string

import numpy as np
from hypothesis import strategies as st
from pycocotools import mask as oracle

NAMES = st.text(string.ascii_letters + " é", min_size=1, max_size=8).filter(lambda name: name.strip() == name)
EXTRA = st.dictionaries(
    st.sampled_from(["note", "truncation", "flags"]),
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.lists(st.text(max_size=3), max_size=2),
    max_size=2,
)


def rle(array):
    encoded = oracle.encode(np.asfortranarray(array.astype(np.uint8)))
    return {"size": list(array.shape), "counts": encoded["counts"].decode()}


@st.composite
def masks(draw, height, width):
    """An amodal and an inmodal mask: the file's value of each, and the pixels as pycocotools decodes them."""
    if draw(st.booleans()):
        corner = st.tuples(st.integers(0, 2 * width), st.integers(0, 2 * height))
        polygons = [
            [coordinate / 2 for point in draw(st.lists(corner, min_size=3, max_size=6)) for coordinate in point]
            for _ in range(draw(st.integers(1, 2)))
        ]
        amodal_value = polygons
        amodal = oracle.decode(oracle.merge(oracle.frPyObjects(polygons, height, width))).astype(bool)
    else:
        bits = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
        amodal = np.array(bits).reshape(height, width)
        amodal_value = rle(amodal)
    cut = draw(st.integers(0, width))
    inmodal = amodal.copy()
    inmodal[:, :cut] = False
    if draw(st.booleans()):
        inmodal_value = rle(inmodal)
    else:
        runs = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(inmodal.T.ravel())) + 1, [inmodal.size]])).tolist()
        inmodal_value = {"size": [height, width], "counts": [0, *runs] if inmodal.T.ravel()[0] else runs}
    return amodal_value, inmodal_value, amodal, inmodal


NUMBERS = st.integers(0, 40) | st.floats(0, 40)
BOXES = st.lists(NUMBERS, min_size=4, max_size=4)


@st.composite
def coco_layout(draw, annotation):
    """A file of COCO's layout, and its masks by annotation id; `annotation(draw, masks)` gives a format's fields."""
    count = draw(st.integers(1, 3))
    ids = draw(st.lists(st.integers(0, 10**6), min_size=count, max_size=count, unique=True))
    images = [
        {
            "id": image_id,
            "file_name": f"{index:06d}.png",
            "height": draw(st.integers(1, 9)),
            "width": draw(st.integers(1, 9)),
        }
        | draw(EXTRA)
        for index, image_id in enumerate(ids)
    ]
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    numbers = draw(st.lists(st.integers(1, 90), min_size=len(names), max_size=len(names), unique=True))
    categories = [{"id": i, "name": name, "supercategory": "thing"} for i, name in zip(numbers, names, strict=True)]
    annotations, pixels = [], {}
    for annotation_id in draw(st.lists(st.integers(1, 10**6), max_size=5, unique=True)):
        image = draw(st.sampled_from(images))
        both = draw(masks(image["height"], image["width"]))
        pixels[annotation_id] = both[2:]
        common = {
            "id": annotation_id,
            "image_id": image["id"],
            "category_id": draw(st.sampled_from(numbers)),
            "iscrowd": draw(st.integers(0, 1)),
        }
        annotations.append(common | annotation(draw, both) | draw(EXTRA))
    value = {"images": images, "annotations": annotations, "categories": categories}
    return value | draw(st.fixed_dictionaries({}, optional={"info": EXTRA, "version": st.text(max_size=3)})), pixels


def _kins2020(draw, both):
    order = {"oco_id": draw(st.integers(0, 5)), "ico_id": draw(st.integers(0, 5))} if draw(st.booleans()) else {}
    return {
        "a_segm": both[0],
        "i_segm": both[1],
        "a_bbox": draw(BOXES),
        "i_bbox": draw(BOXES),
        "a_area": draw(NUMBERS),
        "i_area": draw(NUMBERS),
    } | order


def _kins2019(draw, both):
    return {
        "segmentation": both[0],
        "inmodal_seg": both[1],
        "bbox": draw(BOXES),
        "inmodal_bbox": draw(BOXES),
        "area": draw(NUMBERS),
    }


def _cocoa_cls(draw, both):
    fields = {"segmentation": both[0], "bbox": draw(BOXES), "area": draw(NUMBERS), "occlude_rate": 0.0}
    amodal, inmodal = both[2:]
    if (amodal == inmodal).all():
        return fields
    rate = 1 - inmodal.sum() / amodal.sum()
    return fields | {"visible_mask": rle(inmodal), "invisible_mask": rle(amodal & ~inmodal), "occlude_rate": rate}


def _coco(draw, both):
    return {"segmentation": both[0], "bbox": draw(BOXES), "area": draw(NUMBERS)}


KINS2020 = coco_layout(_kins2020)
KINS2019 = coco_layout(_kins2019)
COCOA_CLS = coco_layout(_cocoa_cls)
COCO = coco_layout(_coco)


@st.composite
def cocoa(draw):
    """A COCOA file, and in its sequence the two masks of each region."""
    images, annotations, pixels = [], [], []
    for index in range(draw(st.integers(1, 3))):
        height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
        images.append({"id": 100 + index, "file_name": f"{index}.jpg", "height": height, "width": width})
        regions = []
        for order in range(draw(st.integers(0, 4))):
            corner = st.tuples(st.integers(0, width), st.integers(0, height))
            polygon = [float(c) for p in draw(st.lists(corner, min_size=3, max_size=5)) for c in p]
            amodal = oracle.decode(oracle.frPyObjects([polygon], height, width))[..., 0].astype(bool)
            inmodal = amodal.copy()
            inmodal[:, : draw(st.integers(0, width))] = False
            region = {
                "segmentation": polygon,
                "name": draw(NAMES) + draw(st.sampled_from(["", " "])),
                "area": draw(NUMBERS),
                "isStuff": draw(st.integers(0, 1)),
                "occlude_rate": 0.0,
                "order": order + 1,
            }
            if (amodal != inmodal).any():
                region |= {
                    "visible_mask": rle(inmodal),
                    "invisible_mask": rle(amodal & ~inmodal),
                    "occlude_rate": 1 - inmodal.sum() / amodal.sum(),
                }
            regions.append(region)
            pixels.append((amodal, inmodal))
        entry = {
            "id": 7 * index,
            "image_id": 100 + index,
            "author": "somebody",
            "url": "https://example.org/1.jpg",
            "size": 3,
            "regions": regions,
        }
        if len(regions) > 1:
            entry["depth_constraint"] = draw(st.sampled_from(["", "1-2", "2-1"]))
        annotations.append(entry)
    return {"images": images, "annotations": annotations}, pixels
