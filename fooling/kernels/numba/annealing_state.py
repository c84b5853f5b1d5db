"""Typed tuples of the compiled chains of search=anneal: parameters, objective, state and workspace."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit
from fooling.kernels.numba.convolution import PackedConvolutions
from fooling.kernels.numba.delta_variogram import LANES as WINDOW
from fooling.kernels.numba.delta_variogram import Places, Planes, make_planes, window_mask
from fooling.kernels.numba.network import STEP
from fooling.kernels.numba.philox import Drawn, U, Words
from fooling.kernels.tables import Bytes, Doubles, Floats, Ints, TermTarget

BLOCK = 32  # chains processed together: their state fits the second-level cache
CONVOLUTIONAL_BLOCK = 8  # the same of a convolutional network, for which a chain takes 44 kB with 28×28 pixels
HISTOGRAM, VARIOGRAM, REGIONAL, EIGEN = 1, 2, 3, 4  # positions of the terms among the weights; 0 is the target
TERMS = 5
WORDS = 8  # random words of a proposal


class ProposalParams(NamedTuple):
    """How chains propose and accept in one generation; T targets."""

    tables: Words  # [T, C, 256], cumulative shares of the grey levels that redraws draw from
    guides: Bytes  # [T, C, GUIDE + 1], see `tables.draw_guide`
    swap: int  # share of swaps among the proposals, in units of 2⁻²⁴
    seed: U
    generation: int
    temperatures: Doubles  # [proposals]


class CompiledObjective(NamedTuple):
    """What chains are scored by; a term of weight 0 is not computed."""

    weights: Doubles  # [TERMS]
    digit: int  # the target class, or ANY
    margin: float  # see `reference.target_term`
    bins: Bytes  # [256]
    histogram: TermTarget
    places: Doubles  # [B], H·W each
    variogram: TermTarget
    pairs: Doubles  # [2·L], see `reference.penalties.pair_counts`
    regional: TermTarget
    region: Ints  # [H·W], see `reference.penalties.regions`
    reach: int
    pixels: Doubles  # [regions·(1 + 2·reach)], see `reference.penalties.regional_counts`
    eigen: npt.NDArray[np.int32]  # [P, M padded]
    mean: npt.NDArray[np.int32]  # [P]
    variance: Doubles  # [M]
    residual: float
    eigen_margin: float
    network: Floats  # [P, units padded], first-layer weights
    scale: np.float32
    layers: Floats  # weights of the later layers, see `network.packed` …
    bias: Floats
    sizes: Ints  # … to here
    relu: bool  # of hidden units, else sigmoid
    softmax: bool  # of the outputs, else sigmoid
    update: int  # address of `delta_convolution.update_values`; 0 for a dense network
    convolutions: PackedConvolutions  # with `update`, in place of `network`


class ChainState(NamedTuple):
    """R chains, one image each, with its sufficient statistics."""

    runs: Drawn  # [R]
    target_index: Ints  # [R]
    images: Bytes  # [R, P]
    transposed: Bytes  # [R, P]
    counts: Ints  # [R, C, B]
    sums: Ints  # [R, C, 2, L]
    regions: Ints  # [R, C, regions·(1 + 2·reach)]
    parts: Ints  # [R, M + 1]
    units: Floats  # [R, units], first-layer sums; of a convolutional network logits and values, see `delta_convolution`
    scores: Floats  # [R, K]
    costs: Floats  # [R]
    changed: Ints  # [R], proposals that changed a pixel


class Workspace(NamedTuple):
    """Buffers for the proposals of n ≤ BLOCK chains; m of them change something."""

    words: Drawn  # [WORDS, n]
    rows: Ints  # [n], the chain of each proposal, counted from the block's first
    target_index: Ints  # [n]
    ends: Ints  # [n + 1], proposal j changes pixels ends[j] … ends[j + 1] − 1 of the list
    pixels: Places  # [2·C·n]
    levels: Bytes  # [2·C·n]
    counts: Ints  # of the proposals, shapes as in ChainState …
    sums: Ints
    regions: Ints
    parts: Ints
    units: Floats
    scores: Floats  # … to here
    terms: Floats  # [TERMS, n]
    image: Bytes  # [P]
    planes: Planes  # images of the chains, see `delta_variogram`
    inside_x: Floats  # see `delta_variogram.window_mask`
    inside_y: Floats
    added: Floats  # [C, 2, window]
    unit_row: Floats  # a row of the padded weights
    eigen_row: npt.NDArray[np.int32]  # a row of the padded components
    one: Floats  # [the widest layer, lanes], see `network.fill_scores`
    other: Floats
    powers: npt.NDArray[np.int32]


@jit
def make_workspace(chains: ChainState, objective: CompiledObjective, height: int, width: int, n: int) -> Workspace:
    """A workspace for n chains on images of this size."""
    (channels, bins), lags = chains.counts.shape[1:], chains.sums.shape[3]
    size = -(-(2 * lags + 1) // WINDOW) * WINDOW
    lanes = (-(-objective.sizes.max() // 4) * 4, -(-n // STEP) * STEP)
    return Workspace(
        np.empty((WORDS, n), np.uint32),
        np.empty(n, np.int64),
        np.empty(n, np.int64),
        np.zeros(n + 1, np.int64),
        np.empty(2 * channels * n, np.int32),
        np.empty(2 * channels * n, np.uint8),
        np.empty((n, channels, bins), np.int64),
        np.empty((n, channels, 2, lags), np.int64),
        np.empty((n, channels, chains.regions.shape[2]), np.int64),
        np.empty((n, chains.parts.shape[1]), np.int64),
        np.empty((n, chains.units.shape[1]), np.float32),
        np.empty((n, chains.scores.shape[1]), np.float32),
        np.zeros((TERMS, n), np.float32),
        np.empty(chains.images.shape[1], np.uint8),
        make_planes(n, channels, height, width, size),
        window_mask(width, lags, size),
        window_mask(height, lags, size),
        np.empty((channels, 2, size), np.float32),
        np.zeros(objective.network.shape[1], np.float32),
        np.empty(objective.eigen.shape[1], np.int32),
        np.zeros(lanes, np.float32),
        np.zeros(lanes, np.float32),
        np.empty(lanes[0] * lanes[1], np.int32),
    )
