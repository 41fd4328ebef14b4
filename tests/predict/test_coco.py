"""torchvision's detector with completion, on weights of the right names and shapes that are made here."""

import numpy as np
import pytest
import torch
import torchvision

import kins
from kins import KinsError
from kins.predict.coco import CocoPredictor
from kins.predict.files import load_predictor

NAME = "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """torch's folder of fetched weights, empty; nothing is fetched."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def refuse(*args, **options):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


def test_without_weights_one_line_says_which_file_to_put_where(hub):
    with pytest.raises(KinsError, match=f"{NAME} is not on disk") as caught:
        load_predictor("coco")
    assert str(hub / NAME) in str(caught.value)
    assert "https://" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_weights_under_that_name_are_one_line(hub):
    torch.save({"backbone.body.conv1.weight": torch.zeros(64, 3, 7, 7)}, hub / NAME)
    with pytest.raises(KinsError, match="is it torchvision's maskrcnn_resnet50_fpn_v2"):
        load_predictor("coco")


def test_visible_masks_are_found_and_completed(hub):
    torch.manual_seed(0)
    network = torchvision.models.detection.maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None)
    torch.save({n: v.half() if v.is_floating_point() else v for n, v in network.state_dict().items()}, hub / NAME)
    predictor = load_predictor("coco", device="cpu", precision="32", score_threshold=0.0)
    assert isinstance(predictor, CocoPredictor)
    assert len(predictor.categories) == 80
    assert (predictor.categories[1], predictor.categories[3], predictor.categories[90]) == (
        "person",
        "car",
        "toothbrush",
    )
    predictor.network.transform.min_size = (96,)
    predictor.network.rpn._pre_nms_top_n = predictor.network.rpn._post_nms_top_n = {"training": 50, "testing": 50}
    picture = np.random.default_rng(0).integers(0, 255, (90, 150, 3), np.uint8)
    scene = predictor(picture)
    assert (scene.image.height, scene.image.width) == (90, 150)
    assert len(scene) > 0
    for instance in scene:
        assert instance.category == predictor.categories[instance.category_id]
        assert not (instance.inmodal - instance.amodal)
        assert instance.order is not None
        assert 0 <= instance.occlusion_score <= 1
    assert predictor.batch([]) == []
    with pytest.raises(KinsError, match="uint8"):
        predictor(picture / 255.0)


def test_masks_lie_where_torchvision_pastes_them(hub):
    """Against torchvision's own pasting, for a detection that its heads would give."""
    from torchvision.models.detection.roi_heads import paste_masks_in_image

    from kins.masks.grid import draw_masks

    grid = torch.zeros(1, 1, 28, 28)
    grid[..., 7:21, 5:24] = 1
    box = torch.tensor([[20.0, 10.0, 90.0, 70.0]])
    theirs = kins.Mask.from_array(paste_masks_in_image(grid, box, (90, 150), padding=1)[0, 0].numpy() > 0.5)
    (ours,) = draw_masks(grid[:, 0].numpy(), box.numpy().astype(np.float64), 90, 150)
    assert ours.iou(theirs) > 0.93
