"""Data sets: finding, filtering, splitting, joining."""

import base64
import io
import subprocess
import sys
from html import escape

import numpy as np
import PIL.Image
import pytest

import kins
from kins import Dataset, Image, Instance, KinsError, Mask, Scene


def instance(number, category="car", category_id=1, **fields):
    array = np.zeros((6, 8), bool)
    array[1:5, 1:7] = True
    seen = array.copy()
    seen[:, :4] = False
    return Instance(number, category_id, category, Mask.from_array(array), Mask.from_array(seen), **fields)


def dataset(first=1, count=4, **fields):
    scenes = [Scene(Image(k, f"{k}.png", 6, 8), (instance(10 * k), instance(10 * k + 1))) for k in range(first, count)]
    return Dataset.from_scenes(scenes, {1: "car"}, **fields)


def ids(data):
    return [i.id for scene in data for i in scene]


def test_hidden_part_and_rate():
    one = instance(1)
    assert one.hidden.area == 12
    assert one.occlusion_rate == 0.5
    assert one.replace(inmodal=one.amodal).occlusion_rate == 0
    assert one.replace(amodal=Mask.empty(6, 8)).occlusion_rate == 0


def test_an_inmodal_mask_that_leaks_does_not_lower_the_rate():
    one = instance(1)
    assert one.replace(inmodal=~one.amodal).occlusion_rate == 1


def test_find_by_id_and_name():
    data = dataset()
    assert data[2].image == data["2.png"].image == data["2"].image
    for key in (9, "9.png", "9"):
        with pytest.raises(KinsError, match="no image"):
            data[key]


def test_a_number_is_a_file_name_first():
    scenes = [Scene(Image(1, "2", 6, 8)), Scene(Image(2, "1", 6, 8))]
    assert Dataset.from_scenes(scenes, {})["2"].image.id == 1


def test_filter_by_instance_image_and_category():
    data = dataset()
    assert ids(data.filter(lambda i: i.id % 2)) == [11, 21, 31]
    assert ids(data.filter(images=lambda image: image.id > 2)) == [30, 31]
    assert ids(data.filter(categories=["car"])) == ids(data)
    with pytest.raises(KinsError, match="no category tram"):
        data.filter(categories=["tram"])
    assert len(data) == 3, "filtering makes a new data set"


def test_split_is_a_partition_and_repeatable():
    data = dataset(0, 20)
    first, second = data.split(0.25, seed=3)
    assert (len(first), len(second)) == (5, 15)
    assert sorted(ids(first) + ids(second)) == ids(data)
    assert ids(first) == ids(data.split(0.25, seed=3)[0]) != ids(data.split(0.25, seed=4)[0])
    with pytest.raises(KinsError, match="between 0 and 1"):
        data.split(2)


def test_merge_renumbers_what_clashes_and_joins_categories_by_name():
    other = Dataset.from_scenes(
        [
            Scene(
                Image(2, "other.png", 6, 8, {"depth_constraint": [[20, 77]]}),
                (instance(20, "car", 5), instance(77, "van", 1)),
            )
        ],
        {5: "car", 1: "van"},
    )
    both = dataset().merge(other)
    assert len(both) == 4
    assert len(set(ids(both))) == len(ids(both)) == 8
    assert sorted(both.categories.values()) == ["car", "van"]
    scene = both["other.png"]
    assert [(i.category, both.categories[i.category_id]) for i in scene] == [("car", "car"), ("van", "van")]
    assert scene.image.extra["depth_constraint"] == [[scene[0].id, scene[1].id]]


def test_merge_refuses_different_folders(tmp_path):
    with pytest.raises(KinsError, match="folders"):
        dataset().merge(dataset(5, 6, images_dir=tmp_path))


def test_an_id_twice():
    with pytest.raises(KinsError, match="twice"):
        Dataset.from_scenes([Scene(Image(1, "a", 2, 2)), Scene(Image(1, "b", 2, 2))], {})


def test_a_mask_that_is_not_there_says_so(tmp_path):
    kept = instance(1)
    unknown = kept.replace(inmodal=None)
    assert not unknown.both_known
    assert unknown.seen is unknown.whole is kept.amodal
    with pytest.raises(KinsError, match="annotation 1 has no inmodal mask"):
        _ = unknown.hidden
    with pytest.raises(KinsError, match=r"image a\.png: annotation 1 has no inmodal mask"):
        Scene(Image(1, "a.png", 6, 8), (unknown,)).masks("inmodal")


def test_the_box_is_the_stated_one_or_that_of_the_pixels():
    whole = instance(1)
    assert whole.box == whole.amodal.box
    assert whole.replace(amodal_box=(1, 2, 3.5, 4)).box == (1, 2, 3.5, 4)
    assert Instance(1, 1, "car", amodal_box=(1, 2, 3, 4)).box == (1, 2, 3, 4)
    assert Instance(1, 1, "car").box is None


def test_pictures(tmp_path):
    import PIL.Image

    pixels = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    data = dataset(images_dir=tmp_path)
    assert (data[1].read_image() == pixels).all()
    with pytest.raises(KinsError, match=r"2\.png: can't be read"):
        data[2].read_image()
    with pytest.raises(KinsError, match=r"3\.png: no such image"):
        data[3].read_image()
    with pytest.raises(KinsError, match="--images"):
        dataset()[1].read_image()


def test_the_package_imports_nothing_heavy():
    """Data commands must start fast, without what only training or rendering needs."""
    code = (
        "import sys, kins, kins.commands.cli, kins.formats, kins.records, kins.validate, kins.draw;"
        "heavy = 'torch', 'torchvision', 'matplotlib', 'mitsuba', 'scipy', 'networkx', 'starlette', 'sqlalchemy';"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_whole_surface_is_seen_and_there():
    code = "import kins; print(*dir(kins))"
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    wanted = {"load", "Dataset", "Scene", "Mask", "evaluate", "Predictor", "train", "draw", "generate", "models"}
    assert wanted <= set(fresh)
    for name in fresh:
        assert getattr(kins, name), name
    with pytest.raises(AttributeError):
        kins.nothing_of_that_name  # noqa: B018


def test_wings_with_the_name_of_their_main_function_are_called_as_it():
    scene = dataset()[1]
    assert (kins.draw(scene) == kins.draw.draw(scene)).all()
    assert callable(kins.train)
    assert kins.train.train.__module__ == "kins.train.loop"
    assert kins.evaluate is kins.evaluation.evaluate


def test_records_show_themselves(tmp_path):
    data = dataset(images_dir=None)
    assert repr(data[1]) == "Scene(1.png, 8 x 6 pixels, 2 car)"
    assert repr(data).startswith(f"Dataset(in memory: {len(data)} images, ")
    many = Dataset({}, {n: f"class {n}" for n in range(20)}, {})
    assert repr(many).endswith("class 7, ...)")
    picture = data[1].plot(scale=4, legend=False)
    assert picture.size == (32, 24)
    sheet = data.plot(2, width=80)
    assert sheet.size[0] == 2 * 80 + 3 * 8
    for thing in (data, data[1]):
        page = thing._repr_html_()
        assert page.startswith(f"<p>{escape(repr(thing))}</p><img")
        image = base64.b64decode(page.partition("base64,")[2].partition('"')[0])
        assert PIL.Image.open(io.BytesIO(image)).format == "WEBP"
    hostile = data[1].replace(instances=tuple(i.replace(category="<b>car") for i in data[1]))
    assert "<b>" not in hostile._repr_html_()
