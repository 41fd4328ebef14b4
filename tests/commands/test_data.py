"""The real command on good and bad input: exit codes, one line of what is wrong, no traceback, little memory."""

import json
import re
import resource
import shlex
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import typer

import kins
from kins.commands.cli import COMMANDS, app, main
from kins.demo.toys import write_shapes

MEMORY = 3 * 2**30


def run(*arguments, timeout=60):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    return subprocess.run(
        [sys.executable, "-m", "kins", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        preexec_fn=limit,
    )


def document(**fields):
    square = [[1, 1, 6, 1, 6, 6, 1, 6]]
    row = {"id": 1, "image_id": 1, "category_id": 4, "iscrowd": 0, "a_segm": square, "i_segm": square}
    row |= {"a_bbox": [1, 1, 5, 5], "i_bbox": [1, 1, 5, 5], "a_area": 25, "i_area": 25, "oco_id": 0, "ico_id": 0}
    image = {"id": 1, "file_name": "1.png", "height": 8, "width": 9}
    image |= {key: value for key, value in fields.items() if key in ("file_name", "height", "width")}
    row |= {key: value for key, value in fields.items() if key not in ("file_name", "height", "width")}
    return {"images": [image], "annotations": [row], "categories": [{"id": 4, "name": "car"}]}


BAD = {
    "truncated": json.dumps(document())[:-40],
    "empty": "",
    "not JSON": "\x89PNG\r\n\x1a\n\0\0",
    "a number": "17",
    "nested": "[" * 200_000,
    "1e9": document(a_segm=[[1e9, 0, 5, 0, 5, 5]]),
    "-1e9": document(a_segm=[[0, 0, -1e9, 0, 5, 5]]),
    "NaN": document(a_segm=[[float("nan"), 0, 5, 0, 5, 5]]),
    "infinite": document(a_segm=[[float("inf"), 0, 5, 0, 5, 5]]),
    "1e999": json.dumps(document()).replace("[[1, 1, 6", "[[1e999, 1, 6"),
    "RLE total": document(a_segm={"size": [8, 9], "counts": [5, 5]}),
    "RLE beyond": document(a_segm={"size": [8, 9], "counts": [5, 10**9]}),
    "RLE text total": document(a_segm={"size": [8, 9], "counts": "52"}),
    "RLE not ASCII": document(a_segm={"size": [8, 9], "counts": "é€"}),
    "RLE of another size": document(a_segm={"size": [9, 8], "counts": [72]}),
    "id as text": document(id="one"),
    "image id as text": document(image_id="1"),
    "negative size": document(height=-8),
    "no size": document(height=0),
    "huge": document(height=50_000, width=50_000, a_segm={"size": [50_000, 50_000], "counts": [2_500_000_000]}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(tmp_path, name, monkeypatch, capsys):
    content = BAD[name]
    path = tmp_path / "in.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(text.encode("latin-1" if name == "not JSON" else "utf-8"))
    done = run("convert", path, tmp_path / "out.json", "--to", "kins2020")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("kins: ")
    assert str(path) in done.stderr
    assert not (tmp_path / "out.json").exists()
    monkeypatch.setattr(sys, "argv", ["kins", "validate", str(path), "--json"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    assert json.loads(capsys.readouterr().out)["errors"] >= 1


def test_folders_and_missing_files(tmp_path):
    for path in (tmp_path, tmp_path / "missing.json"):
        done = run("convert", path, tmp_path / "out.json", "--to", "kins2019")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
    assert run("validate", tmp_path).returncode == 1
    assert run("validate", tmp_path / "missing.json").returncode == 2


def test_wrong_arguments(tmp_path):
    path = tmp_path / "in.json"
    path.write_text(json.dumps(document()))
    for arguments in (
        ("convert", path, tmp_path / "out.json", "--to", "kins2021"),
        ("convert", path, tmp_path / "out.json", "--to", "cocoa", "--from", "nothing"),
        ("convert", path),
        ("show", path, "--image", "9", "-o", tmp_path / "out.png"),
        ("show", path, "--image", "1", "-o", tmp_path / "out.txt"),
        ("show", path, "--image", "1", "-o", tmp_path / "out.png", "--what", "everything"),
        ("show", path, "--image", "1", "-o", tmp_path / "out.png", "--images", tmp_path / "missing"),
        ("validate", path, "--images", tmp_path / "missing"),
    ):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert "Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.json"]


@pytest.mark.parametrize("absolute", [False, True])
def test_names_that_lead_out_of_the_folder_are_never_opened(tmp_path, absolute):
    (tmp_path / "pictures").mkdir()
    PIL.Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / "secret.png")
    name = str(tmp_path / "secret.png") if absolute else "../secret.png"
    path = tmp_path / "in.json"
    path.write_text(json.dumps(document(file_name=name)))
    done = run("show", path, "--images", tmp_path / "pictures", "--image", "1", "-o", tmp_path / "out.png")
    assert done.returncode == 2
    assert "leads out of" in done.stderr
    assert not (tmp_path / "out.png").exists()
    done = run("validate", path, "--images", tmp_path / "pictures")
    assert done.returncode == 1
    assert "file-name-unsafe" in done.stdout
    assert "secret.png is" not in done.stdout


def test_validate_convert_show(tmp_path):
    write_shapes(tmp_path / "pictures", 3).save(tmp_path / "in.json")
    done = run("validate", tmp_path / "in.json", "--images", tmp_path / "pictures")
    assert done.returncode == 0, done.stdout
    assert "valid: 0 errors" in done.stdout
    done = run("convert", tmp_path / "in.json", tmp_path / "old.json", "--to", "kins2019")
    assert done.returncode == 0
    assert "not kept: occlusion cluster and order" in done.stderr
    done = run("convert", tmp_path / "old.json", tmp_path / "coco.json", "--to", "coco", "--as", "inmodal")
    assert "not kept: amodal mask" in done.stderr
    assert run("convert", tmp_path / "coco.json", tmp_path / "x.json", "--to", "kins2020").returncode == 2
    done = run("convert", tmp_path / "coco.json", tmp_path / "x.json", "--to", "kins2020", "--as", "inmodal")
    assert done.returncode == 0
    old, new = kins.load(tmp_path / "in.json"), kins.load(tmp_path / "x.json")
    for a, b in zip(old, new, strict=True):
        assert [i.inmodal for i in a] == [i.inmodal for i in b]
    picture = tmp_path / "out.png"
    done = run("show", tmp_path / "in.json", "--images", tmp_path / "pictures", "--image", "000001.png", "-o", picture)
    assert done.returncode == 0, done.stderr
    with PIL.Image.open(picture) as opened:
        assert opened.width == 1920


def test_validate_repairs(tmp_path):
    path, fixed = tmp_path / "in.json", tmp_path / "fixed.json"
    path.write_text(json.dumps(document(a_bbox=[0, 0, 900, 900])))
    done = run("validate", path, "--fix", fixed, "--json")
    assert done.returncode == 1
    assert [repair["place"] for repair in json.loads(done.stdout)["repairs"]] == ["annotations[0].a_bbox"]
    assert run("validate", fixed).returncode == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_and_a_sentence_for_each_option(name, monkeypatch, capsys):
    command = typer.main.get_command(app).commands[name]
    for parameter in command.params:
        text = parameter.help or ""
        assert text[:1].isupper() or text.startswith("-"), parameter.name
        assert text.endswith("."), parameter.name
        listed = name == "train" and parameter.name == "config"  # all that come with kins
        assert 10 < len(text) <= (900 if listed else 220), parameter.name
    monkeypatch.setattr(sys, "argv", ["kins", name, "--help"])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    assert f"Example: kins {name} " in " ".join(capsys.readouterr().out.split())


def test_examples_in_helps_are_usable():
    """Every option that an example names is one of the command's."""
    for name, function in COMMANDS.items():
        example = re.search(r"Example: (kins .*)", function.__doc__, re.DOTALL)[1]
        words = shlex.split(" ".join(example.split("\n\n")[0].split()))
        assert words[:2] == ["kins", name]
        known = {option for p in typer.main.get_command(app).commands[name].params for option in p.opts}
        assert {word for word in words if re.fullmatch("--?[a-z-]+", word)} <= known
