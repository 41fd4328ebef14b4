"""KITTI's left colour camera, scaled to any picture size.

World frame: x ahead, y to the left, z up, metres, origin on the road below the camera.
KITTI's camera frame: x to the right, y down, z ahead, origin in the camera.
Pixel (column u, row v) has its centre at (u, v), as in KITTI's calibration files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEIGHT = 1.65  # of KITTI's camera above the road


@dataclass(frozen=True)
class Camera:
    """Pinhole without distortion; focal length and principal point in pixels, height above the road in metres."""

    width: int
    height: int
    focal: float
    cx: float
    cy: float
    above: float = HEIGHT

    @staticmethod
    def kitti(width: int = 1242, height: int = 375) -> Camera:
        scale = width / 1242
        return Camera(width, height, 721.54 * scale, (609.56 + 0.5) * scale - 0.5, (172.85 + 0.5) * height / 375 - 0.5)

    def rays(self, u: NDArray[np.floating], v: NDArray[np.floating]) -> NDArray[np.float32]:
        """Directions (..., 3) with x = 1, so that distances along them are depths."""
        u, v = np.broadcast_arrays(u, v)
        out = np.empty((*u.shape, 3), np.float32)
        out[..., 0] = 1.0
        out[..., 1] = (self.cx - u) / self.focal
        out[..., 2] = (self.cy - v) / self.focal
        return out

    def pixel_rays(self) -> NDArray[np.float32]:
        """(height * width, 3), row by row."""
        u, v = np.arange(self.width, dtype=float), np.arange(self.height, dtype=float)
        return self.rays(u[None, :], v[:, None]).reshape(-1, 3)

    def project(self, world: NDArray[np.floating]) -> NDArray[np.float64]:
        """World points (..., 3), all ahead of the camera, to pixel coordinates (..., 2)."""
        depth = world[..., 0]
        u = self.cx - self.focal * world[..., 1] / depth
        v = self.cy - self.focal * (world[..., 2] - self.above) / depth
        return np.stack([u, v], -1)

    def matrix(self) -> NDArray[np.float64]:
        """KITTI's 3 x 4 projection P2."""
        return np.array([[self.focal, 0, self.cx, 0], [0, self.focal, self.cy, 0], [0, 0, 1, 0]])
