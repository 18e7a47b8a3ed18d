"""Calls that are like those before them: arguments are taken apart by code of their own, and nothing else differs."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend import compile as compiling
from rosin.frontend import tree as trees
from rosin.frontend import unpacking
from rosin.frontend.errors import ArgumentError, ImmutableError
from rosin.frontend.repacking import repacker
from rosin.ir.errors import DTypeError


@dataclass
class Pair:
    left: Any
    right: Any


@dataclass(frozen=True)
class Fixed:
    left: Any
    right: Any
    note: str = field(default="", metadata={"static": True})


@dataclass(slots=True)
class Slotted:
    left: Any


class Point(NamedTuple):
    x: Any
    y: Any


class Mapping(dict[str, Any]):
    """No node of trees."""


def warm(f: Any, *args: Any, **kwargs: Any) -> None:
    """Call a function so often that it knows calls like this one."""
    for _ in range(2 * compiling.ALIKE):
        f(*args, **kwargs)
    assert f._like is not None


def ones(*shape: int) -> Any:
    return rnp.ones(shape, dtype=np.float32)


def test_trees_of_every_kind() -> None:
    f = rosin.compile(lambda p, *, q: {"sum": p["a"][0] + p["b"].left * q, "rest": (p["a"][1], p["b"].right)})
    tree = {"b": Pair(ones(3) * 2, None), "a": [ones(3), ones(2)]}
    warm(f, tree, q=ones(3) * 5)
    for scale in (1.0, 2.0, 3.0):
        tree["b"].left = ones(3) * scale
        found = f(tree, q=ones(3) * 5)
        np.testing.assert_array_equal(found["sum"], np.full(3, 1 + 5 * scale))
        assert found["rest"][1] is None
        np.testing.assert_array_equal(found["rest"][0], [1, 1])


@pytest.mark.parametrize(
    "other",
    [
        {"a": [ones(3)], "c": ones(3)},
        {"a": [ones(3)], "b": ones(3), "c": ones(3)},
        {"a": [ones(3), ones(3)], "b": ones(3)},
        {"a": (ones(3),), "b": ones(3)},
        {"a": [None], "b": ones(3)},
        {"a": [Pair(ones(3), ones(3))], "b": ones(3)},
        OrderedDict(a=[ones(3)], b=ones(3)),
        {"a": [ones(4)], "b": ones(4)},
        {"a": [2.0], "b": ones(3)},
    ],
    ids=["key", "more", "longer", "tuple", "none", "node", "ordered", "shape", "number"],
)
def test_other_trees_are_seen(other: Any) -> None:
    f = rosin.compile(lambda p: sum(rosin.tree.leaves(p)))
    warm(f, {"a": [ones(3)], "b": ones(3)})
    np.testing.assert_array_equal(f(other), sum(rosin.tree.leaves(other)))


def test_mistakes_are_told_as_ever() -> None:
    f = rosin.compile(lambda p: p["a"] + p["b"])
    warm(f, {"a": ones(3), "b": ones(3)})
    with pytest.raises(ArgumentError):
        f({"a": ones(3), "b": "text"})
    with pytest.raises(ArgumentError):
        f(Mapping(a=ones(3), b=ones(3)))
    with pytest.raises(TypeError):
        f()


def test_numbers_of_python() -> None:
    """A number of another kind, or one that is too large, is another program's."""
    f = rosin.compile(lambda x, n: x * n)
    warm(f, ones(2), n=3)
    for n in (4, 2.5, True, np.float64(1.5), -7):
        found, wanted = f(ones(2), n=n), rosin.compile(lambda x, n: x * n)(ones(2), n=n)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    with pytest.raises(DTypeError, match="does not fit"):
        f(ones(2), n=1 << 40)


def test_static_values() -> None:
    f = rosin.compile(
        lambda x, mode, *, times=1: x * times if mode == "times" else x + 1, static_argnames=("mode", "times")
    )
    warm(f, ones(2), "times", times=1)
    np.testing.assert_array_equal(f(ones(2), "plus", times=1), [2, 2])
    np.testing.assert_array_equal(f(ones(2), "times", times=4), [4, 4])
    np.testing.assert_array_equal(f(ones(2), "times"), [1, 1])
    assert f(ones(2), "times", times=True).dtype == np.float32


def test_errors_of_the_program_are_no_sign_of_another_tree() -> None:
    """What a function of the user's raises is raised once, also where it is a KeyError."""
    calls = itertools.count()

    def looked_up(x: Any) -> Any:
        next(calls)
        if x < 0:
            raise KeyError("negative")
        return x

    f = rosin.compile(lambda p: rosin.pure_callback(looked_up, rosin.ShapeDtypeStruct((), np.float32), p["x"]) + 1)
    warm(f, {"x": rnp.asarray(np.float32(1))})
    before = next(calls)
    with pytest.raises(KeyError, match="negative"):
        f({"x": rnp.asarray(np.float32(-1))})
    assert next(calls) == before + 2


def test_settings_of_a_tree() -> None:
    """What is static in a class belongs to the tree: another setting is another program."""
    f = rosin.compile(lambda p: p.left * 2 if p.note == "twice" else p.left + p.right)
    warm(f, Fixed(ones(2), ones(2), "twice"))
    np.testing.assert_array_equal(f(Fixed(ones(2) * 3, ones(2), "twice")), [6, 6])
    np.testing.assert_array_equal(f(Fixed(ones(2) * 3, ones(2), "sum")), [4, 4])
    np.testing.assert_array_equal(f(Fixed(ones(2) * 3, ones(2), "".join(["tw", "ice"]))), [6, 6])
    assert len(f.signatures()) == 2


def test_donated_arguments_are_still_taken() -> None:
    f = rosin.compile(lambda p, y: rosin.tree.map(lambda x: x + y, p), donate_argnums=0)
    one = ones(2)
    state = {"a": ones(2), "b": Fixed(ones(2), None, "kept")}
    for _ in range(3 * compiling.ALIKE):
        old, state = state, f(state, one)
        for taken in (old["a"], old["b"].left):
            with pytest.raises(ImmutableError):
                taken + 1
    assert f._like is not None
    np.testing.assert_array_equal(state["a"], np.full(2, 1 + 3 * compiling.ALIKE))
    np.testing.assert_array_equal(one, [1, 1])
    twice = ones(2)
    np.testing.assert_array_equal(f({"a": twice, "b": Fixed(twice, None, "kept")}, one)["a"], [2, 2])
    with pytest.raises(ImmutableError):
        twice + 1


def test_arguments_donated_to_a_call_that_failed() -> None:
    def refuse(x: Any) -> Any:
        if x[0] < 0:
            raise KeyError("negative")
        return x

    like = rosin.ShapeDtypeStruct((2,), np.float32)
    f = rosin.compile(lambda p: {"x": rosin.pure_callback(refuse, like, p["x"]) + 1}, donate_argnums=0)
    for _ in range(2 * compiling.ALIKE):
        f({"x": ones(2)})
    assert f._like is not None
    given = -ones(2)
    with pytest.raises(KeyError, match="negative"):
        f({"x": given})
    with pytest.raises(ImmutableError):
        given + 1


def test_classes_with_a_say_are_taken_apart_by_themselves() -> None:
    class Point(NamedTuple):
        x: Any
        y: Any

    f = rosin.compile(lambda p: p.x + p.y)
    for _ in range(2 * compiling.ALIKE):
        np.testing.assert_array_equal(f(Point(ones(2), ones(2))), [2, 2])
    assert f._like is None
    assert unpacking.UNLIKE == (KeyError, OverflowError)


@pytest.mark.parametrize(
    "tree",
    [
        1,
        None,
        (),
        [],
        (1,),
        {"z": 1, "a": [2, (3, None)], 7.5: Pair(4, {"b": 5, "a": 6})},
        [Fixed(1, Pair(2, 3), "kept"), Fixed(4, [], "too")],
        (Slotted([1, 2]), Pair(Slotted(3), None)),
        {"point": Point(1, 2)},
        OrderedDict([("b", 1), ("a", 2)]),
    ],
    ids=str,
)
def test_results_are_put_together_as_a_walk_does(tree: Any) -> None:
    leaves, structure = trees.flatten(tree)
    made = repacker(structure)(tuple(leaves))
    assert made == tree
    assert repr(made) == repr(tree)  # The order of keys, too.
    assert trees.structure(made) == structure


def test_results_are_put_together_without_their_constructors() -> None:
    def refuse(self: Any) -> None:
        raise AssertionError("a leaf may be anything while a tree is worked on")

    checked = type("Checked", (Pair,), {"__post_init__": refuse})
    made = object.__new__(dataclass(checked))
    made.left, made.right = 1, 2
    leaves, structure = trees.flatten(made)
    assert vars(repacker(structure)(leaves)) == {"left": 1, "right": 2}


def test_results_of_later_calls_are_dataclasses_of_their_own() -> None:
    f = rosin.compile(lambda pairs: [Fixed(p.left * 2, p.right, "doubled") for p in pairs])
    pairs = [Pair(ones(3) * i, ones(2)) for i in range(3)]
    warm(f, pairs)
    first, second = f(pairs), f(pairs)
    assert [type(x) for x in second] == [Fixed] * 3
    assert second[1].note == "doubled"
    assert first[1] is not second[1]
    np.testing.assert_array_equal(second[2].left, [4, 4, 4])
