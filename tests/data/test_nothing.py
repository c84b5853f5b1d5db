"""Images that show nothing: what each kind keeps of real images, and that they are always the same."""

import re

import numpy as np
import pytest
from builders import SHAPES, random_images

from fooling.data.nothing import (
    KINDS,
    NEEDS_REAL,
    blank,
    even_noise,
    foreign,
    images_of_nothing,
    phase_scrambled,
    reads_digits,
    shuffled,
)
from fooling.errors import UserError

DIGITS = tuple(map(str, range(10)))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_for_every_shape(shape: tuple[int, int, int]) -> None:
    real = random_images(shape, 20)
    found = images_of_nothing(shape, DIGITS, real, 30)
    assert tuple(found) == KINDS
    for images, note in found.values():
        assert images.dtype == np.uint8
        assert images.shape[1:] == shape
        assert 2 <= len(images) <= 30
        assert note
    again, other = images_of_nothing(shape, DIGITS, real, 30), images_of_nothing(shape, DIGITS, real, 30, seed=1)
    for kind in KINDS:
        assert np.array_equal(found[kind].images, again[kind].images)
        assert kind == "blank" or not np.array_equal(found[kind].images, other[kind].images)


def test_without_real_images_those_made_of_them_are_left_out() -> None:
    with_real = images_of_nothing((8, 8, 3), ("cat", "dog"), random_images((8, 8, 3), 5), 10)
    without = images_of_nothing((8, 8, 3), ("cat", "dog"), None, 10)
    assert set(KINDS) - set(without) == set(NEEDS_REAL)
    assert all(np.array_equal(images, with_real[kind].images) for kind, (images, _) in without.items())


def test_blank_images_have_every_grey_level() -> None:
    images, note = blank((4, 5, 1), 500)
    assert images[:, 0, 0, 0].tolist() == list(range(256))
    assert (images == images[:, :1, :1]).all()
    assert "256" in note
    assert blank((4, 5, 1), 3).images[:, 0, 0, 0].tolist() == [0, 128, 255]


def test_blank_images_in_colour_have_random_ones_too() -> None:
    images, _ = blank((4, 5, 3), 1000)
    assert len(images) == 512
    assert (images == images[:, :1, :1]).all()
    is_grey = (images[:, 0, 0] == images[:, 0, 0, :1]).all(axis=1)
    assert is_grey[:256].all()
    assert is_grey[256:].sum() < 5


def test_noise_is_even() -> None:
    images, _ = even_noise((16, 16, 3), 100)
    counts = np.bincount(images.ravel(), minlength=256)
    assert abs(counts / counts.mean() - 1).max() < 0.25


def test_shuffled_images_keep_their_pixels() -> None:
    real = random_images((9, 13, 3), 6)
    images, _ = shuffled(real)
    for one, other in zip(images, real, strict=True):
        assert sorted(map(tuple, one.reshape(-1, 3))) == sorted(map(tuple, other.reshape(-1, 3)))
    assert not np.array_equal(images[0], real[0])


@pytest.mark.parametrize("shape", [(16, 16, 1), (15, 22, 3), (16, 9, 3)])
def test_scrambled_images_keep_amplitudes_and_the_mean(shape: tuple[int, int, int]) -> None:
    random = np.random.default_rng(0)
    real = (128 + 12 * random.standard_normal((5, *shape))).astype(np.uint8)  # nothing is clipped
    images, note = phase_scrambled(real)
    assert "0%" in note
    before, after = (np.abs(np.fft.fft2(one.astype(float), axes=(1, 2))) for one in (real, images))
    rounding = np.prod(shape[:2]) ** 0.5 * 1.5
    assert abs(before - after).max() < rounding
    assert images.mean(axis=(1, 2)) == pytest.approx(real.mean(axis=(1, 2)), abs=0.2)
    assert abs(np.corrcoef(real[0].ravel(), images[0].ravel())[0, 1]) < 0.4


def test_scrambled_colours_keep_their_relations() -> None:
    random = np.random.default_rng(0)
    grey = (128 + 10 * random.standard_normal((4, 16, 16, 1))).astype(np.uint8)
    images, _ = phase_scrambled(grey.repeat(3, axis=3))
    assert (images == images[..., :1]).all()


def test_a_scrambled_blank_image_stays_blank() -> None:
    real = np.full((2, 7, 8, 1), 77, np.uint8)
    assert np.array_equal(phase_scrambled(real).images, real)


def test_clipped_values_are_counted() -> None:
    real = np.zeros((3, 12, 12, 1), np.uint8)
    real[:, 5:7, 5:7] = 255
    share = re.search(r"(\d+)%", phase_scrambled(real).note)
    assert share is not None
    assert 20 < int(share[1]) < 60


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (DIGITS, True),
        (("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"), True),
        ((*DIGITS, "A", "B"), True),
        (tuple(map(str, range(1000))), False),  # unnamed
        (("cat", "dog"), False),
        (DIGITS[:9], False),
    ],
)
def test_classifiers_of_digits_are_shown_no_digits(labels: tuple[str, ...], expected: bool) -> None:
    assert reads_digits(labels) == expected
    assert ("photographs" in foreign((8, 8, 1), labels, 2).note) == expected


def test_crops_have_the_shape_s_proportions() -> None:
    for shape in [(8, 30, 3), (30, 8, 1), (300, 500, 3)]:
        images, _ = foreign(shape, DIGITS, 4)
        assert images.shape == (4, *shape)
        assert images.std() > 10


@pytest.mark.parametrize(("number", "channels", "dtype"), [(3, 3, np.uint8), (3, 1, np.float64), (0, 1, np.uint8)])
def test_other_real_images_are_refused(number: int, channels: int, dtype: type) -> None:
    with pytest.raises(UserError, match="expected real images uint8"):
        images_of_nothing((8, 8, 1), DIGITS, np.zeros((number, 8, 8, channels), dtype), 5)


def test_a_single_image_of_a_kind_is_refused() -> None:
    with pytest.raises(UserError, match="at least 2"):
        images_of_nothing((8, 8, 1), DIGITS, None, 1)
