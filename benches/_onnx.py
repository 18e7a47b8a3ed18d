"""ONNX Runtime as a peer: models are built node by node, weights are constants of them, and run with two threads."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from _rivals import Run

OPSET = 20


class Model:
    """A model of one output while it is built; values go by their names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: dict[str, np.ndarray[Any, Any]] = {}

    def input(self, array: np.ndarray[Any, Any]) -> str:
        """An input, and what it is given."""
        name = f"input{len(self.inputs)}"
        self.inputs[name] = array
        return name

    def constant(self, array: np.ndarray[Any, Any]) -> str:
        from onnx import numpy_helper

        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, op: str, *operands: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(operands), [name], **attributes))
        return name

    def conv(self, x: str, *weights: np.ndarray[Any, Any], stride: int = 1, groups: int = 1) -> str:
        """With a kernel, and a bias if there is one; padded so that the stride alone makes it smaller."""
        axes, before = weights[0].ndim - 2, (weights[0].shape[-1] - 1) // 2
        attributes = {"strides": [stride] * axes, "pads": [before] * 2 * axes, "group": groups}
        return self.node("Conv", x, *map(self.constant, weights), **attributes)

    def conv_transpose(self, x: str, kernel: np.ndarray[Any, Any], stride: int) -> str:
        """Cut so that the stride alone makes it larger."""
        axes, before = kernel.ndim - 2, (kernel.shape[-1] - stride) // 2
        return self.node("ConvTranspose", x, self.constant(kernel), strides=[stride] * axes, pads=[before] * 2 * axes)

    def prepared(self, output: str) -> Run:
        """What runs the model once."""
        import onnxruntime
        from onnx import TensorProto, helper

        given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in self.inputs.items()]
        made = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "work", given, made, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        return lambda: session.run(None, self.inputs)
