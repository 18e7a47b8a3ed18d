"""Plain Python control flow on traced values, by rewriting the source of the user's functions.

    find           the source of a function
    scope          what statements do to variables
    transform      statements as calls of the layer; `expressions` does the same for expressions
    build          a function of the new tree
    layer          what these calls do: Python's own meaning, or `branch` and `loop`
    functions      the functions that take the place of others when one calls them

Functions are rewritten when they are called in a trace, once for each code object. What a function does outside of
traces never changes.
"""

from __future__ import annotations

from rosin.frontend.rewrite.functions import call, no_rewrite, rewritten

__all__ = ["call", "no_rewrite", "rewritten"]
