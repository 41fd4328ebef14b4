"""A quickened network predicts what the plain one does."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from kins.config import ModelConfig
from kins.models import cpu
from kins.models.backbone import FrozenNorm
from kins.models.cpu import NNPackConv, quicken, separated, side_by_side
from kins.models.network import assemble

needs_nnpack = pytest.mark.skipif(not torch.backends.nnpack.is_available(), reason="this PyTorch has no NNPACK")


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
