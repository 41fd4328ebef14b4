"""Targets drawn from run lengths against the full-image way."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.models.detection.roi_heads import project_masks_on_boxes

from kins.masks import Mask
from kins.models import cpu, targets
from kins.models.targets import draw_targets, flat_segments


def blobs(seed: int, count: int = 4, height: int = 90, width: int = 140) -> list[Mask]:
    """Masks with holes and several parts: unions of ellipses, minus one."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    masks = []
    for _ in range(count):
        array = np.zeros((height, width), bool)
        for k in range(4):
            cx, cy, rx, ry = rng.uniform([10, 10, 4, 4], [width - 10, height - 10, 40, 30])
            ellipse = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
            array = array & ~ellipse if k == 3 else array | ellipse
        masks.append(Mask.from_array(array))
    return masks


def regions(seed: int, count: int, height: float = 90, width: float = 140) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    corner = rng.uniform([-5, -5], [width - 20, height - 20], (count, 2))
    return torch.tensor(np.concatenate([corner, corner + rng.uniform(6, 90, (count, 2))], axis=1), dtype=torch.float32)


def by_supersampling(
    mask: Mask, region: torch.Tensor, scale: tuple[float, float], size: int, fine: int = 24
) -> np.ndarray:
    """The definition, by brute force: the share of each cell's points that lie on a pixel of the decoded mask."""
    array = mask.to_array()
    x1, y1, x2, y2 = region.tolist()
    share = (np.arange(size * fine) + 0.5) / (size * fine)
    xs, ys = np.floor((x1 + share * (x2 - x1)) / scale[0]), np.floor((y1 + share * (y2 - y1)) / scale[1])
    inside = ((ys >= 0) & (ys < mask.height))[:, None] & ((xs >= 0) & (xs < mask.width))
    points = array[np.clip(ys, 0, mask.height - 1).astype(int)[:, None], np.clip(xs, 0, mask.width - 1).astype(int)]
    return (points & inside).reshape(size, fine, size, fine).mean((1, 3))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(1.0, 1.0), (0.5, 0.5), (1.7, 1.3)]))
def test_targets_are_the_covered_share_of_each_cell(seed: int, scale: tuple[float, float]) -> None:
    masks = blobs(seed, 2)
    boxes = regions(seed, 3) * torch.tensor(scale).repeat(2)
    matched = torch.tensor([0, 1, 1])
    drawn = draw_targets(flat_segments([m.segments for m in masks]), torch.tensor(scale), boxes, matched)
    for k in range(3):
        expected = by_supersampling(masks[matched[k]], boxes[k], scale, 28)
        assert np.abs(drawn[k].numpy() - expected).max() < 0.09  # the grid of points is only so fine
        assert np.abs(drawn[k].numpy() - expected).mean() < 0.01


def test_targets_agree_with_torchvisions_full_image_way() -> None:
    masks = blobs(3)
    boxes, matched = regions(4, 40), torch.arange(40) % 4
    drawn = draw_targets(flat_segments([m.segments for m in masks]), torch.ones(2), boxes, matched)
    decoded = torch.stack([torch.from_numpy(m.to_array()) for m in masks])
    # torchvision takes pixel i to lie at i, not from i to i + 1: half a pixel beside the boxes of the annotations
    reference = project_masks_on_boxes(decoded, boxes - 0.5, matched, 28)
    assert (drawn - reference).abs().mean() < 0.01
    certain = (reference - 0.5).abs() > 0.2
    assert ((drawn > 0.5) == (reference > 0.5))[certain].float().mean() > 0.999


class Largest(TorchDispatchMode):
    """Notes the largest number of elements of any result."""

    elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else [result]:
            if isinstance(value, torch.Tensor):
                self.elements = max(self.elements, value.numel())
        return result


WAYS = pytest.mark.parametrize("way", [nullcontext, cpu.plain])


def speckled() -> Mask:
    return Mask.from_array(np.random.default_rng(0).random((300, 300)) < 0.5)


@WAYS
def test_one_speckled_mask_among_many_takes_memory_for_itself_alone(way: type[AbstractContextManager[None]]) -> None:
    masks = [speckled(), *[Mask.from_box((k, k, 20, 20), 300, 300) for k in range(200)]]
    boxes, matched = torch.tensor([[0.0, 0, 300, 300]]).repeat(241, 1), torch.arange(241).clamp(min=40) - 40
    with way(), Largest() as seen:
        segments = flat_segments([m.segments for m in masks])
        drawn = draw_targets(segments, torch.ones(2), boxes, matched)
    assert len(segments) == sum(len(m.segments) for m in masks)
    assert seen.elements <= targets.MOST < len(masks) * len(masks[0].segments) * 3
    expected = torch.tensor([masks[m].area / 300**2 for m in matched])
    torch.testing.assert_close(drawn.mean((1, 2)), expected, rtol=0, atol=1e-4)


@WAYS
def test_targets_do_not_depend_on_what_is_drawn_together(
    monkeypatch: pytest.MonkeyPatch, way: type[AbstractContextManager[None]]
) -> None:
    masks = [*blobs(5, 6), speckled(), Mask.empty(300, 300)]
    segments, boxes = flat_segments([m.segments for m in masks]), regions(6, 40, 300, 300)
    matched = torch.arange(40) % 8
    alone = [draw_targets(segments, torch.ones(2), boxes[k : k + 1], matched[k : k + 1]) for k in range(40)]
    for most in (targets.MOST, 28 * 3000, 28):
        monkeypatch.setattr(targets, "MOST", most)
        with way():
            together = draw_targets(segments, torch.ones(2), boxes, matched)
        torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


def test_nothing_to_draw() -> None:
    none = flat_segments([Mask.empty(10, 10).segments])
    assert draw_targets(none, torch.ones(2), torch.tensor([[0.0, 0, 5, 5]]), torch.tensor([0])).sum() == 0
    no_regions = torch.zeros((0, 4)), torch.zeros(0, dtype=torch.int64)
    assert draw_targets(flat_segments([blobs(0)[0].segments]), torch.ones(2), *no_regions).shape == (0, 28, 28)
