"""Pasting: the truth is what was done to the picture."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kins
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.files.pictures import read_picture
from kins.formats import save
from kins.records import Dataset
from kins.synth_occlude.datasets import synth_occlude
from kins.synth_occlude.paste import MIN_VISIBLE
from kins.validate import validate


@pytest.fixture(scope="module")
def modal(tmp_path_factory) -> Dataset:
    """Shapes that know their visible masks only, as COCO has them."""
    folder = tmp_path_factory.mktemp("modal")
    dataset = write_shapes(folder / "images", 12, (160, 240), seed=5)
    save(dataset, folder / "coco.json", "coco", "inmodal")
    return kins.load(folder / "coco.json", images=folder / "images", masks="inmodal")


@pytest.fixture(scope="module")
def pasted(modal, tmp_path_factory) -> Dataset:
    out = tmp_path_factory.mktemp("pasted") / "out"
    synth_occlude(modal, out, pastes=3, seed=1)
    return kins.load(out / "annotations.json", images=out / "images")


def test_masks_are_what_the_pastes_left(modal, pasted):
    added = hidden = 0
    for scene in pasted:
        before = modal[scene.image.extra["source"]]
        old, new = scene.instances[: len(before)], scene.instances[len(before) :]
        over = np.zeros((scene.image.height, scene.image.width), bool)
        for instance in reversed(new):  # later pastes lie over earlier ones
            np.testing.assert_array_equal(instance.inmodal.to_array(), instance.amodal.to_array() & ~over)
            over |= instance.amodal.to_array()
        for instance, source in zip(old, before, strict=True):
            assert instance.amodal == source.inmodal
            np.testing.assert_array_equal(instance.inmodal.to_array(), source.inmodal.to_array() & ~over)
        added += len(new)
        hidden += sum(i.occlusion_rate > 0 for i in scene)
    assert added > 12
    assert hidden >= added


def test_pixels_change_where_something_was_pasted_and_nowhere_else(modal, pasted):
    for scene in pasted:
        before = modal[scene.image.extra["source"]]
        over = np.zeros((scene.image.height, scene.image.width), bool)
        for instance in scene.instances[len(before) :]:
            over |= instance.amodal.to_array()
        changed = (scene.read_image() != before.read_image()).any(2)
        assert not (changed & ~over).any()
        if over.any():
            assert changed[over].mean() > 0.9


def test_order_is_that_of_the_pasting(modal, pasted):
    for scene in pasted:
        count = len(modal[scene.image.extra["source"]])
        order = scene.occlusion()
        assert not order.cycles
        assert [i.order for i in scene] == order.order.tolist()
        assert [i.cluster for i in scene] == order.clusters.tolist()
        for edge in order.edges:
            assert edge.occluder >= count
            assert edge.occluder > edge.occluded


def test_nothing_is_hidden_almost_entirely(pasted):
    for instance in (i for scene in pasted for i in scene):
        assert instance.inmodal.area >= MIN_VISIBLE * instance.amodal.area


def test_whole_truth_of_the_input_is_kept(tmp_path):
    dataset = write_shapes(tmp_path / "in", 4, (160, 240), seed=2)
    synth_occlude(dataset, tmp_path / "out", seed=3)
    result = kins.load(tmp_path / "out" / "annotations.json")
    for scene in result:
        for instance, source in zip(scene, dataset[scene.image.extra["source"]], strict=False):
            assert instance.amodal == source.amodal
            assert not instance.inmodal - source.inmodal


def test_same_seed_same_bytes_and_valid(modal, pasted, tmp_path):
    synth_occlude(modal, tmp_path / "again", pastes=3, seed=1)
    first, again = pasted.path.parent, tmp_path / "again"
    for file in (p for p in first.rglob("*") if p.is_file()):
        assert file.read_bytes() == (again / file.relative_to(first)).read_bytes()
    report = validate(again / "annotations.json", images=again / "images")
    assert not [p for p in report.problems if p.kind.severity != "info"], report.as_text()


def test_command(modal, tmp_path):
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "kins", *arguments], capture_output=True, text=True)

    out = tmp_path / "out"
    arguments = ["synth-occlude", str(modal.path), str(out), "--images", str(modal.images_dir)]
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert "12 pictures" in done.stdout
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    for bad in (arguments, [*arguments[:2], str(tmp_path / "other")]):  # the folder exists; no pictures
        done = command(*bad)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_pictures_of_another_size_are_an_error(modal, tmp_path):
    import PIL.Image

    for image in modal.images.values():
        PIL.Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / image.file_name)
    wrong = kins.load(modal.path, images=tmp_path, masks="inmodal")
    with pytest.raises(KinsError, match="annotat"):
        synth_occlude(wrong, tmp_path / "out")
    assert not Path(tmp_path / "out" / "annotations.json").exists()


def test_nothing_to_cut_out_is_an_error(modal, tmp_path):
    small = modal.filter(lambda instance: instance.inmodal.area < 50)
    with pytest.raises(KinsError, match="nothing to paste"):
        synth_occlude(small, tmp_path / "out")


def test_real_photographs(samples, tmp_path):
    """Real photographs: three pictures of COCOA, read as modal data."""
    parts = [kins.load(samples / f"{k}.json", images=samples) for k in (1, 2, 4)]
    dataset = parts[0].merge(parts[1]).merge(parts[2])
    result = synth_occlude(dataset, tmp_path / "out", pastes=4)
    assert sum(len(s) for s in result) > sum(len(s) for s in dataset)
    for scene in result:
        assert read_picture(tmp_path / "out" / "images" / scene.image.file_name).shape[:2] == (
            scene.image.height,
            scene.image.width,
        )
