"""The house rules that imports can break, read from the source of every file in rosin/.

`ir < passes < backends < runtime < frontend < stdlib`: a file imports only from its own room or from rooms to the
left. Imports inside functions and under TYPE_CHECKING count like all others, except that within a room an import for
the sake of annotations alone may close a ring: an op's rules name the builder's type, and the builder makes ops.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("ir", "passes", "backends", "runtime", "frontend", "stdlib")
PEERS = {"jax", "numba", "onnxruntime", "optax", "scipy", "sklearn", "tensorflow", "torch"}
# Libraries that only some folders may know: those of the extras, and the one that is a target.
OWNERS = {
    "llvmlite": ("rosin/backends/llvm/", "rosin/runtime/"),
    "pycuda": ("rosin/backends/cuda/", "rosin/runtime/"),
    "nvidia": ("rosin/backends/cuda/", "rosin/runtime/"),
    "jaxlib": ("rosin/backends/stablehlo/", "rosin/runtime/"),
    "libtpu": ("rosin/backends/stablehlo/", "rosin/runtime/"),
    "PIL": ("rosin/stdlib/data/images/",),
}
MAY_PRINT = {"rosin/cli.py"}
TOP_FILES = {"rosin/__init__.py", "rosin/__main__.py", "rosin/cli.py"}
# Files with a table of modules that are loaded by name; the table is where to look.
MAY_LOAD = {*TOP_FILES, "rosin/stdlib/zoo/registry.py"}


@dataclass(frozen=True)
class Import:
    """One imported module: `import a.b`, or `from a import b` when a.b is a module or may be a name in a."""

    line: int
    module: str
    name: str | None = None
    typing_only: bool = False

    @property
    def full(self) -> str:
        return self.module if self.name is None else f"{self.module}.{self.name}"


def module_of(path: str) -> str:
    """The dotted name of the file at `path`: rosin/ir/ops/__init__.py is rosin.ir.ops."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def room_of(module: str) -> str | None:
    """The room that `module` lies in, None for `rosin` itself and whatever is not a room."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "rosin" and parts[1] in ROOMS else None


def imports_of(path: str, tree: ast.Module) -> Iterator[Import]:
    """Every import of a file, at whatever depth it stands."""
    nodes = list(ast.walk(tree))
    guards = [n for n in nodes if isinstance(n, ast.If) and ast.unparse(n.test).endswith("TYPE_CHECKING")]
    typing_only = {id(inner) for guard in guards for statement in guard.body for inner in ast.walk(statement)}
    for node in nodes:
        annotations = id(node) in typing_only
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name, None, annotations)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module_of(path).split(".")
                keep = len(package) - node.level + path.endswith("/__init__.py")
                base = ".".join([*package[:keep], *([base] if base else [])])
            for alias in node.names:
                yield Import(node.lineno, base, alias.name, annotations)


def base_dependencies() -> set[str]:
    """The import names of the libraries that every installation has."""
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return {re.split(r"[^\w-]", requirement)[0].replace("-", "_") for requirement in requirements}


def public_names(source: str) -> tuple[str, ...] | None:
    """The `__all__` of a module, None where it has none."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                return tuple(ast.literal_eval(node.value))
    return None


def arrow_faults(path: str, imports: Iterable[Import], public: tuple[str, ...] | None) -> Iterator[str]:
    """Imports against the order of the rooms."""
    own = room_of(module_of(path))
    if own is None:
        return
    for item in imports:
        if item.module.split(".")[0] != "rosin":
            continue
        room, where = room_of(item.full), f"{path}:{item.line}"
        if own == "stdlib" and room != "stdlib":
            if room is not None:
                yield f"{where}: imports {item.full}: stdlib uses only public names of rosin, never a room"
            elif any(part.startswith("_") for part in item.full.split(".")):
                yield f"{where}: imports {item.full}: stdlib uses only public names of rosin"
            elif public is not None and "." in item.full and item.full.split(".")[1] not in public:
                yield f"{where}: imports {item.full}: stdlib uses only names in rosin.__all__"
        elif room is None and own != "stdlib":
            yield f"{where}: imports {item.full}: a room never imports the top level of rosin, which imports all rooms"
        elif room is not None and ROOMS.index(room) > ROOMS.index(own):
            yield (
                f"{where}: {own} imports {item.full}: a room imports only from itself and the rooms to its left, "
                f"{' < '.join(ROOMS)}"
            )


def library_faults(path: str, imports: Iterable[Import], base: set[str]) -> Iterator[str]:
    """Imports of libraries that this file may not know."""
    for item in imports:
        library, where = item.module.split(".")[0], f"{path}:{item.line}"
        if library in PEERS:
            yield f"{where}: imports {library}: peers are for tests and benches, the package never imports them"
        elif library in OWNERS:
            if not path.startswith(OWNERS[library]):
                yield f"{where}: imports {library}: only {' and '.join(OWNERS[library])} may"
        elif library not in base | {"rosin"} and library not in sys.stdlib_module_names:
            yield f"{where}: imports {library}: not a base dependency in pyproject.toml, nor Python's own"


def code_faults(path: str, tree: ast.Module) -> Iterator[str]:
    """Wildcards, imports that no reader of imports sees, reaching into rooms by attribute, and prints."""
    in_stdlib = room_of(module_of(path)) == "stdlib"
    for node in ast.walk(tree):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        match node:
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                yield f"{where}: wildcard import: say which names"
            case ast.ImportFrom(module="importlib", names=names) if path not in MAY_LOAD:
                if any(alias.name == "import_module" for alias in names):
                    yield f"{where}: importlib.import_module: an import is written as a statement, where it can be seen"
            case ast.Attribute(value=ast.Name(id="importlib"), attr="import_module") | ast.Name(id="__import__") if (
                path not in MAY_LOAD
            ):
                yield f"{where}: {ast.unparse(node)}: an import is written as a statement, where it can be seen"
            case ast.Attribute(value=ast.Name(id="rosin"), attr=attr) if in_stdlib:
                if (attr in ROOMS and attr != "stdlib") or (attr.startswith("_") and not attr.startswith("__")):
                    yield f"{where}: uses rosin.{attr}: stdlib uses only public names of rosin"
            case ast.Call(func=ast.Name(id="print")) if path not in MAY_PRINT:
                yield f"{where}: print in library code: return text, or raise"


def cycle_faults(files: Mapping[str, Iterable[Import]]) -> Iterator[str]:
    """Files of one room that need each other, when they run, in a ring.

    A package's `__init__` counts only where it is imported by name: that it runs first is Python's doing.
    """
    modules = {module_of(path): path for path in files}
    graph: nx.DiGraph[str] = nx.DiGraph()
    for path, imports in files.items():
        for item in imports:
            if item.typing_only:
                continue
            target = modules.get(item.full) or modules.get(item.module)
            same_room = target is not None and room_of(module_of(target)) == room_of(module_of(path))
            if same_room and room_of(module_of(path)) is not None and not graph.has_edge(path, target):
                graph.add_edge(path, target, line=item.line)
    for ring in nx.strongly_connected_components(graph):
        start = min(ring)
        if len(ring) > 1 or graph.has_edge(start, start):
            cycle = nx.find_cycle(graph.subgraph(ring), start)
            steps = [f"{a}:{graph.edges[a, b]['line']} imports {b}" for a, b in cycle]
            yield f"{steps[0]}: a cycle of imports" + "".join(f"\n    {step}" for step in steps[1:])


def place_faults(paths: Iterable[str]) -> Iterator[str]:
    """Files that stand outside the six rooms."""
    for path in paths:
        if room_of(module_of(path)) is None and path not in TOP_FILES:
            yield f"{path}:1: rosin/ holds exactly six rooms, {', '.join(ROOMS)}, and no other module"


def check(files: Mapping[str, str]) -> list[str]:
    """Every breach of the rules in `files`, which maps a path such as rosin/ir/graph.py to its source."""
    imports: dict[str, list[Import]] = {}
    public, base = public_names(files.get("rosin/__init__.py", "")), base_dependencies()
    faults = list(place_faults(files))
    for path, source in files.items():
        # One tree at a time: looking for garbage among those of all files takes longer than all else.
        tree = ast.parse(source, path)
        imports[path] = list(imports_of(path, tree))
        faults += code_faults(path, tree)
    faults += cycle_faults(imports)
    for path, found in imports.items():
        faults += [*arrow_faults(path, found, public), *library_faults(path, found, base)]
    return sorted(dict.fromkeys(faults))


def public_faults(source: str) -> list[str]:
    """Names that the source of rosin/__init__.py binds in public and its `__all__` does not list, or twice."""
    bound: dict[str, int] = {}
    for node in ast.parse(source).body:
        match node:
            case ast.ImportFrom(module="__future__"):
                pass
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                bound |= {(alias.asname or alias.name.split(".")[0]): node.lineno for alias in names}
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound[name] = node.lineno
            case ast.Assign(targets=targets):
                bound |= {target.id: node.lineno for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                bound[name] = node.lineno
            case _:
                pass
    names = public_names(source) or ()
    faults = [
        f"rosin/__init__.py:{line}: {name} is public and not in __all__"
        for name, line in bound.items()
        if not name.startswith("_") and name not in names
    ]
    return faults + [
        f"rosin/__init__.py:1: {name} is twice in __all__" for name in sorted(set(names)) if names.count(name) > 1
    ]


def sources() -> dict[str, str]:
    return {
        file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted((ROOT / "rosin").rglob("*.py"))
    }


def test_the_house_rules_hold() -> None:
    files = sources()
    assert "rosin/__init__.py" in files
    faults = check(files)
    assert not faults, "\n" + "\n".join(faults)


def test_the_rooms_are_the_folders_of_rosin() -> None:
    folders = {folder.name for folder in (ROOT / "rosin").iterdir() if folder.is_dir() and folder.name != "__pycache__"}
    assert folders == set(ROOMS)


def test_all_lists_the_public_names() -> None:
    source = sources()["rosin/__init__.py"]
    faults = public_faults(source)
    assert not faults, "\n" + "\n".join(faults)
    rosin = importlib.import_module("rosin")
    absent = [name for name in public_names(source) or () if not hasattr(rosin, name)]
    assert not absent, f"rosin.__all__ lists {', '.join(absent)}, which rosin does not have"


GOOD = {
    "rosin/__init__.py": "from rosin.frontend.api import compile\n__all__ = ['compile', 'numpy']",
    "rosin/ir/__init__.py": "from rosin.ir.types import TensorType",
    "rosin/ir/types.py": "import numpy as np\nimport ml_dtypes",
    "rosin/ir/graph.py": "from __future__ import annotations\nfrom rosin.ir import types\nfrom rosin.ir.types import T",
    "rosin/passes/dce.py": "from rosin.ir import TensorType\nimport optree",
    "rosin/backends/llvm/jit.py": "import llvmlite.binding as llvm",
    "rosin/runtime/device.py": "def driver():\n    import pycuda.driver",
    "rosin/frontend/api.py": "from rosin import ir\nimport rosin.runtime.device\ndef compile(): ...",
    "rosin/stdlib/nn/__init__.py": "from rosin.stdlib.nn.linear import Linear",
    "rosin/stdlib/nn/linear.py": "import rosin\nfrom rosin import numpy as rnp\nrosin.grad\nimport rosin.numpy",
}


def test_the_checker_accepts_what_is_allowed() -> None:
    assert check(GOOD) == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("rosin/ir/a.py", "x = 1\nimport rosin.passes.dce", "rosin/ir/a.py:2: ir imports rosin.passes.dce: a room"),
        ("rosin/ir/a.py", "def f():\n    from rosin.backends.llvm import jit", "rosin/ir/a.py:2: ir imports"),
        ("rosin/ir/a.py", "from rosin import frontend", "rosin/ir/a.py:1: ir imports rosin.frontend"),
        ("rosin/ir/a.py", "from ..passes import dce", "rosin/ir/a.py:1: ir imports rosin.passes.dce"),
        ("rosin/ir/ops/__init__.py", "from ...passes import dce", "ir imports rosin.passes.dce"),
        (
            "rosin/passes/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import rosin.frontend.api",
            "rosin/passes/a.py:3: passes imports rosin.frontend.api",
        ),
        ("rosin/runtime/a.py", "import rosin", "rosin/runtime/a.py:1: imports rosin: a room never"),
        ("rosin/frontend/a.py", "from rosin import compile", "imports rosin.compile: a room never"),
        ("rosin/frontend/a.py", "import rosin.stdlib.nn", "frontend imports rosin.stdlib.nn"),
        ("rosin/stdlib/a.py", "from rosin.ir.types import TensorType", "stdlib uses only public names of rosin, never"),
        ("rosin/stdlib/a.py", "from rosin import frontend", "imports rosin.frontend: stdlib uses only"),
        ("rosin/stdlib/a.py", "from rosin import _secret", "imports rosin._secret: stdlib uses only public"),
        (
            "rosin/stdlib/a.py",
            "from rosin import secret",
            "imports rosin.secret: stdlib uses only names in rosin.__all__",
        ),
        ("rosin/stdlib/a.py", "import rosin\n\nrosin.ir.Graph", "rosin/stdlib/a.py:3: uses rosin.ir"),
        ("rosin/stdlib/a.py", "import rosin\nrosin._secret", "rosin/stdlib/a.py:2: uses rosin._secret"),
        ("rosin/frontend/a.py", "import torch.nn", "imports torch: peers"),
        ("rosin/frontend/a.py", "from jax import numpy", "imports jax: peers"),
        (
            "rosin/stdlib/a.py",
            "def f():\n    from sklearn import datasets",
            "rosin/stdlib/a.py:2: imports sklearn: peers",
        ),
        ("rosin/frontend/a.py", "import requests", "imports requests: not a base dependency"),
        (
            "rosin/passes/a.py",
            "import llvmlite.ir",
            "imports llvmlite: only rosin/backends/llvm/ and rosin/runtime/ may",
        ),
        ("rosin/backends/llvm/a.py", "import pycuda.driver", "imports pycuda: only rosin/backends/cuda/"),
        ("rosin/frontend/a.py", "from jaxlib import xla_client", "imports jaxlib: only rosin/backends/stablehlo/"),
        ("rosin/ir/a.py", "from rosin.ir.types import *", "rosin/ir/a.py:1: wildcard import"),
        ("rosin/ir/a.py", "def f():\n    print('x')", "rosin/ir/a.py:2: print in library code"),
        ("rosin/ir/a.py", "import importlib\nimportlib.import_module('x')", "rosin/ir/a.py:2: importlib.import_module"),
        ("rosin/ir/a.py", "from importlib import import_module", "rosin/ir/a.py:1: importlib.import_module"),
        ("rosin/ir/a.py", "__import__('rosin.passes')", "rosin/ir/a.py:1: __import__"),
        ("rosin/utils.py", "", "rosin/utils.py:1: rosin/ holds exactly six rooms"),
        ("rosin/utils/a.py", "", "rosin/utils/a.py:1: rosin/ holds exactly six rooms"),
        ("rosin/ir/types.py", "from rosin.ir import Graph", "a cycle of imports"),
        (
            "rosin/ir/types.py",
            "import numpy\ndef f():\n    from rosin.ir.graph import Graph",
            "rosin/ir/graph.py:2 imports rosin/ir/types.py: a cycle of imports\n    rosin/ir/types.py:3 imports",
        ),
    ],
)
def test_the_checker_catches(path: str, source: str, expected: str) -> None:
    faults = check(GOOD | {path: source})
    assert len(faults) == 1, faults
    assert expected in faults[0]


def test_the_command_line_may_print() -> None:
    assert check({"rosin/cli.py": "print('x')"}) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "from rosin.frontend.api import compile, grad\n__all__ = ['compile']",
            ":1: grad is public and not in __all__",
        ),
        ("import os\n__all__ = ('compile',)\ndef compile(): ...", ":1: os is public"),
        ("__all__ = ['compile', 'compile']\ndef compile(): ...", "compile is twice in __all__"),
        ("from __future__ import annotations\nversion: str = '1'", ":2: version is public"),
    ],
)
def test_the_checker_catches_unlisted_names(source: str, expected: str) -> None:
    faults = public_faults(source)
    assert len(faults) == 1, faults
    assert expected in faults[0]


def test_private_names_need_no_listing() -> None:
    assert public_faults("import os as _os\nfrom __future__ import annotations\n_x = 1\n__version__ = '1'") == []
