"""Sampling of anchors and regions."""

import numpy as np
import pytest
import torch

from kins.config import ModelConfig
from kins.models.network import region_proposals
from kins.models.proposals import SeededSampler


def sampled(labels: torch.Tensor, seed: int, number: int = 8, share: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    sampler = SeededSampler(number, share)
    sampler.seeds = [seed]
    (positive,), (negative,) = sampler([labels])
    return positive, negative


@pytest.mark.parametrize("labels", [[1] * 20 + [0] * 30 + [-1] * 10, [1] * 2 + [0] * 30, [0] * 5 + [-1] * 9, [], [1]])
def test_positive_and_negative_ones_are_as_many_as_torchvisions(labels: list[int]) -> None:
    values = torch.tensor(labels, dtype=torch.float32)
    positive, negative = sampled(values, seed=1)
    reference = SeededSampler(8, 0.5)  # without seeds it is torchvision's
    expected = reference([values])
    assert (positive.dtype, positive.sum(), negative.sum()) == (expected[0][0].dtype, *(e[0].sum() for e in expected))
    assert not positive[values < 1].any()
    assert not negative[values != 0].any()


def test_anchors_across_the_border_can_be_left_out() -> None:
    anchors = torch.tensor(
        [[0.0, 0, 30, 30], [-1, 0, 30, 30], [10, 10, 101, 40], [10, 10, 100, 60], [10, 30, 40, 60.5]]
    )
    target = {"boxes": torch.tensor([[0.0, 0, 30, 30]])}
    found = {}
    for border in (True, False):
        network = region_proposals(ModelConfig(channels=8, border_anchors=border))
        network.sizes = [(60, 100), (10, 10)]
        found[border] = [
            own.tolist() for own in network.assign_targets_to_anchors([anchors, anchors[1:]], [target] * 2)[0]
        ]
    assert found[True] == [[1, 1, 0, 0, 0], [1, 0, 0, 0]]
    assert found[False] == [[1, -1, -1, 0, -1], [1, 0, 0, 0]]  # where none is left, all are


def test_a_seed_fixes_the_choice() -> None:
    labels = (torch.arange(1000) % 7 == 0).float()
    one, same, other = (torch.stack(sampled(labels, seed, 256)) for seed in (5, 5, 2**62))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("candidates", "number"), [(30, 12), (20_000, 2)])
def test_all_are_chosen_alike_and_pairs_are_independent(candidates: int, number: int) -> None:
    """Few of many and many of few are chosen in different ways: each is as likely as any other."""
    draws = 3000
    labels = torch.zeros(candidates)
    chosen = np.stack([torch.where(sampled(labels, seed, number)[1])[0].numpy() for seed in range(draws)])
    assert chosen.shape == (draws, number)
    expected = draws * number / 10
    counts = np.histogram(chosen, 10, (0, candidates))[0]
    assert ((counts - expected) ** 2 / expected).sum() < 27.9  # chi-squared, 9 degrees of freedom, one in a thousand
    low = (chosen < candidates / 2).sum(1)
    variance = number / 4 * (candidates - number) / (candidates - 1)  # the hypergeometric distribution's
    assert low.var() == pytest.approx(variance, rel=0.15)


def test_anchors_are_not_shuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A permutation of half a million takes longer than all the rest of the choice."""

    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("shuffled")

    monkeypatch.setattr(torch, "randperm", never)
    positive, negative = sampled(torch.zeros(530_000), 3, 256)
    assert (positive.sum(), negative.sum()) == (0, 256)
