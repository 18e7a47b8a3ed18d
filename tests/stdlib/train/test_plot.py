"""Figures of trainings: what is drawn where, round ticks, files that a training goes on with."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from rosin.stdlib import train
from rosin.stdlib.train import figures
from rosin.stdlib.train import plot as plots

SVG = "{http://www.w3.org/2000/svg}"


def texts(file: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(file).iter(f"{SVG}text")]


def paths(file: str) -> list[list[tuple[float, float]]]:
    """The points of the lines, which are the coloured paths of more than one point."""
    found = [node.get("d", "") for node in ET.fromstring(file).iter(f"{SVG}path") if node.get("stroke")]
    return [[(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", d)] for d in found if "h" not in d]


def training() -> train.Training:
    return train.Training(None, 1, None)  # pyright: ignore[reportArgumentType]


def run(plot: train.Plot, losses: list[float], *, after: int = 0, per_epoch: int = 10) -> None:
    """A training of these losses that begins after step `after`."""
    seen = training()
    plot.on_start(seen)
    for step, loss in enumerate(losses, after + 1):
        seen.step, seen.loss = step, loss
        plot.on_step(seen)
        if step % per_epoch == 0:
            seen.values = {"accuracy": step / 100, "test_accuracy": step / 200}
            plot.on_epoch(seen)
    plot.on_end(seen)


def test_lines_lie_where_their_numbers_are() -> None:
    points = [(0.0, 0.0), (1.0, 10.0), (2.0, 5.0)]
    drawn = figures.figure([figures.Panel("a < b", [figures.Line("x & y", points)], "steps")], "1 < 2")
    assert figures.note(drawn) == "1 < 2"
    (line,) = paths(drawn)
    x, y = np.asarray(line).T
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2) != 0
    assert (y[0] - y[1]) == pytest.approx(2 * (y[0] - y[2]), abs=0.3) != 0
    found = texts(drawn)
    assert {"a < b", "x & y", "steps", "0", "10", "0.5"} <= set(found)
    gaps = figures.figure([figures.Panel("", [figures.Line("", [(0, 1), (1, math.nan), (2, 3), (3, 4)])])])
    assert re.findall(r'd="M[^"L]*M[^"M]*L', gaps)
    assert "no finite numbers yet" in texts(figures.figure([figures.Panel("", [figures.Line("", [(0, math.inf)])])]))


def test_logarithmic_axes() -> None:
    points = [(float(n), 10.0**n) for n in range(-2, 4)] + [(4.0, -1.0)]
    drawn = figures.figure([figures.Panel("", [figures.Line("", points)], log=True)])
    (line,) = paths(drawn)
    assert len(line) == 6
    steps = np.diff([y for _, y in line])
    np.testing.assert_allclose(steps, steps[0], atol=0.2)
    assert {"0.01", "0.1", "1", "10", "100", "1000"} <= set(texts(drawn))


@pytest.mark.parametrize(
    ("low", "high", "log", "wanted"),
    [
        (0.0, 1.0, False, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-3.0, 7.0, False, ["-2", "0", "2", "4", "6"]),
        (0.0, 120_000.0, False, ["0", "20k", "40k", "60k", "80k", "100k", "120k"]),
        (0.961, 0.9745, False, ["0.962", "0.964", "0.966", "0.968", "0.970", "0.972", "0.974"]),
        (-1.0, 1.0, True, ["0.1", "0.2", "0.5", "1", "2", "5", "10"]),
        (0.0, 0.2, True, ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"]),
        (-12.0, 0.0, True, ["1e-12", "1e-10", "1e-08", "1e-06", "1e-04", "0.01", "1"]),
    ],
)
def test_ticks_are_round(low: float, high: float, log: bool, wanted: list[str]) -> None:
    found = [name.replace("0.0001", "1e-04") for _, name in figures._ticks(low, high, log)]
    assert found == wanted


def test_a_training_is_plotted_and_goes_on(tmp_path: Path) -> None:
    losses = [1 / n for n in range(1, 41)]
    whole, stopped = tmp_path / "whole.svg", tmp_path / "a" / "stopped.svg"
    run(train.Plot(whole, log={"loss"}), losses)
    # It was killed after step 27, and the checkpoint that it goes on from is of step 20.
    run(train.Plot(stopped, every=1, log={"loss"}), losses[:27])
    run(train.Plot(stopped, log={"loss"}), losses[20:], after=20)
    assert stopped.read_text() == whole.read_text()
    found = texts(whole.read_text())
    assert found.count("accuracy") == 2
    assert {"loss", "training loss", "test_accuracy"} <= set(found)
    assert [len(line) for line in paths(whole.read_text())] == [40, 40, 4, 4]
    # Another training in the same place begins anew, and so does one that finds a file of somebody else.
    run(train.Plot(whole), losses[:10])
    assert [len(line) for line in paths(whole.read_text())] == [10, 1, 1]
    whole.write_text("<svg/>")
    run(train.Plot(whole), losses[:10])
    assert [len(line) for line in paths(whole.read_text())] == [10, 1, 1]


def test_long_curves_become_means_of_spans() -> None:
    curve, numbers = plots._Curve(), np.random.default_rng(0).random(5000)
    for step, number in enumerate(numbers, 1):
        curve.add(step, float(number))
    assert 500 < len(curve.points) <= 1000
    assert curve.span == 8
    np.testing.assert_allclose([mean for _, mean, _ in curve.points], numbers.reshape(-1, 8).mean(axis=1))
    assert [step for step, _, _ in curve.points] == list(range(8, 5001, 8))
