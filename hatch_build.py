"""Compiles src/kins/masks/spans.c on installation, by the system's C compiler or else by the one that zig brings."""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SUFFIX = {"Windows": ".dll", "Darwin": ".dylib"}.get(platform.system(), ".so")


def compiler() -> list[str] | None:
    """The command of a C compiler that is there already."""
    if os.environ.get("CC"):
        return os.environ["CC"].split()
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    return [found] if found else None


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled library to the wheel; an editable installation gets it beside its source."""

    def dependencies(self) -> list[str]:
        """What building needs."""
        return [] if compiler() else ["ziglang"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile. The wheel fits any Python of this platform, since the library does not use Python."""
        if self.target_name != "wheel":
            return
        library = Path(self.root, "src", "kins", "masks", f"libspans{SUFFIX}")
        command = compiler() or [sys.executable, "-m", "ziglang", "cc"]
        # Contracted to fused multiplications, the arithmetic would fill other pixels than COCO's.
        flags = ["-O3", "-ffp-contract=off", "-fvisibility=hidden", "-shared", "-fPIC"]
        math = [] if platform.system() == "Windows" else ["-lm"]
        subprocess.run([*command, *flags, "-o", str(library), str(library.with_name("spans.c")), *math], check=True)
        build_data["artifacts"].append(f"src/kins/masks/{library.name}")
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")
