"""Random scenes for tests of annotation tools' formats, and what they must keep."""

import numpy as np
from hypothesis import strategies as st

import kins
from kins.masks import Mask

HEIGHT, WIDTH = 15, 19
NAMES = ("car", "a b", "é<&\"'")


@st.composite
def pixels(draw):
    """A mask of some boxes of which each turns its pixels over, so that there are holes, islands and several parts."""
    array = np.zeros((HEIGHT, WIDTH), bool)
    sides = st.tuples(*[st.integers(0, 19)] * 4)
    for x0, x1, y0, y1 in draw(st.lists(sides, min_size=1, max_size=4)):
        array[min(y0, y1) : max(y0, y1), min(x0, x1) : max(x0, x1)] ^= True
    return Mask.from_array(array)


@st.composite
def outlined(draw):
    """A mask of one or two polygons, with halves of pixels, some of it outside of the image."""
    corner = st.tuples(st.integers(-8, 2 * WIDTH + 8), st.integers(-8, 2 * HEIGHT + 8))
    polygons = [
        [number / 2 for point in draw(st.lists(corner, min_size=3, max_size=5)) for number in point]
        for _ in range(draw(st.integers(1, 2)))
    ]
    return Mask.from_polygons(polygons, HEIGHT, WIDTH)


@st.composite
def scene(draw, image):
    """Objects in a sequence from near to far, of which some show more or less than what their sequence says."""
    instances, above = [], Mask.empty(HEIGHT, WIDTH)
    for number in range(draw(st.integers(0, 4))):
        amodal = draw(pixels() | outlined())
        if not amodal:
            continue
        inmodal = amodal - above if draw(st.booleans()) else draw(pixels())
        if not draw(st.integers(0, 4)):
            inmodal = amodal
        above = above | amodal
        if not inmodal:
            inmodal = amodal
        name = draw(st.integers(0, len(NAMES) - 1))
        order = {"cluster": 0, "order": number + 1}
        instances.append(kins.Instance(100 * image.id + 7 * number, name + 1, NAMES[name], amodal, inmodal, **order))
    instances = draw(st.permutations(instances))
    return kins.Scene(image, tuple(i.replace(position=k) for k, i in enumerate(instances)))


@st.composite
def datasets(draw):
    """One to three images, some with an occluder."""
    scenes = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        extra = {}
        if draw(st.booleans()) and (mask := draw(pixels())):
            extra["occluders"] = [{"segmentation": mask.segmentation, "order": draw(st.integers(0, 4))}]
        image = kins.Image(number, f"{'sub/' * draw(st.booleans())}{number}.png", HEIGHT, WIDTH, extra)
        scenes.append(draw(scene(image)))
    return kins.Dataset.from_scenes(scenes, dict(enumerate(NAMES, 1)))


def masks(dataset):
    """Both masks of every instance, and its category, by image and id."""
    return {
        (scene.image.file_name, instance.id): (instance.category, instance.amodal, instance.inmodal)
        for scene in dataset
        for instance in scene
    }


def hidden_pixels(dataset):
    """Occluders by image, as pixels."""
    return {
        image.file_name: [
            Mask.from_segmentation(entry["segmentation"], image.height, image.width)
            for entry in image.extra.get("occluders", ())
        ]
        for image in dataset.images.values()
    }


def relations(dataset):
    """Pairs of ids, nearer and farther, of all objects in an image."""
    return {
        (scene.image.file_name, one.id, other.id)
        for scene in dataset
        for one in scene
        for other in scene
        if one.order < other.order
    }
