"""RoIAlign from the pyramid: torchvision's results and gradients, in the way of CPUs and in that of other devices."""

from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign

from kins.models import cpu
from kins.models.backbone import LEVELS
from kins.models.pooling import RegionPooling

SIZES = [(384, 1248)] * 2
WAYS = pytest.mark.parametrize("way", [nullcontext, cpu.plain])


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


@WAYS
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [7, 14])
def test_regions_are_pooled_as_by_torchvision(
    size: int, layout: torch.memory_format, way: type[AbstractContextManager[None]]
) -> None:
    torch.manual_seed(0)
    maps = {
        str(k): torch.randn(2, 8, 96 // 2**k, 312 // 2**k).contiguous(memory_format=layout).requires_grad_()
        for k in range(4)
    }
    with way():
        found = RegionPooling(size)(maps, regions())
    expected = MultiScaleRoIAlign(list(maps), size, 2)(maps, regions(), SIZES)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    weights = torch.randn_like(expected)
    gradients = [torch.autograd.grad(pooled, list(maps.values()), weights) for pooled in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


@WAYS
@pytest.mark.parametrize("height", [3, 20, 33, 48, 65])
def test_the_scale_of_low_inputs_is_that_of_the_levels(height: int, way: type[AbstractContextManager[None]]) -> None:
    """Images are padded to multiples of 32: their own height tells little of the scale of the maps. A map of the
    places' own coordinates gives the regions' coordinates back; what was pooled before does not matter."""
    pooling = RegionPooling(7)
    width, padded = 320, -(-height // 32) * 32
    maps = {}
    for name, stride in LEVELS.items():
        columns = (torch.arange(width // stride) + 0.5) * stride
        maps[name] = columns.expand(1, 1, padded // stride, -1)
    boxes = [torch.tensor([[100.0, 0, 120, height], [60.0, 0, 260, height], [128, 0, 192, 2]])]
    with way():
        for _ in range(2):
            columns = pooling(maps, boxes)[:, 0].mean((1, 2))
            expected = (boxes[0][:, 0] + boxes[0][:, 2]) / 2
            shifts = torch.tensor([LEVELS[str(k)] for k in pooling.level(boxes[0]).tolist()]) / 2  # aligned=False
            torch.testing.assert_close(columns, expected + shifts, rtol=0, atol=1e-3)


@WAYS
def test_no_regions_are_pooled_to_nothing(way: type[AbstractContextManager[None]]) -> None:
    maps = {str(k): torch.zeros(2, 8, 96 // 2**k, 312 // 2**k) for k in range(4)}
    with way():
        assert RegionPooling(7)(maps, [torch.zeros(0, 4)] * 2).shape == (0, 8, 7, 7)
