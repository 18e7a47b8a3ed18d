"""How products are computed: which axis runs as vectors, and which operands are packed for that."""

from __future__ import annotations

import numpy as np
import pytest

from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.loops import Accumulate, Guard, Kind, Load, Loop, Store, walk
from rosin.ir.op import Value
from rosin.ir.ops.scan import Scan
from rosin.ir.statements import nested, stores
from rosin.ir.steps import Kernel, kernels
from rosin.passes import lanes
from rosin.passes.packing import STRIP
from rosin.passes.tiles import Tile, row_blocks
from rosin.passes.to_loops import to_loops
from rosin.passes.waiting import SUMS_BYTES, block_of
from rosin.runtime.compile_path import compile_graph
from tests.passes.test_fusion import graph_of


def compiled(graph: Graph, vector_bytes: int) -> list[Kernel]:
    return [step for step in kernels(to_loops(graph, vector_bytes).steps) if isinstance(step, Kernel)]


def packed(graph: Graph, vector_bytes: int) -> list[str]:
    """The names of the operands that are packed, by the kernels that do it."""
    return [k.buffers[0].name for k in compiled(graph, vector_bytes) if "_pack" in k.name]


def product(b: Builder, x: Value, w: Value) -> Value:
    return b.matmul(x, w)


def waiting(graph: Graph, vector_bytes: int) -> bool:
    """Whether sums wait, block by block of what is folded."""
    return any(b.name == "waiting" for k in compiled(graph, vector_bytes) for b in k.scratch)


def test_an_operand_on_many_pages_is_packed_where_many_rows_use_it() -> None:
    for vector_bytes in (32, 64):
        many = graph_of(product, "f32[1024, 1536]", "f32[1536, 384]")
        assert packed(many, vector_bytes) == ["x1"], "rows run along what is folded, and stay as they are"
        few = graph_of(product, "f32[100, 1536]", "f32[1536, 2048]")
        assert packed(few, vector_bytes) == [], "a hundred rows do not pay for a copy of the weights"
        near = graph_of(product, "f32[1024, 48]", "f32[48, 384]")
        assert packed(near, vector_bytes) == [], "48 rows are on few pages"


def test_the_smaller_operand_is_packed() -> None:
    """To run along the rows instead would need copies of both, though the copy of one of them is smaller."""
    for shapes in (("f32[512, 768]", "f32[768, 3072]"), ("f32[512, 2048]", "f32[2048, 2048]")):
        assert packed(graph_of(product, *shapes), 64) == ["x1"]


def test_few_rows_do_not_pay_for_a_turned_copy() -> None:
    def rows_by_rows(b: Builder, x: Value, y: Value) -> Value:
        return b.matmul(x, b.transpose(y, (1, 0)))

    assert packed(graph_of(rows_by_rows, "f32[32, 1024]", "f32[64, 1024]"), 64) == []
    assert packed(graph_of(rows_by_rows, "f32[512, 64]", "f32[64, 64]"), 64) == ["x1"]


def test_sums_wait_where_few_rows_pass_by_long_panels() -> None:
    assert waiting(graph_of(product, "f32[100, 4096]", "f32[4096, 1024]"), 64)
    assert waiting(graph_of(product, "f32[100, 768]", "f32[768, 3072]"), 64), "rows share sets of the caches"
    assert waiting(graph_of(product, "f32[20, 768]", "f32[768, 3072]"), 64), "rows share sets of the caches"
    assert not waiting(graph_of(product, "f32[20, 768]", "f32[768, 3000]"), 64), "panels stay in a near cache"
    assert not waiting(graph_of(product, "f32[100, 256]", "f32[256, 3000]"), 64), "panels are short"
    assert not waiting(graph_of(product, "f32[512, 2048]", "f32[2048, 1024]"), 64), "a copy lies side by side"
    assert waiting(graph_of(product, "f32[512, 4096]", "f32[4096, 1024]"), 64), "a panel of it fills the second cache"
    assert not waiting(graph_of(product, "f32[6, 4096]", "f32[4096, 1024]"), 64), "one row of tiles reads all once"


def test_deep_products_whose_sums_wait_run_on_threads() -> None:
    """Their work is that of all blocks: 50 x 50 sums of 10,000 terms."""
    for types in (("f32[50, 10000]", "f32[10000, 50]"), ("f32[60, 5000]", "f32[5000, 60]")):
        graph = graph_of(product, *types)
        assert waiting(graph, 64)
        (kernel,) = (k for k in compiled(graph, 64) if any(b.name == "waiting" for b in k.scratch))
        assert all(isinstance(s, Loop) and s.parallel for s in kernel.body)


def test_sums_that_wait_stay_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of however many rows, if nothing else can be done with them: the array is on the stack."""
    monkeypatch.setattr(lanes, "FEW_ROWS", 1 << 40)
    monkeypatch.setattr(lanes, "APART_COST", 0.0)
    for rows in (100, 700, 100_000):
        kernels_ = compiled(graph_of(product, f"f32[{rows}, 4096]", "f32[4096, 64]"), 64)
        (sums,) = (b for k in kernels_ for b in k.scratch if b.name == "waiting")
        assert isinstance(sums.bytes, int)
        assert sums.bytes <= SUMS_BYTES


@pytest.mark.parametrize("most", [3, 6, 14])
@pytest.mark.parametrize("over", [False, True])
def test_rows_are_cut_into_blocks(most: int, over: bool) -> None:
    def rows(tile: Tile) -> list[int]:
        assert isinstance(tile.start, int), "sizes are numbers"
        assert isinstance(tile.count, int), "sizes are numbers"
        assert isinstance(tile.begin, int | None), "sizes are numbers"
        starts = [tile.start + number * tile.block for number in range(tile.count)]
        starts = [start if tile.begin is None else min(start, tile.begin) for start in starts]
        return [start + number for start in starts for number in range(tile.block)]

    for extent in range(1, 300):
        found = [row for tile in row_blocks(extent, most, over) for row in rows(tile)]
        assert set(found) == set(range(extent)), extent
        assert over or len(found) == extent, "no row is computed twice"
        assert len(found) < extent + most


def test_blocks_of_rows_are_large_where_that_wastes_little() -> None:
    assert [(t.block, t.count) for t in row_blocks(64, 6, True)] == [(6, 11)]
    assert [(t.block, t.count) for t in row_blocks(64, 6, False)] == [(4, 16)]
    assert [(t.block, t.count) for t in row_blocks(32, 6, True)] == [(4, 8)], "36 rows would be too many"
    assert [(t.block, t.count) for t in row_blocks(64, 22, True)] == [(16, 4)], "16 rows are enough"


def test_blocks_are_all_of_one_length_where_they_can_be() -> None:
    assert [block_of(n, 256) for n in (4096, 3072, 2050, 5000, 4099)] == [256, 256, 205, 250, 256]
    assert [block_of(n, 64) for n in (4096, 2050, 4099)] == [64, 50, 64]


def test_blocks_of_columns_lie_over_each_other_where_that_wastes_little() -> None:
    def tiles(columns: int, *follows: str) -> list[str]:
        def build(b: Builder, x: Value, w: Value, *others: Value) -> Value:
            return b.add(b.matmul(x, w), *others) if others else b.matmul(x, w)

        graph = graph_of(build, "f32[64, 70]", f"f32[70, {columns}]", *follows)
        return [kernel.tile for kernel in compiled(graph, 64)]

    assert tiles(255) == tiles(1023) == ["6 of x0 x 4 vectors of 16 of x1"]
    assert len(tiles(100)) == 2, "8 vectors take longer than 7"
    assert len(tiles(255, "f32[64, 255]")) == 2, "what may lie where the result does is read once"


def test_blocks_of_panels_are_copied_where_enough_rows_pass_by_them() -> None:
    def copied(*shapes: str) -> bool:
        return any(b.name == "panel" for k in compiled(graph_of(product, *shapes), 64) for b in k.scratch)

    assert copied("f32[64, 1024]", "f32[1024, 1024]")
    assert not copied("f32[64, 1024]", "f32[1024, 60]"), "what is no whole panel ends where the array does"
    assert not copied("f32[16, 1024]", "f32[1024, 1024]"), "few rows do not pay for it"
    assert not copied("f32[200, 1024]", "f32[1024, 64]"), "steps are side by side as it is"
    assert not copied("f32[1024, 2048]", "f32[2048, 1024]"), "the whole operand is copied"


def test_what_lies_one_behind_the_other_is_folded_in_blocks_as_one() -> None:
    """The gradient by weights that all steps of a recurrent network share."""

    def by_weights(b: Builder, x: Value, y: Value) -> Value:
        return b.dot_general(x, y, ((0, 1), (0, 1)))

    graph = graph_of(by_weights, "f32[500, 16, 128]", "f32[500, 16, 512]")
    assert waiting(graph, 64)
    one = graph_of(lambda b, x, y: b.dot_general(x, y, ((0,), (0,))), "f32[8000, 128]", "f32[8000, 512]")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8000, 128), np.float32), rng.standard_normal((8000, 512), np.float32)
    (found,) = compile_graph(graph, "llvm")(x.reshape(500, 16, 128), y.reshape(500, 16, 512))
    np.testing.assert_array_equal(found, compile_graph(one, "llvm")(x, y)[0])
    np.testing.assert_allclose(found, x.T @ y, rtol=1e-3, atol=1e-3)
    shapes = "f32[16, 500, 128]", "f32[500, 16, 512]"
    turned = graph_of(lambda b, x, y: by_weights(b, b.transpose(x, (1, 0, 2)), y), *shapes)
    assert not waiting(turned, 64), "steps lie elsewhere in one of the operands"


def test_rows_that_lie_across_what_is_folded_are_packed() -> None:
    def by_weights(b: Builder, x: Value, y: Value) -> Value:
        return b.matmul(b.transpose(x, (1, 0)), y)

    graph = graph_of(by_weights, "f32[1024, 1536]", "f32[1024, 768]")
    assert sorted(packed(graph, 32)) == ["x0", "x1"]
    graph = graph_of(by_weights, "f32[1024, 256]", "f32[1024, 256]")
    assert packed(graph, 32) == [], "few columns do not pay for copies"
    graph = graph_of(by_weights, "f32[4096, 512]", "f32[4096, 768]")
    assert set(packed(graph, 64)) == {"x0", "x1"}, "what lies on thousands of pages takes longer to find"


def test_large_operands_are_packed_strip_by_strip() -> None:
    """A strip of rows from one end to the other, so that what is read of a page is read at once."""
    graph = graph_of(lambda b, x, y: b.matmul(b.transpose(x, (1, 0)), y), "f32[4100, 1024]", "f32[4100, 768]")
    loops = [[s.var for s in nested(k.body) if isinstance(s, Loop)] for k in compiled(graph, 64) if "_pack" in k.name]
    blocks = [order for order in loops if any(v.name.startswith("block") for v in order)]
    for first in ("strip", "block"):
        found = [order for order in blocks if order[0].name.endswith(first) or order[0].name.startswith(first)]
        assert len(found) == 2, "both operands are copied, and of each what is left of its rows"
        for *outer, block, inside, _ in found:
            assert block.name.startswith("block")
            assert [v.extent for v in outer] == ([4096 // STRIP] if first == "strip" else [])
            assert inside.extent == (STRIP if first == "strip" else 4)


def test_what_follows_a_product_is_read_and_written_side_by_side() -> None:
    """The gradient by weights that lie transposed, and their update in the same kernel: four arrays beside it."""

    def update(b: Builder, x: Value, y: Value, w: Value, m: Value, v: Value) -> list[Value]:
        gradient = b.transpose(b.matmul(b.transpose(x, (1, 0)), y), (1, 0))
        mean = b.add(b.mul(m, 0.9), b.mul(gradient, 0.1))
        square = b.add(b.mul(v, 0.99), b.mul(b.mul(gradient, gradient), 0.01))
        step = b.div(b.div(mean, 0.1), b.add(b.sqrt(b.div(square, 0.01)), 1e-8))
        return [b.sub(w, b.mul(b.add(step, b.mul(w, 0.01)), 1e-3)), mean, square]

    graph = graph_of(update, "f32[1024, 1536]", "f32[1024, 384]", *["f32[384, 1536]"] * 3)
    (kernel,) = (k for k in compiled(graph, 64) if k.tile)
    places = [s.offset for s in stores(kernel.body) if s.buffer.name != "sums"]
    assert len(places) >= 3 * 4
    for place in places:
        (lane,) = (v for v in place.variables() if v.name.endswith("_lane"))
        assert place.coefficient(lane) == 1


def test_few_rows_read_large_weights_in_order() -> None:
    """Vectors run along what lies side by side in the weights and the result, though 32 rows would fill vectors too."""
    (kernel,) = compiled(graph_of(product, "f32[32, 1024]", "f32[1024, 1024]"), 64)
    assert "vectors of 16 of x1" in kernel.tile
    assert packed(graph_of(product, "f32[512, 512]", "f32[512, 512]"), 64) == [], "it stays in the second cache"


def test_products_in_loops_go_on_threads_sooner() -> None:
    def on_threads(graph: Graph) -> bool:
        return any(isinstance(s, Loop) and s.parallel for k in compiled(graph, 64) if k.tile for s in k.body)

    def turned(b: Builder, x: Value, w: Value) -> Value:
        return b.matmul(w, x)

    def steps(b: Builder, x: Value, w: Value) -> Value:
        """Rows need one another, so that threads cannot share them for all steps."""
        body = graph_of(turned, "f32[80, 64]", "f32[80, 80]")
        return b.node(Scan(body, 1, 0, 10, False), x, w)[0]

    assert not on_threads(graph_of(turned, "f32[80, 64]", "f32[80, 80]"))
    assert on_threads(graph_of(steps, "f32[80, 64]", "f32[80, 80]"))


def test_copies_for_products_on_threads_go_on_threads_sooner() -> None:
    def shared(rows: int) -> list[bool]:
        """Whether threads share the copy of the operand that lies the other way round, and the product."""
        kernels = compiled(graph_of(by_rows, f"f32[{rows}, 128]", "f32[128, 128]"), 64)
        return [any(isinstance(s, Loop) and s.parallel for s in k.body) for k in kernels]

    def by_rows(b: Builder, x: Value, y: Value) -> Value:
        return b.matmul(x, b.transpose(y, (1, 0)))

    assert shared(128) == [True, True]
    assert shared(16) == [False, False]


def test_loops_of_symbolic_sizes_are_joined_for_threads() -> None:
    """One panel of 64 columns would leave all rows to one thread, of however many a call has."""
    kernels_ = [k for k in compiled(graph_of(product, "f32[n, 64]", "f32[64, 64]"), 64) if k.tile]
    for kernel in kernels_:
        (loop,) = kernel.body
        assert isinstance(loop, Loop)
        assert loop.parallel
        assert kernel.work is not None, "whether it is enough for threads is decided by a call"
        assert not isinstance(loop.var.extent, int), "it runs over blocks of rows, whose number a call says"
    small = compiled(graph_of(product, "f32[64, 64]", "f32[64, 64]"), 64)
    assert not any(isinstance(s, Loop) and s.parallel for k in small for s in k.body)


def test_rows_of_images_are_one_axis_beneath_windows_of_one_place() -> None:
    def along_rows(b: Builder, x: Value, w: Value, beside: Value) -> Value:
        found = b.convolution(x, w)
        return b.add(found, b.broadcast(beside, found.type.shape, (3,)))

    types = "f32[8, 64, 28, 28]", "f32[64, 64, 1, 1]"
    apart = graph_of(along_rows, *types, "f32[28]")
    for graph, rows in ((graph_of(lambda b, x, w: b.convolution(x, w), *types), False), (apart, True)):
        found = [k.body for k in compiled(graph, 64) if k.tile]
        assert any(isinstance(s, Loop) and s.var.extent == 28 for body in found for s in nested(body)) == rows


def test_axes_in_one_are_packed_as_one() -> None:
    graph = graph_of(lambda b, x, w: b.convolution(x, w), "bf16[8, 64, 28, 28]", "bf16[128, 64, 1, 1]")
    program = to_loops(graph, 64, words=("bf16",))
    (copy,) = (b for b in program.arena if b.name.endswith("packed0"))
    assert copy.size == 8 * 32 * (28 * 28 + 48), "words of two, in panels of 64 places"


def spread(b: Builder, x: Value, kernel: Value) -> Value:
    """A transposed convolution with a stride of 2."""
    ends = tuple(size - 2 for size in kernel.type.sizes[2:])
    return b.convolution(x, kernel, low=ends, high=ends, lhs_dilation=(2, 2), strides=(1, 1))


def test_places_between_others_are_computed_by_one_kernel() -> None:
    """With a window that strides divide, all places have as many terms; neighbours are written side by side."""
    for vector_bytes in (32, 64):
        graph = graph_of(spread, "f32[4, 64, 32, 32]", "f32[32, 64, 4, 4]")
        (kernel,) = (k for k in compiled(graph, vector_bytes) if k.tile)
        assert "2 of x3_phase" in kernel.tile
        places = {s.offset for s in stores(kernel.body)}
        assert all(place + 1 in places or place + (-1) in places for place in places)
        assert len(packed(graph, vector_bytes)) == 2


def test_few_rows_have_more_vectors() -> None:
    """Three channels of two places beside each other are six sums of a vector, which wait for one another."""
    graph = graph_of(spread, "f32[4, 64, 28, 28]", "f32[3, 64, 4, 4]")
    (tile,) = (k.tile for k in compiled(graph, 64) if k.tile)
    assert "2 of x3_phase" in tile
    assert "3 of x1" in tile
    assert "2 vectors of 16 of x3" in tile


def test_panels_stay_in_the_nearest_cache() -> None:
    """Each vector of 16 channels has 64 bytes a step."""
    for inputs, vectors in ((64, 4), (96, 4), (97, 2), (384, 2), (400, 4)):
        types = f"f32[4, {inputs}, 56, 56]", f"f32[128, {inputs}, 1, 1]"
        graph = graph_of(lambda b, x, w: b.convolution(x, w, strides=(2, 2)), *types)
        tiles = [k.tile for k in compiled(graph, 64) if k.tile]
        assert all(f"{vectors} vectors of 16 of x1" in tile for tile in tiles)


def test_what_is_beyond_the_ends_of_rows_is_written_with_them() -> None:
    graph = graph_of(spread, "f32[4, 64, 28, 28]", "f32[3, 64, 4, 4]")
    copy, border = (k for k in compiled(graph, 64) if "_pack0" in k.name)
    (store,) = stores(copy.body)
    assert isinstance(store.value, Guard)
    inner = [s for s in nested(border.body) if isinstance(s, Loop) and isinstance(s.body[0], Store)]
    assert [(loop.kind, loop.var.extent) for loop in inner] == [(Kind.VECTOR, 30)] * 2


def test_pieces_read_the_same_copy_of_an_operand() -> None:
    """Windows of 5 by strides of 2 have four pieces, of 4, 6 and 9 terms, which know the images by the same copy."""
    graph = graph_of(spread, "f32[4, 64, 32, 32]", "f32[32, 64, 5, 5]")
    found = compiled(graph, 64)
    assert len({k.name.split("_")[2] for k in found if k.tile}) == 4
    copies = [k for k in found if "_pack0" in k.name and not k.name.endswith("_border")]
    assert len(copies) == 1


def by_channel(b: Builder, x: Value, kernel: Value) -> Value:
    channels, _, *window = kernel.type.sizes
    half = tuple(size // 2 for size in window)
    return b.convolution(x, kernel, low=half, high=half, feature_groups=channels)


def test_large_windows_of_single_channels_run_in_tiles() -> None:
    graph = graph_of(by_channel, "f32[2, 24, 28, 28]", "f32[24, 1, 7, 7]")
    assert [k.tile for k in compiled(graph, 64) if k.tile] == ["14 of x2 x 1 vectors of 16 of x3"]
    small = graph_of(by_channel, "f32[2, 24, 28, 28]", "f32[24, 1, 3, 3]")
    assert not any(k.tile for k in compiled(small, 64))


@pytest.mark.parametrize("stride", [1, 2])
def test_rows_of_a_tile_load_what_their_windows_have_in_common_once(stride: int) -> None:
    def strided(b: Builder, x: Value, kernel: Value) -> Value:
        return b.convolution(x, kernel, strides=(stride, 1), feature_groups=24)

    graph = graph_of(strided, f"f32[2, 24, {28 * stride + 6}, 22]", "f32[24, 1, 7, 7]")
    (kernel,) = (k for k in compiled(graph, 64) if k.tile)
    assert "14 of x2 x 1 vectors" in kernel.tile
    sums = [s for s in nested(kernel.body) if isinstance(s, Accumulate)]
    images, _ = graph.inputs
    loads = [e for s in sums for e in walk(*s.values) if isinstance(e, Load) and e.buffer.name == images.name]
    assert len(sums) == 14 * 7
    assert len({load.offset for load in loads}) == 13 * stride + 7


def test_operands_are_packed_slice_by_slice_where_nothing_else_reads_a_slice() -> None:
    """Each image of a channel, or of a group of channels, has a border of its own in memory of the thread's."""
    for graph in (
        graph_of(by_channel, "f32[2, 24, 28, 28]", "f32[24, 1, 7, 7]"),
        graph_of(lambda b, x, w: b.convolution(x, w, low=(1, 1), high=(1, 1), feature_groups=8), *GROUPED),
    ):
        program = to_loops(graph, 64)
        (kernel,) = (k for k in compiled(graph, 64) if k.tile)
        assert [b.name.rpartition("_")[2] for b in kernel.scratch] == ["packed0"]
        assert not any(b.name.endswith("packed0") for b in program.arena)
    for channels, enough in ((7, False), (8, True)):
        graph = graph_of(by_channel, f"f32[1, {channels}, 56, 56]", f"f32[{channels}, 1, 7, 7]")
        assert in_slices(graph) == enough, "seven slices are few for threads"
    for images, enough in ((8, False), (16, True)):
        graph = graph_of(wide, f"f32[{images}, 128, 14, 14]", "f32[64, 128, 3, 3]")
        assert in_slices(graph) == enough, "a copy is little beside the products of many channels"


def in_slices(graph: Graph) -> bool:
    """Whether a kernel packs an operand for itself."""
    return any("_packed" in b.name for k in compiled(graph, 64) for b in k.scratch)


def wide(b: Builder, x: Value, kernel: Value) -> Value:
    return b.convolution(x, kernel, low=(1, 1), high=(1, 1))


GROUPED = "f32[4, 32, 28, 28]", "f32[32, 4, 3, 3]"
