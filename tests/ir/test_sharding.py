"""Arrays cut along the axes of a mesh of devices, and put together again."""

from __future__ import annotations

import numpy as np
import pytest

from rosin.ir.errors import AttributeValueError
from rosin.ir.sharding import Axes, check_cuts, parts, whole
from rosin.ir.types import parse_type

MESH = (("data", 2), ("model", 3))


@pytest.mark.parametrize(
    ("axes", "shape", "part"),
    [
        ((), (6, 4), (6, 4)),
        ((("data",),), (6, 4), (3, 4)),
        (((), ("model",)), (2, 6), (2, 2)),
        ((("model",), ("data",)), (6, 4, 5), (2, 2, 5)),
        ((("data", "model"),), (12,), (2,)),
        ((("model", "data"), ()), (6, 0), (1, 0)),
        ((), (), ()),
    ],
)
def test_parts_make_the_whole(axes: Axes, shape: tuple[int, ...], part: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    found = parts(x, axes, MESH)
    assert [p.shape for p in found] == [part] * 6
    np.testing.assert_array_equal(whole(found, axes, MESH), x)


def test_devices_are_numbered_along_the_last_axis_first() -> None:
    x = np.arange(6)
    assert [p.tolist() for p in parts(x, (("data", "model"),), MESH)] == [[0], [1], [2], [3], [4], [5]]
    assert [p.tolist() for p in parts(x, (("model", "data"),), MESH)] == [[0], [2], [4], [1], [3], [5]]
    assert [p.tolist() for p in parts(x, (("data",),), MESH)] == [[0, 1, 2]] * 3 + [[3, 4, 5]] * 3


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ((("rows",),), r"x: the mesh has no axis 'rows'; it has 'data', 'model'"),
        (((), ("data",)), r"x: axis 1 of size 5 is cut along 'data' into 2 parts, which would differ in size"),
        (((), (), ("data",)), r"x: 3 axes are cut, and it has 2"),
        ((("data",), ("data",)), r"x: the axis 'data' of the mesh cuts it twice"),
    ],
)
def test_what_cannot_be_cut(axes: Axes, message: str) -> None:
    with pytest.raises(AttributeValueError, match=message):
        check_cuts(parse_type("f32[4, 5]"), axes, dict(MESH), "x")
