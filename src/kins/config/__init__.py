"""Configurations: a few lines of YAML over documented defaults, checked before anything runs."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kins.errors import KinsError
from kins.limits import SETTING

__all__ = ["NETWORKS", "Config", "ModelConfig", "load_config", "names", "suggest"]

C = TypeVar("C", bound=BaseModel)
MaskName = Literal["amodal", "inmodal"]


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a network is made of, beside backbone, region proposals and box head.

    Attributes:
        masks: what it finds of the two that an instance has.
        method: its mask stage; one of kins.models.stages.METHODS.
        occlusion: an occlusion head beside the box head.
        coding: multi-level coding in the mask heads.
        panet: path augmentation, features from all levels, a fully connected branch in the mask heads.
        one_order: the detections of a picture are given one order, see kins.predict.one_order.
        twice: boxes are moved twice at prediction.
        layers: what is visible of them is all that others in front leave of the whole.
    """

    masks: tuple[MaskName, ...] = ("amodal", "inmodal")
    method: str = "separate"
    occlusion: bool = False
    coding: bool = False
    panet: bool = False
    one_order: bool = False
    layers: bool = False
    twice: bool = False


NETWORKS = {
    "mask-rcnn": Parts(masks=("amodal",)),
    "mask-rcnn-both": Parts(),
    "mask-rcnn-mlc": Parts(coding=True),
    "asn": Parts(occlusion=True),
    "asn-mlc": Parts(occlusion=True, coding=True),
    "panet": Parts(masks=("amodal",), panet=True),
    "panet-both": Parts(panet=True),
    "panet-mlc": Parts(coding=True, panet=True),
    "panet-asn": Parts(occlusion=True, panet=True),
    "panet-asn-mlc": Parts(occlusion=True, coding=True, panet=True),
    "orcnn": Parts(method="orcnn"),
    "uoais": Parts(method="uoais"),
    "bcnet": Parts(method="bcnet"),
    "aisformer": Parts(method="aisformer"),
    "vrsp": Parts(method="vrsp"),
    "ordered": Parts(method="ordered", occlusion=True, coding=True, one_order=True),
    "asn-mlc-ordered": Parts(occlusion=True, coding=True, one_order=True),
    "layered": Parts(method="layered", coding=True, one_order=True, layers=True, twice=True),
}
"""The paper's networks (coding without an occlusion head takes the box head's map alone), its successors, and ours."""

COMPLETION, PCNET = "completion", "pcnet"
"""The networks that complete given masks (kins.models.completion, kins.models.pcnet): of the model's settings they have
`channels`; pcnet has `window`, and completion with `rgb` all that backbones have."""
ORDERNET, INSTAORDERNET = "ordernet", "instaordernet"
"""The networks that tell which of two objects is in front (kins.models.ordernet): they have `window`, `rgb` and all
that backbones have."""
OTHERS = (COMPLETION, PCNET, ORDERNET, INSTAORDERNET)
"""All networks that are no detectors."""


BackboneName = Literal[
    "tiny",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_v2_s",
]
BACKBONES: tuple[BackboneName, ...] = get_args(BackboneName)
MOST = SETTING.default

FORMER = {"train": ("devices",)}
"""Settings that were dropped since, by section. They did nothing; the files of earlier runs have them."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


class ModelConfig(Section):
    """The network."""

    name: str = Field(
        "asn-mlc", description="One of kins.config.NETWORKS, or of OTHERS: completion, pcnet, ordernet, instaordernet."
    )
    backbone: BackboneName = "resnet50"
    weights: str | None = Field(
        None,
        description="Backbone: imagenet, coco (resnet50), another name of torchvision's, a file, or null: random.",
    )
    norm: Literal["frozen-batch", "group"] | None = Field(
        None, description="Normalisation of the backbone; null: frozen-batch with weights, group without."
    )
    trainable_layers: int = Field(5, ge=0, le=5, description="Stages of a pretrained backbone that are trained.")
    channels: int = Field(256, ge=1, le=8192, description="Width of the feature pyramid.")
    head_channels: int = Field(256, ge=2, le=8192, description="Width of the convolutions in all heads.")
    head_depth: int = Field(4, ge=1, le=64, description="Convolutions of box and occlusion head.")
    hidden: int = Field(1024, ge=1, le=65536, description="Width of their fully connected layer.")
    mask_depth: int = Field(4, ge=2, le=64, description="Convolutions of each mask head.")
    tap: int = Field(
        1, ge=1, description="Which convolution of the 7x7 heads feeds multi-level coding; 1 is the first."
    )
    extraction: bool = Field(True, description="Multi-level coding: extraction on or off.")
    combination: bool = Field(True, description="Multi-level coding: combination on or off.")
    occluded_weight: float = Field(8.0, gt=0, le=1e6, description="Weight of the occluded class in the occlusion loss.")
    occlusion_labels: Literal["instance", "region", "region-swapped"] = Field(
        "instance",
        description="What an occlusion head learns of a region: whether its instance is occluded; whether anything "
        "hidden lies in it (the paper's authors); or that with x and y of the region exchanged (their code).",
    )
    box_beta: float = Field(1 / 9, gt=0, le=1e6, description="Where the box loss turns from square to linear.")
    initial: Literal["torchvision", "paper"] = Field(
        "torchvision", description="Initial weights of the last layers for classes, boxes and occlusion."
    )
    border_anchors: bool = Field(True, description="Learn from anchors that cross the image's border, too.")
    binary_targets: bool = Field(False, description="Mask targets of 0 and 1, cut at one half, not shares of cells.")
    options: dict[str, bool | int | float | str | None] = Field(
        {}, description="What the network's method alone has; see its file in kins.models.stages."
    )
    anchors: tuple[int, int, int, int, int] = Field((32, 64, 128, 256, 512), description="Anchor size of each level.")
    anchors_sampled: int = Field(256, ge=2, le=65536, description="Anchors per image in the proposal loss.")
    canonical_size: int = Field(
        224, ge=1, le=16384, description="Box size whose features come from the third pyramid level."
    )
    proposals_train: int = Field(
        2000, ge=1, le=65536, description="Proposals kept per level before, per image after suppression."
    )
    proposals_test: int = Field(1000, ge=1, le=65536, description="The same at prediction.")
    regions: int = Field(
        512, ge=4, le=65536, description="Regions sampled per training image, at most a quarter foreground."
    )
    score_threshold: float = Field(0.05, ge=0, lt=1)
    nms_threshold: float = Field(0.5, gt=0, le=1)
    detections: int = Field(100, ge=1, le=65536, description="Detections per image.")
    rgb: bool = Field(
        False, description="completion, ordernet: whether it looks at the picture, too, and not at masks alone."
    )
    window: int = Field(
        128, ge=32, le=1024, multiple_of=16, description="pcnet, ordernet: cells along a side of what goes in."
    )

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        if self.name in OTHERS:
            return self
        if self.name not in NETWORKS:
            raise ValueError(f"name: unknown network '{self.name}'{suggest(self.name, [*NETWORKS, *OTHERS])}")
        if self.weights is not None and self.norm == "group":
            raise ValueError("norm: pretrained weights need their own normalisation, not group; leave norm empty")
        if self.tap > self.head_depth:
            raise ValueError(f"tap: convolution {self.tap} of {self.head_depth} does not exist; lower it")
        if not all(1 <= size <= 16384 for size in self.anchors):
            raise ValueError(f"anchors: {list(self.anchors)} are not five sizes of 1 to 16384 pixels")
        if NETWORKS[self.name].coding and not self.combination:
            if not self.extraction:
                raise ValueError("extraction: coding needs extraction or combination; use a network without -mlc")
            if self.channels != self.head_channels and not NETWORKS[self.name].panet:
                raise ValueError("combination: without it channels and head_channels must be equal, for they are added")
        return self


class DataConfig(Section):
    """Which images, and how large they enter the network. Paths are relative to the data folder (--data)."""

    root: str | None = Field(None, description="The data folder; --data sets it.")
    train: str | None = Field(None, description="Annotations; null: the usual names are tried in the folder.")
    train_images: str | None = Field(None, description="Their images; null: training/image_2, or beside the file.")
    test: str | None = Field(None, description="Annotations for evaluation; null as above; none is allowed.")
    test_images: str | None = None
    masks: MaskName | None = Field(None, description="What the masks of plain COCO files are; null: refuse such files.")
    short_side: int = Field(800, ge=32, le=16384, description="Images are scaled to this short side in pixels ...")
    long_side: int = Field(3000, ge=32, le=16384, description="... unless the long side would exceed this.")
    occluded_rate: float = Field(
        0.01, ge=0, lt=1, description="Hidden share from which an instance is called occluded."
    )
    keep_hidden: bool = Field(False, description="Train on instances of which nothing is visible, too.")
    min_size: float = Field(
        2.0, ge=0, le=16384, description="Amodal boxes thinner than this many pixels of the scaled image are left out."
    )
    workers: int = Field(2, ge=0, le=256, description="Loading processes.")


class AugmentConfig(Section):
    """Random changes to training images; all 0 or 1 switches them off."""

    mirror: float = Field(0.5, ge=0, le=1, description="Probability of left-right mirroring.")
    scale: tuple[float, float] = Field((1.0, 1.0), description="Range of a random factor on the image size.")
    crop: float = Field(0.0, ge=0, le=1, description="Probability of cropping a random window.")
    crop_size: float = Field(0.6, gt=0, le=1, description="Smallest window, as a share of each side.")
    color: float = Field(0.0, ge=0, le=1, description="Strength of brightness, contrast and saturation changes.")
    paste: float = Field(0.0, ge=0, le=1, description="Probability of pasting a cut-out instance over another one.")
    gamma: float = Field(0.0, ge=0, le=1, description="Strength of changes to the tone curve, highlights burnt out.")
    hue: float = Field(0.0, ge=0, le=1, description="Strength of changes to the hue and to the white balance.")
    noise: float = Field(0.0, ge=0, le=1, description="Strength of sensor noise.")
    blur: float = Field(0.0, ge=0, le=1, description="Strength of blur.")
    jpeg: float = Field(0.0, ge=0, le=1, description="Probability of coding as JPEG, of quality 25 to 95.")
    shapes: float = Field(0.5, ge=0, le=1, description="Completion: share of things that are random shapes.")
    window: tuple[int, int] | None = Field(
        None, description="Largest [height, width] in pixels of the scaled image: a random window; null: all of it."
    )

    @model_validator(mode="after")
    def _consistent(self) -> AugmentConfig:
        if not 0.01 <= self.scale[0] <= self.scale[1] <= 10:
            raise ValueError(f"scale: {list(self.scale)} is not a range of factors [smallest, largest], 0.01 to 10")
        if self.window is not None and not all(32 <= side <= 16384 for side in self.window):
            raise ValueError(f"window: {list(self.window)} is not [height, width] of 32 to 16384 pixels each")
        return self


class TrainConfig(Section):
    """The schedule."""

    seed: int = Field(0, ge=0, lt=2**63)
    steps: int = Field(12000, ge=1, le=MOST, description="Optimiser steps.")
    minutes: float | None = Field(
        None,
        gt=0,
        le=MOST,
        description="Wall-clock budget in place of steps: the schedule follows the clock, not reproducibly.",
    )
    batch: int = Field(
        8, ge=1, le=65536, description="Images per optimiser step, over all processes and accumulated parts."
    )
    micro_batch: int | None = Field(
        None, ge=1, description="Images per forward pass and process; null: no accumulation."
    )
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(0.02, gt=0, description="Base learning rate.")
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(1e-4, ge=0)
    schedule: Literal["steps", "cosine"] = Field(
        "steps", description="Division by 10 at `drops`, or a half cosine to 0."
    )
    drops: tuple[float, ...] = Field((10 / 12, 11 / 12), description="Where the rate drops, as shares of the schedule.")
    warmup: int = Field(
        500,
        ge=0,
        le=MOST,
        description="Steps of linear warm-up; with `minutes` the same share of the time as of `steps`.",
    )
    clip: float | None = Field(None, gt=0, description="Largest gradient norm.")
    ema: float | None = Field(
        None, gt=0, lt=1, description="Decay of the averaged weights; they are the ones evaluated."
    )
    precision: Literal["auto", "32", "bf16", "16"] = Field(
        "auto", description="auto: bf16 where the hardware multiplies it fast, else 32."
    )
    channels_last: bool = False
    compile: bool = Field(False, description="torch.compile the backbone.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 (the second one) or mps.")
    checkpoint_every: int = Field(500, ge=1, le=MOST, description="Steps between checkpoints.")
    evaluate_every: int = Field(0, ge=0, le=MOST, description="Steps between evaluations; 0: at the end only.")
    evaluate_images: int | None = Field(None, ge=1, description="Evaluate on the first so many images; null: all.")
    log_every: int = Field(20, ge=1, le=MOST)
    init: str | None = Field(None, description="Weights to start from: a run, a weights file, or the shipped 'street'.")
    frozen: tuple[str, ...] = Field(
        (), description="Parts that keep their weights: [backbone, rpn] trains the heads alone, which is quick."
    )

    @field_validator("precision", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return str(value) if type(value) is int else value  # 32 and 16 are numbers in YAML


class Config(Section):
    """Everything that a training run depends on."""

    model: ModelConfig = ModelConfig()  # type: ignore[call-arg]
    data: DataConfig = DataConfig()  # type: ignore[call-arg]
    augment: AugmentConfig = AugmentConfig()  # type: ignore[call-arg]
    train: TrainConfig = TrainConfig()  # type: ignore[call-arg]


def load_config(source: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration.

    Args:
        source: a YAML file, the config.json of a run, or the name of one that comes with kins ("tiny", "asn_mlc_r50").
            A file may have a line `base: NAME`, another one (a name or a file) whose values hold where it has none.
        overrides: "section.key=value", values in YAML.

    Example:
        >>> config = kins.config.load_config("tiny", ["train.steps=100", "augment.scale=[0.8, 1.25]"])
        >>> config.train.steps, config.augment.scale, config.model.name
        (100, (0.8, 1.25), 'asn-mlc')
        >>> kins.config.load_config("tiny", ["train.step=100"])
        Traceback (most recent call last):
        kins.errors.KinsError: tiny: train.step: unknown key; did you mean 'steps'?

    Raises:
        KinsError: no such file or name, not YAML, or a key or value that does not exist; the nearest key is suggested.
    """
    import yaml

    values = _read(source)
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise KinsError(f"{override}: write an override as section.key=value, for example train.steps=1000")
        try:
            _set(values, key.split("."), yaml.safe_load(text))
        except (ValueError, RecursionError, yaml.YAMLError):
            raise KinsError(f"{override}: the value is not YAML") from None
    run = _find(source).name == "config.json"
    return stored(values, str(source)) if run else checked(Config, values, str(source))


def _read(source: str | Path, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """A file's values over those of the configuration that its `base` names, if it names one."""
    import yaml

    try:
        values = yaml.safe_load(_find(source).read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise KinsError(f"{source}: not a readable YAML file ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise KinsError(f"{source}: a configuration is a mapping of sections ({', '.join(Config.model_fields)})")
    base = values.pop("base", None)
    if base is None:
        return values
    if not isinstance(base, str) or base in (*above, str(source)):
        raise KinsError(f"{source}: base: {base} is no other configuration; name a file, or one that comes with kins")
    below = _read(base, (*above, str(source)))
    for section, part in values.items():
        both = isinstance(part, dict) and isinstance(below.get(section), dict)
        below[section] = {**below[section], **part} if both else part
    return below


def names() -> list[str]:
    """The configurations that come with kins.

    Example:
        >>> "tiny" in kins.config.names()
        True
    """
    return sorted(p.name.removesuffix(".yaml") for p in _folder().iterdir() if p.name.endswith(".yaml"))


def checked(kind: type[C], values: dict[str, Any], where: str) -> C:
    """`values` as a `kind`. Raises KinsError naming the place, and for an unknown key the nearest one that exists."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            fields = _fields(kind, first["loc"][:-1])
            message = f"unknown key{suggest(str(first['loc'][-1]), fields)}"
        else:
            message = first["msg"].removeprefix("Value error, ")
        raise KinsError(f"{where}: {place + ': ' if place else ''}{message}") from None


def stored(values: Any, where: str) -> Config:
    """The configuration that a run has kept: without settings that were dropped since, new ones at their defaults."""
    if isinstance(values, dict):
        values = {
            section: {key: value for key, value in part.items() if key not in FORMER.get(section, ())}
            if isinstance(part, dict)
            else part
            for section, part in values.items()
        }
    return checked(Config, values, where)


def _fields(kind: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    for part in loc:
        annotation = kind.model_fields[str(part)].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        kind = annotation
    return list(kind.model_fields)


def suggest(word: str, known: Any) -> str:
    """The end of an error message about an unknown word: the nearest known one, or all of them.

    Example:
        >>> kins.config.suggest("resnet51", ["resnet50", "tiny"])
        "; did you mean 'resnet50'?"
    """
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else f"; use one of {', '.join(known)}"


def _set(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise KinsError(f"{'.'.join(keys)}: '{key}' is a value, not a section")
    values[keys[-1]] = value


def _folder() -> Any:
    return resources.files("kins.config")


def _find(source: str | Path) -> Any:
    path = Path(source)
    if path.is_file():
        return path
    shipped = _folder() / f"{str(source).removesuffix('.yaml')}.yaml"
    if path.name == str(source) and shipped.is_file():
        return shipped
    known = names()
    raise KinsError(f"{source}: neither a file nor a configuration of kins{suggest(str(source), known)}")
