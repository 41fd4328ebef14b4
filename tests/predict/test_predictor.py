"""Prediction: masks drawn into the image, files read and written, the way from picture to scene."""

import json
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from tests import helpers
from torchvision.models.detection.roi_heads import paste_masks_in_image
from typer.testing import CliRunner

from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.files.sources import find_images, passed_over
from kins.formats import load_predictions
from kins.masks.grid import draw_masks
from kins.models.network import assemble
from kins.predict.files import drawings, identify, predict_files
from kins.predict.predictor import Predictor, with_categories
from kins.records import Dataset, Image, Scene
from kins.train.loop import train

SMALL = [*helpers.SMALL, "model.proposals_test=50", "train.steps=2"]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_shapes(tmp_path_factory.mktemp("shapes"), 4, (64, 96))


@pytest.fixture(scope="module")
def run(shapes: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hardly trained: it finds a hundred things in every picture, which is what these tests need."""
    folder = tmp_path_factory.mktemp("run")
    train(load_config("tiny", [*SMALL, "model.score_threshold=0.0"]), shapes, folder, test=shapes)
    return folder


def test_masks_are_drawn_over_their_boxes_only() -> None:
    boxes = np.array([[10.0, 5, 30, 25], [-5, -5, 8, 8], [90, 50, 120, 80], [200, 0, 210, 9]])
    masks = draw_masks(np.ones((4, 28, 28), np.float32), boxes, 60, 100)
    assert [m.box for m in masks] == [(10, 5, 20, 20), (0, 0, 8, 8), (90, 50, 10, 10), (0, 0, 0, 0)]
    assert [m.area for m in masks] == [400, 64, 100, 0]


def test_drawn_masks_agree_with_torchvisions_pasting() -> None:
    y, x = np.mgrid[:28, :28] / 27 - 0.5
    blob = (1 / (1 + np.exp(20 * (np.hypot(x * 1.3, y) - 0.3)))).astype(np.float32)
    boxes = np.array([[10.3, 5.7, 60.2, 45.1], [3.0, 2.0, 90.0, 55.0], [20.5, 10.5, 33.5, 21.5]])
    drawn = np.stack([m.to_array() for m in draw_masks(np.repeat(blob[None], 3, 0), boxes, 60, 100)])
    masks = torch.from_numpy(blob).expand(3, 1, 28, 28)
    pasted = paste_masks_in_image(masks, torch.from_numpy(boxes).float(), (60, 100))[:, 0].numpy() > 0.5
    union, common = (drawn | pasted).sum((1, 2)), (drawn & pasted).sum((1, 2))
    assert (common / union > [0.95, 0.95, 0.8]).all()  # torchvision rounds boxes to whole pixels


def test_a_picture_becomes_a_scene(run: Path, shapes: Dataset) -> None:
    predictor = Predictor.load(run, device="cpu", precision="32")
    image = shapes[0].read_image()
    scene = predictor(image)
    assert (scene.image.height, scene.image.width) == image.shape[:2]
    assert len(scene) > 10
    scores = [instance.score for instance in scene]
    assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]
    for instance in scene:
        assert instance.category in ("disc", "box", "triangle")
        assert instance.amodal.height == 64
        assert instance.inmodal.width == 96
        assert 0 <= instance.occlusion_score <= 1  # type: ignore[operator]
    certain = Predictor.load(run, device="cpu", precision="32", score_threshold=scores[4])(image)
    assert len(certain) == 5


def test_a_batch_gives_what_single_pictures_give(run: Path, shapes: Dataset) -> None:
    predictor = Predictor.load(run, device="cpu", precision="32")
    images = [shapes[k].read_image() for k in range(3)]
    for together, alone in zip(predictor.batch(images), map(predictor, images), strict=True):
        scores = np.array([[i.score for i in scene] for scene in (together, alone)])
        assert np.allclose(scores[0], scores[1], atol=1e-4)


def test_what_is_no_picture_is_named(run: Path) -> None:
    predictor = Predictor.load(run, device="cpu", precision="32")
    assert predictor.batch([]) == []
    good = np.zeros((64, 96, 3), np.uint8)
    for bad in (good / 255, good[..., 0], good[..., [0, 1, 2, 0]], good[:0], good.transpose(2, 0, 1)):
        with pytest.raises(KinsError, match=re.escape(f"uint8 RGB array, not {bad.dtype} of shape {bad.shape}")):
            predictor.batch([good, bad])
    with pytest.raises(KinsError, match="not a str"):
        predictor("a.png")  # type: ignore[arg-type]


def test_networks_without_inmodal_masks_say_so() -> None:
    config = load_config("tiny", [*SMALL, "model.name=mask-rcnn", "model.score_threshold=0.0"])
    torch.manual_seed(0)
    scene = Predictor(assemble(config.model, 2), {1: "a", 7: "b"}, config, device="cpu", precision="32")(
        np.zeros((64, 96, 3), np.uint8)
    )
    assert {i.category_id for i in scene} <= {1, 7}
    assert scene[0].inmodal is None


def test_files_are_predicted_and_damaged_ones_skipped(run: Path, shapes: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for scene in list(shapes)[:3]:
        PIL.Image.fromarray(scene.read_image()).save(folder / scene.image.file_name)
    (folder / "000002.png").write_bytes((folder / "000002.png").read_bytes()[:500])
    (folder / "000007.png").write_bytes(b"no picture")
    shown = tmp_path / "shown"
    summary = predict_files(run, [folder], tmp_path / "pred.json", batch=2, device="cpu", show=shown, show_score=0.0)
    assert [p.name for p in sorted(shown.iterdir())] == ["000000.png", "000001.png"]
    assert summary.images == 2
    assert [Path(line.split(":")[0]).name for line in summary.skipped] == ["000002.png", "000007.png"]
    found = load_predictions(tmp_path / "pred.json", shapes)
    assert sum(len(scene) for scene in found) == summary.detections > 0
    entry = json.loads((tmp_path / "pred.json").read_text())["predictions"][0]
    fields = {"image_id", "category_id", "score", "a_bbox", "a_segm", "i_bbox", "i_segm", "occlusion_score"}
    assert entry.keys() == fields | {"oco_id", "ico_id"}
    assert isinstance(entry["a_segm"]["counts"], str)
    with pytest.raises(KinsError, match="not one of 1 pictures"):
        predict_files(run, [folder / "000007.png"], tmp_path / "none.json")
    assert not (tmp_path / "none.json").exists()


def test_ids_come_from_annotations_or_names(shapes: Dataset, tmp_path: Path) -> None:
    paths = [Path("b/000003.png"), Path("b/000001.png"), Path("b/x.png")]
    assert identify(paths, None) == ([(paths[0], 0), (paths[1], 1), (paths[2], 2)], [])
    assert identify(paths[:2], None) == ([(paths[0], 3), (paths[1], 1)], [])
    known, unknown = identify(paths, shapes)
    assert [image_id for _, image_id in known] == [3, 1]
    assert len(unknown) == 1
    assert "x.png" in unknown[0]
    renamed = with_categories(shapes[0], {10: "disc", 11: "box"})
    assert {(i.category_id, i.category) for i in renamed} <= {(10, "disc"), (11, "box")}


def test_folders_globs_and_files_are_found(tmp_path: Path) -> None:
    for name in ("a.png", "b.JPG", "c.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in find_images([tmp_path])] == ["a.png", "b.JPG"]
    assert [p.name for p in find_images([str(tmp_path / "*.png"), tmp_path / "a.png"])] == ["a.png"]
    with pytest.raises(KinsError, match="no such picture"):
        find_images([tmp_path / "*.bmp"])


def test_what_is_passed_over_is_reported(tmp_path: Path) -> None:
    for name in ("a.png", "b.gif", ".a.tmp.png", "c.HEIC", "d.svg", "e.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub.png").mkdir()
    names = [tmp_path, tmp_path / "a.png", f"{tmp_path}/../{tmp_path.name}/a.png", tmp_path / "none.png"]
    assert [p.name for p in find_images(names)] == ["a.png", "b.gif"]
    lines = passed_over(names)
    assert [Path(line.split(": ")[0]).name for line in lines] == ["c.HEIC", "d.svg", "none.png"]
    for k in range(20):
        (tmp_path / f"{k}.heic").write_bytes(b"x")
    assert any("21 files *.heic" in line for line in passed_over([tmp_path]))
    assert len(passed_over([tmp_path])) == 2
    only = tmp_path / "only"
    only.mkdir()
    (only / "1.heic").write_bytes(b"x")
    with pytest.raises(KinsError, match=r"1\.heic: \.heic is not read"):
        find_images([only])


def named(*names: str) -> Dataset:
    return Dataset.from_scenes([Scene(Image(k, name, 8, 8)) for k, name in enumerate(names, 1)], {1: "disc"})


@pytest.mark.parametrize(
    ("images", "paths", "ids", "reasons"),
    [
        (["a/x.png", "b/x.png"], ["p/b/x.png", "p/a/x.png"], [2, 1], []),
        (["x.png", "b/x.png"], ["b/x.png", "a/x.png"], [2, 1], []),
        (["b/x.png"], ["a/x.png", "b/x.png"], [1], ["b/x.png lies in another folder"]),
        (["x.png", "y.png"], ["a/x.png", "b/x.png", "a/y.png"], [2], ["so may another", "so may another"]),
        (["x.png", "x.png", "y.png"], ["x.png", "y.png"], [3], ["2 images of"]),
        (["a/x.png"], ["z.png", "ba/x.png"], [], ["not among", "a/x.png lies in another folder"]),
    ],
)
def test_no_picture_gets_the_id_of_another(
    images: list[str], paths: list[str], ids: list[int], reasons: list[str]
) -> None:
    known, left_out = identify([Path(path) for path in paths], named(*images))
    assert [image_id for _, image_id in known] == ids
    assert len(left_out) == len(reasons)
    for line, why in zip(left_out, reasons, strict=True):
        assert why in line


def test_annotations_that_match_nothing_are_an_error(run: Path, shapes: Dataset, tmp_path: Path) -> None:
    picture = shapes[0].image_path
    assert picture is not None
    named("other.png").save(tmp_path / "images.json")
    with pytest.raises(KinsError, match="not one of 1 pictures is an image of"):
        predict_files(run, [picture], tmp_path / "p.json", annotations=tmp_path / "images.json", device="cpu")
    Dataset.from_scenes([Scene(Image(1, picture.name, 64, 96))], {1: "car"}).save(tmp_path / "classes.json")
    with pytest.raises(KinsError, match=r"has not one class of .* it has car, they have disc, box, triangle"):
        predict_files(run, [picture], tmp_path / "p.json", annotations=tmp_path / "classes.json", device="cpu")
    assert not (tmp_path / "p.json").exists()


def test_drawings_have_names_of_their_own(tmp_path: Path) -> None:
    paths = [Path(name) for name in ("photo.bmp", "photo.tif", "a/x.png", "b/x.png", "y.jpg")]
    names = [path.name for path in drawings(tmp_path, paths).values()]
    assert names == ["photo.bmp.png", "photo.tif.png", "x.png.png", "x.png.3.png", "y.png"]


def test_a_drawing_that_fails_loses_no_prediction(run: Path, shapes: Dataset, tmp_path: Path) -> None:
    (tmp_path / "shown/000001.png").mkdir(parents=True)
    folder = shapes.images_dir
    assert folder is not None
    summary = predict_files(run, [folder], tmp_path / "pred.json", device="cpu", show=tmp_path / "shown")
    assert summary.images == 4
    (line,) = summary.skipped
    assert "000001.png: predicted, but not drawn" in line
    assert len(json.loads((tmp_path / "pred.json").read_text())["predictions"]) == summary.detections > 0
    assert len([path for path in (tmp_path / "shown").iterdir() if path.is_file()]) == 3


def test_evaluation_chose_the_best_weights(run: Path) -> None:
    header = (run / "evaluations.csv").read_text().splitlines()[0].split(",")
    assert {"amodal_AP50", "inmodal_AP50", "box_AP", "score"} <= set(header)


def test_the_commands(shapes: Dataset, tmp_path: Path) -> None:
    from kins.commands.cli import app

    data = tmp_path / "data"
    (data / "training").mkdir(parents=True)
    (data / "training/image_2").symlink_to(shapes.images_dir)  # type: ignore[arg-type]
    shapes.save(data / "train.json")
    cli = CliRunner()
    trained = cli.invoke(app, ["train", "tiny", *SMALL, "--data", str(data), "--out", str(tmp_path / "run"), "--json"])
    assert trained.exit_code == 0, trained.output
    assert Path(json.loads(trained.stdout)["weights"]).is_file()
    pictures = str(data / "training/image_2")
    predicted = cli.invoke(
        app, ["predict", str(tmp_path / "run"), pictures, "-o", str(tmp_path / "pred.json"), "--json"]
    )
    assert predicted.exit_code == 0, predicted.output
    assert json.loads(predicted.stdout)["images"] == 4
    some = [str(tmp_path / "none.png"), f"{pictures}/000000.png"]
    predicted = cli.invoke(app, ["predict", str(tmp_path / "run"), *some, "-o", str(tmp_path / "some.json")])
    assert predicted.exit_code == 0, predicted.output
    assert "none.png: no such picture" in predicted.stderr
    wrong = cli.invoke(app, ["train", "tiny", "train.stpes=3", "--data", str(data)])
    assert isinstance(wrong.exception, KinsError)
    assert "did you mean 'steps'" in str(wrong.exception)


def test_the_real_street_photo(run: Path, street_photo: Path, tmp_path: Path) -> None:
    summary = predict_files(run, [street_photo], tmp_path / "pred.json", device="cpu")
    assert summary.images == 1
    assert {d["a_segm"]["size"][1] for d in json.loads((tmp_path / "pred.json").read_text())["predictions"]} == {1242}
