"""Memory that commands need for annotation files: how much more for a larger file than for a smaller one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kins.masks import Mask
from kins.records import Dataset, Image, Instance, Scene

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

FEW, MANY = 130, 300
"""Images; more than any command takes at once, so that what it needs for those is the same for both files."""
INSTANCES, POINTS = 8, 40
HEIGHT, WIDTH = 375, 1242
MOST = 2.5
"""Bytes for each byte by which the files are larger."""

MEASURE = """
import contextlib, json, os, sys
from pathlib import Path
from kins.commands.cli import app
from kins.formats import document, load
from kins.masks import rasterise

document.IN_MEMORY = 2**16  # what is to be written goes into a temporary file sooner: files of the test are small
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one process does it all
folder = Path(sys.argv[1])

def kilobytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))

def command(name, *words):
    files = [str(folder / word) if word.endswith(".json") else word for word in words]
    with contextlib.redirect_stdout(open(os.devnull, "w")), contextlib.redirect_stderr(sys.stdout):
        app([name, *files], standalone_mode=False)

def held(truth):
    objects, scenes = json.loads((folder / truth).read_bytes()), list(load(folder / truth))
    rasterise([mask for scene in scenes for i in scene for mask in (i.amodal, i.inmodal)])

def above(work):
    read, write = os.pipe()
    if not (child := os.fork()):
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak until now
        before = kilobytes("VmRSS")
        work()
        os.write(write, str(kilobytes("VmHWM") - before).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    return 1024 * int(os.read(read, 100))

def all_of(truth, found):
    return {
        "validate": lambda: command("validate", truth),
        "stats": lambda: command("stats", truth, "--json"),
        "order": lambda: command("order", truth, "out.json"),
        "convert": lambda: command("convert", truth, "out.json", "--to", "kins2019"),
        "eval": lambda: command("eval", truth, found, "--json"),
        "held": lambda: held(truth),
    }

for work in all_of("tiny.json", "tiny-found.json").values():
    work()  # brings what is imported late
few, many = all_of("few.json", "few-found.json"), all_of("many.json", "many-found.json")
print(json.dumps({name: above(many[name]) - above(few[name]) for name in many}))
"""


def outlines(rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Of an object, and of its visible part."""
    angle = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    x, y, width, height = rng.uniform((100, 100, 200, 60), (WIDTH - 100, HEIGHT - 100, 400, 160))
    whole = np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], 1).round(2)
    return whole.ravel().tolist(), np.minimum(whole, (x + width / 2, HEIGHT)).round(2).ravel().tolist()


def write(folder: Path, name: str, images: int) -> None:
    rng = np.random.default_rng(0)
    scenes = []
    for number in range(images):
        instances = []
        for k in range(INSTANCES):
            amodal, inmodal = (Mask.from_segmentation([outline], HEIGHT, WIDTH) for outline in outlines(rng))
            instances.append(Instance(number * INSTANCES + k, 4, "car", amodal, inmodal, cluster=0, order=k, score=0.5))
        scenes.append(Scene(Image(number, f"{number}.png", HEIGHT, WIDTH), tuple(instances)))
    dataset = Dataset.from_scenes(scenes, {4: "car"})
    dataset.save(folder / f"{name}.json")
    dataset.save(folder / f"{name}-found.json", format="predictions")


@pytest.fixture(scope="module")
def growth(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """By command the peak memory for the larger file less that for the smaller one, a byte of what these differ by."""
    folder = tmp_path_factory.mktemp("memory")
    for name, images in {"tiny": 4, "few": FEW, "many": MANY}.items():
        write(folder, name, images)
    done = subprocess.run([sys.executable, "-c", MEASURE, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    peaks = json.loads(done.stdout.splitlines()[-1])

    def more(end: str) -> int:
        return (folder / f"many{end}").stat().st_size - (folder / f"few{end}").stat().st_size

    return {name: peak / (more(".json") + more("-found.json") * (name == "eval")) for name, peak in peaks.items()}


@pytest.mark.parametrize("command", ["validate", "stats", "order", "convert", "eval"])
def test_commands_hold_little_more_than_the_file(growth: dict[str, float], command: str) -> None:
    assert growth[command] < MOST, growth


def test_objects_and_scenes_that_are_held_would_be_noticed(growth: dict[str, float]) -> None:
    assert growth["held"] > 1.3 * MOST, growth
