"""The networks: against torchvision's Mask R-CNN on the same weights, and that every part learns."""

from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import fastrcnn_loss

import kins
from kins.config import NETWORKS
from kins.errors import KinsError
from kins.masks import Mask
from kins.models import cpu
from kins.models.network import AmodalRCNN
from kins.models.regions import box_losses, occlusion_labels
from kins.models.targets import flat_segments

SMALL = {"backbone": "tiny", "channels": 32, "head_channels": 32, "hidden": 64, "regions": 16, "proposals_train": 100}


def target(seed: int = 0) -> dict[str, torch.Tensor]:
    masks = [Mask.from_box(box, 96, 128) for box in ((10, 20, 40, 50), (60, 10, 50, 70))]
    seen = [masks[0], Mask.from_box((60, 10, 20, 70), 96, 128)]
    return {
        "boxes": torch.tensor([[10.0, 20, 50, 70], [60, 10, 110, 80]]),
        "labels": torch.tensor([1, 3]),
        "occluded": torch.tensor([0, 1]),
        "amodal": flat_segments([m.segments for m in masks]),
        "inmodal": flat_segments([m.segments for m in seen]),
        "occluder": flat_segments([Mask.empty(96, 128).segments, Mask.from_box((70, 10, 40, 80), 96, 128).segments]),
        "neighbours": flat_segments([m.segments for m in reversed(seen)]),
        "scale": torch.ones(2),
        "seed": torch.tensor(seed),
    }


def picture(seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (3, 96, 128), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def small(name: str, **settings: object) -> AmodalRCNN:
    torch.manual_seed(0)
    return kins.models.build(name, num_classes=3, **(SMALL | settings))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    network = small(name).train()
    losses = network([picture(0), picture(1)], [target(0), target(1)])
    stage = network.roi_heads.mask_heads
    assert set(NETWORKS[name].masks) <= set(stage.masks)
    expected = {f"loss_mask_{mask}" for mask in stage.targets}
    expected |= {"loss_occlusion"} if NETWORKS[name].occlusion else set()
    assert expected <= losses.keys()
    sum(losses.values()).backward()
    learned = [(key, p) for key, p in network.named_parameters() if p.requires_grad]
    without = [key for key, p in learned if p.grad is None or not p.grad.abs().sum() > 0]
    assert len(learned) > 80
    assert without == []


@pytest.mark.parametrize(
    "settings", [{"extraction": False}, {"combination": False}, {"tap": 3}, {"occluded_weight": 1.0}]
)
def test_parts_of_coding_can_be_switched(settings: dict[str, object]) -> None:
    plain, changed = small("asn-mlc"), small("asn-mlc", **settings)
    losses = changed.train()([picture()], [target()])
    assert all(torch.isfinite(value) for value in losses.values())
    if "extraction" in settings or "combination" in settings:
        assert sum(p.numel() for p in changed.parameters()) < sum(p.numel() for p in plain.parameters())
    elif "tap" in settings:
        assert losses["loss_mask_amodal"] != plain.train()([picture()], [target()])["loss_mask_amodal"]
    else:
        assert losses["loss_occlusion"] != plain.train()([picture()], [target()])["loss_occlusion"]


def test_settings_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(KinsError, match="did you mean 'asn-mlc'"):
        kins.models.build("asn-mlcc", num_classes=7)
    with pytest.raises(KinsError, match="did you mean 'occluded_weight'"):
        kins.models.build("asn", num_classes=7, occluded_wieght=2)
    with pytest.raises(KinsError, match="num_classes: 0; a network needs one class"):
        kins.models.build("asn", num_classes=0)
    with pytest.raises(KinsError, match="tap"):
        kins.models.build("asn-mlc", num_classes=7, tap=5)
    with pytest.raises(KinsError, match="extraction"):
        kins.models.build("asn-mlc", num_classes=7, extraction=False, combination=False)


def torchvision_twin(ours: AmodalRCNN) -> MaskRCNN:
    """torchvision's Mask R-CNN with the same parts and the same weights, the amodal mask head as its mask head."""
    heads = ours.roi_heads
    tower = BackboneWithFPN(ours.backbone.body, {"layer1": "0"}, [64], 32)
    tower.body, tower.fpn = ours.backbone.body, ours.backbone.fpn
    box_head = FastRCNNConvFCHead((32, 7, 7), [32] * 4, [64])
    mask_head, mask_predictor = MaskRCNNHeads(32, [32] * 4, 1), MaskRCNNPredictor(32, 32, 4)
    twin = MaskRCNN(
        tower,
        rpn_anchor_generator=ours.rpn.anchor_generator,
        rpn_head=ours.rpn.head,
        box_head=box_head,
        box_predictor=heads.box_predictor,
        mask_head=mask_head,
        mask_predictor=mask_predictor,
        min_size=96,
        max_size=128,
        rpn_pre_nms_top_n_train=100,
        rpn_post_nms_top_n_train=100,
        box_batch_size_per_image=16,
    )
    with torch.no_grad():
        for k in range(4):
            box_head[k][0].load_state_dict(heads.box_head.convs[k][0].state_dict())
            mask_head[k][0].load_state_dict(heads.mask_heads.amodal.convs[k][0].state_dict())
        box_head[5].load_state_dict(heads.box_head.fc.state_dict())
        mask_predictor.conv5_mask.load_state_dict(heads.mask_heads.amodal.deconv[0].state_dict())
        mask_predictor.mask_fcn_logits.load_state_dict(heads.mask_heads.amodal.logits.state_dict())
    return twin


def test_predictions_equal_torchvisions_on_the_same_weights() -> None:
    ours = small("asn", head_channels=32, score_threshold=0.0).eval()
    twin = torchvision_twin(ours).eval()
    twin.roi_heads.score_thresh = 0.0
    twin.transform.postprocess = lambda result, *_: result
    with torch.no_grad():
        (found,), (expected,) = ours([picture()]), twin([picture() / 255])
    assert len(found["boxes"]) == 100
    assert torch.equal(found["labels"], expected["labels"])
    for name, reference in {"boxes": "boxes", "scores": "scores", "mask_amodal": "masks"}.items():
        torch.testing.assert_close(found[name], expected[reference].view_as(found[name]), rtol=1e-4, atol=1e-3)


def test_losses_equal_torchvisions_on_the_same_weights() -> None:
    """With torchvision's own random sampling, and masks of whole pixels that lie on whole cells."""
    ours = small("mask-rcnn").train()
    twin = torchvision_twin(ours).train()
    twin.transform._skip_resize = True  # it would draw a random number first
    t = target()
    del t["seed"]
    full = torch.stack(
        [torch.from_numpy(Mask.from_box(b, 96, 128).to_array()) for b in ((10, 20, 40, 50), (60, 10, 50, 70))]
    )
    torch.manual_seed(1)
    found = ours([picture()], [t])
    torch.manual_seed(1)
    expected = twin([picture() / 255], [{**t, "masks": full.to(torch.uint8)}])
    for name in ("loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"):
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["loss_mask_amodal"], expected["loss_mask"], rtol=0.05, atol=0.0)


def test_occlusion_labels_are_those_of_the_matched_instance() -> None:
    known = target(), torch.tensor([0, 1, 1, 0]), torch.tensor([1, 3, 0, 0]), torch.zeros(4, 4)
    assert occlusion_labels(*known, "instance").tolist() == [0, 1, 0, 0]  # background regions are not occluded


def test_occlusion_labels_of_regions_say_whether_anything_hidden_lies_in_them() -> None:
    """x 80 to 110, y 10 to 80 of the second instance are hidden; the picture was scaled by two."""
    known = {**target(), "scale": torch.tensor([2.0, 2.0])}
    known["covered"] = flat_segments([Mask.from_box((80, 10, 30, 70), 96, 128).segments])
    boxes = torch.tensor([[0.0, 0, 150, 40], [0, 0, 170, 40], [165, 0, 170, 19], [20, 160, 160, 220], [0, 0, 19, 300]])
    labels = torch.tensor([1, 0, 2, 0, 0])
    for rule, expected in (("region", [0, 1, 0, 0, 0]), ("region-swapped", [0, 0, 0, 1, 0])):
        assert occlusion_labels(known, torch.zeros(5).long(), labels, boxes, rule).tolist() == expected
    none = {**known, "occluded": known["occluded"][:0]}
    assert occlusion_labels(none, torch.zeros(5).long(), labels, boxes, "region").tolist() == [0] * 5


@pytest.mark.parametrize("rule", ["region", "region-swapped"])
def test_a_network_trains_as_the_paper_has_it(rule: str) -> None:
    settings = {"occlusion_labels": rule, "box_beta": 1.0, "initial": "paper", "border_anchors": False}
    network, plain = small("asn", **settings, binary_targets=True).train(), small("asn").train()
    assert network.segments == ["amodal", "covered", "inmodal"]
    assert network.roi_heads.box_predictor.bbox_pred.weight.std().item() == pytest.approx(0.001, rel=0.2)
    known = {**target(), "covered": flat_segments([Mask.from_box((80, 10, 30, 70), 96, 128).segments])}
    losses, usual = network([picture()], [known]), plain([picture()], [target()])
    assert losses.keys() == usual.keys()
    assert all(torch.isfinite(value) for value in losses.values())


def test_the_box_loss_bends_where_it_is_told_to() -> None:
    torch.manual_seed(0)
    logits, deltas, labels, targets = (
        torch.randn(6, 4),
        torch.randn(6, 16),
        torch.tensor([0, 1, 3, 0, 2, 1]),
        torch.randn(6, 4),
    )
    for beta in (1 / 9, 1.0):
        distance = torch.stack([(deltas[k].view(4, 4)[labels[k]] - targets[k]).abs() for k in (1, 2, 4, 5)])
        expected = torch.where(distance < beta, distance**2 / (2 * beta), distance - beta / 2).sum() / 6
        torch.testing.assert_close(box_losses(logits, deltas, labels, targets, beta)[1], expected)
    for found, expected in zip(
        box_losses(logits, deltas, labels, targets, 1 / 9),
        fastrcnn_loss(logits, deltas, [labels], [targets]),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)


METHODS = ["asn-mlc", *(name for name, parts in NETWORKS.items() if parts.method != "separate")]


@pytest.mark.parametrize("name", METHODS)
def test_an_image_without_instances_trains(name: str) -> None:
    empty = {key: value[:0] if value.ndim else value for key, value in target().items()}
    empty["scale"] = torch.ones(2)
    network = small(name).train()
    losses = network([picture(0), picture(1)], [empty, target()])
    assert all(torch.isfinite(value) for value in losses.values())
    sum(losses.values()).backward()


@pytest.mark.parametrize("name", METHODS)
def test_nothing_found_is_an_empty_prediction(name: str) -> None:
    network = small(name, score_threshold=0.99).eval()
    with torch.no_grad():
        (found,) = network([picture()])
    assert found["mask_inmodal"].shape == (0, 28, 28)
    assert all(value.shape[0] == 0 for value in found.values())
    assert ("occlusion" in found) == (name in ("asn-mlc", "uoais", "ordered"))


@pytest.mark.parametrize("way", [nullcontext, cpu.plain])
@pytest.mark.parametrize("name", ["asn-mlc", "panet-asn-mlc"])
def test_pictures_may_be_as_small_as_a_pixel(name: str, way: type[AbstractContextManager[None]]) -> None:
    network = small(name, score_threshold=0.0).eval()
    for height, width in ((1, 1), (3, 3), (1, 300), (33, 40), (65, 2)):
        with torch.inference_mode(), way():
            (found,) = network([torch.full((3, height, width), 90, dtype=torch.uint8)])
        limits = torch.tensor([width, height] * 2)
        assert ((found["boxes"] >= 0) & (found["boxes"] <= limits)).all()
        assert all(torch.isfinite(value).all() for value in found.values())


def test_losses_do_not_depend_on_what_else_is_in_the_batch() -> None:
    network = small("asn-mlc").train()
    together = network([picture(0), picture(1)], [target(0), target(1)])
    apart = [network([picture(k)], [target(k)]) for k in (0, 1)]
    for name, value in together.items():
        torch.testing.assert_close(value, (apart[0][name] + apart[1][name]) / 2, rtol=1e-4, atol=1e-5)


def test_boxes_are_not_rounded_in_half_precision() -> None:
    """bfloat16 has eight bits: coordinates beyond 256 would be off by pixels."""
    network = small("asn-mlc", score_threshold=0.0).eval()
    seen = {}
    network.roi_heads.register_forward_pre_hook(lambda module, inputs: seen.update(proposals=inputs[1][0]))
    wide = torch.randint(0, 256, (3, 64, 640), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        (found,) = network([wide])
    for boxes in (seen["proposals"], found["boxes"]):
        assert boxes.dtype == torch.float32
        far = boxes[:, 0][boxes[:, 0] > 256]
        assert len(far) > 5
        assert not torch.equal(far, far.bfloat16().float())


def test_given_boxes_get_what_prediction_says_of_them():
    torch.manual_seed(0)
    network = kins.models.build("asn-mlc", 3, **SMALL, score_threshold=0.0, nms_threshold=1.0, detections=12).eval()
    torch.nn.init.normal_(network.roi_heads.box_predictor.bbox_pred.weight, std=0.05)
    pictures = [picture(0), picture(1)[:, :64]]
    with torch.inference_mode(), cpu.plain():
        found = network(pictures)
        boxes, labels = [f["boxes"] for f in found], [f["labels"] for f in found]
        again = network.on_boxes(pictures, boxes, labels)
        free = network.on_boxes(pictures, boxes)
        moved = network.on_boxes(pictures, boxes, labels, [torch.arange(len(b)) % 2 > 0 for b in boxes])
        none = network.on_boxes(pictures, [torch.zeros(0, 4)] * 2)
    for one, same, own, other in zip(found, again, free, moved, strict=True):
        for name in ("boxes", "labels", "occlusion", "mask_amodal", "mask_inmodal"):
            torch.testing.assert_close(one[name], same[name], rtol=1e-4, atol=1e-5)
        assert (own["scores"] >= same["scores"] - 1e-6).all()
        assert (other["boxes"][::2] == one["boxes"][::2]).all()
        assert ((other["boxes"][1::2] - one["boxes"][1::2]).abs().amax(1) > 0.1).all()
    assert [len(f["mask_amodal"]) for f in none] == [0, 0]
