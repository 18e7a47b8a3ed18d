"""Texts as numbers: vocabularies of characters, of byte pairs and of pieces of words, and data sets of long texts."""

from __future__ import annotations

from rosin.stdlib.data.text.characters import UNKNOWN, Characters
from rosin.stdlib.data.text.reference import python_reference
from rosin.stdlib.data.text.windows import Windows

__all__ = ["UNKNOWN", "Characters", "Windows", "python_reference"]
