"""RoIAlign as a weighted sum of rows: torchvision's results and gradients."""

import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign

from kins.models.pooling import RegionPooling

SIZES = [(384, 1248)] * 2


def regions() -> list[torch.Tensor]:
    """From a pixel to the whole image; some reach far out of it, some have no area."""
    generator = torch.Generator().manual_seed(0)
    boxes = []
    for count in (200, 30):
        middle = torch.rand(count, 2, generator=generator) * torch.tensor([1300.0, 440.0]) - 30
        size = torch.exp(torch.rand(count, 2, generator=generator) * 7 - 1)
        boxes.append(torch.cat([middle - size / 2, middle + size / 2], dim=1))
    boxes[0][:2] = torch.tensor([[5.0, 5, 5, 5], [0, 0, 1248, 384]])
    return boxes


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [7, 14])
def test_regions_are_pooled_as_by_torchvision(size: int, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    maps = {
        str(k): torch.randn(2, 8, 96 // 2**k, 312 // 2**k).contiguous(memory_format=layout).requires_grad_()
        for k in range(4)
    }
    ours, reference = (kind(list(maps), size, 2) for kind in (RegionPooling, MultiScaleRoIAlign))
    found, expected = ours(maps, regions(), SIZES), reference(maps, regions(), SIZES)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    weights = torch.randn_like(expected)
    gradients = [torch.autograd.grad(pooled, list(maps.values()), weights) for pooled in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_no_regions_are_pooled_to_nothing() -> None:
    maps = {str(k): torch.zeros(2, 8, 96 // 2**k, 312 // 2**k) for k in range(4)}
    pooled = RegionPooling(list(maps), 7, 2)(maps, [torch.zeros(0, 4)] * 2, SIZES)
    assert pooled.shape == (0, 8, 7, 7)
