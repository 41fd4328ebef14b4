"""How long an operation takes until it is on the disk, with many annotators at once, on SQLite or PostgreSQL.

A server in a process of its own; each annotator has an account and a layer of 30 objects, and sends one operation a
second: half of them move an outline, the rest adds, deletes, says who is nearer, or undoes. Prints the median, the 95th
percentile and the longest time of an answer in milliseconds, and what the server computed for each, which does not
depend on what else the machine does. The goal: 20 annotators, 95 % under 100 ms.

    python benchmarks/annotate.py --annotators 20 --seconds 60
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image

from kins.annotate import manage

PASSWORD = "a good password"
SIZE = 1242, 375
OBJECTS, POINTS = 30, 40


def outline(chance: random.Random) -> list[dict[str, Any]]:
    """A ring of about the size of a car."""
    x, y, radius = chance.uniform(0, SIZE[0]), chance.uniform(100, SIZE[1]), chance.uniform(10, 80)
    angles = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    points = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1) * 100
    return [{"hole": False, "points": points.round().astype(int).ravel().tolist()}]


def operation(kind: str, **payload: Any) -> dict[str, Any]:
    """One with an id."""
    return {"id": str(uuid.uuid4()), "kind": kind, "payload": payload, "time": int(time.time() * 1000), "pause": 1000}


class Annotator(threading.Thread):
    """Sends an operation a second, and notes how long each answer takes."""

    def __init__(self, address: str, number: int, seconds: float) -> None:
        super().__init__()
        self.client = httpx.Client(base_url=f"{address}/api/v1", timeout=60)
        login = self.client.post("/login", json={"name": f"annotator {number}", "password": PASSWORD})
        self.client.headers["x-csrf-token"] = login.json()["csrf"]
        self.chance, self.seconds, self.times = random.Random(number), seconds, list[float]()
        self.layer = self.client.post(f"/images/{1 + number % 5}/layers").json()["id"]
        self.revision, self.objects, self.undo = 0, list[str](), ""
        for _ in range(OBJECTS):
            self.send(self.add())
        self.times.clear()

    def add(self) -> dict[str, Any]:
        """A new object."""
        self.objects.append(str(uuid.uuid4()))
        return operation("add", object=self.objects[-1], category=None, rings=outline(self.chance))

    def next(self) -> dict[str, Any]:
        """What an annotator does."""
        kind = self.chance.choices(["outline", "add", "delete", "pair", "undo"], [10, 3, 2, 4, 1])[0]
        one, two = self.chance.sample(self.objects, 2)
        if kind == "outline":
            return operation("outline", object=one, rings=outline(self.chance))
        if kind == "delete":
            self.objects.remove(one)
            return operation("delete", object=one)
        if kind == "undo" and self.last == "outline":
            return operation("undo", of=self.undo)
        return self.add() if kind == "add" else operation("pair", nearer=one, farther=two)

    def send(self, one: dict[str, Any]) -> None:
        """Send one operation and wait for the answer."""
        begun = time.perf_counter()
        answer = self.client.post(f"/layers/{self.layer}/operations", json={"base": self.revision, "operations": [one]})
        self.times.append(time.perf_counter() - begun)
        answer.raise_for_status()
        self.revision, self.undo, self.last = answer.json()["revision"], answer.json()["undo"], one["kind"]

    def run(self) -> None:
        """One a second, not all at the same time."""
        following = time.perf_counter() + self.chance.random()
        end = time.perf_counter() + self.seconds
        while following < end:
            time.sleep(max(0.0, following - time.perf_counter()))
            self.send(self.next())
            following += 1.0


def busy(process: int) -> float:
    """Seconds that a process has computed so far (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotators", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--database", help="address of an empty database; an SQLite file if not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for letter in "abcde":
            PIL.Image.new("RGB", SIZE).save(folder / f"{letter}.png")
        manage.add_user(folder, options.database, "owner", PASSWORD)
        for number in range(options.annotators):
            manage.add_user(folder, options.database, f"annotator {number}", PASSWORD)
        command = [sys.executable, "-m", "kins", "annotate", name, "--no-browser"]
        command += ["--database", options.database] if options.database else []
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            found = re.search(r"open (\S+?)/ ", server.stdout.readline() if server.stdout else "")
            assert found is not None, "the server did not start"
            people = [Annotator(found[1], number, options.seconds) for number in range(options.annotators)]
            before = busy(server.pid)
            for person in people:
                person.start()
            for person in people:
                person.join()
            spent = busy(server.pid) - before
        finally:
            server.terminate()
            server.wait()
    times = 1000 * np.array([time for person in people for time in person.times])
    median, most = np.percentile(times, [50, 95])
    print(f"{times.size} operations of {options.annotators} annotators in {options.seconds:g} s:", end=" ")
    print(f"median {median:.1f} ms, 95 % under {most:.1f} ms, longest {times.max():.1f} ms;", end=" ")
    print(f"the server computed {1000 * spent / times.size:.1f} ms an operation; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
