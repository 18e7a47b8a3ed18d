"""Random keys for building a model: one key for the whole, or `Keys`, which gives a new one whenever it is asked."""

from __future__ import annotations

import rosin
from rosin import Array


class Keys:
    """Keys one after the other, each its own: what constructors of modules take as `key` and hand on to what they hold.

    It counts, so the keys depend on the first one and on the order of asking only.
    """

    def __init__(self, key: int | Array) -> None:
        """`key` is a key of `rosin.random`, or a number for `rosin.random.key`."""
        self._key = rosin.random.key(key) if isinstance(key, int) else key
        self._given = 0

    def __call__(self) -> Array:
        """A key that was not given before."""
        self._given += 1
        return rosin.random.fold_in(self._key, self._given)


KeyLike = Keys | Array | int


def keys_of(key: KeyLike) -> Keys:
    """A source of keys for a constructor: the one that is given on, or a new one."""
    return key if isinstance(key, Keys) else Keys(key)
