"""Processes that load batches ahead and hand them over in shared memory.

Batches come in their order. An exception in a worker comes out where its batch would have, with its traceback; a
worker that dies is noticed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import queue
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

import rosin
from rosin.stdlib.data.errors import WorkerError

_ALIGNED = 64
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

    `context` is a way of `multiprocessing` to start processes; without it, the platform's own.

    Raises:
        WorkerError: a worker failed or died.
    """
    processes: Any = multiprocessing.get_context(context)
    tasks, results = processes.Queue(), processes.Queue()
    workers = [
        processes.Process(target=_work, args=(make, tasks, results), name=f"rosin-data-{i}", daemon=True)
        for i in range(min(count, len(jobs)))
    ]
    for worker in workers:
        worker.start()
    waiting: dict[int, Any] = {}
    sent = 0
    try:
        for number in range(len(jobs)):
            while sent < min(len(jobs), number + ahead * len(workers)):
                tasks.put((sent, jobs[sent]))
                sent += 1
            while number not in waiting:
                place, found = _next(results, workers)
                waiting[place] = found
            yield _unpacked(waiting.pop(number), number)
    finally:
        _stop(workers, tasks, results, waiting)


def _next(results: Any, workers: list[Any]) -> tuple[int, Any]:
    while True:
        try:
            return results.get(timeout=_POLL)
        except queue.Empty:
            for worker in workers:
                if worker.exitcode is not None:
                    ended = f"by signal {-worker.exitcode}" if worker.exitcode < 0 else f"with code {worker.exitcode}"
                    raise WorkerError(f"the process {worker.name}, which loads data, ended {ended}") from None


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


def _stop(workers: list[Any], tasks: Any, results: Any, waiting: dict[int, Any]) -> None:
    """End the workers and free what they have made and nobody takes."""
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()
    with contextlib.suppress(queue.Empty, OSError, EOFError, pickle.UnpicklingError):
        while True:
            place, found = results.get(timeout=0.01)
            waiting[place] = found
    for found in waiting.values():
        if isinstance(found, _Packed):
            with contextlib.suppress(FileNotFoundError):
                memory = SharedMemory(found.memory)
                memory.close()
                memory.unlink()
    for channel in (tasks, results):
        channel.cancel_join_thread()
        channel.close()


# -- in the worker -----------------------------------------------------------------------------------------------------


def _work(make: Callable[[Any], Any], tasks: Any, results: Any) -> None:
    while True:
        number, job = tasks.get()
        try:
            results.put((number, _packed(make(job))))
        except BaseException:
            results.put((number, _Failed(traceback.format_exc())))


def _packed(batch: Any) -> Any:
    """The batch with its arrays moved to shared memory, which whoever takes it frees."""
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
    memory = SharedMemory(create=True, size=offset)
    for leaf, place in zip(leaves, places, strict=True):
        if isinstance(place, _Place):
            np.ndarray(place.shape, place.dtype, memory.buf, place.offset)[...] = leaf
    name = memory.name
    memory.close()
    return _Packed(name, rosin.tree.unflatten(structure, places))
