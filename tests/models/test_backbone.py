"""Weights of torchvision for the backbone: found where torchvision keeps them, and unusable files told in one line."""

import math
import os
import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file

import kins
from kins.config import BACKBONES, ModelConfig
from kins.errors import KinsError
from kins.models.backbone import MOBILE, Backbone, FrozenNorm, MobileBody, backbone, freeze_stages
from kins.models.checkpoints import checkpoint
from kins.models.network import assemble

NAMES = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "mobilenet_v2": "mobilenet_v2-b0353104.pth",
    "mobilenet_v3_small": "mobilenet_v3_small-047dcff4.pth",
    "efficientnet_b0": "efficientnet_b0_rwightman-7f5810bc.pth",
    "coco": "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
}


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torchvision's folder of weights, empty, on a machine without a network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def offline(*args: object, **kwargs: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def state_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Every tensor another number; one number is all that a file holds of each."""
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    return {name: torch.full((), k + 0.5).expand(shape) for k, (name, shape) in enumerate(shapes.items())}


def torchvisions(name: str) -> dict[str, torch.Tensor]:
    return state_of(torchvision.models.get_model(name, weights=None))


def started(name: str, weights: str | Path, **settings: Any) -> Backbone:
    network = backbone(name, **settings)
    checkpoint(name, str(weights)).load_backbone(network)
    return network


def told(name: str, weights: str | Path, **settings: Any) -> str:
    with pytest.raises(KinsError) as error:
        started(name, weights, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0"])
def test_imagenet_weights_are_those_of_the_file(checkpoints: Path, name: str) -> None:
    state = torchvisions(name)
    torch.save(state, checkpoints / NAMES[name])
    network = started(name, "imagenet")
    loaded = network.body.state_dict()
    head = ("fc.", "classifier.", f"features.{len(getattr(network.body, 'features', ()))}.")  # a last 1x1 convolution
    assert loaded.keys() == {key for key in state if not key.startswith(head) and "num_batches" not in key}
    for key, value in loaded.items():
        assert torch.equal(value, state[key]), key


def mask_rcnn(version: str = "") -> torch.nn.Module:
    """torchvision's, with numbers that look like learnt ones; variances so small that an epsilon counts."""
    torch.manual_seed(0)
    build = getattr(torchvision.models.detection, f"maskrcnn_resnet50_fpn{version}")
    network: torch.nn.Module = build(weights=None, weights_backbone=None)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(1e-5 + 1e-4 * torch.rand_like(value))
        elif "bn" in name and name.endswith("weight"):
            value.copy_(0.005 * torch.rand_like(value))
    return network.eval()


def published(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Under the names in the file that torchvision published; it renames them as it reads."""
    state = {}
    for name, value in network.state_dict().items():
        if name.startswith("backbone.fpn."):
            name = name.replace(".0.weight", ".weight").replace(".0.bias", ".bias")
        state[name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")] = value
    return state


@pytest.mark.parametrize("former_names", [False, True])
@pytest.mark.parametrize(("file", "epsilon"), [(NAMES["coco"], 0.0), ("mine.pth", 1e-5)])
def test_coco_weights_give_torchvisions_maps_and_proposals(
    checkpoints: Path, file: str, epsilon: float, former_names: bool
) -> None:
    """torchvision's own network sets the epsilon of the published weights to 0, and of others not."""
    reference = mask_rcnn()
    path = checkpoints / file
    torch.save(published(reference) if former_names else reference.state_dict(), path)
    for module in reference.modules():
        if hasattr(module, "running_var"):
            module.eps = epsilon
    weights = "coco" if file in NAMES.values() else str(path)
    ours = assemble(ModelConfig(name="mask-rcnn", backbone="resnet50", weights=weights), 3).eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        maps, expected = ours.backbone(x), reference.backbone(x)
        proposals = [network.rpn.head(list(expected.values())) for network in (ours, reference)]
    for level, value in expected.items():
        torch.testing.assert_close(maps[level], value, rtol=1e-3, atol=1e-3 * float(value.abs().max()))
    torch.testing.assert_close(*proposals)


def test_proposals_of_another_form_stay_random(checkpoints: Path) -> None:
    state = published(mask_rcnn())
    state = {name: value for name, value in state.items() if "rpn.head.conv" not in name}
    state["rpn.head.cls_logits.weight"] = torch.zeros(5, 256, 1, 1)
    torch.save(state, checkpoints / NAMES["coco"])
    network = assemble(ModelConfig(name="mask-rcnn", backbone="resnet50", weights="coco"), 3)
    head = network.rpn.head.state_dict()
    assert torch.equal(head["bbox_pred.weight"], state["rpn.head.bbox_pred.weight"])
    assert head["cls_logits.weight"].shape[0] == 3


def test_version_2_of_mask_rcnn_is_refused(checkpoints: Path) -> None:
    torch.save(mask_rcnn("_v2").state_dict(), checkpoints / NAMES["coco"])
    line = told("resnet50", "coco")
    assert "normalises its pyramid (backbone.fpn.inner_blocks.0.1.running_var)" in line
    assert "version 2" in line


def test_a_pyramid_of_another_width_is_named(checkpoints: Path) -> None:
    torch.save(state_of(mask_rcnn()), checkpoints / NAMES["coco"])
    assert "has shape (256, 256, 1, 1), not (64, 256, 1, 1); is model.channels 256?" in told(
        "resnet50", "coco", channels=64
    )


def test_pretrained_weights_keep_their_normalisation() -> None:
    with pytest.raises(KinsError, match="norm: pretrained weights need their own normalisation, not group"):
        kins.models.build("asn", 3, backbone="resnet18", weights="imagenet", norm="group")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_none_are_named(tmp_path: Path, value: float) -> None:
    state = torchvisions("resnet18")
    state["layer2.0.bn1.running_var"] = torch.full((128,), value)
    torch.save(state, tmp_path / "broken.pth")
    assert "broken.pth: layer2.0.bn1.running_var holds numbers that are not finite" in told(
        "resnet18", tmp_path / "broken.pth"
    )
    state["layer2.0.bn1.running_var"] = torch.ones(128, dtype=torch.int64)
    torch.save(state, tmp_path / "broken.pth")
    assert "is of type int64, not float32" in told("resnet18", tmp_path / "broken.pth")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_weights_in_a_named_file(tmp_path: Path, suffix: str) -> None:
    state, path = torchvisions("resnet18"), tmp_path / f"mine.{suffix}"
    if suffix == "pth":
        torch.save(state, path)
    else:
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    loaded = started("resnet18", path).body.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in loaded.items())


@pytest.mark.parametrize(("name", "weights"), [("resnet18", "imagenet"), ("resnet50", "coco")])
def test_a_missing_file_is_named_with_its_place(checkpoints: Path, name: str, weights: str) -> None:
    line = told(name, weights)
    file = NAMES[name if weights == "imagenet" else weights]
    assert file in line
    assert f"put it at {checkpoints / file}" in line
    assert f"https://download.pytorch.org/models/{file}" in line


def test_a_tensor_of_another_shape_is_named(checkpoints: Path) -> None:
    state = torchvisions("resnet18")
    state["layer2.0.conv1.weight"] = torch.zeros(128, 64, 1, 1)
    torch.save(state, checkpoints / NAMES["resnet18"])
    line = told("resnet18", "imagenet")
    assert "layer2.0.conv1.weight has shape (128, 64, 1, 1), not (128, 64, 3, 3)" in line
    assert NAMES["resnet18"] in line


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(torchvisions("resnet18"), tmp_path / "small.pth")
    assert "small.pth: lacks layer" in told("resnet34", tmp_path / "small.pth")
    torch.save(torchvisions("resnet34"), tmp_path / "large.pth")
    assert "large.pth: holds layer1.2.conv1.weight, which the network does not have" in told(
        "resnet18", tmp_path / "large.pth"
    )


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.999])
def test_a_truncated_file_is_named(checkpoints: Path, kept: float) -> None:
    path = checkpoints / NAMES["resnet18"]
    torch.save(torchvisions("resnet18"), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else int(kept)])
    assert f"{path}: not a readable file of weights" in told("resnet18", "imagenet")


def test_a_truncated_safetensors_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    path.write_bytes(path.read_bytes()[:-1])
    assert f"{path}: not a readable file of weights" in told("resnet18", path)


class Command:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_that_would_run_code_is_refused(checkpoints: Path, tmp_path: Path, legacy: bool) -> None:
    evil = {**torchvisions("resnet18"), "fc.bias": Command(tmp_path / "made")}
    torch.save(evil, checkpoints / NAMES["resnet18"], _use_new_zipfile_serialization=not legacy)
    assert "could run code" in told("resnet18", "imagenet")
    assert not (tmp_path / "made").exists()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"model": torchvisions("resnet18"), "epoch": 3}, tmp_path / "checkpoint.pth")
    assert "checkpoint.pth: not a state dict" in told("resnet18", tmp_path / "checkpoint.pth")
    assert "none.pth: no such file" in told("resnet18", tmp_path / "none.pth")
    (tmp_path / "text.pth").write_bytes(b"not weights")
    assert "text.pth: not a readable file of weights" in told("resnet18", tmp_path / "text.pth")
    assert "no COCO weights for resnet18" in told("resnet18", "coco")


def test_frozen_normalisation_is_torchvisions() -> None:
    torch.manual_seed(0)
    ours, reference = FrozenNorm(6), torchvision.ops.FrozenBatchNorm2d(6)
    for name, value in reference.named_buffers():
        setattr(reference, name, value + torch.rand(6))
    ours.load_state_dict(reference.state_dict())
    x = torch.randn(2, 6, 5, 4, requires_grad=True)
    weights = torch.randn_like(x)
    gradients = [torch.autograd.grad((norm(x) * weights).sum(), x) for norm in (ours, reference)]
    torch.testing.assert_close(ours(x), reference(x))
    torch.testing.assert_close(*gradients)


def stage_outputs(name: str, state: dict[str, torch.Tensor], images: torch.Tensor) -> dict[int, torch.Tensor]:
    """By stride: the last result of torchvision's own network before its last 1x1 convolution."""
    network = torchvision.models.get_model(name, weights=None).eval()
    network.load_state_dict(state)
    found = {}
    with torch.no_grad():
        for block in network.features[:-1]:
            images = block(images)
            found[64 // images.shape[-1]] = images
    return found


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0"])
def test_maps_are_those_of_torchvisions_blocks_with_their_epsilon(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    state = torchvision.models.get_model(name, weights=None).state_dict()
    for key, value in state.items():  # variances so small that the epsilon counts
        if key.endswith("running_var"):
            value.copy_(0.002 + 0.01 * torch.rand_like(value))
    torch.save(state, tmp_path / "start.pth")
    body = started(name, tmp_path / "start.pth").body.eval()
    images = torch.randn(2, 3, 64, 64)
    expected = stage_outputs(name, state, images)
    with torch.no_grad():
        found = body(images)
    for level, stride in enumerate((4, 8, 16, 32)):
        torch.testing.assert_close(found[str(level)], expected[stride], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MOBILE)
@pytest.mark.parametrize("norm", ["frozen-batch", "group"])
def test_pyramids_have_strides_4_to_32(name: str, norm: str) -> None:
    network = backbone(name, channels=32, norm=norm)
    with torch.no_grad():
        maps = network(torch.zeros(1, 3, 64, 128))
    assert [tuple(m.shape) for m in maps.values()] == [(1, 32, 64 // s, 128 // s) for s in (4, 8, 16, 32, 64)]
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())


def test_results_in_training_are_the_same_every_time() -> None:
    network = backbone("efficientnet_b0", channels=32).train()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(network(images)["2"], network(images)["2"])


def test_the_lower_stages_are_frozen(tmp_path: Path) -> None:
    torch.save(torchvisions("mobilenet_v2"), tmp_path / "start.pth")
    for trainable, first in ((0, None), (1, 14), (2, 7), (3, 4), (4, 2), (5, 0)):
        body = started("mobilenet_v2", tmp_path / "start.pth").body
        freeze_stages(body, trainable)
        assert isinstance(body, MobileBody)
        trained = [k for k, block in enumerate(body.features) if any(p.requires_grad for p in block.parameters())]
        assert trained == ([] if first is None else list(range(first, 18)))


def test_weights_of_any_name_of_torchvisions(checkpoints: Path) -> None:
    file = torchvision.models.get_model_weights("mobilenet_v2").IMAGENET1K_V2.url.rsplit("/", 1)[-1]
    assert file != NAMES["mobilenet_v2"]
    assert file in told("mobilenet_v2", "IMAGENET1K_V2")
    state = torchvisions("mobilenet_v2")
    torch.save(state, checkpoints / file)
    loaded = started("mobilenet_v2", "IMAGENET1K_V2").body.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in loaded.items())
    line = told("mobilenet_v2", "IMAGENET1K_V3")
    assert "nor weights that torchvision has for mobilenet_v2 (IMAGENET1K_V1, IMAGENET1K_V2, DEFAULT)" in line


def test_every_backbone_can_be_configured() -> None:
    assert set(BACKBONES) == set(ModelConfig.model_fields["backbone"].annotation.__args__)
