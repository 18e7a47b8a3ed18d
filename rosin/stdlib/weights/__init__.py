"""Files of weights: safetensors and PyTorch's, read without executing anything, written whole, matched to models."""

from __future__ import annotations

from rosin.stdlib.weights.errors import WeightsError
from rosin.stdlib.weights.files import load, metadata, save
from rosin.stdlib.weights.layouts import Layout
from rosin.stdlib.weights.matching import Rename, Report, by_patterns, into

__all__ = ["Layout", "Rename", "Report", "WeightsError", "by_patterns", "into", "load", "metadata", "save"]
