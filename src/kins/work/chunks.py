"""Several processes on this machine, and progress."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np  # noqa: F401  # before the count of threads below: it starts some, which survive forking

from kins.errors import KinsError

T = TypeVar("T")
R = TypeVar("R")

CHUNK = 64
"""Items that a process takes at once: enough to outweigh the cost of passing them on, few enough to share evenly."""


def in_chunks(
    function: Callable[[Sequence[T]], R],
    items: Sequence[T],
    label: str,
    workers: int | None = None,
    chunk: int = CHUNK,
    slow: bool = False,
) -> Iterator[R]:
    """`function` of every `chunk` items, in their sequence, from as many processes as `processes` says.

    The processes are forked: they share all data as it is, and only the items and the results are sent, so these must
    pickle. What `function` changes elsewhere is lost. A progress bar shows on a terminal.

    Args:
        label: for the progress bar.
        workers: most processes to use; one for each core if None.
        slow: a chunk takes seconds. Then two are worth a process, and where forking is not safe, new processes are
            started in place of them, in which `function` is imported: it must pickle.

    Ctrl-C reaches this process alone; the others end when the iteration is left, however it is.

    Raises:
        KinsError: a process died.
        Exception: what `function` raised first, by the sequence of the items.
    """
    chunks = [items[start : start + chunk] for start in range(0, len(items), chunk)]
    workers = processes(len(chunks), workers, slow)
    if workers == 1:
        yield from progress(map(function, chunks), label, len(chunks))
        return
    forked = forking_is_safe()
    global _inherited
    _inherited = function
    try:
        gc.freeze()  # or else the first collection in each process would copy all of it
        method = multiprocessing.get_context("fork" if forked else "spawn")
        with _pool(ProcessPoolExecutor(workers, method, _start, (slow,))) as pool:
            with interrupts_held():
                results = pool.map(_run if forked else function, chunks)
            yield from progress(results, label, len(chunks))
    except BrokenProcessPool:
        raise KinsError(f"{label}: a process died; is there enough memory? Fewer processes need less") from None
    finally:
        gc.unfreeze()
        _inherited = None


@contextmanager
def _pool(pool: ProcessPoolExecutor) -> Iterator[ProcessPoolExecutor]:
    """Ends the pool's processes at once if the block is left before they are done."""
    others = set(multiprocessing.active_children())
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        raise
    finally:
        pool.shutdown()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C waits for the end of the block; processes that are started meanwhile never get it."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield  # other threads, and Windows
        return
    waiting: list[int] = []
    answer = signal.signal(signal.SIGINT, lambda number, frame: waiting.append(number))  # other threads may take it
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, answer)
    if waiting:
        raise KeyboardInterrupt


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
    """Iterate with a progress bar on standard error if that is a terminal, silently otherwise."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, label, total=total, console=Console(stderr=True), transient=True)


def processes(chunks: int, workers: int | None = None, slow: bool = False) -> int:
    """How many processes so many chunks are worth: 1 where there are few, or where forking is not safe.

    Args:
        slow: as in `in_chunks`.
    """
    if workers is not None and workers < 1:
        raise KinsError(f"{workers} processes can't work; 1 is the least")
    if workers == 1 or chunks < (2 if slow else 4) or not (slow or forking_is_safe()):
        return 1
    return min(workers or _cores(), chunks)


def forking_is_safe() -> bool:
    """On Linux, outside of other such processes, before torch is imported and as long as no thread has been started
    since this module was imported: a lock that a thread holds would stay locked in the copy for ever."""
    if sys.platform != "linux" or multiprocessing.parent_process() is not None or "torch" in sys.modules:
        return False
    # Both counts, since forking ends NumPy's own threads, which are in the system's one.
    if threading.active_count() > _python_threads_at_import:
        return False
    for _ in range(5):
        if _threads() <= _threads_at_import:
            return True
        time.sleep(0.004)  # a thread that has ended stays in the system's count for a moment
    return False


_inherited: Callable[[Any], Any] | None = None
"""What the processes run: inherited, since sending the data it works on would take longer than the work."""


def _start(slow: bool) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if not slow:
        gc.disable()
    os.environ["RAYON_NUM_THREADS"] = "1"  # one process for each core is enough


def _end_with_parent() -> None:
    """Ends this process when its parent does, however that ends: nobody else would, and it would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run(chunk: Any) -> Any:
    assert _inherited is not None
    return _inherited(chunk)


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _threads() -> int:
    """Threads of this process, also those that libraries started."""
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1


_threads_at_import, _python_threads_at_import = _threads(), threading.active_count()
