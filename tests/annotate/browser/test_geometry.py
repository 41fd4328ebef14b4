"""Outlines as they are drawn: with fewer points than they have, and no pixel that shows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

THINNED = """async ([points, scale]) => {
  const { pathOf } = await import("/static/geometry.js");
  const drawn = (path) => {
    const context = new OffscreenCanvas(400, 400).getContext("2d");
    context.scale(scale, scale);
    context.lineWidth = 1.5 / scale;
    context.stroke(path);
    return context.getImageData(0, 0, 400, 400).data.filter((_, k) => k % 4 === 3);
  };
  const rings = () => [{ hole: false, points: [...points] }];
  const [exact, thin] = [pathOf(rings()), pathOf(rings(), scale)].map(drawn);
  const most = exact.reduce((found, value, k) => Math.max(found, Math.abs(value - thin[k])), 0);
  return [most, exact.reduce((sum, value) => sum + value, 0)];
}"""


@pytest.mark.parametrize("scale", [0.6, 1, 3.9])
def test_outlines_are_as_fine_as_the_screen_shows(tab: Any, scale: float) -> None:
    tab.goto("/")
    angles = np.linspace(0, 2 * np.pi, 900, endpoint=False)
    wobble = 30 + 4 * np.sin(9 * angles) + np.random.default_rng(0).normal(0, 0.05, 900)
    around = np.stack([np.cos(angles), np.sin(angles)], 1) * wobble[:, None]
    tip = around[450]  # far out and half the way back on one line: the turn has to stay
    around = np.concatenate([around[:450], [tip, 1.5 * tip, 1.2 * tip], around[450:]])
    points = ((50 + around) * 100).round().astype(int).ravel().tolist()
    most, area = tab.evaluate(THINNED, [points, scale])
    assert area > 255 * 200 * scale
    assert most <= 0.55 * 255  # 0.3 along a line, more where two meet
