"""Prediction files written image by image, and what an interruption leaves."""

import json

import numpy as np
import pytest
from tests.formats.strategies import rle

import kins
from kins import Dataset, Image, Instance, KinsError, Mask, Scene
from kins.formats import PredictionWriter, load_predictions

CATEGORIES = {1: "car", 4: "van"}


def scene(key, count):
    """An image with a number of detections, all different."""
    made = []
    for index in range(count):
        pixels = np.zeros((6, 8), bool)
        pixels[index, : key % 7 + 1] = True
        mask = Mask.from_array(pixels)
        extra = {"annotation_id": 50 + index} if index else {}
        made.append(Instance(index, 4, "van", mask, mask, score=0.5, occlusion_score=0.25, extra=extra))
    return Scene(Image(key, f"{key}.png", 6, 8), tuple(made))


SCENES = [scene(3, 2), scene(9, 0), scene(5, 3)]


def write(path, scenes, **options):
    with PredictionWriter(path, CATEGORIES, **options) as writer:
        for one in scenes:
            writer.add(one)


def interrupted(path, scenes, **options):
    """Written until something else goes wrong; returns the file that is left."""

    def stopping():
        yield from scenes
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(path, stopping(), **options)
    assert not path.exists()
    return path.with_name("a.json.part")


def test_equals_the_file_of_the_data_set(tmp_path):
    write(tmp_path / "a.json", SCENES)
    Dataset.from_scenes(SCENES, CATEGORIES).save(tmp_path / "b.json", format="predictions")
    content = (tmp_path / "a.json").read_bytes()
    assert content == (tmp_path / "b.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]
    value = json.loads(content)
    assert list(value) == ["kins", "images", "categories", "predictions"]
    assert [row["image_id"] for row in value["predictions"]] == [3, 3, 5, 5, 5]
    assert value["predictions"][0]["a_segm"] == rle(SCENES[0][0].amodal.to_array())
    assert all(
        json.loads(line.rstrip(b",")) in value["predictions"] for line in content.splitlines() if b"score" in line
    )


@pytest.mark.parametrize("scenes", [[], SCENES[1:2]])
def test_nothing_found(tmp_path, scenes):
    write(tmp_path / "a.json", scenes, info={"weights": "run"})
    dataset = kins.load(tmp_path / "a.json")
    assert list(dataset.images) == [one.image.id for one in scenes]
    assert dataset.extra["info"] == {"weights": "run"}


def test_whole_images_are_kept_wherever_the_file_ends(tmp_path):
    content = interrupted(tmp_path / "a.json", SCENES, info={"weights": "run"}).read_bytes()
    lines = content.splitlines(keepends=True)
    assert len(lines) == 1 + 3 + 1 + 4
    ends = [len(b"".join(lines[:count])) for count in (4, 5, 9)]
    cut = tmp_path / "cut.json.part"
    for end in range(len(content) + 1):
        cut.write_bytes(content[:end])
        if end < len(lines[0]) - 1:  # without its last bracket, the frame is no JSON
            with pytest.raises(KinsError, match=r"is empty|ends within|holds no predictions") as error:
                kins.load(cut)
            assert "\n" not in str(error.value)
            continue
        whole = SCENES[: sum(end >= e for e in ends)]
        found = kins.load(cut)
        assert [(s.image, len(s)) for s in found] == [(s.image, len(s)) for s in whole]
        assert found.extra["info"] == {"weights": "run"}
    truth = Dataset.from_scenes([one.replace(instances=()) for one in SCENES], CATEGORIES)
    assert [len(one) for one in load_predictions(cut, truth)] == [2, 0, 3]


def test_an_interrupted_file_is_gone_on_with(tmp_path):
    write(tmp_path / "whole.json", SCENES)
    part = interrupted(tmp_path / "a.json", SCENES[:2])
    part.write_bytes(part.read_bytes() + b'{"image_id":5,"category_id":4,"sco')
    with PredictionWriter(tmp_path / "a.json", CATEGORIES, resume=True) as writer:
        assert writer.done == {3, 9}
        writer.add(SCENES[2])
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert not part.exists()


def test_without_resume_it_begins_anew(tmp_path):
    interrupted(tmp_path / "a.json", SCENES)
    write(tmp_path / "a.json", SCENES[2:])
    assert list(kins.load(tmp_path / "a.json").images) == [5]


def test_another_run_is_not_gone_on_with(tmp_path):
    interrupted(tmp_path / "a.json", SCENES, info={"weights": "one"})
    with pytest.raises(KinsError, match=r"a\.json\.part: was begun with other"):
        PredictionWriter(tmp_path / "a.json", CATEGORIES, info={"weights": "two"}, resume=True)


def test_a_foreign_file_stays(tmp_path):
    (tmp_path / "a.json.part").write_text("a song")
    with pytest.raises(KinsError, match="was not written by kins"):
        PredictionWriter(tmp_path / "a.json", CATEGORIES)
    assert (tmp_path / "a.json.part").read_text() == "a song"


@pytest.mark.parametrize(
    ("scenes", "message"),
    [
        ([SCENES[0], SCENES[0]], "image 3 is predicted twice"),
        ([scene(3, 1).replace(instances=(scene(3, 1)[0].replace(score=None),))], "has no score"),
        ([scene(3, 1).replace(instances=(scene(3, 1)[0].replace(category_id=2),))], "no category 2"),
    ],
)
def test_what_can_not_be_read_again_is_refused(tmp_path, scenes, message):
    with pytest.raises(KinsError, match=message):
        write(tmp_path / "a.json", scenes)
    assert not (tmp_path / "a.json").exists()


def test_a_place_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KinsError, match="can't be written"):
        PredictionWriter(tmp_path / "file" / "a.json", CATEGORIES)
