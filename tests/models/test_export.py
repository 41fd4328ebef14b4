"""The exported network agrees with the one it came from."""

from pathlib import Path

import pytest
import torch

from kins.config import NETWORKS, load_config
from kins.demo.toys import write_shapes
from kins.files import made_by_kins
from kins.models.export import FixedSize, export
from kins.models.network import AmodalRCNN, assemble
from kins.models.weights import load_model
from kins.records import Dataset
from kins.train.loop import train

SMALL = ["model.channels=16", "model.head_channels=16", "model.hidden=32", "model.proposals_test=50"]


def network(name: str) -> AmodalRCNN:
    torch.manual_seed(0)
    return assemble(load_config("tiny", [*SMALL, f"model.name={name}", "model.score_threshold=0.0"]).model, 3).eval()


def compare(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    count = len(expected["scores"])
    assert count > 5
    assert not any(found[name][count:].any() for name in ("scores", "labels", "boxes"))
    assert torch.equal(found["labels"][:count], expected["labels"])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name][:count], value, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["mask-rcnn", "asn-mlc", "panet-asn-mlc"])
def test_fixed_size_outputs_are_the_networks(name: str) -> None:
    model = network(name)
    image = torch.randint(0, 256, (3, 100, 150), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        (expected,), found = model([image]), FixedSize(model, 100, 150)(image)
    compare(found, expected)
    assert NETWORKS[name].occlusion == ("occlusion" in found)


def test_the_exported_file_agrees(tmp_path: Path) -> None:
    shapes: Dataset = write_shapes(tmp_path / "images", 2, (64, 96))
    small = [*SMALL, "model.regions=16", "data.short_side=64", "data.workers=0", "model.score_threshold=0.0"]
    train(load_config("tiny", [*small, "train.steps=2", "train.precision='32'"]), shapes, tmp_path / "run")
    export(tmp_path / "run", tmp_path / "network.pt2", 64, 96)
    assert made_by_kins(tmp_path / "network.pt2")
    model, _, _ = load_model(tmp_path / "run")
    loaded = torch.export.load(tmp_path / "network.pt2").module()
    for index in range(2):
        image = torch.from_numpy(shapes[index].read_image().copy()).permute(2, 0, 1).contiguous()
        with torch.no_grad():
            (expected,), found = model.eval()([image]), loaded(image)
        compare(found, expected)
