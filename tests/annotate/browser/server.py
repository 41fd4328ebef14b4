"""A server in a process of its own, to be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import kins


class Server:
    """`kins annotate` on a folder of pictures. Killed and started again it has the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.cookies: list[dict[str, Any]] = []  # of the first visit: the token works once
        self.start()

    def start(self) -> None:
        """Start, and wait until it listens."""
        command = [sys.executable, "-m", "kins", "annotate", str(self.folder), "--no-browser", "--port", str(self.port)]
        source = str(Path(kins.__file__).parents[1])
        environment = os.environ | {"PYTHONPATH": source}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout
        line = self.process.stdout.readline()
        while "http://" not in line:
            assert line, "the server has not started"
            line = self.process.stdout.readline()
        self.address = line.split("open ")[1].split(" ")[0]
        self.port = int(self.address.split(":")[2].split("/")[0])

    def kill(self) -> None:
        """As the lack of memory does it."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()
