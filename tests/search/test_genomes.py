"""Genomes: what images they draw, alone or among others, at their own size or another."""

import numpy as np
import pytest
from scipy.special import expit

from fooling.errors import UserError
from fooling.search.genomes import AT_ONCE, GENOMES, decode_all, make_genome, sides, squash
from fooling.search.genomes.dct import cosines
from fooling.search.genomes.grid import enlargement

SHAPES = [(28, 28, 1), (9, 13, 1), (48, 192, 3), (33, 20, 3)]


def draw(name: str, shape: tuple[int, int, int], number: int = 5, detail: int = 4) -> tuple:
    genome = make_genome(name, shape, detail)
    return genome, np.random.default_rng(0).normal(size=(number, genome.size)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", GENOMES)
def test_an_image_depends_on_its_genome_alone(name: str, shape: tuple[int, int, int]) -> None:
    genome, numbers = draw(name, shape, AT_ONCE + 3)
    images = decode_all(genome, numbers)
    assert images.dtype == np.uint8
    assert images.shape == (AT_ONCE + 3, *shape)
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
