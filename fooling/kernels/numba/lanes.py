"""Vectors of float32 as values of compiled kernels: as many lanes as a register of this processor has.

LLVM's own vectors of a loop over arrays are loaded and stored in each pass; values of these types stay in registers. Each lane
computes what IEEE 754 says, so results depend neither on the number of lanes nor on the machine.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils as untyped_builders
from numba.core import types as untyped_types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, register_model

cgutils: Any = untyped_builders
types: Any = untyped_types

WIDE, NARROW = 16, 8  # lanes with AVX-512, and elsewhere
LANES: int = WIDE if "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2].split(",") else NARROW
TILE = 7  # vectors side by side; two rows of them, a vector of weights and a number fit 16 registers
VECTOR = ir.VectorType(ir.FloatType(), LANES)
INT32 = ir.IntType(32)


class LanesType(untyped_types.Type):
    """The type of a vector of LANES float32."""


@register_model(LanesType)
class LanesModel(models.PrimitiveModel):
    """It is one value of LLVM's."""

    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, VECTOR)  # type: ignore[no-untyped-call]


lanes_type: Any = LanesType(f"lanes{LANES}")
row_type, tile_type = types.UniTuple(lanes_type, TILE), types.UniTuple(lanes_type, 2 * TILE)
Generate = Callable[[Any, Any, Any, Any], Any]  # (context, builder, signature, values) → the result's value


def operation(function: Callable[..., Any]) -> Any:
    """`intrinsic`: a function that kernels call, from its types and what generates its code."""
    return intrinsic(function)


def element(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    """Pointer to element `at` of a contiguous array [N]; nothing checks the bounds."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [at])


def read_vector(builder: Any, pointer: Any) -> Any:
    """LANES numbers from a pointer on."""
    loaded = builder.load(builder.bitcast(pointer, VECTOR.as_pointer()))
    loaded.align = 4
    return loaded


def write_vector(builder: Any, vector: Any, pointer: Any) -> None:
    """LANES numbers to a pointer."""
    builder.store(vector, builder.bitcast(pointer, VECTOR.as_pointer())).align = 4


def read_row(context: Any, builder: Any, array_type: Any, array: Any, at: Any, step: Any) -> list[Any]:
    """TILE vectors of an array, from at + i·step on."""
    places = [builder.add(at, builder.mul(step, ir.Constant(step.type, i))) for i in range(TILE)]
    return [read_vector(builder, element(context, builder, array_type, array, place)) for place in places]


def fused(builder: Any, number: Any, vector: Any, to: Any) -> Any:
    """number·vector + to, rounded once."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    lane = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), number, ir.Constant(INT32, 0))
    spread = builder.shuffle_vector(lane, lane, ir.Constant(ir.VectorType(INT32, LANES), [0] * LANES))
    return builder.call(function, (spread, vector, to))


def of_two(builder: Any, one: Any, two: Any) -> Any:
    """The first where it is larger, else the second."""
    return builder.select(builder.fcmp_ordered(">", one, two), one, two)


@operation
def load(typing: Any, array: Any, at: Any) -> tuple[Any, Generate]:
    """array[at : at + LANES] of an array [N]."""
    del typing, at

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return read_vector(builder, element(context, builder, signature.args[0], *values))

    return lanes_type(array, types.int64), generate


@operation
def store(typing: Any, vector: Any, array: Any, at: Any) -> tuple[Any, Generate]:
    """array[at : at + LANES] = vector."""
    del typing, vector, at

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        write_vector(builder, values[0], element(context, builder, signature.args[1], *values[1:]))
        return context.get_dummy_value()

    return types.void(lanes_type, array, types.int64), generate


@operation
def lane(typing: Any, vector: Any, i: Any) -> tuple[Any, Generate]:
    """vector[i]."""
    del typing, vector, i

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        del context, signature
        return builder.extract_element(values[0], builder.trunc(values[1], INT32))

    return types.float32(lanes_type, types.int64), generate


@operation
def zeros(typing: Any) -> tuple[Any, Generate]:
    """Zero in every lane."""
    del typing

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        del context, builder, signature, values
        return ir.Constant(VECTOR, [0.0] * LANES)

    return lanes_type(), generate


@operation
def larger(typing: Any, one: Any, two: Any) -> tuple[Any, Generate]:
    """The larger of two numbers in each lane."""
    del typing, one, two

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        del context, signature
        return of_two(builder, *values)

    return lanes_type(lanes_type, lanes_type), generate


@operation
def tile_of(typing: Any, vector: Any) -> tuple[Any, Generate]:
    """A tile: two rows of TILE vectors, all equal at first."""
    del typing, vector

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        del context, signature
        return cgutils.pack_array(builder, list(values) * (2 * TILE))

    return tile_type(lanes_type), generate


@operation
def add_products(typing: Any, tile: Any, x: Any, one: Any, two: Any, step: Any, vector: Any) -> tuple[Any, Generate]:
    """The tile whose vectors i and TILE + i have x[one + i·step]·vector and x[two + i·step]·vector added, i < TILE.

    Each product and sum is rounded once (IEEE's fused multiply-add). As fourteen statements it takes twice as long to compile.
    """
    del typing, tile, one, two, step, vector

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        tile, array, one, two, step, vector = values
        for i in range(2 * TILE):
            at = builder.add(one if i < TILE else two, builder.mul(step, ir.Constant(step.type, i % TILE)))
            number = builder.load(element(context, builder, signature.args[1], array, at))
            added = fused(builder, number, vector, builder.extract_value(values[0], i))
            tile = builder.insert_value(tile, added, i)
        return tile

    return tile_type(tile_type, x, types.int64, types.int64, types.int64, lanes_type), generate


@operation
def store_larger(typing: Any, tile: Any, array: Any, at: Any) -> tuple[Any, Generate]:
    """The larger of the two rows of a tile → array[at …], TILE vectors."""
    del typing, tile, at

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        tile, array, at = values
        for i in range(TILE):
            best = of_two(builder, builder.extract_value(tile, i), builder.extract_value(tile, TILE + i))
            place = builder.add(at, ir.Constant(at.type, i * LANES))
            write_vector(builder, best, element(context, builder, signature.args[1], array, place))
        return context.get_dummy_value()

    return types.void(tile_type, array, types.int64), generate


@operation
def store_all(typing: Any, vectors: Any, array: Any, at: Any) -> tuple[Any, Generate]:
    """The vectors of a tile or of a row → array[at …], one after the other."""
    del typing, at

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        vectors, array, at = values
        for i in range(len(signature.args[0])):
            place = builder.add(at, ir.Constant(at.type, i * LANES))
            write_vector(builder, builder.extract_value(vectors, i), element(context, builder, signature.args[1], array, place))
        return context.get_dummy_value()

    return types.void(vectors, array, types.int64), generate


@operation
def load_row(typing: Any, array: Any, at: Any, step: Any) -> tuple[Any, Generate]:
    """A row: TILE vectors of an array, from at + i·step on."""
    del typing, at, step

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return cgutils.pack_array(builder, read_row(context, builder, signature.args[0], *values))

    return row_type(array, types.int64, types.int64), generate


@operation
def add_to_row(typing: Any, row: Any, number: Any, array: Any, at: Any, step: Any) -> tuple[Any, Generate]:
    """The row whose vector i has number·(the vector of an array from at + i·step on) added."""
    del typing, row, number, at, step

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        row, number, *place = values
        vectors = read_row(context, builder, signature.args[2], *place)
        sums = [fused(builder, number, vector, builder.extract_value(row, i)) for i, vector in enumerate(vectors)]
        return cgutils.pack_array(builder, sums)

    return row_type(row_type, types.float32, array, types.int64, types.int64), generate
