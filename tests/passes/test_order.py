"""The order of groups: what needs what, what is kept, and what steps of training keep at most."""

from __future__ import annotations

import random

from rosin.ir.dtypes import f32
from rosin.ir.op import Value
from rosin.ir.types import TensorType
from rosin.passes.order import Run, ordered


def value(size: int) -> Value:
    return Value(TensorType(f32, (size,)), "v")


def runs_of(*rows: tuple[int, list[Value], list[Value]]) -> list[Run]:
    """Groups by number, from their places, what they read and what they make."""
    makers = {v: number for number, (_, _, made) in enumerate(rows) for v in made}
    before: list[int] = []
    for _, reads, _ in rows:
        bits = 0
        for v in reads:
            if v in makers:
                bits |= before[makers[v]] | 1 << makers[v]
        before.append(bits)
    return [
        Run(number, place, before[number], tuple(made), frozenset(reads))
        for number, (place, reads, made) in enumerate(rows)
    ]


def test_what_a_group_waits_for_comes_right_before_it() -> None:
    x, late, other, out = value(1), value(8), value(8), value(1)
    # The second could run at once, and stands behind the third, which waits for the first, made last in the graph.
    runs = runs_of((9, [x], [late]), (5, [x], [other]), (4, [late], [out]))
    assert ordered(runs, frozenset([x]), frozenset([out, other])) == [0, 2, 1]


def test_a_group_that_frees_more_than_it_makes_runs_early() -> None:
    x, large, small, out = value(1), value(100), value(1), value(1)
    chain = value(1)
    runs = runs_of((0, [x], [large]), (1, [x], [chain]), (2, [chain], [out]), (9, [large], [small]))
    assert ordered(runs, frozenset([x]), frozenset([out, small])) == [0, 3, 1, 2]
    grown = value(200)
    runs = runs_of(
        (0, [x], [large]), (1, [x], [chain]), (2, [chain], [out]), (9, [large], [grown]), (10, [grown], [small])
    )
    assert ordered(runs, frozenset([x]), frozenset([out, small])) == [0, 1, 2, 3, 4]


def test_an_output_waits_for_those_that_read_the_input_it_may_replace() -> None:
    weight, x, large, new, out = value(50), value(1), value(100), value(50), value(1)
    runs = runs_of((0, [x], [large]), (5, [weight], [out]), (9, [large, weight], [new]))
    assert ordered(runs, frozenset([x, weight]), frozenset([out, new])) == [0, 1, 2]


def test_any_order_is_one_in_which_groups_can_run() -> None:
    draw = random.Random(0)
    for _ in range(200):
        made: list[Value] = [value(draw.randrange(1, 50)) for _ in range(3)]
        inputs = frozenset(made)
        rows: list[tuple[int, list[Value], list[Value]]] = []
        for _ in range(draw.randrange(1, 25)):
            reads = draw.sample(made, draw.randrange(1, min(4, len(made))))
            results = [value(draw.randrange(1, 50)) for _ in range(draw.randrange(1, 3))]
            rows.append((draw.randrange(100), reads, results))
            made += results
        runs = runs_of(*rows)
        found = ordered(runs, inputs, frozenset(draw.sample(made, 3)))
        assert sorted(found) == list(range(len(runs)))
        done = 0
        for number in found:
            assert not runs[number].before & ~done
            done |= 1 << number
