"""What is wrong with a file of weights, or with weights for a model."""

from __future__ import annotations

import rosin


class WeightsError(rosin.RosinError, ValueError):
    """A file that holds no weights, or a damaged one, or weights that do not fit a model."""
