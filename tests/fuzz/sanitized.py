"""The compiled part, built with address and undefined-behaviour sanitizers, driven by random calls.

usage: python -m tests.fuzz.sanitized [--calls 200000] [--seed 0]

The first thing a sanitizer finds ends the run, with its report and an exit code that is not 0.
"""

import argparse
import ctypes
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from kins.errors import KinsError
from kins.masks import Mask, compiled, intersections, rasterise, spans, union
from kins.masks.table import Spans

SOURCE = Path(compiled.__file__).with_name("spans.c")
FLAGS = [
    "-g",
    "-O1",
    "-ffp-contract=off",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-shared",
    "-fPIC",
    f"-I{SOURCE.parent}",
]
LIBRARY = "KINS_SANITIZED_LIBRARY"


def runtime() -> str | None:
    """The sanitizer's library, which Python must load first; None where the compiler or it is missing."""
    if not (gcc := shutil.which("gcc")):
        return None
    path = subprocess.run([gcc, "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    return path if os.path.isabs(path) else None


def run(calls: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Builds the library and drives it in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "libspans.so")
        subprocess.run(["gcc", *FLAGS, "-o", library, SOURCE, "-lm"], check=True)
        told = {
            "LD_PRELOAD": str(runtime()),
            "ASAN_OPTIONS": "detect_leaks=0",  # Python itself leaves much behind
            "PYTHONMALLOC": "malloc",  # or else it would not be seen where one of its objects ends
            LIBRARY: str(library),
        }
        command = [sys.executable, "-m", "tests.fuzz.sanitized", "--calls", str(calls), "--seed", str(seed)]
        return subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True)


def load(path: str) -> None:
    """Takes this library in place of kins's own."""
    library = ctypes.CDLL(path)
    for name, (arguments, result) in compiled._FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    compiled._library = library


class Driver:
    """Random masks of one image after the other, and everything that is done with masks."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.calls = 0

    def image(self) -> None:
        height, width = (self.random.choice([1, 2, 3, 63, 64, 65, self.random.randint(1, 300)]) for _ in range(2))
        masks = [self.mask(height, width) for _ in range(self.random.randint(1, 5))]
        rasterise(masks)
        sound = [mask for mask in masks if self.attempt(lambda mask=mask: mask.counts)]
        together = spans(sound)[0]
        self.calls += 4
        for mask in sound:
            assert mask.area == mask.to_array().sum()
            assert Mask.from_array(mask.to_array()) == mask
            _ = (~mask, mask.box, mask.segments, mask.mirrored(), together.area)
            self.calls += 9
        if len(sound) > 1:
            a, b = self.random.sample(sound, 2)
            arrays = a.to_array(), b.to_array()
            assert ((a & b).to_array() == (arrays[0] & arrays[1])).all()
            assert ((a | b).to_array() == (arrays[0] | arrays[1])).all()
            assert ((a - b).to_array() == (arrays[0] & ~arrays[1])).all()
            assert intersections(sound, [a])[:, 0].tolist() == [(m & a).area for m in sound]
            assert not union(sound, height, width) - union(sound[::-1], height, width)
            self.calls += 20 + 2 * len(sound)

    def mask(self, height: int, width: int) -> Mask:
        """Of polygons within the image or far outside, of run lengths that fit, or of text that is none."""
        choose = self.random.random
        if choose() < 0.5:
            value = json_of([self.polygon(height, width) for _ in range(self.random.choice([1, 1, 1, 2, 5]))])
            value = value if choose() < 0.7 else self.damaged(value)
        elif choose() < 0.5:
            value = json_of({"size": [height, width], "counts": self.text(height * width)})
        else:
            pixels = np.random.default_rng(self.random.getrandbits(32)).random((height, width)) < choose()
            return Mask.from_array(pixels)
        return Mask.from_segmentation(value, height, width)

    def polygon(self, height: int, width: int) -> list[float]:
        reach = self.random.choice([1.0, 1.5, 100.0, 1e5 / max(height, width)])
        count = self.random.choice([0, 1, 2, 3, 4, 7, 40])
        points = [self.random.uniform(-reach, reach) * side for _ in range(count) for side in (width, height)]
        points = [min(max(number, -1e5), 1e5) for number in points]
        return points if self.random.random() < 0.7 else [float(round(number)) for number in points]

    def damaged(self, value: object) -> object:
        """JSON of polygons with something in place of a few characters, mostly with fewer digits before that."""
        text = bytes(value)
        if self.random.random() < 0.8:
            text = re.sub(rb"(\.\d)\d+", rb"\1", text)
        for _ in range(self.random.randint(0, 2)):
            at = self.random.randrange(len(text) + 1)
            new = self.random.choice(
                [b"", b"]", b"[", b"[]", b",", b"-", b".", b"0", b"9" * 20, b"e5", b" ", b"\n", b"a"]
            )
            text = text[:at] + new + text[at + self.random.randint(0, 9) :]
        return msgspec.Raw(text)

    def text(self, pixels: int) -> str:
        """Run lengths that add up, with some characters replaced, doubled or gone."""
        cuts = sorted(self.random.randint(0, pixels) for _ in range(self.random.choice([0, 1, 2, 5, 40])))
        places = np.unique(np.array(cuts, np.int64))
        text = list(Spans.of(places[: places.size // 2 * 2]).pack([pixels])[0])
        for _ in range(self.random.choice([0, 0, 1, 3])):
            at = self.random.randrange(len(text) + 1)
            new = [chr(self.random.randint(40, 120)) for _ in range(self.random.randint(0, 3))]
            text[at : at + self.random.randint(0, 2)] = new
        return "".join(text)

    def attempt(self, use: Callable[[], object]) -> bool:
        try:
            use()
        except KinsError:
            return False
        return True


def json_of(value: object) -> object:
    return msgspec.Raw(msgspec.json.encode(value))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if LIBRARY not in os.environ:
        if runtime() is None:
            sys.exit("gcc and libasan are needed")
        done = run(options.calls, options.seed)
        print(done.stdout, done.stderr, sep="")
        sys.exit(done.returncode)
    load(os.environ[LIBRARY])
    driver = Driver(options.seed)
    while driver.calls < options.calls:
        driver.image()
    print(f"{driver.calls} calls, and no report")


if __name__ == "__main__":
    main()
