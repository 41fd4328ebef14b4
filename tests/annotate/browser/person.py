"""Somebody before the page: real keys and real clicks, counted; and what the server has in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tests.helpers import wait_for

from kins.masks import Mask

Points = Sequence[tuple[float, float]]


def rectangle(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    """Corners. Multiples of 4 lie on whole screen pixels, whatever the zoom of the whole picture."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


class Person:
    """A tab on one image.

    Attributes:
        actions: keys pressed and clicks that set no point of an outline.
        errors: what the page's scripts failed with, and what its content policy refused.
    """

    def __init__(self, page: Any, image: int) -> None:
        self.page, self.context, self.image, self.actions = page, page.context, image, 0
        self.errors: list[str] = []
        self.listeners = {"pageerror": lambda error: self.errors.append(str(error)), "console": self._told}
        for name, listener in self.listeners.items():
            page.on(name, listener)
        page.mouse.move(0, 0)
        if page.url.startswith("http"):
            page.evaluate(f"location.hash = 'image/{image}'")
            self._wait()
        else:
            self.open()

    def leave(self) -> None:
        """Leave the tab to the next one."""
        for name, listener in self.listeners.items():
            self.page.remove_listener(name, listener)
        self.page.keyboard.press("Escape")

    def left(self) -> None:
        """Wait until the page has gone on to another image, or to all of them: it does so by itself after Done."""
        self.page.wait_for_url(lambda url: not url.endswith(f"#image/{self.image}"))

    def _told(self, message: Any) -> None:
        if message.type == "error" and ("Content Security Policy" in message.text or "Uncaught" in message.text):
            self.errors.append(message.text)

    def open(self) -> None:
        """Open the image, or open it anew."""
        self.page.goto("about:blank")
        self.page.goto(f"/#image/{self.image}")
        self._wait()

    def _wait(self) -> None:
        self.page.wait_for_selector(f"#top[data-image='{self.image}']")
        self.page.wait_for_selector(".stage[data-scale]")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where on the screen a place of the image is."""
        stage = self.page.evaluate(
            "() => { const s = document.querySelector('.stage'), b = s.getBoundingClientRect();"
            " return {...s.dataset, x: b.x, y: b.y} }"
        )
        scale = float(stage["scale"])
        return stage["x"] + float(stage["left"]) + x * scale, stage["y"] + float(stage["top"]) + y * scale

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
            self.actions += 1

    def click(self, x: float, y: float, **more: Any) -> None:
        """Click on a place of the image."""
        self.page.mouse.click(*self.at(x, y), **more)

    def point(self, x: float, y: float) -> None:
        """Move the pointer to a place of the image."""
        self.page.mouse.move(*self.at(x, y))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press, move and let go."""
        self.point(*start)
        self.page.mouse.down()
        self.page.mouse.move(*self.at((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
        self.point(*end)
        self.page.mouse.up()

    def draw(self, points: Points, key: str = "A") -> None:
        """An outline: the tool's key, its points, Enter."""
        self.press(key)
        for place in points:
            self.click(*place)
        self.press("Enter")

    def saved(self) -> dict[str, Any]:
        """The layer as the server has it, once the page says that all is saved."""
        assert wait_for(lambda: self.text(".saved") == "saved"), self.text(".foot")
        images = self.get("/projects/1/images?limit=1000")["images"]
        return self.get(f"/layers/{next(i['layer'] for i in images if i['id'] == self.image)}")

    def get(self, path: str) -> Any:
        """What a route answers."""
        answer = self.context.request.get(f"/api/v1{path}")
        assert answer.ok, answer.text()
        return answer.json()

    def masks(self) -> list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
        """Both masks of each object, as kins paints them."""
        layer = self.saved()
        painted = self.get(f"/layers/{layer['id']}/masks")["objects"]
        by_id = {thing["id"]: thing for thing in painted}
        return [
            (array(by_id[thing["id"]]["amodal"]), array(by_id[thing["id"]]["inmodal"]))
            for thing in layer["objects"]
            if thing["id"] in by_id
        ]

    def text(self, selector: str) -> str:
        """What is written in a part of the page."""
        return str(self.page.inner_text(selector))

    def toast(self, part: str) -> None:
        """Wait until the page says something."""
        assert wait_for(lambda: part in self.text("#toasts")), self.text("#toasts")


def array(rle: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """The pixels of a mask from the server."""
    height, width = rle["size"]
    return Mask.from_segmentation(rle, height, width).to_array()
