"""The errors that Rosin raises. Each is also the built-in exception that Python users expect for its kind."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from rosin.ir.location import Location
from rosin.ir.types import TensorType


class RosinError(Exception):
    """A message, the types of the operands it is about, and the user's line, when these are known."""

    def __init__(self, message: str, operands: Sequence[TensorType] = (), location: Location | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.operands = tuple(operands)
        self.location = location

    def __str__(self) -> str:
        lines = [self.message]
        if self.operands:
            lines.append("  operands: " + ", ".join(map(str, self.operands)))
        if self.location is not None:
            lines.append(self.location.describe())
        return "\n".join(lines)


@contextmanager
def located(location: Location | None) -> Generator[None]:
    """Give the errors raised inside this place, if they have none."""
    try:
        yield
    except RosinError as error:
        error.location = error.location or location
        raise


class ShapeError(RosinError, ValueError):
    """Sizes, ranks or axes that disagree."""


class ConstraintError(ShapeError):
    """Arguments of a program with symbolic sizes that do not fit what it asks of them."""


class GuardError(ConstraintError):
    """Sizes for which another specialisation of a program is needed."""


class OutOfMemoryError(RosinError, MemoryError):
    """There is no memory for what an op or a program makes."""


class DTypeError(RosinError, TypeError):
    """An element type that an op does not take, or element types that disagree."""


class AttributeValueError(RosinError, ValueError):
    """An attribute of an op has a value that the op does not take."""


class NotDifferentiableError(RosinError, TypeError):
    """A derivative was asked of an op that has none."""


class TraceError(RosinError, TypeError):
    """A traced value was used in a way that needs its number, or outside the function it was traced in."""


class VerifyError(RosinError, ValueError):
    """A graph that breaks a rule of the IR."""


class ParseError(RosinError, ValueError):
    """Text that is not a graph."""


class UnsupportedError(RosinError, TypeError):
    """An op or type that a target declines."""


class CheckError(RosinError, AssertionError):
    """A check that failed while a program ran."""


class OutOfRangeError(CheckError, IndexError):
    """A checked index that lies outside of the array it is for."""


class NanError(CheckError, FloatingPointError):
    """A checked result that has a NaN where its operands had none."""
