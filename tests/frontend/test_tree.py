"""Trees: what is a node, in which order leaves come, and that dataclasses need no declaration."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest

import rosin
from rosin import tree
from rosin.frontend.errors import TransformError


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Linear:
    weight: Any
    bias: Any = None
    activation: str = field(default="relu", metadata={"static": True})


@dataclass(frozen=True)
class Pair:
    left: Any
    right: Any
    total: Any = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.left + self.right)


@dataclass
class Shared:
    values: list[Any]


def test_leaves_and_structure_round_trip() -> None:
    value = {"b": [1, (2, None)], "a": Point(3, {"z": 4}), "c": ()}
    leaves, structure = tree.flatten(value)
    assert leaves == [3, 4, 1, 2]
    assert tree.unflatten(structure, leaves) == value
    assert tree.leaves(value) == leaves
    assert tree.structure(value) == structure
    assert tree.structure(tree.map(lambda v: v * 2, value)) == structure


def test_dicts_come_in_sorted_order() -> None:
    assert tree.leaves({"b": 1, "a": 2}) == [2, 1]
    assert tree.structure({"b": 1, "a": 2}) == tree.structure({"a": 1, "b": 2})
    assert tree.leaves(OrderedDict([("b", 1), ("a", 2)])) == [1, 2]


def test_none_has_no_leaves() -> None:
    assert tree.leaves(None) == []
    assert tree.map(lambda v: v + 1, {"a": None, "b": 1}) == {"a": None, "b": 2}
    assert tree.leaves({"a": None}, is_leaf=lambda v: v is None) == [None]


def test_dataclasses_register_themselves() -> None:
    layers = [Linear(1, 2), Linear(3, None, "tanh")]
    assert tree.leaves(layers) == [1, 2, 3]
    doubled = tree.map(lambda v: v * 2, layers)
    assert doubled == [Linear(2, 4), Linear(6, None, "tanh")]
    assert tree.structure(Linear(1, 2)) != tree.structure(Linear(1, 2, "tanh"))
    assert tree.leaves(Shared([Shared([1]), 2])) == [1, 2]


def test_a_dataclass_inside_a_second_tree_of_map() -> None:
    @dataclass
    class Local:
        a: Any

    assert tree.map(lambda x, y: x + y, Local(1), Local(10)) == Local(11)
    assert tree.map(lambda x, y: (x, y), [0], [Local(5)]) == [(0, Local(5))]


def test_a_frozen_dataclass_is_made_without_its_init() -> None:
    pair = tree.map(lambda v: v * 10, Pair(1, 2))
    assert (pair.left, pair.right, pair.total) == (10, 20, 30)


def test_element_types_are_no_trees() -> None:
    assert tree.leaves([rosin.numpy.float32]) == [rosin.numpy.float32]


def test_map_over_several_trees() -> None:
    assert tree.map(lambda a, b, c: a + b * c, {"x": 1}, {"x": 2}, {"x": 3}) == {"x": 7}
    assert tree.map(lambda a, b: (a, b), [1, 2], [(3,), {"k": 4}]) == [(1, (3,)), (2, {"k": 4})]
    with pytest.raises(ValueError, match=r"[Ee]xpected"):
        tree.map(lambda a, b: a, {"x": 1}, [1])


def test_paths() -> None:
    value = {"layers": [Linear(1, 2)], "p": Point(3, 4)}
    pairs, structure = tree.flatten_with_path(value)
    assert [leaf for _, leaf in pairs] == [1, 2, 3, 4]
    assert pairs[0][0] == ("layers", 0, "weight")
    assert tree.path_texts("v", structure) == [
        "v['layers'][0].weight",
        "v['layers'][0].bias",
        "v['p'].x",
        "v['p'].y",
    ]
    named = tree.map_with_path(lambda path, leaf: f"{path[-1]}={leaf}", {"a": 1, "b": [2]})
    assert named == {"a": "a=1", "b": ["0=2"]}


def test_reduce_and_all() -> None:
    assert tree.reduce(lambda a, b: a + b, {"a": 1, "b": [2, 3]}) == 6
    assert tree.reduce(lambda a, b: a + [b], (1, 2), []) == [1, 2]
    assert tree.all({"a": True, "b": [1]})
    assert not tree.all({"a": True, "b": [0]})
    assert tree.all(())
    with pytest.raises(TypeError, match="initial"):
        tree.reduce(lambda a, b: a + b, ())


def test_transpose() -> None:
    outer, inner = tree.structure([0, 0]), tree.structure({"a": 0, "b": (0,)})
    value = [{"a": 1, "b": (2,)}, {"a": 3, "b": (4,)}]
    assert tree.transpose(outer, inner, value) == {"a": [1, 3], "b": ([2, 4],)}
    assert tree.transpose(tree.structure([]), inner, []) == {"a": [], "b": ([],)}
    with pytest.raises(TransformError, match="structure"):
        tree.transpose(outer, inner, [{"a": 1, "b": (2,)}, {"a": 3}])


def test_wrong_number_of_leaves() -> None:
    with pytest.raises(ValueError, match=r"[Ll]eaves"):
        tree.unflatten(tree.structure([1, 2]), [1])


def test_dataclasses_go_through_transforms() -> None:
    layer = Linear(np.asarray([2.0, 3.0]), np.asarray(1.0))
    found = rosin.grad(lambda layer: (layer.weight**2).sum() * layer.bias)(layer)
    assert isinstance(found, Linear)
    assert found.activation == "relu"
    np.testing.assert_allclose(found.weight, [4.0, 6.0])
    np.testing.assert_allclose(found.bias, 13.0)


def test_named_tuples_keep_their_class() -> None:
    Old = namedtuple("Old", "a b")  # the untyped kind too
    assert tree.map(lambda v: -v, Old(1, 2)) == Old(-1, -2)
    assert isinstance(rosin.compile(lambda p: p)(Point(1.0, 2.0)), Point)
