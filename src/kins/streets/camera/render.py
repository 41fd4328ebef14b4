"""Pictures by Mitsuba 3 (Jakob et al., 2022): path-traced sun, sky, soft ambient shadow, bounced light, reflections.

Only the scalar variant is used: it needs no GPU, and no LLVM on the machine.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kins.errors import missing
from kins.streets.camera.camera import Camera
from kins.streets.camera.shade import reflections
from kins.streets.camera.view import View, smoothed
from kins.streets.things.mesh import GLASS, MATTE, METAL, PAINT, TEXTURED
from kins.streets.world.sky import Weather

SAMPLES = {"normal": 2, "high": 48}  # per pixel
DEPTH = {"normal": 3, "high": 5}  # longest path, in surfaces met plus one
FILTER = ("normal",)
LEVELS = 64  # of red, green and blue in the palette, evenly spaced after a square root


@lru_cache(maxsize=1)
def _mitsuba() -> Any:
    try:
        import mitsuba
    except ImportError:
        raise missing("mitsuba", "use --quality fast") from None
    mitsuba.set_variant("scalar_rgb")
    import drjit

    drjit.set_thread_count(1)  # pictures are made side by side by processes
    return mitsuba


@lru_cache(maxsize=1)
def _materials() -> dict[int, Any]:
    """Materials whose colour is looked up in one palette of all colours, so that they are made only once."""
    mi = _mitsuba()
    level = (np.arange(LEVELS, dtype=np.float32) / (LEVELS - 1)) ** 2
    r, g, b = np.meshgrid(level, level, level, indexing="ij")
    side = LEVELS * 8
    palette = np.stack([r, g, b], -1).reshape(side, side, 3)
    color = {"type": "bitmap", "bitmap": mi.Bitmap(palette), "raw": True, "filter_type": "nearest"}

    def both_sides(bsdf: dict[str, Any]) -> Any:
        return mi.load_dict({"type": "twosided", "bsdf": bsdf})

    return {
        MATTE: both_sides({"type": "diffuse", "reflectance": color}),
        PAINT: both_sides({"type": "roughplastic", "alpha": 0.06, "int_ior": 1.6, "diffuse_reflectance": color}),
        GLASS: both_sides({"type": "roughplastic", "alpha": 0.02, "int_ior": 1.75, "diffuse_reflectance": color}),
        METAL: both_sides({"type": "roughplastic", "alpha": 0.15, "int_ior": 2.4, "diffuse_reflectance": color}),
    }


def _palette_uv(color: NDArray[np.floating]) -> NDArray[np.float32]:
    level = np.round(np.sqrt(np.clip(color, 0, 1)) * (LEVELS - 1)).astype(np.int64)
    cell = (level[:, 0] * LEVELS + level[:, 1]) * LEVELS + level[:, 2]
    side = LEVELS * 8
    uv = np.stack([(cell % side + 0.5) / side, (cell // side + 0.5) / side], -1)
    return np.asarray(np.repeat(uv[:, None], 3, 1), np.float32)


def _shape(view: View, chosen: NDArray[np.int64], uv: NDArray[np.floating], bsdf: Any) -> Any:
    mi = _mitsuba()
    properties = mi.Properties()
    properties["bsdf"] = bsdf
    count = len(chosen)
    shape = mi.Mesh("part", 3 * count, count, has_vertex_normals=True, has_vertex_texcoords=True, props=properties)
    values = mi.traverse(shape)
    values["vertex_positions"] = view.mesh.vertices[view.mesh.faces[chosen]].astype(np.float32).ravel()
    values["vertex_normals"] = view.normals[chosen].ravel()
    values["vertex_texcoords"] = np.ascontiguousarray(uv, np.float32).ravel()
    values["faces"] = np.arange(3 * count, dtype=np.uint32)
    values.update()
    return shape


def render(view: View, quality: str, rng: Generator) -> NDArray[np.float32]:
    """(height, width, 3) linear radiance without haze."""
    textures, weather, camera = view.street.textures, view.street.weather, view.camera
    mi = _mitsuba()
    scene: dict[str, Any] = {"type": "scene"}
    for kind in np.unique(view.kind):
        chosen = np.flatnonzero(view.kind == kind)
        if kind >= TEXTURED:
            image = {"type": "bitmap", "bitmap": mi.Bitmap(textures[kind - TEXTURED]), "raw": True}
            bsdf = mi.load_dict({"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": image}})
            uv = view.uv[view.mesh.faces[chosen]]
        else:
            material = MATTE if quality in FILTER else int(kind)  # coats are added without noise then
            bsdf, uv = _materials()[material], _palette_uv(view.color[chosen])
        scene[f"part{kind}"] = _shape(view, chosen, uv, bsdf)
    scene["sun"] = {
        "type": "directional",
        "direction": (-weather.sun).tolist(),
        "irradiance": {"type": "rgb", "value": weather.sunlight.tolist()},
    }
    # The sky is found by the paths alone, the sun by aiming at it: neither adds noise to the other.
    scene["sky"] = {
        "type": "envmap",
        "bitmap": mi.Bitmap(_environment(weather)),
        "to_world": mi.ScalarTransform4f(_ENVIRONMENT),
        "sampling_weight": 0.0,
    }
    scene["sensor"] = _sensor(mi, camera)
    integrator = mi.load_dict({"type": "path", "max_depth": DEPTH[quality], "rr_depth": 100})
    image = mi.render(
        mi.load_dict(scene), integrator=integrator, spp=SAMPLES[quality], seed=int(rng.integers(0, 2**31))
    )
    light = np.minimum(np.nan_to_num(np.array(image, np.float32)), 12.0)
    return _without_noise(light, view) + reflections(view) if quality in FILTER else light


def _without_noise(light: NDArray[np.float32], view: View) -> NDArray[np.float32]:
    """Smooths the light that falls on surfaces, not their colours."""
    colors = np.ones((view.depth.size, 3), np.float32)
    colors[view.surface.at] = np.maximum(view.surface.albedo, 0.04)
    albedo = colors.reshape(light.shape)
    sky = ~np.isfinite(view.depth)
    falling = np.minimum(light / albedo, 6.0)
    return np.where(sky[..., None], light, smoothed(falling, view.alike, (1, 2, 4, 5)) * albedo)


_ENVIRONMENT = np.array([[0.0, 0.0, -1.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
"""From Mitsuba's environment axes (y up) to the world's (z up)."""


def _environment(weather: Weather) -> NDArray[np.float32]:
    return np.ascontiguousarray(weather.sky[:, ::-1])


def _sensor(mi: Any, camera: Camera) -> dict[str, Any]:
    half = np.degrees(np.arctan(camera.width / 2 / camera.focal))
    eye = camera.above
    pose = mi.ScalarTransform4f().look_at(origin=[0, 0, eye], target=[1, 0, eye], up=[0, 0, 1])
    return {
        "type": "perspective",
        "fov": float(2 * half),
        "fov_axis": "x",
        "near_clip": 0.05,
        "far_clip": 2000.0,
        "principal_point_offset_x": 0.5 - (camera.cx + 0.5) / camera.width,
        "principal_point_offset_y": 0.5 - (camera.cy + 0.5) / camera.height,
        "to_world": pose,
        "film": {
            "type": "hdrfilm",
            "width": camera.width,
            "height": camera.height,
            "rfilter": {"type": "box"},
            "pixel_format": "rgb",
            "component_format": "float32",
        },
        "sampler": {"type": "independent"},
    }
