"""The rules by which both masks follow from what was drawn, against NumPy on whole arrays."""

import json

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kins

HEIGHT, WIDTH = 10, 12
BOX = st.tuples(st.integers(0, 10), st.integers(0, 8), st.integers(1, 9), st.integers(1, 9))
RING = st.fixed_dictionaries(
    {
        "category": st.sampled_from(["car", "van", "occluder", "__background__"]),
        "group": st.integers(0, 3),
        "layer": st.integers(1, 9),
        "box": BOX,
        "visible": st.integers(0, 4).map(lambda number: number == 0),
    }
)


def drawn(ring):
    x, y, width, height = ring["box"]
    array = np.zeros((HEIGHT, WIDTH), bool)
    array[y : y + height, x : x + width] = True
    return array


def expected(rings):
    """Masks of each object by its key, drawn from the rules."""
    parts = {k: (ring, drawn(ring)) for k, ring in enumerate(rings) if ring["category"] != "__background__"}
    keys = {k: (r["category"], r["group"]) if r["group"] else k for k, (r, _) in parts.items()}
    arrays = {k: array.copy() for k, (_, array) in parts.items()}
    for hole in (ring for ring in rings if ring["category"] == "__background__"):
        area = drawn(hole)
        lower = [k for k, (r, _) in parts.items() if r["layer"] < hole["layer"] and r["visible"] == hole["visible"]]
        for k in sorted(lower, key=lambda k: (-rings[k]["layer"], -k)):
            if 2 * (parts[k][1] & area).sum() >= area.sum():
                arrays[k] &= ~area
                if not hole["visible"]:
                    for j in parts:
                        if keys[j] == keys[k] and rings[j]["visible"] and rings[j]["layer"] < hole["layer"]:
                            arrays[j] &= ~area
                break
    found = {}
    objects = list(dict.fromkeys(keys.values()))
    members = {key: [k for k in parts if keys[k] == key] for key in objects}
    whole = {key: [k for k in members[key] if not rings[k]["visible"]] or members[key] for key in objects}
    for key in objects:
        if rings[members[key][0]]["category"] == "occluder":
            continue
        seen = [k for k in members[key] if rings[k]["visible"]]
        amodal = np.any([arrays[k] for k in whole[key]], axis=0)
        inmodal = np.zeros_like(amodal)
        for k in whole[key]:
            over = [j for o in objects if o != key for j in whole[o] if rings[j]["layer"] > rings[k]["layer"]]
            inmodal |= arrays[k] & ~np.any([np.zeros_like(amodal), *(arrays[j] for j in over)], axis=0)
        if seen:
            inmodal = np.any([arrays[k] for k in seen], axis=0)
        found[key] = amodal, inmodal, max(rings[k]["layer"] for k in whole[key])
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(rings=st.lists(RING, max_size=9))
def test_masks_follow_from_the_rules(tmp_path, rings):
    rows = []
    for ring in rings:
        x, y, width, height = ring["box"]
        points = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
        note = "visible" if ring["visible"] else ""
        rows.append({**{k: ring[k] for k in ("category", "group", "layer")}, "segmentation": points, "note": note})
    info = {"description": "ISAT", "name": "a.jpg", "width": WIDTH, "height": HEIGHT}
    (tmp_path / "a.json").write_text(json.dumps({"info": info, "objects": rows}))
    (scene,) = kins.load(tmp_path / "a.json", masks="amodal")
    wanted = expected(rings)
    assert len(scene) == len(wanted)
    for instance, (amodal, inmodal, _) in zip(scene, wanted.values(), strict=True):
        assert (instance.amodal.to_array() == amodal).all()
        assert (instance.inmodal.to_array() == inmodal).all()
    layers = [layer for *_, layer in wanted.values()]
    if len(set(layers)) == len(layers) and not any(ring["group"] for ring in rings):
        assert np.argsort([i.order for i in scene]).tolist() == np.argsort(layers)[::-1].tolist()
