"""Figures of lines as SVG texts: panels with axes, ticks and a legend."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 520, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 16, 34, 44
_LETTER = 6.6
"""About how wide a letter is."""
_COLOURS = ("#2b6cb0", "#c9602a", "#2f855a", "#8b4aa8", "#b83249", "#4a5568", "#0f8b8d", "#a67c00")
_STYLE = (
    "text{font:12px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:#333}.t{font-size:14px;font-weight:600}"
    ".g{stroke:#e5e5e5}.a{stroke:#888}path{fill:none;stroke-width:1.8;stroke-linejoin:round}.f{opacity:.28;stroke-width:1}"
)


@dataclass(frozen=True)
class Line:
    """Points in the order of their first number; where the second is no finite number, the line has a gap."""

    name: str
    points: Sequence[tuple[float, float]]
    smooth: bool = False
    """Whether a running mean is drawn, with the points pale behind it."""


@dataclass(frozen=True)
class Panel:
    """Lines on the same two axes."""

    title: str
    lines: Sequence[Line]
    across: str = ""
    """What the horizontal axis counts."""
    log: bool = False
    """Whether the vertical axis is logarithmic; what is not positive is left out."""


def figure(panels: Sequence[Panel], note: str = "") -> str:
    """Panels, two in a row, as the text of an SVG file; `note` is put into its metadata."""
    columns = min(2, max(1, len(panels)))
    width, height = columns * _WIDTH, max(1, -(-len(panels) // columns)) * _HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<metadata>{html.escape(note, quote=False)}</metadata>",
        f'<style>{_STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, panel in enumerate(panels):
        x, y = number % columns * _WIDTH, number // columns * _HEIGHT
        parts += [f'<g transform="translate({x},{y})">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def note(text: str) -> str | None:
    """The `note` of a figure's text, None where it has none."""
    begin, end = text.find("<metadata>"), text.find("</metadata>")
    return html.unescape(text[begin + len("<metadata>") : end]) if 0 <= begin < end else None


@dataclass(frozen=True)
class _Axis:
    """Where numbers lie between two places of the picture."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, number: float) -> float:
        number = math.log10(number) if self.log else number
        return self.begin + (number - self.low) / (self.high - self.low) * (self.end - self.begin)


def _panel(panel: Panel) -> Iterator[str]:
    yield _text(panel.title, _LEFT, 20, "t")
    names, top = _legend([line.name for line in panel.lines])
    yield from names
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    lines = [_drawable(line, panel.log) for line in panel.lines]
    known = [point for line in lines for point in line.points if not math.isnan(point[1])]
    if not known:
        yield _text("no finite numbers yet", (_LEFT + right) / 2, (top + bottom) / 2, anchor="middle")
        return
    xs, ys = zip(*known, strict=True)
    low, high = (math.log10(min(ys)), math.log10(max(ys))) if panel.log else (min(ys), max(ys))
    across = _Axis(*_room(min(xs), max(xs), 0.0), _LEFT, right)
    up = _Axis(*_room(low, high, 0.04), bottom, top, panel.log)
    for tick, label in _ticks(up.low, up.high, panel.log):
        yield f'<path class="g" d="M{_LEFT} {up(tick):.1f}H{right}"/>'
        yield _text(label, _LEFT - 6, up(tick) + 4, anchor="end")
    for tick, label in _ticks(across.low, across.high, False):
        yield f'<path class="a" d="M{across(tick):.1f} {bottom}v5"/>'
        yield _text(label, across(tick), bottom + 19, anchor="middle")
    yield f'<path class="a" d="M{_LEFT} {top}V{bottom}H{right}"/>'
    yield _text(panel.across, (_LEFT + right) / 2, bottom + 36, anchor="middle")
    for number, line in enumerate(lines):
        yield from _drawn(line, _COLOURS[number % len(_COLOURS)], across, up)


def _legend(names: Sequence[str]) -> tuple[list[str], float]:
    """The names with their colours, in as many rows as they need, and where the space below begins."""
    x, y = float(_LEFT), float(_TOP)
    parts: list[str] = []
    for number, name in enumerate(names):
        room = 24 + _LETTER * len(name) + 14
        if x > _LEFT and x + room > _WIDTH:
            x, y = float(_LEFT), y + 17
        parts.append(f'<path d="M{x:.0f} {y:.0f}h16" stroke="{_COLOURS[number % len(_COLOURS)]}"/>')
        parts.append(_text(name, x + 21, y + 4))
        x += room
    return parts, y + 14


def _drawable(line: Line, log: bool) -> Line:
    """The line with NaN for what has no place."""
    known = [(x, y if math.isfinite(y) and (y > 0 or not log) else math.nan) for x, y in line.points]
    return Line(line.name, known, line.smooth)


def _drawn(line: Line, colour: str, across: _Axis, up: _Axis) -> Iterator[str]:
    if line.smooth and len(line.points) > 20:
        yield f'<path class="f" stroke="{colour}" d="{_path(line.points, across, up)}"/>'
        yield f'<path stroke="{colour}" d="{_path(_smoothed(line.points), across, up)}"/>'
        return
    yield f'<path stroke="{colour}" d="{_path(line.points, across, up)}"/>'
    if len(line.points) <= 20:
        for x, y in line.points:
            if not math.isnan(y):
                yield f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.4" fill="{colour}"/>'


def _smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """For each point the mean of a twentieth of all, as many before it as after it."""
    known = [0.0 if math.isnan(y) else y for _, y in points]
    sums = list(itertools.accumulate(known, initial=0.0))
    counts = list(itertools.accumulate((not math.isnan(y) for _, y in points), initial=0))
    found: list[tuple[float, float]] = []
    for place, (x, y) in enumerate(points):
        reach = min(len(points) // 40, place, len(points) - 1 - place)
        begin, end = place - reach, place + reach + 1
        found.append((x, y if math.isnan(y) else (sums[end] - sums[begin]) / (counts[end] - counts[begin])))
    return found


def _path(points: Sequence[tuple[float, float]], across: _Axis, up: _Axis) -> str:
    parts: list[str] = []
    pen_up = True
    for x, y in points:
        if not math.isnan(y):
            parts.append(f"{'M' if pen_up else 'L'}{across(x):.1f} {up(y):.1f}")
        pen_up = math.isnan(y)
    return "".join(parts)


def _room(low: float, high: float, margin: float) -> tuple[float, float]:
    """The range with a part of it added on both sides; one number gets some room around it."""
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        around = abs(low) / 10 or 1.0
        return low - around, high + around
    added = (high - low) * margin
    return low - added, high + added


def _ticks(low: float, high: float, log: bool) -> list[tuple[float, str]]:
    """Round numbers in a range, at most eight or so, and their names."""
    if log and high - low > 0.5:
        whole = math.floor(high) - math.ceil(low) + 1
        digits = (1,) if whole > 3 else (1, 2, 5)
        every = max(1, -(-whole // 7))
        decades = range(math.floor(low), math.floor(high) + 1)
        found = [d * 10.0**n for n in decades if n % every == 0 for d in digits]
        return [(t, _name(t)) for t in found if low <= math.log10(t) <= high]
    if log:
        return [(t, name) for t, name in _ticks(10**low, 10**high, False) if t > 0]
    rough = (high - low) / 7
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * n for n in (1, 2, 5, 10) if unit * n >= rough * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(n * step, _name(n * step, decimals)) for n in range(first, last + 1)]


def _name(number: float, decimals: int | None = None) -> str:
    size = abs(number)
    if size >= 10_000 or 0 < size < 1e-3:
        for power, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if size >= power:
                return f"{number / power:.6g}{letter}"
        return f"{number:.3g}"
    return f"{number:.6g}" if decimals is None else f"{number:.{decimals}f}"


def _text(text: str, x: float, y: float, kind: str = "", anchor: str = "") -> str:
    options = f' class="{kind}"' * bool(kind) + f' text-anchor="{anchor}"' * bool(anchor)
    return f'<text x="{x:.1f}" y="{y:.1f}"{options}>{html.escape(text)}</text>'
