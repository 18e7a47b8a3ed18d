"""The errors that the front end adds to those of rosin.ir.errors."""

from __future__ import annotations

import numpy as np

from rosin.ir.errors import RosinError, ShapeError


class ArgumentError(RosinError, TypeError):
    """An argument that the called function cannot take: a leaf that is no array, a static one that has no hash."""


class ImmutableError(RosinError, TypeError):
    """A use of an array that was donated, or an attempt to change one that comes from outside of what is traced."""


class ClosureError(RosinError, RuntimeError):
    """A variable outside a compiled function that the function changes, or that changed since it was compiled."""


class RecursiveCompileError(RosinError, RecursionError):
    """A compiled function that calls itself with the arguments it is being traced with."""


class RecompileWarning(UserWarning):
    """A compiled function that is compiled again and again."""


class TransformError(RosinError, ValueError):
    """A transform that is asked of arguments or outputs that do not have it."""


class LinAlgError(RosinError, np.linalg.LinAlgError):
    """A matrix that linear algebra cannot do with: one that is singular where an inverse is asked for."""


class AxisNameError(RosinError, NameError):
    """A named axis that no enclosing vmap has."""


class BoundsError(RosinError, IndexError):
    """An index outside its axis, or more indices than axes."""


class NoAxisError(ShapeError, TypeError):
    """A number is asked for its length or its elements. By the kind of the error libraries find out what is a list."""


class AxisError(ShapeError, IndexError):
    """An axis that an array does not have."""


class ControlFlowError(RosinError, TypeError):
    """Functions given to a loop or a branch whose results do not fit: a carry that changes type, unlike branches."""
