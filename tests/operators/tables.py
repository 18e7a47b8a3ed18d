"""All tables together, and the operators whose second derivatives are compared too."""

from __future__ import annotations

from tests.operators import elementwise, indexing, movement, networks, reductions
from tests.operators.mapped import Table

FAMILIES: dict[str, Table] = {
    "elementwise": elementwise.TABLE,
    "reductions": reductions.TABLE,
    "movement": movement.TABLE,
    "indexing": indexing.TABLE,
    "networks": networks.TABLE,
}

TABLE: Table = {name: entry for family in FAMILIES.values() for name, entry in family.items()}

SECOND: list[str] = []
