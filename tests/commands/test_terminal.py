"""What commands print: nothing that a terminal would act on, one line for what goes wrong, no traceback."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.helpers import SMALL, running, wait_for

from kins.commands.cli import main
from kins.demo.toys import write_shapes
from kins.files.terminal import shown

HOSTILE = [
    "[/foo]x",
    "[red]b[/]",
    "[link=https://example.org]here",
    ":smile:",
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b2J",
    "a\u202egnp.exe",
    "two\nlines\r\n",
    "\u2028line",
    "\x00\x08\x7f",
]


@pytest.fixture
def kins(tmp_path, monkeypatch, capfd):
    """Runs a command in a folder; returns its exit code and all that it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["kins", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capfd.readouterr()
        return stopped.value.code or 0, printed.out, printed.err

    return run


def hostile_set(names):
    """Two images of shapes whose categories and files have these names; returns the number of images."""
    shapes = write_shapes("shapes", 2, (64, 96))
    content = json.loads(json.dumps(json.loads(Path(save(shapes)).read_text())))
    content["categories"] = [{"id": k, "name": name} for k, name in enumerate(names, 1)]
    for k, annotation in enumerate(content["annotations"]):
        annotation["category_id"] = 1 + k % len(names)
    Path("pictures").mkdir()
    for image, name in zip(content["images"], [*names, *names], strict=False):
        old, image["file_name"] = image["file_name"], f"{name}.png".replace("/", "").replace("\0", "")
        Path("pictures", image["file_name"]).write_bytes(Path("shapes", old).read_bytes())
    Path("set.json").write_text(json.dumps(content))
    keys = ("image_id", "category_id", "a_segm", "a_bbox", "i_segm", "i_bbox")
    rows = [{key: row[key] for key in keys} | {"score": 0.9} for row in content["annotations"]]
    Path("pred.json").write_text(json.dumps(rows))


def save(dataset):
    dataset.save("plain.json")
    return "plain.json"


def safe(text):
    """Whether a terminal only prints it."""
    return not [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


COMMANDS = [
    ["validate", "set.json", "--images", "pictures"],
    ["stats", "set.json"],
    ["agree", "set.json", "set.json"],
    ["eval", "set.json", "pred.json", "--per-class"],
    ["eval", "set.json", "pred.json", "--report", "report", "--images", "pictures"],
    ["show", "set.json", "--images", "pictures", "--image", "0", "-o", "out.png", "--graph", "out.svg"],
    ["show", "set.json", "--images", "pictures", "--image", "none", "-o", "out.png"],
    ["order", "set.json", "out.json"],
    ["convert", "set.json", "out.json", "--to", "cocoa"],
    ["convert", "set.json", "out.json", "--to", "kins2019"],
    ["convert", "set.json", "out", "--to", "labelme", "--images", "pictures"],
    ["convert", "set.json", "out.xml", "--to", "cvat", "--images", "pictures"],
    ["doctor", "."],
    ["doctor", ".", "--coco-names"],
    ["convert", "set.json", "out.json", "--to", "kins2020", "--coco-names"],
    ["data", "split", "set.json", "one.json", "two.json", "--shares", "1,1"],
    ["data", "merge", "set.json", "set.json", "-o", "out.json"],
    ["data", "filter", "set.json", "out.json", "--category", "none"],
    [
        "train",
        "tiny",
        "--data",
        ".",
        "--out",
        "run",
        "data.train=set.json",
        "data.train_images=pictures",
        *SMALL,
        "train.steps=1",
    ],
    ["synth-occlude", "set.json", "out", "--images", "pictures"],
    ["complete", "set.json", "-o", "out.json", "--images", "pictures", "--show", "drawn"],
    ["predict", "street", "pictures", "-o", "out.json", "--annotations", "set.json"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: " ".join(arguments))
def test_names_from_files_are_harmless(kins, arguments):
    for names in (HOSTILE, HOSTILE[4:7], HOSTILE[7:9]):
        hostile_set(names)
        code, out, err = kins(*arguments)
        assert code in (0, 1, 2), err
        assert safe(out + err)
        assert "\nlines" not in out + err
        assert code != 2 or err.count("\n") == 1
        for folder in ("pictures", "shapes"):
            for path in Path(folder).iterdir():
                path.unlink()
            Path(folder).rmdir()


def test_tables_print_names_as_they_are(kins):
    hostile_set(HOSTILE[:4])
    for command in (["stats", "set.json"], ["eval", "set.json", "pred.json", "--per-class"]):
        code, out, _ = kins(*command)
        assert code == 0
        assert all(name in out for name in HOSTILE[:4])
    os.rename("set.json", "[bold]a.json")
    os.rename("pred.json", "[x]\x1b[1m.json")
    assert "[bold]a" in kins("stats", "[bold]a.json")[1]
    out = kins("eval", "[bold]a.json", "[x]\x1b[1m.json")[1]
    assert r"[x]\x1b[1m.json: 2 images" in out
    Path("other.json").write_bytes(Path("[bold]a.json").read_bytes())
    assert "[bold]a" in kins("agree", "[bold]a.json", "other.json")[1]


def test_what_is_shown_is_one_printable_line():
    assert shown("a\x1b[0m\n\u202e\u200b\x85") == r"a\x1b[0m\n\u202e\u200b\x85"
    assert shown("Straße 道路 🚗 نمی‌خواهم") == "Straße 道路 🚗 نمی‌خواهم"
    assert shown(os.fsdecode(b"\xff.png")) == r"\udcff.png"
    assert shown(3) == "3"


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "kins", *map(str, arguments)], stderr=subprocess.PIPE, text=True, timeout=120, **options
    )


def test_a_picture_of_the_only_image(kins):
    write_shapes("one", 1, (64, 96)).save("one.json")
    assert kins("show", "one.json", "--images", "one", "-o", "one.png")[0] == 0
    assert Path("one.png").is_file()
    write_shapes("two", 2, (64, 96)).save("two.json")
    code, _, err = kins("show", "two.json", "-o", "two.png")
    assert (code, err.count("\n")) == (2, 1)
    assert "has 2 images; name one with --image" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_output_that_can_not_be_written(tmp_path):
    write_shapes(tmp_path / "shapes", 2, (64, 96)).save(tmp_path / "set.json")
    for arguments in (["stats", "--no-shapes"], ["validate"], ["stats", "--json"]):
        with open("/dev/full", "w") as full:
            done = command(arguments[0], tmp_path / "set.json", *arguments[1:], stdout=full)
        assert (done.returncode, done.stderr) == (2, "kins: the output: No space left on device\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = command("stats", tmp_path / "set.json", "--json", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")
    done = command("--version", stdout=None, preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, "")


def test_text_that_the_terminal_can_not_spell(tmp_path):
    write_shapes(tmp_path / "shapes", 2, (64, 96)).save(tmp_path / "set.json")
    content = (tmp_path / "set.json").read_text().replace('"disc"', '"Straße"')
    (tmp_path / "Straße.json").write_text(content)
    for setting in ({"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0"}):
        for name in ("stats", "validate"):
            done = command(name, tmp_path / "Straße.json", stdout=subprocess.PIPE, env={**os.environ, **setting})
            assert (done.returncode, done.stderr) == (0, "")
            assert re.search(r"Stra(ß|\\xdf|\\udcc3\\udc9f)e", done.stdout)
        done = command(name, tmp_path / "Ü.json", stdout=subprocess.PIPE, env={**os.environ, **setting})
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


FAULT = """
import sys
import kins.formats
def load(*arguments, **options):
    raise RuntimeError("first\\nsecond \\x1b[31m")
kins.formats.load = load
from kins.commands.cli import main
main()
"""


def test_a_fault_of_kins_is_one_line_and_a_file(tmp_path):
    arguments = [sys.executable, "-c", FAULT, "stats", "some.json"]
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=60, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert safe(done.stderr)
    (path,) = tmp_path.iterdir()
    assert f"please report it with the file {path}" in done.stderr
    assert "RuntimeError: first" in path.read_text()
    assert "in load" in path.read_text()
    full = {**os.environ, "TMPDIR": str(tmp_path / "missing"), "PATH": ""}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=full)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)


def test_unusable_memory_is_no_fault(tmp_path):
    script = FAULT.replace("RuntimeError", "MemoryError")
    done = subprocess.run([sys.executable, "-c", script, "stats", "x"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "not enough memory" in done.stderr


TRAIN = ["train", "tiny", "--data", "data", "--out", "run", "data.workers=2", "data.short_side=64", "train.device=cpu"]
SYNTH = ["synth", "out", "--train", "40", "--size", "320x96", "--quality", "fast", "--workers", "2"]


@pytest.mark.skipif(sys.platform != "linux", reason="children are counted in /proc")
@pytest.mark.parametrize(("arguments", "begun"), [(TRAIN, "run/config.json"), (SYNTH, "out/.parts/training/*.json")])
def test_ctrl_c_is_one_line_and_leaves_no_process(tmp_path, arguments, begun):
    write_shapes(tmp_path / "data/training/image_2", 4, (64, 96)).save(tmp_path / "data/train.json")
    process = subprocess.Popen(
        [sys.executable, "-m", "kins", *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def children():
        tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
        return [int(number) for path in tasks for number in path.read_text().split()]

    while process.poll() is None and (len(workers := children()) < 2 or not list(tmp_path.glob(begun))):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error.count("\n")) == (130, 1), error
    assert error.startswith("kins: stopped; ")
    assert wait_for(lambda: not any(map(running, workers)))


def test_the_module_is_the_command():
    done = command("show", stdout=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == "kins: Missing argument 'ANN'. (see python -m kins show --help)\n"
    assert command("--help", stdout=subprocess.PIPE).stdout.startswith("Usage: python -m kins")


def test_drawings_and_pages_hold_hostile_names(kins):
    hostile_set([*HOSTILE, "$\\frac{$", "<script>&amp;"])
    assert kins("stats", "set.json", "--no-shapes", "--plots", "out")[0] == 0
    assert kins("show", "set.json", "--image", "0", "--graph", "out/graph.svg")[0] == 0
    assert kins("eval", "set.json", "pred.json", "--report", "out/report", "--images", "pictures")[0] == 0
    assert all(safe(page.read_text()) for page in Path("out").rglob("*.html"))
    pictures = list(Path("out").rglob("*.svg"))
    assert all(safe(picture.read_text()) for picture in pictures)
    assert len(pictures) > 8
    for path in pictures:
        ET.parse(path)
    assert "<script>&" not in Path("out/report/index.html").read_text()


def test_ctrl_c_while_libraries_are_imported_is_quiet(tmp_path):
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    command = [sys.executable, "-m", "kins", "--help"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
