"""The simple pictures have exact truth."""

import numpy as np

from kins.demo.toys import write_shapes


def test_shapes_are_exact_and_repeatable(tmp_path):
    few, more = write_shapes(tmp_path / "few", 2, seed=3), write_shapes(tmp_path / "more", 3, seed=3)
    for scene, again in zip(few, more, strict=False):
        assert (scene.read_image() == again.read_image()).all()
        assert [(i.id, i.category_id, i.order, i.amodal, i.inmodal) for i in scene] == [
            (i.id, i.category_id, i.order, i.amodal, i.inmodal) for i in again
        ]
        assert len(scene) >= 3
        assert np.sum([i.inmodal.to_array() for i in scene], axis=0).max() == 1
        assert all((i.inmodal & i.amodal) == i.inmodal for i in scene)
        for near in scene:
            for far in scene:
                if near.order < far.order:
                    assert not (far.inmodal & near.amodal)
    assert len({i.id for scene in more for i in scene}) == sum(map(len, more))
