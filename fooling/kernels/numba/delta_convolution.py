"""Delta evaluation of convolutional networks: only what a changed pixel changes is computed, each output whole.

A pixel changes k·k outputs of the first convolution, for k = 5 at most 3·3 cells after pooling, 7·7 outputs of the second
convolution, and a part of the dense layer's inputs. The bits are those of all of it: each output is the same sum.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import typeof
from numba.core import types as untyped_types

from fooling.kernels.numba.compile import jit, jit_part
from fooling.kernels.numba.convolution import FEW, PackedConvolutions, convolve, fill_activations, fill_dense
from fooling.kernels.numba.delta_penalties import Changes, copy_row
from fooling.kernels.numba.lanes import LANES, TILE, operation
from fooling.kernels.numba.philox import U
from fooling.kernels.tables import Bytes, Floats

types: Any = untyped_types


@jit
def measure_values(images: Bytes, network: PackedConvolutions) -> Floats:
    """Logits, then all values of images [N, P]: [N, K + network.size]."""
    first = network.four.outputs
    values = np.zeros((len(images), first + network.size), np.float32)
    for i in range(len(images)):
        fill_activations(values[i], first, first + network.two.to, images[i], network)
    fill_logits(values, len(images), network)
    return values


@jit
def update_values(parents: Floats, changes: Changes, children: Floats, network: PackedConvolutions) -> None:
    """Logits and values [Q, K + network.size] of the parents → of the children [≥ N, …]."""
    for j in range(len(changes.rows)):
        copy_row(children[j], parents[changes.rows[j]])
        change_pixels(children[j], network.four.outputs, changes, j, network)
    fill_logits(children, len(changes.rows), network)


@jit
def fill_logits(values: Floats, n: int, network: PackedConvolutions) -> None:
    """Logits of the first n images, from their values."""
    three, four, size, flat = network.three, network.four, values.shape[1], values.reshape(-1)
    hidden, rows = np.empty(FEW * three.outputs, np.float32), np.empty(TILE * LANES, np.float32)
    for lo in range(0, n, FEW):
        count = min(FEW, n - lo)
        fill_dense(hidden, 0, flat, lo * size + four.outputs + network.two.to, size, count, three, rows, True)
        for i in range(count):
            fill_dense(values[lo + i], 0, hidden, i * three.outputs, 0, 1, four, rows, False)


def address_of_update(network: PackedConvolutions) -> int:
    """Address of `update_values`, compiled.

    The compiled chains call it there: put into them, it would have their compilation take 60 % longer for dense networks too.
    """
    values, images, none = np.empty((1, 1), np.float32), np.empty((1, 1), np.uint8), np.empty(0, np.int64)
    changes = Changes(images, images, none, none, none.astype(np.int32), images[0])
    compiled: Any = update_values
    signature = tuple(map(typeof, (values, changes, values, network)))
    compiled.compile(signature)
    found = compiled.overloads[signature]
    return int(found.library.get_pointer_to_function(found.fndesc.llvm_cfunc_wrapper_name))


@operation
def call_update(typing: Any, address: Any, parents: Any, changes: Any, children: Any, network: Any) -> Any:
    """Calls `update_values` at its address, with arguments of the types with which it was compiled."""
    del typing, address

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = [context.get_value_type(kind) for kind in signature.args[1:]]
        kind = ir.FunctionType(context.get_value_type(types.none), kinds)
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), values[1:])
        return context.get_dummy_value()

    return types.none(types.int64, parents, changes, children, network), generate


@jit_part
def change_pixels(memory: Floats, at: int, changes: Changes, j: int, network: PackedConvolutions) -> None:
    """Changes the pixels of child j in the values of its parent, memory[at …], and all that depends on them."""
    one, two = network.one, network.two
    low, high = (one.kernel - 1) // 2, one.kernel // 2
    begin, end = changes.ends[j], changes.ends[j + 1]
    for e in range(begin, end):
        pixel: Any = np.int64(changes.pixels[e])
        y, rest = pixel // (one.width * one.inputs), pixel % (one.width * one.inputs)
        memory[U(at + (y + low) * one.line + low * one.inputs + rest)] = network.levels[changes.levels[e]]
    for stage in range(2):
        for e in range(begin, end):
            place: Any = np.int64(changes.pixels[e]) // one.inputs
            known = False
            for other in range(begin, e):  # another colour of the same place
                known |= place == np.int64(changes.pixels[other]) // one.inputs
            y, x = place // one.width, place % one.width
            top, bottom = max(0, y - high) // 2, min((y + low) // 2 + 1, two.height)
            left, right = max(0, x - high) // 2, min((x + low) // 2 + 1, two.width)
            if known or top >= bottom or left >= right:  # pooling leaves out the last row of an odd number
                continue
            if stage == 0:
                convolve(memory, at, at + one.to, one, top, bottom, 2 * left, 2 * right)
            else:
                top, bottom = max(0, top - high) // 2, min((bottom - 1 + low) // 2 + 1, two.height // 2)
                left, right = max(0, left - high), min(right + low, two.width // 2 * 2)
                convolve(memory, at, at + two.to, two, top, bottom, left, right)
