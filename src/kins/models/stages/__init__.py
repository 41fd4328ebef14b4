"""Methods: what a network adds to Mask R-CNN, one a file.

A method is a file here with its mask stage (see `stage.MaskStage`), a line in `METHODS`, and a network in
`kins.config.NETWORKS` that names it.
"""

from collections.abc import Callable, Mapping

from kins.config import NETWORKS, ModelConfig
from kins.errors import KinsError
from kins.models.stages import aisformer, bcnet, layered, orcnn, ordered, separate, uoais, vrsp
from kins.models.stages.stage import MaskStage
from kins.models.targets import SOURCES

METHODS: Mapping[str, Callable[[ModelConfig, int], MaskStage]] = {
    "separate": separate.stage,
    "orcnn": orcnn.stage,
    "uoais": uoais.stage,
    "bcnet": bcnet.stage,
    "aisformer": aisformer.stage,
    "vrsp": vrsp.stage,
    "ordered": ordered.stage,
    "layered": layered.stage,
}
"""By the names in `kins.config.Parts.method`: from the configuration and the number of classes to the stage."""


def mask_stage(config: ModelConfig, num_classes: int) -> MaskStage:
    """The mask stage of a network.

    Raises:
        KinsError: an option that the method does not have, or a target that nobody makes.
    """
    stage = METHODS[NETWORKS[config.name].method](config, num_classes)
    for target in stage.targets.values():
        if target not in SOURCES:
            raise KinsError(f"{config.name}: learns the target '{target}', which is unknown; use {', '.join(SOURCES)}")
    return stage
