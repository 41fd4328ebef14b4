"""Whole sets: the same bytes however they are made, and nothing overwritten."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.helpers import running, wait_for

import kins
from kins.errors import KinsError
from kins.files import only_one
from kins.streets import Settings, generate
from kins.validate import validate

SETTINGS = Settings(seed=1, width=192, height=64, quality="fast")
COUNTS = {"training": 4, "testing": 2}
COMMAND = ["synth", "--train", "4", "--test", "2", "--seed", "1", "--size", "192x64", "--quality", "fast"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def kins_command(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "kins", *arguments], capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "streets"
    generate(out, COUNTS, SETTINGS, workers=1)
    return out


def test_the_folders_are_kittis(made):
    names = set(files(made))
    expected = {"streets.json", "train.json", "test.json"}
    for split, count in COUNTS.items():
        for k in range(count):
            expected |= {f"{split}/image_2/{k:06d}.png", f"{split}/label_2/{k:06d}.txt", f"{split}/calib/{k:06d}.txt"}
    assert names == expected
    with Image.open(made / "training/image_2/000000.png") as picture:
        assert picture.size == (192, 64)
        assert picture.mode == "RGB"


def test_workers_do_not_change_a_byte(made, tmp_path):
    done = kins_command(*COMMAND, str(tmp_path / "out"), "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "out") == files(made)


def test_a_picture_does_not_depend_on_how_many_are_made(made, tmp_path):
    out = tmp_path / "out"
    generate(out, {"training": 1, "testing": 0}, SETTINGS, workers=1)
    few, many = files(out), files(made)
    for name in few:
        if name.startswith("training/"):
            assert few[name] == many[name]
    first = json.loads(few["train.json"])["annotations"]
    assert first == [a for a in json.loads(many["train.json"])["annotations"] if a["image_id"] == 0]
    generate(out, COUNTS, SETTINGS, workers=1)  # a finished set can grow
    assert files(out) == many


def test_files_that_were_deleted_are_made_again(made, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made, out)
    (out / "training/image_2/000001.png").unlink()
    (out / "testing/calib/000000.txt").unlink()
    generate(out, COUNTS, SETTINGS, workers=1)
    assert files(out) == files(made)


def test_killed_and_started_again_gives_the_same_bytes(made, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "kins", *COMMAND, str(out), "--workers", "1"], start_new_session=True
    )
    while process.poll() is None and not list(out.glob(".parts/training/*.json")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "train.json").exists()
    assert kins_command(*COMMAND, str(out), "--workers", "1").returncode == 0
    assert files(out) == files(made)


def test_workers_that_lose_their_parent_end_and_the_run_goes_on(made, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-m", "kins", *COMMAND, str(out), "--workers", "2"])
    while process.poll() is None and not list(out.glob(".parts/training/*.json")):
        time.sleep(0.01)
    workers = [int(n) for n in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    assert len(workers) >= 2
    process.kill()
    process.wait()
    assert wait_for(lambda: not any(map(running, workers)))
    assert kins_command(*COMMAND, str(out), "--workers", "1").returncode == 0
    assert files(out) == files(made)


def killed_at_rename(number: int, out: Path) -> None:
    """The command, ended as by SIGKILL when it is about to give its number-th file its name."""
    script = f"""if True:
        import os, signal, sys
        from kins.commands.cli import main
        rename, left = os.replace, iter(range({number} - 1))
        def replace(*arguments):
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            rename(*arguments)
        os.replace = replace
        sys.argv[0] = "kins"
        main()
        """
    command = [sys.executable, "-c", script, *COMMAND, str(out), "--workers", "1"]
    assert subprocess.run(command).returncode == -signal.SIGKILL


@pytest.mark.parametrize("number", [1, 2, 3, 5, 27])
def test_nothing_of_a_process_that_was_killed_while_writing_stays(made, tmp_path, number):
    out = tmp_path / "out"
    killed_at_rename(number, out)
    assert len([name for name in files(out) if name not in files(made) and ".parts" not in name]) == (number != 5)
    generate(out, COUNTS, SETTINGS, workers=1)
    assert files(out) == files(made)


def test_hidden_files_that_are_no_leftovers_are_left_alone(tmp_path):
    (tmp_path / ".streets.mine.json").write_text("mine")
    with pytest.raises(KinsError, match="holds other files"):
        generate(tmp_path, COUNTS, SETTINGS)
    assert files(tmp_path) == {".streets.mine.json": b"mine"}


def test_two_do_not_write_in_one_folder(made, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made, out)
    with only_one(out, "streets.json"):
        done = kins_command(*COMMAND, str(out))
    assert done.returncode == 2
    assert done.stderr == f"kins: {out}: another kins synth is writing there; wait for it, or choose another folder\n"
    assert files(out) == files(made)


def test_a_folder_with_other_settings_is_left_alone(made):
    before = files(made)
    for changed in (
        ["--seed", "2"],
        ["--size", "200x64"],
        ["--quality", "normal"],
        ["--variety", "wide"],
        ["--train", "3"],
    ):
        done = kins_command(*COMMAND, str(made), *changed)
        assert done.returncode == 2, changed
        assert done.stderr.startswith("kins: ")
        assert done.stderr.count("\n") == 1
    assert files(made) == before


def test_a_folder_from_before_varieties_goes_on(made, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made, out)
    settings = json.loads((out / "streets.json").read_text())
    assert settings.pop("variety") == "usual"
    (out / "streets.json").write_text(json.dumps(settings))
    generate(out, COUNTS, SETTINGS, workers=1)
    with pytest.raises(KinsError, match="another variety"):
        generate(out, COUNTS, replace(SETTINGS, variety="wide"))


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(KinsError, match="holds other files"):
        generate(tmp_path, COUNTS, SETTINGS)
    assert files(tmp_path) == {"thesis.txt": b"mine"}


def test_a_full_disk_is_a_clear_error_and_the_run_goes_on_later(made, tmp_path):
    out = tmp_path / "out"

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    done = kins_command(*COMMAND, str(out), "--workers", "1", preexec_fn=little_room)
    assert done.returncode == 2
    assert "can't be written" in done.stderr
    assert done.stderr.count("\n") == 1
    assert set(files(out)) <= set(files(made))
    assert all(content == files(made)[name] for name, content in files(out).items())
    assert kins_command(*COMMAND, str(out), "--workers", "1").returncode == 0
    assert files(out) == files(made)


@pytest.mark.parametrize(("name", "folder"), [("train.json", "training"), ("test.json", "testing")])
def test_output_is_valid_without_a_warning(made, name, folder):
    report = validate(made / name, images=made / folder / "image_2")
    assert report.valid
    assert not [p for p in report.problems if p.kind.severity in ("error", "warning")], report.as_text()


def test_output_loads_with_the_order_that_kins_order_derives(made):
    dataset = kins.load(made / "train.json", images=made / "training" / "image_2")
    assert len(dataset) == 4
    for scene in dataset:
        assert scene.read_image().shape == (64, 192, 3)
        order = scene.occlusion()
        assert [i.cluster for i in scene] == order.clusters.tolist()
        assert [i.order for i in scene] == order.order.tolist()


@pytest.mark.parametrize(
    "bad",
    [
        ["--size", "12"],
        ["--size", "1x1"],
        ["--size", "99999x99999"],
        ["--quality", "best"],
        ["--train", "0", "--test", "0"],
    ],
)
def test_bad_arguments_are_one_line(tmp_path, bad):
    done = kins_command(*COMMAND, str(tmp_path / "out"), *bad)
    assert done.returncode == 2
    assert not (tmp_path / "out").exists()


def test_path_traced_pictures_repeat_and_share_the_annotations():
    from dataclasses import replace

    from kins.streets import make_picture

    fast = make_picture(SETTINGS, "testing", 1)
    first, second = (make_picture(replace(SETTINGS, quality="normal"), "testing", 1) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert first.scene == fast.scene
    assert first.labels == fast.labels
    # Both renderers show the same things in the same places.
    gray = [p.pixels.mean(2).ravel() for p in (fast, first)]
    assert np.corrcoef(gray)[0, 1] > 0.8
