"""The main job, as `make demo` runs it: it learns, it repeats itself, and a second process compiles nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SECOND_PROCESS = """
import sys
sys.path.insert(0, sys.argv[1])
from rosin.runtime import jit
compiled = []
original = jit._emitted
jit._emitted = lambda *args: compiled.append(1) or original(*args)
import digits
params, *_ = digits.train(3, 1)
import hashlib, numpy as np
weights = b"".join(np.asarray(value).tobytes() for value in vars(params).values())
print(len(compiled), hashlib.sha256(weights).hexdigest())
"""


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch):  # a module
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import digits

    return digits


def test_it_learns(digits) -> None:  # a module
    params, _, _ = digits.train(seed=0, epochs=40)
    _, _, images, labels = digits.load()
    assert float(digits.accuracy(params, images, labels)) >= 0.98


def test_the_same_seed_gives_the_same_bits(digits) -> None:  # a module
    first, second, other = (vars(digits.train(seed, 2)[0]) for seed in (5, 5, 6))
    assert all(np.array_equal(np.asarray(first[name]), np.asarray(second[name])) for name in first)
    assert not np.array_equal(np.asarray(first["dense"]), np.asarray(other["dense"]))


def test_it_agrees_with_numpy_step_by_step(digits) -> None:  # a module
    _, _, apart = digits.side_by_side(seed=1, rounds=10)
    assert apart < 1e-4


def test_every_stage_is_written(digits, tmp_path: Path) -> None:  # a module
    digits.write_stages(tmp_path, seed=0)
    names = sorted(file.stem.partition("-")[2] for file in tmp_path.iterdir())
    assert {"traced", "simplify", "cse", "loops", "llvm", "assembly"} <= set(names)
    assert all(file.stat().st_size > 500 for file in tmp_path.iterdir())
    loops = next(tmp_path.glob("*-loops.txt")).read_text()
    assert "takes the memory of params_conv1" in loops


def test_a_second_process_compiles_nothing_and_gets_the_same_bits(tmp_path: Path) -> None:
    environment = os.environ | {"ROSIN_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", SECOND_PROCESS, str(EXAMPLES)]
    outputs = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert int(outputs[0][0]) > 0
    assert int(outputs[1][0]) == 0
    assert outputs[0][-1] == outputs[1][-1]
