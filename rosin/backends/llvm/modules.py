"""The text of a program as one LLVM module, or as several, which threads compile at the same time.

Kernels go to the modules by their length. The first module has the rest of the program, and declares the kernels that
are elsewhere. Those of a long program are given away while the rest of its text is still to be made (`Text.ahead`).
Constants belong to the module alone that they are in, so each has those that it mentions. A helper that kernels call is
in one of the modules, since some take LLVM long.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from rosin.backends.llvm.names import CODE, NOW, RECEIVER
from rosin.ir.dataclass import dataclass

MODULE_CHARACTERS = 3_000
"""A module of less is compiled in so little time that another thread would not help."""

ASSEMBLER_SHARE = 8
"""So many characters of the assembler take LLVM as long as one of its own."""

COLD_SHARE = 3
"""And so many of a function that it is not to improve."""

COLD_CHARACTERS = 1_500
"""Of so many, such functions are a module of their own: beside others LLVM's passes go over them, if in vain."""

AHEAD_CHARACTERS = 5_500
"""Functions of so many are given away as a module: it takes LLVM a millisecond to begin with one."""

AHEAD_SHARE = 4
"""And of one in so many of all before: then modules are few, and the last ones so short that threads end together."""

COLD = " noinline optnone"
"""What ends the head of a function that LLVM is not to improve."""

INLINE = "alwaysinline"
"""What the head of a function has that is to stand where it is called."""

_COLD_HEAD = COLD + " {"
_SLOT = re.compile(r" = alloca (?!\[\d{3,} x )")
"""Room on the stack, but for arrays that are too long for registers."""
_ASSEMBLER = re.compile(r' asm sideeffect "[^"]*"')
_NAME = re.compile(r'@([\w.$-]+|"[^"]+")')
_FUNCTION = re.compile(r"^define internal void @", re.MULTILINE)
_HELPER = re.compile(r"define internal (.*?)(?:" + COLD + r")? \{\n")
_VARIABLE = re.compile(r"^(@\S+) = (?:internal )?global (.*) \S+$")
_SIGNATURE = re.compile(r"define (?:internal )?(.*?)(?: nounwind)?(?:" + COLD + r")? \{\n")


@dataclass(frozen=True)
class Text:
    """The pieces of a program's text."""

    title: str
    variables: Sequence[str]
    """Constants of the program's own, and what calls of Python go through."""
    helpers: Sequence[str]
    """Declarations of what is elsewhere, and what several functions use."""
    functions: Sequence[str]
    """Each the function of a kernel or of a thread."""
    body: str
    """What calls them."""
    elsewhere: Sequence[str] = ()
    """The names of functions that have been given away."""
    exported: frozenset[str] = frozenset()
    """The helpers that are in modules by now, which others may call."""

    def module(self) -> str:
        """All of it as one module."""
        return "\n".join([self.title, *self.variables, *self.helpers, "", *self.functions, self.body, ""])

    def modules(self, most: int) -> list[str]:
        """All of it as at most so many modules, of which the first has the body."""
        outside = self._outside()
        helpers = {function: self._own_helpers(function, outside) for function in self.functions}
        once = [*self.functions, *(outside[name] for name in set[str]().union(*helpers.values()))]
        count = min(most, len(self.functions), sum(map(_length, once)) // MODULE_CHARACTERS)
        if count < 2 and not self.elsewhere:
            return [self.module()]
        count = max(count, 1)
        names = {*self.elsewhere, RECEIVER, *(_defined(function) for function in self.functions)}
        parts: list[list[str]] = [[] for _ in range(count)]
        lengths = [len(self.body)] + [0] * (count - 1)
        placed: set[str] = set()

        def length(function: str) -> int:
            return _length(function) + sum(_length(outside[name]) for name in helpers[function] - placed)

        for function in sorted(self.functions, key=length, reverse=True):
            alone = _mentioned([function]).isdisjoint(names - {_defined(function)})
            at = lengths.index(min(lengths)) if alone else 0
            parts[at].append(function)
            lengths[at] += length(function)
            placed |= helpers[function]
        first, *others = parts
        exported = set(self.exported)
        elsewhere = [*self.elsewhere, *(_defined(function) for part in others for function in part)]
        declared = [f"declare void @{name}(ptr, i64, i64)" for name in elsewhere]
        return [
            self._one([*first, self.body], exported, declared),
            *(self._one(_for_others(part), exported) for part in others),
        ]

    def ahead(self) -> tuple[str, Text]:
        """A module of the functions that mention nothing but what there is by now, and the rest."""
        outside = {_defined(text) for text in (*self.variables, *self.helpers)}
        alone: dict[str, str] = {}
        for function in self.functions:
            name = _defined(function)
            if _mentioned([function]) - {name} <= outside:
                alone[name] = function
        exported = set(self.exported)
        module = self._one(_for_others(alone.values()), exported)
        stay = [function for function in self.functions if _defined(function) not in alone]
        elsewhere = (*self.elsewhere, *alone)
        return module, replace(self, functions=stay, elsewhere=elsewhere, exported=frozenset(exported))

    def _own_helpers(self, function: str, outside: Mapping[str, str]) -> set[str]:
        """The helpers that a function calls, and that no module has so far."""
        needed = _needed([function], outside, self.exported) - self.exported
        return {name for name in needed if _called_helper(outside[name])}

    def _outside(self) -> dict[str, str]:
        """What is outside of functions."""
        return {_defined(text): text for text in (*self.variables, *self.helpers)}

    def _one(self, functions: Sequence[str], exported: set[str], declared: Sequence[str] = ()) -> str:
        """The module of some functions, with what these mention. `exported` are the helpers that modules have by now,
        and others may call."""
        outside = self._outside()
        needed = _needed(functions, outside, exported)
        mentioned = [_once(name, text, exported) for name, text in outside.items() if name in needed]
        return "\n".join([self.title, *mentioned, *declared, "", *functions, ""])


def _once(name: str, text: str, exported: set[str]) -> str:
    """What is outside of kernels, as it stands in a module: a helper that is called is in the first one alone."""
    helper = _called_helper(text)
    if helper is None:
        return text
    if name in exported:
        return f"declare {helper}"
    exported.add(name)
    return text.replace("define internal ", "define ", 1)


def _called_helper(text: str) -> str | None:
    """The head of a helper that is called, and not put in place of its calls."""
    helper = _HELPER.match(text)
    return None if helper is None or INLINE in helper[1] else helper[1]


def _needed(functions: Iterable[str], outside: Mapping[str, str], exported: Collection[str] = ()) -> set[str]:
    """What functions mention of what is `outside`, and what that mentions, unless it is in another module."""
    needed: set[str] = set()
    found = _mentioned(functions)
    while found := (found & outside.keys()) - needed:
        needed |= found
        found = _mentioned(outside[name] for name in found.difference(exported))
    return needed


def _for_others(functions: Iterable[str]) -> list[str]:
    """Functions that other modules may call."""
    return [_FUNCTION.sub("define void @", function) for function in functions]


def called(text: str) -> str:
    """A module without the internal functions that nothing calls, and without what these alone mention."""
    lines, definitions = _taken_apart(text)
    functions = {_defined(function): function for function in definitions}
    heads = {_defined(line): line for line in lines}
    pieces = {**heads, **functions}
    found = {name for name, piece in functions.items() if not piece.startswith("define internal ")}
    found |= {name for name, line in heads.items() if not line.startswith("declare ")}
    needed = found | _needed((pieces[name] for name in found), pieces)
    kept = [[piece for name, piece in part.items() if name in needed] for part in (heads, functions)]
    return "\n".join([*kept[0], "", *kept[1]])


def replaceable(text: str, name: str) -> str:
    """A module in which each function whose name begins so has a variable that points to it, and another function that
    calls what the variable points to."""
    added: list[str] = []
    signature = re.compile(rf"define (\w+) (@{re.escape(name)}[\w.]*)\((.*)\) nounwind")
    for found in filter(None, map(signature.match, _heads(text))):
        result, function, parameters = found.groups()
        value, given = ("", "") if result == "void" else ("%result = ", " %result")
        added.append(
            f"{function}{CODE} = global ptr {function}\n"
            f"define {result} {function}{NOW}({parameters}) nounwind{COLD} {{\n"
            f"  %code = load atomic ptr, ptr {function}{CODE} acquire, align 8\n"
            f"  {value}call {result} %code({parameters})\n"
            f"  ret {result}{given}\n"
            "}\n"
        )
    return "\n".join([text, *added])


def split(text: str, most: int) -> list[str]:
    """A module of functions, declarations and variables as several modules that belong together: at most so many of
    functions that LLVM is to improve, and at most so many of others, which it takes less time for by themselves.

    The first module has the variables; constants are in all that mention them.
    """
    lines, definitions = _taken_apart(text)
    cold = [f for f in definitions if is_cold(f)]
    warm = [f for f in definitions if not is_cold(f)]
    apart = bool(warm) and sum(map(_length, cold)) >= COLD_CHARACTERS
    groups = [warm, cold] if apart else [definitions]
    parts = [part for group in groups for part in _shared_out(group, most)]
    if len(parts) < 2:
        return [text]
    variables = [line for line in lines if _VARIABLE.match(line)]
    known = {_defined(line): line for line in lines if line not in variables}
    known |= {_defined(f): f"declare {_signature(f)}" for f in definitions}
    elsewhere = {_defined(line): _VARIABLE.sub(r"\1 = external global \2", line) for line in variables}
    texts: list[str] = []
    for number, part in enumerate(parts):
        heads = known | elsewhere if number else known
        names = _mentioned(part) - {_defined(f) for f in part}
        own = [] if number else [line.replace(" = internal ", " = ") for line in variables]
        bodies = [f.replace("define internal ", "define ", 1) for f in part]
        texts.append("\n".join([*own, *(heads[name] for name in sorted(names & heads.keys())), "", *bodies]))
    return texts


def _shared_out(functions: Sequence[str], most: int) -> list[list[str]]:
    """Functions in at most so many parts that take LLVM about as long as each other."""
    count = max(min(most, len(functions), sum(map(_length, functions)) // MODULE_CHARACTERS), 1)
    parts: list[list[str]] = [[] for _ in range(count)]
    lengths = [0] * count
    for function in sorted(functions, key=_length, reverse=True):
        at = lengths.index(min(lengths))
        parts[at].append(function)
        lengths[at] += _length(function)
    return parts


def is_cold(text: str) -> bool:
    """Whether all functions of a module are such that LLVM is not to improve them."""
    heads = _heads(text)
    # Long modules have others, the first of which tells.
    return next(heads, "").endswith(_COLD_HEAD) and all(head.endswith(_COLD_HEAD) for head in heads)


def has_slots(text: str) -> bool:
    """Whether functions that LLVM is to improve have slots on the stack, or some is to stand where it is called."""
    heads = list(_heads(text))
    if any(INLINE in head for head in heads):
        return True
    # A function ends where the next one begins; what lies between has no slots.
    bodies = f"\n{text}".split("\ndefine ")[1:]
    return any(
        _SLOT.search(body) is not None
        for head, body in zip(heads, bodies, strict=True)
        if not head.endswith(_COLD_HEAD)
    )


def _heads(text: str) -> Iterator[str]:
    """The heads of the functions of a module, each a line."""
    # A pattern would look at the beginning of each line, and there are thousands.
    text = f"\n{text}\n"
    end = 0
    while (begin := text.find("\ndefine ", end) + 1) > 0:
        end = text.find("\n", begin)
        yield text[begin:end]


def _length(function: str) -> int:
    """The characters of a function, of which those count as less that take LLVM little time."""
    whole, rest = len(function), len(_ASSEMBLER.sub("", function))
    if COLD in function:
        rest //= COLD_SHARE
    return rest + (whole - rest) // ASSEMBLER_SHARE


def _taken_apart(text: str) -> tuple[list[str], list[str]]:
    """The lines of a module that are outside of functions, and its functions."""
    lines: list[str] = []
    functions: list[str] = []
    *pieces, rest = f"\n{text}\n".split("\n}\n")
    for piece in pieces:
        before, _, function = piece.rpartition("\ndefine ")
        lines += before.split("\n")
        functions.append(f"define {function}\n}}\n")
    return [line for line in [*lines, *rest.split("\n")] if line], functions


def _signature(function: str) -> str:
    found = _SIGNATURE.match(function)
    assert found is not None, "every function has one"
    return found[1]


def _defined(text: str) -> str:
    """The name that a piece of text defines or declares, which is the first one in it but for comments."""
    code = text.partition("\n")[2] if text.startswith(";") else text
    found = _NAME.search(code)
    assert found is not None, "every piece defines something"
    return found[1]


def _mentioned(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in _NAME.findall(text)}
