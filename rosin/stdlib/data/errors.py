"""What is wrong with data, or with what loads them."""

from __future__ import annotations

import rosin


class DataError(rosin.RosinError, ValueError):
    """Data that cannot be batched, or settings of a loader that do not go together."""


class WorkerError(rosin.RosinError, RuntimeError):
    """A process that loads data failed; the message has its traceback."""
