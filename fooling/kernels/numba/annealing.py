"""search=anneal, compiled by numba: chains of the built-in network, many proposals a call, scored by difference."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_inline, jit_part
from fooling.kernels.numba.delta_images import Changes, copy_row
from fooling.kernels.numba.delta_penalties import update_counts, update_sums
from fooling.kernels.numba.delta_variogram import LANES as WINDOW
from fooling.kernels.numba.delta_variogram import Places, Planes, add_windows, inside, make_planes
from fooling.kernels.numba.pca import eigen_distance_into, update_eigen
from fooling.kernels.numba.penalties import apart_from, distance_into
from fooling.kernels.numba.philox import LOG32, SHIFT, U32, Drawn, U, Whole, Words, level_of, log2_fixed, philox
from fooling.kernels.numba.regional import update_regional
from fooling.kernels.numba.sigmoid_network import STEP, scores_into
from fooling.kernels.reference.annealing import NATS
from fooling.kernels.tables import PURPOSES, Bytes, Doubles, Floats, Ints, TermTarget

PROPOSE = U32(PURPOSES["propose"] << 28)
TOGETHER = 32  # chains that go side by side: what is known of them fits the second cache
HISTOGRAM, VARIOGRAM, REGIONAL, EIGEN = 1, 2, 3, 4  # where terms stand among the weights; 0 is the target
TERMS = 5
KIND, WHERE, ACCEPT, FIRST, WORDS = 0, 1, 2, 3, 8  # words of a proposal; partners from FIRST on


class ProposalParams(NamedTuple):
    """How chains propose and accept in one generation."""

    tables: Words  # [T, C, 256], cumulative shares of the grey levels, a target
    guides: Bytes  # [T, C, GUIDE + 1], see `tables.draw_guide`
    swap: int  # share of the swaps, in units of 2⁻²⁴
    seed: U
    generation: int
    temperatures: Doubles  # [proposals]


class CompiledObjective(NamedTuple):
    """What the chains are scored by; a term of weight 0 is left out."""

    weights: Doubles  # [TERMS]
    digit: int  # the wanted class, or ANY
    free: float  # see `reference.target_term`
    bins: Bytes  # [256]
    histogram: TermTarget
    places: Doubles  # [B], H·W each
    variogram: TermTarget
    pairs: Doubles  # [2·L], see `reference.pair_counts`
    regional: TermTarget
    region: Ints  # [H·W], see `reference_regional.regions`
    reach: int
    pixels: Doubles  # [regions·(1 + 2·reach)], see `regional_counts`
    eigen: npt.NDArray[np.int32]  # [P, M padded]
    mean: npt.NDArray[np.int32]  # [P]
    variance: Doubles  # [M]
    residual: float
    eigen_free: float
    network: Floats  # [P, units padded], first-layer weights
    scale: np.float32
    rest: Floats  # [units, K], padded
    bias: Floats  # [K]


class ChainState(NamedTuple):
    """What is known of R chains, an image each."""

    runs: Drawn  # [R]
    which: Ints  # [R], the number of each one's target
    images: Bytes  # [R, P]
    transposed: Bytes  # [R, P]
    counts: Ints  # [R, C, B]
    sums: Ints  # [R, C, 2, L]
    regions: Ints  # [R, C, regions·(1 + 2·reach)]
    parts: Ints  # [R, M + 1]
    units: Floats  # [R, units], first-layer sums
    scores: Floats  # [R, K]
    costs: Floats  # [R]
    changed: Ints  # [R], proposals that changed something


class Workspace(NamedTuple):
    """Room for the proposals of n ≤ TOGETHER chains."""

    words: Drawn  # [WORDS, n]
    rows: Ints  # [n]
    which: Ints  # [n], as in Chains, but of proposals
    ends: Ints  # [n + 1]
    pixels: Places  # [2·C·n]
    levels: Bytes  # [2·C·n]
    counts: Ints  # the same …
    sums: Ints
    regions: Ints
    parts: Ints
    units: Floats
    scores: Floats
    terms: Floats  # [TERMS, n]
    image: Bytes  # [P], scratch
    planes: Planes
    inside_x: Floats
    inside_y: Floats
    added: Floats
    unit_row: Floats  # a row of the padded weights
    eigen_row: npt.NDArray[np.int32]  # the same
    hidden: Floats  # see `numba_network.scores_into`
    output: Floats
    powers: npt.NDArray[np.int32]


@jit
def make_workspace(chains: ChainState, goal: CompiledObjective, height: int, width: int, n: int) -> Workspace:
    """Room for the proposals of n chains on images of this size."""
    (channels, bins), lags = chains.counts.shape[1:], chains.sums.shape[3]
    size = -(-(2 * lags + 1) // WINDOW) * WINDOW
    side = -(-n // STEP) * STEP
    lanes, outputs = (len(goal.rest), side), (goal.rest.shape[1], side)
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
        inside(width, lags, size),
        inside(height, lags, size),
        np.empty((channels, 2, size), np.float32),
        np.zeros(goal.network.shape[1], np.float32),
        np.empty(goal.eigen.shape[1], np.int32),
        np.zeros(lanes, np.float32),
        np.empty(outputs, np.float32),
        np.empty(max(lanes[0], outputs[0]) * side, np.int32),
    )


@jit
def anneal(
    chains: ChainState, goal: CompiledObjective, walk: ProposalParams, height: int, width: int, lo: int, hi: int
) -> None:
    """All proposals of a generation for chains lo…hi − 1, in place."""
    trial = make_workspace(chains, goal, height, width, min(TOGETHER, hi - lo))
    power = trial.powers.view(np.float32)
    for first in range(lo, hi, TOGETHER):
        last = min(first + TOGETHER, hi)
        trial.planes.held[:] = -1
        walk_together(chains, goal, walk, trial, power, first, last, height)


@jit_part
def walk_together(
    chains: ChainState,
    goal: CompiledObjective,
    walk: ProposalParams,
    trial: Workspace,
    power: Floats,
    first: int,
    last: int,
    height: int,
) -> None:
    """All proposals of a generation for at most TOGETHER chains, one each at a time."""
    images, transposed = chains.images[first:last], chains.transposed[first:last]
    for step in range(len(walk.temperatures)):
        draw(trial.words, walk, chains.runs[first:last], step)
        m = 0
        for lane in range(last - first):
            which = chains.which[first + lane]
            count = propose(images[lane], walk, trial, which, lane, trial.ends[m])
            if count:
                trial.rows[m], trial.which[m] = lane, which
                m += 1
                trial.ends[m] = trial.ends[m - 1] + count
        changes = Changes(images, transposed, trial.rows[:m], trial.ends[: m + 1], trial.pixels, trial.levels)
        score(chains, goal, trial, power, changes, first, m)
        for j in range(m):
            lane = trial.rows[j]
            row = first + lane
            chains.changed[row] += 1
            cost = total(goal, trial, j)
            bound = walk.temperatures[step] * np.float64(LOG32 - log2_fixed(U(trial.words[ACCEPT, lane]) + U(1))) * NATS
            if np.float64(cost) - np.float64(chains.costs[row]) <= bound:
                chains.costs[row] = cost
                take(chains, goal, trial, row, j, lane, height)


@jit_part
def draw(words: Drawn, walk: ProposalParams, runs: Drawn, step: int) -> None:
    """The words of a proposal of each chain."""
    for block in range(2):
        w0, w1, w2, w3 = words[4 * block], words[4 * block + 1], words[4 * block + 2], words[4 * block + 3]
        for i in range(len(runs)):
            w0[i], w1[i], w2[i], w3[i] = philox(block, U32(PROPOSE + U32(step)), walk.generation, runs[i], walk.seed)


@jit_part
def propose(image: Bytes, walk: ProposalParams, trial: Workspace, which: int, lane: int, start: Whole) -> int:
    """Lists what a chain's proposal changes, from `start` on; → how many pixels."""
    table, guide, words = walk.tables[which], walk.guides[which], trial.words
    channels = len(table)
    places = len(image) // channels
    if words[KIND, lane] >> U32(8) < walk.swap:
        at = np.int64((U(words[WHERE, lane]) * U(places)) >> SHIFT) * channels
        for k in range(FIRST, WORDS):
            partner = np.int64((U(words[k, lane]) * U(places)) >> SHIFT) * channels
            count = 0
            for channel in range(channels):
                one, two = image[at + channel], image[partner + channel]
                if one != two:
                    put(trial, start + count, at + channel, two)
                    put(trial, start + count + 1, partner + channel, one)
                    count += 2
            if count:
                return count
        return 0
    pixel = np.int64((U(words[WHERE, lane]) * U(len(image))) >> SHIFT)
    own = pixel % channels
    level = level_of(words[FIRST, lane], table[own], guide[own])
    put(trial, start, pixel, level)
    return 1 if level != image[pixel] else 0


@jit_inline
def put(trial: Workspace, at: Whole, pixel: Whole, level: Whole) -> None:
    """Lists a change."""
    trial.pixels[at], trial.levels[at] = pixel, level


@jit_part
def score(
    chains: ChainState, goal: CompiledObjective, trial: Workspace, power: Floats, changes: Changes, first: int, m: int
) -> None:
    """Statistics, scores and terms of m proposals."""
    last, weights, terms, which = first + len(changes.parents), goal.weights, trial.terms, trial.which
    if weights[HISTOGRAM]:
        update_counts(trial.counts, chains.counts[first:last], changes, goal.bins)
        distance_into(terms[HISTOGRAM, :m], trial.counts, goal.places, which, goal.histogram, len(goal.places))
    if weights[VARIOGRAM]:
        add_windows(trial.sums, chains.sums[first:last], changes, trial.planes, trial.inside_x, trial.inside_y, trial.added)
        parts = trial.sums.reshape(len(trial.sums), trial.sums.shape[1], len(goal.pairs))
        distance_into(terms[VARIOGRAM, :m], parts, goal.pairs, which, goal.variogram, len(goal.pairs) // 2)
    if weights[REGIONAL]:
        regions, width = chains.regions[first:last], len(goal.region) // (len(trial.inside_y) // trial.added.shape[2])
        update_regional(trial.regions, regions, changes, trial.image, goal.region, width, goal.reach)
        distance_into(terms[REGIONAL, :m], trial.regions, goal.pixels, which, goal.regional, goal.region[-1] + 1)
    if weights[EIGEN]:
        update_eigen(trial.parts, chains.parts[first:last], changes, goal.eigen, goal.mean, trial.eigen_row)
        eigen_distance_into(terms[EIGEN, :m], trial.parts, goal.variance, goal.residual, goal.eigen_free)
    update_sums(chains.units[first:last], changes, goal.network, trial.units, trial.unit_row)
    scores_into(
        trial.scores[:m],
        trial.units[:m],
        goal.scale,
        goal.rest,
        goal.bias,
        trial.hidden,
        trial.output,
        trial.powers,
        power,
    )


@jit_part
def total(goal: CompiledObjective, trial: Workspace, j: int) -> np.float32:
    """Cost of a proposal: Σ weight·term, the target term as in `numba_.target_term`."""
    target = apart_from(trial.scores[j], goal.digit)
    cost = 0.0 + goal.weights[0] * np.float64(np.float32(max(target - goal.free, 0.0)))
    for t in range(1, len(goal.weights)):
        if goal.weights[t]:
            cost += goal.weights[t] * np.float64(trial.terms[t, j])
    return np.float32(cost)


@jit_part
def take(chains: ChainState, goal: CompiledObjective, trial: Workspace, row: int, j: int, lane: int, height: int) -> None:
    """Makes proposal j the state of its chain."""
    planes, channels = trial.planes, trial.counts.shape[1]
    copy_row(chains.units[row], trial.units[j])
    copy_row(chains.scores[row], trial.scores[j])
    if goal.weights[HISTOGRAM]:
        copy_row(chains.counts[row].reshape(-1), trial.counts[j].reshape(-1))
    if goal.weights[VARIOGRAM]:
        copy_row(chains.sums[row].reshape(-1), trial.sums[j].reshape(-1))
    if goal.weights[REGIONAL]:
        copy_row(chains.regions[row].reshape(-1), trial.regions[j].reshape(-1))
    if goal.weights[EIGEN]:
        copy_row(chains.parts[row], trial.parts[j])
    for e in range(trial.ends[j], trial.ends[j + 1]):
        pixel, level = np.int64(trial.pixels[e]), trial.levels[e]
        channel, place = pixel % channels, pixel // channels
        down = np.int64(planes.column[place]) * height + np.int64(planes.line[place])
        chains.images[row, pixel], chains.transposed[row, down * channels + channel] = level, level
        if goal.weights[VARIOGRAM]:
            planes.pixels[lane, channel, 0, planes.margin + place] = level
            planes.pixels[lane, channel, 1, planes.margin + down] = level
