"""Genomes: what images they draw, alone or among others, at their own size or another."""

import numpy as np
import pytest
from scipy.special import expit, logit

from fooling.errors import UserError
from fooling.kernels.numba.compile import ThreadSlices
from fooling.kernels.numba.patterns import GAUSSIAN, INPUTS, LANES, LINEAR, SIGMOID, SINE, pattern_levels
from fooling.search.genomes import GENOMES, decode_all, make_genome, sides, squash
from fooling.search.genomes.cppn import GAIN, NOTHING, OUTPUT_GAIN, THRESHOLD, NetworkGenome, centres
from fooling.search.genomes.dct import cosines
from fooling.search.genomes.grid import enlargement
from fooling.search.genomes.mixed import GAIN as WAVES_GAIN
from fooling.search.genomes.mixed import MixedGenome

SHAPES = [(28, 28, 1), (9, 13, 1), (48, 192, 3), (33, 20, 3)]


def draw(name: str, shape: tuple[int, int, int], number: int = 5, detail: int = 4) -> tuple:
    genome = make_genome(name, shape, detail)
    return genome, np.random.default_rng(0).normal(size=(number, genome.size)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", GENOMES)
def test_an_image_depends_on_its_genome_alone(name: str, shape: tuple[int, int, int]) -> None:
    genome, numbers = draw(name, shape, 35)
    images = decode_all(genome, numbers, ThreadSlices(3))
    assert images.dtype == np.uint8
    assert images.shape == (35, *shape)
    assert np.array_equal(np.concatenate([genome.decode(one[None]) for one in numbers]), images)
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)
    assert (genome.decode(np.zeros((1, genome.size), np.float32)) == 128).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", GENOMES)
def test_at_its_own_size_a_rendering_is_the_image(name: str, shape: tuple[int, int, int]) -> None:
    genome, numbers = draw(name, shape)
    assert np.array_equal(genome.render(numbers, *shape[:2]), genome.decode(numbers))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["dct", "grid"])
def test_a_larger_rendering_is_the_same_picture(name: str, shape: tuple[int, int, int]) -> None:
    genome, numbers = draw(name, shape)
    height, width, channels = shape
    large = genome.render(numbers, 3 * height, 3 * width).astype(float)
    means = large.reshape(5, height, 3, width, 3, channels).mean(axis=(2, 4))
    assert np.abs(means - genome.decode(numbers)).mean() < 4


def test_cosines_by_hand() -> None:
    shape = (6, 8, 1)
    genome, numbers = draw("dct", shape, 1, 3)
    rows, columns = sides(shape, 3)
    assert (rows, columns, genome.size) == (3, 4, 12)
    values = np.zeros(shape[:2])
    for k in range(rows):
        for m in range(columns):
            size = 1 / (1 + np.hypot(k, m * 3 / 4))
            for i in range(6):
                for j in range(8):
                    wave = np.cos(np.pi * k * (i + 0.5) / 6) * np.cos(np.pi * m * (j + 0.5) / 8)
                    values[i, j] += numbers[0, k * columns + m] * size * wave
    assert np.abs(genome.decode(numbers)[0, :, :, 0] - 255 * expit(values)).max() <= 0.501


def test_cosines_are_orthogonal() -> None:
    waves = cosines(8, 224).astype(float)
    assert waves @ waves.T / 224 == pytest.approx(np.diag([1, *[0.5] * 7]), abs=1e-6)


@pytest.mark.parametrize(("number", "side"), [(4, 28), (8, 224), (3, 3), (5, 7), (1, 9)])
def test_enlargement_keeps_even_and_slanted_grounds(number: int, side: int) -> None:
    shares = enlargement(number, side)
    assert shares.sum(axis=0) == pytest.approx(1, abs=1e-6)
    slope = np.arange(number) @ shares
    inner = slice(2 * side // number, -2 * side // number) if number > 4 else slice(0, 0)
    assert slope[inner] == pytest.approx(((np.arange(side) + 0.5) * number / side - 0.5)[inner], abs=1e-5)
    if number == side:
        assert shares == pytest.approx(np.eye(number), abs=1e-6)


# --- networks ---------------------------------------------------------------------------------------------------------------

ACTIVATIONS = {SINE: np.sin, SIGMOID: np.tanh, GAUSSIAN: lambda z: 2 * np.exp(-z * z) - 1, LINEAR: lambda z: z / 4}


def network_genome(shape: tuple[int, int, int], detail: int) -> NetworkGenome:
    genome = make_genome("cppn", shape, detail)
    assert isinstance(genome, NetworkGenome)
    return genome


def weighted(values: list[float], numbers: list[float]) -> float:
    """The weighted sum, before the gain, over the connections whose numbers exceed the threshold."""
    pairs = zip(values, numbers, strict=True)
    return sum(value * np.copysign(max(0, abs(number) - THRESHOLD), number) for value, number in pairs)


def levels_by_hand(numbers: list[float], x: float, y: float, detail: int, channels: int) -> list[float]:
    """The grey levels at a place: the numbers choose the activations, then weigh the inputs of each node."""
    values, rest = [x, y, np.hypot(x, y), 1.0], numbers[detail:]
    for chosen in numbers[:detail]:
        activation = ACTIVATIONS[int(np.searchsorted([-0.67449, 0, 0.67449], chosen))]
        own, rest = rest[: len(values)], rest[len(values) :]
        values = [*values, activation(GAIN * weighted(values, own))]
    out = [OUTPUT_GAIN * weighted(values, row) for row in np.array(rest).reshape(channels, len(values)).tolist()]
    if channels == 3:
        light, warm, green = out
        out = [light + warm / 2 - green / 4, light + green / 2, light - warm / 2 - green / 4]
    return [float(255 * expit(z)) for z in out]


@pytest.mark.parametrize(("shape", "detail"), [((6, 9, 1), 1), ((9, 6, 3), 3), ((5, 5, 3), 5)])
def test_networks_by_hand(shape: tuple[int, int, int], detail: int) -> None:
    height, width, channels = shape
    genome, numbers = draw("cppn", shape, 12, detail)
    assert genome.size == detail + sum(INPUTS + node for node in range(detail)) + channels * (INPUTS + detail)
    images, shorter = genome.decode(numbers), min(shape[:2])
    for i in range(height):
        for j in range(width):
            x, y = (2 * j + 1 - width) / shorter, (2 * i + 1 - height) / shorter
            levels = [levels_by_hand(one, x, y, detail, channels) for one in numbers.astype(float).tolist()]
            assert np.abs(images[:, i, j] - np.array(levels)).max() <= 0.52


@pytest.mark.parametrize("shape", SHAPES)
def test_waves_lie_on_the_pattern(shape: tuple[int, int, int]) -> None:
    genome, numbers = draw("mixed", shape, 6, 5)
    assert isinstance(genome, MixedGenome)
    pattern, waves = numbers[:, : genome.explored], numbers[:, genome.explored :] * 0.3
    assert genome.size == genome.explored + shape[2] * np.prod(sides(shape, 8))
    quiet = np.concatenate([pattern, np.zeros_like(waves)], axis=1)
    assert np.array_equal(genome.decode(quiet), network_genome(shape, 5).decode(pattern))
    levels = network_genome(shape, 5).decode(pattern).astype(float)
    added = np.moveaxis(make_genome("dct", shape, 8).waves(waves * np.float32(WAVES_GAIN), *shape[:2]), 1, 3)  # type: ignore[attr-defined]
    expected = 255 * expit(logit(levels / 255) + added)
    between = (levels > 20) & (levels < 235)  # where a level says what the output was
    assert np.abs(genome.decode(np.concatenate([pattern, waves], axis=1)) - expected)[between].max() < 4
    mixture = np.concatenate([quiet[:3], np.concatenate([pattern, waves], axis=1)[:3]])
    assert np.array_equal(genome.decode(mixture)[:3], genome.decode(quiet[:3])), "an image depends on its own genome alone"


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation: int) -> None:
    places = np.linspace(-20, 20, 3 * LANES + 7).astype(np.float32)
    weights = np.zeros((1, 2, INPUTS + 1), dtype=np.float32)
    weights[0, 0, [0, 3]], weights[0, 1, INPUTS] = (1.5, -0.25), 3.0
    levels = pattern_levels(np.zeros(1, dtype=np.float32), places, weights, np.array([[activation]]), NOTHING)
    expected = 255 * expit(3 * ACTIVATIONS[activation](1.5 * places.astype(float) - 0.25))
    assert np.abs(levels[0, 0, :, 0] - expected).max() <= 0.51


def test_a_connection_exists_where_its_number_exceeds_the_threshold() -> None:
    genome, numbers = draw("cppn", (12, 16, 1), 1, 8)
    weights, _ = genome.network(numbers)
    existing = np.abs(numbers[0, 8:]) > THRESHOLD
    assert 0.4 < existing.mean() < 0.8
    assert np.array_equal(weights[0, genome.node, genome.source] != 0, existing)
    assert (genome.source[genome.node < 8] < INPUTS + genome.node[genome.node < 8]).all()  # from nodes before it alone
    below = np.where(np.abs(numbers) > THRESHOLD, numbers, 0)
    below[0, :8] = numbers[0, :8]
    assert np.array_equal(genome.decode(below), genome.decode(numbers))
    chosen = np.array([[-1, -0.5, 0.5, 1, *[0] * (genome.size - 4)]], dtype=np.float32)
    assert genome.network(chosen)[1].tolist() == [[SINE, SIGMOID, GAUSSIAN, LINEAR, *[GAUSSIAN] * 4]]


def test_what_leads_to_no_output_has_no_effect() -> None:
    genome, numbers = draw("cppn", (12, 16, 3), 20, 4)
    without = numbers.copy()
    without[:, 4:][:, genome.source == INPUTS + 1] = 0  # no connection from the second node
    other = without.copy()
    other[:, 1] *= -1
    other[:, 4:][:, genome.node == 1] += 2
    assert np.array_equal(genome.decode(without), genome.decode(other))
    assert not np.array_equal(genome.decode(without), genome.decode(numbers))


@pytest.mark.parametrize(("absent", "flipped"), [((0, 1), (1, 2)), ((0,), (2,)), ((1,), (1,))])
def test_symmetries(absent: tuple[int, ...], flipped: tuple[int, ...]) -> None:
    genome, numbers = draw("cppn", (21, 30, 3), 20, 6)
    before = genome.decode(numbers)
    numbers[:, 6:][:, np.isin(genome.source, absent)] = 0  # no connection from x, y or both
    images = genome.decode(numbers)
    assert np.array_equal(np.flip(images, flipped), images)
    assert not np.array_equal(np.flip(before, flipped), before)
    assert np.median(images.reshape(20, -1).std(axis=1)) > 30


@pytest.mark.parametrize("shape", SHAPES)
def test_a_network_draws_the_same_at_any_size(shape: tuple[int, int, int]) -> None:
    genome, numbers = draw("cppn", shape)
    height, width, _ = shape
    middles = genome.render(numbers, 5 * height, 3 * width)[:, 2::5, 1::3]
    assert np.abs(middles.astype(float) - genome.decode(numbers)).max() <= 1


def test_coordinates_keep_the_aspect() -> None:
    assert centres(4, 1).tolist() == [-0.75, -0.25, 0.25, 0.75]
    genome = network_genome((8, 16, 1), 1)
    numbers = np.zeros((1, genome.size), dtype=np.float32)
    numbers[0, -3] = 3  # the output is the distance from the centre
    image = genome.decode(numbers)[0, :, :, 0]
    assert np.array_equal(image[:, 4:12], image[:, 4:12].T)


@pytest.mark.parametrize("size", [1e6, 1e30, 3e38])
def test_huge_numbers_draw_something(size: float) -> None:
    genome, numbers = draw("cppn", (9, 13, 3))
    images = genome.decode(np.clip(numbers.astype(float) * size, -3.4e38, 3.4e38).astype(np.float32))
    assert 5 < images.mean() < 250
    assert np.array_equal(images, genome.decode(numbers * np.float32(1e6)))


def test_random_networks_are_diverse() -> None:
    genome, numbers = draw("cppn", (32, 32, 3), 300, 8)
    images = genome.decode(numbers).reshape(300, -1, 3)
    contrast = images.std(axis=1).max(axis=1)
    assert np.quantile(contrast, 0.1) > 15  # few are nearly flat
    assert np.quantile(np.isin(images, (0, 255)).mean(axis=(1, 2)), 0.9) < 0.5  # few are black and white
    assert np.abs(np.corrcoef(images.reshape(300, -1).astype(float))[np.triu_indices(300, 1)]).mean() < 0.5


def test_squash() -> None:
    values = np.array([-1e30, -100, -5, 0, 1, 5, 100, 1e30], dtype=np.float32)
    assert squash(values).tolist() == [0, 0, 2, 128, 186, 253, 255, 255]
    assert values[0] == np.float32(-1e30)


@pytest.mark.parametrize(
    ("shape", "detail", "expected"), [((28, 28, 1), 8, (8, 8)), ((48, 192, 3), 4, (4, 16)), ((9, 3, 1), 1, (3, 1))]
)
def test_a_longer_side_has_more(shape: tuple[int, int, int], detail: int, expected: tuple[int, int]) -> None:
    assert sides(shape, detail) == expected


def test_more_detail_than_pixels_is_refused() -> None:
    assert make_genome("dct", (28, 20, 1), 20).size == 28 * 20
    with pytest.raises(UserError, match=r"search\.detail: expected at most the 20 pixels of the shorter side, got 21"):
        make_genome("dct", (28, 20, 1), 21)
