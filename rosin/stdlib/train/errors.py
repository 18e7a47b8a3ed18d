"""What ends a training, and what is wrong with a checkpoint."""

from __future__ import annotations

import rosin


class CheckpointError(rosin.RosinError, ValueError):
    """A checkpoint that is damaged, of another program, or of a newer format."""


class CheckpointWarning(UserWarning):
    """A damaged checkpoint that was passed over for the one before it."""


class DivergedError(rosin.RosinError, FloatingPointError):
    """A loss or a gradient that is no finite number."""
