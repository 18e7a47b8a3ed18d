"""LLVM: what it knows of the host, and what it does with one module: read it, run passes, write machine code.

llvmlite has one lock around everything, which threads need not take for modules that share no context, and for machines
of their own, so its library is called without. Its Python is not loaded: that takes as long as to load the library.
Calls that take long let other threads have the interpreter meanwhile. The others keep it: who gives it away waits for a
turn to have it back, and there are dozens of such calls for a module, each of which takes microseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Generator, Sequence
from typing import Any

from rosin.runtime import processor

_Address = ctypes.c_void_p
_LONG: dict[str, tuple[tuple[Any, ...], Any]] = {
    "ParseAssembly": ((_Address, ctypes.c_char_p, _Address), _Address),
    "RunNewModulePassManager": ((_Address, _Address, _Address), None),
    "TargetMachineEmitToMemory": ((_Address, _Address, ctypes.c_int, _Address), _Address),
}
_SHORT: dict[str, tuple[tuple[Any, ...], Any]] = {
    "InitializeNativeTarget": ((), None),
    "InitializeNativeAsmPrinter": ((), None),
    "InitializeNativeAsmParser": ((), None),
    "SetCommandLine": ((ctypes.c_char_p, ctypes.c_char_p), None),
    "GetVersionInfo": ((), ctypes.c_uint),
    "GetHostCPUName": ((_Address,), None),
    "GetHostCPUFeatures": ((_Address,), ctypes.c_int),
    "GetDefaultTargetTriple": ((_Address,), None),
    "GetTargetFromTriple": ((ctypes.c_char_p, _Address), _Address),
    "CreateTargetMachine": (
        (_Address, *[ctypes.c_char_p] * 3, ctypes.c_int, *[ctypes.c_char_p] * 2, *[ctypes.c_int] * 2, ctypes.c_char_p),
        _Address,
    ),
    "DisposeTargetMachine": ((_Address,), None),
    "GetTargetMachineTriple": ((_Address, _Address), None),
    "CreateTargetMachineData": ((_Address,), _Address),
    "CopyStringRepOfTargetData": ((_Address, _Address), None),
    "DisposeTargetData": ((_Address,), None),
    "ContextCreate": ((), _Address),
    "ContextDispose": ((_Address,), None),
    "VerifyModule": ((_Address, _Address), ctypes.c_bool),
    "PrintModuleToString": ((_Address, _Address), None),
    "DisposeModule": ((_Address,), None),
    "DisposeString": ((_Address,), None),
    "GetBufferStart": ((_Address,), _Address),
    "GetBufferSize": ((_Address,), ctypes.c_size_t),
    "DisposeMemoryBuffer": ((_Address,), None),
    "CreatePipelineTuningOptions": ((), _Address),
    "DisposePipelineTuningOptions": ((_Address,), None),
    "CreatePassBuilder": ((_Address, _Address), _Address),
    "DisposePassBuilder": ((_Address,), None),
    "buildPerModuleDefaultPipeline": ((_Address, ctypes.c_int), _Address),
    "CreateNewModulePassManager": ((), _Address),
    "DisposeNewModulePassManger": ((_Address,), None),
    "module_AddAlwaysInlinerPass": ((_Address,), None),
    "module_AddSROAPass": ((_Address,), None),
    "module_AddInstCombinePass": ((_Address,), None),
    "module_AddSimplifyCFGPass": ((_Address,), None),
    "module_AddNewGVNPass": ((_Address,), None),
}
"""Functions of llvmlite: what each takes and gives."""


class Rejected(Exception):
    """LLVM's words on a text that it does not parse or verify, or that it has no machine code for."""


@functools.cache
def _library() -> Any:
    """An object with the functions as attributes, of LLVM with all that it needs for this processor."""
    path = processor.llvm_library()
    if path is None:
        raise ImportError("llvmlite, which has LLVM, is not installed")
    library: Any = type("Library", (), {})()
    for loaded, functions in ((ctypes.CDLL(path), _LONG), (ctypes.PyDLL(path), _SHORT)):
        for name, (takes, gives) in functions.items():
            function = getattr(loaded, f"LLVMPY_{name}")
            function.argtypes, function.restype = takes, gives
            setattr(library, name, function)
    library.InitializeNativeTarget()
    library.InitializeNativeAsmPrinter()
    library.InitializeNativeAsmParser()  # for text of the assembler in modules
    return library


def set_option(option: str) -> None:
    """Set an option of LLVM, as of its command line."""
    _library().SetCommandLine(b"rosin", option.encode())


def version() -> tuple[int, ...]:
    return tuple(_library().GetVersionInfo().to_bytes(4).lstrip(b"\0"))


def host() -> tuple[str, str, str]:
    """What LLVM calls the system, this processor and its features."""
    library, features = _library(), ctypes.c_char_p()
    triple, cpu = ctypes.c_char_p(), ctypes.c_char_p()
    library.GetDefaultTargetTriple(ctypes.byref(triple))
    library.GetHostCPUName(ctypes.byref(cpu))
    library.GetHostCPUFeatures(ctypes.byref(features))
    named = sorted(filter(None, _taken(features).split(",")), key=lambda feature: feature[1:])
    return _taken(triple), _taken(cpu), ",".join(named)


class Machine:
    """What makes code for a processor, with so much effort, for one thread at a time.

    Raises:
        Rejected: LLVM does not know the system, or has no machine for it.
    """

    def __init__(self, triple: str, cpu: str, features: str, effort: int) -> None:
        library, message = _library(), ctypes.c_char_p()
        target = library.GetTargetFromTriple(triple.encode(), ctypes.byref(message))
        if not target:
            raise Rejected(_taken(message))
        names = [name.encode() for name in (triple, cpu, features)]
        made = library.CreateTargetMachine(target, *names, effort, b"pic", b"small", 0, 0, b"")
        if not made:
            raise Rejected(f"no machine of {triple} could be made")
        self._as_parameter_: int = made
        self._dispose = library.DisposeTargetMachine

    def __del__(self) -> None:
        if hasattr(self, "_dispose"):
            self._dispose(self)

    def layout(self) -> str:
        """How values lie in memory, as modules say it."""
        library, message = _library(), ctypes.c_char_p()
        data = library.CreateTargetMachineData(self)
        library.CopyStringRepOfTargetData(data, ctypes.byref(message))
        library.DisposeTargetData(data)
        return _taken(message)

    def triple(self) -> str:
        """The system."""
        message = ctypes.c_char_p()
        _library().GetTargetMachineTriple(self, ctypes.byref(message))
        return _taken(message)


@contextlib.contextmanager
def module(text: str) -> Generator[int]:
    """The address of the module that a text says, in a context of its own; it is there until it is left.

    Raises:
        Rejected: LLVM does not parse or verify it.
    """
    library, message = _library(), ctypes.c_char_p()
    with contextlib.ExitStack() as last:
        context = library.ContextCreate()
        last.callback(library.ContextDispose, context)
        parsed = library.ParseAssembly(context, text.encode(), ctypes.byref(message))
        if not parsed:
            raise Rejected(f"LLVM IR parsing error\n{_taken(message)}")
        last.callback(library.DisposeModule, parsed)
        is_wrong, found = library.VerifyModule(parsed, ctypes.byref(message)), _taken(message)
        if is_wrong:
            raise Rejected(found)
        yield parsed


def run_passes(module: int, machine: Machine, passes: Sequence[str], speed: int = 0) -> None:
    """Run passes, by LLVM's names for them, or its whole pipeline of a speed level that is not 0."""
    library = _library()
    # One run for each builder: what a run notes with it points to what the run had on the stack.
    with contextlib.ExitStack() as last:
        options = library.CreatePipelineTuningOptions()
        last.callback(library.DisposePipelineTuningOptions, options)
        builder = library.CreatePassBuilder(machine, options)
        last.callback(library.DisposePassBuilder, builder)
        if speed:
            manager = library.buildPerModuleDefaultPipeline(builder, speed)
        else:
            manager = library.CreateNewModulePassManager()
            for name in passes:
                getattr(library, f"module_Add{name}Pass")(manager)
        last.callback(library.DisposeNewModulePassManger, manager)
        library.RunNewModulePassManager(manager, module, builder)


def machine_code(machine: Machine, module: int, is_object: bool = True) -> bytes:
    """The object code of a module, or the text of it in assembler.

    Raises:
        Rejected: there is none.
    """
    library, message = _library(), ctypes.c_char_p()
    buffer = library.TargetMachineEmitToMemory(machine, module, int(is_object), ctypes.byref(message))
    if not buffer:
        raise Rejected(_taken(message))
    try:
        return ctypes.string_at(library.GetBufferStart(buffer), library.GetBufferSize(buffer))
    finally:
        library.DisposeMemoryBuffer(buffer)


def printed(module: int) -> str:
    """The text of a module."""
    message = ctypes.c_char_p()
    _library().PrintModuleToString(module, ctypes.byref(message))
    return _taken(message)


def _taken(message: ctypes.c_char_p) -> str:
    """A text that LLVM has made, which then is no more."""
    text = (message.value or b"").decode()
    _library().DisposeString(message)
    return text
