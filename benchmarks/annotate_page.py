"""How fast the page of kins annotate is, in Debian's Chromium without a graphics card.

A picture of 1242 x 375 with 100 and with 1000 objects of two outlines of 60 points each. Prints in milliseconds: from
the address to the first picture with all objects, from one image to the next one (fetched before), painting all objects
anew (median and longest of 20, each after panning), and from sending an operation to the server's answer.

    python benchmarks/annotate_page.py --objects 100 1000
"""

from __future__ import annotations

import argparse
import random
import socket
import statistics
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import uvicorn
from playwright.sync_api import Page, sync_playwright

from kins.annotate import create_app

SIZE = 1242, 375
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
REDRAW = "window.drawn ?? null"
FINISH = """
const frame = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (run) => frame((time) => {
  const begin = performance.now();
  run(time);
  for (const canvas of document.querySelectorAll(".stage canvas")) canvas.getContext("2d").getImageData(0, 0, 1, 1);
  if (performance.getEntriesByName("kins redraw").length) window.drawn ??= performance.now() - begin;
});"""  # drawing goes on after the calls that order it, until pixels are asked for
FIRST = "performance.getEntriesByName('kins first paint').map((entry) => entry.startTime)[0] ?? null"


def rings(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Two outlines, one beside the other; all objects together cover the picture about once."""
    x, y = chance.uniform(0, SIZE[0]), chance.uniform(100, SIZE[1])
    radius = chance.uniform(8, 50) * (100 / count) ** 0.5
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    made = []
    for shift in (0, 1.6 * radius):
        points = np.stack([x + shift + radius * np.cos(angles), y + radius * np.sin(angles)], 1) * 100
        made.append({"hole": False, "points": points.round().astype(int).ravel().tolist()})
    return made


def filled(page: Page, image: int, count: int) -> None:
    """Adds objects to one's own layer of an image."""
    headers = {"X-CSRF-Token": page.request.get("/api/v1/me").json()["csrf"], "Origin": page.url.split("/#")[0]}
    layer = page.request.post(f"/api/v1/images/{image}/layers", data={}, headers=headers).json()["id"]
    chance = random.Random(0)
    for start in range(0, count, 50):
        operations = []
        for _ in range(50):
            payload = {"object": str(uuid.uuid4()), "category": None, "rings": rings(chance, count)}
            operations.append({"id": str(uuid.uuid4()), "kind": "add", "payload": payload, "time": 1, "pause": 0})
        body = {"base": start, "operations": operations}
        assert page.request.post(f"/api/v1/layers/{layer}/operations", data=body, headers=headers, timeout=0).ok


def until(page: Page, script: str) -> float:
    """What a script gives as soon as it gives something."""
    while (found := page.evaluate(script)) is None:
        time.sleep(0.005)
    return float(found)


def measure(page: Page, image: int) -> None:
    """Prints the times for an image, and for the one after it."""
    page.goto("about:blank")
    page.goto(f"/#image/{image}")
    print(f"  first picture with all objects {until(page, FIRST):6.0f}")
    page.wait_for_timeout(1500)
    times = []
    for k in range(20):
        page.evaluate("performance.clearMeasures('kins redraw'); delete window.drawn")
        page.mouse.move(600, 300)
        page.mouse.down(button="middle")
        page.mouse.move(600 + (200 if k % 2 else -200), 300)
        page.mouse.up(button="middle")
        times.append(until(page, REDRAW))
    print(f"  painting all anew              {statistics.median(times):6.1f}, at most {max(times):.1f}")
    page.keyboard.press("N")
    times = []
    for _ in range(10):
        with page.expect_request_finished(lambda request: request.url.endswith("/operations")) as request:
            page.keyboard.press("G")
        times.append(request.value.timing["responseEnd"])
    print(f"  an operation acknowledged      {statistics.median(times):6.1f}")
    page.evaluate("performance.clearMarks('kins first paint')")
    begin = page.evaluate("performance.now()")
    page.keyboard.press("PageDown")
    print(f"  the next image                 {until(page, FIRST) - begin:6.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--browser", default="/usr/bin/chromium")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        noise = np.random.default_rng(0).integers(0, 255, (2 * len(given.objects), SIZE[1], SIZE[0], 3), np.uint8)
        for k, pixels in enumerate(noise):
            PIL.Image.fromarray(pixels).save(Path(folder) / f"{k}.png")
        bound = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(folder, token="token"), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        browser = playwright.chromium.launch(executable_path=given.browser, args=ARGUMENTS)
        page = browser.new_context(base_url=address, viewport={"width": 1400, "height": 900}).new_page()
        page.add_init_script(FINISH)
        page.goto(f"{address}/?token=token")
        page.wait_for_url("**/#project/*")
        for k, count in enumerate(given.objects):
            print(f"{count} objects (ms)")
            for image in (2 * k + 1, 2 * k + 2):
                filled(page, image, count)
            measure(page, 2 * k + 1)
        browser.close()
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
