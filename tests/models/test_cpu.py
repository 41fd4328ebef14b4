"""The ways for CPUs give what the plain ways give, with their gradients; a quickened network predicts the same."""

import contextlib
import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from kins.config import ModelConfig
from kins.masks import Mask
from kins.models import cpu
from kins.models.backbone import LEVELS, FrozenNorm
from kins.models.cpu import Doubling, Linear, NNPackConv, quicken, separated, side_by_side
from kins.models.heads import MaskHead
from kins.models.network import assemble
from kins.models.pooling import roi_align
from kins.models.targets import flat_segments

needs_nnpack = pytest.mark.skipif(not torch.backends.nnpack.is_available(), reason="this PyTorch has no NNPACK")


def both_ways(layer: Callable[..., Tensor], *inputs: Tensor) -> list[list[Tensor]]:
    """Results and gradients of a layer, its parameters' included, in the way of CPUs and plainly."""
    learned = [x for x in inputs if x.requires_grad] + list(getattr(layer, "parameters", list)())
    found = []
    for way in (contextlib.nullcontext, cpu.plain):
        with way():
            result = layer(*inputs)
            weights = torch.randn(result.shape, dtype=result.dtype, generator=torch.Generator().manual_seed(1))
            found.append([result, *torch.autograd.grad((result * weights).sum(), learned)])
    return found


# In double precision the order of a sum does not show, however many numbers it has.


@pytest.mark.parametrize("rows", [0, 12, 300])
def test_linear_is_pytorchs(rows: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(rows, 30, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(*both_ways(Linear(30, 7).double(), x))


@pytest.mark.parametrize("regions", [0, 3])
def test_doubling_is_pytorchs_transposed_convolution(regions: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(regions, 6, 5, 5, dtype=torch.float64, requires_grad=True)
    ours, reference = Doubling(6, 10).double(), nn.ConvTranspose2d(6, 10, 2, 2).double()
    reference.load_state_dict(ours.state_dict())
    quick, plain = both_ways(ours, x)
    torch.testing.assert_close(quick, plain)
    torch.testing.assert_close(quick[0], reference(x))


def test_mask_heads_end_in_the_same_masks() -> None:
    torch.manual_seed(0)
    head = MaskHead(8, 16, num_classes=3).double()
    nn.init.normal_(head.logits.bias)
    labels = torch.tensor([1, 3, 2, 0, 3])
    x = torch.randn(5, 8, 14, 14, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(*both_ways(Applied(head, labels), x))


class Applied(nn.Module):
    """A mask head whose classes are given."""

    def __init__(self, head: MaskHead, labels: Tensor) -> None:
        super().__init__()
        self.head, self.labels = head, labels

    def forward(self, x: Tensor) -> Tensor:
        masks: Tensor = self.head(x, None, self.labels)
        return masks


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_roi_align_is_torchvisions(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 4, 20, 30, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    corners = torch.rand(50, 2, dtype=torch.float64) * 300 - 60
    boxes = torch.cat([corners, corners + torch.rand(50, 2, dtype=torch.float64) * 200], dim=1)
    regions = torch.cat([(torch.arange(50) % 2)[:, None], boxes], dim=1)
    torch.testing.assert_close(*both_ways(lambda maps: roi_align(maps, regions, 7, 1 / 8, 2), features))


@pytest.mark.parametrize("name", ["asn-mlc", "panet-asn-mlc"])
def test_region_stages_learn_and_predict_the_same(name: str) -> None:
    """All that a GPU runs, on the same inputs; with enough regions for every way that is for many."""
    torch.manual_seed(0)
    config = ModelConfig(
        name=name, backbone="tiny", channels=16, head_channels=16, hidden=32, regions=300, score_threshold=0.0
    )
    heads = assemble(config, 3).roi_heads.double()
    features = {
        level: torch.randn(2, 16, 128 // stride, 192 // stride, dtype=torch.float64) for level, stride in LEVELS.items()
    }
    corners = torch.rand(600, 2, dtype=torch.float64) * torch.tensor([120.0, 60.0])
    proposals = list(torch.cat([corners, corners + 10 + 50 * torch.rand(600, 2)], dim=1).split(300))
    masks = [Mask.from_box(box, 128, 192) for box in ((10, 20, 60, 50), (90, 30, 60, 70))]
    target = {
        "boxes": torch.tensor([[10.0, 20, 70, 70], [90, 30, 150, 100]], dtype=torch.float64),
        "labels": torch.tensor([1, 3]),
        "occluded": torch.tensor([0, 1]),
        "amodal": flat_segments([m.segments for m in masks]),
        "inmodal": flat_segments([m.segments for m in masks]),
        "scale": torch.ones(2),
        "seed": torch.tensor(3),
    }
    found = []
    for way in (contextlib.nullcontext, cpu.plain):
        with way():
            losses = heads.train()(features, proposals, [(128, 192)] * 2, [target, target])[1]
            gradients = torch.autograd.grad(sum(losses.values()), list(heads.parameters()))
            with torch.no_grad():
                detections = heads.eval()(features, proposals, [(128, 192)] * 2)[0]
        found.append((losses, gradients, detections))
    assert found[0][0].keys() >= {"loss_occlusion", "loss_mask_amodal", "loss_mask_inmodal"}
    assert all(len(d["boxes"]) == 100 for d in found[0][2])
    torch.testing.assert_close(*found)


def test_a_way_left_stays_left() -> None:
    x = torch.zeros(1)
    with contextlib.suppress(KeyError), cpu.plain():
        assert not cpu.quicker_for(x)
        raise KeyError
    assert cpu.quicker_for(x)
    assert not cpu.quicker_for(x.to("meta"))


@needs_nnpack
@pytest.mark.parametrize(
    "shape", [(300, 7, 7), (12, 14, 14), (1, 48, 50), (0, 14, 14), (0, 7, 7), (2, 7, 7), (1, 6, 90)]
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_nnpacks_convolution_is_a_convolution(shape: tuple[int, int, int], layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(128, 130, 3, padding=1, bias=shape[0] != 12)
    x = torch.randn(shape[0], 128, *shape[1:]).contiguous(memory_format=layout)
    with torch.inference_mode():
        torch.testing.assert_close(NNPackConv(conv)(x), conv(x), atol=1e-3, rtol=0)


@given(st.integers(0, 30), st.integers(1, 5), st.integers(1, 8))
@settings(deadline=None)
def test_mosaics_keep_regions_apart(regions: int, channels: int, size: int) -> None:
    x, ones = torch.rand(regions, channels, size, size) + 1, torch.ones(channels, 1, 3, 3)
    mosaics = side_by_side(x)
    assert mosaics.shape == (-(-regions // 9), channels, 3 * (size + 1), 3 * (size + 1))
    torch.testing.assert_close(separated(mosaics, regions), x)
    sums = [F.conv2d(maps, ones, padding=1, groups=channels) for maps in (mosaics, x)]
    torch.testing.assert_close(separated(sums[0], regions), sums[1])


@needs_nnpack
@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        ("asn-mlc", "resnet18"),
        ("panet-asn-mlc", "resnet18"),
        ("asn-mlc", "mobilenet_v2"),
        ("asn-mlc", "efficientnet_b0"),
    ],
)
def test_a_quickened_network_predicts_the_same(name: str, backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_has_nnpack", lambda: True)
    torch.manual_seed(0)
    config = ModelConfig(
        name=name, backbone=backbone, norm="frozen-batch", channels=128, head_channels=128, proposals_test=300,
        score_threshold=0.0, detections=20,
    )  # fmt: skip
    plain = assemble(config, 3).eval()
    for norm in plain.modules():
        if isinstance(norm, FrozenNorm):
            for buffer in (norm.weight, norm.running_var, norm.bias, norm.running_mean):
                buffer.copy_(torch.rand_like(buffer) + 0.5)
    quick = copy.deepcopy(plain)
    quicken(quick)
    kinds = [type(module) for module in quick.modules()]
    assert FrozenNorm not in kinds
    assert kinds.count(NNPackConv) > 20
    image = torch.randint(0, 256, (3, 128, 192), dtype=torch.uint8)
    with torch.inference_mode():
        features = [network.backbone(image[None] / 255 - 0.5) for network in (plain, quick)]
        for level in features[0]:
            torch.testing.assert_close(
                features[1][level], features[0][level], rtol=1e-3, atol=1e-3 * scale(features[0][level])
            )
        heads = [detections(network.roi_heads, features[0]) for network in (plain, quick)]
    assert (
        heads[0].keys() == heads[1].keys() == {"boxes", "labels", "scores", "occlusion", "mask_amodal", "mask_inmodal"}
    )
    for key, value in heads[0].items():
        torch.testing.assert_close(heads[1][key], value, atol=1e-2 if key == "boxes" else 1e-3, rtol=0)


def detections(heads: nn.Module, features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of three hundred regions, so that those of 7 x 7 are set side by side."""
    corners = torch.rand(300, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor([120.0, 60.0])
    found: dict[str, Tensor] = heads(features, [torch.cat([corners, corners + 60], dim=1)], [(128, 192)])[0][0]
    return found


def scale(x: Tensor) -> float:
    return float(x.abs().max())


def test_a_quickened_network_computes_in_half_precision_and_learns_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_has_nnpack", lambda: True)
    conv = nn.Conv2d(128, 128, 3, padding=1)
    network = nn.Sequential(conv, nn.ReLU())
    x = torch.randn(12, 128, 14, 14)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        expected = conv(x)
        quicken(network)
        assert isinstance(network[0], NNPackConv)
        torch.testing.assert_close(network[0](x), expected)
    assert not any(parameter.requires_grad for parameter in network.parameters())
