"""`import rosin` loads NumPy, optree and ml_dtypes; every other library waits until something uses it.

How many CPU seconds that takes is measured by benches/import_time.py. Here nothing is timed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ALLOWED = "import numpy, optree, ml_dtypes"
HEAVY = {"jax", "jaxlib", "llvmlite", "mpmath", "networkx", "pycuda", "scipy", "sklearn", "sympy", "torch", "tqdm"}
# Parts of Python's own library that take milliseconds each, and that few programs need.
HEAVY_STDLIB = {"asyncio", "concurrent.futures", "http", "multiprocessing", "sqlite3", "unittest", "webbrowser", "xml"}


def modules_after(statement: str) -> set[str]:
    """The names of all modules that a fresh interpreter holds after `statement`."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def top_level(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


def test_the_probe_sees_what_a_statement_loads() -> None:
    assert "networkx" in modules_after("import networkx")


def test_import_loads_no_heavy_module() -> None:
    loaded = modules_after("import rosin")
    assert "rosin" in loaded
    assert not top_level(loaded) & HEAVY
    added = loaded - modules_after(ALLOWED)
    assert not added & HEAVY_STDLIB
    # Further parts of the allowed libraries, such as numpy.typing, are allowed too.
    others = top_level(added) - sys.stdlib_module_names - {"rosin", "numpy", "optree", "ml_dtypes"}
    assert not {name for name in others if not name.startswith("_")}


def test_array_functions_that_few_programs_need_wait() -> None:
    rare = {f"rosin.frontend.numpy.{name}" for name in ("histograms", "linalg", "padding", "polynomials", "statistics")}
    assert not rare & modules_after("import rosin; rosin.numpy.sum(rosin.numpy.ones(3))")
    assert rare & modules_after("import rosin; rosin.numpy.average") == {"rosin.frontend.numpy.statistics"}
    assert rare <= modules_after("from rosin.numpy import *; average, histogram")


def test_the_zoo_loads_a_model_when_it_is_asked_for() -> None:
    loaded = modules_after("import rosin.stdlib.zoo")
    assert not top_level(loaded) & ((HEAVY - {"tqdm"}) | {"matplotlib", "mlxtend", "tokenizers", "transformers"})
    assert not {name for name in loaded if name.startswith("rosin.stdlib.zoo.") and name.count(".") > 3}
    asked = modules_after("from rosin.stdlib import zoo; zoo.card('lenet')")
    assert "rosin.stdlib.zoo.vision.lenet" in asked
