"""`dataclass` does what Python's does, before its methods are written and after."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from typing import Any, ClassVar

import pytest

from rosin.ir.dataclass import dataclass

SHAPES = ({}, {"frozen": True}, {"frozen": True, "slots": True}, {"slots": True, "eq": False}, {"repr": False})


def families(make: Callable[..., Any], **options: Any) -> tuple[Any, Any]:
    """A class with all that fields may have, and one that derives from it, made by one of the two decorators."""

    class Base:
        """What it is."""

        first: int
        second: str = "two"
        kind: ClassVar[str] = "none"
        items: list[int] = field(default_factory=lambda: [1, 2])
        hidden: float = field(default=0.5, repr=False)

    class Made(make(**options)(Base)):
        third: int = 3
        late: int = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "late", self.first + self.third)

    base = Made.__mro__[1]
    base.__qualname__ = "Base"
    made = make(**options)(Made)
    made.__qualname__ = "Made"
    return base, made


def told(act: Callable[[], Any]) -> Any:
    """What happens, errors by their kind."""
    try:
        return act()
    except Exception as error:
        return type(error)


CALLS: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = (
    ((1,), {}),
    ((1, "x", [3], 0.25), {}),
    ((), {"first": 2, "hidden": 1.0}),
    ((1,), {"second": "y", "items": []}),
    ((), {}),
    ((1,), {"first": 1}),
    ((1,), {"unknown": 1}),
    ((1, 2, 3, 4, 5, 6, 7), {}),
    ((1,), {"late": 1}),
)


@pytest.mark.parametrize("options", SHAPES, ids=str)
def test_as_pythons(options: dict[str, Any]) -> None:
    ours, theirs = families(dataclass, **options), families(dataclasses.dataclass, **options)

    def seen(cls: Any) -> list[Any]:
        made = [told(lambda args=args, named=named: cls(*args, **named)) for args, named in CALLS]
        names = [f.name for f in dataclasses.fields(cls)]
        found: list[Any] = [x if isinstance(x, type) else [getattr(x, name) for name in names] for x in made]
        whole = [x for x in made if not isinstance(x, type)]
        found += [a == b for a in whole for b in whole]
        found += [told(lambda x=x: hash(x) == hash(copy.copy(x))) for x in whole]
        if options.get("repr", True):
            found += [repr(x) for x in whole]
        found.append(told(lambda: setattr(whole[0], "first", 9)))
        found.append(told(lambda: delattr(whole[0], "second")))
        found.append(told(lambda: dataclasses.replace(whole[1], first=7).first))
        found.append(dataclasses.fields(cls)[0].name)
        found.append(getattr(cls, "__match_args__", None))
        return found

    for one, other in zip(ours, theirs, strict=True):
        assert seen(one) == seen(other)
        assert one.__init__.__code__.co_filename == "<string>", "its methods are written by now"
        assert seen(one) == seen(other)


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: tuple[int, ...] = ()


def test_points_are_copied_and_pickled() -> None:
    for number in range(3):
        point = Point(number, (1, 2))
        assert copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
        assert {point: 1}[Point(number, (1, 2))] == 1
        with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
            point.x = 3  # pyright: ignore[reportAttributeAccessIssue]
    match Point(2, (1, 2)):
        case Point(x, y):
            assert (x, y) == (2, (1, 2))


def test_families_of_both_kinds() -> None:
    @dataclasses.dataclass(frozen=True)
    class Theirs(Point):
        z: int = 0

    @dataclass(frozen=True)
    class Ours(Theirs):
        w: int = 1

    assert Ours(1, (2,), 3) == Ours(1, (2,), 3, 1)
    assert dataclasses.replace(Ours(1), z=5).z == 5
    with pytest.raises(TypeError, match="frozen"):
        dataclasses.dataclass(type("Loose", (Ours,), {}))


def test_methods_that_a_class_states_stay() -> None:
    @dataclass(frozen=True)
    class Stated:
        x: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Stated)

        def __hash__(self) -> int:
            return 1

        def __repr__(self) -> str:
            return "stated"

    assert Stated(1) == Stated(2)
    assert len({Stated(1), Stated(2)}) == 1
    assert repr(Stated(1)) == "stated"
