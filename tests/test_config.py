"""Configurations: defaults, overrides, and mistakes that are named."""

import ast
import json
from pathlib import Path

import pytest

from kins import config
from kins.config import NETWORKS, Config, ModelConfig, load_config, names
from kins.errors import KinsError


def test_shipped_configurations_are_valid_and_the_papers() -> None:
    assert {"asn_mlc_r50", "asn_mlc_r101", "mask_rcnn_r50", "panet_r50", "tiny"} <= set(names())
    for name in names():
        assert isinstance(load_config(name), Config)
    assert load_config("asn_mlc_r101").model.backbone == "resnet101"
    for name in names():
        if not name.endswith(("_released", "_paper")):
            continue
        config = load_config(name)
        train, data, model = config.train, config.data, config.model
        assert (train.lr, train.momentum, train.weight_decay, model.regions) == (0.02, 0.9, 1e-4, 512)
        assert (model.box_beta, model.initial, model.border_anchors, data.keep_hidden) == (1, "paper", False, True)
        steps = {"asn_mlc_r101_released": 12000, "panet_r50_released": 40000}.get(name, 24000)
        drops = [round(steps * share) for share in train.drops]
        assert (train.steps, drops) == (steps, [] if steps == 40000 else [steps * 10 // 12, steps * 11 // 12])
        if name.endswith("_paper"):
            assert (train.batch, data.short_side, model.occlusion_labels) == (16, 1666, "region")
        else:
            assert (train.batch, data.short_side, model.occlusion_labels) == (8, 800, "region-swapped")
            assert not model.name.startswith("panet-")  # was never released
        assert model.name == name.partition("_r50")[0].partition("_r101")[0].replace("_", "-")


def test_every_method_has_a_configuration_that_the_page_names() -> None:
    page = (Path(__file__).parents[1] / "docs" / "training.md").read_text()
    assert {name for name in names() if f"`{name}`" not in page and not name.endswith(("_paper", "_released"))} == set()
    for method in {parts.method for parts in NETWORKS.values()} - {"separate"}:
        model = load_config(f"{method}_r50").model
        assert (model.name, model.backbone) == (method, "resnet50")


def test_a_file_of_a_few_lines(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("model: {backbone: resnet18}\n")
    config = load_config(tmp_path / "my.yaml", ["train.lr=1.0e-3", "model.name=panet", "augment.scale=[0.5,2]"])
    assert config.model.backbone == "resnet18"
    assert config.train.lr == 0.001
    assert config.model.name == "panet"
    assert config.augment.scale == (0.5, 2)
    assert load_config(tmp_path / "my.yaml", ["train.precision=32"]).train.precision == "32"
    assert load_config(tmp_path / "my.yaml").train == Config().train


def test_a_file_over_another_one(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("base: tiny\nmodel: {tap: 2}\ntrain: {lr: 0.5}\n")
    (tmp_path / "more.yaml").write_text(f"base: {tmp_path / 'mine.yaml'}\nmodel: {{hidden: 9}}\n")
    config, below = load_config(tmp_path / "more.yaml", ["train.seed=3"]), load_config("tiny")
    assert config.model == below.model.model_copy(update={"tap": 2, "hidden": 9})
    assert config.train == below.train.model_copy(update={"lr": 0.5, "seed": 3})
    (tmp_path / "own.yaml").write_text(f"base: {tmp_path / 'own.yaml'}")
    with pytest.raises(KinsError, match=r"own\.yaml: base: .*own\.yaml is no other configuration"):
        load_config(tmp_path / "own.yaml")
    (tmp_path / "odd.yaml").write_text("base: [tiny]")
    with pytest.raises(KinsError, match=r"odd\.yaml: base: \['tiny'\] is no other configuration"):
        load_config(tmp_path / "odd.yaml")


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("train: {stepz: 1}", [], r"train\.stepz: unknown key; did you mean 'steps'"),
        ("trian: {steps: 1}", [], r"trian: unknown key; did you mean 'train'"),
        ("", ["model.backbon=tiny"], r"model\.backbon: unknown key; did you mean 'backbone'"),
        ("", ["model.name=asn_mlc"], "unknown network 'asn_mlc'; did you mean 'asn-mlc'"),
        ("", ["train.lr=fast"], r"train\.lr: .*number"),
        ("", ["train.steps=0"], r"train\.steps: .*greater than or equal to 1"),
        ("", ["train.lr"], "section.key=value"),
        ("", ["model.tap=7"], "tap: convolution 7 of 4"),
        ("", ["augment.scale=[2,1]"], "scale: .* not a range"),
        ("", ["train.devices=2"], r"train\.devices: unknown key; did you mean 'device'"),
        ("train: {steps: [}", [], "not a readable YAML file"),
        ("train: {steps: !!int abc}", [], "not a readable YAML file"),
        ("train: {steps: 2020-99-99}", [], "not a readable YAML file"),
        ("", ["train.steps=" + "9" * 5000], "the value is not YAML"),
        ("", ["train.steps=" + "[" * 5000], "the value is not YAML"),
        ("- 1", [], "mapping of sections"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, overrides: list[str], message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(KinsError, match=message):
        load_config(tmp_path / "c.yaml", overrides)


@pytest.mark.parametrize(
    "override",
    [
        "augment.scale=[1, .inf]",
        "augment.scale=[1, 1.0e+9]",
        "augment.scale=[1.0e-9, 1]",
        "augment.window=[400, 1000000]",
        "data.min_size=.nan",
        "data.short_side=1000000",
        "data.workers=100000",
        "model.anchors=[0, 64, 128, 256, 512]",
        "model.channels=1000000",
        "model.head_depth=1000000",
        "model.hidden=1000000000",
        "model.regions=1000000000",
        "train.batch=1000000000",
        "train.lr=.inf",
        "train.minutes=.inf",
        "train.seed=99999999999999999999",
        "train.steps=99999999999999999999",
    ],
)
def test_numbers_that_no_machine_can_work_with(override: str) -> None:
    key = override.split("=")[0]
    with pytest.raises(KinsError, match=rf"^tiny: {key.split('.')[0]}[^\n]*{key.split('.')[1]}[^\n]*$"):
        load_config("tiny", [override])


def test_settings_of_earlier_runs(tmp_path: Path) -> None:
    """What did nothing and is gone does not keep a run's own config.json from being used again."""
    written = {**load_config("tiny").model_dump(mode="json"), "data": {"root": "streets"}}
    (tmp_path / "config.json").write_text(json.dumps({**written, "train": {**written["train"], "devices": 4}}))
    config = load_config(tmp_path / "config.json")
    assert config.data.root == "streets"
    assert config.train == load_config("tiny").train


def test_unknown_configuration() -> None:
    with pytest.raises(KinsError, match="did you mean 'tiny'"):
        load_config("tinny")


def test_every_setting_is_described_or_plain() -> None:
    undescribed = {"score_threshold", "nms_threshold", "momentum", "weight_decay", "test_images", "seed", "lr", "clip"}
    for section in Config.model_fields.values():
        assert section.annotation is not None
        for name, field in section.annotation.model_fields.items():
            plain = undescribed | {"optimizer", "backbone", "channels_last", "log_every"}
            assert field.description or name in plain, name
    assert ModelConfig().occluded_weight == 8


def settings_read_by(source: str) -> set[tuple[str, str]]:
    """(section, setting) pairs that a module reads: an attribute of `….section`, or of what is annotated as such, or
    was taken from such."""
    tree = ast.parse(source)
    classes = {section.annotation.__name__: name for name, section in Config.model_fields.items()}
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and isinstance(node.annotation, ast.Name) and node.annotation.id in classes:
            known[node.arg] = classes[node.annotation.id]

    def section(node: ast.expr) -> str | None:
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        return name if name in Config.model_fields and isinstance(node, ast.Attribute) else known.get(name)

    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            pairs = [(node.targets[0], node.value)]
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(node.targets[0].elts, node.value.elts, strict=True))
            for target, value in pairs:
                if (found := section(value)) and isinstance(target, ast.Name | ast.Attribute):
                    known[target.id if isinstance(target, ast.Name) else target.attr] = found
    attributes = (n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load))
    return {(found, node.attr) for node in attributes if (found := section(node.value))}


def test_every_setting_is_read_somewhere() -> None:
    package = Path(config.__file__).parents[1]
    read = set[tuple[str, str]]()
    for path in package.rglob("*.py"):
        if path.parent != Path(config.__file__).parent:
            read |= settings_read_by(path.read_text())
    settings = {(name, key) for name, part in Config.model_fields.items() for key in part.annotation.model_fields}
    assert settings - read == set()


def test_a_setting_that_nothing_reads_is_found() -> None:
    source = """
class A:
    def f(self, data: DataConfig, other: Thing):
        self.augmentation, step = self.config.augment, data.workers
        other.steps, self.augmentation.mirror, self.config.train.lr
        self.config.train.seed = 3
    """
    assert settings_read_by(source) == {("data", "workers"), ("augment", "mirror"), ("train", "lr")}
