"""The occlusion graph as SVG, and arrows on pictures."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests import helpers
from typer.testing import CliRunner

import kins
from kins.commands.cli import app
from kins.draw.graph import draw_arrows, graph_svg
from kins.draw.graph_layout import CAPTION, NODE_HEIGHT, NODE_WIDTH, layout
from kins.draw.scene import colors_of, draw
from kins.masks import Mask
from kins.records import Dataset, Image, Instance, Scene

box = functools.partial(helpers.box, shape=(200, 300))
SVG = "{http://www.w3.org/2000/svg}"


def make_scene(masks: list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]) -> Scene:
    instances = tuple(
        Instance(k, 1, "<car> & co", Mask.from_array(amodal), Mask.from_array(inmodal))
        for k, (amodal, inmodal) in enumerate(masks, 1)
    )
    return Scene(Image(1, "a.png", 200, 300), instances)


def row_of_cars(count: int) -> Scene:
    """Each car hides part of the next, and of the one after that."""
    masks, taken = [], box(0, 0, 0, 0)
    for k in range(count):
        car = box(20 * k, 60, 60, 60)
        masks.append((car, car & ~taken))
        taken = taken | box(20 * k, 60, 60, 60 - 12 * (k % 3))
    return make_scene(masks)


def flaps() -> Scene:
    """A cycle of three, and two bars that hide parts of each other."""
    leaves = [box(40, 20, 150, 60), box(140, 20, 50, 150), box(40, 20, 45, 150) | box(40, 110, 150, 60)]
    beam, post, corner = box(200, 60, 90, 40), box(230, 20, 30, 160), box(230, 60, 30, 12)
    masks = [(leaf, leaf & ~leaves[k - 1]) for k, leaf in enumerate(leaves)]
    return make_scene([*masks, (beam, beam & ~(post & ~corner)), (post, post & ~corner)])


def test_svg_has_a_node_for_each_instance_and_an_arrow_for_each_edge() -> None:
    for scene in (row_of_cars(6), flaps(), make_scene([])):
        relations = scene.occlusion()
        root = ElementTree.fromstring(graph_svg(scene, colors_of(scene)))
        assert len(root.findall(f"{SVG}g")) == len(scene)
        assert len(root.findall(f"{SVG}g/{SVG}image")) == len(scene)
        paths = [path for path in root.findall(f"{SVG}path") if path.get("marker-end")]
        assert len(paths) == len(relations.edges)
        text = "".join(root.itertext())
        assert ("<car> & co" in text) == bool(len(scene))
        for edge in relations.edges:
            assert f"{edge.pixels} px" in text


def test_weaker_direction_and_broken_cycle_look_different() -> None:
    root = ElementTree.fromstring(graph_svg(flaps(), colors_of(flaps())))
    markers = sorted(path.get("marker-end", "") for path in root.findall(f"{SVG}path"))
    assert markers == ["url(#grey)", "url(#ink)", "url(#ink)", "url(#ink)", "url(#red)"]


@pytest.mark.parametrize("count", [2, 5, 9])
def test_nodes_do_not_cover_each_other_and_stay_in_the_picture(count: int) -> None:
    relations = row_of_cars(count).occlusion()
    corners, _, (width, height) = layout(relations)
    assert len(set(corners)) == count
    for k, (x, y) in enumerate(corners):
        assert x >= 0
        assert y >= 0
        assert x + NODE_WIDTH <= width
        assert y + NODE_HEIGHT + CAPTION <= height
        for other_x, other_y in corners[:k]:
            assert abs(x - other_x) >= NODE_WIDTH or abs(y - other_y) >= NODE_HEIGHT + CAPTION
    columns = [x for x, _ in corners]
    assert all((columns[a] < columns[b]) == (relations.order[a] < relations.order[b]) for a, b, _ in relations.edges)


def test_arrows_start_on_the_occluder_and_end_on_what_it_hides() -> None:
    scene = row_of_cars(2)
    canvas = np.full((200, 300, 3), 90, np.uint8)
    palette = [(255, 0, 0), (0, 0, 255)]
    drawn = draw_arrows(canvas, scene, palette, 1.0)
    red = (drawn == palette[0]).all(2)
    assert not (drawn == palette[1]).all(2).any()
    assert (red & scene[0].inmodal.to_array()).any()
    assert (red & scene[1].inmodal.to_array()).any()
    assert (canvas == 90).all()


def test_arrows_only_where_somebody_hides_somebody() -> None:
    scene = make_scene([(box(0, 0, 50, 50),) * 2, (box(100, 100, 50, 50),) * 2])
    assert (draw(scene, ["order"], arrows=True) == draw(scene, ["order"])).all()


def test_show_writes_graph_and_arrows(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    Dataset.from_scenes([row_of_cars(4)], {1: "<car> & co"}).save(path)
    graph, picture = tmp_path / "graph.svg", tmp_path / "picture.png"
    arguments = ["show", str(path), "--image", "1", "--graph", str(graph), "--what", "order", "-o", str(picture)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    ElementTree.parse(graph)
    scene = kins.occlusion.with_order(kins.load(path)[1])
    assert (kins.files.pictures.read_picture(picture) == draw(scene, ["order"], arrows=True)).all()


def test_what_can_not_be_drawn(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    Dataset.from_scenes([row_of_cars(2)], {1: "car"}).save(path)
    for arguments, message in (
        ([], "nothing to write"),
        (["--graph", str(tmp_path / "a.png")], "end the name with .svg"),
    ):
        result = CliRunner().invoke(app, ["show", str(path), "--image", "1", *arguments])
        assert message in str(result.exception)
    blind = row_of_cars(2)
    blind = blind.replace(instances=tuple(i.replace(inmodal=None) for i in blind))
    with pytest.raises(kins.KinsError, match="needs both masks"):
        graph_svg(blind, colors_of(blind))
