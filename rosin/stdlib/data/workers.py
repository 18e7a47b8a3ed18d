"""Processes that load batches ahead and hand them over in shared memory.

Batches come in their order. An exception in a worker comes out where its batch would have, with its traceback; a
worker that dies is noticed.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import secrets
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

import rosin
from rosin.stdlib.data.errors import DataError, WorkerError

_ALIGNED = 64
_IDLE = -1
"""Stands for the number of a batch where a worker has none yet."""
_POLL = 0.5
"""Seconds after which a silent worker is looked at."""


@dataclass(frozen=True)
class _Packed:
    """A batch in shared memory: a tree of where its arrays lie there."""

    memory: str
    tree: Any


@dataclass(frozen=True)
class _Place:
    """An array in shared memory."""

    dtype: Any
    shape: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class _Failed:
    """What a worker raised."""

    text: str


def load(make: Callable[[Any], Any], jobs: Sequence[Any], count: int, ahead: int, context: str | None) -> Iterator[Any]:
    """`make(job)` of each job, in order, made by `count` processes, each at most `ahead` batches before it is taken.

    `context` is a way of `multiprocessing` to start processes. Without it they are not forked from this one, where it
    can be helped, since threads do not live on in a fork.

    Raises:
        DataError: what makes the batches cannot be sent to another process.
        WorkerError: a worker failed or died.
    """
    processes: Any = multiprocessing.get_context(context or _unforked())
    count = min(count, len(jobs))
    tasks, results = processes.Queue(), processes.Queue()
    # What each worker works on lies in shared memory, where it stays when the worker is killed.
    working = processes.Array("q", [_IDLE] * count, lock=False)
    prefix = f"rosin-{os.getpid()}-{secrets.token_hex(4)}"
    workers = [
        processes.Process(
            target=_work, args=(make, tasks, results, prefix, working, i), name=f"rosin-data-{i}", daemon=True
        )
        for i in range(count)
    ]
    for worker in workers:
        try:
            worker.start()
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            message = f"workers need data sets and functions that can be pickled, or context='fork' ({error})"
            raise DataError(f"Loader: {message}") from error
    waiting: dict[int, Any] = {}
    sent = 0
    try:
        for number in range(len(jobs)):
            while sent < min(len(jobs), number + ahead * len(workers)):
                tasks.put((sent, jobs[sent]))
                sent += 1
            while number not in waiting:
                place, found = _next(results, workers, jobs, working)
                waiting[place] = found
            yield _unpacked(waiting.pop(number), number)
    finally:
        _stop(workers, (tasks, results), [f"{prefix}-{number}" for number in range(sent)])


def _next(results: Any, workers: list[Any], jobs: Sequence[Any], working: Sequence[int]) -> tuple[int, Any]:
    while True:
        try:
            return results.get(timeout=_POLL)
        except queue.Empty:
            for worker, number in zip(workers, working, strict=True):
                if worker.exitcode is not None:
                    message = f"the process {worker.name}, which loads data, ended {_ending(worker.exitcode)}"
                    if number != _IDLE:
                        message += f"; it was loading batch {number} with the items {list(map(int, jobs[number]))}"
                    raise WorkerError(message) from None


def _ending(code: int) -> str:
    if code >= 0:
        return f"with code {code}"
    hint = ", as it is when memory runs out" if -code == signal.SIGKILL else ""
    return f"by signal {signal.Signals(-code).name}{hint}"


def _unpacked(found: Any, number: int) -> Any:
    if isinstance(found, _Failed):
        raise WorkerError(f"loading batch {number} failed in a worker:\n{found.text}")
    if not isinstance(found, _Packed):
        return found
    memory = SharedMemory(found.memory)
    try:
        return rosin.tree.map(lambda x: _array(x, memory) if _is_place(x) else x, found.tree, is_leaf=_is_place)
    finally:
        memory.close()
        memory.unlink()


def _array(place: _Place, memory: SharedMemory) -> np.ndarray[Any, Any]:
    """A copy of an array in shared memory."""
    return np.ndarray(place.shape, place.dtype, memory.buf, place.offset).copy()


def _is_place(x: Any) -> bool:
    return isinstance(x, _Place)


def _unforked() -> str | None:
    """The way to start processes that this platform has and that forks none of this process's threads away."""
    known = multiprocessing.get_all_start_methods()
    return next((way for way in ("forkserver", "spawn") if way in known), None)


def _stop(workers: list[Any], channels: tuple[Any, Any], names: Sequence[str]) -> None:
    """End the workers, and free the memory of batches that nobody took, told or not."""
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()
    for channel in channels:
        channel.cancel_join_thread()
        channel.close()
    for name in names:
        free(name)


def free(name: str) -> None:
    """Free shared memory of that name, if there is any."""
    try:
        memory = SharedMemory(name)
    except FileNotFoundError:
        return
    except ValueError:
        # A worker was stopped before the memory had a size: it cannot be attached, and is there only on POSIX systems.
        import _posixshmem

        _posixshmem.shm_unlink(f"/{name}")
        return
    memory.close()
    memory.unlink()


# -- in the worker -----------------------------------------------------------------------------------------------------


def _work(make: Callable[[Any], Any], tasks: Any, results: Any, prefix: str, working: Any, place: int) -> None:
    while True:
        number, job = tasks.get()
        working[place] = number
        try:
            results.put((number, _packed(make(job), f"{prefix}-{number}")))
        except BaseException:
            results.put((number, _Failed(traceback.format_exc())))


def _packed(batch: Any, name: str) -> Any:
    """The batch with its arrays moved to shared memory of that name, which whoever takes it frees."""
    leaves, structure = rosin.tree.flatten(batch)
    offset = 0
    places: list[Any] = []
    for leaf in leaves:
        if isinstance(leaf, np.ndarray) and leaf.dtype != object:
            places.append(_Place(leaf.dtype, leaf.shape, offset))
            offset += -(-leaf.nbytes // _ALIGNED) * _ALIGNED
        else:
            places.append(leaf)
    if not offset:
        return batch
    memory = SharedMemory(name, create=True, size=offset)
    for leaf, place in zip(leaves, places, strict=True):
        if isinstance(place, _Place):
            np.ndarray(place.shape, place.dtype, memory.buf, place.offset)[...] = leaf
    memory.close()
    return _Packed(name, rosin.tree.unflatten(structure, places))
