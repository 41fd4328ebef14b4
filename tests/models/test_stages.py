"""Mask stages: losses and masks against the definitions, written again in NumPy; bad settings are named."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from kins import models
from kins.config import NETWORKS, ModelConfig
from kins.errors import KinsError
from kins.masks import Mask
from kins.models import stages
from kins.models.heads import Kept
from kins.models.regions import rescored
from kins.models.stages import mask_stage
from kins.models.stages.bcnet import contour
from kins.models.stages.ordered import union
from kins.models.stages.stage import MaskStage, Regions
from kins.models.stages.uoais import balanced
from kins.models.stages.vrsp import means
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


def coded(given: Regions) -> Regions:
    """With the box head's map."""
    return dataclasses.replace(given, kept=Kept(torch.randn(sum(COUNTS), 8, 7, 7)))


def with_both(given: Regions) -> Regions:
    """With the maps of box and occlusion head."""
    return dataclasses.replace(given, kept=Kept(*torch.randn(2, sum(COUNTS), 8, 7, 7)))


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


@pytest.mark.parametrize(("option", "target"), [("neighbours", "neighbours"), ("true", "occluder")])
def test_bcnets_losses_are_of_both_masks_and_their_contours(option: str, target: str) -> None:
    stage, given, targets = started("bcnet", options={"occluder": option}), regions(), drawn()
    losses, logits, found = stage.losses(given, targets), stage(given), stage.predict(given)
    for name, source, weight in (("amodal", "amodal", 1), ("occluder", target, 0.25)):
        value = weight * over_images(entropy(logits[name], targets(source)))
        assert losses[f"loss_mask_{name}"].item() == pytest.approx(value, rel=1e-5)
        outline = stage.contours[name](stage.maps(given)[name])
        value = over_images(entropy(outline, contour(targets(source))))
        assert losses[f"loss_contour_{name}"].item() == pytest.approx(value, rel=1e-5)
    cut = {name: found[f"mask_{name}"] > 0.5 for name in ("amodal", "inmodal", "occluder")}
    assert torch.equal(cut["inmodal"], cut["amodal"] & ~cut["occluder"])
    assert cut["occluder"].any()


def test_a_contour_is_two_cells_wide() -> None:
    masks = torch.cat([drawn()("amodal"), torch.zeros(1, 28, 28), torch.ones(1, 28, 28)])
    cross = ndimage.generate_binary_structure(2, 1)
    for mask, found in zip(masks.numpy() >= 0.5, contour(masks).numpy(), strict=True):
        wide = np.pad(mask, 1, mode="edge")  # at the grid's border the mask goes on
        expected = ndimage.binary_dilation(wide, cross) & ~ndimage.binary_erosion(wide, cross)
        assert np.array_equal(found[1:-1, 1:-1], expected[2:-2, 2:-2])
        assert np.array_equal(found.astype(bool), expected[1:-1, 1:-1])
    assert contour(masks).flatten(1).any(1).tolist() == [True, False, True, False, True, False, False]


def test_the_occluders_branch_helps_the_objects() -> None:
    stage, given = started("bcnet"), regions()
    (gradient,) = torch.autograd.grad(stage(given)["amodal"].sum(), [stage.occluder[0][0].weight])
    assert gradient.abs().sum() > 0


def attention(layer: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Of one region, (tokens, width) each, as it is defined."""
    width = query.shape[1]
    q, k, v = (
        x @ w.T + b
        for x, w, b in zip(
            (query, key, value), layer.in_proj_weight.split(width), layer.in_proj_bias.split(width), strict=True
        )
    )
    half = width // 2
    heads = [
        torch.softmax(q[:, s] @ k[:, s].T / half**0.5, dim=1) @ v[:, s] for s in (slice(0, half), slice(half, width))
    ]
    return torch.cat(heads, dim=1) @ layer.out_proj.weight.T + layer.out_proj.bias


def test_aisformers_queries_look_at_all_cells() -> None:
    stage, given, targets = started("aisformer"), regions(), drawn()

    def layer(part: nn.Module, x: Tensor, *inputs: Tensor) -> Tensor:
        x = part.between(x + attention(part.attention, *inputs))
        return part.after(x + part.each(x))

    place = torch.stack([torch.cat([stage.rows[y], stage.columns[x]]) for y in range(28) for x in range(28)])
    logits = stage(given)
    for region, features in enumerate(given.features):
        tokens = stage.finer(features[None])[0].permute(1, 2, 0).reshape(784, -1)
        memory = layer(stage.encoder, tokens, tokens + place, tokens + place, tokens)
        found = layer(stage.decoder, torch.zeros_like(stage.queries), stage.queries, memory + place, memory)
        inmodal, occluder, amodal = stage.embedding(found)
        hidden = stage.hidden(torch.cat([amodal, inmodal]))
        cells = stage.cells(stage.norm(memory + tokens))
        for name, vector in {"inmodal": inmodal, "occluder": occluder, "amodal": amodal, "hidden": hidden}.items():
            torch.testing.assert_close(logits[name][region], (cells @ vector).view(28, 28), rtol=1e-4, atol=1e-5)
    losses = stage.losses(given, targets)
    weights = {"inmodal": 1, "amodal": 1, "occluder": 0.25, "hidden": 0.25}
    for name, weight in weights.items():
        target = targets("neighbours" if name == "occluder" else name)
        value = weight * over_images(entropy(logits[name], target))
        assert losses[f"loss_mask_{name}"].item() == pytest.approx(value, rel=1e-4)


def test_uoais_guides_from_the_visible_to_the_whole_to_occlusion() -> None:
    stage, given, targets = started("uoais", options={"guide": 2}), coded(regions()), drawn()
    logits, losses, found = stage(given), stage.losses(given, targets), stage.predict(given)
    for first, later in (("inmodal", "amodal"), ("inmodal", "occlusion"), ("amodal", "occlusion")):
        weight = stage.get_submodule(first).convs[0][0].weight
        assert torch.autograd.grad(logits[later].sum(), [weight], retain_graph=True)[0].abs().sum() > 0
        weight = stage.get_submodule(later).convs[0][0].weight
        assert torch.autograd.grad(logits[first].sum(), [weight], retain_graph=True, allow_unused=True) == (None,)
    share = logits["occlusion"].detach().double().softmax(1)
    torch.testing.assert_close(found["occlusion"].double(), share[:, 1])
    own = -share[torch.arange(5), targets.occluded].log().numpy()  # occluded: 0, 1, 1; none; 0, 1
    expected = (np.mean([own[0], own[1:3].mean()]) + 0 + own[3:].mean()) / 3
    assert losses["loss_occlusion"].item() == pytest.approx(expected, rel=1e-5)
    for name in ("amodal", "inmodal"):
        value = over_images(entropy(logits[name], targets(name)))
        assert losses[f"loss_mask_{name}"].item() == pytest.approx(value, rel=1e-5)


def test_vrsps_finer_masks_come_from_coarse_ones_and_shapes() -> None:
    """With shapes drawn by hand in the memory, and everything written again step by step."""
    stage, given, targets = started("vrsp", options={"memory": 20}), regions(), drawn()
    stage.shapes.learn(torch.tensor([1, 3] * 9), torch.rand(18, 28, 28), steps=2)
    assert stage.shapes.filled.tolist() == [0, 9, 0, 9]  # class 2 has no shapes
    x, labels, losses, logits = given.features, given.labels, stage.losses(given, targets), stage(given)
    whole, seen = stage.amodal(x, labels)[0], stage.inmodal(x, labels)[0]
    codes = stage.shapes.encode(whole.sigmoid())
    priors = []
    for code, label in zip(codes, labels.tolist(), strict=True):
        known = stage.shapes.codes[label, : int(stage.shapes.filled[label])]
        order = ((known - code) ** 2).sum(1).argsort()
        rows = [known[k] for k in order] if len(known) else [code]
        priors.append(torch.stack((rows + [rows[0]] * 16)[:16]))
    shapes = stage.shapes.decode(torch.cat(priors)).sigmoid().view(5, 16, 14, 2, 14, 2).mean((3, 5))

    def shrunk(mask: Tensor) -> Tensor:
        return mask.view(-1, 1, 14, 2, 14, 2).mean((3, 5))

    finer_seen = stage.inmodal(x * shrunk(whole).sigmoid(), labels)[0]
    finer = stage.amodal(stage.fuse(torch.cat([x * shrunk(finer_seen).sigmoid(), shapes], 1)), labels)[0]
    torch.testing.assert_close(logits["amodal"], finer, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits["inmodal"], finer_seen, rtol=1e-4, atol=1e-5)
    true, true_seen = targets("amodal"), targets("inmodal")
    told_seen = stage.inmodal(x * shrunk(true), labels)[0]
    told = stage.amodal(stage.fuse(torch.cat([x * shrunk(true_seen), shapes], 1)), labels)[0]

    def right(mask: Tensor, wanted: Tensor) -> np.ndarray:
        a, b = mask.detach().numpy() > 0, wanted.numpy() >= 0.5
        return np.array([(p & q).sum() / (p | q).sum() for p, q in zip(a, b, strict=True)])

    expected = {
        "mask_amodal": entropy(whole, true),
        "mask_inmodal": entropy(seen, true_seen),
        "finer_amodal": right(seen, true_seen) * entropy(finer, true),
        "finer_inmodal": right(whole, true) * entropy(finer_seen, true_seen),
        "told_amodal": entropy(told, true),
        "told_inmodal": entropy(told_seen, true_seen),
    }
    assert losses.keys() == {f"loss_{name}" for name in expected} | {"loss_maps"}
    for name, value in expected.items():
        assert losses[f"loss_{name}"].item() == pytest.approx(over_images(value), rel=1e-4), name


def test_masks_that_fit_a_known_shape_keep_their_score() -> None:
    """A class whose shapes are boxes, which the auto-encoder learns by heart."""
    stage, given = started("vrsp", options={"memory": 16}), regions()
    shape = torch.zeros(28, 28)
    shape[6:20, 4:24] = 1
    stage.shapes.learn(torch.ones(4, dtype=torch.int64), shape.repeat(4, 1, 1), steps=120, batch=2)
    near = stage.shapes.near(torch.stack([shape, torch.rand(28, 28)]), torch.tensor([1, 1]), 2)
    assert (near - shape).abs().mean() < 0.05
    found = stage.predict(given)
    whole = (found["mask_amodal"] >= 0.5).float()
    nearest = stage.shapes.near(whole, given.labels, 1)[:, 0]
    expected = np.log(3 - (whole - nearest).abs().mean((1, 2)).numpy()) / np.log(3)
    np.testing.assert_allclose(found["fit"].numpy(), expected, rtol=1e-5)
    scores = torch.tensor([0.5, 0.6, 0.4])
    order = rescored({"scores": scores, "fit": torch.tensor([1.0, 0.7, 0.9]), "labels": torch.tensor([1, 2, 3])})
    assert order["labels"].tolist() == [1, 2, 3]
    torch.testing.assert_close(order["scores"], torch.tensor([0.5, 0.42, 0.36]).sqrt())


def test_more_shapes_than_the_memory_holds_become_means_of_groups() -> None:
    chance = torch.Generator().manual_seed(0)
    groups = torch.arange(3.0).repeat_interleave(20)[:, None] * 10 + torch.rand(60, 4, generator=chance)
    found = means(groups, 12, chance)
    assert found.shape == (12, 4)
    assert (torch.cdist(groups, found).min(1).values < 1.5).all()
    assert torch.equal(means(groups, 60, chance), groups)


def test_ordered_joins_visible_and_hidden_to_the_whole() -> None:
    stage, given, targets = started("ordered"), with_both(regions()), drawn()
    found = {name: mask.detach().double().numpy() for name, mask in stage.predict(given).items()}
    assert found.keys() == {"mask_amodal", "mask_inmodal", "mask_hidden"}
    either = 1 - (1 - found["mask_inmodal"]) * (1 - found["mask_hidden"])
    np.testing.assert_allclose(found["mask_amodal"], either, atol=1e-6)
    (gradient,) = torch.autograd.grad(stage(given)["hidden"].sum(), [stage.visible[0][0].weight])
    assert gradient.abs().sum() > 0  # the hidden head sees what the visible one found
    stage.train()
    logits, losses = stage(given), stage.losses(given, targets)
    for name, source, weight in (("amodal", "amodal", 1), ("inmodal", "inmodal", 1), ("occluder", "occluder", 0.25)):
        value = weight * over_images(entropy(logits[name], targets(source)))
        assert losses[f"loss_mask_{name}"].item() == pytest.approx(value, rel=1e-4)
    p, t = logits["hidden"].detach().double().sigmoid().numpy(), targets("hidden").double().numpy()
    cells, weights = -(t * np.log(p) + (1 - t) * np.log(1 - p)), 1 + 2 * t
    value = over_images((weights * cells).sum((1, 2)) / weights.sum((1, 2)))
    assert losses["loss_mask_hidden"].item() == pytest.approx(value, rel=1e-4)
    met = (p * t).sum((1, 2)) / (p + t - p * t).sum((1, 2))
    assert losses["loss_met"].item() == pytest.approx(over_images(np.where(t.any((1, 2)), 1 - met, 0)), rel=1e-4)
    plain = started("ordered", options={"met": False, "place": False})
    assert "loss_met" not in plain.train().losses(given, targets)
    assert len(list(plain.parameters())) < len(list(stage.parameters()))


def test_layered_learns_cells_and_how_much_of_a_mask_is_met() -> None:
    stage, given, targets = started("layered").train(), coded(regions()), drawn()
    logits, losses = stage(given), stage.losses(given, targets)
    names = ("amodal", "inmodal")
    assert losses.keys() == {f"loss_{kind}_{name}" for kind in ("mask", "met") for name in names}
    for name in names:
        p, t = logits[name].detach().double().sigmoid().numpy(), targets(name).double().numpy()
        assert losses[f"loss_mask_{name}"].item() == pytest.approx(over_images(entropy(logits[name], targets(name))))
        met = (p * t).sum((1, 2)) / (p + t - p * t).sum((1, 2))
        assert losses[f"loss_met_{name}"].item() == pytest.approx(over_images(1 - met), rel=1e-5)
    plain = started("layered", options={"met": False}).train()
    assert plain.losses(given, targets).keys() == {"loss_mask_amodal", "loss_mask_inmodal"}


def test_layered_has_two_heads_on_one_coding() -> None:
    stage, given = started("layered"), coded(regions())
    assert isinstance(given.kept, Kept)
    for name in ("amodal", "inmodal"):
        end = stage.get_submodule(f"ends.{name}")
        found = end(stage.get_submodule(f"heads.{name}")(stage.get_submodule("coding")(given.features, given.kept)))
        torch.testing.assert_close(stage.predict(given)[f"mask_{name}"], found.sigmoid())
    other = dataclasses.replace(given, labels=given.labels.flip(0))
    assert torch.equal(stage(given)["amodal"], stage(other)["amodal"])  # one mask for all classes
    own = started("layered", options={"agnostic": False})
    assert not torch.equal(own(given)["amodal"], own(other)["amodal"])


def test_the_union_of_sure_masks_is_finite() -> None:
    logits = torch.tensor([-200.0, -20, 0, 20, 200], requires_grad=True)
    joined = union(logits[:, None], logits[None, :])
    joined.sum().backward()
    assert joined.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    torch.testing.assert_close(joined[2, 2].sigmoid(), torch.tensor(0.75))


def test_an_image_of_one_class_counts_like_the_others() -> None:
    values, classes = torch.tensor([1.0, 2, 3, 10]), torch.tensor([1, 1, 1, 0])
    assert balanced(values, classes, [3, 1]).item() == pytest.approx((2 + 10) / 2)
    assert balanced(values[:0], classes[:0], [0, 0]).item() == 0


@pytest.mark.parametrize("name", [name for name, parts in NETWORKS.items() if parts.method != "separate"])
def test_every_method_learns(name: str) -> None:
    """A stage alone, on RoI features that stay what they are."""
    torch.manual_seed(0)
    stage, targets = mask_stage(settings(name), 3), drawn()
    given = (with_both if NETWORKS[name].occlusion else coded)(regions())
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
        ("bcnet", {"occluder": "all"}, r"model\.options: occluder: .*'neighbours' or 'true'"),
        ("aisformer", {"agnostic": False}, r"model\.options: agnostic: unknown key"),
        ("vrsp", {"agnostic": True}, r"model\.options: agnostic: vrsp looks shapes up by class"),
        ("vrsp", {"memory": 3}, r"model\.options: memory: .*greater than or equal to 16"),
        ("ordered", {"weight": 0}, r"model\.options: weight: .*greater than 0"),
        ("uoais", {"guide": 0}, r"model\.options: guide: .*greater than or equal to 1"),
    ],
)
def test_options_that_a_method_does_not_have(name: str, options: dict[str, object], line: str) -> None:
    with pytest.raises(KinsError, match=line) as error:
        models.build(name, num_classes=3, backbone="tiny", options=options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("bcnet", r"model\.head_channels: 31; bcnet adds maps .* needs as many as model\.channels \(256\)$"),
        ("aisformer", r"model\.head_channels: 31; aisformer needs an even number$"),
        ("layered", r"model\.head_channels: 31; layered adds what .* needs as many as model\.channels \(256\)$"),
    ],
)
def test_widths_that_a_method_can_not_have(name: str, line: str) -> None:
    with pytest.raises(KinsError, match=line):
        mask_stage(ModelConfig(name=name, head_channels=31), 3)


def test_a_target_that_nobody_makes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(MaskStage):
        targets: Mapping[str, str] = MappingProxyType({"shadow": "shade"})

    monkeypatch.setattr(stages, "METHODS", {"separate": lambda config, classes: Odd()})
    with pytest.raises(
        KinsError, match="asn: learns the target 'shade', which is unknown; use amodal, inmodal"
    ) as error:
        models.build("asn", num_classes=3, backbone="tiny")
    assert "\n" not in str(error.value)
