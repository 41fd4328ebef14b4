"""Targets drawn from run lengths against the full-image way."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.models.detection.roi_heads import project_masks_on_boxes

from kins.masks import Mask
from kins.models.targets import draw_targets
from kins.train.samples import pad_segments


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
    drawn = draw_targets(pad_segments([m.segments for m in masks]), torch.tensor(scale), boxes, matched)
    for k in range(3):
        expected = by_supersampling(masks[matched[k]], boxes[k], scale, 28)
        assert np.abs(drawn[k].numpy() - expected).max() < 0.09  # the grid of points is only so fine
        assert np.abs(drawn[k].numpy() - expected).mean() < 0.01


def test_targets_agree_with_torchvisions_full_image_way() -> None:
    masks = blobs(3)
    boxes, matched = regions(4, 40), torch.arange(40) % 4
    drawn = draw_targets(pad_segments([m.segments for m in masks]), torch.ones(2), boxes, matched)
    decoded = torch.stack([torch.from_numpy(m.to_array()) for m in masks])
    # torchvision takes pixel i to lie at i, not from i to i + 1: half a pixel beside the boxes of the annotations
    reference = project_masks_on_boxes(decoded, boxes - 0.5, matched, 28)
    assert (drawn - reference).abs().mean() < 0.01
    certain = (reference - 0.5).abs() > 0.2
    assert ((drawn > 0.5) == (reference > 0.5))[certain].float().mean() > 0.999


def test_many_segments_are_worked_on_in_parts() -> None:
    noise = Mask.from_array(np.random.default_rng(0).random((300, 300)) < 0.5)
    segments = pad_segments([noise.segments])
    boxes = torch.tensor([[0.0, 0, 300, 300]]).repeat(40, 1)
    assert segments.shape[1] * 28 * 40 > 1 << 23
    drawn = draw_targets(segments, torch.ones(2), boxes, torch.zeros(40, dtype=torch.int64))
    assert torch.allclose(drawn.mean((1, 2)), torch.tensor(noise.area / 300**2), atol=1e-4)


def test_nothing_to_draw() -> None:
    none = pad_segments([Mask.empty(10, 10).segments])
    assert draw_targets(none, torch.ones(2), torch.tensor([[0.0, 0, 5, 5]]), torch.tensor([0])).sum() == 0
    no_regions = torch.zeros((0, 4)), torch.zeros(0, dtype=torch.int64)
    assert draw_targets(pad_segments([blobs(0)[0].segments]), torch.ones(2), *no_regions).shape == (0, 28, 28)
