"""Text to graph: the inverse of rosin.ir.printer."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import Any, NoReturn

from rosin.ir import dims, host, literal
from rosin.ir.builder import Builder
from rosin.ir.dtypes import BY_NAME
from rosin.ir.errors import ParseError
from rosin.ir.graph import Graph
from rosin.ir.op import REGISTRY, Op, Value
from rosin.ir.ops import call as _call  # noqa: F401  # pyright: ignore[reportUnusedImport]  # registers its ops
from rosin.ir.ops import effect as _effect  # noqa: F401  # pyright: ignore[reportUnusedImport]  # its too
from rosin.ir.ops import fourier as _fourier  # noqa: F401  # pyright: ignore[reportUnusedImport]  # Fourier's too
from rosin.ir.ops import matrices as _matrices  # noqa: F401  # pyright: ignore[reportUnusedImport]  # those of matrices
from rosin.ir.ops import scan as _scan  # noqa: F401  # pyright: ignore[reportUnusedImport]  # and those of control flow
from rosin.ir.types import TensorType, parse_type

_TOKEN = re.compile(
    r"""(?P<space>[ \t\n]+|\#[^\n]*)
      | (?P<type>(?:bool|bf16|[iufc]\d+)\[[^\]]*\])
      | (?P<size>\[[^\]]*\])
      | (?P<host>host\("[^"]*"\))
      | (?P<dense>dense\((?:"[^"]*"|[^()"]*)\))
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<number>-?(?:inf|nan|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\b|-?\d+\.)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<punctuation>[{}():,=])""",
    re.VERBOSE,
)


def parse(source: str) -> Graph:
    """The graph written as `source`.

    Raises:
        ParseError: the text is not a graph; the message gives the line.
        RosinError: an op's type rule refuses its operands, or a type that is written is not what the rule gives.
    """
    parser = _Parser(source)
    parser.expect("graph")
    name = parser.take("word")
    graph = parser.graph(name)
    if parser.position < len(parser.tokens):
        parser.fail(f"text after the end of the graph: {parser.peek()!r}")
    return graph


def _rare_op(name: str) -> type[Op] | None:
    """An op among the special functions, which load when one is named."""
    from rosin.ir.ops.formulas import every as _every  # noqa: F401  # pyright: ignore[reportUnusedImport]

    return REGISTRY.get(name)


class _Parser:
    def __init__(self, source: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        self.position = 0
        at, line = 0, 1
        while at < len(source):
            match = _TOKEN.match(source, at)
            if match is None:
                raise ParseError(f"line {line}: unexpected {source[at : at + 10]!r}")
            kind = match.lastgroup or ""
            if kind != "space":
                self.tokens.append((kind, match[0], line))
            line += match[0].count("\n")
            at = match.end()

    def fail(self, message: str) -> NoReturn:
        at = min(self.position, len(self.tokens) - 1)
        line = self.tokens[at][2] if self.tokens else 1
        raise ParseError(f"line {line}: {message}")

    def peek(self) -> str:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    def kind(self) -> str:
        return self.tokens[self.position][0] if self.position < len(self.tokens) else ""

    def take(self, kind: str) -> str:
        if self.kind() != kind:
            self.fail(f"expected a {kind}, found {self.peek()!r}")
        self.position += 1
        return self.tokens[self.position - 1][1]

    def accept(self, text: str) -> bool:
        if self.peek() != text:
            return False
        self.position += 1
        return True

    def expect(self, text: str) -> None:
        if not self.accept(text):
            self.fail(f"expected {text!r}, found {self.peek()!r}")

    def graph(self, name: str) -> Graph:
        b = Builder()
        env: dict[str, Value] = {}
        self.expect("(")
        while not self.accept(")"):
            value_name, type = self.typed_name()
            self.declare(env, value_name, b.input(type, value_name))
            self.accept(",")
        self.expect("{")
        while not self.accept("return"):
            self.node(b, env)
        outputs: list[Value] = []
        while not self.accept("}"):
            outputs.append(self.value(env))
            self.accept(",")
        return b.graph(outputs, name)

    def typed_name(self) -> tuple[str, TensorType]:
        name = self.take("word")
        self.expect(":")
        return name, parse_type(self.take("type"))

    def declare(self, env: dict[str, Value], name: str, value: Value) -> None:
        if name in env:
            self.fail(f"{name!r} is defined twice")
        env[name] = value

    def value(self, env: dict[str, Value]) -> Value:
        name = self.take("word")
        return env[name] if name in env else self.fail(f"{name!r} is not defined")

    def node(self, b: Builder, env: dict[str, Value]) -> None:
        results: list[tuple[str, TensorType]] = []
        if self.position + 1 < len(self.tokens) and self.tokens[self.position + 1][1] == ":":
            results.append(self.typed_name())
            while self.accept(","):
                results.append(self.typed_name())
            self.expect("=")
        name = self.take("word")
        op_class = REGISTRY.get(name) or _rare_op(name)
        if op_class is None:
            self.fail(f"no op is called {name!r}")
        self.expect("(")
        operands: list[Value] = []
        while not self.accept(")"):
            operands.append(self.value(env))
            self.accept(",")
        attributes: dict[str, Any] = {}
        names = [f.name for f in fields(op_class)]
        while self.peek() in names and self.tokens[self.position + 1][1] == "=":
            attribute = self.take("word")
            self.expect("=")
            of = results[0][1] if results else None
            attributes[attribute] = self.attribute(attribute, of)
        missing = [f.name for f in fields(op_class) if f.name not in attributes and f.default is MISSING]
        if missing:
            self.fail(f"{name} lacks the attribute {missing[0]!r}")
        values = b.node(op_class(**attributes), *operands, names=[n for n, _ in results])
        if [v.type for v in values] != [t for _, t in results]:
            self.fail(f"{name} gives {', '.join(str(v.type) for v in values)}, not what is written")
        for (result, _), value in zip(results, values, strict=True):
            self.declare(env, result, value)

    def region(self) -> bool:
        """Whether the parenthesis that opens here is the head of a region rather than a tuple."""
        depth, at = 0, self.position
        while at < len(self.tokens):
            depth += {"(": 1, ")": -1}.get(self.tokens[at][1], 0)
            at += 1
            if depth == 0:
                break
        return at < len(self.tokens) and self.tokens[at][1] == "{"

    def attribute(self, name: str, result: TensorType | None) -> Any:
        """The value of the attribute of that name: a region, a tuple, or a word."""
        if self.peek() == "(" and self.region():
            return self.graph(name)
        if self.accept("("):
            parts: list[Any] = []
            while not self.accept(")"):
                parts.append(self.attribute(name, result))
                self.accept(",")
            return tuple(parts)
        kind = self.kind()
        text = self.take(kind)
        if kind == "string":
            return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text[1:-1])
        if kind == "type":
            return parse_type(text)
        if kind == "size":
            return dims.parse(text[1:-1])
        if kind == "dense" and result is not None:
            return literal.parse_array(text[len("dense(") : -1], result)
        if kind == "host":
            return host.find(text[len('host("') : -2])
        if kind == "number":
            return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
        constants = {"True": True, "False": False, "None": None, **BY_NAME}
        return constants[text] if text in constants else self.fail(f"{text!r} is not an attribute's value")
