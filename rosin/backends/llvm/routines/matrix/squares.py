"""Squares of numbers in vectors: as many vectors as each has lanes."""

from __future__ import annotations

from rosin.backends.llvm.emit import Emitter, Val


def transposed(e: Emitter, rows: list[Val]) -> list[Val]:
    """As many vectors as they have lanes, rows and columns exchanged: by halves, quarters, and so on."""
    count, elem = len(rows), rows[0].elem
    half = 1
    while half < count:
        masks: list[str] = []
        for high in (False, True):
            picks = [c + (count - half if c & half else 0) for c in range(count)]
            if high:
                picks = [c + (count if c & half else half) for c in range(count)]
            masks.append(", ".join(f"i32 {pick}" for pick in picks))
        made = list(rows)
        for i in range(count):
            if i & half:
                continue
            a, b = rows[i], rows[i + half]
            for place, mask in zip((i, i + half), masks, strict=True):
                text = f"shufflevector {a.typed}, {b.typed}, <{count} x i32> <{mask}>"
                made[place] = e.define(text, elem, count)
        rows = made
        half *= 2
    return rows
