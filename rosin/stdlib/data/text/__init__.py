"""Texts as numbers: vocabularies of characters, of byte pairs and of pieces of words, and data sets of long texts."""

from __future__ import annotations

from rosin.stdlib.data.text.byte_pairs import BytePairs
from rosin.stdlib.data.text.characters import UNKNOWN, Characters
from rosin.stdlib.data.text.reference import python_reference
from rosin.stdlib.data.text.windows import Windows
from rosin.stdlib.data.text.wordpiece import WordPiece

__all__ = ["UNKNOWN", "BytePairs", "Characters", "Windows", "WordPiece", "python_reference"]
