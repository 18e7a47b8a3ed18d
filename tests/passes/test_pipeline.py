"""The pipeline, and the instrument that watches it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given

from rosin.ir import dims, dtypes
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph, Node
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value, Values
from rosin.ir.ops.call import Checkpoint
from rosin.ir.ops.effect import Check
from rosin.ir.ops.loop import While
from rosin.ir.parser import parse as parse_graph
from rosin.ir.transform.vjp import vjp
from rosin.ir.verify import verify
from rosin.passes import instrument as instruments
from rosin.passes import pipeline
from rosin.passes.base import Pass, rebuild
from rosin.passes.cse import Cse
from rosin.passes.dce import Dce
from rosin.passes.instrument import Instrument, PassError, difference
from rosin.passes.simplify import Simplify
from rosin.passes.strength import Strength
from tests.passes.graphs import arguments, build, random_graphs, same_bits
from tests.random_graphs import arguments as typical_arguments
from tests.random_graphs import graphs as typical_graphs
from tests.thinning import examples

EXACT = tuple(p for p in pipeline.GRAPH_PASSES if not p.ulps)


def loss() -> Graph:
    """The loss of a small network and its gradients, with a checkpoint."""
    layer = build("f32[4, 3] f32[3]", lambda b, x, w: b.maximum(b.mul(x, b.broadcast(w, (4, 3), (1,))), 0.0))
    forward = build(
        "f32[4, 3] f32[3]",
        lambda b, x, w: b.sum(b.pow(b.exp(b.node(Checkpoint(layer), x, w)[0]), 2.0), (0, 1)),
    )
    b = Builder()
    inputs = [b.input(v.type, v.name) for v in forward.inputs]
    outputs, pull = vjp(b, forward, inputs, [True, True])
    gradients = pull([b.like(1.0, outputs[0])])
    return b.graph([*outputs, *(g for g in gradients if g is not None)], "step")


@dataclass(frozen=True)
class Wrong(Pass):
    """Makes every exp a sin."""

    name: ClassVar[str] = "wrong"

    def rewrite(self, graph: Graph) -> Graph:
        b = Builder()

        def visit(node: Node, operands: Values) -> Values | None:
            return (b.sin(*operands),) if node.op.name == "exp" else None

        return rebuild(graph, visit, b)


@dataclass(frozen=True)
class Broken(Pass):
    """Loses the first node."""

    name: ClassVar[str] = "broken"

    def rewrite(self, graph: Graph) -> Graph:
        return Graph(graph.inputs, graph.nodes[1:], graph.outputs, graph.name)


def test_a_training_step_comes_out_right() -> None:
    graph = loss()
    after = pipeline.run(graph)
    verify(after)
    given = [np.random.default_rng(0).standard_normal(v.type.sizes).astype(np.float32) for v in graph.inputs]
    for x, y in zip(evaluate(graph, given), evaluate(after, given), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5)
    assert not {n.op.name for n in after.nodes} & {"checkpoint", "pow"}


@given(random_graphs())
@examples(300)
def test_random_graphs_keep_every_bit_through_the_pipeline(graph: Graph) -> None:
    after = pipeline.run(graph, EXACT)
    verify(after)
    for seed in (0, 1):
        given = arguments(graph, seed)
        for x, y in zip(evaluate(graph, given), evaluate(after, given), strict=True):
            assert same_bits(x, y)


@given(typical_graphs())
@examples(200)
def test_typical_graphs_keep_every_bit_after_each_pass(graph: Graph) -> None:
    given = typical_arguments(graph)
    expected = evaluate(graph, given)
    for name, after in pipeline.stages(graph, EXACT):
        verify(after)
        found = evaluate(after, given)
        assert all(map(same_bits, expected, found)), name


def test_what_reads_a_constant_that_a_rule_made_is_folded() -> None:
    graph = build("i32[]", lambda b, x: [b.cast(b.equal(b.abs(x), b.abs(x)), dtypes.f32)])
    after = pipeline.run(graph)
    assert [n.op.name for n in after.nodes] == ["constant"]
    assert pipeline.run(after).key() == after.key()


@given(random_graphs())
def test_a_second_run_finds_nothing_to_do(graph: Graph) -> None:
    after = pipeline.run(graph)
    assert pipeline.run(after).key() == after.key()


def test_these_passes_alone_round() -> None:
    rounding = ["strength", "distribute", "components", "wide", "long-products"]
    assert [p.name for p in pipeline.GRAPH_PASSES if p.ulps] == rounding


# -- stages ----------------------------------------------------------------------------------------------------


def test_every_stage_can_be_had_by_name() -> None:
    graph = loss()
    found = dict(pipeline.stages(graph))
    assert list(found) == list(pipeline.stage_names(pipeline.GRAPH_PASSES))
    for name, after in found.items():
        assert pipeline.stage(graph, name) == after
    assert pipeline.stage(graph, "traced") is graph
    assert found["remat"] == pipeline.run(graph)


def test_names_are_distinct() -> None:
    assert pipeline.stage_names((Dce(), Cse(), Dce(), Dce())) == ("dce", "cse", "dce-2", "dce-3")


def test_an_unknown_stage_is_an_error() -> None:
    with pytest.raises(ValueError, match="there is no stage 'fusion'; the stages are traced, inline, dce, fold"):
        pipeline.stage(loss(), "fusion")


def test_later_passes_do_not_run() -> None:
    graph = build("f32[3]", lambda b, x: b.neg(x))
    assert pipeline.stage(graph, "dce", (Dce(), Broken())) is graph


# -- the instrument --------------------------------------------------------------------------------------------


def test_dumps_are_numbered_and_say_where_they_come_from(tmp_path: Path) -> None:
    graph = loss()
    pipeline.run(graph, instrument=Instrument(dump=tmp_path))
    files = sorted((tmp_path / "step").iterdir())
    names = ["traced", *pipeline.stage_names(pipeline.GRAPH_PASSES)]
    assert [f.name for f in files] == [f"{i:02}-{name}.txt" for i, name in enumerate(names)]
    for file, (stage, after) in zip(files[1:], pipeline.stages(graph), strict=True):
        head, body = file.read_text(encoding="utf-8").split("\n", 1)
        assert re.fullmatch(rf"# step after {stage}: \d+\.\d\d ms, \d+ nodes( → \d+)?", head)
        assert parse_graph(body) == after


def test_each_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    for _ in range(2):
        pipeline.run(loss(), instrument=Instrument(dump=tmp_path))
    assert sorted(f.name for f in tmp_path.iterdir()) == ["step", "step-2"]


def test_names_that_are_no_file_names(tmp_path: Path) -> None:
    graph = build("f32[3]", lambda b, x: b.neg(x))
    odd = Graph(graph.inputs, graph.nodes, graph.outputs, "../<lambda>")
    pipeline.run(odd, instrument=Instrument(dump=tmp_path))
    assert [f.name for f in tmp_path.iterdir()] == ["____lambda_"]


def test_times_are_written_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.run(loss(), instrument=Instrument(time=True))
    written = capsys.readouterr()
    assert written.out == ""
    lines = written.err.splitlines()
    assert [line.split()[0] for line in lines] == [*pipeline.stage_names(pipeline.GRAPH_PASSES), "all"]


def test_a_pass_that_breaks_the_graph_is_named() -> None:
    graph = build("f32[3]", lambda b, x: b.exp(b.neg(x)))
    with pytest.raises(PassError, match="after the pass broken: main: node 0, exp uses"):
        pipeline.run(graph, (Simplify(), Broken(), Cse()), Instrument(verify=True))


def test_a_pass_that_changes_a_value_is_named() -> None:
    graph = build("f32[3]", lambda b, x: [b.neg(x), b.exp(x)])
    with pytest.raises(PassError, match=r"main: the pass wrong changes output 1: element \[0\] was .* 3 of 3 elements"):
        pipeline.run(graph, (Simplify(), Wrong(), Cse()), Instrument(check=True))


def test_the_check_takes_arguments() -> None:
    """On the argument 0.0… no wrong pass shows: exp and sin differ there, neg and neg do not."""
    graph = build("f32[1]", lambda b, x: b.sub(b.exp(x), b.exp(x)))
    given = [np.zeros(1, np.float32)]
    pipeline.run(graph, (Wrong(),), Instrument(check=True, arguments=given))
    hidden = build("f32[1] f32[1]", lambda b, x, y: b.mul(b.exp(x), y))
    zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    pipeline.run(hidden, (Wrong(),), Instrument(check=True, arguments=[one, zero]))
    with pytest.raises(PassError, match="the pass wrong changes output 0"):
        pipeline.run(hidden, (Wrong(),), Instrument(check=True, arguments=[one, one]))


def test_the_check_passes_what_is_right() -> None:
    watch = Instrument(check=True, verify=True)
    pipeline.run(loss(), instrument=watch)
    assert [r.stage for r in watch.records] == list(pipeline.stage_names(pipeline.GRAPH_PASSES))


def test_a_pass_may_round_by_as_much_as_it_states() -> None:
    graph = build("f32[1000]", lambda b, x: b.pow(x, 3.0))
    pipeline.run(graph, (Strength(),), Instrument(check=True))


def test_symbolic_sizes_are_not_checked_and_that_is_noted() -> None:
    n = dims.symbol("n")
    b = Builder()
    x = b.input(build("f32[3]", lambda b, x: x).inputs[0].type.with_shape((n,)), "x")
    watch = Instrument(check=True)
    pipeline.run(b.graph([b.neg(b.neg(x))]), (Simplify(),), watch)
    assert watch.records[0].note == "not checked: sizes are symbolic"


def test_programs_that_python_has_a_part_in_are_not_checked() -> None:
    def make(b: Builder, x: Value) -> Value:
        b.node(Check("", "check", None), b.less(x, 100.0))
        return b.neg(b.neg(x))

    watch = Instrument(check=True)
    pipeline.run(build("f32[]", make), (Simplify(),), watch)
    assert watch.records[0].note == "not checked: Python has a part in it, which would be done for nothing"


def test_loops_that_may_not_end_are_checked_on_given_numbers_alone() -> None:
    body = build("f32[]", lambda b, x: b.neg(b.neg(b.mul(x, 2.0))))
    loop = While(build("f32[]", lambda b, x: b.less(x, 9.0)), body, 1)
    graph = build("f32[]", lambda b, x: b.node(loop, x)[0])
    watch = Instrument(check=True)
    pipeline.run(graph, (Simplify(),), watch)
    assert watch.records[0].note == "not checked: a loop in it may not end on random numbers"
    watch = Instrument(check=True, arguments=[np.asarray(1, np.float32)])
    pipeline.run(graph, (Simplify(),), watch)
    assert watch.records[0].note == ""


def test_the_environment_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(instruments.VARIABLE, raising=False)
    assert instruments.from_environment() is None
    monkeypatch.setenv(instruments.VARIABLE, f"dump={tmp_path}, time,verify,check")
    watch = instruments.from_environment()
    assert watch == Instrument(dump=tmp_path, time=True, verify=True, check=True)
    monkeypatch.setenv(instruments.VARIABLE, "check")
    with pytest.raises(PassError):
        pipeline.run(build("f32[3]", lambda b, x: b.exp(x)), (Wrong(),))


@pytest.mark.parametrize("value", ["chek", "dump", "dump=", "time=1", "verify,all"])
def test_an_unknown_request_is_an_error(value: str) -> None:
    with pytest.raises(ValueError, match="ROSIN_DEBUG is a list of dump=FOLDER, time, verify, check; it has '"):
        instruments.parse(value)


def test_how_far_floats_are_apart() -> None:
    for dtype in (dtypes.f32, dtypes.f64, dtypes.f16, dtypes.bf16):
        one = np.array([1.0, -1.0, np.nan, np.inf, 0.0], dtype.numpy)
        assert difference(one, one.copy(), 0) is None
        zero = np.array([0.0], dtype.numpy)
        assert difference(zero, -zero, 0) is not None
        assert difference(zero, -zero, 1) is None
        assert difference(np.array([np.nan], dtype.numpy), zero, 1 << 10) is not None
    x = np.array([1.0, 2.0], np.float32)
    up = np.nextafter(x, np.float32(9))
    assert difference(x, np.nextafter(up, np.float32(9)), 2) is None
    assert difference(x, np.nextafter(up, np.float32(9)), 1) is not None
    assert difference(np.array([3]), np.array([4]), 5) == "element [0] was 3 and is 4; 1 of 1 elements differ"
    assert "its type was float32[2] and is float64[2]" in str(difference(x, x.astype(np.float64), 9))


def test_the_value_is_compared_without_the_named_outputs_losing_their_name() -> None:
    def make(b: Builder, x: Value) -> Value:
        from rosin.ir.ops.exponential import Exp

        return b.node(Exp(), x, names=["activation"])[0]

    with pytest.raises(PassError, match=r"changes output 0 \(activation\)"):
        pipeline.run(build("f32[3]", make), (Wrong(),), Instrument(check=True))
