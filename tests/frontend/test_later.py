"""Modules that load on first use: each way to name them works, gives one module, and importing rosin loads none."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import rosin

ROOT = Path(__file__).parents[2]
MODULES = [("rosin.numpy", "fft"), *(("rosin.scipy", name) for name in rosin.scipy.__all__)]
WAYS = ("import {0}.{1}; found = {0}.{1}", "from {0} import {1} as found", "import rosin; found = {0}.{1}")


def run(program: str) -> str:
    """What the program prints in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_name_a_module_loads_the_one_module(way: str) -> None:
    """Each module in a process of its own, of which all have loaded what is not to be told apart."""
    program, wanted = "import os, sys, numpy, rosin\n", []
    for package, name in MODULES:
        inside = f"{package.replace('rosin.', 'rosin.frontend.')}.{name}"
        test = f"{way.format(package, name)}; print(found is sys.modules['{inside}'], found.__spec__.name, flush=True)"
        program += f"if not (child := os.fork()):\n    {test}\n    os._exit(0)\nos.waitpid(child, 0)\n"
        wanted.append(f"True {inside}")
    assert run(program).splitlines() == wanted


def test_importing_rosin_loads_none() -> None:
    names = {f"{package.replace('rosin.', 'rosin.frontend.')}.{name}" for package, name in MODULES}
    assert run(f"import rosin, sys\nprint(sorted({names!r} & set(sys.modules)))") == "[]"


def test_all_names_of_the_modules_are_there() -> None:
    for package, name in MODULES:
        module = importlib.import_module(f"{package}.{name}")
        assert [public for public in module.__all__ if not hasattr(module, public)] == []


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'rosin\.scipy\.nothing'"):
        importlib.import_module("rosin.scipy.nothing")
    with pytest.raises(AttributeError, match=r"module 'rosin\.frontend\.scipy' has no attribute 'nothing'"):
        rosin.scipy.nothing
