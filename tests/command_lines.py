"""The command lines of the documentation: how tests run them on little data, and which are not run, and why."""

import dataclasses
import re
import shlex
from pathlib import Path

import typer
import typer.main

from kins.commands.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PIECES = re.compile(r"^```(\w*)\n(.*?)^```$|^ {4}([^\n]*)$|`([^`]+)`", re.DOTALL | re.MULTILINE)
"""A block, an indented line, code in a sentence."""
CALL = re.compile(r"(?:^|-m |[A-Z_]+=\S+ |nice -n \d+ )\bkins ([a-z].*)")

PROGRAM = typer.main.get_command(app)
UsageError = typer.BadParameter.__base__  # typer has a click of its own

PLACES = {"/shared/": "shared/", "/tmp/": "tmp/", "RUN...": "runs/asn"}
"""Where a test has what a line names: below its own folder."""
DROPPED = ("--ray", "--workers", "--device", "--certificate", "--key")
"""Options that need other machines, a GPU or a certificate: the lines run without them."""
FEWER = {"--train": "1", "--test": "1", "--size": "192x64", "--quality": "fast"}
"""Of `kins synth`; counts stay 0 where they are. With `--variety` two are made: every eighth such street is empty."""
TINY = [
    *("train.steps=1", "train.minutes=null", "train.batch=2", "train.device=cpu", "train.precision=32"),
    "data.workers=0",
]
DETECTOR = [
    *("model.backbone=tiny", "model.weights=null", "model.channels=16", "model.head_channels=16", "model.hidden=32"),
    *("model.regions=16", "data.short_side=64", "data.long_side=96"),
]
NETWORKS = {
    "completion": ["model.channels=8"],
    "completion_rgb": ["model.channels=8", "model.backbone=tiny", "model.weights=null", "model.window=32"],
    "pcnet": ["model.channels=8", "model.window=32"],
    "ordernet": ["model.window=32"],
}
"""Appended to the line of a training, after TINY; DETECTOR where a configuration is none of these."""
BEFORE = {
    "kins eval TRUTH whole.json --completion": "complete test.json -o whole.json --with convex",
}
"""What is run before a line that goes on from something else."""
FOLLOWS = {"evaluation": "view"}
"""A page that goes on, in the same folder, from what the lines of another one made."""
LISTED = {
    "torchrun ": "several processes or nodes: tests/train/test_processes.py, tests/train/test_nodes.py",
    "srun ": "a SLURM cluster",
    "kins annotate DIR --database postgresql": "a PostgreSQL server",
    "kins export ": "takes long: tests/models/test_export.py",
    "kins demo --shapes": "takes long: tests/demo/test_run.py",
    "kins predict coco PHOTOS": "fetches weights: tests/test_readme.py has what it says without a network",
    "kins predict RUN IMAGES...": "a pattern",
    "kins train street --init street ...": "a pattern",
    "kins eval TRUTH PRED --protocol NAME": "a pattern",
    "kins view TRUTH PRED --report DIR": "a pattern",
    "kins synth NAME.parquet": "a pattern",
    "kins train completion": "a name in a sentence",
    "kins train pcnet": "a name in a sentence",
}
"""Lines that are parsed and not run, by how they begin, and why; names in sentences are meant as a whole."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A line as it stands, and its words after `kins`.

    `inline` if it is part of a sentence; `shell` if in a block that is marked as the shell's.
    """

    page: Path
    text: str
    words: list[str]
    inline: bool
    shell: bool

    @property
    def mention(self) -> bool:
        """Whether a sentence only names a command, or an option of it: something that it needs is left out."""
        if not self.inline or len(self.words) == 1:
            return self.inline
        try:
            parse(self.words)
        except UsageError as error:
            return type(error).__name__ == "MissingParameter" or "requires an argument" in error.format_message()
        return False

    @property
    def why_not(self) -> str | None:
        """Why it is listed; None if it isn't."""
        for start, reason in LISTED.items():
            if self.text.startswith(start) and (reason != "a name in a sentence" or self.text == start):
                return reason
        return None

    @property
    def runs_elsewhere(self) -> bool:
        """tests/test_readme.py runs the blocks of the README and of the guides."""
        return self.shell and (self.page.stem == "README" or self.page.parent.name == "guides")

    @property
    def environment(self) -> dict[str, str]:
        """Variables that it sets."""
        return dict(re.findall(r"^([A-Z_]+)=(\S+) ", self.text))

    def smaller(self) -> list[str]:
        """Its words for a test: places below the test's folder, few pictures, short trainings, any port."""
        words = list(self.words)
        for option in DROPPED:
            if option in words:
                at = words.index(option)
                del words[at : at + 2]
        for place, here in PLACES.items():
            words = [here + word.removeprefix(place) if word.startswith(place) else word for word in words]
        if words[0] == "synth":
            given = dict(zip(words[2::2], words[3::2], strict=True))
            none = {name: "0" for name in ("--train", "--test") if given.get(name, "0") == "0"}
            more = {"--train": "2"} if "--variety" in given else {}
            words = [*words[:2], *(word for pair in (given | FEWER | more | none).items() for word in pair)]
            words += [] if words[1].endswith(".parquet") else ["--workers", "1"]
        if words[0] == "train":
            words += [*TINY, *NETWORKS.get(words[1], DETECTOR)]
        if words[0] == "view" or (words[0] == "annotate" and words[1] not in ("user", "rebuild")):
            words += ["--port", "0", "--no-browser"]
        return words


def lines(page: Path) -> list[Line]:
    """The lines of a page that call kins, as they follow: blocks of the shell, indented lines, code in sentences."""
    found = []
    for language, block, indented, inline in PIECES.findall(page.read_text().replace("\\\n", " ")):
        if language not in ("", "sh"):
            continue
        for line in [" ".join(inline.split())] if inline else (block or indented).splitlines():
            if call := CALL.search(line):
                words = shlex.split(call[1].rstrip("'"), comments=True)
                found.append(Line(page, line, words, bool(inline), language == "sh"))
    return found


def parse(words: list[str]) -> None:
    """Take a line as the program does, and run nothing. Raises what it says of a line that it can't take."""
    command = PROGRAM
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command, *words = command.commands[words[0]], *words[1:]
    assert not hasattr(command, "commands"), f"no such command: {words}"
    command.make_context(command.name, list(words))
