"""What kinds of characters there are."""

from __future__ import annotations

_SPACES = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
)
"""Unicode's White_Space, which is not just what `str.isspace` holds for one."""


def is_space(character: str) -> bool:
    """Whether Unicode counts a character as white space."""
    return character in _SPACES
