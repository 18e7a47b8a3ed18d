"""Compiles one emitted elementwise function into a loop over arrays, for the tests of the vector mathematics."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Literal

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from rosin.backends.llvm.emit import Emitter, Val

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

Array = NDArray[np.floating]


def module_text(emit: Callable[..., Val], arity: int, elem: str, lanes: int, avx512: bool = False) -> str:
    """A module with `void @kernel(ptr in..., ptr out, i64 vectors)`."""
    e = Emitter(avx512=avx512)
    pointers = [Val(f"%in{i}", "ptr") for i in range(arity)]
    index = Val("%index", "i64")
    start = e.mul(index, Val(str(lanes), "i64"))
    arguments = [e.load(e.offset(p, start, elem), elem, lanes, align=4) for p in pointers]
    e.store(emit(e, *arguments), e.offset(Val("%out", "ptr"), start, elem), align=4)
    parameters = ", ".join(["ptr noalias " + p.ref for p in pointers] + ["ptr noalias %out", "i64 %vectors"])
    return "\n".join(
        [
            *sorted(e.declarations),
            f"define void @kernel({parameters}) {{",
            "entry:",
            "  br label %loop",
            "loop:",
            "  %index = phi i64 [0, %entry], [%next, %loop]",
            *e.lines,
            "  %next = add i64 %index, 1",
            "  %more = icmp ult i64 %next, %vectors",
            "  br i1 %more, label %loop, label %done",
            "done:",
            "  ret void",
            "}",
        ]
    )


def compile_text(
    text: str, level: Literal[0, 1, 2, 3] = 2
) -> tuple[llvm.ExecutionEngine, llvm.TargetMachine, llvm.ModuleRef]:
    module = llvm.parse_assembly(text)
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=level, jit=True
    )
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=level))
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine, machine, module


class Kernel:
    """The compiled loop; call it with contiguous arrays of one length."""

    def __init__(
        self, emit: Callable[..., Val], arity: int, dtype: type[np.floating], lanes: int, avx512: bool = False
    ) -> None:
        elem = "float" if dtype is np.float32 else "double"
        self.dtype, self.lanes = dtype, lanes
        self.engine, self.machine, self.module = compile_text(module_text(emit, arity, elem, lanes, avx512))
        address = self.engine.get_function_address("kernel")
        self.run = ctypes.CFUNCTYPE(None, *([ctypes.c_void_p] * (arity + 1)), ctypes.c_int64)(address)

    def __call__(self, *arguments: Array) -> Array:
        count = len(arguments[0])
        vectors = -(-count // self.lanes)
        padded = [np.zeros(vectors * self.lanes, self.dtype) for _ in arguments]
        for target, source in zip(padded, arguments, strict=True):
            target[:count] = source
        out = np.empty(vectors * self.lanes, self.dtype)
        if vectors:
            self.run(*[a.ctypes.data for a in padded], out.ctypes.data, vectors)
        return out[:count]
