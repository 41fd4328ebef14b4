"""The server is killed in the midst of its work: what it has acknowledged is there when it is started again."""

import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.annotate.helpers import Person, add, operation, pictures

from kins.annotate.layers import derived, operations
from kins.annotate.operations import History
from kins.annotate.store import Store

WRITERS = 3


class Server:
    """`kins annotate` in a process of its own, always at the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "kins", "annotate", str(self.folder), "--no-browser", "--port", str(self.port)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        said = re.search(r"token=(\S+)", self.process.stdout.readline())
        assert said is not None, "the server did not start"
        self.token = said[1]
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5)
                return
            except httpx.HTTPError:
                time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()  # type: ignore[union-attr]


class Writer(threading.Thread):
    """Adds objects, takes them away and undoes; sends again what was not acknowledged, as the page does."""

    def __init__(self, person: Person, image: int, seed: int) -> None:
        super().__init__()
        self.person, self.layer, self.chance = person, person.layer(image)["id"], random.Random(seed)
        self.acknowledged: list[str] = []
        self.objects: list[str] = []
        self.base, self.stop = 0, False

    def run(self) -> None:
        while not self.stop:
            batch = [self._next() for _ in range(self.chance.randint(1, 4))]
            while not self._sent(batch) and not self.stop:
                time.sleep(0.02)

    def _next(self) -> dict[str, Any]:
        if self.objects and self.chance.random() < 0.4:
            return operation("delete", object=self.objects.pop())
        made = add(None, *[self.chance.randrange(1, 40) for _ in range(4)])
        self.objects.append(made["payload"]["object"])
        return made

    def _sent(self, batch: list[dict[str, Any]]) -> bool:
        try:
            answer = self.person.do(self.layer, self.base, *batch)
        except httpx.HTTPError:
            return False
        assert answer.status_code == 200, answer.text
        self.base = answer.json()["revision"]
        self.acknowledged += answer.json()["accepted"]
        return True


def survive(folder: Path, kills: int) -> int:
    """Kill the server so often while people write; returns how many operations were acknowledged, all of them kept."""
    server, chance = Server(pictures(folder, WRITERS)), random.Random(3)
    person = Person(f"http://127.0.0.1:{server.port}", token=server.token)
    writers = [Writer(person, image, image) for image in range(1, WRITERS + 1)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(kills):
            time.sleep(chance.uniform(0.05, 0.5))
            server.kill()
            server.start()
        time.sleep(0.2)
    finally:
        for writer in writers:
            writer.stop = True
            writer.join()
        server.kill()
    store = Store(f"sqlite:///{folder}/annotations.sqlite")
    with store.read() as connection:
        for writer in writers:
            told = operations(connection, writer.layer)
            assert [one.id for one in told] == writer.acknowledged
            assert History.of(told).state == derived(connection, writer.layer)
    store.close()
    return sum(len(writer.acknowledged) for writer in writers)


def test_killed_servers_lose_nothing_that_they_acknowledged(tmp_path: Path) -> None:
    assert survive(tmp_path / "pictures", 2) > 10


@pytest.mark.slow
def test_a_hundred_killed_servers_lose_nothing(tmp_path: Path) -> None:
    acknowledged = survive(tmp_path / "pictures", 100)
    print(f"{acknowledged} operations acknowledged, all of them there")
    assert acknowledged > 100
