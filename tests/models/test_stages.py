"""Mask stages: losses and masks against the definitions, written again in NumPy; bad settings are named."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch import Tensor

from kins import models
from kins.config import NETWORKS, ModelConfig
from kins.errors import KinsError
from kins.masks import Mask
from kins.models import stages
from kins.models.stages import mask_stage
from kins.models.stages.stage import MaskStage, Regions
from kins.models.targets import Drawn, flat_segments

HEIGHT, WIDTH = 60, 90
COUNTS = [3, 0, 2]
"""Regions in each of three images."""


def settings(name: str, **changes: object) -> ModelConfig:
    return ModelConfig(name=name, channels=8, head_channels=8, hidden=16, mask_depth=2, **changes)  # type: ignore[arg-type]


def regions(levels: int = 0) -> Regions:
    torch.manual_seed(1)
    shape = (sum(COUNTS), *([levels] if levels else []), 8, 14, 14)
    return Regions(torch.randn(shape), torch.tensor([1, 3, 2, 2, 1]), COUNTS)


def drawn() -> Drawn:
    """Two instances an image, of which the second lies behind the first."""
    front, back = Mask.from_box((10, 5, 30, 40), HEIGHT, WIDTH), Mask.from_box((25, 15, 50, 30), HEIGHT, WIDTH)
    none = Mask.empty(HEIGHT, WIDTH)
    masks = {
        "amodal": [front, back],
        "inmodal": [front, back - front],
        "occluder": [none, front],
        "neighbours": [(back - front) & Mask.from_box((10, 5, 30, 40), HEIGHT, WIDTH), front],
    }
    target = {name: flat_segments([m.segments for m in values]) for name, values in masks.items()}
    target |= {"scale": torch.ones(2), "occluded": torch.tensor([0, 1])}
    corners = torch.tensor([[8.0, 4, 42, 47], [25, 15, 75, 45], [20, 10, 70, 50], [12, 5, 40, 45], [26, 14, 76, 44]])
    matched = torch.tensor([0, 1, 1, 0, 1])
    return Drawn([target] * 3, list(corners.split(COUNTS)), list(matched.split(COUNTS)))


def entropy(logits: Tensor, target: Tensor) -> np.ndarray:
    """Binary cross-entropy of each region, as it is defined."""
    p, t = 1 / (1 + np.exp(-logits.detach().double().numpy())), target.double().numpy()
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean((1, 2))


def over_images(values: np.ndarray) -> float:
    return (values[:3].mean() + 0 + values[3:].mean()) / 3


def started(name: str, **changes: object) -> MaskStage:
    """A stage whose logits are not near 0."""
    torch.manual_seed(0)
    stage = mask_stage(settings(name, **changes), 3)
    with torch.no_grad():
        for parameter in stage.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return stage.eval()


def test_hidden_targets_are_what_is_amodal_and_not_visible() -> None:
    targets = drawn()
    torch.testing.assert_close(targets("hidden"), targets("amodal") - targets("inmodal"))
    assert targets("hidden")[[0, 3]].sum() == 0
    assert targets("hidden", 14).shape == (5, 14, 14)
    assert targets.occluded.tolist() == [0, 1, 1, 0, 1]


def test_orcnns_hidden_mask_follows_from_the_others() -> None:
    stage, given, targets = started("orcnn"), regions(), drawn()
    logits, losses, found = stage(given), stage.losses(given, targets), stage.predict(given)
    assert losses.keys() == {"loss_mask_amodal", "loss_mask_inmodal", "loss_mask_hidden"}
    hidden = logits["amodal"] - torch.where(logits["inmodal"] > 0, logits["inmodal"], 0)
    values = {"amodal": logits["amodal"], "inmodal": logits["inmodal"], "hidden": hidden}
    for name, value in values.items():
        torch.testing.assert_close(found[f"mask_{name}"], value.sigmoid())
        assert losses[f"loss_mask_{name}"].item() == pytest.approx(over_images(entropy(value, targets(name))), rel=1e-5)
    for mask in ("amodal", "inmodal"):  # the hidden mask alone teaches both heads
        (gradient,) = torch.autograd.grad(
            stage.losses(given, targets)["loss_mask_hidden"], [stage.get_submodule(mask).logits.weight]
        )
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize("name", [name for name, parts in NETWORKS.items() if parts.method != "separate"])
def test_every_method_learns(name: str) -> None:
    """A stage alone, on RoI features that stay what they are."""
    torch.manual_seed(0)
    stage, given, targets = mask_stage(settings(name), 3), regions(), drawn()
    optimizer = torch.optim.Adam(stage.parameters(), 5e-3)
    seen = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = torch.stack(list(stage.losses(given, targets).values())).sum()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    assert np.mean(seen[-3:]) < 0.7 * seen[0]


@pytest.mark.parametrize("name", ["mask-rcnn-both", "orcnn"])
def test_masks_may_be_one_for_all_classes(name: str) -> None:
    stage, given = started(name, options={"agnostic": True}), regions()
    other = Regions(given.features, given.labels.flip(0), COUNTS)
    for mask, logits in stage(given).items():
        assert torch.equal(logits, stage(other)[mask])
    assert stage.amodal.logits.out_channels == 1
    assert not torch.equal(started(name)(given)["amodal"], started(name)(other)["amodal"])


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("asn-mlc", {"agnostik": True}, r"model\.options: agnostik: unknown key; did you mean 'agnostic'\?"),
        ("orcnn", {"agnostic": 3}, r"model\.options: agnostic: .*boolean"),
    ],
)
def test_options_that_a_method_does_not_have(name: str, options: dict[str, object], line: str) -> None:
    with pytest.raises(KinsError, match=line) as error:
        models.build(name, num_classes=3, backbone="tiny", options=options)
    assert "\n" not in str(error.value)


def test_a_target_that_nobody_makes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(MaskStage):
        targets: Mapping[str, str] = MappingProxyType({"shadow": "shade"})

    monkeypatch.setattr(stages, "METHODS", {"separate": lambda config, classes: Odd()})
    with pytest.raises(
        KinsError, match="asn: learns the target 'shade', which is unknown; use amodal, inmodal"
    ) as error:
        models.build("asn", num_classes=3, backbone="tiny")
    assert "\n" not in str(error.value)
