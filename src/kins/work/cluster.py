"""Work on a Ray cluster: workers that load what they need once, and then do one job after the other.

Ray's actors, rather than Ray Data: a result is a file of its own, so that what is done stays done whoever is killed,
and the job that a worker died of is known.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from kins import __version__
from kins.errors import KinsError
from kins.files import reason
from kins.files.terminal import say

LOCAL = "local"
DIED = object()
"""In place of a result: the worker died each time that the job was tried."""
STORE = 100 * 2**20
"""Bytes of memory that are shared by a cluster that is started here: only file names and single results are sent."""
LOADS = 3
"""So many workers may die one after the other while they load."""
HINT = "versions of Python and Ray must be the same; RAY_AUTH_MODE and RAY_AUTH_TOKEN say the token, if it has one"
PATIENCE = 30
"""Seconds without a free processor until that is said, and for a cluster to answer."""

Work = Callable[[Any], Any]


class _Worker:
    """What runs in the other process."""

    def __init__(self, load: Callable[[], Work]) -> None:
        self._load = load

    def ready(self) -> str:
        self._work = self._load()
        return __version__

    def do(self, job: Any) -> Any:
        return self._work(job)


class Cluster:
    """Workers on a cluster, for the time of a `with` block.

    Args:
        address: HOST:PORT of a running cluster, or "local" to start one on this machine.
        load: makes a worker's function of a job; both, and the results, must pickle.
        workers: most of them; one for each processor if None.
        gpus: on a cluster with GPUs, one worker for each of these.

    Raises:
        KinsError: no cluster answers, it has another version of Ray or Python, or it can't be started.
    """

    def __init__(self, address: str, load: Callable[[], Work], workers: int | None = None, gpus: bool = False) -> None:
        self._address, self._load, self._asked, self._gpus = address, load, workers, gpus
        self._folder: str | None = None
        self._before: dict[str, str | None] = {}
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, int | None]] = {}
        self._unborn = 0

    def __enter__(self) -> Cluster:
        try:
            self._connect()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave()

    def each(self, jobs: Sequence[Any], tries: int = 1) -> Iterator[tuple[int, Any]]:
        """Number and result of each job, as they come; DIED where the worker died at each of the tries.

        Raises:
            KinsError: workers die while they load, or have another version of kins.
            Exception: what a job raised first.
        """
        waiting, deaths = deque(range(len(jobs))), Counter[int]()
        while waiting or any(number is not None for _, number in self._busy.values()):
            self._hire(len(waiting))
            while waiting and self._idle:
                worker, job = self._idle.pop(), waiting.popleft()
                self._busy[worker.do.remote(jobs[job])] = worker, job
            number, result = self._next()
            if number is None:
                continue
            if result is DIED:
                deaths[number] += 1
                if deaths[number] < tries:
                    waiting.append(number)
                    continue
            yield number, result

    def _connect(self) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        if self._address == LOCAL:
            self._guard()
        else:
            _check_answers(self._address)
        import ray

        self._ray = ray
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self._address == LOCAL:
            self._folder = tempfile.mkdtemp(prefix="kins-ray-", dir=_short(tempfile.gettempdir()))
            options |= {"include_dashboard": False, "object_store_memory": STORE, "_temp_dir": self._folder}
            options |= {"num_cpus": max(self._asked or 1, _cores())}
        else:
            options["address"] = self._address
        try:
            with _silence():
                ray.init(**options)
            # Or else a thread prints paragraphs on dead workers to standard output, where results may go.
            vars(ray._private.worker)["_worker_logs_enabled"] = False
            resources = ray.cluster_resources()
        except (OSError, RuntimeError, ValueError, AssertionError, ray.exceptions.RayError) as error:
            raise KinsError(
                f"--ray {self._address}: no work can be done there ({reason(error)[:300]}; {HINT})"
            ) from None
        self._gpus = self._gpus and resources.get("GPU", 0) >= 1
        self._most = self._asked or max(1, int(resources.get("GPU" if self._gpus else "CPU", 1)))

    def _guard(self) -> None:
        """A cluster that is started here listens to others, too: nobody without this token is served.

        Ray reads it when it is imported; where that has happened, it is left to Ray's own ways.
        """
        if "ray" in sys.modules:
            return
        ours = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self._before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)

    def _hire(self, jobs: int) -> None:
        """New workers, as many as are missing."""
        actor = self._ray.remote(num_cpus=1, num_gpus=1 if self._gpus else 0, max_restarts=0)(_Worker)
        starting = sum(number is None for _, number in self._busy.values())
        missing = min(jobs - len(self._idle) - starting, self._most - len(self._idle) - len(self._busy))
        for _ in range(missing):
            worker: Any = actor.remote(self._load)
            self._busy[worker.ready.remote()] = worker, None

    def _next(self) -> tuple[int | None, Any]:
        """Number of the job and result, or DIED, when one is done; None for the number where it was none."""
        errors = self._ray.exceptions
        done, _ = self._ray.wait(list(self._busy), timeout=PATIENCE)
        if not done:
            if all(number is None for _, number in self._busy.values()) and not self._idle:
                say(f"--ray {self._address}: waiting for a worker to start", err=True)
            return None, None
        worker, number = self._busy.pop(done[0])
        try:
            result = self._ray.get(done[0])
        except errors.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, Exception) else error) from None
        except errors.RayError as error:
            self._ray.kill(worker)
            if number is None:
                self._unborn += 1
                if self._unborn >= LOADS:
                    said = reason(error)[:300]
                    raise KinsError(f"--ray {self._address}: workers die while they load ({said})") from None
            return number, DIED
        self._idle.append(worker)
        if number is None:
            self._unborn = 0
            if result != __version__:
                raise KinsError(f"--ray {self._address}: workers there have kins {result}, here is {__version__}")
        return number, result

    def _leave(self) -> None:
        if hasattr(self, "_ray"):
            for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
                self._ray.kill(worker)
            self._ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        for variable, value in self._before.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value


@contextmanager
def _silence() -> Iterator[None]:
    """What libraries print to standard error goes nowhere: an error says it in one line."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _check_answers(address: str) -> None:
    """Raises KinsError if nobody answers: Ray would try for minutes."""
    found = re.fullmatch(r"(?:ray://)?([^\s/:]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})", address)
    if found is None:
        raise KinsError(f"--ray {address}: is no address; give HOST:PORT of a cluster, or local to start one here")
    try:
        socket.create_connection((found[1].strip("[]"), int(found[2])), PATIENCE).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise KinsError(
            f"--ray {address}: no cluster answers there ({reason(error)}); `ray start --head` starts one"
        ) from None


def _short(folder: str) -> str:
    """The folder, or one with a shorter name: names of sockets have 107 bytes, and Ray's take up to 80."""
    return folder if len(os.fsencode(folder)) < 20 or not os.path.isdir("/tmp") else "/tmp"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
