"""From scenes to training targets."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from kins.config import AugmentConfig, DataConfig
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.masks import Mask
from kins.models.images import to_network
from kins.records import Dataset, Image, Instance, Scene
from kins.train.samples import Batches, TrainingSet, draws, find_data, label_of, make_target

DATA = DataConfig(short_side=80, long_side=400, workers=0)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_shapes(tmp_path_factory.mktemp("shapes"), 5)


def instance(amodal: tuple[int, int, int, int], seen: tuple[int, int, int, int], **fields: object) -> Instance:
    return Instance(1, 4, "car", Mask.from_box(amodal, 50, 100), Mask.from_box(seen, 50, 100), **fields)  # type: ignore[arg-type]


def test_targets_follow_the_definitions() -> None:
    scene = Scene(
        Image(1, "a.png", 50, 100),
        (
            instance((10, 10, 20, 20), (10, 10, 20, 20)),
            instance((40, 10, 40, 20), (40, 10, 30, 20)),
            instance((0, 0, 50, 50), (0, 0, 50, 50), crowd=True),
            instance((5, 5, 1, 20), (5, 5, 1, 20)),  # too thin
            instance((60, 30, 20, 10), (60, 30, 0, 0)),  # nothing visible
            instance((80, 30, 20, 20), (80, 31, 20, 19)),  # five of a hundred hidden
        ),
    )
    target = make_target(scene, torch.tensor([2.0, 2.0]), {4: 3}, DataConfig(min_size=4))
    assert target["boxes"].tolist() == [[20, 20, 60, 60], [80, 20, 160, 60], [160, 60, 200, 100]]
    assert target["labels"].tolist() == [3, 3, 3]
    assert target["occluded"].tolist() == [0, 1, 1]
    assert make_target(scene, torch.ones(2), {4: 3}, DataConfig(occluded_rate=0.15))["occluded"].tolist() == [0, 1, 0]
    numbers = [target[name][:, 0].unique_consecutive().tolist() for name in ("amodal", "inmodal")]
    assert numbers == [[0, 1, 2], [0, 1, 2]]


def test_missing_inmodal_masks_are_fine_only_where_none_are_learned() -> None:
    unknown = instance((10, 10, 20, 20), (0, 0, 0, 0)).replace(inmodal=None)
    scene = Scene(Image(1, "a.png", 50, 100), (unknown,))
    target = make_target(scene, torch.ones(2), {4: 1}, DATA, ["amodal"])
    assert "inmodal" not in target
    assert target["occluded"].tolist() == [0]
    with pytest.raises(KinsError, match="no inmodal mask"):
        make_target(scene, torch.ones(2), {4: 1}, DATA)


@pytest.mark.parametrize("segments", [["amodal", "inmodal"], ["amodal"]])
def test_networks_that_are_compared_learn_from_the_same_objects(segments: list[str]) -> None:
    """What is hidden altogether is left out of all of them; where nothing is known of the visible part, it is not."""
    hidden, seen = instance((60, 20, 20, 20), (0, 0, 0, 0)), instance((10, 10, 20, 20), (10, 10, 20, 20))
    scene = Scene(Image(1, "a.png", 50, 100), (hidden, seen))
    assert make_target(scene, torch.ones(2), {4: 1}, DATA, segments)["boxes"].tolist() == [[10, 10, 30, 30]]


def test_what_is_hidden_altogether_may_be_kept_and_covers_places() -> None:
    hidden, seen = instance((60, 20, 20, 20), (0, 0, 0, 0)), instance((10, 10, 20, 20), (10, 10, 15, 20))
    scene = Scene(Image(1, "a.png", 50, 100), (hidden, seen))
    data = DataConfig(min_size=4, keep_hidden=True)
    target = make_target(scene, torch.ones(2), {4: 1}, data, ["amodal", "covered"])
    assert target["boxes"].tolist() == [[60, 20, 80, 40], [10, 10, 30, 30]]
    columns = {(number, x): (top, bottom) for number, x, top, bottom in target["covered"].int().tolist()}
    assert columns == {(0, x): (20, 40) for x in range(60, 80)} | {(0, x): (10, 30) for x in range(25, 30)}


def test_images_with_ids_of_any_length(shapes: Dataset) -> None:
    scenes = [scene.replace(image=dataclasses.replace(scene.image, id=2**70 + scene.image.id)) for scene in shapes]
    long = Dataset.from_scenes(scenes, shapes.categories, images_dir=shapes.images_dir)
    image, target = TrainingSet(long, DATA, AugmentConfig(mirror=0))[3, 0]
    assert torch.equal(image, TrainingSet(shapes, DATA, AugmentConfig(mirror=0))[3, 0][0])
    assert target["image"] == 3


def test_scaling_keeps_to_both_limits() -> None:
    image = np.zeros((375, 1242, 3), np.uint8)
    tensor, scale = to_network(image, 192, 800)
    assert tensor.shape == (3, 192, 636)
    torch.testing.assert_close(scale, torch.tensor([636 / 1242, 192 / 375]))
    assert to_network(image, 800, 1333)[0].shape == (3, 402, 1333)
    assert to_network(image, 375, 1242)[0].dtype == torch.uint8


def test_windows_are_cut_from_the_scaled_image(shapes: Dataset) -> None:
    """Targets in the window are those of the whole image where it shows all of an instance, moved."""
    plain = AugmentConfig(mirror=0, scale=(0.9, 0.9))
    whole, target = TrainingSet(shapes, DATA, plain, seed=3)[2, 7]
    height, width = whole.shape[1] - 20, whole.shape[2] // 2
    cut = plain.model_copy(update={"window": (height, width)})
    part, seen = TrainingSet(shapes, DATA, cut, seed=3)[2, 7]
    assert abs(part.shape[1] - height) <= 1
    assert abs(part.shape[2] - width) <= 1
    torch.testing.assert_close(seen["scale"], target["scale"], atol=0.02, rtol=0)
    assert 0 < len(seen["boxes"]) <= len(target["boxes"])
    assert (seen["boxes"][:, 2] <= part.shape[2] + 1e-3).all()


def test_labels_are_contiguous_whatever_the_ids() -> None:
    assert label_of(Dataset({}, {8: "misc", 1: "cyclist", -4: "car"}, {})) == {-4: 1, 1: 2, 8: 3}


def test_categories_that_can_not_be_learned() -> None:
    with pytest.raises(KinsError, match="lists no categories"):
        label_of(Dataset({}, {}, {}))
    with pytest.raises(KinsError, match=r"category 'car' has the id -4{20}; .* at most 18 digits"):
        label_of(Dataset({}, {1: "van", -int("4" * 20): "car"}, {}))


def test_a_sample_is_a_function_of_its_draw(shapes: Dataset) -> None:
    augmentation = AugmentConfig(mirror=0.5, crop=1.0, scale=(0.8, 1.2), color=0.5, paste=0.5)
    samples = TrainingSet(shapes, DATA, augmentation, seed=3)
    (image, target), (again, target_again) = samples[2, 7], samples[2, 7]
    assert torch.equal(image, again)
    assert all(torch.equal(value, target_again[name]) for name, value in target.items())
    assert not any(
        image.shape == other.shape and torch.equal(image, other) for other, _ in (samples[2, 8], samples[2, 9])
    )


def test_every_image_is_drawn_once_an_epoch() -> None:
    sequence = draws(5, seed=1)
    first, second = ([next(sequence)[0] for _ in range(5)] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(5))
    assert first != second
    start = draws(5, seed=1, start=7)
    assert [next(start) for _ in range(3)] == [(index, place) for place, index in enumerate(second, start=5)][2:]


def test_processes_share_the_same_global_batch() -> None:
    def steps(rank: int, world: int, micro: int, first: int = 0) -> list[list[tuple[int, int]]]:
        iterator = iter(Batches(10, 0, 4, micro, rank, world, first))
        return [next(iterator) for _ in range(6)]

    one = steps(0, 1, 4)
    both = [a + b for a, b in zip(steps(0, 2, 2), steps(1, 2, 2), strict=True)]
    accumulated = steps(0, 1, 2)
    assert one == both
    assert one[:3] == [accumulated[2 * k] + accumulated[2 * k + 1] for k in range(3)]
    assert steps(0, 1, 4, first=2)[:4] == one[2:]


def test_data_is_found_in_the_usual_places(shapes: Dataset, tmp_path: Path) -> None:
    assert shapes.images_dir is not None
    (tmp_path / "training").mkdir()
    (tmp_path / "training/image_2").symlink_to(shapes.images_dir)
    data = DATA.model_copy(update={"root": str(tmp_path)})
    with pytest.raises(KinsError, match=r"holds none of train\.json"):
        find_data(data)
    shapes.save(tmp_path / "train.json")
    train, test = find_data(data)
    assert len(train) == 5
    assert test is None
    assert train[0].read_image().shape == (160, 240, 3)
    with pytest.raises(KinsError, match="--data"):
        find_data(DATA)
