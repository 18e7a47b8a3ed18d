"""How arrays lie on devices, as Shardy writes it, the dialect by which XLA is told."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rosin.ir.sharding import Axes

MESH = "@mesh"


def mesh_text(mesh: Mapping[str, int]) -> str:
    """The mesh: `sdy.mesh @mesh = <["data"=4]>`."""
    axes = ", ".join(f"{json.dumps(name)}={size}" for name, size in mesh.items())
    return f"sdy.mesh {MESH} = <[{axes}]>"


def place_text(axes: Axes, rank: int) -> str:
    """How an array lies: `<@mesh, [{"data"}, {}]>`."""
    along = (*axes, *[()] * (rank - len(axes)))
    cuts = (f"{{{', '.join(map(json.dumps, names))}}}" for names in along)
    return f"<{MESH}, [{', '.join(cuts)}]>"


def attribute_text(axes: Axes, rank: int) -> str:
    """The attribute of an argument or a result."""
    return f"sdy.sharding = #sdy.sharding{place_text(axes, rank)}"
