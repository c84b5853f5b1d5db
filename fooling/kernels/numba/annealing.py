"""search=anneal, compiled by numba: chains of a dense or convolutional network, scored by delta evaluation."""

import numpy as np

from fooling.kernels.numba.annealing_state import (
    BLOCK,
    CONVOLUTIONAL_BLOCK,
    EIGEN,
    HISTOGRAM,
    REGIONAL,
    VARIOGRAM,
    WORDS,
    ChainState,
    CompiledObjective,
    ProposalParams,
    Workspace,
    make_workspace,
)
from fooling.kernels.numba.compile import jit, jit_inline, jit_part
from fooling.kernels.numba.delta_convolution import call_update
from fooling.kernels.numba.delta_penalties import Changes, copy_row, update_counts, update_sums
from fooling.kernels.numba.delta_variogram import add_windows
from fooling.kernels.numba.linear_penalties import eigen_distance_into, update_eigen, update_regional
from fooling.kernels.numba.network import fill_scores
from fooling.kernels.numba.penalties import one_hot_distance, weighted_l1_into
from fooling.kernels.numba.philox import LOG32, SHIFT, U32, Drawn, U, Whole, level_of, log2_fixed, philox
from fooling.kernels.reference.annealing import NATS
from fooling.kernels.tables import PURPOSES, Bytes, Floats

PROPOSE = U32(PURPOSES["propose"] << 28)
KIND, WHERE, ACCEPT, FIRST = 0, 1, 2, 3  # positions among the words of a proposal; swap partners from FIRST on


@jit
def anneal(
    chains: ChainState, objective: CompiledObjective, params: ProposalParams, height: int, width: int, lo: int, hi: int
) -> None:
    """All proposals of a generation for chains lo…hi − 1, in place."""
    block = CONVOLUTIONAL_BLOCK if objective.update else BLOCK
    workspace = make_workspace(chains, objective, height, width, min(block, hi - lo))
    power = workspace.powers.view(np.float32)
    for first in range(lo, hi, block):
        last = min(first + block, hi)
        workspace.planes.rows[:] = -1
        anneal_block(chains, objective, params, workspace, power, first, last, height)


@jit_part
def anneal_block(
    chains: ChainState,
    objective: CompiledObjective,
    params: ProposalParams,
    workspace: Workspace,
    power: Floats,
    first: int,
    last: int,
    height: int,
) -> None:
    """All proposals of a generation for at most BLOCK chains, proposal by proposal."""
    images, transposed = chains.images[first:last], chains.transposed[first:last]
    for step in range(len(params.temperatures)):
        draw_words(workspace.words, params, chains.runs[first:last], step)
        m = np.int64(0)  # as a literal, it would have score_proposals compiled twice
        for lane in range(last - first):
            target_index = chains.target_index[first + lane]
            count = propose(images[lane], params, workspace, target_index, lane, workspace.ends[m])
            if count:
                workspace.rows[m], workspace.target_index[m] = lane, target_index
                m += 1
                workspace.ends[m] = workspace.ends[m - 1] + count
        changes = Changes(images, transposed, workspace.rows[:m], workspace.ends[: m + 1], workspace.pixels, workspace.levels)
        score_proposals(chains, objective, workspace, power, changes, first, m)
        for j in range(m):
            lane = workspace.rows[j]
            row = first + lane
            chains.changed[row] += 1
            cost = proposal_cost(objective, workspace, j)
            bound = params.temperatures[step] * np.float64(LOG32 - log2_fixed(U(workspace.words[ACCEPT, lane]) + U(1))) * NATS
            if np.float64(cost) - np.float64(chains.costs[row]) <= bound:
                chains.costs[row] = cost
                accept(chains, objective, workspace, row, j, lane, height)


@jit_part
def draw_words(words: Drawn, params: ProposalParams, runs: Drawn, step: int) -> None:
    """Draws the random words of one proposal of each chain, uint32 [WORDS, n]."""
    for block in range(2):
        w0, w1, w2, w3 = words[4 * block], words[4 * block + 1], words[4 * block + 2], words[4 * block + 3]
        for i in range(len(runs)):
            w0[i], w1[i], w2[i], w3[i] = philox(block, U32(PROPOSE + U32(step)), params.generation, runs[i], params.seed)


@jit_part
def propose(image: Bytes, params: ProposalParams, workspace: Workspace, target_index: int, lane: int, start: Whole) -> int:
    """Lists the pixels that a chain's proposal changes, from `start` on: a swap of two places or a redraw; → their number."""
    table, guide, words = params.tables[target_index], params.guides[target_index], workspace.words
    channels = len(table)
    places = len(image) // channels
    if words[KIND, lane] >> U32(8) < params.swap:
        at = np.int64((U(words[WHERE, lane]) * U(places)) >> SHIFT) * channels
        for k in range(FIRST, WORDS):
            partner = np.int64((U(words[k, lane]) * U(places)) >> SHIFT) * channels
            count = 0
            for channel in range(channels):
                one, two = image[at + channel], image[partner + channel]
                if one != two:
                    record_change(workspace, start + count, at + channel, two)
                    record_change(workspace, start + count + 1, partner + channel, one)
                    count += 2
            if count:
                return count
        return 0
    pixel = np.int64((U(words[WHERE, lane]) * U(len(image))) >> SHIFT)
    plane = pixel % channels
    level = level_of(words[FIRST, lane], table[plane], guide[plane])
    record_change(workspace, start, pixel, level)
    return 1 if level != image[pixel] else 0


@jit_inline
def record_change(workspace: Workspace, at: Whole, pixel: Whole, level: Whole) -> None:
    """Writes one changed pixel to the list."""
    workspace.pixels[at], workspace.levels[at] = pixel, level


@jit_part
def score_proposals(
    chains: ChainState,
    objective: CompiledObjective,
    workspace: Workspace,
    power: Floats,
    changes: Changes,
    first: int,
    m: Whole,
) -> None:
    """Sufficient statistics, scores and terms of m proposals."""
    last, weights, terms = first + len(changes.parents), objective.weights, workspace.terms
    target_index = workspace.target_index
    if weights[HISTOGRAM]:
        update_counts(workspace.counts, chains.counts[first:last], changes, objective.bins)
        weighted_l1_into(
            terms[HISTOGRAM, :m], workspace.counts, objective.places, target_index, objective.histogram, len(objective.places)
        )
    if weights[VARIOGRAM]:
        add_windows(
            workspace.sums,
            chains.sums[first:last],
            changes,
            workspace.planes,
            workspace.inside_x,
            workspace.inside_y,
            workspace.added,
        )
        parts = workspace.sums.reshape(len(workspace.sums), workspace.sums.shape[1], len(objective.pairs))
        weighted_l1_into(
            terms[VARIOGRAM, :m], parts, objective.pairs, target_index, objective.variogram, len(objective.pairs) // 2
        )
    if weights[REGIONAL]:
        regions = chains.regions[first:last]
        width = len(objective.region) // (len(workspace.inside_y) // workspace.added.shape[2])
        update_regional(workspace.regions, regions, changes, workspace.image, objective.region, width, objective.reach)
        weighted_l1_into(
            terms[REGIONAL, :m], workspace.regions, objective.pixels, target_index, objective.regional, objective.region[-1] + 1
        )
    if weights[EIGEN]:
        update_eigen(workspace.parts, chains.parts[first:last], changes, objective.eigen, objective.mean, workspace.eigen_row)
        eigen_distance_into(terms[EIGEN, :m], workspace.parts, objective.variance, objective.residual, objective.eigen_margin)
    if objective.update:
        call_update(objective.update, chains.units[first:last], changes, workspace.units, objective.convolutions)
    else:
        update_sums(chains.units[first:last], changes, objective.network, workspace.units, workspace.unit_row)
    fill_scores(
        workspace.scores[:m],
        workspace.units[:m],
        objective.scale,
        objective.layers,
        objective.bias,
        objective.sizes,
        objective.relu,
        objective.softmax,
        workspace.one,
        workspace.other,
        workspace.powers,
        power,
    )


@jit_part
def proposal_cost(objective: CompiledObjective, workspace: Workspace, j: int) -> np.float32:
    """Cost of a proposal: Σ weight·term, the target term as in `penalties.target_term`."""
    deviation = one_hot_distance(workspace.scores[j], objective.digit)
    cost = 0.0 + objective.weights[0] * np.float64(np.float32(max(deviation - objective.margin, 0.0)))
    for t in range(1, len(objective.weights)):
        if objective.weights[t]:
            cost += objective.weights[t] * np.float64(workspace.terms[t, j])
    return np.float32(cost)


@jit_part
def accept(
    chains: ChainState, objective: CompiledObjective, workspace: Workspace, row: int, j: int, lane: int, height: int
) -> None:
    """Makes proposal j the state of its chain (Metropolis acceptance)."""
    planes, channels = workspace.planes, workspace.counts.shape[1]
    copy_row(chains.units[row], workspace.units[j])
    copy_row(chains.scores[row], workspace.scores[j])
    if objective.weights[HISTOGRAM]:
        copy_row(chains.counts[row].reshape(-1), workspace.counts[j].reshape(-1))
    if objective.weights[VARIOGRAM]:
        copy_row(chains.sums[row].reshape(-1), workspace.sums[j].reshape(-1))
    if objective.weights[REGIONAL]:
        copy_row(chains.regions[row].reshape(-1), workspace.regions[j].reshape(-1))
    if objective.weights[EIGEN]:
        copy_row(chains.parts[row], workspace.parts[j])
    for e in range(workspace.ends[j], workspace.ends[j + 1]):
        pixel, level = np.int64(workspace.pixels[e]), workspace.levels[e]
        channel, place = pixel % channels, pixel // channels
        down = np.int64(planes.column[place]) * height + np.int64(planes.line[place])
        chains.images[row, pixel], chains.transposed[row, down * channels + channel] = level, level
        if objective.weights[VARIOGRAM]:
            planes.pixels[lane, channel, 0, planes.margin + place] = level
            planes.pixels[lane, channel, 1, planes.margin + down] = level
