"""The exported network agrees with the one it came from."""

import json
import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from tests import helpers

from kins.commands.cli import main
from kins.config import NETWORKS, Config, load_config
from kins.errors import KinsError
from kins.files import check_output, made_by_kins
from kins.models import weights
from kins.models.export import FixedSize, export, picture_size
from kins.models.network import AmodalRCNN, assemble

DOCUMENT = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
CATEGORIES = {1: "car", 4: "van", 9: "tram"}
SMALL = [*helpers.SMALL, "model.proposals_test=50"]


def configuration(name: str) -> Config:
    return load_config("tiny", [*SMALL, f"model.name={name}", "model.score_threshold=0.0"])


def network(name: str) -> AmodalRCNN:
    torch.manual_seed(0)
    return assemble(configuration(name).model, 3).eval()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A weights file of a network with random weights."""
    tensors = {f"model.{name}": value for name, value in network("asn-mlc").state_dict().items()}
    facts = {"config": configuration("asn-mlc").model_dump(mode="json"), "categories": CATEGORIES, "step": 0}
    weights.save(tmp_path / "asn.safetensors", tensors, facts)
    return tmp_path / "asn.safetensors"


def picture(height: int, width: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def compare(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    count = len(expected["scores"])
    assert count > 5
    assert not any(found[name][count:].any() for name in ("scores", "labels", "boxes"))
    assert torch.equal(found["labels"][:count], expected["labels"])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name][:count], value, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "name", ["mask-rcnn", "asn-mlc", "panet-asn-mlc", "bcnet", "aisformer", "uoais", "vrsp", "layered"]
)
def test_fixed_size_outputs_are_the_networks(name: str) -> None:
    model, image = network(name), picture(100, 150)
    with torch.no_grad():
        (expected,), found = model([image]), FixedSize(model, 100, 150)(image)
    compare(found, expected)
    assert (NETWORKS[name].occlusion or name == "uoais") == ("occlusion" in found)


def documented(word: str) -> str:
    """The document's lines that load an exported network."""
    (block,) = (text for text in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if word in text)
    return block


def labels(path: Path) -> dict[str, str]:
    if path.suffix == ".onnx":
        return dict(json.loads(next(p.value for p in onnx.load(path).metadata_props if p.key == "labels")))
    extra = {"made_by_kins": ""}
    torch.export.load(path, extra_files=extra)
    return dict(json.loads(extra["made_by_kins"]))


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_the_documents_lines_run_what_was_exported(
    saved: Path, ending: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a fresh process that knows nothing of kins; with the numbers of the network, and all outputs documented."""
    image, folder, path = picture(64, 96), saved.parent, saved.with_suffix(f".{ending}")
    torch.save(image, folder / "image.pt")
    monkeypatch.setattr(sys, "argv", ["kins", "export", str(saved), str(path), "--size", "96x64"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert (stopped.value.code or 0, capsys.readouterr().err) == (0, "")
    check_output(path, [saved])  # it may be replaced, being kins's own
    assert made_by_kins(path)
    assert labels(path) == {"1": "car", "2": "van", "3": "tram"}
    script = "\n".join(
        [
            "import torch",
            "image = torch.load('image.pt')" + (".numpy()" if ending == "onnx" else ""),
            documented("onnxruntime" if ending == "onnx" else "torch.export.load"),
            "import sys",
            "assert 'kins' not in sys.modules",
            "torch.save({name: torch.as_tensor(value).detach() for name, value in found.items()}, 'found.pt')",
        ]
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = torch.load(folder / "found.pt")
    with torch.no_grad():
        (expected,) = network("asn-mlc")([image])
    compare(found, expected)
    rows = dict(re.findall(r"^\| `(\w+)`.*?\| (\([^)]*\) \w+) \|", DOCUMENT, re.MULTILINE))
    rows["mask_inmodal"] = rows["mask_amodal"]
    for name, value in found.items():
        assert rows[name] == f"({str(tuple(value.shape))[1:-1]}) {str(value.dtype).removeprefix('torch.')}"


def test_pictures_are_kittis_if_nothing_is_said() -> None:
    assert picture_size(configuration("asn-mlc")) == (212, 64)  # 1242 x 375 at a short side of 64
    assert picture_size(load_config("asn_mlc_r50")) == (2650, 800)


@pytest.mark.parametrize(
    ("out", "size", "line"),
    [
        ("network.pth", None, r"network\.pth: name it OUT\.onnx or OUT\.pt2"),
        ("network.pt2", (0, 64), "a size of 0x64: width and height are 1 to 16384 pixels"),
        ("network.pt2", (64, 10**6), "a size of 64x1000000: width"),
    ],
)
def test_what_can_not_be_exported(saved: Path, out: str, size: tuple[int, int] | None, line: str) -> None:
    with pytest.raises(KinsError, match=line):
        export(saved, saved.parent / out, size)
    assert not (saved.parent / out).exists()
